//! The one instruction, and what it answers.

use core::arch::asm;

/// An error number, as the kernel returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    /// No such file.
    pub const ENOENT: Self = Self(2);
    /// Interrupted by a signal.
    pub const EINTR: Self = Self(4);
    /// Input/output error: a terminal whose other side is gone.
    pub const EIO: Self = Self(5);
    /// Not an executable format.
    pub const ENOEXEC: Self = Self(8);
    /// Nothing to read, or no room, now.
    pub const EAGAIN: Self = Self(11);
    /// Not permitted by the file's mode.
    pub const EACCES: Self = Self(13);
    /// A bad address.
    pub const EFAULT: Self = Self(14);
    /// Already there.
    pub const EEXIST: Self = Self(17);
    /// A component is not a folder.
    pub const ENOTDIR: Self = Self(20);
    /// Nobody reads this pipe.
    pub const EPIPE: Self = Self(32);
    /// The kernel has no such call.
    pub const ENOSYS: Self = Self(38);
}

/// The result of a call.
pub type Result<T> = core::result::Result<T, Errno>;

/// Makes the system call `number`.
///
/// # Safety
/// The arguments are what that call expects: pointers are valid for what it reads or writes.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 6]) -> Result<usize> {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the kernel clobbers RCX and R11 only; the caller answers for the pointers.
    unsafe {
        asm!("syscall",
            inlateout("rax") number => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    match usize::try_from(answer) {
        Ok(value) => Ok(value),
        Err(_) if answer >= -4095 => Err(Errno(answer.unsigned_abs() as u16)),
        Err(_) => Ok(answer as usize),
    }
}

/// The calls used, by Linux's x86-64 numbers (`syscall/` holds the whole table).
pub(crate) mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const MUNMAP: usize = 11;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16;
    pub const NANOSLEEP: usize = 35;
    pub const GETPID: usize = 39;
    pub const FORK: usize = 57;
    pub const EXECVE: usize = 59;
    pub const EXIT: usize = 60;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const FCNTL: usize = 72;
    pub const CHDIR: usize = 80;
    pub const MKDIR: usize = 83;
    pub const SETSID: usize = 112;
    pub const SYMLINK: usize = 88;
    pub const MOUNT: usize = 165;
    pub const REBOOT: usize = 169;
    pub const SETHOSTNAME: usize = 170;
    pub const GETDENTS64: usize = 217;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const PPOLL: usize = 271;
    pub const DUP3: usize = 292;
    pub const PIPE2: usize = 293;
    pub const FINIT_MODULE: usize = 313;
}
