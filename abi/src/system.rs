//! Structures about the system, its users and its resources.
use crate::time::Timeval;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct new_utsname` (uname(2)): strings with NULs at their ends.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Utsname {
    pub sysname: [u8; 65],
    pub nodename: [u8; 65],
    pub release: [u8; 65],
    pub version: [u8; 65],
    pub machine: [u8; 65],
    pub domainname: [u8; 65],
}

/// `struct sysinfo` (sysinfo(2)); sizes in units of `mem_unit` bytes, loads in 1/65536.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sysinfo {
    pub uptime: i64,
    pub loads: [u64; 3],
    pub totalram: u64,
    pub freeram: u64,
    pub sharedram: u64,
    pub bufferram: u64,
    pub totalswap: u64,
    pub freeswap: u64,
    pub procs: u16,
    pub _pad: [u8; 6],
    pub totalhigh: u64,
    pub freehigh: u64,
    pub mem_unit: u32,
    pub _pad_2: u32,
}

/// `struct rusage` (getrusage(2)).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rusage {
    pub user_time: Timeval,
    pub system_time: Timeval,
    /// Largest resident set, in KiB.
    pub max_resident: i64,
    pub _unused: [i64; 3],
    pub minor_faults: i64,
    pub major_faults: i64,
    pub _unused_2: i64,
    pub blocks_in: i64,
    pub blocks_out: i64,
    pub _unused_3: [i64; 3],
    pub voluntary_switches: i64,
    pub involuntary_switches: i64,
}

/// `struct rlimit64` (prlimit(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rlimit {
    pub soft: u64,
    pub hard: u64,
}

/// `struct tms` (times(2)), in ticks of 1/100 s.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tms {
    pub user: i64,
    pub system: i64,
    pub children_user: i64,
    pub children_system: i64,
}

/// `struct clone_args` (clone3(2)), version 2.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::size_of;
    use linux_raw_sys::{general, system};

    #[test]
    fn sizes_are_linux() {
        assert_eq!(size_of::<Utsname>(), size_of::<system::new_utsname>());
        assert_eq!(size_of::<Sysinfo>(), size_of::<system::sysinfo>());
        assert_eq!(size_of::<Rusage>(), size_of::<general::rusage>());
        assert_eq!(size_of::<Rlimit>(), size_of::<general::rlimit64>());
        assert_eq!(size_of::<CloneArgs>(), size_of::<general::clone_args>());
    }
}
