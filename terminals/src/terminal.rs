//! One line: its discipline, its lock, its sleepers.
use crate::driver::{Driver, Received};
use crate::turn::Turn;
use abi::Errno;
use abi::file::DeviceNumber;
use abi::raw::general::{SIGINT, SIGQUIT, SIGTSTP, SIGWINCH};
use alloc::string::String;
use alloc::sync::Arc;
use sync::{PollQueue, Preempt, Rank, SpinLock};
use task::signals::{Information, send_to_group};
use task::tree::Pid;
use tty::{Effects, LineDiscipline, PtyPair, Signal, Termios};

/// Pages of a device's output queue.
const OUTPUT_PAGES: usize = 1;

/// What is at the other side.
pub(crate) enum Line {
    Device(LineDiscipline),
    Pair(PtyPair),
}

/// Under the lock.
pub(crate) struct State {
    pub line: Line,
    pub session: Option<Pid>,
    pub foreground: Option<Pid>,
    /// How often it was hung up.
    pub hang_ups: u32,
    /// TIOCEXCL: only CAP_SYS_ADMIN opens it.
    pub exclusive: bool,
    /// Openings.
    pub opens: usize,
}

impl State {
    pub fn discipline(&mut self) -> &mut LineDiscipline {
        match &mut self.line {
            Line::Device(discipline) => discipline,
            Line::Pair(pair) => &mut pair.slave,
        }
    }

    pub fn pair(&mut self) -> Option<&mut PtyPair> {
        match &mut self.line {
            Line::Device(_) => None,
            Line::Pair(pair) => Some(pair),
        }
    }
}

/// Those who sleep at one side of a line.
#[derive(Default)]
pub(crate) struct Side {
    pub readers: PollQueue,
    pub writers: PollQueue,
    pub reading: Turn,
    pub writing: Turn,
}

/// A device and what came in from it.
pub(crate) struct Device {
    pub driver: Arc<dyn Driver>,
    pub received: Arc<Received>,
}

/// A terminal. See the crate's root.
pub struct Terminal {
    name: String,
    number: DeviceNumber,
    state: SpinLock<State, Preempt>,
    /// Programs'.
    pub(crate) own: Side,
    /// The master's, of a pseudo-terminal.
    pub(crate) master: Side,
    pub(crate) device: Option<Device>,
}

impl Terminal {
    /// The terminal of a device. ENOMEM.
    pub fn of_device(
        name: &str,
        number: DeviceNumber,
        termios: Termios,
        driver: Arc<dyn Driver>,
        received: Arc<Received>,
    ) -> Result<Self, Errno> {
        driver.configure(&termios);
        let discipline = LineDiscipline::try_new(termios, OUTPUT_PAGES).map_err(|_| Errno::ENOMEM)?;
        Self::new(name, number, Line::Device(discipline), Some(Device { driver, received }))
    }

    pub(crate) fn new(name: &str, number: DeviceNumber, line: Line, device: Option<Device>) -> Result<Self, Errno> {
        let mut own = String::new();
        own.try_reserve(name.len()).map_err(|_| Errno::ENOMEM)?;
        own.push_str(name);
        let state = State { line, session: None, foreground: None, hang_ups: 0, exclusive: false, opens: 0 };
        Ok(Self {
            name: own,
            number,
            state: SpinLock::new(Rank::LineDiscipline, state),
            own: Side::default(),
            master: Side::default(),
            device,
        })
    }

    /// As below /dev.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn number(&self) -> DeviceNumber {
        self.number
    }

    pub(crate) fn is_pair(&self) -> bool {
        self.device.is_none()
    }

    /// Session and foreground group.
    pub fn owners(&self) -> (Option<Pid>, Option<Pid>) {
        let state = self.state.lock();
        (state.session, state.foreground)
    }

    /// Looks at the state, or changes what has no effects.
    pub(crate) fn look<R>(&self, body: impl FnOnce(&mut State) -> R) -> R {
        body(&mut self.state.lock())
    }

    /// Calls the line discipline and applies what follows.
    pub(crate) fn act<R>(&self, body: impl FnOnce(&mut State, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let mut state = self.state.lock();
        let answer = body(&mut state, &mut effects);
        let foreground = state.foreground;
        drop(state);
        self.apply(effects, foreground);
        answer
    }

    fn apply(&self, mut effects: Effects, foreground: Option<Pid>) {
        if effects.output && self.device.is_some() {
            self.pass_on(&mut effects);
        }
        let wakes = [
            (effects.readable, &self.own.readers),
            (effects.writable, &self.own.writers),
            (effects.output, &self.master.readers),
            (effects.room, &self.master.writers),
        ];
        for (_, queue) in wakes.into_iter().filter(|(wanted, _)| *wanted) {
            queue.wake_all();
        }
        if let (true, Some(device)) = (effects.room, &self.device) {
            device.received.arrived().wake_all();
        }
        let Some(group) = foreground else { return };
        for signal in effects.signals.iter() {
            send_to_group(group, number_of(signal), Information::kernel());
        }
    }

    /// Gives the device what it has room for. Under the lock throughout, so that bytes keep their order.
    pub(crate) fn pass_on(&self, effects: &mut Effects) {
        let Some(Device { driver, .. }) = &self.device else { return };
        let mut state = self.state.lock();
        let mut piece = [0; 256];
        loop {
            let room = driver.room().min(piece.len());
            let taken = state.discipline().take_output(&mut piece[..room], effects);
            if taken == 0 {
                return;
            }
            driver.send(&piece[..taken]);
        }
    }

    /// Whether the device could be given something.
    pub(crate) fn could_pass_on(&self) -> bool {
        self.device.as_ref().is_some_and(|device| device.driver.room() > 0)
            && self.state.lock().discipline().has_output()
    }
}

fn number_of(signal: Signal) -> u32 {
    match signal {
        Signal::Interrupt => SIGINT,
        Signal::Quit => SIGQUIT,
        Signal::Suspend => SIGTSTP,
        Signal::WindowChanged => SIGWINCH,
    }
}
