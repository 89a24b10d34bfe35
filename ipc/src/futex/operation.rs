//! FUTEX_WAKE_OP's encoded operation (`futex(2)`).
use abi::Errno;
use abi::raw::general as raw;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arithmetic {
    Set,
    Add,
    Or,
    AndNot,
    ExclusiveOr,
}

/// How the old value is compared. All are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What to do to the second word, and on which old value to wake its waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeOperation {
    arithmetic: Arithmetic,
    argument: i32,
    comparison: Comparison,
    comparand: i32,
}

/// Twelve bits from `shift` on, with their sign.
fn signed_field(encoded: u32, shift: u32) -> i32 {
    ((encoded >> shift << 20) as i32) >> 20
}

impl WakeOperation {
    /// From the call's last argument. ENOSYS for operations and comparisons that do not exist.
    pub fn decode(encoded: u32) -> Result<Self, Errno> {
        let operation = encoded >> 28;
        let arithmetic = match operation & 7 {
            raw::FUTEX_OP_SET => Arithmetic::Set,
            raw::FUTEX_OP_ADD => Arithmetic::Add,
            raw::FUTEX_OP_OR => Arithmetic::Or,
            raw::FUTEX_OP_ANDN => Arithmetic::AndNot,
            raw::FUTEX_OP_XOR => Arithmetic::ExclusiveOr,
            _ => return Err(Errno::ENOSYS),
        };
        let comparison = match encoded >> 24 & 15 {
            raw::FUTEX_OP_CMP_EQ => Comparison::Equal,
            raw::FUTEX_OP_CMP_NE => Comparison::NotEqual,
            raw::FUTEX_OP_CMP_LT => Comparison::Less,
            raw::FUTEX_OP_CMP_LE => Comparison::LessOrEqual,
            raw::FUTEX_OP_CMP_GT => Comparison::Greater,
            raw::FUTEX_OP_CMP_GE => Comparison::GreaterOrEqual,
            _ => return Err(Errno::ENOSYS),
        };
        let argument = signed_field(encoded, 12);
        // A shift too far is cut and not refused, as Linux does for programs of old.
        let shifted = operation & raw::FUTEX_OP_OPARG_SHIFT != 0;
        let argument = if shifted { 1i32.wrapping_shl(argument as u32 & 31) } else { argument };
        Ok(Self { arithmetic, argument, comparison, comparand: signed_field(encoded, 0) })
    }

    /// The word's new value.
    pub fn apply(self, old: u32) -> u32 {
        let argument = self.argument as u32;
        match self.arithmetic {
            Arithmetic::Set => argument,
            Arithmetic::Add => old.wrapping_add(argument),
            Arithmetic::Or => old | argument,
            Arithmetic::AndNot => old & !argument,
            Arithmetic::ExclusiveOr => old ^ argument,
        }
    }

    /// Whether the waiters of the second word are woken too.
    pub fn holds(self, old: u32) -> bool {
        let old = old as i32;
        match self.comparison {
            Comparison::Equal => old == self.comparand,
            Comparison::NotEqual => old != self.comparand,
            Comparison::Less => old < self.comparand,
            Comparison::LessOrEqual => old <= self.comparand,
            Comparison::Greater => old > self.comparand,
            Comparison::GreaterOrEqual => old >= self.comparand,
        }
    }
}
