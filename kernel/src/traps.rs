//! What the entry code asks of the kernel.
use crate::{contexts, interrupts, panic, provoke, report};
use trap::KernelFrame;

pub struct TrapHooks;

impl trap::Hooks for TrapHooks {
    fn interrupt(&self, vector: u8, from_user: bool) {
        interrupts::serve(vector, from_user);
    }

    fn user_page(&self, address: usize, write: bool) -> bool {
        task::fault::user_page(address, write)
    }

    fn nmi(&self, frame: &KernelFrame) {
        if panic::is_panicking() {
            loop {
                arch::instructions::halt();
            }
        }
        if report::answer(frame) {
            return;
        }
        if contexts::nmi() {
            return;
        }
        provoke::nmi();
        klog::emergency(format_args!("NMI on CPU {} at {:#x}", arch::cpu::id(), frame.rip));
    }

    fn fatal(&self, frame: &KernelFrame, address: Option<usize>) -> ! {
        panic::fatal_trap(frame, address)
    }
}
