//! Who is told that an open file is closed for good: epoll, which forgets it then (`epoll(7)`, questions and answers).
use crate::file::OpenFile;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use sync::{Once, Rank, SpinLock};

/// Wants to know of the end of an open file.
pub trait Watcher: Send + Sync {
    /// Its last reference is gone. Called without locks; may sleep.
    fn closed(&self);
}

/// Watchers by their addresses.
type ByAddress = SpinLock<BTreeMap<usize, Weak<dyn Watcher>>>;

/// The watchers of one open file; made when the first one comes.
#[derive(Default)]
pub(crate) struct Watchers(Once<Box<ByAddress>>);

fn key(watcher: &Arc<dyn Watcher>) -> usize {
    Arc::as_ptr(watcher).cast::<()>() as usize
}

impl Watchers {
    pub(crate) const fn new() -> Self {
        Self(Once::new())
    }

    /// The file is closed.
    pub(crate) fn tell(&mut self) {
        let Some(watchers) = self.0.get() else { return };
        let all = core::mem::take(&mut *watchers.lock());
        all.values().filter_map(Weak::upgrade).for_each(|watcher| watcher.closed());
    }
}

impl OpenFile {
    /// Has `watcher` told at the end, unless it goes before.
    pub fn watch(&self, watcher: &Arc<dyn Watcher>) {
        if self.watchers.0.get().is_none() {
            let _ = self.watchers.0.set(Box::new(SpinLock::new(Rank::Attributes, BTreeMap::new())));
        }
        if let Some(watchers) = self.watchers.0.get() {
            watchers.lock().insert(key(watcher), Arc::downgrade(watcher));
        }
    }

    /// Takes a watcher away.
    pub fn unwatch(&self, watcher: &Arc<dyn Watcher>) {
        let gone = self.watchers.0.get().and_then(|watchers| watchers.lock().remove(&key(watcher)));
        drop(gone);
    }
}
