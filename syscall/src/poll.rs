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
use zerocopy::IntoBytes;

/// One entry being polled.
struct Entry {
    number: i32,
    wanted: PollEvents,
    found: PollEvents,
    file: Option<Arc<OpenFile>>,
}

/// What poll tells of a descriptor though it was not asked for. A select does not end for what no set asks for.
const ALWAYS: PollEvents = PollEvents::ERROR.union(PollEvents::HANG_UP).union(PollEvents::INVALID);

/// Looks at every entry, joining queues where `registrations` are given; answers how many are ready.
fn look(entries: &mut [Entry], mut registrations: Option<&mut Registrations>) -> usize {
    let mut ready = 0;
    for entry in entries.iter_mut() {
        entry.found = match &entry.file {
            Some(file) => file.poll(registrations.as_deref_mut()) & entry.wanted,
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

/// Descriptors that are looked up under one hold of the table's lock.
const BATCH: usize = 64;

fn open_files(task: &Task, entries: &mut [Entry]) {
    let Some(table) = task.files.descriptors() else { return };
    for batch in entries.chunks_mut(BATCH) {
        table.get_each(batch.iter_mut().map(|entry| (entry.number, &mut entry.file)));
    }
}

/// The program's array of `struct pollfd` (a word each: the descriptor, what is wanted, what was found), read in one go.
fn read_entries(address: usize, count: usize) -> Result<Vec<Entry>, Errno> {
    let words = read_words(address, count)?;
    let mut entries = Vec::new();
    entries.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    entries.extend(words.iter().map(|word| Entry {
        number: *word as i32,
        wanted: PollEvents::from_bits_retain((word >> 32) as u32 & 0xffff) | ALWAYS,
        found: PollEvents::empty(),
        file: None,
    }));
    Ok(entries)
}

fn poll_all(task: &Task, address: usize, count: usize, deadline: Option<u64>) -> Result<usize, Failure> {
    if count as u64 > task.limit(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let mut entries = read_entries(address, count)?;
    open_files(task, &mut entries);
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

fn timespec(place: UserPtr<Timespec>) -> Result<Option<u64>, Errno> {
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

fn read_words(address: usize, count: usize) -> Result<Vec<u64>, Errno> {
    let mut words = zeros(count)?;
    UserSlice::new(address, count * 8).read(words.as_mut_bytes())?;
    Ok(words)
}

fn zeros(count: usize) -> Result<Vec<u64>, Errno> {
    let mut words = Vec::new();
    words.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    words.resize(count, 0);
    Ok(words)
}

/// One of select's sets, 64 descriptors a word; an empty one where the program gave none.
fn read_set(address: usize, words: usize) -> Result<Vec<u64>, Errno> {
    if address == 0 { zeros(words) } else { read_words(address, words) }
}

const READABLE: PollEvents = PollEvents::READ_NORMAL
    .union(PollEvents::READ_BAND)
    .union(PollEvents::IN)
    .union(PollEvents::HANG_UP)
    .union(PollEvents::ERROR);
const WRITABLE: PollEvents =
    PollEvents::WRITE_BAND.union(PollEvents::WRITE_NORMAL).union(PollEvents::OUT).union(PollEvents::ERROR);
const EXCEPTIONAL: PollEvents = PollEvents::PRIORITY;
const KINDS: [PollEvents; 3] = [READABLE, WRITABLE, EXCEPTIONAL];

/// The descriptors that are in a set, each with what the sets want of it.
fn entries_of(sets: &[Vec<u64>; 3]) -> Result<Vec<Entry>, Errno> {
    let word = |index: usize| sets.iter().map(|set| set[index]).fold(0, |all, word| all | word);
    let words = sets[0].len();
    let mut entries = Vec::new();
    let count = (0..words).map(|index| word(index).count_ones() as usize).sum();
    entries.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for index in 0..words {
        let mut left = word(index);
        while left != 0 {
            let bit = left & left.wrapping_neg();
            let number = (index * 64) as i32 + left.trailing_zeros() as i32;
            let mut wanted = PollEvents::empty();
            for (set, kind) in sets.iter().zip(KINDS) {
                if set[index] & bit != 0 {
                    wanted |= kind;
                }
            }
            entries.push(Entry { number, wanted, found: PollEvents::empty(), file: None });
            left ^= bit;
        }
    }
    Ok(entries)
}

fn select_all(task: &Task, count: i32, sets: [usize; 3], deadline: Option<u64>) -> Result<usize, Failure> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?.min(1 << 20);
    let words = count.div_ceil(64);
    let mut given = [read_set(sets[0], words)?, read_set(sets[1], words)?, read_set(sets[2], words)?];
    if !count.is_multiple_of(64) {
        // Bits beyond the last descriptor mean nothing.
        given.iter_mut().for_each(|set| set[words - 1] &= (1 << (count % 64)) - 1);
    }
    let mut entries = entries_of(&given)?;
    open_files(task, &mut entries);
    if entries.iter().any(|entry| entry.file.is_none()) {
        return Err(Errno::EBADF.into());
    }
    wait(&mut entries, deadline).map_err(|_| Failure::Interrupted(Restart::WithoutHandler))?;
    let ready = keep_ready(&mut given, &entries);
    for (address, set) in sets.into_iter().zip(&given) {
        if address != 0 {
            UserSlice::new(address, words * 8).write(set.as_bytes())?;
        }
    }
    Ok(ready)
}

/// Leaves in the sets what was found; answers how many bits that are.
fn keep_ready(sets: &mut [Vec<u64>; 3], entries: &[Entry]) -> usize {
    let mut kept = entries.iter().filter(|entry| !entry.found.is_empty()).peekable();
    let mut ready = 0;
    for index in 0..sets[0].len() {
        let mut found = [0; 3];
        while let Some(entry) = kept.next_if(|entry| entry.number as usize / 64 == index) {
            for (word, kind) in found.iter_mut().zip(KINDS) {
                if entry.found.intersects(kind) {
                    *word |= 1 << (entry.number % 64);
                }
            }
        }
        for (set, found) in sets.iter_mut().zip(found) {
            set[index] &= found;
            ready += set[index].count_ones() as usize;
        }
    }
    ready
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
