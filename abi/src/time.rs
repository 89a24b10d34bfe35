//! Time structures (`time.h`, `sys/time.h`).
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct timespec`: seconds and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timespec {
    pub seconds: i64,
    pub nanoseconds: i64,
}

/// `struct timeval`: seconds and microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timeval {
    pub seconds: i64,
    pub microseconds: i64,
}

/// `struct itimerspec` (timer_settime(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Itimerspec {
    pub interval: Timespec,
    pub value: Timespec,
}

/// `struct itimerval` (setitimer(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Itimerval {
    pub interval: Timeval,
    pub value: Timeval,
}

/// `struct timezone` (gettimeofday(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timezone {
    pub minutes_west: i32,
    pub daylight_saving: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::size_of;
    use linux_raw_sys::general;

    #[test]
    fn sizes_are_linux() {
        assert_eq!(size_of::<Timespec>(), size_of::<general::timespec>());
        assert_eq!(size_of::<Timeval>(), size_of::<general::timeval>());
        assert_eq!(size_of::<Itimerval>(), size_of::<general::itimerval>());
        assert_eq!(size_of::<Timezone>(), size_of::<general::timezone>());
    }
}
