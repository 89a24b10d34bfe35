//! The root folder: `ptmx` and the slaves.
use crate::instance::Instance;
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags};
use alloc::string::ToString;
use alloc::sync::Arc;
use vfs::{Caching, Content, Directory, Entry, FileOperations, FileSource, Inode, Name, NewInode, Sink, SuperBlock};

const PTMX: &[u8] = b"ptmx";
const PTMX_INODE: u64 = 2;
/// Positions in the folder: `.`, `..`, `ptmx`, the slaves by number.
const PTMX_POSITION: u64 = 2;
const FIRST_POSITION: u64 = 3;

pub struct Root {
    instance: Arc<Instance>,
    ptmx: Arc<Inode>,
}

/// Opens a new pseudo-terminal in its own instance.
struct Ptmx(Arc<Instance>);

impl FileSource for Ptmx {
    fn open(&self, _: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        self.0.masters.open(&self.0, flags)
    }
}

impl Root {
    pub fn new(superblock: &Arc<SuperBlock>, instance: Arc<Instance>) -> Self {
        let new = NewInode {
            kind: FileType::CharacterDevice,
            permissions: instance.options.lock().ptmx_mode,
            user: 0,
            group: 0,
            device: DeviceNumber::new(5, 2),
            target: b"",
        };
        let source = Content::Source(Arc::new(Ptmx(instance.clone())));
        Self { instance, ptmx: Inode::new(superblock.clone(), PTMX_INODE, &new, source) }
    }

    /// After a remount.
    pub fn set_ptmx_mode(&self, mode: u32) {
        self.ptmx.set_permissions(mode);
    }
}

/// The root behind a folder's inode.
pub fn root_of(folder: &Inode) -> Option<&Root> {
    folder.directory().ok()?.as_any()?.downcast_ref()
}

pub fn instance_of(folder: &Inode) -> Option<&Arc<Instance>> {
    root_of(folder).map(|root| &root.instance)
}

/// A slave's number, in the one way to write it.
fn number(name: &[u8]) -> Option<u32> {
    let number: u32 = core::str::from_utf8(name).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == name).then_some(number)
}

impl Directory for Root {
    fn lookup(&self, _: &Arc<Inode>, name: &Name<'_>) -> Result<Arc<Inode>, Errno> {
        if name.bytes() == PTMX {
            return Ok(self.ptmx.clone());
        }
        number(name.bytes()).and_then(|number| self.instance.slave(number)).ok_or(Errno::ENOENT)
    }

    /// Nobody makes files here (open(2), O_CREAT: EACCES; others: EPERM).
    fn create(&self, _: &Arc<Inode>, _: &Name<'_>, new: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        Err(if new.kind == FileType::Regular { Errno::EACCES } else { Errno::EPERM })
    }

    fn read(&self, _: &Arc<Inode>, position: u64, sink: &mut Sink<'_>) -> Result<u64, Errno> {
        let mut position = position.max(PTMX_POSITION);
        if position == PTMX_POSITION {
            let kind = FileType::CharacterDevice;
            if !sink(Entry { name: PTMX, inode: PTMX_INODE, kind, next: FIRST_POSITION }) {
                return Ok(position);
            }
            position = FIRST_POSITION;
        }
        while let Ok(from) = u32::try_from(position - FIRST_POSITION)
            && let Some((number, inode)) = self.instance.next_slave(from)
        {
            let next = FIRST_POSITION + u64::from(number) + 1;
            let name = number.to_string();
            if !sink(Entry { name: name.as_bytes(), inode: inode.number(), kind: inode.kind(), next }) {
                return Ok(position);
            }
            position = next;
        }
        Ok(position)
    }

    fn caching(&self) -> Caching {
        Caching::Lasting
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}
