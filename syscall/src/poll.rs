//! Waiting for readiness: poll(2). Its sibling is `select`.
//!
//! A look takes the files of a few descriptors from the table at a time, asks them, and lets go of them. Only who has to sleep keeps
//! the files and joins their queues, and looks again before it does.
use abi::Errno;
use abi::file::{PollDescriptor, PollEvents};
use abi::raw::general::RLIMIT_NOFILE;
use abi::time::Timespec;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::UserPtr;
use sync::{Registrations, WaitError};
use task::signals::SignalSet;
use task::{Answer, Failure, Restart, Task};
use vfs::{DescriptorTable, OpenFile};

/// How many files are taken from the table at a time, and how many descriptors fit on the stack.
pub(crate) const BATCH: usize = 16;

/// A file being asked; `None`: the descriptor is not open.
pub(crate) type File = Option<Arc<OpenFile>>;

/// The files that all descriptors name, for a sleep. ENOMEM.
pub(crate) fn hold(
    table: &DescriptorTable,
    count: usize,
    numbers: impl Iterator<Item = i32>,
) -> Result<Vec<File>, Errno> {
    let mut files = Vec::new();
    files.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    files.resize_with(count, || None);
    let mut numbers = numbers;
    for some in files.chunks_mut(BATCH) {
        table.get_many(numbers.by_ref(), some);
    }
    Ok(files)
}

/// Joins the queues that tell of changes. Before another look, so that no change falls between. ENOMEM.
pub(crate) fn join(files: &[File]) -> Result<Registrations, Errno> {
    let mut registrations = Registrations::for_current(files.len()).ok_or(Errno::ENOMEM)?;
    for file in files.iter().flatten() {
        // What it is ready for is looked at afterwards.
        let _ = file.poll(Some(&mut registrations));
    }
    if registrations.is_complete() { Ok(registrations) } else { Err(Errno::ENOMEM) }
}

/// Sleeps on `registrations` until `look` finds something ready or fails, a signal comes, or `deadline`, when nothing is ready.
pub(crate) fn sleep(
    registrations: &Registrations,
    deadline: Option<u64>,
    mut look: impl FnMut() -> Result<usize, Errno>,
) -> Result<usize, Failure> {
    match registrations.wait(deadline, || Some(look()).filter(|found| *found != Ok(0))) {
        Ok(found) => Ok(found?),
        Err(WaitError::TimedOut) => Ok(0),
        Err(WaitError::Interrupted) => Err(Failure::Interrupted(Restart::WithoutHandler)),
    }
}

const ALWAYS: PollEvents = PollEvents::ERROR.union(PollEvents::HANG_UP).union(PollEvents::INVALID);

/// The descriptors of a call, and where they come from.
struct Polled<'a> {
    descriptors: &'a mut [PollDescriptor],
    address: usize,
}

impl Polled<'_> {
    /// Asks one. What stands in user memory already is not written again: of many descriptors most are idle each time. EFAULT.
    #[inline(always)]
    fn ask(descriptor: &mut PollDescriptor, file: Option<&OpenFile>, place: usize) -> Result<usize, Errno> {
        let found = match file {
            Some(file) => file.poll(None),
            None if descriptor.number >= 0 => PollEvents::INVALID,
            None => PollEvents::empty(),
        };
        let found = (found.bits() & (u32::from(descriptor.wanted) | ALWAYS.bits())) as u16;
        if found != descriptor.found {
            descriptor.found = found;
            let offset = core::mem::offset_of!(PollDescriptor, found);
            UserPtr::<u16>::new(place.wrapping_add(offset)).write(&found)?;
        }
        Ok(usize::from(found != 0))
    }

    /// Asks all; answers how many are ready. EFAULT.
    fn look(&mut self, table: &DescriptorTable) -> Result<usize, Errno> {
        let mut files = [const { None }; BATCH];
        let (mut ready, mut place) = (0, self.address);
        for some in self.descriptors.chunks_mut(BATCH) {
            table.get_many(some.iter().map(|descriptor| descriptor.number), &mut files);
            for (descriptor, file) in some.iter_mut().zip(&mut files) {
                ready += Self::ask(descriptor, file.take().as_deref(), place)?;
                place = place.wrapping_add(size_of::<PollDescriptor>());
            }
        }
        Ok(ready)
    }

    /// The same of files that are held.
    fn look_again(&mut self, files: &[File]) -> Result<usize, Errno> {
        let (mut ready, mut place) = (0, self.address);
        for (descriptor, file) in self.descriptors.iter_mut().zip(files) {
            ready += Self::ask(descriptor, file.as_deref(), place)?;
            place = place.wrapping_add(size_of::<PollDescriptor>());
        }
        Ok(ready)
    }

    /// Waits until one is ready, a signal comes, or `deadline`. Answers how many are ready.
    fn wait(&mut self, table: &DescriptorTable, deadline: Option<u64>) -> Result<usize, Failure> {
        let ready = self.look(table)?;
        if ready > 0 || deadline == Some(0) {
            return Ok(ready);
        }
        let numbers = self.descriptors.iter().map(|descriptor| descriptor.number);
        let files = hold(table, numbers.len(), numbers)?;
        let registrations = join(&files)?;
        sleep(&registrations, deadline, || self.look_again(&files))
    }
}

fn poll_all(task: &Task, address: usize, count: usize, deadline: Option<u64>) -> Result<usize, Failure> {
    if count as u64 > task.limit(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    let given = UserPtr::<PollDescriptor>::new(address);
    let mut few = [PollDescriptor::default(); BATCH];
    let mut many;
    let descriptors = match few.get_mut(..count) {
        Some(few) => {
            given.read_into(few)?;
            few
        }
        None => {
            many = given.read_array(count)?;
            &mut many[..]
        }
    };
    Polled { descriptors, address }.wait(&table, deadline)
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

/// What is left until `deadline`, which is zero for a call that did not wait.
pub(crate) fn left_until(deadline: u64) -> u64 {
    if deadline == 0 { 0 } else { deadline.saturating_sub(sync::now()) }
}

/// Writes what is left of the time, as Linux does; a place that cannot be written is no error any more.
pub(crate) fn store_left(place: UserPtr<Timespec>, deadline: Option<u64>) {
    if let (Some(place), Some(deadline)) = (place.non_null(), deadline) {
        let left = time::Timespec::from_ns(left_until(deadline));
        let _ = place.write(&Timespec { seconds: left.seconds(), nanoseconds: i64::from(left.nanoseconds()) });
    }
}

/// Settles the mask of a call that replaced it: it stays for the handler where a signal interrupted the call.
pub(crate) fn settle_mask(task: &Task, answer: &Answer) {
    if !matches!(answer, Err(Failure::Interrupted(_))) {
        task.end_temporary_mask();
    }
}

pub(crate) fn set_mask(task: &Task, mask: UserPtr<u64>, size: usize) -> Result<(), Errno> {
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
