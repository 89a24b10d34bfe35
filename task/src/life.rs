//! The life of a user thread: user mode, and the kernel's answer to whatever ends each stay there.
use crate::task::Task;
use crate::{fault, signals};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::ControlFlow;
use sync::{Once, Thread};
use trap::{Event, UserContext};

/// The way by which a system call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `syscall`, with the native numbers.
    Native,
    /// `int 0x80`, with those of i386.
    Compatible,
}

/// Serves one system call.
pub type Dispatch = fn(&Task, &mut UserContext, Door);

static DISPATCH: Once<Dispatch> = Once::new();

/// Says who serves system calls. Once, before the first program.
pub fn set_dispatch(dispatch: Dispatch) {
    let _ = DISPATCH.set(dispatch);
}

/// The thread of `task`, which will begin with the registers in `initial`.
pub(crate) fn main(task: Arc<Task>, initial: Box<UserContext>) {
    main_with(task, initial, |task, _| task.begin());
}

/// The same, with something to do first in place of what a fork's child does.
pub(crate) fn main_with(task: Arc<Task>, initial: Box<UserContext>, first: impl FnOnce(&Task, &mut UserContext)) {
    let begin = *initial;
    drop(initial);
    Thread::scope_local(&*task.clone(), || {
        trap::run_user(&begin, |context| {
            first(&task, context);
            while turn(&task, context).is_continue() {}
        });
    });
    crate::exit::finish(task);
}

/// One stay in user mode and what follows; breaks off when the task is to end.
#[inline]
fn turn(task: &Task, context: &mut UserContext) -> ControlFlow<()> {
    match trap::enter_user(context) {
        Event::SystemCall => return serve(task, context, Door::Native),
        Event::SystemCall32 => return serve(task, context, Door::Compatible),
        Event::Work => {
            sync::ambient::reschedule_if_wanted();
            return signals::do_work(task, context);
        }
        Event::Interrupt => {}
        Event::PageFault { address, code } => fault::page_fault(task, context, address, code),
        Event::Exception { vector, error } => fault::exception(task, context, vector, error),
    }
    ControlFlow::Continue(())
}

#[inline(always)]
fn serve(task: &Task, context: &mut UserContext, door: Door) -> ControlFlow<()> {
    let Some(dispatch) = DISPATCH.get() else { return ControlFlow::Break(()) };
    dispatch(task, context, door);
    ControlFlow::Continue(())
}
