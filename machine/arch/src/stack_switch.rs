//! The switch from one kernel stack to another.
use core::arch::naked_asm;

/// Saves the callee-saved registers and the stack pointer of the running thread in `*saved`, and continues the
/// thread whose stack pointer is `next`. Returns when somebody switches back.
///
/// # Safety
/// `saved` is valid for writing; `next` was written by this function or made by [`prepare`], and is used once.
/// Interrupts are off.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn switch(saved: *mut usize, next: usize) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Where [`switch`] leaves the frame pointer and its return address, above the saved stack pointer: the first frame of a
/// backtrace of a thread that does not run.
pub const SAVED_FRAME: usize = 40;

/// Lays out a new stack so that the first switch to it calls `entry`, which must not return. Gives the stack
/// pointer for [`switch`].
///
/// # Safety
/// `top` is the 16-byte aligned end of writable memory that nothing else uses.
pub unsafe fn prepare(top: usize, entry: extern "sysv64" fn() -> !) -> usize {
    debug_assert!(top.is_multiple_of(16));
    let frame = [0, 0, 0, 0, entry as usize, 0, start as *const () as usize, 0];
    // r15 r14 r13 r12     rbx             rbp, then the return address; the last word ends the backtrace.
    let address = top - size_of_val(&frame);
    // SAFETY: the caller gives the memory.
    unsafe { (address as *mut [usize; 8]).write(frame) };
    address
}

#[unsafe(naked)]
unsafe extern "sysv64" fn start() {
    naked_asm!("xor ebp, ebp", "push 0", "push 0", "jmp rbx")
}

/// Calls `function(argument)` on another stack and comes back.
///
/// # Safety
/// `top` is the 16-byte aligned end of a stack that is not in use.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn call_on(top: usize, function: extern "sysv64" fn(usize), argument: usize) {
    naked_asm!("push rbp", "mov rbp, rsp", "mov rsp, rdi", "mov rdi, rdx", "call rsi", "mov rsp, rbp", "pop rbp", "ret",)
}
