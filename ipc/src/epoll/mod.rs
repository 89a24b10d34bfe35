//! Waiting for many descriptors at once, whatever their number: epoll (`epoll(7)`).
//!
//! **Problem.** A server waits on ten thousand connections, of which three have something to say. What a wait costs must depend
//! on the three.
//!
//! **Model.** Each descriptor of interest is an [`Item`] that stands in its source's queues for good. When the source changes, its
//! queue tells the item, which puts itself on the ready list. A wait takes items from there, asks their sources whether
//! they really are ready, and reports those that are. A level-triggered item goes back to the end of the list, so that the next
//! wait asks again; an edge-triggered one waits to be told; a one-shot one is mute until it is modified.
//!
//! **Invariants.** An item is on the ready list at most once (`queued`, changed under the list's lock). It is taken off *before* its source
//! is asked, so that a change meanwhile puts it back. What an item waits for is read and changed under that lock too. The list has room for every item, since [`Item::notify`] cannot allocate; an item that was
//! removed while on the list keeps its room until it comes up.
//!
//! **Locks.** Items are told under their source's wait queue, with interrupts off: the ready list is a leaf under it, and waiters are woken
//! by taking the epoll's own queues inside the source's. That is in order because epolls inside epolls have no circles, which
//! [`Epoll::nest`] sees to. No lock is held while a source is asked.
//!
//! **Why not** ask all sources at each wait, as poll does, or keep the list in the sources' order: the first costs what epoll was made to
//! save, the second starves whoever comes last.
mod item;
mod ready;
#[cfg(test)]
mod tests;

pub use item::{Interest, Item, Source};

use crate::{Failure, Readiness};
use abi::Errno;
use abi::raw::general::{EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLRDNORM};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use ready::Ready;
use sync::{Mutex, Rank, Registrations, Sleep, WaitError, WaitQueue};

/// The most epolls on a path from one into another (EP_MAX_NESTS, and the innermost).
const DEEPEST: u32 = 5;

/// What an item is found by: a descriptor's number, and something that tells open files apart.
pub type Key = (usize, u32);

/// An item with its places in its source's queues.
struct Entry<S: Source> {
    item: Arc<Item<S>>,
    /// Left when dropped; `None` while they are being joined.
    registrations: Option<Registrations>,
}

/// One epoll.
pub struct Epoll<S: Source> {
    this: Weak<Self>,
    entries: Mutex<BTreeMap<Key, Entry<S>>>,
    pub(crate) ready: Ready<S>,
    waiters: WaitQueue,
    readiness: Readiness,
    /// Epolls on the longest path that ever ended here.
    above: AtomicU32,
    /// The check that came by last, and how deep it was then.
    checked: AtomicU64,
}

/// One change of the graph of epolls at a time.
static NESTING: Mutex<u64> = Mutex::new(Rank::Namespace, 0);

impl<S: Source> Epoll<S> {
    pub fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            entries: Mutex::new(Rank::Pipe, BTreeMap::new()),
            ready: Ready::new(),
            waiters: WaitQueue::new(),
            readiness: Readiness::new(),
            above: AtomicU32::new(0),
            checked: AtomicU64::new(0),
        })
    }

    /// Adds an item. EEXIST; ENOMEM.
    pub fn add(&self, key: Key, source: S, interest: Interest) -> Result<Arc<Item<S>>, Errno> {
        let item = Arc::new(Item::new(self.this.clone(), source, interest));
        {
            let mut entries = self.entries.lock();
            if entries.contains_key(&key) {
                return Err(Errno::EEXIST);
            }
            self.ready.reserve(entries.len().saturating_add(1))?;
            entries.insert(key, Entry { item: item.clone(), registrations: None });
        }
        let mut registrations = Registrations::notifying(item.clone());
        let found = item.source.poll(Some(&mut registrations));
        // Removed meanwhile, the item leaves the queues again at once.
        let _left = match self.entries.lock().get_mut(&key).filter(|entry| Arc::ptr_eq(&entry.item, &item)) {
            Some(entry) => entry.registrations.replace(registrations),
            None => Some(registrations),
        };
        self.offer(&item, found);
        Ok(item)
    }

    /// Changes what an item waits for. ENOENT; EINVAL for an exclusive one.
    pub fn modify(&self, key: Key, interest: Interest) -> Result<(), Errno> {
        let item = self.entries.lock().get(&key).map(|entry| entry.item.clone()).ok_or(Errno::ENOENT)?;
        if self.ready.interest(&item).events & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        // Before the source is asked: whoever changes it afterwards finds the item interested.
        self.ready.change(&item, |item| item.set_interest(interest));
        self.offer(&item, item.source.poll(None));
        Ok(())
    }

    /// Takes an item away. ENOENT.
    pub fn remove(&self, key: Key) -> Result<Arc<Item<S>>, Errno> {
        let Entry { item, registrations } = self.entries.lock().remove(&key).ok_or(Errno::ENOENT)?;
        drop(registrations);
        self.ready.forget(&item);
        Ok(item)
    }

    /// The end: leaves all queues, calling `left` for each item.
    pub fn close(&self, mut left: impl FnMut(&Arc<Item<S>>)) {
        while let Some((_, Entry { item, registrations })) = { self.entries.lock().pop_first() } {
            drop(registrations);
            self.ready.forget(&item);
            left(&item);
        }
        // Those that are gone, and hold their sources.
        while self.ready.pop().is_some() {}
    }

    /// Puts an item on the list if what was found is of interest.
    fn offer(&self, item: &Arc<Item<S>>, found: Option<u32>) {
        if self.ready.interest(item).wanted(found) != 0 && self.ready.push(item) {
            self.waiters.wake_one();
            self.readiness.notify();
        }
    }

    /// An item's source has changed. Called under the source's queue, with interrupts off.
    pub(crate) fn tell(&self, item: &Arc<Item<S>>) {
        if self.ready.tell(item) {
            self.waiters.wake_one_inside();
            self.readiness.notify_inside();
        }
    }

    /// Reports up to `most` ready items to `report`, sleeping until `deadline` for the first. 0 after the deadline. An error
    /// from `report` ends it, and counts if it is the first.
    #[inline]
    pub fn wait(
        &self,
        most: usize,
        deadline: Option<u64>,
        mut report: impl FnMut(u32, u64) -> Result<(), Errno>,
    ) -> Result<usize, Failure> {
        let mut last = deadline == Some(0);
        loop {
            let count = self.harvest(most, &mut report)?;
            if count != 0 || last {
                return Ok(count);
            }
            last = !self.sleep(deadline)?;
        }
    }

    /// Sleeps until something is on the list; false after the deadline.
    #[cold]
    fn sleep(&self, deadline: Option<u64>) -> Result<bool, WaitError> {
        let listed = || (!self.ready.is_empty()).then_some(());
        match self.waiters.wait_exclusive(Sleep::Interruptible, deadline, listed) {
            Ok(()) => Ok(true),
            Err(WaitError::TimedOut) => Ok(false),
            Err(interrupted) => Err(interrupted),
        }
    }

    #[inline]
    fn harvest(&self, most: usize, report: &mut impl FnMut(u32, u64) -> Result<(), Errno>) -> Result<usize, Errno> {
        let (mut count, mut again, mut left) = (0, false, usize::MAX);
        while left > 0
            && let Some((item, interest, behind)) = self.ready.pop()
        {
            // Each item once: those that go back to the end are for the next wait.
            left = behind.min(left.saturating_sub(1));
            let found = interest.wanted(item.source.poll(None));
            if found != 0 {
                if let Err(error) = report(found, interest.data) {
                    self.ready.push(&item);
                    self.waiters.wake_one();
                    return if count == 0 { Err(error) } else { Ok(count) };
                }
                count += 1;
                if interest.events & EPOLLONESHOT != 0 {
                    self.ready.change(&item, Item::mute);
                } else if interest.events & EPOLLET == 0 {
                    again |= self.ready.push(&item);
                }
            }
            if count == most {
                again |= behind != 0;
                break;
            }
        }
        if again {
            // Somebody else may have found the list empty meanwhile.
            self.waiters.wake_one();
        }
        Ok(count)
    }

    /// Whether a wait would report something; joins the pollers first where `registrations` are given. ENOMEM.
    pub fn poll(&self, registrations: Option<&mut Registrations>) -> Result<u32, Errno> {
        if let Some(registrations) = registrations {
            self.readiness.register(registrations)?;
        }
        let mut left = usize::MAX;
        while left > 0
            && let Some((item, interest, behind)) = self.ready.pop()
        {
            left = behind.min(left.saturating_sub(1));
            if interest.wanted(item.source.poll(None)) != 0 {
                self.ready.push_first(&item);
                return Ok(EPOLLIN | EPOLLRDNORM);
            }
        }
        Ok(0)
    }

    /// Adds another epoll by `add`, if that makes neither a circle nor too long a path. ELOOP.
    pub fn nest<R>(&self, inner: &Self, add: impl FnOnce() -> Result<R, Errno>) -> Result<R, Errno> {
        let mut check = NESTING.lock();
        *check = check.wrapping_add(1);
        let above = self.above.load(Ordering::Relaxed).saturating_add(1);
        inner.check_below(self, above, *check)?;
        let added = add()?;
        inner.raise(above)?;
        Ok(added)
    }

    /// The epolls inside this one. ENOMEM. Sources are asked without the lock: one that is closed meanwhile ends here, and takes it.
    fn inner(&self) -> Result<Vec<Arc<Self>>, Errno> {
        let mut items = Vec::new();
        loop {
            let wanted = self.entries.lock().len();
            items.try_reserve(wanted).map_err(|_| Errno::ENOMEM)?;
            let entries = self.entries.lock();
            if entries.len() <= items.capacity() {
                items.extend(entries.values().map(|entry| entry.item.clone()));
                break;
            }
        }
        let mut found = Vec::new();
        for inner in items.iter().filter_map(|item| item.source.as_epoll()) {
            found.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            found.push(inner);
        }
        Ok(found)
    }

    /// `depth` is at most [`DEEPEST`], and so is the recursion; an epoll that can be reached in many ways is looked at once for each depth.
    fn check_below(&self, outer: &Self, depth: u32, check: u64) -> Result<(), Errno> {
        if core::ptr::eq(self, outer) || depth >= DEEPEST {
            return Err(Errno::ELOOP);
        }
        let stamp = check << 3 | u64::from(depth);
        if self.checked.fetch_max(stamp, Ordering::Relaxed) >= stamp {
            return Ok(());
        }
        self.inner()?.iter().try_for_each(|inner| inner.check_below(outer, depth.saturating_add(1), check))
    }

    fn raise(&self, above: u32) -> Result<(), Errno> {
        if self.above.fetch_max(above, Ordering::Relaxed) >= above {
            return Ok(());
        }
        self.inner()?.iter().try_for_each(|inner| inner.raise(above.saturating_add(1)))
    }
}

/// Events that are reported whether they are asked for or not.
pub(crate) const ALWAYS: u32 = EPOLLERR | EPOLLHUP;
