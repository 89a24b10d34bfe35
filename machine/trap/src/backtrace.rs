//! Return addresses by frame pointers.
//!
//! A chain climbs its stack, and goes on on another one where a trap or an interrupt came in between; the entry code leaves a frame
//! whose return address is the interrupted instruction. Stacks lie anywhere, so a step down is a change of stack, and there are
//! few of those: a chain that is a ring ends.

/// The most frames that are shown.
pub const MOST: usize = 64;
/// Changes of stack among them: interrupt, NMI and thread.
const MOST_STACKS: usize = 4;

/// Calls `found` with each return address from the frame at `rbp` on, outwards. Takes only frames that lie in mapped kernel
/// memory by `is_readable`, so a ruined chain ends the walk instead of faulting again.
pub fn walk(mut rbp: usize, is_readable: impl Fn(usize) -> bool, mut found: impl FnMut(usize)) {
    let mut stacks = 1;
    for _ in 0..MOST {
        if rbp == 0 || !rbp.is_multiple_of(8) || !is_readable(rbp) || !is_readable(rbp.wrapping_add(15)) {
            return;
        }
        // SAFETY: just checked to be mapped, readable and aligned.
        let (next, address) =
            unsafe { ((rbp as *const usize).read_volatile(), ((rbp + 8) as *const usize).read_volatile()) };
        if address == 0 {
            return;
        }
        found(address);
        stacks += usize::from(next <= rbp);
        if stacks > MOST_STACKS {
            return;
        }
        rbp = next;
    }
}

/// The caller's frame pointer.
#[inline(always)]
pub fn frame_pointer() -> usize {
    let rbp: usize;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
    rbp
}
