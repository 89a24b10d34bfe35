//! epoll(7): the calls, and open files as what epoll asks.
use crate::Fd;
use crate::files::table;
use crate::pipes::{file, vfs};
use crate::poll::timespec;
use abi::Errno;
use abi::file::{OpenFlags, PollEvents};
use abi::raw::general::*;
use abi::time::Timespec;
use alloc::sync::{Arc, Weak};
use ipc::epoll::{Epoll, Interest, Item, Key, Source};
use memory::{USER_END, UserPtr};
use sync::Registrations;
use task::signals::SignalSet;
use task::{Answer, Failure, Task};
use vfs::{AnonymousKind, Capabilities, FileOperations, OpenFile, Watcher};

/// An open file of interest. Epoll does not keep it open.
pub struct Watched {
    file: Weak<OpenFile>,
    /// Told of the file's end.
    end: Arc<dyn Watcher>,
}

/// An item is gone: its file need not tell it any more.
fn forget(item: &Item<Watched>) {
    if let Some(file) = item.source.file.upgrade() {
        file.unwatch(&item.source.end);
    }
}

impl Source for Watched {
    fn poll(&self, registrations: Option<&mut Registrations>) -> Option<u32> {
        self.file.upgrade().map(|file| file.poll(registrations).bits())
    }

    fn as_epoll(&self) -> Option<Arc<Epoll<Self>>> {
        epoll_of(&*self.file.upgrade()?).cloned()
    }
}

/// Forgets an item when its file is closed.
struct Forgets {
    epoll: Weak<Epoll<Watched>>,
    key: Key,
}

impl Watcher for Forgets {
    fn closed(&self) {
        if let Some(epoll) = self.epoll.upgrade() {
            let _ = epoll.remove(self.key);
        }
    }
}

struct EpollFile(Arc<Epoll<Watched>>);

impl FileOperations for EpollFile {
    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        self.0.poll(registrations).map_or(PollEvents::ERROR, PollEvents::from_bits_retain)
    }

    fn release(&self, _: &OpenFile) {
        self.0.close(|item| forget(item));
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// The epoll behind an open file, if it is one.
fn epoll_of(file: &OpenFile) -> Option<&Arc<Epoll<Watched>>> {
    file.operations()?.as_any()?.downcast_ref::<EpollFile>().map(|file| &file.0)
}

pub fn epoll_create1(task: &Task, flags: u32) -> Result<usize, Errno> {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let path = vfs()?.anonymous_path(AnonymousKind::Other("[eventpoll]"))?;
    let operations = Arc::new(EpollFile(Epoll::new()));
    let opened = vfs()?.anonymous_file(path, operations, OpenFlags::READ_WRITE, &task.credentials());
    table(task)?.install(opened, flags & EPOLL_CLOEXEC != 0, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}

/// epoll_create(2): the size is a hint that nobody takes any more.
pub fn epoll_create(task: &Task, size: i32) -> Result<usize, Errno> {
    if size > 0 { epoll_create1(task, 0) } else { Err(Errno::EINVAL) }
}

/// `struct epoll_event`: twelve bytes without padding on x86-64.
type Event = [u8; 12];

fn decode(event: Event) -> Interest {
    let [a, b, c, d, data @ ..] = event;
    Interest { events: u32::from_ne_bytes([a, b, c, d]), data: u64::from_ne_bytes(data) }
}

fn encode(events: u32, data: u64) -> Event {
    let mut event = [0; 12];
    event[..4].copy_from_slice(&events.to_ne_bytes());
    event[4..].copy_from_slice(&data.to_ne_bytes());
    event
}

/// What may come with EPOLLEXCLUSIVE.
const WITH_EXCLUSIVE: u32 = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

pub fn epoll_ctl(task: &Task, fd: Fd, operation: u32, of: Fd, place: UserPtr<Event>) -> Result<(), Errno> {
    let mut interest = if operation == EPOLL_CTL_DEL { Interest { events: 0, data: 0 } } else { decode(place.read()?) };
    let (own, target) = (file(task, fd)?, file(task, of)?);
    if own.is_path_only() || target.is_path_only() {
        return Err(Errno::EBADF);
    }
    if !target.can_poll() {
        return Err(Errno::EPERM);
    }
    if !task.credentials().has(Capabilities::BLOCK_SUSPEND) {
        interest.events &= !EPOLLWAKEUP;
    }
    let epoll = epoll_of(&own).filter(|_| !Arc::ptr_eq(&own, &target)).ok_or(Errno::EINVAL)?;
    let inner = epoll_of(&target);
    if interest.events & EPOLLEXCLUSIVE != 0 {
        let allowed = operation == EPOLL_CTL_ADD && inner.is_none() && interest.events & !WITH_EXCLUSIVE == 0;
        if !allowed {
            return Err(Errno::EINVAL);
        }
    }
    let key = (Arc::as_ptr(&target) as usize, of.0 as u32);
    match operation {
        EPOLL_CTL_ADD => match inner {
            Some(inner) => epoll.nest(inner, || add(epoll, key, &target, interest)),
            None => add(epoll, key, &target, interest),
        },
        EPOLL_CTL_MOD => epoll.modify(key, interest),
        EPOLL_CTL_DEL => epoll.remove(key).map(|item| forget(&item)),
        _ => Err(Errno::EINVAL),
    }
}

fn add(epoll: &Arc<Epoll<Watched>>, key: Key, target: &Arc<OpenFile>, interest: Interest) -> Result<(), Errno> {
    let end: Arc<dyn Watcher> = Arc::new(Forgets { epoll: Arc::downgrade(epoll), key });
    target.watch(&end);
    let added = epoll.add(key, Watched { file: Arc::downgrade(target), end: end.clone() }, interest);
    if added.is_err() {
        target.unwatch(&end);
    }
    added.map(drop)
}

/// Waits, and writes what is found to user memory.
fn wait(task: &Task, fd: Fd, events: UserPtr<Event>, most: i32, deadline: Option<u64>) -> Answer {
    let own = file(task, fd)?;
    let most = usize::try_from(most).ok().filter(|&most| most > 0 && most <= i32::MAX as usize / size_of::<Event>());
    let most = most.ok_or(Errno::EINVAL)?;
    if events.address().checked_add(most * size_of::<Event>()).is_none_or(|end| end > USER_END) {
        return Err(Errno::EFAULT.into());
    }
    if own.is_path_only() {
        return Err(Errno::EBADF.into());
    }
    let epoll = epoll_of(&own).ok_or(Errno::EINVAL)?;
    let mut count = 0;
    let found = epoll.wait(most, deadline, |mask, data| {
        events.element(count).write(&encode(mask, data))?;
        count += 1;
        Ok(())
    });
    found.map_err(|failure| match failure {
        ipc::Failure::Error(errno) => errno.into(),
        // Never begun again, whatever the handler (signal(7)).
        ipc::Failure::Wait(_) => Errno::EINTR.into(),
    })
}

fn deadline(milliseconds: i32) -> Option<u64> {
    match milliseconds {
        0 => Some(0),
        negative if negative < 0 => None,
        some => Some(sync::now().saturating_add(some as u64 * 1_000_000)),
    }
}

pub fn epoll_wait(task: &Task, fd: Fd, events: UserPtr<Event>, most: i32, timeout: i32) -> Answer {
    wait(task, fd, events, most, deadline(timeout))
}

/// Waits with another mask, which stays for the handler of the signal that ends the wait.
fn wait_masked(task: &Task, mask: UserPtr<u64>, size: usize, wait: impl FnOnce() -> Answer) -> Answer {
    if let Some(mask) = mask.non_null() {
        if size != size_of::<u64>() {
            return Err(Errno::EINVAL.into());
        }
        task.set_temporary_mask(SignalSet::mask_from_bits(mask.read()?));
    }
    let answer = wait();
    if !matches!(answer, Err(Failure::Errno(Errno::EINTR))) {
        task.end_temporary_mask();
    }
    answer
}

pub fn epoll_pwait(
    task: &Task,
    fd: Fd,
    events: UserPtr<Event>,
    most: i32,
    timeout: i32,
    mask: UserPtr<u64>,
    size: usize,
) -> Answer {
    wait_masked(task, mask, size, || wait(task, fd, events, most, deadline(timeout)))
}

pub fn epoll_pwait2(
    task: &Task,
    fd: Fd,
    events: UserPtr<Event>,
    most: i32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<u64>,
    size: usize,
) -> Answer {
    let deadline = timespec(timeout)?;
    wait_masked(task, mask, size, || wait(task, fd, events, most, deadline))
}
