//! A port driven by interrupts.
use crate::chip::{Chip, Line};
use crate::registers::*;
use alloc::collections::VecDeque;
use irq::{Handled, Handler};
use sync::{InterruptsOff, Once, PollQueue, Rank, SpinLock};

/// Bytes that wait for the transmitter.
const QUEUE: usize = 4096;
/// Received bytes that are handed up at a time, and how many such rounds one interrupt may take.
const BATCH: usize = 64;
const ROUNDS: usize = 16;

/// Takes what a port receives. Called from its interrupt handler: takes only locks that ban interrupts, and never waits.
pub trait Sink: Send + Sync {
    fn receive(&self, bytes: &[u8]);
    /// The line was held low for longer than a character.
    fn break_received(&self) {}
    /// A byte with a parity or framing error.
    fn damaged(&self, _byte: u8) {}
    /// Bytes were lost: nobody had taken them in time.
    fn overrun(&self) {}
}

struct State<R> {
    chip: Chip<R>,
    queue: VecDeque<u8>,
}

/// A serial port.
pub struct SerialPort<R: Registers> {
    name: &'static str,
    state: SpinLock<State<R>, InterruptsOff>,
    sink: Once<&'static dyn Sink>,
    writers: PollQueue,
}

impl<R: Registers> SerialPort<R> {
    /// Starts the port `name` with the usual line parameters; `None` without memory. Interrupts are asked for once there is
    /// a sink.
    pub fn new(name: &'static str, registers: R) -> Option<Self> {
        let mut queue = VecDeque::new();
        queue.try_reserve_exact(QUEUE).ok()?;
        let mut chip = Chip::new(registers);
        chip.start(Line::default());
        let state = SpinLock::new(Rank::Device, State { chip, queue });
        Some(Self { name, state, sink: Once::new(), writers: PollQueue::new() })
    }

    /// Says where received bytes go, and lets them come. Once; the interrupt handler is installed already.
    pub fn set_sink(&self, sink: &'static dyn Sink) {
        if self.sink.set(sink).is_ok() {
            self.state.lock().chip.want(WANT_RECEIVE | WANT_LINE_STATUS, true);
        }
    }

    /// Changes the line's parameters. Any context but NMI.
    pub fn set_line(&self, line: Line) {
        self.state.lock().chip.set_line(line);
    }

    /// Holds the line low, or lets it go. Any context but NMI.
    pub fn set_break(&self, on: bool) {
        self.state.lock().chip.set_break(on);
    }

    /// The modem's lines: [`crate::lines`] of the control register, and of the status register. Any context but NMI.
    pub fn modem(&self) -> (u8, u8) {
        self.state.lock().chip.modem()
    }

    /// Changes the lines of the control register to what `change` makes of them.
    pub fn change_modem(&self, change: impl FnOnce(u8) -> u8) {
        let state = self.state.lock();
        let (control, _) = state.chip.modem();
        state.chip.set_modem(change(control));
    }

    /// Sends or queues as many bytes as there is room for, and answers how many. Never waits; any context but NMI.
    pub fn write(&self, bytes: &[u8]) -> usize {
        let mut state = self.state.lock();
        let State { chip, queue } = &mut *state;
        let mut taken = 0;
        if queue.is_empty() && chip.transmitter_is_empty() {
            taken = bytes.len().min(chip.burst);
            bytes[..taken].iter().for_each(|&byte| chip.registers.write(DATA, byte));
        }
        let rest = &bytes[taken..];
        let queued = rest.len().min(QUEUE - queue.len());
        queue.extend(&rest[..queued]);
        if !queue.is_empty() {
            chip.want(WANT_TRANSMIT, true);
        }
        taken + queued
    }

    /// How many bytes [`SerialPort::write`] takes now at the least.
    pub fn room(&self) -> usize {
        QUEUE - self.state.lock().queue.len()
    }

    /// How many bytes wait for the transmitter (TIOCOUTQ).
    pub fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Forgets what waits for the transmitter (TCOFLUSH).
    pub fn discard_output(&self) {
        self.state.lock().queue.clear();
        self.writers.wake_all();
    }

    /// Woken when there is room again, and when everything is sent.
    pub fn writers(&self) -> &PollQueue {
        &self.writers
    }

    /// Sends from the queue; true where writers may care: half of it is free, or all of it.
    fn transmit(&self) -> bool {
        let mut state = self.state.lock();
        let State { chip, queue } = &mut *state;
        if queue.is_empty() || !chip.transmitter_is_empty() {
            return false;
        }
        let before = queue.len();
        for byte in queue.drain(..before.min(chip.burst)) {
            chip.registers.write(DATA, byte);
        }
        if queue.is_empty() {
            chip.want(WANT_TRANSMIT, false);
        }
        queue.is_empty() || (before > QUEUE / 2 && queue.len() <= QUEUE / 2)
    }

    /// Hands received bytes up; true where there were any.
    fn receive(&self) -> bool {
        let mut bytes = [0; BATCH];
        let mut length = 0;
        let mut damaged = None;
        {
            let state = self.state.lock();
            while length < BATCH
                && let Some((byte, status)) = state.chip.receive()
            {
                if status & (OVERRUN | PARITY_ERROR | FRAMING_ERROR | BREAK) != 0 {
                    damaged = Some((byte, status));
                    break;
                }
                bytes[length] = byte;
                length += 1;
            }
        }
        let Some(sink) = self.sink.get() else { return length > 0 };
        if length > 0 {
            sink.receive(&bytes[..length]);
        }
        if let Some((byte, status)) = damaged {
            report(*sink, byte, status);
        }
        length > 0 || damaged.is_some()
    }
}

fn report(sink: &dyn Sink, byte: u8, status: u8) {
    if status & OVERRUN != 0 {
        sink.overrun();
    }
    if status & BREAK != 0 {
        sink.break_received();
    } else if status & (PARITY_ERROR | FRAMING_ERROR) != 0 {
        sink.damaged(byte);
    } else {
        sink.receive(&[byte]);
    }
}

impl<R: Registers> Handler for SerialPort<R> {
    fn handle(&self) -> Handled {
        if !self.state.lock().chip.interrupts() {
            return Handled::NotMine;
        }
        let mut wake = false;
        // The line is edge-triggered: either all causes are gone, or it must be made to rise again.
        let is_quiet = (0..ROUNDS).any(|_| {
            let received = self.receive();
            wake |= self.transmit();
            !received && !self.state.lock().chip.interrupts()
        });
        if !is_quiet {
            self.state.lock().chip.interrupt_again();
        }
        if wake {
            self.writers.wake_all();
        }
        Handled::Mine
    }

    fn name(&self) -> &str {
        self.name
    }
}
