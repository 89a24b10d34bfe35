//! What opens devices, FIFOs and sockets: registered by whoever implements them.
use crate::file::{FileOperations, OpenFile};
use crate::inode::Inode;
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sync::{Once, Rank, SpinLock};

/// A device that can be opened.
pub trait DeviceFile: Send + Sync {
    /// Opens it, perhaps sleeping (a terminal that waits for its line). `number` tells which of several.
    fn open(&self, number: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno>;
}

/// A device all of whose openings are served by one object.
pub struct SharedDevice(pub Arc<dyn FileOperations>);

impl DeviceFile for SharedDevice {
    fn open(&self, _: DeviceNumber, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        Ok(self.0.clone())
    }
}

/// What opens FIFOs.
pub trait FifoOpener: Send + Sync {
    /// Opens the FIFO; sleeps until the other end is open too, unless `flags` say otherwise. EINTR; ENXIO.
    fn open(&self, inode: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno>;
}

/// Hooks of floors above.
pub struct Openers {
    fifo: Once<Arc<dyn FifoOpener>>,
}

impl Openers {
    pub(crate) fn new() -> Self {
        Self { fifo: Once::new() }
    }

    /// Registers what opens FIFOs. Later ones are ignored.
    pub fn set_fifo(&self, opener: Arc<dyn FifoOpener>) {
        let _ = self.fifo.set(opener);
    }

    pub(crate) fn fifo(&self) -> Result<&Arc<dyn FifoOpener>, Errno> {
        self.fifo.get().ok_or(Errno::ENXIO)
    }
}

/// A driver's name and range of numbers.
#[derive(Clone)]
struct Range {
    last_minor: u32,
    name: &'static str,
    device: Arc<dyn DeviceFile>,
}

/// Devices by type and number: ranges of minors of one major.
pub struct DeviceRegistry(SpinLock<[BTreeMap<DeviceNumber, Range>; 2]>);

fn table(kind: FileType) -> usize {
    usize::from(kind == FileType::BlockDevice)
}

impl DeviceRegistry {
    pub(crate) fn new() -> Self {
        Self(SpinLock::new(Rank::Attributes, [const { BTreeMap::new() }; 2]))
    }

    /// Registers a device for `count` minors from `first` on; `name` is for `/proc/devices`. EBUSY where one is taken.
    pub fn register(
        &self,
        kind: FileType,
        first: DeviceNumber,
        count: u32,
        name: &'static str,
        device: Arc<dyn DeviceFile>,
    ) -> Result<(), Errno> {
        let last = DeviceNumber::new(first.major, first.minor.saturating_add(count.saturating_sub(1)));
        let mut tables = self.0.lock();
        let table = &mut tables[table(kind)];
        let taken = table
            .range(..=last)
            .next_back()
            .is_some_and(|(start, range)| start.major == first.major && range.last_minor >= first.minor);
        if taken {
            return Err(Errno::EBUSY);
        }
        table.insert(first, Range { last_minor: last.minor, name, device });
        Ok(())
    }

    /// Whatever opens device `number`. ENXIO.
    pub fn find(&self, kind: FileType, number: DeviceNumber) -> Result<Arc<dyn DeviceFile>, Errno> {
        let tables = self.0.lock();
        let (start, range) = tables[table(kind)].range(..=number).next_back().ok_or(Errno::ENXIO)?;
        if start.major == number.major && number.minor <= range.last_minor {
            Ok(range.device.clone())
        } else {
            Err(Errno::ENXIO)
        }
    }

    /// Majors and names, for `/proc/devices`.
    pub fn list(&self, kind: FileType) -> Vec<(u32, &'static str)> {
        let tables = self.0.lock();
        let mut list: Vec<_> = tables[table(kind)].iter().map(|(number, range)| (number.major, range.name)).collect();
        list.dedup();
        list
    }
}

/// Opens what is not a folder and has no pages of its own.
pub(crate) fn open_special(inode: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
    let vfs = inode.superblock().vfs();
    match inode.kind() {
        FileType::Fifo => vfs.openers.fifo()?.open(inode, flags),
        FileType::CharacterDevice | FileType::BlockDevice => {
            vfs.devices.find(inode.kind(), inode.device())?.open(inode.device(), flags)
        }
        // A socket in the file system is connected to, not opened (open(2): ENXIO).
        _ => Err(Errno::ENXIO),
    }
}

/// Whether a file is a terminal or another character device, for those who need to know.
pub fn is_character_device(file: &OpenFile) -> bool {
    file.inode().kind() == FileType::CharacterDevice
}
