//! signalfd(2): signals as something to read. Whoever reads takes his own signals, and those of his process.
use crate::Fd;
use crate::files::table;
use crate::pipes::{file, vfs, whole};
use abi::Errno;
use abi::file::{OpenFlags, PollEvents};
use abi::raw::general::*;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::{UserPtr, Writer};
use sync::{Registrations, Thread, WaitError};
use task::Task;
use task::signals::{Signal, SignalInformation, SignalSet};
use vfs::{AnonymousKind, FileOperations, OpenFile};

/// Bytes of `struct signalfd_siginfo`.
const RECORD: usize = 128;

struct SignalFile {
    set: AtomicU64,
}

impl SignalFile {
    fn set(&self) -> SignalSet {
        SignalSet::mask_from_bits(self.set.load(Ordering::Relaxed))
    }
}

/// `struct signalfd_siginfo`: the parts of siginfo each in a place of its own (signalfd(2)).
fn record(signal: Signal, information: &SignalInformation) -> [u8; RECORD] {
    let siginfo = information.to_siginfo(signal);
    let mut record = [0; RECORD];
    let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &signal.number().to_ne_bytes());
    put(4, &siginfo.error.to_ne_bytes());
    put(8, &siginfo.code.to_ne_bytes());
    match *information {
        SignalInformation::Kill { process, user } | SignalInformation::ThreadKill { process, user } => {
            put(12, &process.to_ne_bytes());
            put(16, &user.to_ne_bytes());
        }
        SignalInformation::Queue { process, user, value, .. } => {
            put(12, &process.to_ne_bytes());
            put(16, &user.to_ne_bytes());
            put(44, &(value as u32).to_ne_bytes());
            put(48, &value.to_ne_bytes());
        }
        SignalInformation::Fault { address, .. } | SignalInformation::ProtectionKey { address, .. } => {
            put(72, &address.to_ne_bytes());
        }
        SignalInformation::Child { process, user, status, user_time, system_time, .. } => {
            put(12, &process.to_ne_bytes());
            put(16, &user.to_ne_bytes());
            put(40, &status.to_ne_bytes());
            put(56, &user_time.to_ne_bytes());
            put(64, &system_time.to_ne_bytes());
        }
        SignalInformation::Timer { timer, overrun, value } => {
            put(24, &timer.to_ne_bytes());
            put(32, &overrun.to_ne_bytes());
            put(44, &(value as u32).to_ne_bytes());
            put(48, &value.to_ne_bytes());
        }
        SignalInformation::Poll { band, descriptor, .. } => {
            put(20, &descriptor.to_ne_bytes());
            put(28, &(band as u32).to_ne_bytes());
        }
        SignalInformation::SystemCall { address, number, .. } => {
            put(84, &number.to_ne_bytes());
            put(88, &address.to_ne_bytes());
        }
        // As a program's own: sender, user, value.
        SignalInformation::Raw { tail, .. } => {
            put(12, &tail[0].to_ne_bytes());
            put(16, &tail[1].to_ne_bytes());
            put(44, &tail[2].to_ne_bytes());
            put(48, &tail[2].to_ne_bytes());
            put(52, &tail[3].to_ne_bytes());
        }
        SignalInformation::Kernel => {}
    }
    record
}

/// Waits for the first signal.
fn first(task: &Task, set: SignalSet) -> Result<(Signal, SignalInformation), Errno> {
    let mut registrations = Registrations::for_current(1).ok_or(Errno::ENOMEM)?;
    task.process.signal_arrived.register(&mut registrations)?;
    registrations.wait(None, || task.take_signal(set)).map_err(|error| match error {
        WaitError::Interrupted => Errno::EINTR,
        WaitError::TimedOut => Errno::EAGAIN,
    })
}

impl FileOperations for SignalFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        if into.remaining() < RECORD {
            return Err(Errno::EINVAL);
        }
        let set = self.set();
        let waits = !file.flags().contains(OpenFlags::NON_BLOCKING);
        let mut done = 0;
        while into.remaining() >= RECORD {
            let taken = Thread::with_local(|task: &Task| match task.take_signal(set) {
                Some(taken) => Ok(taken),
                None if waits && done == 0 => first(task, set),
                None => Err(Errno::EAGAIN),
            });
            match taken.unwrap_or(Err(Errno::EINVAL)) {
                Ok((signal, information)) => match whole(into.write(&record(signal, &information)), RECORD) {
                    Ok(count) => done += count,
                    Err(error) if done == 0 => return Err(error),
                    Err(_) => break,
                },
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        let ready = Thread::with_local(|task: &Task| {
            if let Some(registrations) = registrations {
                task.process.signal_arrived.register(registrations)?;
            }
            Ok::<bool, Errno>(!(task.pending_signals() & self.set()).is_empty())
        });
        match ready {
            Some(Ok(true)) => PollEvents::IN,
            Some(Err(_)) => PollEvents::ERROR,
            _ => PollEvents::empty(),
        }
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

pub fn signalfd4(task: &Task, fd: Fd, mask: UserPtr<u64>, size: usize, flags: u32) -> Result<usize, Errno> {
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 || size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let set = SignalSet::mask_from_bits(mask.read()?);
    if fd.0 != -1 {
        let file = file(task, fd)?;
        let signals = file.operations().and_then(|operations| operations.as_any());
        let signals = signals.and_then(|any| any.downcast_ref::<SignalFile>()).ok_or(Errno::EINVAL)?;
        signals.set.store(set.bits(), Ordering::Relaxed);
        // Whoever waits may find something of the new set.
        task.process.signal_arrived.notify();
        return Ok(fd.0 as usize);
    }
    let path = vfs()?.anonymous_path(AnonymousKind::Other("[signalfd]"))?;
    let mut open = OpenFlags::READ_WRITE;
    open.set(OpenFlags::NON_BLOCKING, flags & O_NONBLOCK != 0);
    let operations = Arc::new(SignalFile { set: AtomicU64::new(set.bits()) });
    let file = vfs()?.anonymous_file(path, operations, open, &task.credentials());
    table(task)?.install(file, flags & O_CLOEXEC != 0, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}

pub fn signalfd(task: &Task, fd: Fd, mask: UserPtr<u64>, size: usize) -> Result<usize, Errno> {
    signalfd4(task, fd, mask, size, 0)
}
