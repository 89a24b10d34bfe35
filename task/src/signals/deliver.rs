//! What a thread does about its signals before it returns to user mode.
use super::send::{Information, force, hand_over, tell_stop};
use super::state::GroupSignals;
use crate::exit;
use crate::task::Task;
use crate::{Answer, Restart, tree};
use ::signal::{
    AlternateStack, Decision, Deliver, FrameRequest, Interrupted, LastFault, Outcome, SavedVectors, Signal, SignalSet,
    StopEvent, Ticket, VectorLayout, decide, dequeue, enter_handler, restore_registers, saved_mask,
};
use abi::Errno;
use abi::raw::general::{__NR_restart_syscall, SIGSEGV};
use abi::signal::UserContextFrame;
use core::ops::ControlFlow;
use core::sync::atomic::Ordering;
use memory::{UserPtr, user_vectors};
use sync::Sleep;
use sync::thread::work;
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
            Next::Handler(delivery) => {
                run_handler(task, context, &delivery);
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
    Handler(Delivery),
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

/// A handler that is about to run. The thread has the handler's mask already.
struct Delivery {
    signal: Signal,
    information: ::signal::Information,
    deliver: Deliver,
    /// The thread's mask until now.
    mask: SignalSet,
    /// The one that a call like sigsuspend(2) put aside.
    saved_mask: Option<SignalSet>,
    stack: AlternateStack,
    fault: LastFault,
    /// Other signals can be delivered at once.
    pending: bool,
}

fn next(task: &Task) -> Next {
    let mut group = task.process.signals.lock();
    if let Some(event) = group.stop.take_event() {
        return Next::Tell(event);
    }
    if group.stop.concerns_threads() && group.stops.get(&task.tid()).is_some_and(|thread| thread.is_asked()) {
        return Next::Stop;
    }
    let ticket = group.stop.ticket();
    let mask = task.signals.mask();
    let mut own = task.signals.own.lock();
    let taken = dequeue(&mut own.pending, &mut group.pending, mask);
    let Some((signal, mut information, spent)) = taken else { return Next::Nothing };
    let unkillable = group.unkillable;
    let decision = group.with_actions(|actions| {
        let decision = decide(signal, actions.get(signal), mask, unkillable);
        if let Decision::Deliver(_) = decision {
            actions.consume(signal);
        }
        decision
    });
    match decision {
        Decision::Deliver(deliver) => {
            task.signals.store_mask(deliver.mask);
            let pending = own.pending.deliverable(deliver.mask) || group.pending.deliverable(deliver.mask);
            let given_up = group.pending.set() & deliver.mask & !mask;
            let (stack, fault) = (own.alternate_stack, own.fault);
            drop((own, group));
            drop(spent);
            if !given_up.is_empty() {
                hand_over(task, given_up);
            }
            crate::clock_timers::taken(&task.process, &mut information);
            let saved_mask = task.signals.saved_mask();
            Next::Handler(Delivery { signal, information, deliver, mask, saved_mask, stack, fault, pending })
        }
        other => {
            drop((own, group));
            drop(spent);
            crate::clock_timers::taken(&task.process, &mut information);
            without_handler(task, other, signal, ticket)
        }
    }
}

/// What a signal does for which no handler runs.
fn without_handler(task: &Task, decision: Decision, signal: Signal, ticket: Ticket) -> Next {
    match decision {
        // Core files are not written yet, so the status does not claim one.
        Decision::Terminate { core: _ } => Next::End { signal, core: false },
        Decision::Stop { unless_orphaned } => {
            if unless_orphaned && tree::lock().is_orphaned(task.process.group(), None) {
                return Next::Again;
            }
            begin_stop(task, signal, ticket);
            Next::Again
        }
        Decision::Deliver(_) | Decision::Continue | Decision::Ignore => Next::Again,
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
    let Some(restart) = task.signals.take_interrupted() else { return };
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

fn run_handler(task: &Task, context: &mut UserContext, delivery: &Delivery) {
    finish_call(task, context, Some(&delivery.deliver));
    if write_frame(context, delivery).is_err() {
        return fail(task, delivery);
    }
    // What else is pending is looked at before the handler begins.
    if delivery.pending {
        task.update_work(true);
    }
    if delivery.saved_mask.is_some() {
        task.signals.take_saved_mask();
        if let Some(thread) = task.thread() {
            thread.remove_work(work::RESTORE_MASK);
        }
    }
    if delivery.stack.disarms() {
        task.signals.own.lock().alternate_stack.delivered();
    }
}

/// What vector state signal frames hold on this machine.
pub(crate) fn vector_layout() -> VectorLayout {
    VectorLayout { size: arch::user_state::area_size(), components: arch::user_state::component_mask() }
}

/// Writes a handler's frame and lets it begin. EFAULT: nothing has changed.
fn write_frame(context: &mut UserContext, delivery: &Delivery) -> Result<(), Errno> {
    let frame = FrameRequest {
        signal: delivery.signal,
        information: &delivery.information,
        deliver: &delivery.deliver,
        registers: context,
        fault: delivery.fault,
        mask: delivery.saved_mask.unwrap_or(delivery.mask),
        stack: &delivery.stack,
        vector: vector_layout(),
    };
    let place = frame.place()?;
    user_vectors::save(place.vector as usize, &frame.vector.head())?;
    UserPtr::new(place.address as usize).write(&frame.frame(&place))?;
    if let Some(information) = frame.information() {
        UserPtr::new(place.information() as usize).write(&information)?;
    }
    user_vectors::reset();
    enter_handler(context, delivery.signal, &delivery.deliver, &place);
    (context.cs, context.ss) = (u64::from(trap::USER_CODE), u64::from(trap::USER_DATA));
    context.original_rax = u64::MAX;
    context.load_in_full();
    Ok(())
}

/// A handler's frame cannot be built: SIGSEGV, fatal if that was the signal.
fn fail(task: &Task, delivery: &Delivery) {
    if delivery.signal == Signal::SEGV {
        return exit::exit_group(task, SIGSEGV);
    }
    task.set_signal_mask(delivery.mask);
    force(task, SIGSEGV, Information::kernel(), None);
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
    let head = |at| UserPtr::new(at as usize).read();
    let end = |at| UserPtr::new(at as usize).read();
    let loaded = match vector_layout().find(address, head, end)? {
        SavedVectors::None => {
            user_vectors::reset();
            Ok(())
        }
        SavedVectors::Legacy => user_vectors::load_legacy(address as usize),
        SavedVectors::Extended { components } => user_vectors::load(address as usize, components),
    };
    if loaded.is_err() {
        // A part of it may have been loaded.
        user_vectors::reset();
    }
    loaded
}

fn restore(task: &Task, context: &mut UserContext) -> Result<(), Errno> {
    let place = UserPtr::<UserContextFrame>::new(context.rsp as usize);
    place.read_with(|frame| restore_from(task, context, frame))?
}

fn restore_from(task: &Task, context: &mut UserContext, frame: &UserContextFrame) -> Result<(), Errno> {
    let mask = saved_mask(frame);
    if let Err(errno) = restore_vectors(frame.context.vector_state) {
        task.set_signal_mask(mask);
        return Err(errno);
    }
    restore_registers(frame, context);
    context.load_in_full();
    task.end_handler(&frame.stack, frame.context.rsp, mask);
    Ok(())
}
