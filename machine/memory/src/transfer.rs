//! The only instructions that touch user memory.
//!
//! Each routine opens the user half (SMAP's `stac`), runs string instructions, and closes it again. A fault that cannot be
//! resolved in one of them continues at its fix-up, which answers how many bytes are left. Trap code asks
//! [`fix_up`] for that address.
use core::arch::{global_asm, naked_asm};

// After a fault in the middle of eight bytes, single bytes find the exact end.
global_asm!(
    ".globl user_copy_begin",
    "user_copy_begin:",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 2f",
    "  stac",
    "2:",
    "  mov rcx, rdx",
    "  shr rcx, 3",
    "  and edx, 7",
    "user_copy_words:",
    "  rep movsq",
    "  mov ecx, edx",
    "user_copy_bytes:",
    "  rep movsb",
    "user_copy_done:",
    "  mov rax, rcx",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 3f",
    "  clac",
    "3:",
    "  ret",
    "user_copy_retry:",
    "  lea rcx, [rdx + rcx*8]",
    "  jmp user_copy_bytes",
    // Strings: eight bytes at a time while so many are allowed, and single ones from a fault or for the rest.
    "user_string_begin:",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 2f",
    "  stac",
    "2:",
    "  mov r8, 0x0101010101010101",
    "  mov r9, 0x8080808080808080",
    "  xor eax, eax",
    "3:",
    "  lea rcx, [rax + 8]",
    "  cmp rcx, rdx",
    "  ja user_string_bytes",
    "user_string_word:",
    "  mov rcx, [rsi + rax]",
    "  mov [rdi + rax], rcx",
    "  mov r10, rcx",
    "  sub r10, r8",
    "  not rcx",
    "  and r10, rcx",
    "  and r10, r9",
    "  jnz 4f",
    "  add rax, 8",
    "  jmp 3b",
    "4:",
    "  bsf r10, r10",
    "  shr r10, 3",
    "  add rax, r10",
    "  jmp user_string_done",
    "user_string_bytes:",
    "  cmp rax, rdx",
    "  jae user_string_done",
    "user_string_byte:",
    "  movzx ecx, byte ptr [rsi + rax]",
    "  mov [rdi + rax], cl",
    "  test cl, cl",
    "  jz user_string_done",
    "  inc rax",
    "  jmp user_string_bytes",
    "user_string_failed:",
    "  mov rax, -1",
    "user_string_done:",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 5f",
    "  clac",
    "5:",
    "  ret",
    "user_clear_begin:",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 2f",
    "  stac",
    "2:",
    "  mov rcx, rsi",
    "  shr rcx, 3",
    "  and esi, 7",
    "  xor eax, eax",
    "user_clear_words:",
    "  rep stosq",
    "  mov ecx, esi",
    "user_clear_bytes:",
    "  rep stosb",
    "  jmp user_copy_done",
    "user_clear_retry:",
    "  lea rcx, [rsi + rcx*8]",
    "  jmp user_clear_bytes",
    smap = sym SMAP,
);

/// Whether `stac` and `clac` exist; set before the first program runs.
pub(crate) static SMAP: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// Tells the routines that SMAP is on.
pub fn use_smap() {
    SMAP.store(true, core::sync::atomic::Ordering::Relaxed);
}

unsafe extern "C" {
    static user_copy_words: u8;
    static user_copy_bytes: u8;
    static user_copy_done: u8;
    static user_copy_retry: u8;
    static user_clear_words: u8;
    static user_clear_bytes: u8;
    static user_clear_retry: u8;
    static user_string_word: u8;
    static user_string_bytes: u8;
    static user_string_byte: u8;
    static user_string_failed: u8;
    static user_word_access: u8;
    static user_word_failed: u8;
}

/// Where to continue after an unresolved fault at `instruction`, if that is one of these routines.
pub fn fix_up(instruction: usize) -> Option<usize> {
    copy_fix_up(instruction).or_else(|| crate::user_vectors::fix_up(instruction))
}

fn copy_fix_up(instruction: usize) -> Option<usize> {
    let at = |symbol: *const u8| symbol as usize;
    [
        (&raw const user_copy_words, &raw const user_copy_retry),
        (&raw const user_copy_bytes, &raw const user_copy_done),
        (&raw const user_clear_words, &raw const user_clear_retry),
        (&raw const user_clear_bytes, &raw const user_copy_done),
        (&raw const user_string_word, &raw const user_string_bytes),
        (&raw const user_string_byte, &raw const user_string_failed),
        (&raw const user_word_access, &raw const user_word_failed),
    ]
    .into_iter()
    .find(|&(fault, _)| at(fault) == instruction)
    .map(|(_, target)| at(target))
}

/// Copies `length` bytes, one end of which may be user memory; answers how many were *not* copied.
///
/// # Safety
/// Each end is in the user half, or valid kernel memory of that length.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn copy(target: *mut u8, source: *const u8, length: usize) -> usize {
    naked_asm!("jmp user_copy_begin")
}

/// Copies a string from user memory, with its NUL, but no more than `limit` bytes of it; answers its length, `limit` where no NUL is
/// among so many bytes, and `usize::MAX` after a fault.
///
/// # Safety
/// `source` is in the user half for `limit` bytes; `target` is writable for as many.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn copy_string(target: *mut u8, source: *const u8, limit: usize) -> usize {
    naked_asm!("jmp user_string_begin")
}

/// Clears `length` bytes of user memory; answers how many were *not* cleared.
///
/// # Safety
/// The range is in the user half.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn clear(target: *mut u8, length: usize) -> usize {
    naked_asm!("jmp user_clear_begin")
}

/// `compare and exchange` of a 32-bit word in user memory: answers the word that was there, or `u64::MAX` after a fault.
///
/// # Safety
/// The aligned word is in the user half.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn compare_exchange(target: *mut u32, expected: u32, new: u32) -> u64 {
    naked_asm!(
        "  test byte ptr [rip + {smap}], 1",
        "  jz 2f",
        "  stac",
        "2:",
        "  mov eax, esi",
        ".globl user_word_access",
        "user_word_access:",
        "  lock cmpxchg [rdi], edx",
        "  mov eax, eax",
        "3:",
        "  test byte ptr [rip + {smap}], 1",
        "  jz 4f",
        "  clac",
        "4:",
        "  ret",
        ".globl user_word_failed",
        "user_word_failed:",
        "  mov rax, -1",
        "  jmp 3b",
        smap = sym SMAP,
    )
}
