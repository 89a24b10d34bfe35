//! The rate of the host's time-stamp counter, which an emulated guest sees unscaled.
//!
//! A kernel under emulation cannot measure it well on a loaded host; it is told by `tsc_early_khz=`.

use crate::fingerprint;
use crate::paths::Paths;
use anyhow::Result;
use std::fs;
use std::time::{Duration, Instant};

/// How long to measure: an error of a microsecond at either end is then one in 50,000.
const SPAN: Duration = Duration::from_millis(50);

/// A moment on both clocks.
pub struct Measurement {
    counter: u64,
    time: Instant,
}

impl Measurement {
    /// Reads both clocks, in the tightest of several brackets.
    pub fn start() -> Self {
        let bracket = || {
            let before = Instant::now();
            let counter = read_counter();
            (before.elapsed(), Self { counter, time: before })
        };
        let mut best = bracket();
        for _ in 0..8 {
            let next = bracket();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// The rate in kHz: remembered from an earlier run since the host booted, or measured from the start until now.
    pub fn finish(self, paths: &Paths) -> Result<u64> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let file = paths.cache_folder("host")?.join("clock");
        let known = fs::read_to_string(&file).unwrap_or_default();
        if let Some((of_boot, rate)) = known.split_once(' ')
            && of_boot == boot.trim()
            && let Ok(rate) = rate.trim().parse()
        {
            return Ok(rate);
        }
        std::thread::sleep(SPAN.saturating_sub(self.time.elapsed()));
        let now = Self::start();
        let nanoseconds = now.time.duration_since(self.time).as_nanos().max(1);
        let rate = u64::try_from(u128::from(now.counter.wrapping_sub(self.counter)) * 1_000_000 / nanoseconds)?;
        fingerprint::stamp(&file, &format!("{} {rate}", boot.trim()))?;
        Ok(rate)
    }
}

fn read_counter() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
