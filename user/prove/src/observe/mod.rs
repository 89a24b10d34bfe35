//! Instruments that several experiments use.

pub mod children;
pub mod faults;
pub mod inside;
pub mod steps;
pub mod timeline;
pub mod usage;
pub mod work;

pub use children::{ended, fork, run_in_child, signal_name};
pub use steps::{Steps, steps};
pub use usage::Usage;
pub use work::{pin, shared_words, sleep_until, turns_until};

use measure::Batch;
use measure::meter;

/// What an operation costs, in the clock's unit (under `-icount`, instructions); the least of several batches.
pub fn cost(mut operation: impl FnMut() + 'static) -> Result<f64, crate::Trouble> {
    let mut batch: Batch = Box::new(move |count| {
        let start = measure::system::now();
        for _ in 0..count {
            operation();
        }
        Ok(measure::system::now().saturating_sub(start))
    });
    let cost = meter::measure(&mut batch, 100_000)?;
    Ok(cost.least as f64 / 100.0)
}
