//! What fresh memory holds.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{map_small, unmap};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "Memory that the kernel hands out is zeroed, whoever had it before.",
    experiment: "A process fills 32 MiB with a pattern and ends. Another maps as much and looks for bytes that are not zero. The control looks at \
        memory that it filled, freed and got back from the C library, without the kernel.",
    expected: "The frames of the first process are free again and likely to be used for the second: handed on as they are, they would tell its secrets. \
        What a library hands out again inside one process needs no such care, and still holds most of what was in it.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what the program reads"),
    run,
};

const LENGTH: usize = 32 << 20;
/// Small enough for the library's own heap.
const PIECE: usize = 64 << 10;

fn count(memory: *const u8, length: usize) -> usize {
    (0..length).filter(|offset| unsafe { memory.add(*offset).read_volatile() } != 0).count()
}

/// Bytes that are not zero in memory fresh from the kernel, in each thousand.
fn from_kernel() -> Result<f64, Trouble> {
    let filled = run_in_child(|| match map_small(LENGTH) {
        Ok(memory) => {
            unsafe { std::ptr::write_bytes(memory, 0x5a, LENGTH) };
            1
        }
        Err(_) => 0,
    })?;
    if filled != Some(1) {
        return Err(Trouble::failed("no memory to fill"));
    }
    let memory = map_small(LENGTH)?;
    let found = count(memory, LENGTH);
    unmap(memory, LENGTH)?;
    Ok(found as f64 * 1000.0 / LENGTH as f64)
}

/// The same of memory that the C library hands out again.
fn from_library() -> Result<f64, Trouble> {
    let found = unsafe {
        let first = libc::malloc(PIECE).cast::<u8>();
        // So that the end of the heap is not given back.
        let guard = libc::malloc(64);
        for offset in 0..PIECE {
            first.add(offset).write_volatile(0x5a);
        }
        libc::free(first.cast());
        let second = libc::malloc(PIECE).cast::<u8>();
        let found = count(second, PIECE);
        libc::free(second.cast());
        libc::free(guard);
        found
    };
    Ok(found as f64 * 1000.0 / PIECE as f64)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (kernel, library) = lab.pair(from_kernel, from_library)?;
    lab.mechanism("of each thousand bytes from the kernel, not zero", kernel, "bytes").equals(0, "all are cleared");
    lab.control("of each thousand bytes from the library", library, "bytes").above(900, "nobody cleared them");
    Ok(())
}
