//! The chip behind the lock: line parameters, and bytes in and out.
use crate::registers::*;

/// Ticks of the chip's clock over 16: the fastest rate.
const BASE_RATE: u32 = 115_200;
/// Bytes that an empty 16550A takes at once.
const FIFO: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    None,
    Odd,
    Even,
}

/// Parameters of the line, as termios has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bits per second; the chip takes the nearest rate that it has.
    pub baud: u32,
    /// 5 to 8.
    pub data_bits: u8,
    pub two_stop_bits: bool,
    pub parity: Parity,
}

impl Default for Line {
    /// 115200n8.
    fn default() -> Self {
        Self { baud: BASE_RATE, data_bits: 8, two_stop_bits: false, parity: Parity::None }
    }
}

pub(crate) struct Chip<R> {
    pub registers: R,
    /// Bytes that fit once the transmitter is empty.
    pub burst: usize,
    wanted: u8,
}

impl<R: Registers> Chip<R> {
    pub fn new(registers: R) -> Self {
        Self { registers, burst: 1, wanted: 0 }
    }

    /// Starts the chip with FIFOs where it has them. Interrupts stay off until [`Chip::want`].
    pub fn start(&mut self, line: Line) {
        self.registers.write(INTERRUPT_ENABLE, 0);
        self.wanted = 0;
        self.set_line(line);
        self.registers.write(FIFO_CONTROL, FIFO_ENABLE | FIFO_CLEAR_BOTH | FIFO_TRIGGER_8);
        self.burst = if self.registers.read(INTERRUPT_CAUSE) & CAUSE_FIFO == CAUSE_FIFO { FIFO } else { 1 };
        self.registers.write(MODEM_CONTROL, DATA_TERMINAL_READY | REQUEST_TO_SEND | OUT2);
        // Reading clears what happened before.
        for register in [LINE_STATUS, DATA, INTERRUPT_CAUSE, MODEM_STATUS] {
            let _ = self.registers.read(register);
        }
    }

    pub fn set_line(&mut self, line: Line) {
        let divisor = BASE_RATE.checked_div(line.baud).unwrap_or(1).clamp(1, 0xffff);
        let parity = match line.parity {
            Parity::None => 0,
            Parity::Odd => 0b01 << 3,
            Parity::Even => 0b11 << 3,
        };
        let format = (line.data_bits.clamp(5, 8) - 5) | u8::from(line.two_stop_bits) << 2 | parity;
        self.registers.write(LINE_CONTROL, format | LATCH);
        self.registers.write(DATA, divisor as u8);
        self.registers.write(INTERRUPT_ENABLE, (divisor >> 8) as u8);
        self.registers.write(LINE_CONTROL, format);
        // The latch hid the enable register.
        self.registers.write(INTERRUPT_ENABLE, self.wanted);
    }

    /// Holds the line low, or lets it go.
    pub fn set_break(&self, on: bool) {
        let format = self.registers.read(LINE_CONTROL) & !SEND_BREAK;
        self.registers.write(LINE_CONTROL, if on { format | SEND_BREAK } else { format });
    }

    /// The modem's lines as registers 4 and 6 have them.
    pub fn modem(&self) -> (u8, u8) {
        (self.registers.read(MODEM_CONTROL), self.registers.read(MODEM_STATUS))
    }

    /// Sets the lines of register 4, but for the one that interrupts need.
    pub fn set_modem(&self, control: u8) {
        self.registers.write(MODEM_CONTROL, control | OUT2);
    }

    /// Asks for interrupts or stops asking; writes only what changes.
    pub fn want(&mut self, kind: u8, on: bool) {
        let wanted = if on { self.wanted | kind } else { self.wanted & !kind };
        if wanted != self.wanted {
            self.wanted = wanted;
            self.registers.write(INTERRUPT_ENABLE, wanted);
        }
    }

    pub fn transmitter_is_empty(&self) -> bool {
        self.registers.read(LINE_STATUS) & TRANSMIT_EMPTY != 0
    }

    /// A received byte with the status that came with it.
    pub fn receive(&self) -> Option<(u8, u8)> {
        let status = self.registers.read(LINE_STATUS);
        // An empty bus reads as ones; a chip that went away must not feed us for ever.
        (status & DATA_READY != 0 && status != 0xff).then(|| (self.registers.read(DATA), status))
    }

    /// Lowers the line, and has it rise again where there is still a cause.
    pub fn interrupt_again(&mut self) {
        self.registers.write(INTERRUPT_ENABLE, 0);
        self.registers.write(INTERRUPT_ENABLE, self.wanted);
    }

    /// Whether there is a cause. Looking takes back "transmitter empty", so [`Chip::transmitter_is_empty`] must be looked at
    /// afterwards.
    pub fn interrupts(&self) -> bool {
        self.registers.read(INTERRUPT_CAUSE) & CAUSE_NONE == 0
    }
}
