//! Files: `stat(2)`, `statx(2)`, `statfs(2)`, `getdents64(2)`, `open(2)` and their flags.
use crate::time::Timespec;
use bitflags::bitflags;
use linux_raw_sys::general as raw;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum FileType {
    Fifo = raw::S_IFIFO,
    CharacterDevice = raw::S_IFCHR,
    Directory = raw::S_IFDIR,
    BlockDevice = raw::S_IFBLK,
    Regular = raw::S_IFREG,
    Symlink = raw::S_IFLNK,
    Socket = raw::S_IFSOCK,
}

impl FileType {
    /// The type in a mode; `None` where there is no such type.
    pub const fn of_mode(mode: u32) -> Option<Self> {
        Some(match mode & raw::S_IFMT {
            raw::S_IFIFO => Self::Fifo,
            raw::S_IFCHR => Self::CharacterDevice,
            raw::S_IFDIR => Self::Directory,
            raw::S_IFBLK => Self::BlockDevice,
            raw::S_IFREG => Self::Regular,
            raw::S_IFLNK => Self::Symlink,
            raw::S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }

    /// The bits of `st_mode`.
    pub const fn mode(self) -> u32 {
        self as u32
    }

    /// `d_type` of `getdents64(2)`.
    pub const fn directory_entry(self) -> u8 {
        (self.mode() >> 12) as u8
    }
}

/// Permission bits of a mode.
pub mod mode {
    use linux_raw_sys::general as raw;
    pub const SET_USER: u32 = raw::S_ISUID;
    pub const SET_GROUP: u32 = raw::S_ISGID;
    pub const STICKY: u32 = raw::S_ISVTX;
    pub const GROUP_EXECUTE: u32 = raw::S_IXGRP;
    pub const ANY_EXECUTE: u32 = raw::S_IXUSR | raw::S_IXGRP | raw::S_IXOTH;
    /// All that `chmod(2)` sets.
    pub const PERMISSIONS: u32 = 0o7777;
    pub const TYPE: u32 = raw::S_IFMT;
}

/// A device's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber {
    /// Twelve bits.
    pub major: u32,
    /// Twenty bits.
    pub minor: u32,
}

impl DeviceNumber {
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// As `stat(2)` and `mknod(2)` pass it: minor's low byte, major, then the rest of the minor.
    pub const fn encode(self) -> u64 {
        ((self.minor & 0xff) | ((self.major & 0xfff) << 8) | ((self.minor & 0xf_ff00) << 12)) as u64
    }

    pub const fn decode(number: u32) -> Self {
        Self { major: (number >> 8) & 0xfff, minor: (number & 0xff) | ((number >> 12) & 0xf_ff00) }
    }
}

/// `struct stat` of x86-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub links: u64,
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    pub padding: u32,
    /// The device that the inode stands for.
    pub special: u64,
    /// Bytes.
    pub size: i64,
    pub block_size: i64,
    /// Units of 512 bytes.
    pub blocks: i64,
    pub accessed: Timespec,
    pub modified: Timespec,
    pub changed: Timespec,
    pub reserved: [i64; 3],
}

/// `struct statx_timestamp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StatxTimestamp {
    pub seconds: i64,
    pub nanoseconds: u32,
    pub reserved: i32,
}

impl From<Timespec> for StatxTimestamp {
    fn from(time: Timespec) -> Self {
        Self { seconds: time.seconds, nanoseconds: time.nanoseconds as u32, reserved: 0 }
    }
}

/// `struct statx`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statx {
    pub mask: u32,
    pub block_size: u32,
    pub attributes: u64,
    pub links: u32,
    pub user: u32,
    pub group: u32,
    pub mode: u16,
    pub padding: u16,
    pub inode: u64,
    pub size: u64,
    pub blocks: u64,
    pub attributes_mask: u64,
    pub accessed: StatxTimestamp,
    pub created: StatxTimestamp,
    pub changed: StatxTimestamp,
    pub modified: StatxTimestamp,
    pub special_major: u32,
    pub special_minor: u32,
    pub device_major: u32,
    pub device_minor: u32,
    pub mount: u64,
    pub direct_memory_alignment: u32,
    pub direct_offset_alignment: u32,
    pub reserved: [u64; 12],
}

/// `struct statfs` of x86-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statfs {
    pub kind: i64,
    pub block_size: i64,
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub files: u64,
    pub files_free: u64,
    pub identity: [i32; 2],
    pub name_length: i64,
    pub fragment_size: i64,
    pub flags: i64,
    pub spare: [i64; 4],
}

/// The fixed part of `struct linux_dirent64`: eight-byte inode and offset, the record's length, the type; then the name,
/// NUL-terminated, padded to a multiple of eight bytes. Nineteen bytes, so no Rust struct has its layout.
pub mod dirent64 {
    pub const NAME_OFFSET: usize = 19;

    /// Bytes of the record for a name.
    pub const fn length(name: usize) -> usize {
        (NAME_OFFSET + name + 1).next_multiple_of(8)
    }
}

bitflags! {
    /// Flags of `open(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        const WRITE_ONLY = raw::O_WRONLY;
        const READ_WRITE = raw::O_RDWR;
        const CREATE = raw::O_CREAT;
        const EXCLUSIVE = raw::O_EXCL;
        const NO_CONTROLLING_TERMINAL = raw::O_NOCTTY;
        const TRUNCATE = raw::O_TRUNC;
        const APPEND = raw::O_APPEND;
        const NON_BLOCKING = raw::O_NONBLOCK;
        const DATA_SYNC = raw::O_DSYNC;
        const ASYNC = raw::FASYNC;
        const DIRECT = raw::O_DIRECT;
        const LARGE_FILE = raw::O_LARGEFILE;
        const DIRECTORY = raw::O_DIRECTORY;
        const NO_FOLLOW = raw::O_NOFOLLOW;
        const NO_ACCESS_TIME = raw::O_NOATIME;
        const CLOSE_ON_EXEC = raw::O_CLOEXEC;
        /// `O_SYNC` is this and `DATA_SYNC`.
        const SYNC = raw::__O_SYNC;
        const PATH = raw::O_PATH;
        /// `O_TMPFILE` is this and `DIRECTORY`.
        const TEMPORARY = raw::__O_TMPFILE;
    }

    /// Flags of the `*at` calls.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AtFlags: u32 {
        const SYMLINK_NO_FOLLOW = raw::AT_SYMLINK_NOFOLLOW;
        /// The same bit as `AT_EACCESS` of `faccessat2(2)`.
        const REMOVE_DIRECTORY = raw::AT_REMOVEDIR;
        const SYMLINK_FOLLOW = raw::AT_SYMLINK_FOLLOW;
        const NO_AUTOMOUNT = raw::AT_NO_AUTOMOUNT;
        const EMPTY_PATH = raw::AT_EMPTY_PATH;
        const STATX_FORCE_SYNC = raw::AT_STATX_FORCE_SYNC;
        const STATX_DONT_SYNC = raw::AT_STATX_DONT_SYNC;
        const RECURSIVE = raw::AT_RECURSIVE;
    }

    /// Flags of `renameat2(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RenameFlags: u32 {
        const NO_REPLACE = 1;
        const EXCHANGE = 2;
        const WHITEOUT = 4;
    }

    /// What is wanted of a file: `access(2)`, permission checks.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Access: u32 {
        const EXECUTE = 1;
        const WRITE = 2;
        const READ = 4;
    }

    /// Flags of `mount(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MountFlags: u64 {
        const READ_ONLY = raw::MS_RDONLY as u64;
        const NO_SET_ID = raw::MS_NOSUID as u64;
        const NO_DEVICES = raw::MS_NODEV as u64;
        const NO_EXECUTE = raw::MS_NOEXEC as u64;
        const SYNCHRONOUS = raw::MS_SYNCHRONOUS as u64;
        const REMOUNT = raw::MS_REMOUNT as u64;
        const DIRECTORY_SYNC = raw::MS_DIRSYNC as u64;
        const NO_SYMLINK_FOLLOW = raw::MS_NOSYMFOLLOW as u64;
        const NO_ACCESS_TIME = raw::MS_NOATIME as u64;
        const NO_DIRECTORY_ACCESS_TIME = raw::MS_NODIRATIME as u64;
        const BIND = raw::MS_BIND as u64;
        const MOVE = raw::MS_MOVE as u64;
        const RECURSIVE = raw::MS_REC as u64;
        const SILENT = raw::MS_SILENT as u64;
        const UNBINDABLE = raw::MS_UNBINDABLE as u64;
        const PRIVATE = raw::MS_PRIVATE as u64;
        const SLAVE = raw::MS_SLAVE as u64;
        const SHARED = raw::MS_SHARED as u64;
        const RELATIVE_ACCESS_TIME = raw::MS_RELATIME as u64;
        const STRICT_ACCESS_TIME = raw::MS_STRICTATIME as u64;
        const LAZY_TIME = raw::MS_LAZYTIME as u64;
    }

    /// Flags of `umount2(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct UnmountFlags: u32 {
        const FORCE = 1;
        const DETACH = 2;
        const EXPIRE = 4;
        const NO_FOLLOW = 8;
    }

    /// Modes of `fallocate(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AllocateFlags: u32 {
        const KEEP_SIZE = 1;
        const PUNCH_HOLE = 2;
        const COLLAPSE_RANGE = 8;
        const ZERO_RANGE = 16;
        const INSERT_RANGE = 32;
        const UNSHARE_RANGE = 64;
    }

    /// What a descriptor is ready for: `poll(2)`. Only for one that supports it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct PollEvents: u32 {
        const IN = 0x1;
        const PRIORITY = 0x2;
        const OUT = 0x4;
        const ERROR = 0x8;
        const HANG_UP = 0x10;
        const INVALID = 0x20;
        const READ_NORMAL = 0x40;
        const READ_BAND = 0x80;
        const WRITE_NORMAL = 0x100;
        const WRITE_BAND = 0x200;
        const MESSAGE = 0x400;
        const READ_HANG_UP = 0x2000;
    }
}

/// `struct pollfd` (`poll(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PollDescriptor {
    /// None where it is negative.
    pub number: i32,
    /// Of [`PollEvents`].
    pub wanted: u16,
    pub found: u16,
}

impl OpenFlags {
    /// Whether the access mode lets the file be read.
    pub const fn reads(self) -> bool {
        self.bits() & raw::O_ACCMODE != raw::O_WRONLY
    }

    /// Whether the access mode lets the file be written. (Access mode 3 is for ioctls only, and needs both rights.)
    pub const fn writes(self) -> bool {
        self.bits() & raw::O_ACCMODE != raw::O_RDONLY
    }

    /// Those that `fcntl(F_SETFL)` changes.
    pub const SETTABLE: Self =
        Self::APPEND.union(Self::NON_BLOCKING).union(Self::ASYNC).union(Self::DIRECT).union(Self::NO_ACCESS_TIME);
}

/// Where `lseek(2)` counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    Start,
    Current,
    End,
    Data,
    Hole,
}

impl Whence {
    pub const fn from_raw(whence: u32) -> Option<Self> {
        Some(match whence {
            raw::SEEK_SET => Self::Start,
            raw::SEEK_CUR => Self::Current,
            raw::SEEK_END => Self::End,
            raw::SEEK_DATA => Self::Data,
            raw::SEEK_HOLE => Self::Hole,
            _ => return None,
        })
    }
}

/// `struct iovec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IoVector {
    pub base: u64,
    pub length: u64,
}

/// `struct flock` of `fcntl(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileLock {
    pub kind: i16,
    pub whence: i16,
    pub padding: u32,
    pub start: i64,
    pub length: i64,
    pub process: i32,
    pub padding_at_end: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_linuxes() {
        assert_eq!(size_of::<Stat>(), size_of::<raw::stat>());
        assert_eq!(size_of::<Statx>(), 256);
        assert_eq!(size_of::<Statfs>(), size_of::<raw::statfs>());
        assert_eq!(size_of::<FileLock>(), size_of::<raw::flock>());
        assert_eq!(core::mem::offset_of!(Stat, size), core::mem::offset_of!(raw::stat, st_size));
        assert_eq!(core::mem::offset_of!(Stat, changed), core::mem::offset_of!(raw::stat, st_ctime));
        assert_eq!(core::mem::offset_of!(Statx, mount), core::mem::offset_of!(raw::statx, stx_mnt_id));
        assert_eq!(dirent64::NAME_OFFSET, core::mem::offset_of!(raw::linux_dirent64, d_name));
    }

    #[test]
    fn device_numbers_survive() {
        for (major, minor) in [(1, 3), (4, 64), (0xfff, 0xf_ffff), (259, 0x12345)] {
            let number = DeviceNumber::new(major, minor);
            assert_eq!(DeviceNumber::decode(number.encode() as u32), number);
        }
    }
}
