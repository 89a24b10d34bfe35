//! A signal on its way, with its information, made by the sender.
use crate::information::Information;
use crate::number::Signal;
use abi::Errno;
use abi::raw::general as raw;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

/// Messages queued for the processes of one user, for RLIMIT_SIGPENDING.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// How many there are (`SigQ` in `/proc/PID/status`).
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One count, given back when dropped.
pub(crate) struct Charge(Arc<Counter>);

impl Charge {
    /// None where the message would be over the limit.
    #[inline]
    pub(crate) fn for_message(
        signal: Signal,
        information: &Information,
        counter: &Arc<Counter>,
        limit: u64,
    ) -> Option<Self> {
        let exempt = !signal.is_real_time() && information.code() >= 0;
        Self::take(counter, (!exempt).then_some(limit))
    }

    #[inline]
    fn take(counter: &Arc<Counter>, limit: Option<u64>) -> Option<Self> {
        let before = counter.0.fetch_add(1, Ordering::Relaxed);
        let charge = Self(counter.clone());
        limit.is_none_or(|limit| before < limit).then_some(charge)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) struct Node {
    pub signal: Signal,
    pub information: Information,
    /// In a [`Pending`](crate::Pending)'s list: the next signal's first message. Elsewhere: the next message.
    pub next: Option<Link>,
    /// On a first message only: the rest of its signal's queue, oldest first …
    pub older: Option<Link>,
    /// … and after that, newest first.
    pub newer: Option<Link>,
    #[expect(dead_code, reason = "held for its drop")]
    charge: Charge,
}

/// A box of one: stable Rust makes no plain box fallibly, but a vector, and this out of it.
pub(crate) type Link = Box<[Node; 1]>;

/// A signal to be queued, with memory for it. Carries nothing but the number where the information may be lost.
pub struct Message {
    signal: Signal,
    node: Option<Link>,
}

impl Message {
    /// Makes one for a process of the user whose counter is given, which has `limit` as RLIMIT_SIGPENDING.
    ///
    /// Over the limit, or without memory: EAGAIN for a real-time signal that someone else than `kill(2)` and `tgkill(2)` sends;
    /// else the information is lost. Standard signals from the kernel or `kill` do not heed the limit. Not under the lock.
    pub fn new(signal: Signal, information: Information, counter: &Arc<Counter>, limit: u64) -> Result<Self, Errno> {
        if signal == Signal::KILL {
            return Ok(Self::without_information(signal));
        }
        let node = Charge::for_message(signal, &information, counter, limit)
            .and_then(|charge| allocate(Node { signal, information, next: None, older: None, newer: None, charge }));
        if node.is_none() && signal.is_real_time() && information.code() != raw::SI_USER as i32 {
            return Err(Errno::EAGAIN);
        }
        Ok(Self { signal, node })
    }

    /// One that never fails.
    pub fn without_information(signal: Signal) -> Self {
        Self { signal, node: None }
    }

    pub fn signal(&self) -> Signal {
        self.signal
    }

    pub(crate) fn into_parts(self) -> (Signal, Option<Link>) {
        (self.signal, self.node)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let information = self.node.as_ref().map(|node| &node[0].information);
        write!(formatter, "{:?} {information:?}", self.signal)
    }
}

fn allocate(node: Node) -> Option<Link> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(1).ok()?;
    vector.push(node);
    vector.try_into().ok()
}
