//! The entries of a folder, by name and in order.
use alloc::sync::Arc;
use cache::radix::{self, Radix, Refused, Tag};
use sync::{Rank, SpinLock};
use vfs::name::OwnedName;
use vfs::name_trie::{self, NameTrie, Named, NeedsNodes};
use vfs::{Inode, Name};

/// An entry; replaced as a whole when it changes.
pub(crate) struct Entry {
    pub(crate) name: OwnedName,
    pub(crate) inode: Arc<Inode>,
    /// Its place in the order: higher is newer.
    number: u64,
}

pub(crate) struct ByName(Arc<Entry>);

impl Named for ByName {
    fn hash(&self) -> u64 {
        self.0.name.hash()
    }

    #[inline]
    fn is_named(&self, name: &Name<'_>) -> bool {
        self.0.name.is(name)
    }
}

/// Both indexes.
pub(crate) struct Indexes {
    names: NameTrie<ByName>,
    order: Radix<Arc<Entry>>,
    next_number: u64,
}

/// All entries of a folder.
pub(crate) struct Entries(SpinLock<Indexes>);

impl Entries {
    pub(crate) fn new() -> Self {
        let indexes = Indexes { names: NameTrie::new(), order: Radix::new(), next_number: 1 };
        Self(SpinLock::new(Rank::Attributes, indexes))
    }

    pub(crate) fn get(&self, name: &Name<'_>) -> Option<Arc<Inode>> {
        self.0.lock().names.get(name).map(|entry| entry.0.inode.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().names.is_empty()
    }

    /// Adds an entry of a name that is not there. Changes exclude each other.
    pub(crate) fn insert(&self, name: &Name<'_>, inode: Arc<Inode>) {
        let mut indexes = self.0.lock();
        let number = indexes.next_number;
        indexes.next_number += 1;
        drop(indexes);
        self.insert_at(name, inode, number);
    }

    fn insert_at(&self, name: &Name<'_>, inode: Arc<Inode>, number: u64) {
        let entry = Arc::new(Entry { name: OwnedName::new(name), inode, number });
        let mut for_order = radix::Spare::new();
        let mut for_names = name_trie::Spare::new();
        let mut ordered = entry.clone();
        while let Err(Refused::NeedsNodes(back) | Refused::Occupied(back)) = {
            let mut indexes = self.0.lock();
            indexes.order.insert(number, ordered, &mut for_order)
        } {
            ordered = back;
            for_order.fill();
        }
        let mut named = ByName(entry);
        while let Err(NeedsNodes(back)) = {
            let mut indexes = self.0.lock();
            indexes.names.insert(named, &mut for_names)
        } {
            named = back;
            for_names.fill();
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&self, name: &Name<'_>) -> Option<Arc<Entry>> {
        let mut indexes = self.0.lock();
        let entry = indexes.names.remove(name)?.0;
        let ordered = indexes.order.remove(entry.number);
        drop(indexes);
        drop(ordered);
        Some(entry)
    }

    /// Has an entry stand for another inode, in its old place.
    pub(crate) fn replace(&self, name: &Name<'_>, inode: Arc<Inode>) {
        if let Some(entry) = self.remove(name) {
            self.insert_at(name, inode, entry.number);
        }
    }

    /// The newest entry whose number is at most `number`, and its number.
    pub(crate) fn newest(&self, number: u64) -> Option<(Arc<Entry>, u64)> {
        let indexes = self.0.lock();
        let number = indexes.order.previous(number, Tag::Present)?;
        Some((indexes.order.get(number)?.clone(), number))
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> Indexes {
        let empty = Indexes { names: NameTrie::new(), order: Radix::new(), next_number: 1 };
        core::mem::replace(self.0.get_mut(), empty)
    }
}

impl Indexes {
    /// Takes any entry out.
    pub(crate) fn pop(&mut self) -> Option<Arc<Entry>> {
        let entry = self.names.pop()?.0;
        self.order.remove(entry.number);
        Some(entry)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
