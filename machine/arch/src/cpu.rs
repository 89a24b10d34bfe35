//! The per-CPU area, and the words in it that guards change with single instructions.
//!
//! GS points to the CPU's [`Area`] whenever kernel code runs. An access through GS is one instruction, so it is
//! atomic with respect to interrupts of the same CPU and needs no guard against migration.
//!
//! The **preempt word** counts why this CPU must not switch tasks: guards (bits 0–7), softirqs off or running (8–15),
//! hard interrupts (16–19), NMIs (20–23); [`crate::context`] reads it. Bit 31 is *clear* when a reschedule is wanted, so that the last guard to go
//! learns "zero depth and work to do" from the zero flag of its one decrement.
pub use crate::context::{HARDIRQ_MASK, NMI_MASK, SOFTIRQ_MASK, SOFTIRQ_OFF, SOFTIRQ_ONE};
use crate::registers::MSR_GS_BASE;
use core::arch::asm;
use core::mem::offset_of;

/// One guard that holds off preemption.
pub const PREEMPT_ONE: u32 = 1;
/// One hard interrupt being served.
pub const HARDIRQ_ONE: u32 = 1 << 16;
/// One NMI being served.
pub const NMI_ONE: u32 = 1 << 20;
pub const PREEMPT_MASK: u32 = 0xff;
/// Clear while a reschedule is wanted.
pub const NO_RESCHEDULE: u32 = 1 << 31;

/// What GS points to. Field offsets are known to the entry code.
#[repr(C, align(64))]
pub struct Area {
    /// Address of this area itself.
    self_address: usize,
    preempt: u32,
    interrupt_depth: u32,
    /// The running thread, as `sync` knows it.
    current: usize,
    /// Where the entry from user mode pushes the registers: the end of the running thread's user context.
    pub context_end: usize,
    /// Holds the user's stack pointer for the first instructions of a system call.
    pub user_stack: usize,
    /// Top of this CPU's interrupt stack.
    pub interrupt_stack: usize,
    /// Address of the task-state segment's RSP0, kept equal to `context_end`.
    pub stack_slot: usize,
    id: u32,
    apic_id: u32,
    /// Bit set of softirqs raised on this CPU and not yet served.
    pending_softirqs: u32,
    /// How often each exception came on this CPU. Written by this CPU alone, with single instructions.
    pub exceptions: [u64; EXCEPTIONS],
    /// How often `int 0x80` did.
    pub compatible_calls: u64,
}

/// Vectors that are exceptions: 0 to 31.
pub const EXCEPTIONS: usize = 32;

/// Offsets for the entry code.
pub const CONTEXT_END: usize = offset_of!(Area, context_end);
pub const USER_STACK: usize = offset_of!(Area, user_stack);
pub const INTERRUPT_STACK: usize = offset_of!(Area, interrupt_stack);
pub const PREEMPT: usize = offset_of!(Area, preempt);

impl Area {
    pub const fn new() -> Self {
        Self {
            self_address: 0,
            preempt: NO_RESCHEDULE,
            // A CPU starts with interrupts off, and turns them on itself when it is ready.
            interrupt_depth: 1,
            current: 0,
            context_end: 0,
            user_stack: 0,
            interrupt_stack: 0,
            stack_slot: 0,
            id: 0,
            apic_id: 0,
            pending_softirqs: 0,
            exceptions: [0; EXCEPTIONS],
            compatible_calls: 0,
        }
    }
}

impl Default for Area {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes `area` this CPU's own, by loading GS.
///
/// # Safety
/// `area` must live for ever and belong to no other CPU; interrupts are off and no guard is held.
pub unsafe fn install(area: *mut Area, id: u32, apic_id: u32) {
    // SAFETY: the caller gives an area of our own; the MSR exists on every x86-64 CPU.
    unsafe {
        (*area).self_address = area as usize;
        (*area).id = id;
        (*area).apic_id = apic_id;
        crate::instructions::write_msr(MSR_GS_BASE, area as u64);
    }
}

/// This CPU's area. The pointer goes stale when the thread migrates: hold off preemption around its use.
#[inline(always)]
pub fn area() -> *mut Area {
    let address: usize;
    // SAFETY: GS points to the area, whose first word is its address.
    unsafe { asm!("mov {}, gs:[0]", out(reg) address, options(nostack, preserves_flags, readonly)) };
    address as *mut Area
}

macro_rules! word {
    ($get:ident, $set:ident, $field:ident, $kind:ty, $register:literal, $what:literal) => {
        #[doc = concat!("Reads ", $what, ".")]
        #[inline(always)]
        pub fn $get() -> $kind {
            let value: $kind;
            // SAFETY: reads a word of this CPU's area.
            unsafe { asm!(concat!("mov {0", $register, "}, gs:[{1}]"), out(reg) value, const offset_of!(Area, $field), options(nostack, preserves_flags, readonly)) };
            value
        }

        #[doc = concat!("Writes ", $what, ".")]
        #[inline(always)]
        pub fn $set(value: $kind) {
            // SAFETY: writes a word of this CPU's area that Rust never holds a reference to.
            unsafe { asm!(concat!("mov gs:[{1}], {0", $register, "}"), in(reg) value, const offset_of!(Area, $field), options(nostack, preserves_flags)) };
        }
    };
}
word!(preempt_word, set_preempt_word, preempt, u32, ":e", "the preempt word");
word!(interrupt_depth, set_interrupt_depth, interrupt_depth, u32, ":e", "how many guards hold interrupts off");
word!(current, set_current, current, usize, "", "the address of the running thread");
word!(pending_softirqs, set_pending_softirqs, pending_softirqs, u32, ":e", "the softirqs raised on this CPU");
word!(context_end, set_context_end, context_end, usize, "", "where entries from user mode push registers");
word!(stack_slot, set_stack_slot, stack_slot, usize, "", "the address of this CPU's RSP0");
word!(interrupt_stack, set_interrupt_stack, interrupt_stack, usize, "", "the top of this CPU's interrupt stack");
word!(id_word, set_id_word, id, u32, ":e", "this CPU's number");
word!(apic_id, set_apic_id, apic_id, u32, ":e", "this CPU's local APIC identifier");

/// This CPU's number, counted from 0 in the order of start-up.
#[inline(always)]
pub fn id() -> usize {
    id_word() as usize
}

/// Adds `amount` to the preempt word.
#[inline(always)]
pub fn preempt_add(amount: u32) {
    // SAFETY: one instruction on this CPU's own word. Not `nomem`: accesses stay inside the section.
    unsafe { asm!("add dword ptr gs:[{1}], {0:e}", in(reg) amount, const PREEMPT, options(nostack)) };
}

/// Adds one guard to the preempt word.
#[inline(always)]
pub fn preempt_increment() {
    // SAFETY: as `preempt_add`.
    unsafe { asm!("inc dword ptr gs:[{0}]", const PREEMPT, options(nostack)) };
}

/// Takes one guard from the preempt word; true where nothing holds off a wanted reschedule any more.
#[inline(always)]
pub fn preempt_decrement() -> bool {
    // SAFETY: as `preempt_add`.
    unsafe { asm!("dec dword ptr gs:[{1}]", "jz {0}", label { return true }, const PREEMPT, options(nostack)) };
    false
}

/// Takes `amount` from the preempt word; true where nothing holds off a wanted reschedule any more.
#[inline(always)]
pub fn preempt_subtract(amount: u32) -> bool {
    // SAFETY: as `preempt_add`.
    unsafe {
        asm!("sub dword ptr gs:[{2}], {1:e}", "jz {0}", label { return true }, in(reg) amount, const PREEMPT, options(nostack))
    };
    false
}

/// Asks this CPU to reschedule at the next chance.
#[inline(always)]
pub fn want_reschedule() {
    // SAFETY: as `preempt_add`.
    unsafe { asm!("and dword ptr gs:[{0}], 0x7fffffff", const PREEMPT, options(nostack)) };
}

/// Takes the wish to reschedule back: the scheduler has run.
#[inline(always)]
pub fn clear_reschedule() {
    // SAFETY: as `preempt_add`.
    unsafe { asm!("or dword ptr gs:[{0}], 0x80000000", const PREEMPT, options(nostack)) };
}

/// Raises a softirq on this CPU.
#[inline(always)]
pub fn raise_softirq(number: u32) {
    // SAFETY: one instruction on this CPU's own word.
    unsafe {
        asm!("or dword ptr gs:[{1}], {0:e}", in(reg) 1u32 << number, const offset_of!(Area, pending_softirqs), options(nostack))
    };
}

/// Takes the softirqs raised on this CPU, and leaves none.
#[inline(always)]
pub fn take_softirqs() -> u32 {
    let mut pending = 0u32;
    // SAFETY: one instruction on this CPU's own word.
    unsafe {
        asm!("xchg dword ptr gs:[{1}], {0:e}", inout(reg) pending, const offset_of!(Area, pending_softirqs), options(nostack, preserves_flags))
    };
    pending
}

/// Counts an exception on this CPU.
#[inline(always)]
pub fn count_exception(vector: u64) {
    let index = vector as usize % EXCEPTIONS;
    // SAFETY: one instruction on a word of this CPU's own; the index is within the array.
    unsafe {
        asm!("inc qword ptr gs:[{1} + {0} * 8]", in(reg) index, const offset_of!(Area, exceptions), options(nostack))
    };
}

/// Counts a page fault: the same, in one instruction.
#[inline(always)]
pub fn count_page_fault() {
    // SAFETY: as `count_exception`.
    unsafe { asm!("inc qword ptr gs:[{0}]", const offset_of!(Area, exceptions) + 14 * 8, options(nostack)) };
}

/// Counts a system call by `int 0x80`.
#[inline(always)]
pub fn count_compatible_call() {
    // SAFETY: as `count_exception`.
    unsafe { asm!("inc qword ptr gs:[{0}]", const offset_of!(Area, compatible_calls), options(nostack)) };
}

/// Counts one more reason for interrupts to be off, and turns them off.
#[inline(always)]
pub fn interrupts_off() {
    // SAFETY: `cli` first, so that no interrupt comes between the two.
    unsafe { asm!("cli", "inc dword ptr gs:[{0}]", const offset_of!(Area, interrupt_depth), options(nostack)) };
}

/// Takes one reason back, and turns interrupts on with the last.
#[inline(always)]
pub fn interrupts_restore() {
    // SAFETY: the count pairs with `interrupts_off`; handlers stand before interrupts are first on.
    unsafe {
        asm!("dec dword ptr gs:[{0}]", "jnz 2f", "sti", "2:", const offset_of!(Area, interrupt_depth), options(nostack))
    };
}
