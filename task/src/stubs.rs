//! What programs asked for that is not there: counted by text, so that the list of what to build next comes from what is used.
//!
//! The table lives in a vector that is only reserved ahead of the lock: counting a known text allocates nothing. Texts are
//! compared by address and length, then by content, since two places may say the same.
use alloc::vec::Vec;
use sync::{Preempt, Rank, SpinLock};

/// Texts that are told apart; there are fewer call sites than that. Later ones are only logged.
const MOST: usize = 512;

static COUNTS: SpinLock<Vec<(&'static str, u64)>, Preempt> = SpinLock::new(Rank::Leaf, Vec::new());

/// Counts one use of something that is not there, and logs the first. The caller then answers as an older Linux. Process
/// context, under no lock of [`Rank::Leaf`].
#[cold]
pub fn stub(what: &'static str) {
    // The first time alone needs room; it is made before the lock is taken, and dropped after it where it was not needed.
    let mut spare = Vec::new();
    loop {
        let mut counts = COUNTS.lock();
        if let Some((_, count)) = counts.iter_mut().find(|(text, _)| core::ptr::eq(*text, what) || *text == what) {
            *count = count.saturating_add(1);
            return;
        }
        if counts.len() == MOST {
            return;
        }
        if counts.len() == counts.capacity() {
            if spare.capacity() <= counts.len() {
                let wanted = (counts.len() * 2).max(32);
                drop(counts);
                if spare.try_reserve_exact(wanted).is_err() {
                    return;
                }
                continue;
            }
            spare.extend_from_slice(&counts);
            core::mem::swap(&mut *counts, &mut spare);
        }
        counts.push((what, 1));
        drop(counts);
        klog::info!("not there yet: {what}");
        return;
    }
}

/// What was asked for and how often, in the order of the first times. Without memory: nothing.
pub fn stubs() -> Vec<(&'static str, u64)> {
    let mut copy = Vec::new();
    if copy.try_reserve_exact(MOST).is_ok() {
        copy.extend_from_slice(&COUNTS.lock());
    }
    copy
}
