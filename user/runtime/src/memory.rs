//! Memory: whole pages from the kernel, and the functions that the compiler calls.

use crate::call::{Errno, Result, call, number};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

const PROT_READ_WRITE: usize = 3;
const MAP_PRIVATE_ANONYMOUS: usize = 0x22;

/// Zeroed memory of its own, given back when dropped.
pub struct Pages {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    /// At least one byte, and at least `length` of them.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new(length: usize) -> Result<Self> {
        let length = length.max(1);
        // SAFETY: a new private mapping touches nothing that exists.
        let start = unsafe { call(number::MMAP, [0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0])? };
        let start = NonNull::new(start as *mut u8).ok_or(Errno::EFAULT)?;
        // INVARIANT: `start` is a mapping of `length` bytes that nothing else refers to.
        Ok(Self { start, length })
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the type's invariant.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the type's invariant; the borrow is exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the type's invariant; nothing can refer to the memory any more.
        let _ = unsafe { call(number::MUNMAP, [self.start.as_ptr() as usize, self.length, 0, 0, 0, 0]) };
    }
}

// The compiler emits calls of these, and no libc is linked. They are in assembly so that the compiler does not turn a loop
// into a call of itself. The direction flag is clear on entry (System V ABI).
core::arch::global_asm!(
    ".globl memcpy, memmove, memset, memcmp, bcmp, strlen",
    "strlen:",
    "xor eax, eax",
    "4: cmp byte ptr [rdi + rax], 0",
    "je 5f",
    "inc rax",
    "jmp 4b",
    "5: ret",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    "memmove:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "mov r8, rdi",
    "sub r8, rsi",
    "cmp r8, rdx",
    "jb 2f",
    "rep movsb",
    "ret",
    "2: lea rdi, [rdi + rdx - 1]",
    "lea rsi, [rsi + rdx - 1]",
    "std",
    "rep movsb",
    "cld",
    "ret",
    "memset:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    "memcmp:",
    "bcmp:",
    "xor eax, eax",
    "mov rcx, rdx",
    "test rcx, rcx",
    "jz 3f",
    "repe cmpsb",
    "je 3f",
    "movzx eax, byte ptr [rdi - 1]",
    "movzx ecx, byte ptr [rsi - 1]",
    "sub eax, ecx",
    "sub ecx, eax",
    "mov eax, ecx",
    "3: ret",
);
