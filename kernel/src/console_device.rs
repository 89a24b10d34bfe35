//! The first serial port as a terminal: `ttyS0`, and the console.
use crate::devices;
use abi::Errno;
use abi::file::DeviceNumber;
use abi::raw::general::{B115200, CLOCAL, CREAD, CS8, CSIZE, CSTOPB, HUPCL, PARENB, PARODD};
use alloc::boxed::Box;
use alloc::sync::Arc;
use devfs::DevFs;
use serial::{Line, Parity, PortRegisters, SerialPort};
use sync::PollQueue;
use terminals::{Driver, Received};
use tty::Termios;

/// Bytes kept from interrupts until the terminal's thread takes them.
const KEPT: usize = 4096;
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
}

struct Input(Arc<Received>);

impl serial::Sink for Input {
    fn receive(&self, bytes: &[u8]) {
        self.0.put(bytes);
    }
}

/// Makes /dev/ttyS0 and /dev/console, as far as there is a port.
///
/// # Errors
/// EEXIST; ENOMEM.
pub fn register(devices: &DevFs) -> Result<(), Errno> {
    terminals::register(devices)?;
    let Some(port) = devices::serial() else { return Ok(()) };
    let received = Arc::new(Received::new(KEPT)?);
    let control = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
    let termios = Termios { control, ..Termios::default() }.with_speeds();
    let line = terminals::add_line(devices, "ttyS0", NUMBER, "ttyS", termios, Arc::new(Port(port)), received.clone())?;
    port.set_sink(Box::leak(Box::new(Input(received))));
    terminals::set_console(line);
    Ok(())
}
