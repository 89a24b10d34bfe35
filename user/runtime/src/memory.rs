//! Memory: whole pages from the kernel, and the functions that the compiler calls.

use crate::call::{Result, call, number};

const PROT_READ_WRITE: usize = 3;
const MAP_PRIVATE_ANONYMOUS: usize = 0x22;

/// `length` bytes of zeroed memory, for the life of the program.
///
/// # Errors
/// ENOMEM.
pub fn pages(length: usize) -> Result<&'static mut [u8]> {
    // SAFETY: a new private mapping, aliased by nothing and never unmapped.
    unsafe {
        let start = call(
            number::MMAP,
            [
                0,
                length,
                PROT_READ_WRITE,
                MAP_PRIVATE_ANONYMOUS,
                usize::MAX,
                0,
            ],
        )?;
        Ok(core::slice::from_raw_parts_mut(start as *mut u8, length))
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
