//! What a dequeued signal does.
use crate::disposition::{Action, ActionFlags, Handler};
use crate::number::{DefaultAction, Signal};
use crate::set::SignalSet;

/// A handler to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deliver {
    pub handler: u64,
    /// Where it returns to. None is an error on x86-64: the frame cannot be built.
    pub restorer: Option<u64>,
    pub flags: ActionFlags,
    /// The mask while it runs.
    pub mask: SignalSet,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run a handler; [`Dispositions::consume`](crate::Dispositions::consume) is due under the same lock.
    Deliver(Deliver),
    Terminate {
        core: bool,
    },
    /// Stop the process; with `unless_orphaned` only if its process group is not orphaned.
    Stop {
        unless_orphaned: bool,
    },
    /// SIGCONT by default: its work was done when it was sent. Go on with the next signal.
    Continue,
    /// Go on with the next signal.
    Ignore,
}

/// `mask` is the thread's mask now. `unkillable`: see [`Receiver`](crate::Receiver).
pub fn decide(signal: Signal, action: &Action, mask: SignalSet, unkillable: bool) -> Decision {
    let handler = match action.handler {
        Handler::Ignore => return Decision::Ignore,
        Handler::Default => return by_default(signal, unkillable),
        Handler::Function(handler) => handler,
    };
    let mut during = mask | action.mask;
    if !action.flags.contains(ActionFlags::NO_DEFER) {
        during.insert(signal);
    }
    Decision::Deliver(Deliver {
        handler,
        restorer: action.flags.contains(ActionFlags::RESTORER).then_some(action.restorer),
        flags: action.flags,
        mask: during,
    })
}

fn by_default(signal: Signal, unkillable: bool) -> Decision {
    let action = signal.default_action();
    // What an init did not ask for does not reach it; SIGKILL and SIGSTOP got here only by force.
    if unkillable && !signal.is_kernel_only() {
        return if action == DefaultAction::Continue { Decision::Continue } else { Decision::Ignore };
    }
    match action {
        DefaultAction::Terminate => Decision::Terminate { core: false },
        DefaultAction::Core => Decision::Terminate { core: true },
        DefaultAction::Ignore => Decision::Ignore,
        DefaultAction::Stop => Decision::Stop { unless_orphaned: signal != Signal::STOP },
        DefaultAction::Continue => Decision::Continue,
    }
}
