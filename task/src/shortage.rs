//! When memory has run out: who is ended, so that the others go on (Linux's mm/oom_kill.c).
//!
//! There is nothing to write back and nowhere to swap to: memory comes back when a program ends. It is noticed in three places. A page
//! fault that finds no frame asks here before it is tried again. So does an allocation of the kernel's own that may sleep
//! ([`memory::heap`]). And whoever took a page out of the reserve where it could not sleep is marked ([`work::SHORTAGE`]) and
//! comes here on its way back to user mode.
//!
//! The process with the most resident pages ends, never PID 1. One at a time: while it is on its way out, everybody who is short
//! waits for it, a tick at a time. A process that was chosen may use the reserve up to its end.
use crate::process::Process;
use crate::task::{NAME_LENGTH, Task};
use crate::tree::{self, Pid};
use abi::raw::general::SIGKILL;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use memory::counters::{Counter, count};
use sync::thread::work;
use sync::{Sleep, Thread};

/// Ticks of waiting for one victim before another is chosen.
const PATIENCE: u32 = 250;
/// One wait, in nanoseconds.
const TICK: u64 = 4_000_000;

/// The process that is being ended for its memory; 0 for none.
static VICTIM: AtomicU32 = AtomicU32::new(0);

/// Sees to it that memory comes back; false where the caller itself is to end. Process context, no locks.
pub(crate) fn relieve(task: &Task) -> bool {
    if is_ending(task) {
        return false;
    }
    let last = VICTIM.load(Ordering::Relaxed);
    let on_its_way = last != 0 && tree::find_process(last).is_some_and(|process| !process.is_zombie());
    let victim = if on_its_way { last } else { choose() };
    if victim == 0 {
        return wait_for_the_chosen(task);
    }
    if victim == task.process.pid {
        return false;
    }
    for _ in 0..PATIENCE {
        if !memory::zones::is_short() {
            // Perhaps it has not gone yet; then it is who is waited for next time.
            return true;
        }
        if tree::find_process(victim).is_none_or(|process| process.is_zombie()) {
            break;
        }
        let _ = sync::park(Sleep::Killable, Some(sync::now() + TICK), || None::<()>);
        if is_ending(task) {
            return false;
        }
    }
    let _ = VICTIM.compare_exchange(victim, 0, Ordering::Relaxed, Ordering::Relaxed);
    true
}

/// All but PID 1 are on their way out. Where nobody is, the kernel gives up.
fn wait_for_the_chosen(task: &Task) -> bool {
    let mut others = false;
    tree::each_task(|other| others |= other.process.pid != tree::INIT && !other.is_kernel_thread());
    assert!(others, "System is deadlocked on memory");
    let _ = sync::park(Sleep::Killable, Some(sync::now() + TICK), || None::<()>);
    !is_ending(task)
}

/// Gives back all that is kept for its next use, but for caches of files. Process context, under no spinlock.
pub fn give_back_kept() {
    crate::futexes::give_back();
    scheduler::give_back_kept();
}

fn is_ending(task: &Task) -> bool {
    task.signals.ending.load(Ordering::Acquire)
}

/// Chooses whoever has most, and kills it; its number, or 0 where nobody is left but PID 1.
fn choose() -> Pid {
    let mut most: Option<(usize, Arc<Process>, [u8; NAME_LENGTH])> = None;
    tree::each_task(|task| {
        let Some(pages) = task.space().map(|space| space.resident_pages()) else { return };
        let chosen = task.process.chosen_in_shortage.load(Ordering::Relaxed);
        if !chosen && task.process.pid != tree::INIT && most.as_ref().is_none_or(|(found, ..)| pages > *found) {
            most = Some((pages, task.process.clone(), task.name()));
        }
    });
    let Some((pages, process, name)) = most else { return 0 };
    if VICTIM.compare_exchange(0, process.pid, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        // Somebody else chose at the same time.
        return VICTIM.load(Ordering::Relaxed);
    }
    process.chosen_in_shortage.store(true, Ordering::Relaxed);
    count(Counter::OutOfMemory, 1);
    klog::error!(
        "Out of memory: Killed process {} ({}) anon-rss:{}kB, UID:{}",
        process.pid,
        DisplayName(name),
        pages * (memory::PAGE_SIZE / 1024),
        process.uid.load(Ordering::Relaxed)
    );
    let _ = crate::signals::send_to_process(&process, SIGKILL, crate::signals::Information::kernel());
    process.pid
}

/// The kernel's own allocations wait here.
pub struct Killer;

impl memory::heap::Relief for Killer {
    fn relieve(&self) -> bool {
        Thread::with_local(relieve).unwrap_or_else(|| {
            // A thread of the kernel's: others see to it.
            let _ = sync::park(Sleep::Killable, Some(sync::now() + TICK), || None::<()>);
            true
        })
    }
}

/// On the way to user mode, after memory came out of the reserve.
pub(crate) fn after_reserve(task: &Task) {
    if let Some(thread) = task.thread() {
        thread.remove_work(work::SHORTAGE);
    }
    if memory::zones::is_short() {
        relieve(task);
    }
}

/// A name for the log.
struct DisplayName([u8; NAME_LENGTH]);

impl core::fmt::Display for DisplayName {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        formatter.write_str(core::str::from_utf8(&self.0[..end]).unwrap_or("?"))
    }
}
