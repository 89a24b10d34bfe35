//! Vector state between the CPU and signal frames.
//!
//! **Model.** The kernel is soft-float, so while it works for a thread the CPU holds that thread's vector state. XSAVE writes it
//! straight to the program's stack, and XRSTOR loads it from there, without a copy in the kernel. A page that is not there
//! faults, is brought in, and the instruction begins again; the thread may sleep and move meanwhile, since a switch takes
//! the state along. What a program made up is checked by XRSTOR itself: its exception, and any fault that cannot be
//! resolved, continues at [`fix_up`]'s address, which answers EFAULT. The state may then be loaded in part, which is the
//! program's own affair until [`reset`].
use crate::user::in_user_half;
use abi::Errno;
use abi::signal::{VECTOR_END_MAGIC, VECTOR_HEAD_OFFSET, VectorStateHead};
use arch::features::{self, Feature};
use arch::user_state::{HEADER_OFFSET, LEGACY_SIZE, area_size, component_mask};
use core::arch::global_asm;

global_asm!(
    ".macro open_user_half",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 8f",
    "  stac",
    "8:",
    ".endm",
    // XSAVE leaves of the header what is not about its components as it was: XRSTOR wants zeros.
    "user_vectors_save:",
    "  open_user_half",
    "  xor eax, eax",
    "user_vectors_first:",
    "  mov [rdi + {header}], rax",
    "  mov [rdi + {header} + 8], rax",
    "  mov [rdi + {header} + 16], rax",
    "  mov [rdi + {header} + 24], rax",
    "  mov [rdi + {header} + 32], rax",
    "  mov [rdi + {header} + 40], rax",
    "  mov [rdi + {header} + 48], rax",
    "  mov [rdi + {header} + 56], rax",
    "  mov eax, edx",
    "  shr rdx, 32",
    "  xsave64 [rdi]",
    // x87 and SSE count as present, whether initial or not: debuggers and handlers look at them.
    "  or qword ptr [rdi + {header}], 3",
    "  mov dword ptr [rdi + rcx], {end}",
    "  jmp user_vectors_head",
    "user_vectors_save_legacy:",
    "  open_user_half",
    "user_vectors_legacy:",
    "  fxsave64 [rdi]",
    "user_vectors_head:",
    "  mov rax, [rsi]",
    "  mov [rdi + {head}], rax",
    "  mov rax, [rsi + 8]",
    "  mov [rdi + {head} + 8], rax",
    "  mov rax, [rsi + 16]",
    "  mov [rdi + {head} + 16], rax",
    "  mov rax, [rsi + 24]",
    "  mov [rdi + {head} + 24], rax",
    "  mov rax, [rsi + 32]",
    "  mov [rdi + {head} + 32], rax",
    "  mov rax, [rsi + 40]",
    "  mov [rdi + {head} + 40], rax",
    "  jmp user_vectors_done",
    "user_vectors_load:",
    "  open_user_half",
    "  mov eax, esi",
    "  mov rdx, rsi",
    "  shr rdx, 32",
    "user_vectors_load_extended:",
    "  xrstor64 [rdi]",
    "  jmp user_vectors_done",
    "user_vectors_load_legacy:",
    "  open_user_half",
    "user_vectors_last:",
    "  fxrstor64 [rdi]",
    "user_vectors_done:",
    "  xor eax, eax",
    "9:",
    "  test byte ptr [rip + {smap}], 1",
    "  jz 8f",
    "  clac",
    "8:",
    "  ret",
    "user_vectors_failed:",
    "  mov eax, 1",
    "  jmp 9b",
    smap = sym crate::transfer::SMAP,
    header = const HEADER_OFFSET,
    head = const VECTOR_HEAD_OFFSET,
    end = const VECTOR_END_MAGIC,
);

unsafe extern "C" {
    static user_vectors_first: u8;
    static user_vectors_done: u8;
    static user_vectors_failed: u8;
}

unsafe extern "sysv64" {
    /// XSAVE of `components` to `target`, with `head`, and the end's magic number after `size` bytes. All answer zero, or one
    /// after a fault.
    ///
    /// # Safety
    /// As much, with the magic number, is in the user half.
    fn user_vectors_save(target: usize, head: &VectorStateHead, components: u64, size: usize) -> u32;
    /// # Safety
    /// 512 bytes from `target` on are in the user half.
    fn user_vectors_save_legacy(target: usize, head: &VectorStateHead) -> u32;
    /// # Safety
    /// The image is in the user half.
    fn user_vectors_load(source: usize, components: u64) -> u32;
    /// # Safety
    /// 512 bytes from `source` on are in the user half.
    fn user_vectors_load_legacy(source: usize) -> u32;
}

/// Where to continue after an unresolved fault at `instruction`, if that is one of these routines.
pub(crate) fn fix_up(instruction: usize) -> Option<usize> {
    let at = |symbol: *const u8| symbol as usize;
    (at(&raw const user_vectors_first)..at(&raw const user_vectors_done))
        .contains(&instruction)
        .then(|| at(&raw const user_vectors_failed))
}

fn check(address: usize, length: usize) -> Result<(), Errno> {
    if in_user_half(address, length) { Ok(()) } else { Err(Errno::EFAULT) }
}

fn answer(failed: u32) -> Result<(), Errno> {
    if failed == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Writes the running thread's vector state to `address`, a multiple of 64, with `head` in the bytes that are left to
/// software, and the end's magic number behind an extended state. EFAULT. May sleep.
pub fn save(address: usize, head: &VectorStateHead) -> Result<(), Errno> {
    let size = area_size();
    check(address, size + size_of_val(&VECTOR_END_MAGIC))?;
    // SAFETY: just checked.
    answer(unsafe {
        if features::has(Feature::Xsave) {
            user_vectors_save(address, head, component_mask(), size)
        } else {
            user_vectors_save_legacy(address, head)
        }
    })
}

/// Loads `components` from the image of XSAVE at `address`; others become initial. EFAULT, also for what the CPU refuses. May sleep.
pub fn load(address: usize, components: u64) -> Result<(), Errno> {
    check(address, area_size())?;
    // SAFETY: just checked. A compacted image is no longer than one in standard form.
    answer(unsafe { user_vectors_load(address, components) })?;
    reset_parts(!components);
    Ok(())
}

/// Loads x87 and SSE state from the image of FXSAVE at `address`; other components become initial. EFAULT, also for what the
/// CPU refuses. May sleep.
pub fn load_legacy(address: usize) -> Result<(), Errno> {
    check(address, LEGACY_SIZE)?;
    // SAFETY: just checked.
    answer(unsafe { user_vectors_load_legacy(address) })?;
    reset_parts(!LEGACY_COMPONENTS);
    Ok(())
}

/// x87 and SSE.
const LEGACY_COMPONENTS: u64 = 0b11;

fn reset_parts(components: u64) {
    let components = components & component_mask();
    if components != 0 {
        arch::user_state::load_initial(components);
    }
}

/// Gives the running thread the vector state that a program starts with.
pub fn reset() {
    arch::user_state::load_initial(component_mask());
}
