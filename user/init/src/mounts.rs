//! The file systems, links and modules that programs expect to find.
//!
//! Every step may fail (a kernel without sysfs, a root that has the link already) and the next is tried all the same: what
//! is really missing shows itself in the command.

use core::ffi::CStr;
use runtime::{O_CLOEXEC, O_RDONLY, Text, close, link, load_module, make_folder, mount, open, read, set_host_name};

const MS_NOSUID: usize = 2;
const MS_NODEV: usize = 4;
const MS_NOEXEC: usize = 8;

/// Where the tool packs Linux's modules: `0.ko`, `1.ko`, … in the order to load them.
const MODULES: &[u8] = b"/.birgus/modules/";

struct Mount {
    kind: &'static CStr,
    path: &'static CStr,
    flags: usize,
    options: &'static CStr,
}

const MOUNTS: [Mount; 7] = [
    Mount { kind: c"proc", path: c"/proc", flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, options: c"" },
    Mount { kind: c"sysfs", path: c"/sys", flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, options: c"" },
    Mount { kind: c"devtmpfs", path: c"/dev", flags: MS_NOSUID, options: c"mode=0755" },
    Mount { kind: c"devpts", path: c"/dev/pts", flags: MS_NOSUID | MS_NOEXEC, options: c"mode=620,gid=5,ptmxmode=666" },
    Mount { kind: c"tmpfs", path: c"/dev/shm", flags: MS_NOSUID | MS_NODEV, options: c"mode=1777" },
    Mount { kind: c"tmpfs", path: c"/run", flags: MS_NOSUID | MS_NODEV, options: c"mode=0755" },
    Mount { kind: c"tmpfs", path: c"/tmp", flags: MS_NOSUID | MS_NODEV, options: c"mode=1777" },
];

const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

/// Mounts, links, and the host's name.
pub fn mount_all() {
    for entry in &MOUNTS {
        let _ = make_folder(entry.path);
        let _ = mount(entry.kind, entry.path, entry.flags, entry.options);
    }
    for (target, path) in LINKS {
        let _ = link(target, path);
    }
    name_host();
}

fn name_host() {
    let Ok(file) = open(c"/etc/hostname", O_RDONLY | O_CLOEXEC) else {
        return;
    };
    let mut buffer = [0_u8; 64];
    let length = read(file, &mut buffer).unwrap_or(0);
    close(file);
    let name = buffer.get(..length).unwrap_or(&[]).trim_ascii();
    if !name.is_empty() {
        set_host_name(name);
    }
}

/// Loads the packed modules, if any, in their order.
pub fn load_modules() {
    for index in 0.. {
        let mut path = Text::<64>::new();
        path.put(MODULES).number(index).put(b".ko");
        let Some(Ok(file)) = path.path().map(|path| open(path, O_RDONLY | O_CLOEXEC)) else {
            return;
        };
        if let Err(errno) = load_module(file) {
            let mut line = Text::<128>::new();
            line.put(b"init: module ").put(path.bytes()).put(b": error ").number(u64::from(errno.0));
            crate::say(line.bytes());
        }
        close(file);
    }
}
