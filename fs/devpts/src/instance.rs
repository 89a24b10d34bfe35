//! One mount's pseudo-terminals.
use crate::SLAVE_MAJOR;
use crate::options::Options;
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::{Arc, Weak};
use sync::{Once, Preempt, Rank, SpinLock};
use vfs::{Content, Credentials, FileOperations, FileSource, Inode, NewInode, SuperBlock};

/// Number of the first slave's inode; root and `ptmx` come before.
const FIRST_INODE: u64 = 3;

/// What opening `ptmx` does.
pub trait Masters: Send + Sync {
    /// Makes a pseudo-terminal in `instance` and opens its master. May sleep.
    fn open(&self, instance: &Arc<Instance>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno>;
}

#[derive(Default)]
struct Entries {
    slaves: BTreeMap<u32, Arc<Inode>>,
    /// Numbers below `next` that nobody has.
    free: BTreeSet<u32>,
    next: u32,
}

/// A mounted devpts.
pub struct Instance {
    pub(crate) options: SpinLock<Options, Preempt>,
    entries: SpinLock<Entries, Preempt>,
    superblock: Once<Weak<SuperBlock>>,
    pub(crate) masters: Arc<dyn Masters>,
}

/// A number of an instance, until it is dropped; the slave's name with it.
pub struct Number {
    instance: Arc<Instance>,
    number: u32,
}

impl Instance {
    pub(crate) fn new(options: Options, masters: Arc<dyn Masters>) -> Self {
        Self {
            options: SpinLock::new(Rank::Attributes, options),
            entries: SpinLock::new(Rank::Attributes, Entries::default()),
            superblock: Once::new(),
            masters,
        }
    }

    pub(crate) fn set_superblock(&self, superblock: &Arc<SuperBlock>) {
        let _ = self.superblock.set(Arc::downgrade(superblock));
    }

    /// The instance whose root folder this is.
    pub fn of(folder: &Inode) -> Option<&Arc<Self>> {
        crate::folder::instance_of(folder)
    }

    /// Takes the lowest free number. ENOSPC.
    pub fn take_number(self: &Arc<Self>) -> Result<Number, Errno> {
        let max = self.options.lock().max;
        let mut entries = self.entries.lock();
        let number = match entries.free.first().copied() {
            Some(number) if number < max => {
                entries.free.remove(&number);
                number
            }
            _ if entries.next < max => {
                entries.next += 1;
                entries.next - 1
            }
            _ => return Err(Errno::ENOSPC),
        };
        Ok(Number { instance: self.clone(), number })
    }

    pub(crate) fn slave(&self, number: u32) -> Option<Arc<Inode>> {
        self.entries.lock().slaves.get(&number).cloned()
    }

    /// The first slave with a number of at least `from`.
    pub(crate) fn next_slave(&self, from: u32) -> Option<(u32, Arc<Inode>)> {
        self.entries.lock().slaves.range(from..).next().map(|(&number, inode)| (number, inode.clone()))
    }
}

impl Number {
    pub fn get(&self) -> u32 {
        self.number
    }

    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    pub fn device(&self) -> DeviceNumber {
        DeviceNumber::new(SLAVE_MAJOR, self.number)
    }

    /// Gives the slave its name and owner. ENODEV once the instance is unmounted.
    pub fn show(&self, opener: &Credentials, slave: Arc<dyn FileSource>) -> Result<(), Errno> {
        let superblock = self.instance.superblock.get().and_then(Weak::upgrade).ok_or(Errno::ENODEV)?;
        let options = self.instance.options.lock().clone();
        let new = NewInode {
            kind: FileType::CharacterDevice,
            permissions: options.mode,
            user: options.user.unwrap_or(opener.user.file_system),
            group: options.group.unwrap_or(opener.group.file_system),
            device: self.device(),
            target: b"",
        };
        let inode = Inode::new(superblock, FIRST_INODE + u64::from(self.number), &new, Content::Source(slave));
        inode.mark_fleeting();
        self.instance.entries.lock().slaves.insert(self.number, inode);
        Ok(())
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let mut entries = self.instance.entries.lock();
        let gone = entries.slaves.remove(&self.number);
        entries.free.insert(self.number);
        drop(entries);
        if let Some(inode) = gone {
            inode.set_links(0);
        }
    }
}
