//! Waiting on many queues at once, for poll and epoll.
use crate::ambient;
use crate::thread::{Sleep, Thread};
use crate::wait::{Node, WaitError, WaitQueue};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};

/// Told when a queue is woken. Called under the queue's lock with interrupts off: wakes somebody, and no more. Whoever it wakes
/// by another queue takes that inside ([`WaitQueue::wake_one_inside`]).
pub trait Notify: Send + Sync {
    fn notify(self: Arc<Self>);
}

/// A wait queue that pollers can register with. Shared, so that a registration keeps it alive.
#[derive(Clone)]
pub struct PollQueue(Arc<WaitQueue>);

impl PollQueue {
    pub fn new() -> Self {
        Self(Arc::new(WaitQueue::new()))
    }
}

impl Default for PollQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for PollQueue {
    type Target = WaitQueue;

    fn deref(&self) -> &WaitQueue {
        &self.0
    }
}

struct PolledThread {
    thread: Arc<Thread>,
    triggered: AtomicBool,
}

impl Notify for PolledThread {
    fn notify(self: Arc<Self>) {
        self.triggered.store(true, Ordering::Release);
        ambient::wake(&self.thread);
    }
}

struct Registration {
    queue: PollQueue,
    node: Node,
}

// SAFETY: a registration's node has no thread of its own as target, and its links are followed and changed under the lock of the
// queue that it names only.
unsafe impl Send for Registration {}

/// The queues that one poll waits on; all are left when this is dropped.
pub struct Registrations {
    target: Arc<dyn Notify>,
    polled: Option<Arc<PolledThread>>,
    entries: Vec<Pin<Box<Registration>>>,
    /// A queue could not be joined.
    incomplete: bool,
}

impl Registrations {
    /// For a poll by the current thread over about `capacity` queues. `None` without memory.
    pub fn for_current(capacity: usize) -> Option<Self> {
        let polled = Arc::new(PolledThread { thread: Thread::current_shared(), triggered: AtomicBool::new(false) });
        let mut entries = Vec::new();
        entries.try_reserve(capacity).ok()?;
        Some(Self { target: polled.clone(), polled: Some(polled), entries, incomplete: false })
    }

    /// For a standing registration that tells `target`.
    pub fn notifying(target: Arc<dyn Notify>) -> Self {
        Self { target, polled: None, entries: Vec::new(), incomplete: false }
    }

    /// Joins a queue. False without memory.
    #[must_use]
    pub fn add(&mut self, queue: &PollQueue) -> bool {
        if self.entries.try_reserve(1).is_err() {
            self.incomplete = true;
            return false;
        }
        let mut entry = Box::pin(Registration { queue: queue.clone(), node: Node::notifying(self.target.clone()) });
        queue.attach(Self::node(entry.as_mut()));
        self.entries.push(entry);
        true
    }

    /// Whether every queue that was to be joined was: who sleeps on less may sleep for ever.
    pub fn is_complete(&self) -> bool {
        !self.incomplete
    }

    fn node(entry: Pin<&mut Registration>) -> Pin<&mut Node> {
        // SAFETY: structural pinning of a field that is never moved out.
        unsafe { entry.map_unchecked_mut(|entry| &mut entry.node) }
    }

    /// Sleeps until `ready` answers; it is asked again each time that one of the queues was woken.
    pub fn wait<R>(&self, deadline: Option<u64>, mut ready: impl FnMut() -> Option<R>) -> Result<R, WaitError> {
        let thread = ambient::current();
        loop {
            if let Some(polled) = &self.polled {
                polled.triggered.store(false, Ordering::Relaxed);
            }
            core::sync::atomic::fence(Ordering::SeqCst);
            if let Some(answer) = ready() {
                return Ok(answer);
            }
            loop {
                thread.prepare_to_sleep(Sleep::Interruptible);
                if self.polled.as_ref().is_some_and(|polled| polled.triggered.load(Ordering::Acquire)) {
                    thread.finish_sleep();
                    break;
                }
                if thread.is_interrupted(Sleep::Interruptible) {
                    thread.finish_sleep();
                    return Err(WaitError::Interrupted);
                }
                if deadline.is_some_and(|at| ambient::now() >= at) {
                    thread.finish_sleep();
                    return Err(WaitError::TimedOut);
                }
                ambient::schedule_until(deadline);
                thread.finish_sleep();
            }
        }
    }
}

impl Drop for Registrations {
    fn drop(&mut self) {
        for entry in &mut self.entries {
            let queue = entry.queue.clone();
            queue.detach(Self::node(entry.as_mut()));
        }
    }
}
