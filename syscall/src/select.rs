//! Waiting for readiness by sets of bits: select(2).
//!
//! The sets are walked by words: what no set asks for costs nothing.
use crate::poll::{BATCH, File, hold, join, left_until, set_mask, settle_mask, sleep, store_left, timespec};
use abi::Errno;
use abi::file::PollEvents;
use abi::time::{Timespec, Timeval};
use alloc::vec::Vec;
use memory::UserPtr;
use task::{Answer, Failure, Task};
use vfs::{DescriptorTable, OpenFile};

/// Descriptors in a word of a set.
const BITS: usize = u64::BITS as usize;
/// Words that are kept on the stack: what is asked and what is found, of three sets of 256 descriptors.
const FEW: usize = 2 * 3 * 4;

/// What makes a descriptor ready for each of the sets: reading, writing, exceptions. Errors and hang-ups that no set asks for do not
/// end a select.
const KINDS: [PollEvents; 3] = [
    PollEvents::READ_NORMAL
        .union(PollEvents::READ_BAND)
        .union(PollEvents::IN)
        .union(PollEvents::HANG_UP)
        .union(PollEvents::ERROR),
    PollEvents::WRITE_BAND.union(PollEvents::WRITE_NORMAL).union(PollEvents::OUT).union(PollEvents::ERROR),
    PollEvents::PRIORITY,
];

/// A word of each of the three sets.
type Words = [u64; 3];

fn any(words: Words) -> u64 {
    words[0] | words[1] | words[2]
}

/// The places of the bits of a word.
struct Places(u64);

impl Iterator for Places {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        Some(place)
    }
}

/// The three sets, each of so many words.
type Sets<'a> = [&'a mut [u64]; 3];

/// Three sets of `words` words, from the beginning of `all`; and the rest.
fn split(all: &mut [u64], words: usize) -> (Sets<'_>, &mut [u64]) {
    let (reading, rest) = all.split_at_mut(words);
    let (writing, rest) = rest.split_at_mut(words);
    let (exceptional, rest) = rest.split_at_mut(words);
    ([reading, writing, exceptional], rest)
}

/// What a call asks for, and what it found so far.
struct Selected<'a> {
    asked: Sets<'a>,
    found: Sets<'a>,
}

impl Selected<'_> {
    /// What is asked of the descriptors of each word.
    fn words(&self) -> impl Iterator<Item = Words> {
        let [reading, writing, exceptional] = &self.asked;
        let others = writing.iter().zip(exceptional.iter());
        reading.iter().zip(others).map(|(reading, (writing, exceptional))| [*reading, *writing, *exceptional])
    }

    /// The descriptors, in order.
    fn numbers(&self) -> impl Iterator<Item = i32> {
        self.words().enumerate().flat_map(|(index, words)| Places(any(words)).map(move |place| number(index, place)))
    }

    /// Asks one descriptor's file, for the sets that it is in.
    #[inline(always)]
    fn ask(asked: Words, found: &mut Words, place: usize, file: &OpenFile) {
        let (events, bit) = (file.poll(None), 1 << place);
        for ((asked, found), kind) in asked.iter().zip(found).zip(KINDS) {
            *found |= if events.intersects(kind) { asked & bit } else { 0 };
        }
    }

    /// Keeps what was found in a word; answers how many bits that are.
    fn keep(&mut self, index: usize, found: Words) -> usize {
        if any(found) == 0 {
            return 0;
        }
        for (set, found) in self.found.iter_mut().zip(found) {
            if let Some(word) = set.get_mut(index) {
                *word = found;
            }
        }
        found.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Asks all; answers how many bits were found. EBADF where one is not open.
    fn look(&mut self, table: &DescriptorTable) -> Result<usize, Errno> {
        let mut files: [File; BATCH] = [const { None }; BATCH];
        let mut ready = 0;
        for index in 0..self.asked[0].len() {
            let asked = [self.asked[0][index], self.asked[1][index], self.asked[2][index]];
            let (mut left, mut found) = (Places(any(asked)), [0; 3]);
            while left.0 != 0 {
                table.get_many(Places(left.0).map(|place| number(index, place)), &mut files);
                for (file, place) in files.iter_mut().zip(left.by_ref()) {
                    Self::ask(asked, &mut found, place, &*file.take().ok_or(Errno::EBADF)?);
                }
            }
            ready += self.keep(index, found);
        }
        Ok(ready)
    }

    /// The same of files that are held.
    fn look_again(&mut self, files: &[File]) -> usize {
        let mut files = files.iter().flatten();
        let mut ready = 0;
        for index in 0..self.asked[0].len() {
            let asked = [self.asked[0][index], self.asked[1][index], self.asked[2][index]];
            let mut found = [0; 3];
            for (place, file) in Places(any(asked)).zip(files.by_ref()) {
                Self::ask(asked, &mut found, place, file);
            }
            ready += self.keep(index, found);
        }
        ready
    }

    fn wait(&mut self, table: &DescriptorTable, deadline: Option<u64>) -> Result<usize, Failure> {
        let ready = self.look(table)?;
        if ready > 0 || deadline == Some(0) {
            return Ok(ready);
        }
        let count = self.words().map(|words| any(words).count_ones() as usize).sum();
        let files = hold(table, count, self.numbers())?;
        if files.iter().any(Option::is_none) {
            return Err(Errno::EBADF.into());
        }
        let registrations = join(&files)?;
        sleep(&registrations, deadline, || Ok(self.look_again(&files)))
    }
}

fn number(word: usize, place: usize) -> i32 {
    (word * BITS + place) as i32
}

/// Reads the sets; a null pointer is the empty set. Bits beyond the last descriptor are left out. EFAULT.
fn read_sets(addresses: [usize; 3], count: usize, asked: &mut Sets<'_>) -> Result<(), Errno> {
    for (set, address) in asked.iter_mut().zip(addresses) {
        let Some(place) = UserPtr::<u64>::new(address).non_null() else { continue };
        place.read_into(set)?;
        if let (Some(last), within @ 1..) = (set.last_mut(), count % BITS) {
            *last &= (1 << within) - 1;
        }
    }
    Ok(())
}

fn write_sets(addresses: [usize; 3], found: &Sets<'_>) -> Result<(), Errno> {
    for (set, address) in found.iter().zip(addresses) {
        let Some(place) = UserPtr::<u64>::new(address).non_null() else { continue };
        place.write_array(set)?;
    }
    Ok(())
}

fn select_all(task: &Task, count: i32, addresses: [usize; 3], deadline: Option<u64>) -> Result<usize, Failure> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    // Beyond the table nothing is open, and Linux does not look there.
    let count = count.min(table.capacity());
    let words = count.div_ceil(BITS);
    let (mut few, mut many) = ([0; FEW], Vec::new());
    let all = match few.get_mut(..6 * words) {
        Some(few) => few,
        None => {
            many.try_reserve_exact(6 * words).map_err(|_| Errno::ENOMEM)?;
            many.resize(6 * words, 0);
            &mut many[..]
        }
    };
    let (mut asked, rest) = split(all, words);
    let (found, _) = split(rest, words);
    read_sets(addresses, count, &mut asked)?;
    let mut selected = Selected { asked, found };
    let ready = selected.wait(&table, deadline)?;
    write_sets(addresses, &selected.found)?;
    Ok(ready)
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
        let _ = timeout.write(&crate::process::timeval(left_until(deadline)));
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
