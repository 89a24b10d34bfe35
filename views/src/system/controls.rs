//! Files that do something.
use abi::Errno;
use alloc::sync::Arc;
use procfs::{Listing, Node, NodeContent, Output, Text};
use task::machine::{End, end};

/// /proc/sysrq-trigger (admin-guide/sysrq.rst): the commands that are there.
struct Trigger;

impl Text for Trigger {
    fn show(&self, _: &mut Output) -> Result<(), Errno> {
        Err(Errno::EIO)
    }

    fn write(&self, bytes: &[u8], _: u64) -> Result<usize, Errno> {
        match bytes.first() {
            Some(b'b') => end(End::Restart),
            Some(b'o') => end(End::PowerOff),
            Some(b'c') => panic!("sysrq triggered crash"),
            Some(digit @ b'0'..=b'9') => klog::set_console_level(digit - b'0'),
            _ => klog::info!("sysrq: HELP : loglevel(0-9) reboot(b) crash(c) poweroff(o)"),
        }
        Ok(bytes.len())
    }
}

pub(crate) fn register(proc: &Arc<Listing>) -> Result<(), Errno> {
    proc.add("sysrq-trigger", Node::new(NodeContent::Text(Arc::new(Trigger)), 0o200))
}
