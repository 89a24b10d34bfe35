//! Setting CLOCK_REALTIME, and those who hold deadlines of it.
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use sync::{Mutex, Rank};
use time::Timespec;

/// Has a deadline on CLOCK_REALTIME.
pub trait Deadline: Send + Sync {
    /// The clock was set: the deadline comes at another time. May sleep.
    fn clock_was_set(&self);
}

static ALL: Mutex<BTreeMap<usize, Weak<dyn Deadline>>> = Mutex::new(Rank::InterruptSetup, BTreeMap::new());

/// Keeps a deadline in the list, until dropped.
#[derive(Debug)]
pub struct Listed(usize);

/// Has `deadline` told whenever the clock is set.
pub fn list(deadline: &Arc<dyn Deadline>) -> Listed {
    let key = Arc::as_ptr(deadline).cast::<()>() as usize;
    ALL.lock().insert(key, Arc::downgrade(deadline));
    Listed(key)
}

impl Drop for Listed {
    fn drop(&mut self) {
        let gone = ALL.lock().remove(&self.0);
        drop(gone);
    }
}

/// Sets the clock; false where the time cannot be represented.
pub fn set(time: Timespec) -> bool {
    if !scheduler::set_realtime(time) {
        return false;
    }
    let mut from = 0;
    // One by one, since a deadline that goes meanwhile takes the lock.
    while let Some((key, deadline)) = next_from(from) {
        from = key + 1;
        if let Some(deadline) = deadline {
            deadline.clock_was_set();
        }
    }
    true
}

fn next_from(key: usize) -> Option<(usize, Option<Arc<dyn Deadline>>)> {
    ALL.lock().range(key..).next().map(|(&key, deadline)| (key, deadline.upgrade()))
}
