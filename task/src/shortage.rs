//! When memory has run out: what is given back, and who is ended, so that the others go on (Linux's mm/oom_kill.c).
//!
//! There is nothing to write back and nowhere to swap to. Dentries that nobody uses and what CPUs keep for its next use are given back
//! first; then memory comes back when a program ends. It is noticed in three places. A page fault that finds no frame asks here before it
//! is tried again. So does an allocation of the kernel's own that may sleep ([`memory::heap`]). And whoever took a page out of the
//! reserve where it could not sleep is marked ([`work::SHORTAGE`]) and comes here on its way back to user mode.
//!
//! The process of the highest [`badness`] ends, never PID 1. One at a time: while it is on its way out, everybody who is short
//! waits for it, a tick at a time. A process that was chosen may use the reserve up to its end.
//!
//! Dentries are looked for only where the caller holds nothing: dropping one may take locks of its file system.
use crate::task::{NAME_LENGTH, Task};
use crate::tree::{self, Pid};
use abi::raw::general::SIGKILL;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use memory::counters::{Counter, count};
use memory::heap::{Relief, Relieved};
use sync::thread::work;
use sync::{Once, Sleep, Thread};
use vfs::Vfs;

/// Ticks of waiting for one victim before another is chosen.
const PATIENCE: u32 = 250;
/// One wait, in nanoseconds.
const TICK: u64 = 4_000_000;

/// The process that is being ended for its memory; 0 for none.
static VICTIM: AtomicU32 = AtomicU32::new(0);

/// When what is kept was last given back.
static GIVEN_BACK: AtomicU64 = AtomicU64::new(0);

/// What the caller of [`relieve`] may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Nothing: it comes from user mode, or is on its way there.
    Nothing,
    /// Locks that may be held while sleeping.
    Locks,
}

/// Sees to it that memory comes back; false where the caller itself is to end. Process context, no spinlocks.
pub(crate) fn relieve(task: &Task, holding: Holding) -> bool {
    if is_ending(task) {
        return false;
    }
    let last = VICTIM.load(Ordering::Relaxed);
    let on_its_way = last != 0 && tree::find_process(last).is_some_and(|process| !process.is_zombie());
    if !on_its_way && gives_back_enough(holding) {
        return true;
    }
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

/// All that may be ended are on their way out. Where nobody is, the kernel gives up.
fn wait_for_the_chosen(task: &Task) -> bool {
    let others = tree::any_task(|other| {
        let adjustment = other.process.oom_score_adjustment.load(Ordering::Relaxed);
        other.process.chosen_in_shortage.load(Ordering::Relaxed)
            || other.process.pid != tree::INIT && !other.is_kernel_thread() && adjustment != NEVER
    });
    assert!(others, "System is deadlocked on memory");
    let _ = sync::park(Sleep::Killable, Some(sync::now() + TICK), || None::<()>);
    !is_ending(task)
}

static FILES: Once<Arc<Vfs>> = Once::new();

/// Says whose dentries and inodes may be dropped. Once.
pub fn set_files(vfs: Arc<Vfs>) {
    let _ = FILES.set(vfs);
}

/// Gives back what can be had without harm to anybody. True where memory is not short any more.
fn gives_back_enough(holding: Holding) -> bool {
    if holding == Holding::Nothing
        && let Some(files) = FILES.get()
    {
        files.shrink();
    }
    // All that are short come here, tick by tick, and one look after what is kept serves them all.
    let now = sync::now();
    let last = GIVEN_BACK.load(Ordering::Relaxed);
    if now >= last + TICK && GIVEN_BACK.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        give_back_kept();
        GIVEN_BACK.store(sync::now(), Ordering::Relaxed);
    }
    !memory::zones::is_short()
}

/// Whether there is memory for something new, perhaps after some was given back. Process context, no locks.
pub(crate) fn has_room() -> bool {
    !memory::zones::is_short() || gives_back_enough(Holding::Nothing)
}

/// Gives back all that is kept for its next use, but for caches of files. Process context, under no spinlock.
pub fn give_back_kept() {
    crate::futexes::give_back();
    crate::tree::give_back();
    scheduler::give_back_kept();
}

fn is_ending(task: &Task) -> bool {
    task.signals.ending.load(Ordering::Acquire)
}

/// `oom_score_adj` of processes that are never chosen.
pub const NEVER: i32 = -1000;

/// How much is won by ending the task's process: its pages and those of its page tables, and a thousandth of all memory for each point of
/// `oom_score_adj`. `None` where it may not be ended: PID 1, [`NEVER`], a task without memory of its own (it has ended, or is a vfork's
/// child). (oom_badness in Linux's mm/oom_kill.c.)
pub fn badness(task: &Task) -> Option<i64> {
    let adjustment = task.process.oom_score_adjustment.load(Ordering::Relaxed);
    if task.process.pid == tree::INIT || adjustment == NEVER || task.vfork_done.lock().is_some() {
        return None;
    }
    let space = task.space()?;
    let pages = space.resident_pages() + space.pages().table().table_pages();
    Some(pages as i64 + i64::from(adjustment) * (total_pages() / 1000))
}

/// Pages that there are for all.
pub fn total_pages() -> i64 {
    memory::statistics().iter().map(|zone| zone.managed as i64).sum()
}

/// Chooses whose badness is highest, and kills it; its number, or 0 where nobody is left that may be.
fn choose() -> Pid {
    let mut worst: Option<(i64, Arc<Task>)> = None;
    let mut from = 0;
    while let Some(task) = tree::next_task(from) {
        from = task.tid() + 1;
        let Some(points) = badness(&task) else { continue };
        let chosen = task.process.chosen_in_shortage.load(Ordering::Relaxed);
        if !chosen && worst.as_ref().is_none_or(|(found, _)| points > *found) {
            worst = Some((points, task));
        }
    }
    let Some((_, task)) = worst else { return 0 };
    let process = &task.process;
    if VICTIM.compare_exchange(0, process.pid, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        // Somebody else chose at the same time.
        return VICTIM.load(Ordering::Relaxed);
    }
    process.chosen_in_shortage.store(true, Ordering::Relaxed);
    count(Counter::OutOfMemory, 1);
    report(&task);
    let _ = crate::signals::send_to_process(process, SIGKILL, crate::signals::Information::kernel());
    process.pid
}

/// In Linux's words (__oom_kill_process).
fn report(task: &Task) {
    let kilobytes = |pages: usize| pages * (memory::PAGE_SIZE / 1024);
    let space = task.space();
    let (resident, tables) =
        space.map_or((0, 0), |space| (space.resident_pages(), space.pages().table().table_pages()));
    klog::error!(
        "Out of memory: Killed process {} ({}) anon-rss:{}kB, UID:{} pgtables:{}kB oom_score_adj:{}",
        task.process.pid,
        DisplayName(task.name()),
        kilobytes(resident),
        task.process.uid.load(Ordering::Relaxed),
        kilobytes(tables),
        task.process.oom_score_adjustment.load(Ordering::Relaxed)
    );
}

/// The kernel's own allocations wait here.
pub struct Killer;

impl Relief for Killer {
    fn relieve(&self) -> Relieved {
        match Thread::with_local(|task| relieve(task, Holding::Locks)) {
            Some(true) => Relieved::Perhaps,
            Some(false) => Relieved::ByEnding,
            None => {
                // A thread of the kernel's: others see to it.
                self.wait();
                Relieved::Perhaps
            }
        }
    }

    fn wait(&self) {
        let _ = sync::park(Sleep::Uninterruptible, Some(sync::now() + TICK), || None::<()>);
    }
}

/// On the way to user mode, after memory came out of the reserve.
pub(crate) fn after_reserve(task: &Task) {
    if let Some(thread) = task.thread() {
        thread.remove_work(work::SHORTAGE);
    }
    if memory::zones::is_short() {
        relieve(task, Holding::Nothing);
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
