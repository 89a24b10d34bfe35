//! Vector numbers (Intel SDM vol. 3, 6.3.1).
pub const DIVIDE_ERROR: u64 = 0;
pub const DEBUG: u64 = 1;
pub const NMI: u64 = 2;
pub const BREAKPOINT: u64 = 3;
pub const OVERFLOW: u64 = 4;
pub const BOUND_RANGE: u64 = 5;
pub const INVALID_OPCODE: u64 = 6;
pub const DEVICE_NOT_AVAILABLE: u64 = 7;
pub const DOUBLE_FAULT: u64 = 8;
pub const INVALID_TSS: u64 = 10;
pub const SEGMENT_NOT_PRESENT: u64 = 11;
pub const STACK_FAULT: u64 = 12;
pub const GENERAL_PROTECTION: u64 = 13;
pub const PAGE_FAULT: u64 = 14;
pub const X87_ERROR: u64 = 16;
pub const ALIGNMENT_CHECK: u64 = 17;
pub const MACHINE_CHECK: u64 = 18;
pub const SIMD_ERROR: u64 = 19;
/// First vector of interrupts.
pub const FIRST_INTERRUPT: u64 = 32;
/// The 32-bit system call.
pub const SYSCALL_32: u64 = 0x80;
/// Not a vector: an entry by `syscall`.
pub const SYSCALL: u64 = 0x100;
/// Not a vector: the context was changed as a whole, or has never run.
pub const NONE: u64 = 0x101;

/// The exceptions' names, as panics show them.
pub fn name(vector: u64) -> &'static str {
    match vector {
        DIVIDE_ERROR => "divide error",
        DEBUG => "debug exception",
        NMI => "NMI",
        BREAKPOINT => "breakpoint",
        OVERFLOW => "overflow",
        BOUND_RANGE => "bound range exceeded",
        INVALID_OPCODE => "invalid opcode",
        DEVICE_NOT_AVAILABLE => "device not available",
        DOUBLE_FAULT => "double fault",
        INVALID_TSS => "invalid TSS",
        SEGMENT_NOT_PRESENT => "segment not present",
        STACK_FAULT => "stack fault",
        GENERAL_PROTECTION => "general protection fault",
        PAGE_FAULT => "page fault",
        X87_ERROR => "x87 error",
        ALIGNMENT_CHECK => "alignment check",
        MACHINE_CHECK => "machine check",
        SIMD_ERROR => "SIMD error",
        9 => "coprocessor segment overrun",
        20 => "virtualisation exception",
        21 => "control protection",
        28 => "hypervisor injection",
        29 => "VMM communication",
        30 => "security exception",
        _ => "unexpected exception",
    }
}
