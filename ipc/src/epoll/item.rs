//! One descriptor of interest.
use super::{ALWAYS, Epoll};
use abi::raw::general::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use sync::{Notify, Registrations};

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
    /// The interest; both are read and changed under the ready list's lock, so that they belong together.
    events: AtomicU32,
    data: AtomicU64,
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
            events: AtomicU32::new(interest.events),
            data: AtomicU64::new(interest.data),
            queued: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// The interest, as of one moment if the ready list is locked.
    #[inline]
    pub(super) fn interest(&self) -> Interest {
        Interest { events: self.events.load(Ordering::Relaxed), data: self.data.load(Ordering::Relaxed) }
    }

    /// The epoll that it belongs to, while there is one.
    pub fn epoll(&self) -> Option<Arc<Epoll<S>>> {
        self.epoll.upgrade()
    }

    /// Under the ready list's lock.
    pub(super) fn set_interest(&self, interest: Interest) {
        self.events.store(interest.events, Ordering::Relaxed);
        self.data.store(interest.data, Ordering::Relaxed);
    }

    /// After a one-shot event: nothing, until it is modified. Under the ready list's lock.
    pub(super) fn mute(&self) {
        self.events.store(self.events.load(Ordering::Relaxed) & MANNERS, Ordering::Relaxed);
    }

    pub(super) fn is_mute(&self) -> bool {
        self.events.load(Ordering::Relaxed) & !MANNERS == 0
    }
}

impl Interest {
    /// What of `found` is to be reported.
    pub(super) fn wanted(self, found: Option<u32>) -> u32 {
        let events = self.events;
        if events & !MANNERS == 0 { 0 } else { found.unwrap_or(0) & (events | ALWAYS) & !MANNERS }
    }
}

/// What the queues of the source tell. The epoll outlives this: its end leaves the queues first, each under its lock.
impl<S: Source> Notify for Item<S> {
    fn notify(self: Arc<Self>) {
        if let Some(epoll) = self.epoll.upgrade() {
            epoll.tell(&self);
        }
    }
}
