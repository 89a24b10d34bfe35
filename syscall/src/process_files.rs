//! Processes as open files: pidfd_open(2) and what takes them.
use crate::Fd;
use crate::files::table;
use crate::pipes::{file, vfs};
use abi::Errno;
use abi::file::{OpenFlags, PollEvents};
use abi::raw::general::{O_NONBLOCK, RLIMIT_NOFILE};
use abi::signal::Siginfo;
use alloc::sync::Arc;
use memory::UserPtr;
use sync::Registrations;
use task::Task;
use task::process::Process;
use task::signals::{self, Information, SignalInformation};
use vfs::{AnonymousKind, FileOperations, OpenFile};

struct ProcessFile(Arc<Process>);

impl FileOperations for ProcessFile {
    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        if let Some(registrations) = registrations
            && self.0.end.register(registrations).is_err()
        {
            return PollEvents::ERROR;
        }
        if self.0.is_zombie() { PollEvents::IN | PollEvents::READ_NORMAL } else { PollEvents::empty() }
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// A new open file that stands for `process`.
pub(crate) fn open(task: &Task, process: &Arc<Process>, nonblocking: bool) -> Result<Arc<OpenFile>, Errno> {
    let path = vfs()?.anonymous_path(AnonymousKind::Other("[pidfd]"))?;
    let mut flags = OpenFlags::READ_WRITE;
    flags.set(OpenFlags::NON_BLOCKING, nonblocking);
    Ok(vfs()?.anonymous_file(path, Arc::new(ProcessFile(process.clone())), flags, &task.credentials()))
}

/// The process behind a descriptor, and whether waiting for it is not to block. EBADF.
pub(crate) fn process_of(task: &Task, fd: Fd) -> Result<(Arc<Process>, bool), Errno> {
    let file = file(task, fd)?;
    let any = file.operations().and_then(|operations| operations.as_any());
    let process = any.and_then(|any| any.downcast_ref::<ProcessFile>()).ok_or(Errno::EBADF)?;
    Ok((process.0.clone(), file.flags().contains(OpenFlags::NON_BLOCKING)))
}

pub fn pidfd_open(task: &Task, pid: i32, flags: u32) -> Result<usize, Errno> {
    if flags & !O_NONBLOCK != 0 || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let process = match task::tree::find_process(pid as u32) {
        Some(process) => process,
        None if task::tree::find_task(pid as u32).is_some() => return Err(Errno::EINVAL),
        None => return Err(Errno::ESRCH),
    };
    let file = open(task, &process, flags & O_NONBLOCK != 0)?;
    table(task)?.install(file, true, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}

pub fn pidfd_send_signal(
    task: &Task,
    fd: Fd,
    signal: u32,
    information: UserPtr<Siginfo>,
    flags: u32,
) -> Result<(), Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (process, _) = process_of(task, fd)?;
    let information = match information.non_null() {
        None => Information::kill(task),
        Some(place) => {
            let given = place.read()?;
            if given.signal != signal as i32 {
                return Err(Errno::EINVAL);
            }
            let own = SignalInformation::from_siginfo(&given);
            if process.pid != task.process.pid && !own.is_for_others() {
                return Err(Errno::EPERM);
            }
            Information(own)
        }
    };
    if signal > 64 {
        return Err(Errno::EINVAL);
    }
    // The number may be another process's by now.
    let current = task::tree::find_process(process.pid).filter(|found| Arc::ptr_eq(found, &process));
    let process = current.ok_or(Errno::ESRCH)?;
    task.may_signal(&process, signal)?;
    signals::send_to_process(&process, signal, information)
}

/// pidfd_getfd(2): another process's open file as one's own.
pub fn pidfd_getfd(task: &Task, fd: Fd, number: i32, flags: u32) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (process, _) = process_of(task, fd)?;
    let other = task::tree::next_thread(process.pid, 0).ok_or(Errno::ESRCH)?;
    task.may_inspect(&other)?;
    let descriptors = other.files.descriptors().ok_or(Errno::ESRCH)?;
    let found = descriptors.get(u32::try_from(number).map_err(|_| Errno::EBADF)?)?;
    table(task)?.install(found, true, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}
