//! Two instructions that do nothing, by which the host's side knows where what is measured begins and ends.

/// Begins a recording.
#[inline(always)]
pub fn begin() {
    // SAFETY: an instruction without effect: nop with an address that is not used, 0x42490001.
    unsafe { core::arch::asm!(".byte 0x0f, 0x1f, 0x84, 0x00", ".long 0x42490001", options(nostack, preserves_flags)) };
}

/// Ends it.
#[inline(always)]
pub fn end() {
    // SAFETY: as above, 0x42490002.
    unsafe { core::arch::asm!(".byte 0x0f, 0x1f, 0x84, 0x00", ".long 0x42490002", options(nostack, preserves_flags)) };
}

/// Nanoseconds within which work that was put off is done: grace periods, timers and threads of the kernel's.
const SETTLED: i64 = 2_000_000_000;

/// Stands still while the machine does what it put off, and then as long again, when it has only its housekeeping to do: the plugin that
/// counts instructions between the marks has a line for each. The difference is what the batches left behind.
pub fn settle() {
    for _ in 0..2 {
        let time = libc::timespec { tv_sec: SETTLED / 1_000_000_000, tv_nsec: SETTLED % 1_000_000_000 };
        begin();
        unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
        end();
    }
}
