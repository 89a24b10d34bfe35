//! What the system is called: uname(2), /proc/sys/kernel.
use sync::{Preempt, Rank, SpinLock};

/// Longest host or domain name.
pub const LONGEST: usize = 64;
/// What the kernel calls itself.
pub const TYPE: &str = "Linux";
/// What uname(2) calls the kernel's release.
pub const RELEASE: &str = "6.6.0-birgus";
/// Its version, which programs only show.
pub const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC Birgus";
pub const MACHINE: &str = "x86_64";

/// A name with NULs behind it.
pub type Field = [u8; LONGEST + 1];

/// Which of the names that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Host,
    Domain,
}

static NAMES: SpinLock<[Field; 2], Preempt> = SpinLock::new(Rank::Leaf, [padded(b"(none)"), padded(b"(none)")]);

/// A text as a field; it is no longer than [`LONGEST`].
pub const fn padded(text: &[u8]) -> Field {
    let mut field = [0; LONGEST + 1];
    let mut index = 0;
    while index < text.len() {
        field[index] = text[index];
        index += 1;
    }
    field
}

/// The name as it is now.
pub fn get(which: Which) -> Field {
    NAMES.lock()[which as usize]
}

/// Sets a name, whose last byte is NUL.
pub fn set(which: Which, name: Field) {
    NAMES.lock()[which as usize] = name;
}
