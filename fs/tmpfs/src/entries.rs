//! The entries of a folder, by name and in order.
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, btree_map};
use alloc::sync::Arc;
use sync::{Rank, RwSemaphore, SpinLock};
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

/// Entries by their numbers, in pieces of a fixed length: a new one goes to the last piece, and readers go through pieces. A tree of the
/// standard library holds them: it is changed only where sleeping is allowed.
pub(crate) struct Order {
    pieces: BTreeMap<u64, Box<Piece>>,
    next_number: u64,
}

/// Numbers that a piece has room for.
const PIECE: u64 = u32::BITS as u64;

#[derive(Default)]
struct Piece {
    /// A bit for each place that is taken.
    taken: u32,
    entries: [Option<Arc<Entry>>; PIECE as usize],
}

impl Order {
    fn insert(&mut self, entry: Arc<Entry>) {
        let (piece, place) = (entry.number / PIECE, entry.number % PIECE);
        let piece = self.pieces.entry(piece).or_default();
        piece.taken |= 1 << place;
        piece.entries[place as usize] = Some(entry);
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Entry>> {
        let place = number % PIECE;
        let btree_map::Entry::Occupied(mut piece) = self.pieces.entry(number / PIECE) else { return None };
        let removed = piece.get_mut().entries[place as usize].take();
        piece.get_mut().taken &= !(1 << place);
        if piece.get().taken == 0 {
            piece.remove();
        }
        removed
    }
}

/// All entries of a folder.
pub(crate) struct Entries {
    names: SpinLock<NameTrie<ByName>>,
    order: RwSemaphore<Order>,
}

impl Entries {
    pub(crate) fn new() -> Self {
        let order = Order { pieces: BTreeMap::new(), next_number: 1 };
        Self {
            names: SpinLock::new(Rank::Attributes, NameTrie::new()),
            order: RwSemaphore::new(Rank::FileSystem, order),
        }
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
        let mut order = self.order.write();
        let number = number.unwrap_or(order.next_number);
        order.next_number = order.next_number.max(number + 1);
        let entry = Arc::new(Entry { name: OwnedName::new(name), inode, number });
        order.insert(entry.clone());
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
        let ordered = self.order.write().remove(entry.number);
        drop(ordered);
        Some(entry)
    }

    /// Has an entry stand for another inode, in its old place.
    pub(crate) fn replace(&self, name: &Name<'_>, inode: Arc<Inode>) {
        if let Some(entry) = self.remove(name) {
            self.insert_at(name, inode, Some(entry.number));
        }
    }

    /// Shows entries whose numbers are at most `number` to `wanted`, the newest first, until it is satisfied, and answers the number of the one
    /// with which it was. It may sleep; changes wait meanwhile.
    pub(crate) fn find_newest(&self, number: u64, mut wanted: impl FnMut(&Entry) -> bool) -> Option<u64> {
        let order = self.order.read();
        let last = number / PIECE;
        for (&piece, entries) in order.pieces.range(..=last).rev() {
            let mut left = entries.taken;
            if piece == last {
                left &= u32::MAX >> (PIECE - 1 - number % PIECE);
            }
            while let Some(place) = left.checked_ilog2() {
                left &= !(1 << place);
                if let Some(entry) = &entries.entries[place as usize]
                    && wanted(entry)
                {
                    return Some(entry.number);
                }
            }
        }
        None
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> Remains {
        self.order.get_mut().pieces.clear();
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
