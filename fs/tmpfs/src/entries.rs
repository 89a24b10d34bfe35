//! The entries of a folder, by name and in order.
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use smallvec::SmallVec;
use sync::{Mutex, Rank, SpinLock};
use vfs::name::OwnedName;
use vfs::name_trie::{self, NameTrie, Named, NeedsNodes};
use vfs::{Inode, Name};

/// An entry; replaced as a whole when it changes.
pub(crate) struct Entry {
    pub(crate) name: OwnedName,
    pub(crate) inode: Arc<Inode>,
    /// Its place in the order: higher is newer.
    pub(crate) number: u64,
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

/// Entries by their numbers. A tree of the standard library: it is changed only where sleeping is allowed.
pub(crate) struct Order {
    entries: BTreeMap<u64, Arc<Entry>>,
    next_number: u64,
}

/// How many entries are looked up at a time.
const SOME: usize = 32;

/// All entries of a folder.
pub(crate) struct Entries {
    names: SpinLock<NameTrie<ByName>>,
    order: Mutex<Order>,
}

impl Entries {
    pub(crate) fn new() -> Self {
        let order = Order { entries: BTreeMap::new(), next_number: 1 };
        Self { names: SpinLock::new(Rank::Attributes, NameTrie::new()), order: Mutex::new(Rank::FileSystem, order) }
    }

    pub(crate) fn get(&self, name: &Name<'_>) -> Option<Arc<Inode>> {
        self.names.lock().get(name).map(|entry| entry.0.inode.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.lock().is_empty()
    }

    /// Adds an entry of a name that is not there. Changes exclude each other.
    pub(crate) fn insert(&self, name: &Name<'_>, inode: Arc<Inode>) {
        self.insert_at(name, inode, None);
    }

    fn insert_at(&self, name: &Name<'_>, inode: Arc<Inode>, number: Option<u64>) {
        let mut order = self.order.lock();
        let number = number.unwrap_or(order.next_number);
        order.next_number = order.next_number.max(number + 1);
        let entry = Arc::new(Entry { name: OwnedName::new(name), inode, number });
        order.entries.insert(number, entry.clone());
        drop(order);
        let mut spare = name_trie::Spare::new();
        let mut named = ByName(entry);
        while let Err(NeedsNodes(back)) = {
            let mut names = self.names.lock();
            names.insert(named, &mut spare)
        } {
            named = back;
            spare.fill();
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&self, name: &Name<'_>) -> Option<Arc<Entry>> {
        let entry = self.names.lock().remove(name)?.0;
        let ordered = self.order.lock().entries.remove(&entry.number);
        drop(ordered);
        Some(entry)
    }

    /// Has an entry stand for another inode, in its old place.
    pub(crate) fn replace(&self, name: &Name<'_>, inode: Arc<Inode>) {
        if let Some(entry) = self.remove(name) {
            self.insert_at(name, inode, Some(entry.number));
        }
    }

    /// Some entries whose numbers are at most `number`, the newest first; none where there are no more.
    pub(crate) fn newest(&self, number: u64) -> SmallVec<[Arc<Entry>; SOME]> {
        let order = self.order.lock();
        order.entries.range(..=number).rev().take(SOME).map(|(_, entry)| entry.clone()).collect()
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> Remains {
        self.order.get_mut().entries.clear();
        Remains(core::mem::take(self.names.get_mut()))
    }
}

/// The entries of a folder that is gone.
pub(crate) struct Remains(NameTrie<ByName>);

impl Remains {
    /// Takes any entry out.
    pub(crate) fn pop(&mut self) -> Option<Arc<Entry>> {
        Some(self.0.pop()?.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
