//! The console of early boot and of panics: the first serial port, polled.
use arch::Port;
use core::sync::atomic::{AtomicBool, Ordering};

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

/// Looks at the port before a byte is given up: while it takes bytes (QEMU's waits for whoever reads its other end), and after it
/// did not take one.
const PATIENCE: u32 = 2_000_000;
const IMPATIENCE: u32 = 1000;

/// The port did not take the last byte: there may be none, and a panic must come to its end.
static STUCK: AtomicBool = AtomicBool::new(false);

fn put(byte: u8) {
    let looks = if STUCK.load(Ordering::Relaxed) { IMPATIENCE } else { PATIENCE };
    let ready = (0..looks).any(|_| LINE_STATUS.read() & TRANSMITTER_EMPTY != 0);
    STUCK.store(!ready, Ordering::Relaxed);
    if ready {
        DATA.write(byte);
    }
}
