//! Advisory locks: `flock(2)`, and record locks by `fcntl(2)` (of processes, and of open file descriptions).
//!
//! Both kinds are lists per inode, apart from each other. A request that has to wait sleeps on the inode's one queue, and is
//! tried again whenever a lock was given up there. Waiting in circles is not detected (EDEADLK).
use crate::file::OpenFile;
use crate::inode::Inode;
use abi::Errno;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use sync::{Rank, SpinLock, WaitQueue};

/// Shared or exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// `LOCK_SH`, `F_RDLCK`.
    Shared,
    /// `LOCK_EX`, `F_WRLCK`.
    Exclusive,
}

/// Who holds a record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// A table of descriptors (the process), by a number of the caller's that is unique while it lives.
    Process(u64),
    /// An open file description (`F_OFD_SETLK`), by [`OpenFile::lock_owner`].
    Description(usize),
}

/// Bytes, first and last.
pub type LockRange = RangeInclusive<u64>;

#[derive(Clone, Debug)]
struct Record {
    owner: LockOwner,
    /// What `F_GETLK` tells of the holder.
    process: i32,
    kind: LockKind,
    first: u64,
    last: u64,
}

struct Lists {
    whole: Vec<(usize, LockKind)>,
    /// Sorted by first byte; those of one owner do not overlap.
    records: Vec<Record>,
}

/// The locks on one file.
pub(crate) struct FileLocks {
    lists: SpinLock<Lists>,
    waiters: WaitQueue,
}

fn conflict(held: LockKind, wanted: LockKind) -> bool {
    held == LockKind::Exclusive || wanted == LockKind::Exclusive
}

impl FileLocks {
    pub(crate) fn new() -> Self {
        let lists = Lists { whole: Vec::new(), records: Vec::new() };
        Self { lists: SpinLock::new(Rank::Attributes, lists), waiters: WaitQueue::new() }
    }

    /// Tries until `attempt` answers something other than EAGAIN.
    fn wait(&self, wait: bool, mut attempt: impl FnMut(&mut Lists) -> Result<(), Errno>) -> Result<(), Errno> {
        let first = attempt(&mut self.lists.lock());
        if first != Err(Errno::EAGAIN) || !wait {
            return first;
        }
        let mut answer = first;
        let waited = self.waiters.wait_interruptible(|| {
            answer = attempt(&mut self.lists.lock());
            answer != Err(Errno::EAGAIN)
        });
        waited.map_err(|_| Errno::EINTR)?;
        answer
    }
}

/// Takes out what is given up; the last takes the list's memory with it.
fn release<T>(list: &mut Vec<T>, stays: impl FnMut(&T) -> bool) {
    list.retain(stays);
    if list.is_empty() {
        *list = Vec::new();
    }
}

impl Lists {
    fn lock_whole(&mut self, owner: usize, kind: LockKind) -> Result<(), Errno> {
        self.whole.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        // A change of kind gives the old lock up first (flock(2)).
        self.whole.retain(|(other, _)| *other != owner);
        if self.whole.iter().any(|(_, held)| conflict(*held, kind)) {
            return Err(Errno::EAGAIN);
        }
        self.whole.push((owner, kind));
        Ok(())
    }

    fn blocking(&self, owner: LockOwner, range: &LockRange, kind: LockKind) -> Option<&Record> {
        self.records.iter().find(|record| {
            record.owner != owner
                && record.first <= *range.end()
                && *range.start() <= record.last
                && conflict(record.kind, kind)
        })
    }

    /// Gives the range a new state for its owner: cuts what it had there, and joins neighbours of the same kind.
    fn set(&mut self, owner: LockOwner, process: i32, range: &LockRange, kind: Option<LockKind>) -> Result<(), Errno> {
        // At most one record is cut in two, and one added.
        self.records.try_reserve(2).map_err(|_| Errno::ENOLCK)?;
        let (mut first, mut last) = (*range.start(), *range.end());
        let mut rest: [Option<Record>; 2] = [None, None];
        self.records.retain(|record| {
            if record.owner != owner {
                return true;
            }
            let overlaps = record.first <= *range.end() && *range.start() <= record.last;
            let touches =
                record.first <= range.end().saturating_add(1) && *range.start() <= record.last.saturating_add(1);
            if kind == Some(record.kind) && touches {
                (first, last) = (first.min(record.first), last.max(record.last));
                return false;
            }
            if !overlaps {
                return true;
            }
            if record.first < *range.start() {
                rest[0] = Some(Record { last: range.start() - 1, ..record.clone() });
            }
            if record.last > *range.end() {
                rest[1] = Some(Record { first: range.end() + 1, ..record.clone() });
            }
            false
        });
        let new = kind.map(|kind| Record { owner, process, kind, first, last });
        for record in rest.into_iter().flatten().chain(new) {
            let at = self.records.partition_point(|other| other.first < record.first);
            self.records.insert(at, record);
        }
        release(&mut self.records, |_| true);
        Ok(())
    }
}

impl OpenFile {
    /// Identifies this open file description among lock owners.
    pub fn lock_owner(&self) -> LockOwner {
        LockOwner::Description(core::ptr::from_ref(self) as usize)
    }

    /// `flock(2)`; `None` unlocks. EAGAIN (EWOULDBLOCK) unless `wait`; EINTR; ENOLCK.
    pub fn flock(&self, kind: Option<LockKind>, wait: bool) -> Result<(), Errno> {
        let owner = core::ptr::from_ref(self) as usize;
        match kind {
            None => release_flock(self.inode(), owner),
            Some(kind) => {
                let locks = self.inode().locks().ok_or(Errno::ENOLCK)?;
                let done = locks.wait(wait, |lists| lists.lock_whole(owner, kind));
                locks.waiters.wake_all();
                done?;
            }
        }
        Ok(())
    }

    /// `fcntl(2)`: F_SETLK, F_SETLKW, and their OFD forms; `None` unlocks. EBADF unless open for reading (a shared lock) or
    /// writing (an exclusive one); EAGAIN; EINTR; ENOLCK.
    pub fn set_lock(
        &self,
        owner: LockOwner,
        process: i32,
        range: LockRange,
        kind: Option<LockKind>,
        wait: bool,
    ) -> Result<(), Errno> {
        match kind {
            Some(LockKind::Shared) => self.check_readable()?,
            Some(LockKind::Exclusive) => self.check_writable()?,
            None if self.inode().existing_locks().is_none() => return Ok(()),
            None => {}
        }
        let locks = self.inode().locks().ok_or(Errno::ENOLCK)?;
        let done = locks.wait(wait, |lists| match kind.and_then(|kind| lists.blocking(owner, &range, kind)) {
            Some(_) => Err(Errno::EAGAIN),
            None => lists.set(owner, process, &range, kind),
        });
        locks.waiters.wake_all();
        done
    }

    /// `fcntl(F_GETLK)`: the first lock in the way of such a request: its kind, range, and the holder's process (-1 for a
    /// description).
    pub fn blocking_lock(
        &self,
        owner: LockOwner,
        range: LockRange,
        kind: LockKind,
    ) -> Option<(LockKind, LockRange, i32)> {
        let lists = self.inode().existing_locks()?.lists.lock();
        lists.blocking(owner, &range, kind).map(|record| (record.kind, record.first..=record.last, record.process))
    }

    /// Gives up all record locks of an owner on this file: any `close(2)` of it by a process does.
    #[inline]
    pub fn release_locks(&self, owner: LockOwner) {
        if let Some(locks) = self.inode().existing_locks() {
            release(&mut locks.lists.lock().records, |record| record.owner != owner);
            locks.waiters.wake_all();
        }
    }
}

/// The open file description is closed, or unlocked.
pub(crate) fn release_flock(inode: &Inode, owner: usize) {
    if let Some(locks) = inode.existing_locks() {
        let mut lists = locks.lists.lock();
        release(&mut lists.whole, |(other, _)| *other != owner);
        release(&mut lists.records, |record| record.owner != LockOwner::Description(owner));
        drop(lists);
        locks.waiters.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind() -> impl Strategy<Value = Option<LockKind>> {
        prop_oneof![Just(None), Just(Some(LockKind::Shared)), Just(Some(LockKind::Exclusive))]
    }

    proptest! {
        /// Against one state per byte and owner.
        #[test]
        fn records_agree_with_bytes(steps in prop::collection::vec((0..3u64, 0..20u64, 0..20u64, kind()), 1..60)) {
            let mut lists = Lists { whole: Vec::new(), records: Vec::new() };
            let mut model = [[None; 20]; 3];
            for (owner, from, to, kind) in steps {
                let (first, last) = (from.min(to), from.max(to));
                let bytes = first as usize..=last as usize;
                let wanted = LockOwner::Process(owner);
                let blocked = kind.is_some_and(|kind| model.iter().enumerate().any(|(other, held)| {
                    other as u64 != owner && held[bytes.clone()].iter().flatten().any(|held| conflict(*held, kind))
                }));
                let answer = kind.and_then(|kind| lists.blocking(wanted, &(first..=last), kind)).is_some();
                prop_assert_eq!(answer, blocked);
                if !blocked {
                    lists.set(wanted, 0, &(first..=last), kind).unwrap();
                    model[owner as usize][bytes].fill(kind);
                }
                for (owner, held) in model.iter().enumerate() {
                    for (byte, held) in held.iter().enumerate() {
                        let mut found = lists.records.iter().filter(|record| {
                            record.owner == LockOwner::Process(owner as u64)
                                && (record.first..=record.last).contains(&(byte as u64))
                        });
                        prop_assert_eq!(found.next().map(|record| record.kind), *held);
                        prop_assert!(found.next().is_none());
                    }
                }
                prop_assert!(lists.records.is_sorted_by_key(|record| record.first));
                prop_assert_eq!(lists.records.is_empty(), lists.records.capacity() == 0);
            }
        }
    }
}
