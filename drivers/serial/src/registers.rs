//! The chip's eight registers.
use arch::Port;

/// Access to registers 0–7. Single accesses without side effects on memory, from any context.
pub trait Registers: Send + Sync {
    fn read(&self, register: u8) -> u8;
    fn write(&self, register: u8, value: u8);
}

/// Registers at eight consecutive I/O ports.
#[derive(Clone, Copy, Debug)]
pub struct PortRegisters {
    base: u16,
}

impl PortRegisters {
    pub const fn new(base: u16) -> Self {
        Self { base }
    }
}

impl Registers for PortRegisters {
    fn read(&self, register: u8) -> u8 {
        Port::<u8>::new(self.base.wrapping_add(u16::from(register))).read()
    }

    fn write(&self, register: u8, value: u8) {
        Port::<u8>::new(self.base.wrapping_add(u16::from(register))).write(value);
    }
}

/// Received byte when read, byte to send when written; the divisor's low half while the latch is open.
pub const DATA: u8 = 0;
/// Which interrupts are wanted; the divisor's high half while the latch is open.
pub const INTERRUPT_ENABLE: u8 = 1;
/// Why there is an interrupt (read).
pub const INTERRUPT_CAUSE: u8 = 2;
/// Control of the FIFOs (write).
pub const FIFO_CONTROL: u8 = 2;
pub const LINE_CONTROL: u8 = 3;
pub const MODEM_CONTROL: u8 = 4;
pub const LINE_STATUS: u8 = 5;
pub const MODEM_STATUS: u8 = 6;
/// Remembers what is written, and does nothing else.
pub const SCRATCH: u8 = 7;

pub const WANT_RECEIVE: u8 = 1 << 0;
pub const WANT_TRANSMIT: u8 = 1 << 1;
pub const WANT_LINE_STATUS: u8 = 1 << 2;

/// Set while no interrupt is pending.
pub const CAUSE_NONE: u8 = 1;
/// Both set where the FIFOs work (16550A).
pub const CAUSE_FIFO: u8 = 3 << 6;

pub const FIFO_ENABLE: u8 = 1 << 0;
pub const FIFO_CLEAR_BOTH: u8 = 3 << 1;
/// An interrupt at 8 received bytes, or when fewer have waited for four characters' time.
pub const FIFO_TRIGGER_8: u8 = 2 << 6;

pub const LATCH: u8 = 1 << 7;
/// Holds the line low.
pub const SEND_BREAK: u8 = 1 << 6;

pub const DATA_TERMINAL_READY: u8 = 1 << 0;
pub const REQUEST_TO_SEND: u8 = 1 << 1;
pub const OUT1: u8 = 1 << 2;
/// On PCs it connects the interrupt to the line.
pub const OUT2: u8 = 1 << 3;
pub const LOOP: u8 = 1 << 4;

pub const CLEAR_TO_SEND: u8 = 1 << 4;
pub const DATA_SET_READY: u8 = 1 << 5;
pub const RING: u8 = 1 << 6;
pub const CARRIER: u8 = 1 << 7;

pub const DATA_READY: u8 = 1 << 0;
pub const OVERRUN: u8 = 1 << 1;
pub const PARITY_ERROR: u8 = 1 << 2;
pub const FRAMING_ERROR: u8 = 1 << 3;
pub const BREAK: u8 = 1 << 4;
/// The holding register (or FIFO) is empty.
pub const TRANSMIT_EMPTY: u8 = 1 << 5;
