//! Traps that interrupted kernel code.
use crate::context::{FaultCode, KernelFrame};
use crate::hooks::hooks;
use crate::vector;
use arch::cpu;
use arch::instructions::{disable_interrupts, enable_interrupts, read_cr2};
use arch::registers::RFLAGS_IF;
use trace::points;

pub(crate) extern "sysv64" fn kernel_trap(frame: &mut KernelFrame) {
    let number = frame.vector;
    match number {
        vector::PAGE_FAULT => {
            cpu::count_page_fault();
            page_fault(frame);
        }
        number if number >= vector::FIRST_INTERRUPT => {
            interrupt(number as u8, false);
            preempt_kernel(frame);
        }
        _ => {
            cpu::count_exception(number);
            if !skip_to_fix_up(frame) {
                fatal(frame, None);
            }
        }
    }
}

/// NMI, double fault, machine check, a debug exception in kernel code: on a stack of their own, GS made right.
pub(crate) extern "sysv64" fn own_stack_trap(frame: &mut KernelFrame) {
    cpu::count_exception(frame.vector);
    match frame.vector {
        vector::NMI => {
            cpu::preempt_add(cpu::NMI_ONE);
            points::nmi_entry(frame.rip);
            if let Some(hooks) = hooks() {
                hooks.nmi(frame);
            }
            points::nmi_exit();
            cpu::preempt_subtract(cpu::NMI_ONE);
        }
        // A breakpoint of a debugger's that fired between user mode and the stack switch: nothing of the kernel's.
        vector::DEBUG => {}
        _ => fatal(frame, Some(read_cr2() as usize)),
    }
}

fn fatal(frame: &KernelFrame, address: Option<usize>) -> ! {
    match hooks() {
        Some(hooks) => hooks.fatal(frame, address),
        None => panic!(
            "{} at {:#x} ({address:x?}), error {:#x}, before the kernel was up",
            vector::name(frame.vector),
            frame.rip,
            frame.error
        ),
    }
}

fn skip_to_fix_up(frame: &mut KernelFrame) -> bool {
    let target = memory::transfer::fix_up(frame.rip as usize);
    if let Some(target) = target {
        frame.rip = target as u64;
    }
    target.is_some()
}

/// Only the user-copy routines may fault, on user addresses. Where the context may sleep the page is brought in; elsewhere the
/// copy ends short, and its caller tries again where it may sleep.
fn page_fault(frame: &mut KernelFrame) {
    let address = read_cr2() as usize;
    let code = FaultCode(frame.error);
    points::exception_kernel(frame.vector, frame.error, address as u64, frame.rip);
    let is_copy = memory::transfer::fix_up(frame.rip as usize).is_some() && address < memory::USER_END;
    if !is_copy {
        fatal(frame, Some(address));
    }
    let may_sleep = frame.rflags & RFLAGS_IF != 0 && cpu::preempt_word() & !cpu::NO_RESCHEDULE == 0;
    let resolved = may_sleep
        && hooks().is_some_and(|hooks| {
            enable_interrupts();
            let resolved = hooks.user_page(address, code.write());
            disable_interrupts();
            resolved
        });
    if !resolved {
        skip_to_fix_up(frame);
    }
}

/// Serves an interrupt on this CPU's interrupt stack (a nested one stays on it), then softirqs. Interrupts are off.
pub(crate) fn interrupt(number: u8, from_user: bool) {
    let argument = usize::from(number) | if from_user { FROM_USER } else { 0 };
    let nested = cpu::preempt_word() & cpu::HARDIRQ_MASK != 0;
    cpu::preempt_add(cpu::HARDIRQ_ONE);
    cpu::set_interrupt_depth(cpu::interrupt_depth() + 1);
    if nested {
        serve(argument);
    } else {
        // SAFETY: the interrupt stack is free: this is not a nested interrupt.
        unsafe { arch::stack_switch::call_on(cpu::interrupt_stack(), serve, argument) };
    }
    cpu::set_interrupt_depth(cpu::interrupt_depth() - 1);
    cpu::preempt_subtract(cpu::HARDIRQ_ONE);
    let busy = cpu::preempt_word() & (cpu::HARDIRQ_MASK | cpu::SOFTIRQ_MASK | cpu::NMI_MASK) != 0;
    if cpu::pending_softirqs() != 0 && !busy {
        sync::ambient::softirqs_serve();
    }
}

/// Beside the vector in the argument of [`serve`].
const FROM_USER: usize = 1 << 8;

extern "sysv64" fn serve(argument: usize) {
    let (number, from_user) = (argument as u8, argument & FROM_USER != 0);
    points::irq_entry(u64::from(number), u64::from(from_user));
    if let Some(hooks) = hooks() {
        hooks.interrupt(number, from_user);
    }
    points::irq_exit(u64::from(number));
}

/// On the way back to kernel code that nothing protects from preemption, a wanted reschedule happens now. Interrupts stay off until
/// the scheduler has noted that this thread is giving way: otherwise the next one would come to this place above this one.
fn preempt_kernel(frame: &KernelFrame) {
    if frame.rflags & RFLAGS_IF != 0 && cpu::preempt_word() == 0 && cpu::interrupt_depth() == 0 {
        sync::ambient::preempt_now();
        disable_interrupts();
    }
}
