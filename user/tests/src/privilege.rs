//! Instructions that only the kernel may execute: each earns the signal that it earns on Linux, and the kernel lives on.
use crate::child::{Fault, fault};
use std::arch::asm;

/// SI_KERNEL: the processor's general protection says neither why nor where.
const PROTECTED: Option<Fault> = Some(Fault { signal: libc::SIGSEGV, code: 0x80, address: 0 });

macro_rules! protected {
    ($($name:ident { $($instruction:tt)* })+) => {
        $(fn $name() {
            let earned = fault(|| unsafe { asm!($($instruction)*) });
            assert_eq!(earned, PROTECTED);
        })+
        crate::tests!($($name),+, popf_cannot_enable_io_or_disable_interrupts, tables_can_be_asked_for, time_stamp_is_readable);
    };
}

protected! {
    hlt { "hlt" }
    cli { "cli" }
    sti { "sti" }
    in_byte { "in al, dx", in("dx") 0x64u16, out("al") _ }
    out_byte { "out dx, al", in("dx") 0x64u16, in("al") 0xfeu8 }
    in_string { "insb", in("dx") 0x64u16, inout("rdi") 0usize => _ }
    out_string { "rep outsb", in("dx") 0x3f8u16, inout("rsi") 0usize => _, inout("rcx") 1usize => _ }
    read_cr0 { "mov rax, cr0", out("rax") _ }
    read_cr3 { "mov rax, cr3", out("rax") _ }
    write_cr0 { "mov cr0, rax", in("rax") 0usize }
    write_cr3 { "mov cr3, rax", in("rax") 0usize }
    write_cr4 { "mov cr4, rax", in("rax") 0usize }
    write_cr8 { "mov cr8, rax", in("rax") 0usize }
    read_dr7 { "mov rax, dr7", out("rax") _ }
    write_dr7 { "mov dr7, rax", in("rax") 0usize }
    rdmsr { "rdmsr", in("ecx") 0xc000_0080u32, out("eax") _, out("edx") _ }
    wrmsr { "wrmsr", in("ecx") 0xc000_0082u32, in("eax") 0, in("edx") 0 }
    rdpmc { "rdpmc", in("ecx") 0, out("eax") _, out("edx") _ }
    lgdt { "lgdt [{}]", in(reg) &[0u64; 2] }
    lidt { "lidt [{}]", in(reg) &[0u64; 2] }
    lldt { "lldt ax", in("ax") 0u16 }
    ltr { "ltr ax", in("ax") 0x40u16 }
    lmsw { "lmsw ax", in("ax") 0u16 }
    clts { "clts" }
    invd { "invd" }
    wbinvd { "wbinvd" }
    invlpg { "invlpg [{}]", in(reg) 0x1000usize }
    swapgs { "swapgs" }
    sysret { "sysretq", in("rcx") 0usize, in("r11") 0usize }
    interrupt_14 { "int 14" }
    interrupt_32 { "int 32" }
    interrupt_129 { "int 129" }
    interrupt_255 { "int 255" }
    jump_to_kernel_code_segment { "jmp fword ptr [{}]", in(reg) &[0u32, 0x10] }
    call_null_code_segment { "call fword ptr [{}]", in(reg) &[0u32, 0] }
    load_null_stack_segment { "mov ss, ax", in("ax") 0u16 }
    far_selector_out_of_range { "mov ds, ax", in("ax") 0xfff8u16 }
}

fn popf_cannot_enable_io_or_disable_interrupts() {
    let flags: u64;
    unsafe {
        asm!("pushfq", "and qword ptr [rsp], -513", "or qword ptr [rsp], 0x3000", "popfq", "pushfq", "pop {}", out(reg) flags)
    };
    assert_eq!(flags & 0x3200, 0x200, "interrupts stay on and the I/O level stays 0");
}

/// With UMIP the kernel answers in the processor's place; either way the program lives.
fn tables_can_be_asked_for() {
    let mut table = [0u8; 16];
    let word: u64;
    unsafe {
        asm!("sgdt [{}]", in(reg) table.as_mut_ptr());
        asm!("sidt [{}]", in(reg) table.as_mut_ptr());
        asm!("smsw {}", out(reg) word);
    }
    assert_eq!(word & 1, 1, "protected mode");
}

fn time_stamp_is_readable() {
    let first = unsafe { std::arch::x86_64::_rdtsc() };
    let second = unsafe { std::arch::x86_64::_rdtsc() };
    assert!(second >= first && first != 0);
}
