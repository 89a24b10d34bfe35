//! Futexes of tasks: keys from addresses, and faults between attempts.
//!
//! The table compares a word under a bucket's lock, where nothing may sleep: a word whose page is not there ends the attempt,
//! the page is brought in, and the attempt is made again.
use crate::task::Task;
use crate::{Failure, Restart};
use abi::Errno;
use alloc::sync::Arc;
use ipc::futex::{Fault, FutexFailure, Futexes, Key, RobustMemory, Waiter, WakeOperation, walk_robust_list};
use memory::UserPtr;
use sync::{Once, Thread, WaitError};

static FUTEXES: Once<Futexes> = Once::new();

/// Makes the table, for a machine with `cpus` CPUs. Once.
///
/// # Panics
/// Without memory.
pub fn start(cpus: usize, seed: u64) {
    let table = Futexes::new(256 * cpus, seed).expect("no memory for futexes");
    let _ = FUTEXES.set(table);
}

/// Gives back what the table keeps for the next waiters.
pub(crate) fn give_back() {
    if let Some(table) = FUTEXES.get() {
        table.give_back();
    }
}

fn table() -> Result<&'static Futexes, Errno> {
    FUTEXES.get().ok_or(Errno::ENOSYS)
}

/// What a word is known by. EINVAL where it is not aligned; EFAULT outside the user half, or unmapped where `private` is not
/// given.
fn key(task: &Task, address: usize, private: bool) -> Result<Key, Errno> {
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    if address >= memory::USER_END {
        return Err(Errno::EFAULT);
    }
    let space = task.memory()?;
    let own = Key::Private { space: Arc::as_ptr(&space) as usize as u64, address: address as u64 };
    if private {
        return Ok(own);
    }
    let (object, offset) = match space.shared_object(address)? {
        Some(place) => place,
        None => return Ok(own),
    };
    Ok(Key::Shared { object, offset })
}

/// Runs `attempt` until it does not end for a missing page.
fn with_page<R>(
    address: usize,
    write: bool,
    mut attempt: impl FnMut() -> Result<R, FutexFailure>,
) -> Result<R, FutexFailure> {
    loop {
        match attempt() {
            Err(FutexFailure::Fault) => bring_in(address, write)?,
            other => return other,
        }
    }
}

fn bring_in(address: usize, write: bool) -> Result<(), Errno> {
    let word = UserPtr::<u32>::new(address);
    let value = word.read()?;
    if write {
        word.compare_exchange(value, value)?;
    }
    Ok(())
}

/// Reads the word without sleeping.
fn peek(address: usize) -> impl FnMut() -> Result<u32, Fault> {
    move || UserPtr::<u32>::new(address).read().map_err(|_| Fault)
}

fn failure(failure: FutexFailure, restart: Restart) -> Failure {
    match failure {
        FutexFailure::Error(errno) => Failure::Errno(errno),
        FutexFailure::Fault => Failure::Errno(Errno::EFAULT),
        FutexFailure::Wait(WaitError::TimedOut) => Failure::Errno(Errno::ETIMEDOUT),
        FutexFailure::Wait(WaitError::Interrupted) => Failure::Interrupted(restart),
    }
}

/// FUTEX_WAIT and FUTEX_WAIT_BITSET; `deadline` in nanoseconds since boot. `restart` is for an interruption.
pub fn wait(
    task: &Task,
    address: usize,
    private: bool,
    bitset: u32,
    expected: u32,
    deadline: Option<u64>,
    restart: Restart,
) -> Result<(), Failure> {
    let table = table()?;
    let waiter = Waiter::new(Thread::current_shared());
    with_page(address, false, || {
        table.wait(&waiter, key(task, address, private)?, bitset, expected, deadline, peek(address))
    })
    .map_err(|error| failure(error, restart))
}

/// FUTEX_WAKE and FUTEX_WAKE_BITSET.
pub fn wake(task: &Task, address: usize, private: bool, count: u32, bitset: u32) -> Result<usize, Failure> {
    table()?.wake(key(task, address, private)?, count, bitset).map_err(|error| failure(error, Restart::Always))
}

/// FUTEX_REQUEUE and, with what the first word is to be, FUTEX_CMP_REQUEUE: (woken, moved).
pub fn requeue(
    task: &Task,
    from: usize,
    to: usize,
    private: bool,
    counts: (u32, u32),
    expected: Option<u32>,
) -> Result<(usize, usize), Failure> {
    let table = table()?;
    with_page(from, false, || {
        let keys = (key(task, from, private)?, key(task, to, private)?);
        table.requeue(keys.0, keys.1, counts.0, counts.1, expected.map(|expected| (expected, peek(from))))
    })
    .map(|done| (done.woken, done.moved))
    .map_err(|error| failure(error, Restart::Always))
}

/// FUTEX_WAKE_OP.
pub fn wake_operation(
    task: &Task,
    first: usize,
    second: usize,
    private: bool,
    counts: (u32, u32),
    encoded: u32,
) -> Result<usize, Failure> {
    let table = table()?;
    let operation = WakeOperation::decode(encoded)?;
    with_page(second, true, || {
        let keys = (key(task, first, private)?, key(task, second, private)?);
        table.wake_operation((keys.0, counts.0), (keys.1, counts.1), operation, |operation| update(second, operation))
    })
    .map_err(|error| failure(error, Restart::Always))
}

fn update(address: usize, operation: WakeOperation) -> Result<u32, Fault> {
    let word = UserPtr::<u32>::new(address);
    let mut old = word.read().map_err(|_| Fault)?;
    loop {
        let found = word.compare_exchange(old, operation.apply(old)).map_err(|_| Fault)?;
        if found == old {
            return Ok(old);
        }
        old = found;
    }
}

/// Wakes waiters of a word whose address the task gave long ago.
pub(crate) fn wake_address(task: &Task, address: usize, count: u32) {
    for private in [true, false] {
        if let (Ok(table), Ok(key)) = (table(), key(task, address, private)) {
            let _ = table.wake(key, count, u32::MAX);
        }
    }
}

struct Own<'a>(&'a Task);

impl RobustMemory for Own<'_> {
    fn read_word(&mut self, address: u64) -> Result<u64, Fault> {
        UserPtr::<u64>::new(address as usize).read().map_err(|_| Fault)
    }

    fn read_futex(&mut self, address: u64) -> Result<u32, Fault> {
        UserPtr::<u32>::new(address as usize).read().map_err(|_| Fault)
    }

    fn exchange_futex(&mut self, address: u64, old: u32, new: u32) -> Result<u32, Fault> {
        UserPtr::<u32>::new(address as usize).compare_exchange(old, new).map_err(|_| Fault)
    }

    fn wake_one(&mut self, address: u64) {
        wake_address(self.0, address as usize, 1);
    }
}

/// Gives away the locks that the running thread still holds.
pub(crate) fn exit_robust_list(task: &Task) {
    let head = task.robust_list.swap(0, core::sync::atomic::Ordering::Relaxed);
    if head != 0 {
        let _ = walk_robust_list(&mut Own(task), head as u64, task.tid());
    }
}
