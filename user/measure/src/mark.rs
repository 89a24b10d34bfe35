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
