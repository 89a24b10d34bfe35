//! Writing without interrupts, locks or memory.
use crate::registers::*;

/// How often the line status is looked at before a byte is given up: some 10 ms of port accesses on hardware, ten
/// characters' time at 9600 baud.
const PATIENCE: u32 = 10_000;

/// Writes bytes, a carriage return before each newline, waiting a bounded time for each. For panics and early boot; any
/// context. Where the chip is stuck, each byte costs the whole wait once and the rest is dropped.
pub fn write_polled(registers: &impl Registers, bytes: &[u8]) {
    for &byte in bytes {
        let sent = (byte != b'\n' || put(registers, b'\r')) && put(registers, byte);
        if !sent {
            return;
        }
    }
}

fn put(registers: &impl Registers, byte: u8) -> bool {
    let ready = (0..PATIENCE).any(|_| registers.read(LINE_STATUS) & TRANSMIT_EMPTY != 0);
    if ready {
        registers.write(DATA, byte);
    }
    ready
}

/// Whether there is a chip: its scratch register remembers two patterns. An empty bus reads as ones.
pub fn is_present(registers: &impl Registers) -> bool {
    [0x55, 0xaa].into_iter().all(|pattern| {
        registers.write(SCRATCH, pattern);
        registers.read(SCRATCH) == pattern
    })
}
