//! What a process wants done with each signal (`sigaction(2)`).
use crate::number::Signal;
use crate::set::SignalSet;
use abi::Errno;
use abi::raw::general as raw;
use abi::signal::Sigaction;

bitflags::bitflags! {
    /// The flags of `struct sigaction` that Linux 6.6 keeps; it drops others silently, so that programs can probe.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ActionFlags: u64 {
        const NO_CHILD_STOP = raw::SA_NOCLDSTOP as u64;
        const NO_CHILD_WAIT = raw::SA_NOCLDWAIT as u64;
        const INFORMATION = raw::SA_SIGINFO as u64;
        const EXPOSE_TAG_BITS = raw::SA_EXPOSE_TAGBITS as u64;
        const RESTORER = raw::SA_RESTORER as u64;
        const ON_STACK = raw::SA_ONSTACK as u64;
        const RESTART = raw::SA_RESTART as u64;
        const NO_DEFER = raw::SA_NODEFER as u64;
        const RESET_HANDLER = raw::SA_RESETHAND as u64;
    }
}

/// Whom a signal goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handler {
    #[default]
    Default,
    Ignore,
    /// A function of the program.
    Function(u64),
}

/// The action for one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    pub handler: Handler,
    pub flags: ActionFlags,
    /// Where the handler returns to, with `RESTORER`.
    pub restorer: u64,
    /// What is blocked while the handler runs, besides the signal itself.
    pub mask: SignalSet,
}

impl From<Sigaction> for Action {
    #[inline]
    fn from(action: Sigaction) -> Self {
        Self {
            handler: match action.handler {
                0 => Handler::Default,
                1 => Handler::Ignore,
                function => Handler::Function(function),
            },
            flags: ActionFlags::from_bits_truncate(action.flags),
            restorer: action.restorer,
            mask: SignalSet::mask_from_bits(action.mask),
        }
    }
}

impl From<Action> for Sigaction {
    fn from(action: Action) -> Self {
        Self {
            handler: match action.handler {
                Handler::Default => 0,
                Handler::Ignore => 1,
                Handler::Function(function) => function,
            },
            flags: action.flags.bits(),
            restorer: action.restorer,
            mask: action.mask.bits(),
        }
    }
}

impl Action {
    /// Whether the signal would come to nothing.
    #[inline]
    pub fn ignores(&self, signal: Signal) -> bool {
        match self.handler {
            Handler::Ignore => true,
            Handler::Default => signal.ignored_by_default(),
            Handler::Function(_) => false,
        }
    }
}

/// What becomes of a child that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildExit {
    /// Send SIGCHLD.
    pub notify: bool,
    /// No zombie: nobody will wait for it.
    pub reap: bool,
}

/// The actions of a process, shared by its threads.
#[derive(Clone, Debug)]
pub struct Dispositions {
    actions: [Action; Signal::LAST as usize],
}

impl Default for Dispositions {
    fn default() -> Self {
        Self { actions: [Action::default(); Signal::LAST as usize] }
    }
}

impl Dispositions {
    /// Every signal comes to nothing, those too that no program can ignore.
    pub fn all_ignored() -> Self {
        Self { actions: [Action { handler: Handler::Ignore, ..Action::default() }; Signal::LAST as usize] }
    }

    #[inline]
    pub fn get(&self, signal: Signal) -> &Action {
        // The index of a signal is below 64.
        &self.actions[signal.index()]
    }

    #[inline]
    fn get_mut(&mut self, signal: Signal) -> &mut Action {
        &mut self.actions[signal.index()]
    }

    /// Sets an action and puts the one before into `before`. EINVAL for SIGKILL and SIGSTOP. Where the signal is ignored from now
    /// on ([`Action::ignores`]), pending ones must be flushed everywhere, blocked or not.
    #[inline]
    pub fn exchange(&mut self, signal: Signal, action: &Action, before: Option<&mut Action>) -> Result<(), Errno> {
        if signal.is_kernel_only() {
            return Err(Errno::EINVAL);
        }
        let place = self.get_mut(signal);
        if let Some(before) = before {
            *before = *place;
        }
        *place = Action { mask: action.mask & !SignalSet::KERNEL_ONLY, ..*action };
        Ok(())
    }

    /// For exec, and `CLONE_CLEAR_SIGHAND`: handlers are gone, what was ignored stays ignored.
    pub fn reset(&mut self) {
        for action in &mut self.actions {
            let handler = if action.handler == Handler::Ignore { Handler::Ignore } else { Handler::Default };
            *action = Action { handler, ..Action::default() };
        }
    }

    /// The effect of `SA_RESETHAND` when a handler is about to run.
    pub fn consume(&mut self, signal: Signal) {
        let action = self.get_mut(signal);
        if action.flags.contains(ActionFlags::RESET_HANDLER) {
            action.handler = Handler::Default;
        }
    }

    /// Before a fault's signal is sent to the thread that caused it: it cannot be ignored or blocked, or the thread would fault
    /// for ever. With `fatal` a handler does not help either. True: even init dies of it now (`unkillable` ends).
    pub fn force(&mut self, signal: Signal, mask: &mut SignalSet, fatal: bool) -> bool {
        let action = self.get_mut(signal);
        if fatal || mask.contains(signal) || action.handler == Handler::Ignore {
            action.handler = Handler::Default;
            mask.remove(signal);
        }
        action.handler == Handler::Default
    }

    /// A child of this process ended, whose exit signal is SIGCHLD.
    pub fn child_exit(&self) -> ChildExit {
        let action = self.get(Signal::CHLD);
        let ignored = action.handler == Handler::Ignore;
        ChildExit { notify: !ignored, reap: ignored || action.flags.contains(ActionFlags::NO_CHILD_WAIT) }
    }

    /// Whether a child's stop or continuation sends SIGCHLD.
    pub fn child_stop_notifies(&self) -> bool {
        let action = self.get(Signal::CHLD);
        action.handler != Handler::Ignore && !action.flags.contains(ActionFlags::NO_CHILD_STOP)
    }

    /// Signals ignored and caught, for `/proc/PID/status`.
    pub fn ignored_and_caught(&self) -> (SignalSet, SignalSet) {
        let (mut ignored, mut caught) = (SignalSet::EMPTY, SignalSet::EMPTY);
        for signal in SignalSet::ALL.iter() {
            match self.get(signal).handler {
                Handler::Default => {}
                Handler::Ignore => ignored.insert(signal),
                Handler::Function(_) => caught.insert(signal),
            }
        }
        (ignored, caught)
    }
}
