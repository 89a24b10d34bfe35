//! The console of early boot and of panics: the first serial port, polled.
use arch::Port;

const DATA: Port<u8> = Port::new(0x3f8);
const LINE_STATUS: Port<u8> = Port::new(0x3fd);
const TRANSMITTER_EMPTY: u8 = 1 << 5;

/// Writes bytes, waiting a bounded time for each. Any context.
pub fn write(bytes: &[u8]) {
    for &byte in bytes {
        if byte == b'\n' {
            put(b'\r');
        }
        put(byte);
    }
}

fn put(byte: u8) {
    let ready = (0..10_000).any(|_| LINE_STATUS.read() & TRANSMITTER_EMPTY != 0);
    if ready {
        DATA.write(byte);
    }
}
