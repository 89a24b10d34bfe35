//! Work that sleeps, to see that what sleeps holds up nobody.
//!
//! `echo N > /sys/kernel/debug/birgus/sleeping_work` queues N pieces of work to the CPU's pool, each of which sleeps for [`SLEEP`]. Reading the
//! file shows how many are not done.
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI64, Ordering};
use procfs::{Listing, number};
use sync::Sleep;
use task::work::{Place, Work};

/// Nanoseconds.
const SLEEP: u64 = 200_000_000;

static LEFT: AtomicI64 = AtomicI64::new(0);

fn begin(count: i64) -> Result<(), Errno> {
    for _ in 0..count {
        LEFT.fetch_add(1, Ordering::Relaxed);
        let work = Work::new(|| {
            let _ = sync::park(Sleep::Uninterruptible, Some(sync::now() + SLEEP), || None::<()>);
            LEFT.fetch_sub(1, Ordering::Relaxed);
        });
        work.queue(Place::ThisCpu);
    }
    Ok(())
}

/// Makes the file in `folder`.
///
/// # Errors
/// EEXIST.
pub fn register_views(folder: &Arc<Listing>) -> Result<(), Errno> {
    folder.add("sleeping_work", number(1..=1000, || LEFT.load(Ordering::Relaxed), begin))
}
