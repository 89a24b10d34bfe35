//! Waiting for readiness: poll(2), select(2).
use abi::Errno;
use abi::file::PollEvents;
use abi::raw::general::RLIMIT_NOFILE;
use abi::time::{Timespec, Timeval};
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::{UserPtr, UserSlice};
use sync::{Registrations, WaitError};
use task::signals::SignalSet;
use task::{Answer, Failure, Restart, Task};
use vfs::OpenFile;

/// `struct pollfd`, as three fields in eight bytes.
type PollFd = [u8; 8];

/// One entry being polled.
struct Entry {
    number: i32,
    wanted: PollEvents,
    found: PollEvents,
    file: Option<Arc<OpenFile>>,
}

fn always() -> PollEvents {
    PollEvents::ERROR | PollEvents::HANG_UP | PollEvents::INVALID
}

/// Looks at every entry, joining queues where `registrations` are given; answers how many are ready.
fn look(entries: &mut [Entry], mut registrations: Option<&mut Registrations>) -> usize {
    let mut ready = 0;
    for entry in entries.iter_mut() {
        entry.found = match &entry.file {
            Some(file) => file.poll(registrations.as_deref_mut()) & (entry.wanted | always()),
            None if entry.number >= 0 => PollEvents::INVALID,
            None => PollEvents::empty(),
        };
        ready += usize::from(!entry.found.is_empty());
    }
    ready
}

/// Waits until an entry is ready, a signal comes, or `deadline`. Answers how many are ready.
fn wait(entries: &mut [Entry], deadline: Option<u64>) -> Result<usize, WaitError> {
    let ready = look(entries, None);
    if ready > 0 || deadline == Some(0) {
        return Ok(ready);
    }
    let Some(mut registrations) = Registrations::for_current(entries.len()) else { return Ok(0) };
    // Joined before the second look, so that no change falls between.
    let ready = look(entries, Some(&mut registrations));
    if ready > 0 {
        return Ok(ready);
    }
    match registrations.wait(deadline, || Some(look(entries, None)).filter(|&ready| ready > 0)) {
        Err(WaitError::TimedOut) => Ok(0),
        other => other,
    }
}

fn open_file(task: &Task, number: i32) -> Option<Arc<OpenFile>> {
    task.files.descriptors()?.get(u32::try_from(number).ok()?).ok()
}

fn poll_all(task: &Task, address: usize, count: usize, deadline: Option<u64>) -> Result<usize, Failure> {
    if count as u64 > task.limit(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let mut entries = Vec::new();
    entries.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let bytes: PollFd = UserPtr::<PollFd>::new(address).element(index).read()?;
        let number = i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let wanted = u32::from(u16::from_ne_bytes([bytes[4], bytes[5]]));
        let entry = Entry {
            number,
            wanted: PollEvents::from_bits_retain(wanted),
            found: PollEvents::empty(),
            file: open_file(task, number),
        };
        entries.push(entry);
    }
    let ready = wait(&mut entries, deadline);
    for (index, entry) in entries.iter().enumerate() {
        let place = address.wrapping_add(index * 8 + 6);
        UserPtr::<u16>::new(place).write(&(entry.found.bits() as u16))?;
    }
    ready.map_err(|_| Failure::Interrupted(Restart::WithoutHandler))
}

/// poll(2). After an interruption without a handler it goes on with what is left of its time.
pub fn poll(task: &Task, address: usize, count: usize, timeout: i32) -> Answer {
    let deadline = match timeout {
        0 => Some(0),
        timeout if timeout < 0 => None,
        timeout => Some(sync::now().saturating_add(timeout as u64 * 1_000_000)),
    };
    match poll_all(task, address, count, deadline) {
        Err(Failure::Interrupted(_)) => {
            let again = move |task: &Task| poll_all(task, address, count, deadline).map_err(block);
            task.set_restart(alloc::boxed::Box::new(again));
            Err(Failure::Interrupted(Restart::Block))
        }
        other => other,
    }
}

fn block(failure: Failure) -> Failure {
    match failure {
        Failure::Interrupted(_) => Failure::Interrupted(Restart::Block),
        other => other,
    }
}

pub(crate) fn timespec(place: UserPtr<Timespec>) -> Result<Option<u64>, Errno> {
    let Some(place) = place.non_null() else { return Ok(None) };
    let given = place.read()?;
    let time = time::Timespec::non_negative(given.seconds, given.nanoseconds).ok_or(Errno::EINVAL)?;
    Ok(Some(if time == time::Timespec::ZERO { 0 } else { time.after(sync::now()) }))
}

/// Writes what is left of the time, as Linux does; a place that cannot be written is no error any more.
fn store_left(place: UserPtr<Timespec>, deadline: Option<u64>) {
    if let (Some(place), Some(deadline)) = (place.non_null(), deadline) {
        let left = deadline.saturating_sub(sync::now());
        let _ = place
            .write(&Timespec { seconds: (left / 1_000_000_000) as i64, nanoseconds: (left % 1_000_000_000) as i64 });
    }
}

/// Settles the mask of a call that replaced it: it stays for the handler where a signal interrupted the call.
fn settle_mask(task: &Task, answer: &Answer) {
    if !matches!(answer, Err(Failure::Interrupted(_))) {
        task.end_temporary_mask();
    }
}

fn set_mask(task: &Task, mask: UserPtr<u64>, size: usize) -> Result<(), Errno> {
    let Some(mask) = mask.non_null() else { return Ok(()) };
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    task.set_temporary_mask(SignalSet::mask_from_bits(mask.read()?));
    Ok(())
}

/// ppoll(2).
pub fn ppoll(
    task: &Task,
    address: usize,
    count: usize,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<u64>,
    size: usize,
) -> Answer {
    let deadline = timespec(timeout)?;
    set_mask(task, mask, size)?;
    let answer = poll_all(task, address, count, deadline);
    settle_mask(task, &answer);
    store_left(timeout, deadline);
    answer
}

/// Largest number of descriptors in a set that is looked at: what the table can hold decides.
fn set_bytes(count: usize) -> usize {
    count.div_ceil(64) * 8
}

fn read_set(address: usize, bytes: usize) -> Result<Vec<u8>, Errno> {
    let mut set = Vec::new();
    set.try_reserve_exact(bytes).map_err(|_| Errno::ENOMEM)?;
    set.resize(bytes, 0);
    if address != 0 {
        UserSlice::new(address, bytes).read(&mut set)?;
    }
    Ok(set)
}

const READABLE: PollEvents = PollEvents::READ_NORMAL
    .union(PollEvents::READ_BAND)
    .union(PollEvents::IN)
    .union(PollEvents::HANG_UP)
    .union(PollEvents::ERROR);
const WRITABLE: PollEvents =
    PollEvents::WRITE_BAND.union(PollEvents::WRITE_NORMAL).union(PollEvents::OUT).union(PollEvents::ERROR);
const EXCEPTIONAL: PollEvents = PollEvents::PRIORITY;

fn select_all(task: &Task, count: i32, sets: [usize; 3], deadline: Option<u64>) -> Result<usize, Failure> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?.min(1 << 20);
    let bytes = set_bytes(count);
    let given = [read_set(sets[0], bytes)?, read_set(sets[1], bytes)?, read_set(sets[2], bytes)?];
    let has = |set: &[u8], number: usize| set[number / 8] >> (number % 8) & 1 != 0;
    let kinds = [READABLE, WRITABLE, EXCEPTIONAL];
    let mut entries = Vec::new();
    for number in 0..count {
        let mut wanted = PollEvents::empty();
        for (set, kind) in given.iter().zip(kinds) {
            if has(set, number) {
                wanted |= kind;
            }
        }
        if wanted.is_empty() {
            continue;
        }
        let file = open_file(task, number as i32).ok_or(Errno::EBADF)?;
        entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        entries.push(Entry { number: number as i32, wanted, found: PollEvents::empty(), file: Some(file) });
    }
    // Errors and hang-ups that no set asks for do not end a select.
    wait_for_sets(&mut entries, deadline).map_err(|_| Failure::Interrupted(Restart::WithoutHandler))?;
    let mut ready = 0;
    for ((address, set), kind) in sets.into_iter().zip(&given).zip(kinds) {
        let mut result = read_set(0, bytes)?;
        for entry in &entries {
            let number = entry.number as usize;
            if has(set, number) && entry.found.intersects(kind) {
                result[number / 8] |= 1 << (number % 8);
                ready += 1;
            }
        }
        if address != 0 {
            UserSlice::new(address, bytes).write(&result)?;
        }
    }
    Ok(ready)
}

fn wait_for_sets(entries: &mut [Entry], deadline: Option<u64>) -> Result<usize, WaitError> {
    let relevant = |entries: &mut [Entry], registrations: Option<&mut Registrations>| {
        look(entries, registrations);
        entries.iter().filter(|entry| entry.found.intersects(entry.wanted)).count()
    };
    let ready = relevant(entries, None);
    if ready > 0 || deadline == Some(0) {
        return Ok(ready);
    }
    let Some(mut registrations) = Registrations::for_current(entries.len()) else { return Ok(0) };
    if relevant(entries, Some(&mut registrations)) > 0 {
        return Ok(1);
    }
    match registrations.wait(deadline, || Some(relevant(entries, None)).filter(|&ready| ready > 0)) {
        Err(WaitError::TimedOut) => Ok(0),
        other => other,
    }
}

/// select(2).
pub fn select(
    task: &Task,
    count: i32,
    reading: usize,
    writing: usize,
    exceptional: usize,
    timeout: UserPtr<Timeval>,
) -> Answer {
    let deadline = match timeout.non_null() {
        None => None,
        Some(timeout) => {
            let given = timeout.read()?;
            if given.seconds < 0 || given.microseconds < 0 {
                return Err(Errno::EINVAL.into());
            }
            let nanoseconds = (given.seconds as u64)
                .saturating_mul(1_000_000_000)
                .saturating_add((given.microseconds as u64).saturating_mul(1000));
            Some(if nanoseconds == 0 { 0 } else { sync::now().saturating_add(nanoseconds) })
        }
    };
    let answer = select_all(task, count, [reading, writing, exceptional], deadline);
    if let (Some(timeout), Some(deadline)) = (timeout.non_null(), deadline) {
        let left = deadline.saturating_sub(sync::now());
        let _ = timeout.write(&crate::process::timeval(left));
    }
    answer
}

/// pselect6(2): the last argument points to the mask and its size.
pub fn pselect6(
    task: &Task,
    count: i32,
    reading: usize,
    writing: usize,
    exceptional: usize,
    timeout: UserPtr<Timespec>,
    mask: usize,
) -> Answer {
    let deadline = timespec(timeout)?;
    if let Some(pair) = UserPtr::<[u64; 2]>::new(mask).non_null() {
        let [mask, size] = pair.read()?;
        set_mask(task, UserPtr::new(mask as usize), size as usize)?;
    }
    let answer = select_all(task, count, [reading, writing, exceptional], deadline);
    settle_mask(task, &answer);
    store_left(timeout, deadline);
    answer
}
