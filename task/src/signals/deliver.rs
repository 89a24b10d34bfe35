//! What a thread does about its signals before it returns to user mode.
use super::send::{Information, force, tell_stop};
use super::state::GroupSignals;
use crate::exit;
use crate::task::Task;
use crate::{Answer, Restart, tree};
use ::signal::{
    Decision, Deliver, FrameRequest, Interrupted, Outcome, Registers, SavedContext, Signal, SignalEntry, StopEvent,
    Ticket, VectorState, decide, dequeue,
};
use abi::raw::general::{__NR_restart_syscall, SIGKILL, SIGSEGV};
use abi::{Errno, PAGE_SIZE};
use core::ops::ControlFlow;
use core::sync::atomic::Ordering;
use memory::{UserPtr, UserSlice};
use sync::thread::work;
use sync::{Sleep, Thread};
use trap::UserContext;

/// Length of `syscall` and of `int 0x80`.
const CALL_LENGTH: u64 = 2;

/// Serves the thread's work bits; breaks off where the thread is to end.
pub fn do_work(task: &Task, context: &mut UserContext) -> ControlFlow<()> {
    let Some(thread) = task.thread() else { return ControlFlow::Break(()) };
    let bits = thread.work();
    if bits == 0 {
        return ControlFlow::Continue(());
    }
    if bits & work::SHORTAGE != 0 {
        crate::shortage::after_reserve(task);
    }
    thread.remove_work(work::SIGNAL | work::NOTIFY);
    crate::priority::apply(task);
    if bits & work::TICK != 0 {
        thread.remove_work(work::TICK);
        crate::limits::check_processor_time(task);
        crate::clock_timers::tick(&task.process);
    }
    loop {
        if task.signals.ending.load(Ordering::Acquire) {
            return ControlFlow::Break(());
        }
        match next(task) {
            Next::Nothing => break,
            Next::Handler(signal, information, deliver) => {
                run_handler(task, context, signal, &information, &deliver);
                return ControlFlow::Continue(());
            }
            Next::End { signal, core } => exit::exit_group(task, signal.number() | if core { 0x80 } else { 0 } & 0x7f),
            Next::Stop => stop(task),
            Next::Tell(event) => tell_stop(&task.process, event),
            Next::Again => {}
        }
    }
    finish_call(task, context, None);
    if thread.work() & work::RESTORE_MASK != 0 {
        thread.remove_work(work::RESTORE_MASK);
        if let Some(mask) = task.signals.take_saved_mask() {
            task.set_signal_mask(mask);
        }
    }
    ControlFlow::Continue(())
}

enum Next {
    Nothing,
    Handler(Signal, ::signal::Information, Deliver),
    End {
        signal: Signal,
        core: bool,
    },
    /// To stop, as another thread asked.
    Stop,
    /// What the parent is to hear.
    Tell(StopEvent),
    /// The signal came to nothing; there may be others.
    Again,
}

fn next(task: &Task) -> Next {
    let mut group = task.process.signals.lock();
    if let Some(event) = group.stop.take_event() {
        return Next::Tell(event);
    }
    if group.stops.get(&task.tid()).is_some_and(|thread| thread.is_asked()) {
        return Next::Stop;
    }
    let ticket = group.stop.ticket();
    let mask = task.signals.mask();
    let taken = dequeue(&mut task.signals.own.lock().pending, &mut group.pending, mask);
    let Some((signal, information, spent)) = taken else { return Next::Nothing };
    let action = *group.actions.lock().get(signal);
    let decision = decide(signal, &action, mask, group.unkillable);
    if let Decision::Deliver(_) = decision {
        group.actions.lock().consume(signal);
    }
    drop(group);
    drop(spent);
    let information = crate::clock_timers::taken(&task.process, information);
    match decision {
        Decision::Deliver(deliver) => Next::Handler(signal, information, deliver),
        // Core files are not written yet, so the status does not claim one.
        Decision::Terminate { core: _ } => Next::End { signal, core: false },
        Decision::Stop { unless_orphaned } => {
            if unless_orphaned && tree::lock().is_orphaned(task.process.group(), None) {
                return Next::Again;
            }
            begin_stop(task, signal, ticket);
            Next::Again
        }
        Decision::Continue | Decision::Ignore => Next::Again,
    }
}

/// Asks every thread of the process to stop, unless a SIGCONT came after the ticket.
fn begin_stop(task: &Task, signal: Signal, ticket: Ticket) {
    let tree = tree::lock();
    let mut group = task.process.signals.lock();
    let GroupSignals { stop, stops, .. } = &mut *group;
    if !stop.request(signal, ticket, stops.values_mut()) {
        return;
    }
    for thread in
        tree.threads(task.process.pid).filter(|other| other.tid() != task.tid()).filter_map(|other| other.thread())
    {
        thread.add_work(work::SIGNAL);
        scheduler::interrupt_sleep(thread);
    }
}

/// Stops this thread until SIGCONT or a fatal signal. The last thread to stop tells the parent.
fn stop(task: &Task) {
    let event = {
        let mut group = task.process.signals.lock();
        let GroupSignals { stop, stops, .. } = &mut *group;
        stops.get_mut(&task.tid()).and_then(|thread| stop.stop(thread))
    };
    if let Some(event) = event {
        tell_stop(&task.process, event);
    }
    let runs = || (!task.is_stopped()).then_some(());
    let _ = sync::park(Sleep::Stopped, None, runs);
    // There may be an event to tell, and signals that came meanwhile.
    if let Some(thread) = task.thread() {
        thread.add_work(work::SIGNAL);
    }
}

/// Settles what becomes of an interrupted system call; `handler` runs next, or none does.
fn finish_call(task: &Task, context: &mut UserContext, handler: Option<&Deliver>) {
    let Some(restart) = task.signals.interrupted.lock().take() else { return };
    let restart = match restart {
        Restart::Always => ::signal::Restart::Always,
        Restart::IfFlagged => ::signal::Restart::IfFlagged,
        Restart::WithoutHandler => ::signal::Restart::NoHandler,
        Restart::Block => ::signal::Restart::Block,
    };
    match Interrupted(restart).outcome(handler) {
        Outcome::Interrupted => {}
        Outcome::Again => {
            context.rax = context.original_rax;
            context.rip = context.rip.wrapping_sub(CALL_LENGTH);
        }
        Outcome::RestartSystemCall => {
            context.rax = u64::from(__NR_restart_syscall);
            context.rip = context.rip.wrapping_sub(CALL_LENGTH);
        }
    }
}

fn run_handler(
    task: &Task,
    context: &mut UserContext,
    signal: Signal,
    information: &::signal::Information,
    deliver: &Deliver,
) {
    finish_call(task, context, Some(deliver));
    let mask = task.signals.take_saved_mask().unwrap_or_else(|| task.signals.mask());
    if let Some(thread) = task.thread() {
        thread.remove_work(work::RESTORE_MASK);
    }
    let (stack, fault) = {
        let own = task.signals.own.lock();
        (own.alternate_stack, own.fault)
    };
    let registers = registers(context, fault);
    let frame = FrameRequest { signal, information, deliver, registers: &registers, mask, stack: &stack };
    let Ok(entry) = write_frame(&frame) else { return fail(task, signal) };
    task.signals.own.lock().alternate_stack.delivered();
    (context.rip, context.rsp) = (entry.rip, entry.rsp);
    (context.rdi, context.rsi, context.rdx, context.rax) = (entry.rdi, entry.rsi, entry.rdx, entry.rax);
    context.rflags = entry.eflags;
    (context.cs, context.ss) = (u64::from(trap::USER_CODE), u64::from(trap::USER_DATA));
    context.original_rax = u64::MAX;
    context.load_in_full();
    task.set_signal_mask(deliver.mask);
}

/// How often a frame is tried: it touches at most so many ranges, each of which may have to be brought in first.
const ATTEMPTS: usize = 4;

/// Writes a handler's frame out of the thread's vector state, which then is a handler's. Preemption is off meanwhile, so a page
/// that is not there ends an attempt; it is brought in before the next.
fn write_frame(frame: &FrameRequest<'_>) -> Result<SignalEntry, Errno> {
    let components = arch::user_state::component_mask();
    let mut missing = UserSlice::default();
    for _ in 0..ATTEMPTS {
        let attempt = Thread::with_user_state(|state| {
            state.hand_over(|image| {
                frame.write(VectorState { image, components }, |address, bytes| {
                    missing = UserSlice::new(address as usize, bytes.len());
                    missing.write(bytes)
                })
            })
        });
        match attempt {
            Some(Ok(entry)) => return Ok(entry),
            None => break,
            // Its bytes are below the stack pointer, or the alternate stack's: nothing is lost by clearing some.
            Some(Err(_)) => each_page(missing, |place| place.write(&0))?,
        }
    }
    Err(Errno::EFAULT)
}

/// Touches a byte in every page of a range.
fn each_page(range: UserSlice, touch: impl Fn(UserPtr<u8>) -> Result<(), Errno>) -> Result<(), Errno> {
    let last = range.address.wrapping_add(range.length.saturating_sub(1));
    let pages = last.wrapping_sub(range.address) / PAGE_SIZE + 1;
    (0..pages)
        .map(|page| range.address.wrapping_add(page * PAGE_SIZE))
        .chain([last])
        .try_for_each(|address| touch(UserPtr::new(address)))
}

/// A handler's frame cannot be built: SIGSEGV, fatal if that was the signal.
fn fail(task: &Task, signal: Signal) {
    if signal.number() == SIGSEGV {
        return exit::exit_group(task, SIGSEGV);
    }
    force(task, SIGSEGV, Information::kernel(), None);
    let _ = SIGKILL;
}

fn registers(context: &UserContext, fault: (usize, u64, u64)) -> Registers {
    let (address, error, trap) = fault;
    Registers {
        r8: context.r8,
        r9: context.r9,
        r10: context.r10,
        r11: context.r11,
        r12: context.r12,
        r13: context.r13,
        r14: context.r14,
        r15: context.r15,
        rdi: context.rdi,
        rsi: context.rsi,
        rbp: context.rbp,
        rbx: context.rbx,
        rdx: context.rdx,
        rax: context.rax,
        rcx: context.rcx,
        rsp: context.rsp,
        rip: context.rip,
        eflags: context.rflags,
        cs: context.cs as u16,
        ss: context.ss as u16,
        error,
        trap,
        cr2: address as u64,
    }
}

/// rt_sigreturn(2): the registers that the handler's frame holds. Whatever makes no sense ends in SIGSEGV.
pub fn sigreturn(task: &Task, context: &mut UserContext) -> Answer {
    let result = restore(task, context);
    if result.is_err() {
        force(task, SIGSEGV, Information::kernel(), None);
    }
    // The answer is whatever RAX was before the signal.
    Ok(context.rax as usize)
}

fn restore_vectors(address: u64) -> Result<(), Errno> {
    let read = |address: u64, bytes: &mut [u8]| UserSlice::new(address as usize, bytes.len()).read(bytes);
    let components = arch::user_state::component_mask();
    let mask = arch::user_state::mxcsr_mask();
    Thread::with_user_state(|state| {
        state.replace_with(|area| ::signal::restore_vector_state(address, area, components, mask, read))
    })
    .unwrap_or(Err(Errno::EFAULT))
}

fn restore(task: &Task, context: &mut UserContext) -> Result<(), Errno> {
    let read = |address: u64, bytes: &mut [u8]| UserSlice::new(address as usize, bytes.len()).read(bytes);
    let saved = SavedContext::read(context.rsp, read)?;
    if restore_vectors(saved.vector).is_err() {
        // A page may be missing that may be brought in only here.
        let range = UserSlice::new(saved.vector as usize, arch::user_state::area_size());
        each_page(range, |place| place.read().map(drop))?;
        restore_vectors(saved.vector)?;
    }
    let from = &saved.registers;
    (context.r8, context.r9, context.r10, context.r11) = (from.r8, from.r9, from.r10, from.r11);
    (context.r12, context.r13, context.r14, context.r15) = (from.r12, from.r13, from.r14, from.r15);
    (context.rdi, context.rsi, context.rbp, context.rbx) = (from.rdi, from.rsi, from.rbp, from.rbx);
    (context.rdx, context.rax, context.rcx, context.rsp) = (from.rdx, from.rax, from.rcx, from.rsp);
    (context.rip, context.rflags) = (from.rip, from.eflags);
    (context.cs, context.ss) = (u64::from(from.cs), u64::from(from.ss));
    if !saved.strict_stack_segment && from.ss != trap::USER_DATA {
        context.ss = u64::from(trap::USER_DATA);
    }
    context.original_rax = u64::MAX;
    context.load_in_full();
    let mut own = task.signals.own.lock();
    let _ = own.alternate_stack.set(from.rsp, &saved.stack);
    drop(own);
    task.set_signal_mask(saved.mask);
    Ok(())
}
