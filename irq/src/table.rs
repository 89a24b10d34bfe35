//! All lines, by vector.
use crate::line::{Action, Active, Handler, Line, Outcome, Source};
use crate::{Chip, Counts};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::{Mutex, Rank};

/// First vector for lines: below are exceptions and what the 8259 pair may still send.
pub const FIRST_VECTOR: u8 = 0x30;
/// Last vector for lines: above are the CPUs' own (timer, calls from other CPUs, errors, spurious).
pub const LAST_VECTOR: u8 = 0xef;
/// The 32-bit system call.
const SYSTEM_CALL: u8 = 0x80;
const LINES: usize = (LAST_VECTOR - FIRST_VECTOR) as usize + 1;

/// Why a handler could not be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The line is taken, by or for somebody who does not share (EBUSY).
    Busy,
    /// Every vector is taken (ENOSPC).
    NoVector,
    NoMemory,
    /// The chip has no such input (EINVAL).
    NoInput,
}

/// What an interrupt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatched {
    /// Handled and acknowledged.
    Served,
    /// Acknowledged, but nobody's: spurious.
    Unhandled,
    /// Nobody's for too long: line `number` is masked now. To be reported.
    Shut { number: u32 },
    /// No line has this vector. The caller ends the interrupt at the local APIC.
    Unknown,
}

/// One line, for /proc/interrupts.
pub struct Row<'a> {
    pub number: u32,
    pub vector: u8,
    pub chip: &'static str,
    pub input: u32,
    pub flow: &'static str,
    pub cpu: usize,
    pub shut: bool,
    actions: &'a [Action],
}

impl Row<'_> {
    /// The names of the devices on the line.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|action| action.handler.name())
    }
}

/// Where the next vector is looked for: round and round, so that an interrupt that was under way when its line was freed
/// does not hit the next line.
struct Setup {
    next: usize,
}

/// All lines.
pub struct Interrupts {
    lines: Box<[Line]>,
    setup: Mutex<Setup>,
    next_id: AtomicU64,
    first_dynamic: u32,
    counts: Counts,
    /// Interrupts that belonged to no line, or to nobody on it: `ERR` and `MIS` of /proc/interrupts.
    spurious: AtomicU64,
}

/// A handler in its place: freed when this is dropped, which waits for a handler that is running. May sleep.
#[must_use]
pub struct Registration {
    interrupts: &'static Interrupts,
    vector: u8,
    id: u64,
}

impl Interrupts {
    /// For `cpus` CPUs; lines without a number of their own get those from `first_dynamic` on. `None` without memory.
    pub fn new(cpus: usize, first_dynamic: u32) -> Option<Self> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(LINES).ok()?;
        lines.extend((0..LINES).map(|_| Line::new()));
        Some(Self {
            lines: lines.into_boxed_slice(),
            setup: Mutex::new(Rank::InterruptSetup, Setup { next: 0 }),
            next_id: AtomicU64::new(0),
            first_dynamic,
            counts: Counts::new(cpus)?,
            spurious: AtomicU64::new(0),
        })
    }

    /// Serves interrupt `vector`. Hard-interrupt context, interrupts off.
    #[inline]
    pub fn dispatch(&self, vector: u8) -> Dispatched {
        self.counts.count(vector);
        let line = usize::from(vector).checked_sub(usize::from(FIRST_VECTOR)).and_then(|index| self.lines.get(index));
        match line.map_or(Outcome::Vacant, Line::serve) {
            Outcome::Handled => Dispatched::Served,
            Outcome::Unhandled => {
                self.spurious.fetch_add(1, Ordering::Relaxed);
                Dispatched::Unhandled
            }
            Outcome::Shut(number) => Dispatched::Shut { number },
            Outcome::Vacant => {
                self.spurious.fetch_add(1, Ordering::Relaxed);
                Dispatched::Unknown
            }
        }
    }

    /// Counts of lines' and the CPUs' own vectors; the latter are counted by whoever serves them.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Interrupts that were nobody's.
    pub fn spurious(&self) -> u64 {
        self.spurious.load(Ordering::Relaxed)
    }

    /// Installs `handler` for `source`, and lets its interrupts come. May sleep.
    pub fn request(&'static self, source: Source, handler: Arc<dyn Handler>) -> Result<Registration, RequestError> {
        let mut setup = self.setup.lock();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let action = Action { id, handler };
        let vector = match self.find(&source) {
            Some(vector) => self.join(vector, &source, action)?,
            None => self.open(&mut setup, source, action)?,
        };
        Ok(Registration { interrupts: self, vector, id })
    }

    fn line(&self, vector: u8) -> &Line {
        &self.lines[usize::from(vector - FIRST_VECTOR)]
    }

    fn vectors() -> impl Iterator<Item = u8> {
        (FIRST_VECTOR..=LAST_VECTOR).filter(|&vector| vector != SYSTEM_CALL)
    }

    fn find(&self, source: &Source) -> Option<u8> {
        Self::vectors().find(|&vector| {
            let line = self.line(vector).0.lock();
            line.as_ref().is_some_and(|active| {
                active.source.input == source.input
                    && ptr::addr_eq(Arc::as_ptr(&active.source.chip), Arc::as_ptr(&source.chip))
            })
        })
    }

    /// One more handler on a line in use. Lists are built outside the line's lock, which only swaps them in.
    fn join(&self, vector: u8, source: &Source, action: Action) -> Result<u8, RequestError> {
        let line = self.line(vector);
        let (length, shared) =
            line.0.lock().as_ref().map_or((0, false), |active| (active.actions.len(), active.source.shared));
        if !(shared && source.shared) {
            return Err(RequestError::Busy);
        }
        let mut longer = Vec::new();
        longer.try_reserve_exact(length + 1).map_err(|_| RequestError::NoMemory)?;
        let mut old = Vec::new();
        if let Some(active) = &mut *line.0.lock() {
            longer.append(&mut active.actions);
            longer.push(action);
            old = core::mem::replace(&mut active.actions, longer);
        }
        drop(old);
        Ok(vector)
    }

    /// The first handler of a line: gives it a vector and a number.
    fn open(&self, setup: &mut Setup, source: Source, action: Action) -> Result<u8, RequestError> {
        let start = setup.next;
        let candidates = Self::vectors().skip(start).chain(Self::vectors().take(start));
        let vector = candidates
            .into_iter()
            .find(|&vector| self.line(vector).0.lock().is_none())
            .ok_or(RequestError::NoVector)?;
        let number = source.number.unwrap_or_else(|| self.free_number());
        let mut actions = Vec::new();
        actions.try_reserve_exact(1).map_err(|_| RequestError::NoMemory)?;
        actions.push(action);
        let (chip, input) = (source.chip.clone(), source.input);
        chip.mask(input);
        if !chip.connect(input, vector, 0) {
            return Err(RequestError::NoInput);
        }
        self.counts.clear(vector);
        *self.line(vector).0.lock() = Some(Active::new(source, number, actions));
        setup.next = Self::vectors().position(|other| other == vector).map_or(0, |index| index + 1);
        chip.unmask(input);
        Ok(vector)
    }

    fn free_number(&self) -> u32 {
        let taken = |number| {
            Self::vectors().any(|vector| self.line(vector).0.lock().as_ref().is_some_and(|line| line.number == number))
        };
        // There are fewer lines than candidates, so one is free.
        (self.first_dynamic..=self.first_dynamic + LINES as u32).find(|&number| !taken(number)).unwrap_or(u32::MAX)
    }

    /// Has line `number` interrupt CPU `cpu` from now on; false where there is no such line or the chip cannot.
    pub fn set_affinity(&self, number: u32, cpu: usize) -> bool {
        let _setup = self.setup.lock();
        Self::vectors().any(|vector| {
            let mut line = self.line(vector).0.lock();
            let Some(active) = line.as_mut().filter(|active| active.number == number) else { return false };
            let done = active.source.chip.connect(active.source.input, vector, cpu);
            if done {
                active.cpu = cpu;
            }
            done
        })
    }

    /// Shows each line in use to `look`, by vector, with the line's lock held.
    pub fn for_each(&self, mut look: impl FnMut(&Row<'_>)) {
        for vector in Self::vectors() {
            if let Some(active) = &*self.line(vector).0.lock() {
                let chip: &dyn Chip = &*active.source.chip;
                look(&Row {
                    number: active.number,
                    vector,
                    chip: chip.name(),
                    input: active.source.input,
                    flow: chip.flow(active.source.input),
                    cpu: active.cpu,
                    shut: active.shut,
                    actions: &active.actions,
                });
            }
        }
    }

    fn free(&self, vector: u8, id: u64) {
        let _setup = self.setup.lock();
        let mut line = self.line(vector).0.lock();
        let Some(active) = &mut *line else { return };
        let gone = active.actions.iter().position(|action| action.id == id).map(|index| active.actions.remove(index));
        let mut closed = None;
        if active.actions.is_empty() {
            active.source.chip.mask(active.source.input);
            closed = line.take();
        }
        // What a handler owns is dropped without the line's lock.
        drop(line);
        drop((gone, closed));
    }
}

impl Registration {
    /// The vector that the line has.
    pub fn vector(&self) -> u8 {
        self.vector
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.interrupts.free(self.vector, self.id);
    }
}
