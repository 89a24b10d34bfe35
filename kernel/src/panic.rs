//! The end of everything, reported.
//!
//! A panic takes no lock, allocates nothing and writes by polled serial with a bounded wait for each byte. The first CPU to
//! panic stops the others by NMI and reports; a second panic, on whichever CPU, prints one line. Then the machine is reset or
//! halted, as `panic=` says.
use arch::instructions;
use core::fmt::Arguments;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use sync::Once;
use trap::KernelFrame;

static PANICKED: AtomicBool = AtomicBool::new(false);
/// Seconds until the reset; 0 waits for ever, below 0 resets at once.
static TIMEOUT: AtomicI32 = AtomicI32::new(0);

/// What the machine can do in a panic; none of it waits or takes a lock.
pub trait Emergency: Sync {
    /// Stops all other CPUs, wherever they are.
    fn stop_others(&self);
    /// Resets the machine.
    fn reset(&self);
}

static EMERGENCY: Once<&'static dyn Emergency> = Once::new();

/// Tells panics how to stop the machine.
pub fn set_emergency(emergency: &'static dyn Emergency) {
    let _ = EMERGENCY.set(emergency);
}

/// `panic=`.
pub fn set_timeout(seconds: i32) {
    TIMEOUT.store(seconds, Ordering::Relaxed);
}

pub fn timeout() -> i32 {
    TIMEOUT.load(Ordering::Relaxed)
}

pub fn is_panicking() -> bool {
    PANICKED.load(Ordering::Relaxed)
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    begin(format_args!("{}", information.message()));
    if let Some(place) = information.location() {
        klog::emergency(format_args!("at {place}"));
    }
    context();
    klog::emergency(format_args!("Call trace:"));
    trap::backtrace::walk(trap::backtrace::frame_pointer(), is_readable, address);
    end()
}

/// Kernel code faulted: registers, then the trace from where it stood.
pub fn fatal_trap(frame: &KernelFrame, fault_address: Option<usize>) -> ! {
    let name = trap::vector::name(frame.vector);
    match fault_address {
        Some(at) => begin(format_args!("{name} on address {at:#x}, error {:#x}", frame.error)),
        None => begin(format_args!("{name}, error {:#x}", frame.error)),
    }
    context();
    klog::emergency(format_args!(
        "RIP {:#x} RSP {:#x} RFLAGS {:#x} CS {:#x}",
        frame.rip, frame.rsp, frame.rflags, frame.cs
    ));
    klog::emergency(format_args!(
        "RAX {:016x} RBX {:016x} RCX {:016x} RDX {:016x}",
        frame.rax, frame.rbx, frame.rcx, frame.rdx
    ));
    klog::emergency(format_args!(
        "RSI {:016x} RDI {:016x} RBP {:016x} R8  {:016x}",
        frame.rsi, frame.rdi, frame.rbp, frame.r8
    ));
    klog::emergency(format_args!(
        "R9  {:016x} R10 {:016x} R11 {:016x} R12 {:016x}",
        frame.r9, frame.r10, frame.r11, frame.r12
    ));
    klog::emergency(format_args!("R13 {:016x} R14 {:016x} R15 {:016x}", frame.r13, frame.r14, frame.r15));
    klog::emergency(format_args!("Call trace:"));
    address(frame.rip as usize + 1);
    trap::backtrace::walk(frame.rbp as usize, is_readable, address);
    end()
}

fn begin(message: Arguments<'_>) {
    instructions::disable_interrupts();
    if PANICKED.swap(true, Ordering::SeqCst) {
        klog::emergency(format_args!("Kernel panic while panicking: {message}"));
        end();
    }
    if let Some(emergency) = EMERGENCY.get() {
        emergency.stop_others();
    }
    klog::emergency(format_args!("Kernel panic - not syncing: {message}"));
}

fn context() {
    let word = arch::cpu::preempt_word();
    let kind = match word {
        word if word & arch::cpu::NMI_MASK != 0 => "NMI",
        word if word & arch::cpu::HARDIRQ_MASK != 0 => "hard interrupt",
        word if word & arch::cpu::SOFTIRQ_MASK != 0 => "softirq",
        _ => "process",
    };
    klog::emergency(format_args!(
        "CPU {} in {kind} context, preempt word {word:#x}, {:?}",
        arch::cpu::id(),
        *sync::current()
    ));
}

fn address(at: usize) {
    // The address before the return address lies inside the call.
    match ksyms_format::lookup(boot::symbols(), at as u64 - 1) {
        Some((name, offset)) => klog::emergency(format_args!(" [<{at:#018x}>] {name}+{:#x}", offset + 1)),
        None if boot::is_text(at) => klog::emergency(format_args!(" [<{at:#018x}>]")),
        None => {}
    }
}

/// Stacks lie in the image, the direct map or the vmalloc range; only mapped pages of them.
fn is_readable(address: usize) -> bool {
    boot::is_image(address) || memory::is_kernel_data(address)
}

fn end() -> ! {
    if TIMEOUT.load(Ordering::Relaxed) != 0 {
        if let Some(emergency) = EMERGENCY.get() {
            emergency.reset();
        }
        trap::triple_fault();
    }
    klog::emergency(format_args!("---[ end Kernel panic ]---"));
    loop {
        instructions::disable_interrupts();
        instructions::halt();
    }
}
