//! What prctl(2) sets of a process and a thread, apart from names.
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What a timer of a sleep may be late, in nanoseconds, where nobody says otherwise.
const TIMER_SLACK: u64 = 50_000;

/// Of a process.
#[derive(Debug)]
pub struct ProcessTraits {
    /// Whether others of its user may look at it (PR_SET_DUMPABLE): 0, 1, or 2 for root alone.
    pub dumpable: AtomicU32,
    /// What it is sent when its parent ends (PR_SET_PDEATHSIG).
    pub parent_death_signal: AtomicU32,
    /// Which barriers it has said that it will ask for (membarrier(2)).
    pub registered_barriers: AtomicU32,
}

impl ProcessTraits {
    pub(crate) fn new(dumpable: u32) -> Self {
        Self {
            dumpable: AtomicU32::new(dumpable),
            parent_death_signal: AtomicU32::new(0),
            registered_barriers: AtomicU32::new(0),
        }
    }

    /// A program that gained rights is nobody's to look at, and nobody's to be told to by its parent.
    pub(crate) fn reset_for_exec(&self, secure: bool) {
        self.dumpable.store(u32::from(!secure), Ordering::Relaxed);
        self.registered_barriers.store(0, Ordering::Relaxed);
        if secure {
            self.parent_death_signal.store(0, Ordering::Relaxed);
        }
    }
}

/// Of a thread; inherited.
#[derive(Debug)]
pub struct ThreadTraits {
    /// No exec gives more rights than the program before had (PR_SET_NO_NEW_PRIVS). Never taken back.
    pub no_new_privileges: AtomicBool,
    /// PR_SET_TIMERSLACK, and what it goes back to. Sleeps end exactly here, so nothing depends on it.
    pub timer_slack: AtomicU64,
    pub default_timer_slack: u64,
    /// Whom it takes the kernel for (personality(2)): Linux, or Linux on 32 bits, with flags.
    pub personality: AtomicU32,
}

/// Linux on a machine of 32 bits, as far as uname(2) tells.
pub const LINUX_32: u32 = 8;
/// A flag of a personality: programs get the same addresses each time (`ADDR_NO_RANDOMIZE`).
pub const FIXED_ADDRESSES: u32 = 0x4_0000;

impl ThreadTraits {
    /// Whether programs that it executes may have other addresses each time; `secure` ones are not to be told.
    pub(crate) fn allows_random_addresses(&self, secure: bool) -> bool {
        if secure {
            self.personality.fetch_and(!FIXED_ADDRESSES, Ordering::Relaxed);
        }
        self.personality.load(Ordering::Relaxed) & FIXED_ADDRESSES == 0
    }

    pub(crate) fn initial() -> Self {
        Self {
            no_new_privileges: AtomicBool::new(false),
            timer_slack: AtomicU64::new(TIMER_SLACK),
            default_timer_slack: TIMER_SLACK,
            personality: AtomicU32::new(0),
        }
    }

    pub(crate) fn for_child(parent: &Self) -> Self {
        let slack = parent.timer_slack.load(Ordering::Relaxed);
        Self {
            no_new_privileges: AtomicBool::new(parent.no_new_privileges.load(Ordering::Relaxed)),
            timer_slack: AtomicU64::new(slack),
            default_timer_slack: slack,
            personality: AtomicU32::new(parent.personality.load(Ordering::Relaxed)),
        }
    }
}
