//! The list of items that may be ready.
use super::item::{Item, Source};
use abi::Errno;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sync::{InterruptsOff, Rank, SpinLock};

struct List<S: Source> {
    items: VecDeque<Arc<Item<S>>>,
    /// Items on the list that were taken away.
    gone: usize,
}

pub(crate) struct Ready<S: Source> {
    list: SpinLock<List<S>, InterruptsOff>,
}

impl<S: Source> Ready<S> {
    pub fn new() -> Self {
        Self { list: SpinLock::new(Rank::Leaf, List { items: VecDeque::new(), gone: 0 }) }
    }

    /// Room for `items` that are there, and those that are gone. ENOMEM.
    pub fn reserve(&self, items: usize) -> Result<(), Errno> {
        loop {
            let wanted = {
                let list = self.list.lock();
                let wanted = items.saturating_add(list.gone);
                if list.items.capacity() >= wanted {
                    return Ok(());
                }
                wanted.max(list.items.capacity().saturating_mul(2))
            };
            let mut roomier = VecDeque::new();
            roomier.try_reserve_exact(wanted).map_err(|_| Errno::ENOMEM)?;
            let mut list = self.list.lock();
            if roomier.capacity() > list.items.capacity() {
                roomier.append(&mut list.items);
                core::mem::swap(&mut roomier, &mut list.items);
            }
            drop(list);
        }
    }

    /// Adds an item at the end; false where it is there already, or gone.
    pub fn push(&self, item: &Arc<Item<S>>) -> bool {
        let mut list = self.list.lock();
        let adds = !item.gone.load(Ordering::Relaxed) && !item.queued.swap(true, Ordering::Relaxed);
        if adds {
            list.items.push_back(item.clone());
        }
        adds
    }

    /// Puts an item back to where it was taken from.
    pub fn push_first(&self, item: &Arc<Item<S>>) {
        let mut list = self.list.lock();
        if !item.gone.load(Ordering::Relaxed) && !item.queued.swap(true, Ordering::Relaxed) {
            list.items.push_front(item.clone());
        }
    }

    pub fn pop(&self) -> Option<Arc<Item<S>>> {
        let mut list = self.list.lock();
        loop {
            let item = list.items.pop_front()?;
            item.queued.store(false, Ordering::Relaxed);
            if !item.gone.load(Ordering::Relaxed) {
                return Some(item);
            }
            list.gone -= 1;
            // Its end may take locks and give back memory.
            drop(list);
            drop(item);
            list = self.list.lock();
        }
    }

    /// The item is taken away: from now on it is never put on the list.
    pub fn forget(&self, item: &Arc<Item<S>>) {
        let mut list = self.list.lock();
        item.gone.store(true, Ordering::Relaxed);
        if item.queued.load(Ordering::Relaxed) {
            list.gone += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.lock().items.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.lock().items.len()
    }
}
