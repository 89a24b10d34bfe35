//! What a signal says about its cause (`siginfo_t`, `sigaction(2)`).
use crate::number::Signal;
use abi::raw::general as raw;
use abi::signal::{
    SIGINFO_USED, Siginfo, SiginfoChild, SiginfoFault, SiginfoPoll, SiginfoSender, SiginfoSystemCall, SiginfoTimer,
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// The cause, by the layout that it has in `siginfo_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Information {
    /// SI_USER: `kill(2)`. Also what is reported when the information was lost, with zeros.
    Kill { process: i32, user: u32 },
    /// SI_TKILL: `tgkill(2)`.
    ThreadKill { process: i32, user: u32 },
    /// SI_QUEUE, SI_MESGQ, SI_ASYNCIO: a value comes with it.
    Queue { process: i32, user: u32, value: u64, code: i32 },
    /// A fault of the program: SEGV_MAPERR, FPE_INTDIV …, with the address that goes with the code.
    Fault { code: i32, address: u64 },
    /// SEGV_PKUERR: a page whose protection key forbids the access.
    ProtectionKey { address: u64, key: u32 },
    /// SIGCHLD: CLD_EXITED and the like; times in clock ticks.
    Child { process: i32, user: u32, status: i32, code: i32, user_time: i64, system_time: i64 },
    /// SI_TIMER: a POSIX timer.
    Timer { timer: i32, overrun: i32, value: u64 },
    /// SIGIO: POLL_IN and the like.
    Poll { code: i32, band: i64, descriptor: i32 },
    /// SI_KERNEL, without more.
    Kernel,
    /// SYS_SECCOMP.
    SystemCall { address: u64, number: i32, architecture: u32 },
    /// What a program put together itself (`rt_sigqueueinfo(2)`): error, code, and the tail's first part.
    Raw { error: i32, code: i32, tail: [u32; 8] },
}

/// SYS_SECCOMP (`asm-generic/siginfo.h`).
const SYS_SECCOMP: i32 = 1;

impl Information {
    /// What is told when it is not known any more.
    pub const LOST: Self = Self::Kill { process: 0, user: 0 };

    /// `si_code`. Negative or zero: from a program; positive: from the kernel.
    pub fn code(&self) -> i32 {
        match *self {
            Self::Kill { .. } => raw::SI_USER as i32,
            Self::ThreadKill { .. } => raw::SI_TKILL,
            Self::Queue { code, .. }
            | Self::Fault { code, .. }
            | Self::Child { code, .. }
            | Self::Poll { code, .. }
            | Self::Raw { code, .. } => code,
            Self::ProtectionKey { .. } => raw::SEGV_PKUERR as i32,
            Self::Timer { .. } => raw::SI_TIMER,
            Self::Kernel => raw::SI_KERNEL as i32,
            Self::SystemCall { .. } => SYS_SECCOMP,
        }
    }

    /// The structure that user space sees.
    pub fn to_siginfo(&self, signal: Signal) -> Siginfo {
        let mut siginfo = Siginfo { signal: signal.number() as i32, code: self.code(), ..Default::default() };
        match *self {
            Self::Kill { process, user } | Self::ThreadKill { process, user } => {
                put(&mut siginfo, &SiginfoSender { process, user, value: 0 });
            }
            Self::Queue { process, user, value, .. } => put(&mut siginfo, &SiginfoSender { process, user, value }),
            Self::Fault { address, .. } => put(&mut siginfo, &SiginfoFault { address, ..Default::default() }),
            Self::ProtectionKey { address, key } => {
                put(&mut siginfo, &SiginfoFault { address, key, ..Default::default() });
            }
            Self::Child { process, user, status, user_time, system_time, .. } => {
                put(&mut siginfo, &SiginfoChild { process, user, status, padding: 0, user_time, system_time });
            }
            Self::Timer { timer, overrun, value } => put(&mut siginfo, &SiginfoTimer { timer, overrun, value }),
            Self::Poll { band, descriptor, .. } => put(&mut siginfo, &SiginfoPoll { band, descriptor, padding: 0 }),
            Self::Kernel => {}
            Self::SystemCall { address, number, architecture } => {
                put(&mut siginfo, &SiginfoSystemCall { address, number, architecture });
            }
            Self::Raw { error, tail, .. } => {
                siginfo.error = error;
                put(&mut siginfo, &tail);
            }
        }
        siginfo
    }

    /// From a structure that a program made. The signal in it does not count, and what lies beyond the part in use is
    /// dropped, as on Linux.
    pub fn from_siginfo(siginfo: &Siginfo) -> Self {
        let mut tail = [0_u32; 8];
        const { assert!(size_of::<[u32; 8]>() == SIGINFO_USED - 16) };
        tail.as_mut_bytes().copy_from_slice(&siginfo.tail[..SIGINFO_USED - 16]);
        Self::Raw { error: siginfo.error, code: siginfo.code, tail }
    }

    /// Whether a program may send this code to others: not what only the kernel says (`rt_sigqueueinfo(2)`, EPERM).
    pub fn is_for_others(&self) -> bool {
        self.code() < 0 && self.code() != raw::SI_TKILL
    }
}

/// Puts a tail into place.
fn put<T: IntoBytes + Immutable + ?Sized>(siginfo: &mut Siginfo, tail: &T) {
    siginfo.tail.zero();
    if let Some(target) = siginfo.tail.get_mut(..size_of_val(tail)) {
        target.copy_from_slice(tail.as_bytes());
    }
}
