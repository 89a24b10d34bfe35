//! Registers as typed arguments.
use memory::UserPtr;

/// A type that a system call takes in one register. Conversion cannot fail: what a value means is the handler's business.
pub trait Argument {
    fn from_register(value: u64) -> Self;
}

macro_rules! integers {
    ($($kind:ty)*) => {
        $(impl Argument for $kind {
            #[inline(always)]
            fn from_register(value: u64) -> Self {
                value as $kind
            }
        })*
    };
}
integers!(u64 i64 usize isize u32 i32);

impl<T> Argument for UserPtr<T> {
    #[inline(always)]
    fn from_register(value: u64) -> Self {
        Self::new(value as usize)
    }
}

/// A file descriptor; negative ones name nothing, but for AT_FDCWD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(pub i32);

impl Argument for Fd {
    #[inline(always)]
    fn from_register(value: u64) -> Self {
        Self(value as i32)
    }
}

/// A pointer to a NUL-terminated string.
#[derive(Clone, Copy, Debug)]
pub struct UserString(pub UserPtr<u8>);

impl Argument for UserString {
    #[inline(always)]
    fn from_register(value: u64) -> Self {
        Self(UserPtr::new(value as usize))
    }
}
