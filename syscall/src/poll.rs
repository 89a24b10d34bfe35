//! Waiting for readiness: poll(2), select(2).
use abi::Errno;
use abi::file::PollEvents;
use abi::raw::general::RLIMIT_NOFILE;
use abi::time::{Timespec, Timeval};
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::UserPtr;
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

impl Entry {
    fn new(number: i32, wanted: PollEvents) -> Self {
        Self { number, wanted, found: PollEvents::empty(), file: None }
    }
}

/// Finds the files of all entries.
fn find_files(task: &Task, entries: &mut [Entry]) {
    if let Some(table) = task.files.descriptors() {
        table.get_each(entries, |entry| entry.number, |entry, file| entry.file = file);
    }
}

fn always() -> PollEvents {
    PollEvents::ERROR | PollEvents::HANG_UP | PollEvents::INVALID
}

/// Looks at every entry; answers how many are ready.
fn look(entries: &mut [Entry]) -> usize {
    let mut ready = 0;
    for entry in entries {
        let found = match &entry.file {
            Some(file) => file.poll(None),
            None if entry.number >= 0 => PollEvents::INVALID,
            None => PollEvents::empty(),
        };
        entry.found = found & (entry.wanted | always());
        ready += usize::from(!entry.found.is_empty());
    }
    ready
}

/// Joins the queues that tell of changes. Before another look, so that no change falls between. ENOMEM.
fn join(entries: &[Entry]) -> Result<Registrations, Errno> {
    let mut registrations = Registrations::for_current(entries.len()).ok_or(Errno::ENOMEM)?;
    for file in entries.iter().filter_map(|entry| entry.file.as_ref()) {
        // What it is ready for is looked at afterwards.
        let _ = file.poll(Some(&mut registrations));
    }
    if registrations.is_complete() { Ok(registrations) } else { Err(Errno::ENOMEM) }
}

/// A wait's end: nothing is ready when its time is over.
fn ended(answer: Result<usize, WaitError>) -> Result<usize, Failure> {
    match answer {
        Ok(ready) => Ok(ready),
        Err(WaitError::TimedOut) => Ok(0),
        Err(WaitError::Interrupted) => Err(Failure::Interrupted(Restart::WithoutHandler)),
    }
}

/// Waits until an entry is ready, a signal comes, or `deadline`. Answers how many are ready.
fn wait(entries: &mut [Entry], deadline: Option<u64>) -> Result<usize, Failure> {
    let ready = look(entries);
    if ready > 0 || deadline == Some(0) {
        return Ok(ready);
    }
    let registrations = join(entries)?;
    ended(registrations.wait(deadline, || Some(look(entries)).filter(|&ready| ready > 0)))
}

fn poll_all(task: &Task, address: usize, count: usize, deadline: Option<u64>) -> Result<usize, Failure> {
    if count as u64 > task.limit(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let given = UserPtr::<PollFd>::new(address).read_array(count)?;
    let mut entries = Vec::new();
    entries.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    entries.extend(given.iter().map(|bytes| {
        let wanted = u32::from(u16::from_ne_bytes([bytes[4], bytes[5]]));
        let number = i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        Entry::new(number, PollEvents::from_bits_retain(wanted))
    }));
    find_files(task, &mut entries);
    let ready = wait(&mut entries, deadline);
    for (index, (entry, before)) in entries.iter().zip(&given).enumerate() {
        // What stands there already need not be written: of many descriptors most are idle each time.
        let found = (entry.found.bits() as u16).to_ne_bytes();
        if found != before[6..] {
            UserPtr::<[u8; 2]>::new(address.wrapping_add(index * 8 + 6)).write(&found)?;
        }
    }
    ready
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

/// Descriptors in a word of a set.
const BITS: usize = 64;

/// Reads a set of so many words; a null pointer is the empty set.
fn read_set(address: usize, words: usize) -> Result<Vec<u64>, Errno> {
    match UserPtr::<u64>::new(address).non_null() {
        Some(set) => set.read_array(words),
        None => empty_set(words),
    }
}

fn empty_set(words: usize) -> Result<Vec<u64>, Errno> {
    let mut set = Vec::new();
    set.try_reserve_exact(words).map_err(|_| Errno::ENOMEM)?;
    set.resize(words, 0);
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

/// The entries for the descriptors of three sets. ENOMEM.
fn entries_of(sets: &[Vec<u64>; 3], count: usize) -> Result<Vec<Entry>, Errno> {
    let word = |index: usize| {
        let below = count - index * BITS;
        let within = if below < BITS { (1 << below) - 1 } else { u64::MAX };
        [sets[0][index] & within, sets[1][index] & within, sets[2][index] & within]
    };
    let words = sets[0].len();
    let total =
        (0..words).map(|index| word(index).into_iter().fold(0, |all, set| all | set).count_ones() as usize).sum();
    let mut entries = Vec::new();
    entries.try_reserve_exact(total).map_err(|_| Errno::ENOMEM)?;
    for index in 0..words {
        let [reading, writing, exceptional] = word(index);
        let mut left = reading | writing | exceptional;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            let mut wanted = PollEvents::empty();
            wanted.set(READABLE, reading & bit != 0);
            wanted |= if writing & bit != 0 { WRITABLE } else { PollEvents::empty() };
            wanted |= if exceptional & bit != 0 { EXCEPTIONAL } else { PollEvents::empty() };
            entries.push(Entry::new((index * BITS) as i32 + left.trailing_zeros() as i32, wanted));
            left ^= bit;
        }
    }
    Ok(entries)
}

fn select_all(task: &Task, count: i32, sets: [usize; 3], deadline: Option<u64>) -> Result<usize, Failure> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    // Beyond the table nothing is open, and Linux does not look there.
    let count = count.min(task.files.descriptors().map_or(0, |table| table.capacity()));
    let words = count.div_ceil(BITS);
    let given = [read_set(sets[0], words)?, read_set(sets[1], words)?, read_set(sets[2], words)?];
    let mut entries = entries_of(&given, count)?;
    find_files(task, &mut entries);
    if entries.iter().any(|entry| entry.file.is_none()) {
        return Err(Errno::EBADF.into());
    }
    // Errors and hang-ups that no set asks for do not end a select.
    let found = wait_for_sets(&mut entries, deadline)?;
    if found == 0 {
        entries.clear();
    }
    let mut ready = 0;
    for ((address, set), kind) in sets.into_iter().zip(&given).zip([READABLE, WRITABLE, EXCEPTIONAL]) {
        if address == 0 {
            continue;
        }
        let mut result = empty_set(words)?;
        for entry in entries.iter().filter(|entry| entry.found.intersects(kind)) {
            let (word, bit) = (entry.number as usize / BITS, 1 << (entry.number as usize % BITS));
            if set[word] & bit != 0 {
                result[word] |= bit;
                ready += 1;
            }
        }
        UserPtr::<u64>::new(address).write_array(&result)?;
    }
    Ok(ready)
}

fn wait_for_sets(entries: &mut [Entry], deadline: Option<u64>) -> Result<usize, Failure> {
    let relevant = |entries: &mut [Entry]| {
        let any = look(entries) > 0;
        if any { entries.iter().filter(|entry| entry.found.intersects(entry.wanted)).count() } else { 0 }
    };
    let ready = relevant(entries);
    if ready > 0 || deadline == Some(0) {
        return Ok(ready);
    }
    let registrations = join(entries)?;
    ended(registrations.wait(deadline, || Some(relevant(entries)).filter(|&ready| ready > 0)))
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
