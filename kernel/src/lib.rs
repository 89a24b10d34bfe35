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
    memory::set_kernel_space();
    scheduler::set_clock(time::Clock::starting(1_000_000_000, information.entry_tsc).unwrap());
    scheduler::start_cpus(1, &NoChip);
    memory::zones::start_stocks(1);
    memory::slab::start_magazines(1);
    scheduler::become_idle_thread();
    scheduler::register(&NoSoftirqs);
    arch::instructions::enable_interrupts();
    let queue = alloc::sync::Arc::new((sync::WaitQueue::new(), core::sync::atomic::AtomicU32::new(0)));
    for index in 0..3 {
        let queue = queue.clone();
        let _ = scheduler::spawn(move || {
            for turn in 0..3 {
                let _ = queue.0.wait_interruptible(|| queue.1.load(core::sync::atomic::Ordering::SeqCst) % 3 == index);
                klog::info!("thread {index} turn {turn} at {}", sync::now());
                queue.1.fetch_add(1, core::sync::atomic::Ordering::SeqCst);
                queue.0.wake_all();
            }
        });
    }
    scheduler::idle()
}

struct NoChip;
impl scheduler::Chip for NoChip {
    fn arm_timer(&self, _: u64) {}
    fn kick(&self, _: usize) {}
}
struct NoSoftirqs;
impl scheduler::Softirqs for NoSoftirqs {
    fn serve(&self) {}
}
