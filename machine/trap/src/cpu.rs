//! A CPU's tables and control registers.
use crate::entry;
use crate::segments::{self, ENTRIES, KERNEL_CODE, KERNEL_DATA, TASK_STATE, TaskState};
use crate::vector;
use arch::features::{self, Feature};
use arch::instructions::{read_cr0, read_cr4, read_msr, write_cr0, write_cr4, write_msr};
use arch::registers::*;
use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use sync::Once;

/// Read by every stub: whether `clac` exists.
pub(crate) static SMAP: AtomicBool = AtomicBool::new(false);

/// Bytes of each exception stack and of the interrupt stack.
const EXCEPTION_STACK: usize = 8192;
const INTERRUPT_STACK: usize = 16384;
/// Stack number in the task-state segment by vector: NMI, debug, double fault, machine check.
const OWN_STACKS: [u64; 4] = [vector::NMI, vector::DEBUG, vector::DOUBLE_FAULT, vector::MACHINE_CHECK];

#[repr(C, align(16))]
struct Stack<const SIZE: usize>([u8; SIZE]);

/// Everything that one CPU's descriptor registers point to, stacks included. Lives for ever at one address.
#[repr(C, align(64))]
pub struct CpuTables {
    pub area: arch::cpu::Area,
    segments: [u64; ENTRIES],
    task_state: TaskState,
    exceptions: [Stack<EXCEPTION_STACK>; OWN_STACKS.len()],
    interrupts: Stack<INTERRUPT_STACK>,
}

impl CpuTables {
    pub const fn new() -> Self {
        Self {
            area: arch::cpu::Area::new(),
            segments: segments::TABLE,
            task_state: TaskState::new(),
            exceptions: [const { Stack([0; EXCEPTION_STACK]) }; OWN_STACKS.len()],
            interrupts: Stack([0; INTERRUPT_STACK]),
        }
    }
}

impl CpuTables {
    /// Tables for another CPU, in memory of their own for ever; they are too large to pass over a stack. `None` without memory.
    pub fn allocate() -> Option<*mut Self> {
        let layout = core::alloc::Layout::new::<Self>();
        // SAFETY: the size is not zero.
        let tables = unsafe { alloc::alloc::alloc_zeroed(layout) }.cast::<Self>();
        if tables.is_null() {
            return None;
        }
        // SAFETY: fresh memory; what is not written here may be zero.
        unsafe {
            (&raw mut (*tables).area).write(arch::cpu::Area::new());
            (&raw mut (*tables).segments).write(segments::TABLE);
            (&raw mut (*tables).task_state).write(TaskState::new());
        }
        Some(tables)
    }
}

/// Every CPU's tables, for looking at them from elsewhere. Null before the CPU has started.
static TABLES: [AtomicPtr<CpuTables>; arch::cpu_set::MAX_CPUS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; arch::cpu_set::MAX_CPUS];

/// How often a CPU was entered by exceptions, by vector, and by `int 0x80`.
#[derive(Clone, Copy, Debug)]
pub struct EntryCounts {
    pub exceptions: [u64; arch::cpu::EXCEPTIONS],
    pub compatible_calls: u64,
}

/// The counts of CPU `cpu`, each as it was at some time during the call; `None` where it has not started.
pub fn entry_counts(cpu: usize) -> Option<EntryCounts> {
    let tables = TABLES.get(cpu)?.load(Ordering::Acquire);
    if tables.is_null() {
        return None;
    }
    // SAFETY: a CPU's tables live for ever; the words are aligned and change in single instructions of their CPU.
    unsafe {
        let area = &raw const (*tables).area;
        let exceptions = &raw const (*area).exceptions;
        Some(EntryCounts {
            exceptions: core::array::from_fn(|vector| (exceptions as *const u64).add(vector).read_volatile()),
            compatible_calls: (&raw const (*area).compatible_calls).read_volatile(),
        })
    }
}

/// A stack that belongs to a CPU, not to a thread.
#[derive(Clone, Copy, Debug)]
pub struct CpuStack {
    pub name: &'static str,
    pub bottom: usize,
    pub end: usize,
    /// Bytes from its end to the lowest word that was ever written: a stack starts as zeros.
    pub deepest: usize,
}

/// The stacks of CPU `cpu`: interrupts', and those of exceptions that may come anywhere. `None` where it has not started.
pub fn cpu_stacks(cpu: usize) -> Option<[CpuStack; OWN_STACKS.len() + 1]> {
    let tables = TABLES.get(cpu)?.load(Ordering::Acquire);
    if tables.is_null() {
        return None;
    }
    // SAFETY: a CPU's tables live for ever; only addresses are taken.
    let (exceptions, interrupts) = unsafe { (&raw const (*tables).exceptions, &raw const (*tables).interrupts) };
    Some(core::array::from_fn(|index| match index.checked_sub(1) {
        None => look_at("interrupt", interrupts as usize, INTERRUPT_STACK),
        Some(own) => {
            look_at(vector::name(OWN_STACKS[own]), exceptions as usize + own * EXCEPTION_STACK, EXCEPTION_STACK)
        }
    }))
}

fn look_at(name: &'static str, bottom: usize, size: usize) -> CpuStack {
    let end = bottom + size;
    // SAFETY: called with stacks of `CpuTables`, which live for ever; words are read as they change.
    let untouched = |at: &usize| unsafe { (*at as *const u64).read_volatile() } == 0;
    let lowest = (bottom..end).step_by(8).find(|at| !untouched(at)).unwrap_or(end);
    CpuStack { name, bottom, end, deepest: end - lowest }
}

impl Default for CpuTables {
    fn default() -> Self {
        Self::new()
    }
}

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// An interrupt gate (Intel SDM vol. 3, 6.14.1).
fn gate(vector: usize) -> [u64; 2] {
    let address = &raw const entry::trap_stubs as u64 + vector as u64 * 16;
    let own_stack = OWN_STACKS.iter().position(|&own| own == vector as u64).map_or(0, |index| index as u64 + 1);
    let privilege = match vector as u64 {
        vector::BREAKPOINT | vector::OVERFLOW | vector::SYSCALL_32 => 3,
        _ => 0,
    };
    let flags = 0x8e | privilege << 5;
    [
        address & 0xffff
            | u64::from(KERNEL_CODE) << 16
            | own_stack << 32
            | flags << 40
            | (address >> 16 & 0xffff) << 48,
        address >> 32,
    ]
}

static GATES: Once<[[u64; 2]; 256]> = Once::new();

/// Makes this CPU the kernel's: control registers, segments, vectors, per-CPU area, both doors, vector units. The running
/// thread must be set by the caller before the first lock is taken.
///
/// # Safety
/// Once per CPU, interrupts off, with `tables` for this CPU alone, for ever; kernel mappings are in place.
pub unsafe fn initialise_cpu(tables: *mut CpuTables, id: u32, apic_id: u32) {
    // SAFETY: the caller's; every MSR and bit written is there on any x86-64 CPU or checked by CPUID.
    unsafe {
        control_registers();
        (*tables).segments[segments::CPU_NUMBER] = segments::limit_descriptor(id);
        if features::has(Feature::Rdtscp) || features::has(Feature::Rdpid) {
            write_msr(MSR_TSC_AUX, u64::from(id));
        }
        load_segments(tables);
        arch::cpu::install(&raw mut (*tables).area, id, apic_id);
        if let Some(place) = TABLES.get(id as usize) {
            place.store(tables, Ordering::Release);
        }
        (*tables).area.interrupt_stack = (&raw const (*tables).interrupts) as usize + INTERRUPT_STACK;
        (*tables).area.stack_slot = (&raw const (*tables).task_state.privilege_stacks) as usize;
        let _ = GATES.set(core::array::from_fn(gate));
        let pointer = TablePointer { limit: 256 * 16 - 1, base: GATES.get().map_or(0, |gates| gates.as_ptr() as u64) };
        asm!("lidt [{}]", in(reg) &raw const pointer, options(nostack, preserves_flags, readonly));
        system_call_doors();
        arch::user_state::initialise();
    }
}

unsafe fn control_registers() {
    let optional = [
        (Feature::FsGsBase, CR4_FSGSBASE),
        (Feature::Smep, CR4_SMEP),
        (Feature::Smap, CR4_SMAP),
        (Feature::Umip, CR4_UMIP),
        (Feature::Xsave, CR4_OSXSAVE),
    ];
    let wanted = optional.iter().filter(|(feature, _)| features::has(*feature)).fold(0, |bits, (_, bit)| bits | bit);
    // SAFETY: bits that this CPU has; kernel pages are supervisor pages, and user memory is touched by `transfer` only.
    unsafe {
        write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP) & !(CR0_EM | CR0_TS | CR0_AM));
        write_cr4(read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | wanted);
    }
    if features::has(Feature::Smap) {
        SMAP.store(true, Ordering::Relaxed);
        memory::transfer::use_smap();
    }
}

unsafe fn load_segments(tables: *mut CpuTables) {
    // SAFETY: the caller's `tables`; selectors name descriptors of the table just loaded.
    unsafe {
        let own_area = &raw const (*tables).area as u64;
        for index in 0..OWN_STACKS.len() {
            let top = &raw mut (*tables).exceptions[index] as u64 + EXCEPTION_STACK as u64 - 16;
            (top as *mut u64).write(own_area);
            (*tables).task_state.interrupt_stacks[index] = top;
        }
        let descriptor = segments::task_state_descriptor(&raw const (*tables).task_state as u64);
        (&raw mut (*tables).segments[TASK_STATE as usize / 8]).write(descriptor[0]);
        (&raw mut (*tables).segments[TASK_STATE as usize / 8 + 1]).write(descriptor[1]);
        let pointer = TablePointer { limit: (ENTRIES * 8 - 1) as u16, base: &raw const (*tables).segments as u64 };
        asm!(
            "lgdt [{pointer}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ds, {null:e}",
            "mov es, {null:e}",
            "mov fs, {null:e}",
            "mov gs, {null:e}",
            "mov ss, {data:e}",
            "ltr {task_state:x}",
            pointer = in(reg) &raw const pointer,
            code = const KERNEL_CODE,
            scratch = out(reg) _,
            null = in(reg) 0u32,
            data = in(reg) u32::from(KERNEL_DATA),
            task_state = in(reg) TASK_STATE,
        );
    }
}

unsafe fn system_call_doors() {
    let masked = RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL | RFLAGS_RF;
    // SYSRET takes CS from the base plus 16 and SS from the base plus 8; SYSCALL takes CS from the base and SS from it plus 8.
    let star = u64::from(segments::USER_CODE_32) << 48 | u64::from(KERNEL_CODE) << 32;
    // SAFETY: MSRs of every x86-64 CPU; the entry points are ours.
    unsafe {
        write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE | EFER_NXE);
        write_msr(MSR_STAR, star);
        write_msr(MSR_LSTAR, &raw const entry::syscall_entry as u64);
        write_msr(MSR_CSTAR, &raw const entry::syscall_entry_32 as u64);
        write_msr(MSR_SFMASK, masked);
        write_msr(MSR_KERNEL_GS_BASE, 0);
    }
}

/// Resets the machine the way that always works: an exception with no table to find its handler in.
pub fn triple_fault() -> ! {
    let pointer = TablePointer { limit: 0, base: 0 };
    // SAFETY: ends everything.
    unsafe {
        asm!("cli", "lidt [{}]", "int3", "2: hlt", "jmp 2b", in(reg) &raw const pointer, options(noreturn));
    }
}
