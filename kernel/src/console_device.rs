//! /dev/console over the first serial port: bytes as they come and go, without a line discipline.
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags, PollEvents};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use devfs::{DevFs, Node};
use memory::{Reader, Writer};
use sync::{InterruptsOff, PollQueue, Rank, Registrations, Sleep, SpinLock, WaitError};
use vfs::{DeviceFile, FileOperations, OpenFile};

/// Bytes kept for readers; more are dropped, as a terminal drops what nobody reads.
const KEPT: usize = 4096;

/// What has come in.
struct Input {
    bytes: SpinLock<VecDeque<u8>, InterruptsOff>,
    readers: PollQueue,
}

impl serial::Sink for Input {
    fn receive(&self, bytes: &[u8]) {
        let mut kept = self.bytes.lock();
        let room = KEPT.saturating_sub(kept.len());
        kept.extend(&bytes[..bytes.len().min(room)]);
        drop(kept);
        self.readers.wake_all();
    }
}

/// The console of programs.
struct ConsoleDevice {
    input: &'static Input,
}

struct Opening {
    input: &'static Input,
}

fn ended(error: WaitError) -> Errno {
    match error {
        WaitError::Interrupted => Errno::EINTR,
        WaitError::TimedOut => Errno::EAGAIN,
    }
}

impl DeviceFile for ConsoleDevice {
    fn open(&self, _: DeviceNumber, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        Ok(Arc::new(Opening { input: self.input }))
    }
}

impl FileOperations for Opening {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut taken = [0; 256];
        let wanted = taken.len().min(into.remaining());
        let take = || {
            let mut bytes = self.input.bytes.lock();
            let count = bytes.len().min(wanted);
            for (place, byte) in taken.iter_mut().zip(bytes.drain(..count)) {
                *place = byte;
            }
            (count > 0).then_some(count)
        };
        let mut take = take;
        let count = if file.flags().contains(OpenFlags::NON_BLOCKING) {
            take().ok_or(Errno::EAGAIN)?
        } else {
            self.input.readers.wait(Sleep::Interruptible, None, take).map_err(ended)?
        };
        into.write(&taken[..count])
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let port = crate::devices::serial().ok_or(Errno::EIO)?;
        let mut done = 0;
        while !from.is_empty() {
            let mut piece = [0; 256];
            let length = from.read(&mut piece)?;
            let mut sent = 0;
            while sent < length {
                sent += port.write(&piece[sent..length]);
                if sent < length {
                    if file.flags().contains(OpenFlags::NON_BLOCKING) {
                        return if done + sent > 0 { Ok(done + sent) } else { Err(Errno::EAGAIN) };
                    }
                    port.writers()
                        .wait(Sleep::Interruptible, None, || (port.room() > 0).then_some(()))
                        .map_err(ended)?;
                }
            }
            done += length;
        }
        Ok(done)
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        if let Some(registrations) = registrations
            && !registrations.add(&self.input.readers)
        {
            return PollEvents::ERROR;
        }
        let mut events = PollEvents::OUT | PollEvents::WRITE_NORMAL;
        if !self.input.bytes.lock().is_empty() {
            events |= PollEvents::IN | PollEvents::READ_NORMAL;
        }
        events
    }
}

/// Makes /dev/console.
///
/// # Errors
/// EEXIST; ENOMEM.
pub fn register(devices: &DevFs) -> Result<(), Errno> {
    let mut bytes = VecDeque::new();
    bytes.try_reserve_exact(KEPT).map_err(|_| Errno::ENOMEM)?;
    let input: &'static Input = alloc::boxed::Box::leak(alloc::boxed::Box::new(Input {
        bytes: SpinLock::new(Rank::Device, bytes),
        readers: PollQueue::new(),
    }));
    if let Some(port) = crate::devices::serial() {
        port.set_sink(input);
    }
    let node =
        Node { name: "console", kind: FileType::CharacterDevice, number: DeviceNumber::new(5, 1), permissions: 0o600 };
    devices.add(&node, 1, "console", Arc::new(ConsoleDevice { input }))
}
