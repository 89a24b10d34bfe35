//! Signal numbers.
use abi::Errno;
use abi::raw::general as raw;
use core::fmt;
use core::num::NonZeroU8;

/// A signal, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(NonZeroU8);

/// What a signal does to a program that did not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    Terminate,
    /// Terminate and dump core.
    Core,
    Ignore,
    Stop,
    /// Nothing; its sending continues a stopped process.
    Continue,
}

macro_rules! signals {
    ($($name:ident = $raw:ident $action:ident,)*) => {
        impl Signal {
            $(pub const $name: Self = Self::from_raw(raw::$raw);)*

            /// Name as in `signal.h`, for standard signals.
            pub const fn name(self) -> Option<&'static str> {
                match self.number() {
                    $(raw::$raw => Some(stringify!($raw)),)*
                    _ => None,
                }
            }

            /// What it does by default (`signal(7)`).
            pub const fn default_action(self) -> DefaultAction {
                match self.number() {
                    $(raw::$raw => DefaultAction::$action,)*
                    _ => DefaultAction::Terminate,
                }
            }
        }
    };
}

signals! {
    HUP = SIGHUP Terminate,
    INT = SIGINT Terminate,
    QUIT = SIGQUIT Core,
    ILL = SIGILL Core,
    TRAP = SIGTRAP Core,
    ABRT = SIGABRT Core,
    BUS = SIGBUS Core,
    FPE = SIGFPE Core,
    KILL = SIGKILL Terminate,
    USR1 = SIGUSR1 Terminate,
    SEGV = SIGSEGV Core,
    USR2 = SIGUSR2 Terminate,
    PIPE = SIGPIPE Terminate,
    ALRM = SIGALRM Terminate,
    TERM = SIGTERM Terminate,
    STKFLT = SIGSTKFLT Terminate,
    CHLD = SIGCHLD Ignore,
    CONT = SIGCONT Continue,
    STOP = SIGSTOP Stop,
    TSTP = SIGTSTP Stop,
    TTIN = SIGTTIN Stop,
    TTOU = SIGTTOU Stop,
    URG = SIGURG Ignore,
    XCPU = SIGXCPU Core,
    XFSZ = SIGXFSZ Core,
    VTALRM = SIGVTALRM Terminate,
    PROF = SIGPROF Terminate,
    WINCH = SIGWINCH Ignore,
    IO = SIGIO Terminate,
    PWR = SIGPWR Terminate,
    SYS = SIGSYS Core,
}

impl Signal {
    /// The first real-time signal as the kernel counts them; libc keeps some for itself.
    pub const REAL_TIME: u32 = raw::SIGRTMIN;
    /// The last signal.
    pub const LAST: u32 = 64;

    /// EINVAL outside 1 to 64.
    pub const fn new(number: u32) -> Result<Self, Errno> {
        if number > Self::LAST {
            return Err(Errno::EINVAL);
        }
        match NonZeroU8::new(number as u8) {
            Some(number) => Ok(Self(number)),
            None => Err(Errno::EINVAL),
        }
    }

    const fn from_raw(number: u32) -> Self {
        match Self::new(number) {
            Ok(signal) => signal,
            Err(_) => panic!("a constant of the ABI"),
        }
    }

    pub const fn number(self) -> u32 {
        self.0.get() as u32
    }

    /// Place in tables, from 0.
    pub(crate) const fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// Whether each one sent is queued.
    pub const fn is_real_time(self) -> bool {
        self.number() >= Self::REAL_TIME
    }

    /// SIGKILL and SIGSTOP, which can be neither caught, blocked nor ignored.
    pub const fn is_kernel_only(self) -> bool {
        matches!(self.number(), raw::SIGKILL | raw::SIGSTOP)
    }

    /// Whether doing nothing is the default.
    pub const fn ignored_by_default(self) -> bool {
        matches!(self.default_action(), DefaultAction::Ignore | DefaultAction::Continue)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "SIGRT{}", self.number()),
        }
    }
}
