//! Wait queues.
//!
//! A waiter links a node on its own stack, announces that it sleeps, looks at its condition, and gives the CPU away. A
//! waker changes the condition *before* it looks at the queue. Either the waiter sees the condition, or the waker sees the
//! node. The queue's lock orders "woken" against "gone": a node is unlinked under it, so a waker never follows a dangling
//! pointer.
//!
//! A waker that finds the queue empty does not take the lock: most changes have nobody who waits for them. The look is fenced on
//! both sides (a waiter's after it has linked its node), so that one of the two sees the other.
use crate::ambient;
use crate::atomic_context::InterruptsOff;
use crate::poll::Notify;
use crate::rank::Rank;
use crate::spin::{SpinGuard, SpinLock};
use crate::thread::{Sleep, Thread};
use alloc::sync::Arc;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};

/// Why a wait ended without its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// A signal (or, for a killable wait, a fatal one) is pending.
    Interrupted,
    /// The deadline has come.
    TimedOut,
}

/// Threads (and pollers) that wait for something. Wakes from any context but NMI.
pub struct WaitQueue {
    /// The first node; changed and followed only under the lock, but anybody may look whether there is one.
    first: AtomicPtr<Node>,
    list: SpinLock<Last, InterruptsOff>,
}

/// The last node, and the right to follow and change the links.
struct Last(*mut Node);

// SAFETY: nodes are reached only under the queue's lock, and unlink themselves before they die.
unsafe impl Send for Last {}

enum Target {
    Thread(NonNull<Thread>),
    Notify(Arc<dyn Notify>),
}

/// One entry of a queue. Linked means: reachable from the list under its lock.
pub(crate) struct Node {
    next: *mut Node,
    previous: *mut Node,
    linked: bool,
    exclusive: bool,
    woken: AtomicBool,
    target: Target,
    _pinned: PhantomPinned,
}

impl Node {
    fn new(target: Target, exclusive: bool) -> Self {
        Self {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            linked: false,
            exclusive,
            woken: AtomicBool::new(false),
            target,
            _pinned: PhantomPinned,
        }
    }

    pub(crate) fn notifying(target: Arc<dyn Notify>) -> Self {
        Self::new(Target::Notify(target), false)
    }
}

impl WaitQueue {
    pub const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()), list: SpinLock::new(Rank::WaitQueue, Last(ptr::null_mut())) }
    }

    unsafe fn append(&self, last: &mut Last, node: *mut Node) {
        // SAFETY: the caller holds the lock and owns the node, which is not linked.
        unsafe {
            (*node).previous = last.0;
            (*node).next = ptr::null_mut();
            (*node).linked = true;
            if last.0.is_null() { self.first.store(node, Ordering::Relaxed) } else { (*last.0).next = node }
        }
        last.0 = node;
    }

    unsafe fn remove(&self, last: &mut Last, node: *mut Node) {
        // SAFETY: the caller holds the lock; the node and its neighbours are linked and so alive.
        unsafe {
            let (previous, next) = ((*node).previous, (*node).next);
            if previous.is_null() {
                self.first.store(next, Ordering::Relaxed)
            } else {
                (*previous).next = next
            }
            if next.is_null() {
                last.0 = previous
            } else {
                (*next).previous = previous
            }
            (*node).linked = false;
        }
    }

    /// Wakes one exclusive waiter, and all others in front of it.
    #[inline]
    pub fn wake_one(&self) {
        self.wake(1);
    }

    /// [`WaitQueue::wake_one`] from within [`Notify::notify`], where another queue is locked. Queues that tell each other so are in an order
    /// without circles, which is the caller's to see to.
    #[inline]
    pub fn wake_one_inside(&self) {
        if !self.is_empty() {
            self.wake_linked(self.list.lock_inside(), 1);
        }
    }

    /// [`WaitQueue::wake_all`] in the same place.
    #[inline]
    pub fn wake_all_inside(&self) {
        if !self.is_empty() {
            self.wake_linked(self.list.lock_inside(), usize::MAX);
        }
    }

    /// Wakes up to `count` exclusive waiters; answers how many waiters it woke.
    pub fn wake_many(&self, count: usize) -> usize {
        self.wake(count)
    }

    /// Wakes every waiter.
    #[inline]
    pub fn wake_all(&self) {
        self.wake(usize::MAX);
    }

    /// Whether nobody waits. A look without the lock, ordered after the caller's change of the condition.
    #[inline]
    pub fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.first.load(Ordering::Relaxed).is_null()
    }

    #[inline]
    fn wake(&self, exclusive: usize) -> usize {
        if self.is_empty() { 0 } else { self.wake_linked(self.list.lock(), exclusive) }
    }

    #[inline(never)]
    fn wake_linked(&self, mut list: SpinGuard<'_, Last, InterruptsOff>, mut exclusive: usize) -> usize {
        let mut node = self.first.load(Ordering::Relaxed);
        let mut woken = 0;
        while !node.is_null() && exclusive > 0 {
            // SAFETY: linked nodes are alive while the lock is held.
            unsafe {
                let next = (*node).next;
                exclusive -= usize::from((*node).exclusive);
                woken += 1;
                self.wake_node(&mut list, node);
                node = next;
            }
        }
        woken
    }

    unsafe fn wake_node(&self, last: &mut Last, node: *mut Node) {
        // SAFETY: the caller gives a linked node under the lock. A thread's node is unlinked *before* `woken` is
        // published; its thread cannot leave before it has taken this lock.
        unsafe {
            match &(*node).target {
                Target::Thread(thread) => {
                    let thread = *thread;
                    self.remove(last, node);
                    (*node).woken.store(true, Ordering::Release);
                    ambient::wake(thread.as_ref());
                }
                Target::Notify(target) => target.clone().notify(),
            }
        }
    }

    /// Sleeps until `condition` is true, whatever signals come.
    pub fn wait_until(&self, mut condition: impl FnMut() -> bool) {
        let answer = self.wait(Sleep::Uninterruptible, None, || condition().then_some(()));
        debug_assert!(answer.is_ok());
    }

    /// Sleeps until `condition` is true or a signal is pending.
    pub fn wait_interruptible(&self, mut condition: impl FnMut() -> bool) -> Result<(), WaitError> {
        self.wait(Sleep::Interruptible, None, || condition().then_some(()))
    }

    /// Sleeps until `condition` answers, as `sleep` says, no longer than `deadline` (in nanoseconds of [`crate::now`]).
    /// The condition is called with no lock held, possibly often. All such waiters are woken together.
    pub fn wait<R>(
        &self,
        sleep: Sleep,
        deadline: Option<u64>,
        condition: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        self.wait_as(sleep, deadline, false, condition)
    }

    /// As [`WaitQueue::wait`], but a wake-up is for one such waiter at a time.
    pub fn wait_exclusive<R>(
        &self,
        sleep: Sleep,
        deadline: Option<u64>,
        condition: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        self.wait_as(sleep, deadline, true, condition)
    }

    fn wait_as<R>(
        &self,
        sleep: Sleep,
        deadline: Option<u64>,
        exclusive: bool,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        if let Some(answer) = condition() {
            return Ok(answer);
        }
        ambient::might_sleep();
        let thread = ambient::current();
        let mut waiter = core::pin::pin!(Waiter {
            queue: self,
            node: Node::new(Target::Thread(NonNull::from(&*thread)), exclusive)
        });
        loop {
            // In this order: whoever finds the node finds a thread that can be woken. The other way round, a waker in
            // between takes the node away and wakes nobody; if its gift then goes to somebody else, nobody comes again.
            thread.prepare_to_sleep(sleep);
            waiter.as_mut().link();
            let outcome = match condition() {
                Some(answer) => Some(Ok(answer)),
                None if thread.is_interrupted(sleep) => Some(Err(WaitError::Interrupted)),
                None if deadline.is_some_and(|at| ambient::now() >= at) => Some(Err(WaitError::TimedOut)),
                None => None,
            };
            if let Some(outcome) = outcome {
                thread.finish_sleep();
                let consumed = waiter.as_mut().unlink();
                // A wake-up meant for one, which this waiter does not use, goes on to the next.
                if outcome.is_err() && consumed && exclusive {
                    self.wake_one();
                }
                return outcome;
            }
            ambient::schedule_until(deadline);
            thread.finish_sleep();
        }
    }

    /// Links a node that outlives its stay: [`WaitQueue::detach`] comes before its end.
    pub(crate) fn attach(&self, node: Pin<&mut Node>) {
        let mut list = self.list.lock();
        // SAFETY: pinned, not linked yet, and unlinked by its owner before it is dropped.
        unsafe { self.append(&mut list, Pin::get_unchecked_mut(node)) };
        drop(list);
        fence(Ordering::SeqCst);
    }

    /// Unlinks a node if it is linked.
    pub(crate) fn detach(&self, node: Pin<&mut Node>) {
        let mut list = self.list.lock();
        // SAFETY: under the lock of the queue that it was linked to.
        unsafe {
            let node = Pin::get_unchecked_mut(node);
            if node.linked {
                self.remove(&mut list, node);
            }
        }
    }
}

impl core::fmt::Debug for WaitQueue {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(if self.is_empty() { "WaitQueue(empty)" } else { "WaitQueue(waiters)" })
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

/// A node on the waiter's stack; unlinked at the latest when it is dropped.
struct Waiter<'a> {
    queue: &'a WaitQueue,
    node: Node,
}

impl Waiter<'_> {
    fn node(self: Pin<&mut Self>) -> Pin<&mut Node> {
        // SAFETY: structural pinning of a field that is never moved out.
        unsafe { self.map_unchecked_mut(|waiter| &mut waiter.node) }
    }

    fn link(mut self: Pin<&mut Self>) {
        let mut list = self.queue.list.lock();
        // SAFETY: under the lock; the node is ours and pinned.
        unsafe {
            let node: *mut Node = Pin::get_unchecked_mut(self.as_mut().node());
            if !(*node).linked {
                (*node).woken.store(false, Ordering::Relaxed);
                self.queue.append(&mut list, node);
            }
        }
        drop(list);
        fence(Ordering::SeqCst);
    }

    /// True where a waker had unlinked the node already.
    fn unlink(mut self: Pin<&mut Self>) -> bool {
        let queue = self.queue;
        queue.detach(self.as_mut().node());
        self.node.woken.load(Ordering::Acquire)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // SAFETY: a pinned value in its drop is not moved any more.
        let pinned = unsafe { Pin::new_unchecked(self) };
        pinned.unlink();
    }
}
