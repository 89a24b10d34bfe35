//! As the first process of a machine: what start-up took, said on the console, and the end.

use crate::system::{c, check};
use std::io::Write;
use std::ptr::null;

/// Birgus's own account of its start-up.
const ACCOUNT: &str = "/sys/kernel/debug/birgus/boot";

/// The time-stamp counter. What the C library did before is a few thousand instructions.
pub fn counter() -> u64 {
    // SAFETY: every x86-64 processor has it, and neither kernel forbids it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Says it all, a line for each figure, and switches the machine off.
pub fn report(counter: u64) -> i32 {
    let mut memory: libc::sysinfo = unsafe { std::mem::zeroed() };
    // Before anything is mounted: that takes memory too.
    unsafe { libc::sysinfo(&mut memory) };
    for (kind, folder) in [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys")] {
        let _ = mount(kind, folder);
    }
    let mut text = format!("tsc: {counter} cycles\n");
    let free = memory.freeram as u64 * u64::from(memory.mem_unit) / 1024;
    text.push_str(&format!("free_KiB: {free} kB\n"));
    for file in [ACCOUNT, "/proc/meminfo"] {
        text.push_str(&std::fs::read_to_string(file).unwrap_or_default());
    }
    if let Ok(mut console) = std::fs::OpenOptions::new().write(true).open("/dev/console") {
        let lines: String = text.lines().map(|line| format!("bench-boot {line}\n")).collect();
        let _ = console.write_all(format!("\n{lines}bench-boot end\n").as_bytes());
        unsafe { libc::tcdrain(std::os::fd::AsRawFd::as_raw_fd(&console)) };
    }
    unsafe { libc::reboot(libc::RB_POWER_OFF) };
    // The first process must not end.
    loop {
        unsafe { libc::pause() };
    }
}

fn mount(kind: &str, folder: &str) -> Result<(), crate::Errno> {
    let (kind, folder) = (c(kind)?, c(folder)?);
    unsafe {
        libc::mkdir(folder.as_ptr(), 0o755);
        check(libc::mount(kind.as_ptr(), folder.as_ptr(), kind.as_ptr(), 0, null()))?;
    }
    Ok(())
}
