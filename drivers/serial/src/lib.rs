//! The 8250 family of serial ports, as PCs have them (National Semiconductor PC16550D data sheet).
//!
//! Two users, one chip. **Panics** and early boot write by [`polled`]: no lock, no memory, a bounded wait for each byte.
//! Everybody else goes through [`SerialPort`]: writers put bytes into a queue, the chip asks for them by interrupt, and what it
//! receives goes to a [`Sink`] (the terminal above) straight from the interrupt handler.
//!
//! One spinlock with interrupts off guards the chip and the transmit queue, so that the enable bit of the transmit
//! interrupt always says whether the queue has something: the handler clears it with the queue's last byte, and a writer
//! sets it with its first. The sink is called, and writers are woken, without that lock.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod chip;
mod polled;
mod port;
mod registers;

pub use chip::{Line, Parity};
pub use polled::{is_present, write_polled};
pub use port::{SerialPort, Sink};
pub use registers::{PortRegisters, Registers};

/// Lines of a modem, as the control register and the status register have them.
pub mod lines {
    pub use crate::registers::{
        CARRIER, CLEAR_TO_SEND, DATA_SET_READY, DATA_TERMINAL_READY, LOOP, OUT1, OUT2, REQUEST_TO_SEND, RING,
    };
}

/// I/O port and legacy interrupt of the first port, `ttyS0`.
pub const FIRST_PORT: u16 = 0x3f8;
pub const FIRST_LINE: u32 = 4;

#[cfg(test)]
mod model;
