//! Pipes and event counters as open files.
use crate::Fd;
use abi::Errno;
use abi::file::{OpenFlags, PollEvents};
use abi::raw::general::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, RLIMIT_NOFILE, SIGPIPE};
use abi::raw::ioctl::FIONREAD;
use alloc::sync::Arc;
use ipc::EventCounter;
use ipc::pipe::{Access as PipeAccess, Flow, Pipe, PipeEnd};
use memory::{Reader, UserPtr, Writer};
use sync::{Once, Registrations, Thread};
use task::signals::{Information, send_to_task};
use task::{Failure, Task};
use vfs::{AnonymousKind, FifoOpener, FileOperations, Inode, OpenFile, Vfs};

static VFS: Once<Arc<Vfs>> = Once::new();

/// Says which file systems anonymous files belong to, and how FIFOs are opened. Once.
pub fn set_vfs(vfs: &Arc<Vfs>) {
    vfs.openers.set_fifo(Arc::new(Fifos));
    let _ = VFS.set(vfs.clone());
}

pub(crate) fn vfs() -> Result<&'static Arc<Vfs>, Errno> {
    VFS.get().ok_or(Errno::ENOSYS)
}

/// In a file's own words: "interrupted" is EINTR there, and a restart again in the system call.
fn errno(failure: ipc::Failure) -> Errno {
    match failure {
        ipc::Failure::Error(errno) => errno,
        ipc::Failure::Wait(_) => Errno::EINTR,
    }
}

/// One opening of a pipe.
struct PipeFile(PipeEnd);

fn flow(file: &OpenFile) -> Flow {
    Flow {
        nonblocking: file.flags().contains(OpenFlags::NON_BLOCKING),
        packets: file.flags().contains(OpenFlags::DIRECT),
    }
}

impl FileOperations for PipeFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        self.0.read(into, flow(file)).map_err(errno)
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let written = self.0.write(from, flow(file));
        if written.is_broken() {
            Thread::with_local(|task: &Task| send_to_task(task, SIGPIPE, Information::thread_kill(task)));
        }
        written.result().map_err(errno)
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        if let Some(registrations) = registrations
            && self.0.register(registrations).is_err()
        {
            return PollEvents::ERROR;
        }
        PollEvents::from_bits_retain(self.0.readiness())
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        match command {
            FIONREAD => UserPtr::<u32>::new(argument).write(&(self.0.pipe().bytes() as u32)).map(|()| 0),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

fn events(mask: Result<u32, Errno>) -> PollEvents {
    mask.map_or(PollEvents::ERROR, PollEvents::from_bits_retain)
}

/// The pipe behind an open file, if it is one.
pub(crate) fn pipe_of(file: &OpenFile) -> Option<&Arc<Pipe>> {
    let operations = file.operations()?;
    operations.as_any()?.downcast_ref::<PipeFile>().map(|file| file.0.pipe())
}

struct Fifos;

impl FifoOpener for Fifos {
    fn open(&self, inode: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let pipe = match Pipe::new() {
            Ok(new) => inode.shared_state::<Pipe>(|| new).ok_or(Errno::EIO)?,
            Err(errno) => return Err(errno),
        };
        let access = match (flags.reads(), flags.writes()) {
            (true, true) => PipeAccess::ReadWrite,
            (true, false) => PipeAccess::Read,
            _ => PipeAccess::Write,
        };
        let end = PipeEnd::open(&pipe, access, flags.contains(OpenFlags::NON_BLOCKING)).map_err(errno)?;
        Ok(Arc::new(PipeFile(end)))
    }
}

/// pipe2(2).
pub fn pipe2(task: &Task, place: UserPtr<[i32; 2]>, flags: u32) -> Result<(), Errno> {
    let flags = OpenFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let allowed = OpenFlags::CLOSE_ON_EXEC | OpenFlags::NON_BLOCKING | OpenFlags::DIRECT;
    if !(flags - allowed).is_empty() {
        return Err(Errno::EINVAL);
    }
    let (vfs, credentials) = (vfs()?, task.credentials());
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    let (limit, close_on_exec) = (task.limit(RLIMIT_NOFILE), flags.contains(OpenFlags::CLOSE_ON_EXEC));
    let (reading, writing) = PipeEnd::pair()?;
    let path = vfs.anonymous_path(AnonymousKind::Pipe)?;
    let _ = path.inode()?.shared_state::<Pipe>(|| reading.pipe().clone());
    let kept = flags - OpenFlags::CLOSE_ON_EXEC;
    let reader = vfs.anonymous_file(path.clone(), Arc::new(PipeFile(reading)), kept, &credentials);
    let writer = vfs.anonymous_file(path, Arc::new(PipeFile(writing)), kept | OpenFlags::WRITE_ONLY, &credentials);
    let first = table.reserve(0, close_on_exec, limit)?;
    let second = table.reserve(0, close_on_exec, limit)?;
    place.write(&[first.number() as i32, second.number() as i32])?;
    first.fill(reader);
    second.fill(writer);
    Ok(())
}

pub fn pipe(task: &Task, place: UserPtr<[i32; 2]>) -> Result<(), Errno> {
    pipe2(task, place, 0)
}

struct EventFile(EventCounter);

impl FileOperations for EventFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        if into.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let count = self.0.read(file.flags().contains(OpenFlags::NON_BLOCKING)).map_err(errno)?;
        match into.write(&count.to_ne_bytes()) {
            Ok(8) => Ok(8),
            // The count is taken all the same, as on Linux.
            _ => Err(Errno::EFAULT),
        }
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let mut bytes = [0; 8];
        if from.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        from.read_exact(&mut bytes)?;
        self.0.write(u64::from_ne_bytes(bytes), file.flags().contains(OpenFlags::NON_BLOCKING)).map_err(errno)?;
        Ok(8)
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        events(self.0.poll(registrations))
    }
}

/// eventfd2(2).
pub fn eventfd2(task: &Task, initial: u32, flags: u32) -> Result<usize, Errno> {
    if flags & !(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE) != 0 {
        return Err(Errno::EINVAL);
    }
    let vfs = vfs()?;
    let counter = Arc::new(EventFile(EventCounter::new(initial, flags & EFD_SEMAPHORE != 0)));
    let mut open = OpenFlags::READ_WRITE;
    open.set(OpenFlags::NON_BLOCKING, flags & EFD_NONBLOCK != 0);
    let path = vfs.anonymous_path(AnonymousKind::Other("[eventfd]"))?;
    let file = vfs.anonymous_file(path, counter, open, &task.credentials());
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    table.install(file, flags & EFD_CLOEXEC != 0, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}

pub fn eventfd(task: &Task, initial: u32) -> Result<usize, Errno> {
    eventfd2(task, initial, 0)
}

/// "Interrupted" from a file becomes a restart.
pub(crate) fn restartable<T>(result: Result<T, Errno>) -> Result<T, Failure> {
    result.map_err(|errno| match errno {
        Errno::EINTR => Failure::Interrupted(task::Restart::IfFlagged),
        other => Failure::Errno(other),
    })
}

/// The open file behind a descriptor. EBADF.
#[inline]
pub(crate) fn file(task: &Task, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
    let number = u32::try_from(fd.0).map_err(|_| Errno::EBADF)?;
    task.files.open_file(number)
}
