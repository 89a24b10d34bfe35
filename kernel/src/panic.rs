//! The end of everything.
use core::panic::PanicInfo;

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    klog::emergency(format_args!("Kernel panic - not syncing: {}", information.message()));
    if let Some(place) = information.location() {
        klog::emergency(format_args!("at {place}"));
    }
    loop {
        arch::instructions::disable_interrupts();
        arch::instructions::halt();
    }
}
