//! One descriptor of interest.
use super::{ALWAYS, Epoll};
use abi::raw::general::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::AtomicBool;
use sync::{InterruptsOff, Notify, Rank, Registrations, SpinLock};

/// What an item asks for readiness.
pub trait Source: Send + Sync + Sized + 'static {
    /// The poll mask; joins queues where `registrations` are given. `None` where the file is closed. May sleep.
    fn poll(&self, registrations: Option<&mut Registrations>) -> Option<u32>;

    /// The epoll that it is, if it is one.
    fn as_epoll(&self) -> Option<Arc<Epoll<Self>>>;
}

/// `struct epoll_event`: what to wait for, and what to say then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    pub events: u32,
    pub data: u64,
}

/// Bits that say how to wait, not for what.
const MANNERS: u32 = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;

/// One descriptor of interest.
pub struct Item<S: Source> {
    epoll: Weak<Epoll<S>>,
    pub source: S,
    interest: SpinLock<Interest, InterruptsOff>,
    /// On the ready list; changed under its lock.
    pub(super) queued: AtomicBool,
    /// Taken away; changed under the ready list's lock.
    pub(super) gone: AtomicBool,
}

impl<S: Source> Item<S> {
    pub(super) fn new(epoll: Weak<Epoll<S>>, source: S, interest: Interest) -> Self {
        Self {
            epoll,
            source,
            interest: SpinLock::new(Rank::Leaf, interest),
            queued: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    pub fn interest(&self) -> Interest {
        *self.interest.lock()
    }

    /// The epoll that it belongs to, while there is one.
    pub fn epoll(&self) -> Option<Arc<Epoll<S>>> {
        self.epoll.upgrade()
    }

    pub(super) fn set_interest(&self, interest: Interest) {
        *self.interest.lock() = interest;
    }

    /// After a one-shot event: nothing, until it is modified.
    pub(super) fn mute(&self) {
        self.interest.lock().events &= MANNERS;
    }

    /// What of `found` is to be reported.
    pub(super) fn wanted(&self, found: Option<u32>) -> u32 {
        self.interest().wanted(found)
    }
}

impl Interest {
    /// What of `found` is to be reported.
    pub(super) fn wanted(self, found: Option<u32>) -> u32 {
        let events = self.events;
        if events & !MANNERS == 0 { 0 } else { found.unwrap_or(0) & (events | ALWAYS) & !MANNERS }
    }
}

impl<S: Source> Item<S> {
    fn is_mute(&self) -> bool {
        self.interest().events & !MANNERS == 0
    }
}

/// What the queues of the source tell. The epoll outlives this: its end leaves the queues first, each under its lock.
impl<S: Source> Notify for Item<S> {
    fn notify(self: Arc<Self>) {
        if !self.is_mute()
            && let Some(epoll) = self.epoll.upgrade()
        {
            epoll.tell(&self);
        }
    }
}
