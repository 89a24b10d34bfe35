//! Limits that the caller's task carries.
use abi::PAGE_SIZE;

/// Resource limits (`getrlimit(2)`) in bytes, `u64::MAX` for none.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// RLIMIT_AS.
    pub address_space: u64,
    /// RLIMIT_DATA.
    pub data: u64,
    /// RLIMIT_STACK.
    pub stack: u64,
    /// RLIMIT_MEMLOCK; none for a task with CAP_IPC_LOCK.
    pub locked: u64,
}

impl Limits {
    /// No limits, as for the kernel's own mappings.
    pub const NONE: Self = Self { address_space: u64::MAX, data: u64::MAX, stack: u64::MAX, locked: u64::MAX };

    /// Whether `used` pages and `more` keep within `limit` bytes.
    pub(crate) fn allows(limit: u64, used: usize, more: usize) -> bool {
        used.saturating_add(more) as u64 <= limit >> PAGE_SIZE.trailing_zeros()
    }
}
