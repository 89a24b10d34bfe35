//! Starting the other CPUs: INIT, start-up IPIs, and a page of real-mode code.
//!
//! The page is copied to RAM below 1 MiB. It climbs from real mode to long mode on the start-up tables, takes its stack and
//! argument from the words at its end, and goes on in the image. One CPU is started at a time, so one page serves all.
use crate::layout::IMAGE_BASE;
use alloc::boxed::Box;
use arch::features::{self, Feature};
use core::arch::{global_asm, naked_asm};
use core::sync::atomic::{AtomicBool, Ordering};
use memory::physical::to_virtual;
use memory::{KernelStack, PhysicalAddress};
use sync::Thread;
use sync::thread::Stack;
use trap::CpuTables;

global_asm!(
    ".section .rodata.secondary, \"a\"",
    ".balign 16",
    ".globl secondary_start",
    "secondary_start:",
    ".code16",
    "  cli",
    "  cld",
    "  mov ax, cs",
    "  mov ds, ax",
    "  xor ebx, ebx",
    "  mov bx, ax",
    "  shl ebx, 4",
    "  .byte 0x66, 0x0f, 0x01, 0x16", // lgdt from a 16-bit offset, 32-bit base
    "  .word secondary_segments_pointer - secondary_start",
    "  mov eax, cr0",
    "  or eax, 1",
    "  mov cr0, eax",
    "  .byte 0x66, 0xff, 0x2e", // far jump through a 16:32 pointer in memory
    "  .word secondary_far_32 - secondary_start",
    ".code32",
    "secondary_32:",
    "  mov ax, 0x10",
    "  mov ds, ax",
    "  mov ss, ax",
    "  mov eax, cr4",
    "  or eax, 0x20",
    "  mov cr4, eax",
    "  .byte 0x8b, 0x83", // mov eax, [ebx + …]
    "  .long secondary_tables - secondary_start",
    "  mov cr3, eax",
    "  mov ecx, 0xc0000080",
    "  rdmsr",
    "  .byte 0x0b, 0x83", // or eax, [ebx + …]
    "  .long secondary_efer - secondary_start",
    "  wrmsr",
    "  mov eax, cr0",
    "  or eax, 0x80010001",
    "  mov cr0, eax",
    "  .byte 0xff, 0xab", // far jump through a 16:32 pointer at EBX plus
    "  .long secondary_far_64 - secondary_start",
    ".code64",
    "secondary_64:",
    "  lea rcx, [rip + secondary_stack]",
    "  mov rdx, [rcx]",
    "  mov rdi, [rcx + 8]",
    "  mov rax, [rcx + 16]",
    "  mov rcx, [rcx + 24]",
    "  jmp rax",
    ".balign 8",
    "secondary_segments:",
    "  .quad 0",
    "  .quad 0x00cf9b000000ffff",
    "  .quad 0x00cf93000000ffff",
    "  .quad 0x00af9b000000ffff",
    "secondary_segments_pointer:",
    "  .word 31",
    ".globl secondary_segments_base",
    "secondary_segments_base: .long secondary_segments - secondary_start",
    ".globl secondary_far_32",
    "secondary_far_32: .long secondary_32 - secondary_start",
    "  .word 8",
    ".globl secondary_far_64",
    "secondary_far_64: .long secondary_64 - secondary_start",
    "  .word 24",
    ".balign 8",
    ".globl secondary_tables",
    "secondary_tables: .quad 0",
    ".globl secondary_efer",
    "secondary_efer: .quad 0x100",
    ".globl secondary_stack",
    "secondary_stack: .quad 0",
    ".globl secondary_argument",
    "secondary_argument: .quad 0",
    ".globl secondary_entry",
    "secondary_entry: .quad 0",
    ".globl secondary_final_tables",
    "secondary_final_tables: .quad 0",
    ".globl secondary_end",
    "secondary_end:",
    ".text",
);

unsafe extern "C" {
    static secondary_start: u8;
    static secondary_end: u8;
    static secondary_segments_base: u8;
    static secondary_far_32: u8;
    static secondary_far_64: u8;
    static secondary_tables: u8;
    static secondary_efer: u8;
    static secondary_stack: u8;
    static secondary_argument: u8;
    static secondary_entry: u8;
    static secondary_final_tables: u8;
    static boot_top: u8;
}

/// What a CPU that starts is given.
struct Start {
    tables: *mut CpuTables,
    thread: Thread,
    number: u32,
    apic_id: u32,
    main: fn() -> !,
    arrived: AtomicBool,
}

/// Brings up CPU `number` with local APIC `apic_id`, which then runs `main`. `page` is a free page below 1 MiB, the same each
/// time. `kick` sends INIT and the start-up IPIs for that page; `wait` waits a little and answers false when it has waited
/// long enough. False where the CPU did not come.
pub fn start_secondary(
    number: u32,
    apic_id: u32,
    page: u64,
    main: fn() -> !,
    kick: impl FnOnce(),
    mut wait: impl FnMut() -> bool,
) -> bool {
    let Some(stack) = KernelStack::new() else { return false };
    let Some(tables) = CpuTables::allocate() else { return false };
    let start = Box::leak(Box::new(Start {
        tables,
        thread: Thread::boot(),
        number,
        apic_id,
        main,
        arrived: AtomicBool::new(false),
    }));
    prepare_page(page, stack.top(), core::ptr::from_mut(start) as u64);
    core::mem::forget(stack);
    kick();
    while !start.arrived.load(Ordering::Acquire) {
        if !wait() {
            return false;
        }
    }
    true
}

fn prepare_page(page: u64, stack: usize, argument: u64) {
    let target = to_virtual(PhysicalAddress(page));
    let (begin, end) = (&raw const secondary_start, &raw const secondary_end);
    let offset = |symbol: *const u8| symbol as usize - begin as usize;
    let put_64 = |symbol: *const u8, value: u64| {
        // SAFETY: a word inside the page.
        unsafe { target.add(offset(symbol)).cast::<u64>().write_unaligned(value) };
    };
    let relocate = |symbol: *const u8| {
        // SAFETY: a word inside the page.
        unsafe {
            let word = target.add(offset(symbol)).cast::<u32>();
            word.write_unaligned(word.read_unaligned() + page as u32);
        }
    };
    // SAFETY: the page is ours alone, and the code is smaller than a page.
    unsafe { core::ptr::copy_nonoverlapping(begin, target, end as usize - begin as usize) };
    relocate(&raw const secondary_segments_base);
    relocate(&raw const secondary_far_32);
    relocate(&raw const secondary_far_64);
    put_64(&raw const secondary_tables, (&raw const boot_top as usize - IMAGE_BASE) as u64);
    put_64(&raw const secondary_efer, if features::has(Feature::NoExecute) { 0x900 } else { 0x100 });
    put_64(&raw const secondary_stack, stack as u64);
    put_64(&raw const secondary_argument, argument);
    put_64(&raw const secondary_entry, high as *const () as u64);
    put_64(&raw const secondary_final_tables, arch::instructions::read_cr3());
}

/// The first instructions in the image: the start-up tables map it, but neither the stack nor the argument. RCX holds the final
/// tables, RDX the stack, RDI the argument.
#[unsafe(naked)]
unsafe extern "sysv64" fn high() -> ! {
    naked_asm!("mov cr3, rcx", "mov rsp, rdx", "xor ebp, ebp", "call {entered}", "ud2", entered = sym entered)
}

extern "sysv64" fn entered(start: *mut Start) -> ! {
    // SAFETY: leaked for this CPU by `start_secondary`, which only looks at `arrived` from now on.
    let start = unsafe { &mut *start };
    // SAFETY: the kernel's tables map the image and this stack; interrupts are off; tables and numbers are this CPU's.
    unsafe {
        trap::initialise_cpu(start.tables, start.number, start.apic_id);
    }
    arch::cpu::set_current(&raw const start.thread as usize);
    let main = start.main;
    start.arrived.store(true, Ordering::Release);
    main()
}
