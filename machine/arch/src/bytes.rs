//! Copying and filling memory: what the compiler calls `memcpy`, `memmove` and `memset`.
//!
//! The compiler's own library moves the odd bytes before and behind the words one by one with string instructions, which costs
//! most where the length is small; and nearly all lengths in a kernel are. Here up to 32 bytes go through registers, from
//! both ends so that the middle is covered twice, and longer ones by words with the last one put in place by itself. All words
//! are read before the first is written where both may overlap. The definitions replace the library's, which are weak.
//!
//! On the host the functions have other names, to be tested beside the standard library's.
use core::arch::naked_asm;

macro_rules! definitions {
    ($($(#[$comment:meta])* $export:literal fn $name:ident($($argument:ident: $kind:ty),*) { $($line:literal),* $(,)? })*) => {$(
        $(#[$comment])*
        #[unsafe(naked)]
        #[cfg_attr(target_os = "none", unsafe(export_name = $export))]
        pub unsafe extern "sysv64" fn $name($($argument: $kind),*) -> *mut u8 {
            naked_asm!($($line),*)
        }
    )*};
}

definitions! {
    /// Copies between places that do not overlap.
    ///
    /// # Safety
    /// `source` is readable and `target` writable for `length` bytes.
    "memcpy" fn copy(target: *mut u8, source: *const u8, length: usize) {
        "mov rax, rdi",
        "cmp rdx, 16",
        "ja 3f",
        "cmp edx, 8",
        "jae 2f",
        "cmp edx, 4",
        "jae 1f",
        "test edx, edx",
        "jz 9f",
        "mov r9d, edx",
        "shr r9d, 1",
        "movzx ecx, byte ptr [rsi]",
        "movzx r8d, byte ptr [rsi + r9]",
        "movzx esi, byte ptr [rsi + rdx - 1]",
        "mov [rdi], cl",
        "mov [rdi + r9], r8b",
        "mov [rdi + rdx - 1], sil",
        "9:",
        "ret",
        "1:",
        "mov ecx, [rsi]",
        "mov esi, [rsi + rdx - 4]",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], esi",
        "ret",
        "2:",
        "mov rcx, [rsi]",
        "mov rsi, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], rsi",
        "ret",
        "3:",
        "cmp rdx, 32",
        "ja 4f",
        "mov rcx, [rsi]",
        "mov r8, [rsi + 8]",
        "mov r9, [rsi + rdx - 16]",
        "mov rsi, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + 8], r8",
        "mov [rdi + rdx - 16], r9",
        "mov [rdi + rdx - 8], rsi",
        "ret",
        "4:",
        "mov r8, [rsi + rdx - 8]",
        "lea r9, [rdi + rdx - 8]",
        "mov rcx, rdx",
        "shr rcx, 3",
        "rep movsq",
        "mov [r9], r8",
        "ret",
    }

    /// Fills with a byte.
    ///
    /// # Safety
    /// `target` is writable for `length` bytes.
    "memset" fn fill(target: *mut u8, byte: i32, length: usize) {
        "mov rax, rdi",
        "movzx esi, sil",
        "movabs r8, 0x0101010101010101",
        "imul r8, rsi",
        "cmp rdx, 16",
        "ja 3f",
        "cmp edx, 8",
        "jae 2f",
        "cmp edx, 4",
        "jae 1f",
        "test edx, edx",
        "jz 9f",
        "mov [rdi], r8b",
        "mov [rdi + rdx - 1], r8b",
        "shr edx, 1",
        "mov [rdi + rdx], r8b",
        "9:",
        "ret",
        "1:",
        "mov [rdi], r8d",
        "mov [rdi + rdx - 4], r8d",
        "ret",
        "2:",
        "mov [rdi], r8",
        "mov [rdi + rdx - 8], r8",
        "ret",
        "3:",
        "mov [rdi + rdx - 8], r8",
        "mov [rdi + rdx - 16], r8",
        "cmp rdx, 32",
        "ja 4f",
        "mov [rdi], r8",
        "mov [rdi + 8], r8",
        "ret",
        "4:",
        "mov rcx, rdx",
        "shr rcx, 3",
        "mov r9, rax",
        "mov rax, r8",
        "rep stosq",
        "mov rax, r9",
        "ret",
    }
}

/// Copies between places that may overlap.
///
/// # Safety
/// `source` is readable and `target` writable for `length` bytes.
#[unsafe(naked)]
#[cfg_attr(target_os = "none", unsafe(export_name = "memmove"))]
pub unsafe extern "sysv64" fn shift(target: *mut u8, source: *const u8, length: usize) -> *mut u8 {
    naked_asm!(
        // What `copy` moves through registers it reads first; forwards it may also go where the target lies below.
        "mov rax, rdi",
        "sub rax, rsi",
        "cmp rax, rdx",
        "jae {copy}",
        "cmp rdx, 32",
        "jbe {copy}",
        "mov rax, rdi",
        "mov r8, [rsi]",
        "lea rsi, [rsi + rdx - 8]",
        "lea rdi, [rdi + rdx - 8]",
        "mov rcx, rdx",
        "shr rcx, 3",
        "std",
        "rep movsq",
        "cld",
        "mov [rax], r8",
        "ret",
        copy = sym copy,
    )
}

#[cfg(test)]
mod tests {
    use super::{copy, fill, shift};
    use alloc::vec::Vec;

    const LENGTHS: core::ops::Range<usize> = 0..140;

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index * 7 + 1) as u8).collect()
    }

    #[test]
    fn copies_of_any_length() {
        for length in LENGTHS {
            let (source, mut target) = (pattern(length + 9), [0xee; 160]);
            // SAFETY: both are long enough.
            let end = unsafe { copy(target[8..].as_mut_ptr(), source[3..].as_ptr(), length) };
            assert_eq!(end.cast_const(), target[8..].as_ptr());
            assert_eq!(target[8..8 + length], source[3..3 + length], "{length}");
            assert!(target[..8].iter().chain(&target[8 + length..]).all(|&byte| byte == 0xee), "{length}");
        }
    }

    #[test]
    fn overlapping_copies_go_both_ways() {
        for length in LENGTHS {
            for distance in [0, 1, 3, 7, 8, 9, 16, 31, 33, 100] {
                for up in [false, true] {
                    let (from, to) = if up { (0, distance) } else { (distance, 0) };
                    let (mut ours, mut model) = (pattern(300), pattern(300));
                    model.copy_within(from..from + length, to);
                    // SAFETY: 300 bytes hold the longest at the largest distance.
                    unsafe { shift(ours.as_mut_ptr().add(to), ours.as_ptr().add(from), length) };
                    assert_eq!(ours, model, "{length} {distance} {up}");
                }
            }
        }
    }

    #[test]
    fn fills_of_any_length() {
        for length in LENGTHS {
            let mut target = [0xee; 160];
            // SAFETY: long enough.
            unsafe { fill(target[8..].as_mut_ptr(), 0x15a, length) };
            assert!(target[8..8 + length].iter().all(|&byte| byte == 0x5a), "{length}");
            assert!(target[..8].iter().chain(&target[8 + length..]).all(|&byte| byte == 0xee), "{length}");
        }
    }
}
