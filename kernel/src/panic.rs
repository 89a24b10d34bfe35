//! The end of everything, reported.
//!
//! A panic takes no lock, allocates nothing and writes by polled serial with a bounded wait for each byte. The first CPU to
//! panic stops the others by NMI and reports; a second panic, on whichever CPU, prints one line. Then the machine is reset or
//! halted, as `panic=` says.
use crate::report;
use arch::instructions;
use core::fmt::Arguments;
use core::ops::Range;
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
    report::context(klog::emergency);
    report::trace_here(klog::emergency);
    end()
}

/// Kernel code faulted: registers, then the trace from where it stood.
pub fn fatal_trap(frame: &KernelFrame, fault_address: Option<usize>) -> ! {
    let name = trap::vector::name(frame.vector);
    match (fault_address, overflown_stack(frame, fault_address)) {
        (Some(at), Some(stack)) => {
            begin(format_args!(
                "kernel stack overflow: {at:#x} is below the stack {:#x}..{:#x}",
                stack.start, stack.end
            ));
        }
        (Some(at), None) => begin(format_args!("{name} on address {at:#x}, error {:#x}", frame.error)),
        (None, _) => begin(format_args!("{name}, error {:#x}", frame.error)),
    }
    report::context(klog::emergency);
    report::registers(klog::emergency, frame);
    report::trace_from(klog::emergency, frame);
    end()
}

/// The running thread's stack, where a double fault came from a push into the unmapped page below it.
fn overflown_stack(frame: &KernelFrame, fault_address: Option<usize>) -> Option<Range<usize>> {
    let top = sync::current().stack_top()?;
    let bottom = top - memory::KERNEL_STACK_SIZE;
    let guard = bottom - memory::PAGE_SIZE..bottom;
    (frame.vector == trap::vector::DOUBLE_FAULT && guard.contains(&fault_address?)).then_some(bottom..top)
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
