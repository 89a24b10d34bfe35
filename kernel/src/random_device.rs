//! `/dev/random` and `/dev/urandom` (`random(4)`): the same bytes, but the first waits until they are good.
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags, PollEvents};
use alloc::sync::Arc;
use devfs::{DevFs, Node};
use memory::{Reader, UserPtr, Writer};
use sync::Registrations;
use vfs::device::SharedDevice;
use vfs::{Capabilities, FileOperations, OpenFile, Seekable};

/// Bytes made at a time.
const PIECE: usize = 256;
/// RNDGETENTCNT and the other commands (linux/random.h).
const GET_COUNT: u32 = 0x8004_5200;
const COMMANDS: core::ops::RangeInclusive<u32> = 0x00..=0x07;

struct Random {
    waits: bool,
}

impl FileOperations for Random {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        if self.waits && !into.is_empty() {
            task::random::wait_until_ready(file.flags().contains(OpenFlags::NON_BLOCKING))?;
        }
        let mut done = 0;
        while !into.is_empty() {
            let mut bytes = [0; PIECE];
            let piece = &mut bytes[..into.remaining().min(PIECE)];
            task::random::fill(piece);
            match into.write(piece) {
                Ok(count) => done += count,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            if sync::current().is_interrupted(sync::Sleep::Interruptible) {
                break;
            }
        }
        Ok(done)
    }

    /// Mixed in, and counted for nothing.
    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let mut done = 0;
        while !from.is_empty() {
            let mut bytes = [0; PIECE];
            let count = from.read(&mut bytes)?;
            task::random::mix(&bytes[..count]);
            done += count;
            if count == 0 || sync::current().is_interrupted(sync::Sleep::Interruptible) {
                break;
            }
        }
        Ok(done)
    }

    fn poll(&self, _: &OpenFile, _: Option<&mut Registrations>) -> PollEvents {
        let readable =
            if task::random::is_ready() { PollEvents::IN | PollEvents::READ_NORMAL } else { PollEvents::empty() };
        readable | PollEvents::OUT | PollEvents::WRITE_NORMAL
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        match command {
            GET_COUNT => {
                let bits = if task::random::is_ready() { random::ENOUGH } else { 0 };
                UserPtr::<u32>::new(argument).write(&bits).map(|()| 0)
            }
            command if command >> 8 & 0xff == u32::from(b'R') && COMMANDS.contains(&(command & 0xff)) => {
                if !file.credentials().has(Capabilities::SYS_ADMIN) {
                    return Err(Errno::EPERM);
                }
                task::stub("random: ioctls that set the count");
                Err(Errno::EINVAL)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn seekable(&self) -> Seekable {
        Seekable::AlwaysZero
    }

    fn can_poll(&self) -> bool {
        self.waits
    }
}

/// Registers both.
///
/// # Errors
/// EBUSY; EEXIST; ENOMEM.
pub fn register(devices: &DevFs) -> Result<(), Errno> {
    for (name, minor, waits) in [("random", 8, true), ("urandom", 9, false)] {
        let number = DeviceNumber::new(1, minor);
        let node = Node { name, kind: FileType::CharacterDevice, number, permissions: 0o666 };
        devices.add(&node, 1, "mem", Arc::new(SharedDevice(Arc::new(Random { waits }))))?;
    }
    Ok(())
}
