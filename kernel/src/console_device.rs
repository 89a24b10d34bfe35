//! The first serial port as a terminal: `ttyS0`, and the console.
use crate::devices;
use abi::Errno;
use abi::file::DeviceNumber;
use abi::raw::general::{CSIZE, CSTOPB, PARENB, PARODD};
use abi::raw::general::{
    TIOCM_CAR, TIOCM_CTS, TIOCM_DSR, TIOCM_DTR, TIOCM_LOOP, TIOCM_OUT1, TIOCM_OUT2, TIOCM_RNG, TIOCM_RTS,
};
use alloc::boxed::Box;
use alloc::sync::Arc;
use devfs::DevFs;
use serial::lines;
use serial::{Line, Parity, PortRegisters, SerialPort};
use sync::PollQueue;
use terminals::{Arrival, Driver, Received};
use tty::Termios;

/// Bytes kept from interrupts until the terminal's thread takes them.
const KEPT: usize = 2048;
/// ttyS0.
const NUMBER: DeviceNumber = DeviceNumber::new(4, 64);

struct Port(&'static SerialPort<PortRegisters>);

impl Driver for Port {
    fn send(&self, bytes: &[u8]) -> usize {
        self.0.write(bytes)
    }

    fn room(&self) -> usize {
        self.0.room()
    }

    fn unsent(&self) -> usize {
        self.0.waiting()
    }

    fn discard(&self) {
        self.0.discard_output();
    }

    fn moved(&self) -> &PollQueue {
        self.0.writers()
    }

    fn configure(&self, termios: &Termios) {
        let has = |flag: u32| termios.control & flag != 0;
        let parity = match (has(PARENB), has(PARODD)) {
            (false, _) => Parity::None,
            (true, false) => Parity::Even,
            (true, true) => Parity::Odd,
        };
        self.0.set_line(Line {
            baud: termios.output_speed,
            data_bits: 5 + ((termios.control & CSIZE) >> CSIZE.trailing_zeros()) as u8,
            two_stop_bits: has(CSTOPB),
            parity,
        });
    }

    fn set_break(&self, on: bool) {
        self.0.set_break(on);
    }

    fn modem(&self) -> u32 {
        let (control, status) = self.0.modem();
        let of = |register: u8, table: &[(u8, u32)]| {
            table.iter().filter(|(bit, _)| register & bit != 0).fold(0, |lines, (_, line)| lines | line)
        };
        of(control, &CONTROLS) | of(status, &STATUSES)
    }

    fn change_modem(&self, raise: u32, lower: u32) {
        let bits =
            |lines: u32| CONTROLS.iter().filter(|(_, line)| lines & line != 0).fold(0, |bits, (bit, _)| bits | bit);
        self.0.change_modem(|control| control & !bits(lower) | bits(raise));
    }
}

/// Lines by their bits in the control register and in `ioctl_tty(2)`; then those of the status register.
const CONTROLS: [(u8, u32); 5] = [
    (lines::DATA_TERMINAL_READY, TIOCM_DTR),
    (lines::REQUEST_TO_SEND, TIOCM_RTS),
    (lines::OUT1, TIOCM_OUT1),
    (lines::OUT2, TIOCM_OUT2),
    (lines::LOOP, TIOCM_LOOP),
];
const STATUSES: [(u8, u32); 4] = [
    (lines::CARRIER, TIOCM_CAR),
    (lines::RING, TIOCM_RNG),
    (lines::DATA_SET_READY, TIOCM_DSR),
    (lines::CLEAR_TO_SEND, TIOCM_CTS),
];

struct Input(Arc<Received>);

impl serial::Sink for Input {
    fn receive(&self, bytes: &[u8]) {
        self.0.put(bytes.iter().map(|&byte| Arrival::Byte(byte)));
    }

    fn break_received(&self) {
        self.0.put(core::iter::once(Arrival::Break));
    }

    fn damaged(&self, byte: u8) {
        self.0.put(core::iter::once(Arrival::Damaged(byte)));
    }
}

/// Makes /dev/ttyS0 and /dev/console, as far as there is a port. `console` is that word's value on the command line, such as
/// `ttyS0,115200n8`.
///
/// # Errors
/// EEXIST; ENOMEM.
pub fn register(devices: &DevFs, console: Option<&str>) -> Result<(), Errno> {
    terminals::register(devices)?;
    let Some(port) = devices::serial() else { return Ok(()) };
    let received = Arc::new(Received::new(KEPT)?);
    let options = console.and_then(|console| console.strip_prefix("ttyS0,"));
    let termios = Termios::for_serial_console(options.unwrap_or_default());
    let line = terminals::add_line(devices, "ttyS0", NUMBER, "ttyS", termios, Arc::new(Port(port)), received.clone())?;
    port.set_sink(Box::leak(Box::new(Input(received))));
    terminals::set_console(line);
    Ok(())
}
