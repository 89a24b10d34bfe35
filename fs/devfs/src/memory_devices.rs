//! `/dev/null`, `/dev/zero` and `/dev/full` (`null(4)`, `full(4)`).
use crate::{DevFs, Node};
use abi::Errno;
use abi::file::{DeviceNumber, FileType};
use alloc::sync::Arc;
use memory::{Reader, Writer};
use vfs::device::SharedDevice;
use vfs::{FileOperations, Mapping, OpenFile, Seekable};

/// Linux's major number of memory devices.
const MEMORY: u32 = 1;

struct Null;
struct Zero;
struct Full;

/// Takes everything, and does not look at it.
fn discard(from: &mut Reader<'_>) -> Result<usize, Errno> {
    let count = from.remaining();
    from.limit(0);
    Ok(count)
}

impl FileOperations for Null {
    fn read(&self, _: &OpenFile, _: &mut u64, _: &mut Writer<'_>) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        discard(from)
    }

    fn seekable(&self) -> Seekable {
        Seekable::AlwaysZero
    }

    fn can_poll(&self) -> bool {
        false
    }
}

impl FileOperations for Zero {
    fn read(&self, _: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        into.write_zeros(into.remaining())
    }

    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        discard(from)
    }

    fn mapping(&self, _: &OpenFile) -> Result<Mapping, Errno> {
        Ok(Mapping::Zeros)
    }

    fn seekable(&self) -> Seekable {
        Seekable::AlwaysZero
    }

    fn can_poll(&self) -> bool {
        false
    }
}

impl FileOperations for Full {
    fn read(&self, _: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        into.write_zeros(into.remaining())
    }

    fn write(&self, _: &OpenFile, _: &mut u64, _: &mut Reader<'_>) -> Result<usize, Errno> {
        Err(Errno::ENOSPC)
    }

    fn seekable(&self) -> Seekable {
        Seekable::AlwaysZero
    }

    fn can_poll(&self) -> bool {
        false
    }
}

/// Registers the three. EBUSY; EEXIST.
pub fn register_memory_devices(devices: &DevFs) -> Result<(), Errno> {
    let all: [(&str, u32, Arc<dyn FileOperations>); 3] =
        [("null", 3, Arc::new(Null)), ("zero", 5, Arc::new(Zero)), ("full", 7, Arc::new(Full))];
    for (name, minor, operations) in all {
        let number = DeviceNumber::new(MEMORY, minor);
        let node = Node { name, kind: FileType::CharacterDevice, number, permissions: 0o666 };
        devices.add(&node, 1, "mem", Arc::new(SharedDevice(operations)))?;
    }
    Ok(())
}
