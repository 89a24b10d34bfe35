//! The stay in user mode, seen from the kernel.
use crate::context::{CONTEXT_SIZE, Event, FaultCode, UserContext};
use crate::{entry, kernel_mode, vector};
use arch::cpu;
use arch::instructions::{disable_interrupts, enable_interrupts, read_cr2};
use sync::thread::work::TRACE;
use trace::points;

/// Runs the program whose registers are in `context` until something ends its stay. Interrupts that come meanwhile are
/// served before this returns. Comes back at once with [`Event::Work`] where there is something to do first.
#[inline]
pub fn enter_user(context: &mut UserContext) -> Event {
    debug_assert_eq!(core::ptr::from_ref(context) as usize + CONTEXT_SIZE, cpu::context_end());
    disable_interrupts();
    let work = sync::current().work();
    if work != 0 || cpu::preempt_word() != cpu::NO_RESCHEDULE {
        if work != TRACE || !traced_stay(context) {
            enable_interrupts();
            return Event::Work;
        }
    } else {
        // SAFETY: interrupts are off, and `run_user` gives only the context at the end of this thread's stack.
        unsafe { entry::enter_user_raw(context) };
    }
    match context.vector {
        vector::SYSCALL => {
            enable_interrupts();
            Event::SystemCall
        }
        other => rare(context, other),
    }
}

/// A stay with a point at each door; false where a reschedule comes first. Points cost those nothing who do not look: threads come
/// here by a bit of their work, which they have while somebody traces. Interrupts are off.
#[cold]
#[inline(never)]
fn traced_stay(context: &mut UserContext) -> bool {
    if cpu::preempt_word() != cpu::NO_RESCHEDULE {
        return false;
    }
    if !trace::is_tracing() {
        sync::current().remove_work(TRACE);
    }
    if context.in_system_call() {
        points::sys_exit(context.original_rax, context.rax as i64);
    }
    points::user_enter(context.rip);
    // SAFETY: as in `enter_user`.
    unsafe { entry::enter_user_raw(context) };
    match context.vector {
        vector::SYSCALL | vector::SYSCALL_32 => {
            let compatible = u64::from(context.vector == vector::SYSCALL_32);
            let [first, second, third] = match compatible {
                0 => [context.rdi, context.rsi, context.rdx],
                _ => [context.rbx, context.rcx, context.rdx],
            };
            points::sys_enter(context.rax, compatible, first, second, third);
        }
        exception if exception < vector::FIRST_INTERRUPT => {
            let address = if exception == vector::PAGE_FAULT { read_cr2() } else { 0 };
            points::exception_user(exception, context.original_rax, address, context.rip);
        }
        // The point stands where interrupts are served.
        _ => {}
    }
    true
}

fn rare(context: &UserContext, vector: u64) -> Event {
    match vector {
        vector::PAGE_FAULT => {
            cpu::count_page_fault();
            let address = read_cr2() as usize;
            enable_interrupts();
            Event::PageFault { address, code: FaultCode(context.original_rax) }
        }
        vector::SYSCALL_32 => {
            cpu::count_compatible_call();
            enable_interrupts();
            Event::SystemCall32
        }
        vector if vector >= vector::FIRST_INTERRUPT => {
            kernel_mode::interrupt(vector as u8, true);
            enable_interrupts();
            Event::Interrupt
        }
        vector => {
            cpu::count_exception(vector);
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
