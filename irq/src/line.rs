//! One line: its source, its handlers, and the watch for storms.
use crate::Chip;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sync::{InterruptsOff, Rank, SpinLock};

/// Interrupts in one look at a line, and how many of them may be nobody's (as on Linux).
pub(crate) const WINDOW: u32 = 100_000;
pub(crate) const TOO_MANY: u32 = 99_900;

/// A handler's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    Mine,
    NotMine,
}

/// Serves a device's interrupts. Hard-interrupt context: no sleeping, and no request or free of interrupts.
pub trait Handler: Send + Sync {
    fn handle(&self) -> Handled;
    /// The device's name, as /proc/interrupts shows it.
    fn name(&self) -> &str;
}

/// Where a line's interrupts come from.
#[derive(Clone)]
pub struct Source {
    pub chip: Arc<dyn Chip>,
    /// The chip's number for it: a GSI, an index of a message table.
    pub input: u32,
    /// The line's number in /proc/interrupts, or `None` for the lowest free one beyond the chips' fixed numbers.
    pub number: Option<u32>,
    /// Whether other devices may use the line too.
    pub shared: bool,
}

pub(crate) struct Action {
    pub id: u64,
    pub handler: Arc<dyn Handler>,
}

/// A line in use.
pub(crate) struct Active {
    pub source: Source,
    pub number: u32,
    pub cpu: usize,
    pub actions: Vec<Action>,
    seen: u32,
    unhandled: u32,
    /// Masked for good: a storm.
    pub shut: bool,
}

impl Active {
    pub fn new(source: Source, number: u32, actions: Vec<Action>) -> Self {
        Self { source, number, cpu: 0, actions, seen: 0, unhandled: 0, shut: false }
    }

    /// Calls every handler; true where none of them knew the interrupt.
    fn handle(&self) -> bool {
        self.actions.iter().fold(true, |nobody, action| nobody & (action.handler.handle() == Handled::NotMine))
    }

    /// Counts an interrupt; true where the line has become a storm.
    fn watch(&mut self, unhandled: bool) -> bool {
        self.seen += 1;
        self.unhandled += u32::from(unhandled);
        if self.seen < WINDOW {
            return false;
        }
        let storm = self.unhandled > TOO_MANY;
        (self.seen, self.unhandled) = (0, 0);
        storm
    }
}

/// What an interrupt on a line came to.
pub(crate) enum Outcome {
    Handled,
    Unhandled,
    Shut(u32),
    Vacant,
}

/// The place of a line: one per vector, for ever.
pub(crate) struct Line(pub SpinLock<Option<Active>, InterruptsOff>);

impl Line {
    pub const fn new() -> Self {
        Self(SpinLock::new(Rank::InterruptLine, None))
    }

    /// Serves one interrupt.
    #[inline]
    pub fn serve(&self) -> Outcome {
        let mut guard = self.0.lock();
        let Some(active) = &mut *guard else { return Outcome::Vacant };
        let unhandled = active.handle();
        let storm = active.watch(unhandled);
        if storm {
            active.shut = true;
            active.source.chip.mask(active.source.input);
        }
        active.source.chip.acknowledge(active.source.input);
        match (storm, unhandled) {
            (true, _) => Outcome::Shut(active.number),
            (false, true) => Outcome::Unhandled,
            (false, false) => Outcome::Handled,
        }
    }
}
