//! The kernel: start-up order and wiring.
#![cfg_attr(target_os = "none", no_std)]
#![cfg(target_os = "none")]
#![forbid(unsafe_code)]

extern crate alloc;

mod console;
mod panic;

use boot::Information;

/// Where the start-up code hands over, with memory and the first CPU in order.
pub fn main(information: Information) -> ! {
    klog::set_console(&console::write);
    klog::info!("Birgus {}", env!("CARGO_PKG_VERSION"));
    klog::info!("Command line: {}", core::str::from_utf8(information.command_line).unwrap_or("(not UTF-8)"));
    for region in &information.regions {
        klog::info!("memory {:#012x}-{:#012x} {:?}", region.range.start, region.range.end, region.kind);
    }
    klog::info!("{:?}", memory::statistics());
    klog::info!("cycles from entry {}", arch::instructions::read_tsc() - information.entry_tsc);
    panic!("nothing to run yet");
}
