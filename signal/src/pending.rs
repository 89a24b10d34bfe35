//! Signals that were sent and not yet taken.
use crate::information::Information;
use crate::message::{Charge, Counter, Link, Message, Node};
use crate::number::Signal;
use crate::set::SignalSet;
use alloc::sync::Arc;
use core::fmt;

struct Single {
    signal: Signal,
    information: Information,
    charge: Charge,
}

/// The signals pending for a thread, or for a process.
#[derive(Default)]
pub struct Pending {
    set: SignalSet,
    /// A message in place: older than all in the list, since it is only put here while that is empty. So the usual case, one signal
    /// sent and taken, needs no memory.
    single: Option<Single>,
    /// For each signal with messages its oldest, in the order in which the signals came.
    first: Option<Link>,
}

impl Pending {
    pub const fn new() -> Self {
        Self { set: SignalSet::EMPTY, single: None, first: None }
    }

    pub fn set(&self) -> SignalSet {
        self.set
    }

    /// Whether one of its signals is not blocked.
    pub fn deliverable(&self, mask: SignalSet) -> bool {
        !(self.set & !mask).is_empty()
    }

    /// Queues a signal in the place for one. False: it takes a [`Message`], because the place is taken or the limit (as for
    /// [`Message::new`]) reached. A signal that would come to nothing anyway counts as queued.
    #[inline]
    #[must_use]
    pub fn put(&mut self, signal: Signal, information: &Information, counter: &Arc<Counter>, limit: u64) -> bool {
        if self.refuses(signal) {
            return true;
        }
        if self.single.is_some() || self.first.is_some() || signal == Signal::KILL {
            return false;
        }
        let Some(charge) = Charge::for_message(signal, information, counter, limit) else { return false };
        self.set.insert(signal);
        self.single = Some(Single { signal, information: *information, charge });
        true
    }

    /// Whether a message would come to nothing: its signal is pending already and is not a real-time signal.
    fn refuses(&self, signal: Signal) -> bool {
        !signal.is_real_time() && self.set.contains(signal)
    }

    /// Queues a message. Gives it back, to be dropped outside the lock, when its signal is pending already and is not a
    /// real-time signal.
    pub fn add(&mut self, message: Message) -> Result<(), Message> {
        if self.refuses(message.signal()) {
            return Err(message);
        }
        let (signal, link) = message.into_parts();
        self.set.insert(signal);
        if let Some(link) = link {
            self.append(link);
        }
        Ok(())
    }

    /// Marks a signal as pending without information: SIGKILL to every thread when a process ends.
    pub fn mark(&mut self, signal: Signal) {
        self.set.insert(signal);
    }

    fn append(&mut self, mut link: Link) {
        let signal = link[0].signal;
        let mut place = &mut self.first;
        while let Some(node) = place {
            let [node] = &mut **node;
            if node.signal == signal {
                link[0].next = node.newer.take();
                node.newer = Some(link);
                return;
            }
            place = &mut node.next;
        }
        *place = Some(link);
    }

    /// Takes the oldest message of a signal in the set. The second part is the message's memory, to be dropped outside the lock.
    fn take(&mut self, signal: Signal) -> (Information, Spent) {
        if let Some(single) = self.single.take_if(|single| single.signal == signal) {
            if !self.is_in_list(signal) {
                self.set.remove(signal);
            }
            return (single.information, Spent { charge: Some(single.charge), link: None });
        }
        let (information, link) = self.take_from_list(signal);
        (information, Spent { charge: None, link })
    }

    fn is_in_list(&self, signal: Signal) -> bool {
        self.first_messages().any(|node| node.signal == signal)
    }

    fn first_messages(&self) -> impl Iterator<Item = &Node> {
        core::iter::successors(self.first.as_deref(), |[node]| node.next.as_deref()).map(|[node]| node)
    }

    fn take_from_list(&mut self, signal: Signal) -> (Information, Option<Link>) {
        let mut place = &mut self.first;
        while place.as_ref().is_some_and(|link| link[0].signal != signal) {
            match place {
                Some(link) => place = &mut link[0].next,
                None => break,
            }
        }
        let Some(mut link) = place.take() else {
            self.set.remove(signal);
            return (Information::LOST, None);
        };
        let [node] = &mut *link;
        *place = match promote(node) {
            Some(heir) => Some(heir),
            None => {
                self.set.remove(signal);
                node.next.take()
            }
        };
        (node.information, Some(link))
    }

    /// Removes all signals of `set`. Drop the result outside the lock.
    pub fn flush(&mut self, set: SignalSet) -> Discarded {
        let mut discarded = Discarded::default();
        if (self.set & set).is_empty() {
            return discarded;
        }
        self.set = self.set & !set;
        discarded.single = self.single.take_if(|single| set.contains(single.signal)).map(|single| single.charge);
        let mut place = &mut self.first;
        while place.is_some() {
            if place.as_ref().is_some_and(|link| set.contains(link[0].signal)) {
                if let Some(mut link) = place.take() {
                    *place = link[0].next.take();
                    discarded.push(link);
                }
            } else if let Some(link) = place {
                place = &mut link[0].next;
            }
        }
        discarded
    }

    /// The first fault among the unblocked signals: a synchronous one that the kernel sent.
    fn first_fault(&self, mask: SignalSet) -> Option<Signal> {
        let wanted = self.set & !mask & SignalSet::SYNCHRONOUS;
        if wanted.is_empty() {
            return None;
        }
        let single = self.single.iter().map(|single| (single.signal, single.information.code()));
        single
            .chain(self.first_messages().map(|node| (node.signal, node.information.code())))
            .find(|&(signal, code)| wanted.contains(signal) && code > 0)
            .map(|(signal, _)| signal)
    }

    fn next(&self, mask: SignalSet) -> Option<Signal> {
        let ready = self.set & !mask;
        let faults = ready & SignalSet::SYNCHRONOUS;
        faults.first().or_else(|| ready.first())
    }
}

/// The next message of the queue whose first is `node`, in its place.
fn promote(node: &mut Node) -> Option<Link> {
    if node.older.is_none() {
        // Turned around once per message: cheap on average, and never more than RLIMIT_SIGPENDING.
        let mut newer = node.newer.take();
        while let Some(mut link) = newer {
            newer = link[0].next.take();
            link[0].next = node.older.take();
            node.older = Some(link);
        }
    }
    let mut heir = node.older.take()?;
    let [new] = &mut *heir;
    new.older = new.next.take();
    new.newer = node.newer.take();
    new.next = node.next.take();
    Some(heir)
}

/// Takes the next signal for a thread out of its own and its process's pending signals, leaving those of `mask`.
///
/// Linux's order: faults, oldest first, so that the frame shows the faulting instruction; then the thread's own signals
/// before the process's, faults' signals first, then by number. The last part is to be dropped outside the lock.
pub fn dequeue(thread: &mut Pending, process: &mut Pending, mask: SignalSet) -> Option<(Signal, Information, Spent)> {
    let own = thread.first_fault(mask).or_else(|| thread.next(mask));
    let (signal, pending) = match own {
        Some(signal) => (signal, thread),
        None => (process.next(mask)?, process),
    };
    let (information, spent) = pending.take(signal);
    Some((signal, information, spent))
}

/// What is left of a message that was taken, to be dropped where no lock is held.
#[must_use = "drop it after the lock"]
pub struct Spent {
    #[expect(dead_code, reason = "held for its drop")]
    charge: Option<Charge>,
    #[expect(dead_code, reason = "held for its drop")]
    link: Option<Link>,
}

impl fmt::Debug for Spent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Spent")
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        drop(self.flush(SignalSet::ALL));
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(formatter)
    }
}

/// Messages that were removed, to be dropped where no lock is held.
#[derive(Default)]
#[must_use = "drop it after the lock"]
pub struct Discarded {
    single: Option<Charge>,
    first: Option<Link>,
}

impl Discarded {
    fn push(&mut self, mut link: Link) {
        link[0].next = self.first.take();
        self.first = Some(link);
    }

    /// Takes over what `other` holds.
    pub fn append(&mut self, mut other: Self) {
        while let Some(mut link) = other.first.take() {
            other.first = link[0].next.take();
            self.push(link);
        }
        self.single = self.single.take().or(other.single.take());
    }
}

impl Drop for Discarded {
    #[inline]
    fn drop(&mut self) {
        if self.first.is_some() {
            self.drop_chain();
        }
    }
}

impl Discarded {
    /// One by one: chains are as long as RLIMIT_SIGPENDING, and nested drops would overflow the kernel stack.
    #[cold]
    fn drop_chain(&mut self) {
        while let Some(mut link) = self.first.take() {
            let [node] = &mut *link;
            self.first = node.next.take();
            for mut queue in [node.older.take(), node.newer.take()] {
                while let Some(mut link) = queue {
                    queue = link[0].next.take();
                }
            }
        }
    }
}

impl fmt::Debug for Discarded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Discarded")
    }
}
