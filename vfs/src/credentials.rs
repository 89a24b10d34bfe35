//! Who asks: identities, groups and capabilities (`credentials(7)`, `capabilities(7)`).
use alloc::sync::Arc;
use bitflags::bitflags;

bitflags! {
    /// A set of capabilities, by their numbers.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Capabilities: u64 {
        const CHOWN = 1 << 0;
        const DAC_OVERRIDE = 1 << 1;
        const DAC_READ_SEARCH = 1 << 2;
        const FOWNER = 1 << 3;
        const FSETID = 1 << 4;
        const KILL = 1 << 5;
        const SETGID = 1 << 6;
        const SETUID = 1 << 7;
        const SETPCAP = 1 << 8;
        const LINUX_IMMUTABLE = 1 << 9;
        const NET_BIND_SERVICE = 1 << 10;
        const NET_BROADCAST = 1 << 11;
        const NET_ADMIN = 1 << 12;
        const NET_RAW = 1 << 13;
        const IPC_LOCK = 1 << 14;
        const IPC_OWNER = 1 << 15;
        const SYS_MODULE = 1 << 16;
        const SYS_RAWIO = 1 << 17;
        const SYS_CHROOT = 1 << 18;
        const SYS_PTRACE = 1 << 19;
        const SYS_PACCT = 1 << 20;
        const SYS_ADMIN = 1 << 21;
        const SYS_BOOT = 1 << 22;
        const SYS_NICE = 1 << 23;
        const SYS_RESOURCE = 1 << 24;
        const SYS_TIME = 1 << 25;
        const SYS_TTY_CONFIG = 1 << 26;
        const MKNOD = 1 << 27;
        const LEASE = 1 << 28;
        const AUDIT_WRITE = 1 << 29;
        const AUDIT_CONTROL = 1 << 30;
        const SETFCAP = 1 << 31;
        const MAC_OVERRIDE = 1 << 32;
        const MAC_ADMIN = 1 << 33;
        const SYSLOG = 1 << 34;
        const WAKE_ALARM = 1 << 35;
        const BLOCK_SUSPEND = 1 << 36;
        const AUDIT_READ = 1 << 37;
        const PERFMON = 1 << 38;
        const BPF = 1 << 39;
        const CHECKPOINT_RESTORE = 1 << 40;
        /// Those that `root` has on files, and loses with a file-system identity other than 0.
        const FILE_SYSTEM = Self::CHOWN.bits() | Self::DAC_OVERRIDE.bits() | Self::DAC_READ_SEARCH.bits()
            | Self::FOWNER.bits() | Self::FSETID.bits() | Self::LINUX_IMMUTABLE.bits() | Self::MKNOD.bits()
            | Self::MAC_OVERRIDE.bits();
    }
}

/// The four identities of one kind: real, effective, saved, and for file systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
    pub file_system: u32,
}

impl Identity {
    pub const fn all(number: u32) -> Self {
        Self { real: number, effective: number, saved: number, file_system: number }
    }
}

/// What a task may do. Shared and never changed in place: a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pub user: Identity,
    pub group: Identity,
    /// Supplementary groups, ascending.
    pub groups: Arc<[u32]>,
    pub effective: Capabilities,
    pub permitted: Capabilities,
    pub inheritable: Capabilities,
    pub bounding: Capabilities,
    pub ambient: Capabilities,
    /// `PR_SET_SECUREBITS`.
    pub secure_bits: u32,
}

impl Credentials {
    /// Those of the first task: root with all capabilities.
    pub fn root() -> Self {
        let all = Capabilities::all();
        Self { effective: all, permitted: all, bounding: all, ..Self::default() }
    }

    /// Those of an ordinary user without capabilities.
    pub fn user(user: u32, group: u32) -> Self {
        Self {
            user: Identity::all(user),
            group: Identity::all(group),
            bounding: Capabilities::all(),
            ..Self::default()
        }
    }

    #[inline(always)]
    pub fn has(&self, capability: Capabilities) -> bool {
        self.effective.contains(capability)
    }

    /// Whether files of `group` count as the caller's group's.
    pub fn in_group(&self, group: u32) -> bool {
        self.group.file_system == group || self.groups.binary_search(&group).is_ok()
    }

    /// The same with the real identities in place of the file-system ones, as `access(2)` checks. A real user other than
    /// root has no capabilities then, and root has all that are permitted.
    pub fn for_access(&self) -> Self {
        let mut real = self.clone();
        real.user.file_system = self.user.real;
        real.group.file_system = self.group.real;
        real.effective = if self.user.real == 0 { self.permitted } else { Capabilities::empty() };
        real
    }
}
