//! The list of items that may be ready.
use super::item::{Interest, Item, Source};
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

impl<S: Source> List<S> {
    /// Puts an item on the list by `place`; false where it is there already, or gone.
    #[inline]
    fn insert(&mut self, item: &Arc<Item<S>>, place: impl FnOnce(&mut VecDeque<Arc<Item<S>>>, Arc<Item<S>>)) -> bool {
        let adds = !item.gone.load(Ordering::Relaxed) && !item.queued.load(Ordering::Relaxed);
        if adds {
            item.queued.store(true, Ordering::Relaxed);
            place(&mut self.items, item.clone());
        }
        adds
    }
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
        self.list.lock().insert(item, |items, item| items.push_back(item))
    }

    /// The same for an item whose source has changed: nothing where it is mute.
    pub fn tell(&self, item: &Arc<Item<S>>) -> bool {
        let mut list = self.list.lock();
        !item.is_mute() && list.insert(item, |items, item| items.push_back(item))
    }

    /// Puts an item back to where it was taken from.
    pub fn push_first(&self, item: &Arc<Item<S>>) {
        self.list.lock().insert(item, |items, item| items.push_front(item));
    }

    /// Takes the first item; answers also what it waits for, and how many are left behind it.
    #[inline]
    pub fn pop(&self) -> Option<(Arc<Item<S>>, Interest, usize)> {
        loop {
            let mut list = self.list.lock();
            let item = list.items.pop_front()?;
            item.queued.store(false, Ordering::Relaxed);
            if !item.gone.load(Ordering::Relaxed) {
                let interest = item.interest();
                return Some((item, interest, list.items.len()));
            }
            list.gone -= 1;
            // Its end may take locks and give back memory.
            drop(list);
            drop(item);
        }
    }

    /// Changes what an item waits for, or makes it mute. What is told afterwards heeds it.
    pub fn change(&self, item: &Item<S>, change: impl FnOnce(&Item<S>)) {
        let _list = self.list.lock();
        change(item);
    }

    /// What an item waits for.
    pub fn interest(&self, item: &Item<S>) -> Interest {
        let _list = self.list.lock();
        item.interest()
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
}
