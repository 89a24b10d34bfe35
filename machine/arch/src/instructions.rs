//! Single instructions. The safe ones cannot break memory safety by themselves; the others say what they need.
use core::arch::asm;

/// Masks interrupts on this CPU. Prefer the counted guards of `sync`.
#[inline(always)]
pub fn disable_interrupts() {
    // SAFETY: only delays interrupts. Not `nomem`: accesses must not move across.
    unsafe { asm!("cli", options(nostack)) };
}

/// Unmasks interrupts on this CPU.
#[inline(always)]
pub fn enable_interrupts() {
    // SAFETY: handlers are installed before interrupts are first enabled.
    unsafe { asm!("sti", options(nostack)) };
}

/// Unmasks interrupts and halts until one comes, without a gap between the two.
#[inline(always)]
pub fn enable_interrupts_and_halt() {
    // SAFETY: `sti` holds interrupts off for one more instruction, so a wake-up cannot be lost.
    unsafe { asm!("sti", "hlt", options(nostack)) };
}

/// Halts until an interrupt or NMI comes.
#[inline(always)]
pub fn halt() {
    // SAFETY: stops this CPU only.
    unsafe { asm!("hlt", options(nostack)) };
}

/// A hint inside spin loops.
#[inline(always)]
pub fn pause() {
    core::hint::spin_loop();
}

/// Flags as `pushfq` stores them.
#[inline(always)]
pub fn flags() -> u64 {
    let flags: u64;
    // SAFETY: reads flags through the stack.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags, options(preserves_flags)) };
    flags
}

/// Whether this CPU takes interrupts now.
#[inline(always)]
pub fn interrupts_enabled() -> bool {
    flags() & crate::registers::RFLAGS_IF != 0
}

/// Cycles since reset.
#[inline(always)]
pub fn read_tsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter; CR4.TSD is never set.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Cycles since reset, after all earlier loads.
#[inline(always)]
pub fn read_tsc_ordered() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: as `read_tsc`.
    unsafe { asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// # Safety
/// The MSR must exist (else #GP).
#[inline(always)]
pub unsafe fn read_msr(number: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller's.
    unsafe {
        asm!("rdmsr", in("ecx") number, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// # Safety
/// The MSR must exist, and the value must keep the kernel's invariants.
#[inline(always)]
pub unsafe fn write_msr(number: u32, value: u64) {
    // SAFETY: the caller's.
    unsafe {
        asm!("wrmsr", in("ecx") number, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack, preserves_flags))
    };
}

macro_rules! control_register {
    ($read:ident, $write:ident, $name:literal) => {
        #[inline(always)]
        pub fn $read() -> u64 {
            let value: u64;
            // SAFETY: reading a control register has no effect.
            unsafe { asm!(concat!("mov {}, ", $name), out(reg) value, options(nomem, nostack, preserves_flags)) };
            value
        }

        /// # Safety
        /// The value must keep the kernel's invariants: what it maps, and how.
        #[inline(always)]
        pub unsafe fn $write(value: u64) {
            // SAFETY: the caller's.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
        }
    };
}
control_register!(read_cr0, write_cr0, "cr0");
control_register!(read_cr2, write_cr2, "cr2");
control_register!(read_cr3, write_cr3, "cr3");
control_register!(read_cr4, write_cr4, "cr4");

/// Drops this CPU's translations of the page at `address`, global ones included.
#[inline(always)]
pub fn invalidate_page(address: usize) {
    // SAFETY: a flush only costs time.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

/// Drops this CPU's non-global translations.
#[inline(always)]
pub fn flush_tlb() {
    // SAFETY: writes back what was read.
    unsafe { write_cr3(read_cr3()) };
}

/// Random bits from the CPU, or `None` when its source is exhausted. Needs the feature `rdrand`.
pub fn read_random() -> Option<u64> {
    let (value, valid): (u64, u8);
    // SAFETY: writes a register and flags.
    unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) valid, options(nomem, nostack)) };
    (valid != 0).then_some(value)
}

/// Sets extended control register 0: which vector state `xsave` handles.
///
/// # Safety
/// CR4.OSXSAVE is set and the mask is one that CPUID leaf 0xD allows.
pub unsafe fn write_xcr0(mask: u64) {
    // SAFETY: the caller's.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") mask as u32, in("edx") (mask >> 32) as u32, options(nostack, preserves_flags))
    };
}
