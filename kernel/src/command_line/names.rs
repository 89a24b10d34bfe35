//! The names that mean something to the kernel. Those that end in `=` count with a value only, as in Linux's tables
//! (`__setup("init=", …)`); the others also stand by themselves (`early_param("quiet", …)`).

/// What is done as it says.
const HEEDED: &[&str] = &[
    "birgus.provoke=",
    "console=",
    "debug",
    "hung_task_panic=",
    "init=",
    "loglevel",
    "maxcpus",
    "mem",
    "nmi_watchdog=",
    "norandmaps",
    "nosmp",
    "nowatchdog",
    "panic=",
    "quiet",
    "rdinit=",
    "softlockup_panic=",
    "sysctl.kernel.hung_task_timeout_secs=",
    "tsc_early_khz=",
    "watchdog_thresh=",
];

/// What Linux takes for itself and this kernel has nothing to do for: not init's either, and named in the log.
const WITHOUT_EFFECT: &[&str] = &[
    "acpi",
    "apparmor=",
    "audit=",
    "earlycon",
    "earlyprintk",
    "init_on_alloc",
    "init_on_free",
    "irqaffinity=",
    "isolcpus=",
    "lsm=",
    "mitigations",
    "noapic",
    "nokaslr",
    "nomodule",
    "nopti",
    "pci",
    "preempt=",
    "pti",
    "randomize_kstack_offset",
    "reboot=",
    "ro",
    "root=",
    "rootflags=",
    "rootfstype=",
    "rw",
    "tsc=",
];

/// How a word of the command line is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Heeded,
    WithoutEffect,
    /// `module.name`: for a module that may never come, and nobody's meanwhile.
    Module,
    Unknown,
}

/// What `name` means, with or without a value.
pub fn meaning(name: &[u8], has_value: bool) -> Meaning {
    let stands = |known: &&str| match known.strip_suffix('=') {
        Some(known) => has_value && same(known.as_bytes(), name),
        None => same(known.as_bytes(), name),
    };
    if HEEDED.iter().any(stands) {
        Meaning::Heeded
    } else if WITHOUT_EFFECT.iter().any(stands) {
        Meaning::WithoutEffect
    } else if name.contains(&b'.') {
        Meaning::Module
    } else {
        Meaning::Unknown
    }
}

/// Whether two names are one: `-` and `_` are the same letter (parameq in Linux's kernel/params.c).
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let letter = |&byte: &u8| if byte == b'-' { b'_' } else { byte };
    one.iter().map(letter).eq(other.iter().map(letter))
}
