//! Work for the processor, and memory in which processes tell each other how much they did.

use crate::Trouble;
use measure::system::{last_error, now};
use std::hint::black_box;
use std::sync::atomic::AtomicU64;

/// Turns of an endless loop until then. The clock is read through the vDSO, so that there is no call.
pub fn turns_until(end: u64) -> u64 {
    let mut turns = 0_u64;
    while now() < end {
        for _ in 0..1000 {
            turns = black_box(turns + 1);
        }
    }
    turns
}

/// Sleeps until then.
pub fn sleep_until(moment: u64) {
    std::thread::sleep(std::time::Duration::from_nanos(moment.saturating_sub(now())));
}

/// A page of words that this process and its children share; zeros at first.
pub fn shared_words() -> Result<&'static [AtomicU64; 512], Trouble> {
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    let place = unsafe { libc::mmap(std::ptr::null_mut(), 4096, rights, flags, -1, 0) };
    // For as long as the process lives.
    if place == libc::MAP_FAILED { Err(last_error().into()) } else { Ok(unsafe { &*place.cast() }) }
}

/// Binds this thread to a processor, if there is that one.
pub fn pin(processor: usize) -> bool {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0
    }
}
