//! The stay in user mode, seen from the kernel.
use crate::context::{CONTEXT_SIZE, Event, FaultCode, UserContext};
use crate::{entry, kernel_mode, vector};
use arch::cpu;
use arch::instructions::{disable_interrupts, enable_interrupts, read_cr2};

/// Runs the program whose registers are in `context` until something ends its stay. Interrupts that come meanwhile are
/// served before this returns. Comes back at once with [`Event::Work`] where there is something to do first.
#[inline]
pub fn enter_user(context: &mut UserContext) -> Event {
    debug_assert_eq!(core::ptr::from_ref(context) as usize + CONTEXT_SIZE, cpu::context_end());
    disable_interrupts();
    if sync::current().work() != 0 || cpu::preempt_word() != cpu::NO_RESCHEDULE {
        enable_interrupts();
        return Event::Work;
    }
    // SAFETY: interrupts are off, and `run_user` gives only the context at the end of this thread's stack.
    unsafe { entry::enter_user_raw(context) };
    match context.vector {
        vector::SYSCALL => {
            enable_interrupts();
            Event::SystemCall
        }
        other => rare(context, other),
    }
}

fn rare(context: &UserContext, vector: u64) -> Event {
    match vector {
        vector::PAGE_FAULT => {
            let address = read_cr2() as usize;
            enable_interrupts();
            Event::PageFault { address, code: FaultCode(context.original_rax) }
        }
        vector::SYSCALL_32 => {
            enable_interrupts();
            Event::SystemCall32
        }
        vector if vector >= vector::FIRST_INTERRUPT => {
            kernel_mode::interrupt(vector as u8, true);
            enable_interrupts();
            Event::Interrupt
        }
        vector => {
            enable_interrupts();
            Event::Exception { vector, error: context.original_rax }
        }
    }
}

/// Runs `life` with the running thread's own context, which starts as `initial`. Once in a thread's life.
///
/// # Panics
/// On a thread whose stack has no room for a context.
pub fn run_user<R>(initial: &UserContext, life: impl FnOnce(&mut UserContext) -> R) -> R {
    let end = cpu::context_end();
    assert!(end != 0, "a boot thread has no user mode");
    let context = (end - CONTEXT_SIZE) as *mut UserContext;
    // SAFETY: the top of this thread's stack was left free for the context when the thread was made; the address is the
    // thread's for as long as it lives, and `life` holds the only reference.
    unsafe {
        context.write(*initial);
        (*context).load_in_full();
        life(&mut *context)
    }
}
