//! Dentries: names in memory, joined to a tree.
//!
//! What a name stands for never changes: a dentry is made with its inode, or negative, and is *replaced* in its parent's
//! index when that changes. So a walk reads the inode without a lock. Name and parent do change, by a rename, which holds the
//! `children` locks of both parents: whoever holds a parent's lock may compare names of its children, and does so by words.
//!
//! A parent's index holds its children, and each child holds its parent. The circle is broken where a dentry leaves the index:
//! when its name is removed, when it is shrunk away, and when the file system is shut down.
mod moves;

use crate::directory::Caching;
use crate::inode::Inode;
use crate::mount::Mount;
use crate::name::{INLINE, Name, WORDS};
use crate::name_trie::{NameTrie, Named, NeedsNodes, Spare};
use crate::superblock::SuperBlock;
use abi::{Errno, NAME_MAX};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::array;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use sync::{Rank, SpinGuard, SpinLock};

/// Something is mounted here.
const MOUNTED: u32 = 1;
/// Looked up since the last sweep.
const REFERENCED: u32 = 2;
/// Not (or no longer) in its parent's index.
const UNHASHED: u32 = 4;
/// Its name was removed from the file system.
const DELETED: u32 = 8;
/// It never had a name, and may be given one (`O_TMPFILE`).
const UNNAMED: u32 = 16;

/// Negative dentries kept for one file system: programs can ask for any number of names that are not there.
const MOST_NEGATIVE: usize = 16 * 1024;

/// One name and what it stands for.
pub struct Dentry {
    words: [AtomicU64; WORDS],
    length: AtomicU32,
    flags: AtomicU32,
    hash: AtomicU64,
    inode: Option<Arc<Inode>>,
    superblock: Arc<SuperBlock>,
    pub(crate) children: SpinLock<Children>,
    place: SpinLock<Place>,
}

/// What is below a dentry.
pub(crate) struct Children {
    pub(crate) names: NameTrie<Arc<Dentry>>,
    /// Mounts on it, each seen only from within the mount that is its parent.
    pub(crate) mounts: Vec<Arc<Mount>>,
}

/// Where a dentry is.
struct Place {
    parent: Option<Arc<Dentry>>,
    /// The whole name, where it is longer than [`INLINE`].
    long: Option<Arc<[u8]>>,
}

impl Named for Arc<Dentry> {
    fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_named(&self, name: &Name<'_>) -> bool {
        let length = name.bytes().len();
        let [first, second, third, fourth] = &self.words;
        let wanted = name.words();
        // Words behind the end are zeros on both sides.
        let different = (first.load(Ordering::Relaxed) ^ wanted[0])
            | (second.load(Ordering::Relaxed) ^ wanted[1])
            | (third.load(Ordering::Relaxed) ^ wanted[2])
            | (fourth.load(Ordering::Relaxed) ^ wanted[3]);
        different == 0
            && self.length.load(Ordering::Relaxed) as usize == length
            && (length <= INLINE || self.place.lock().long.as_deref() == Some(name.bytes()))
    }
}

impl Dentry {
    fn build(
        superblock: Arc<SuperBlock>,
        parent: Option<Arc<Dentry>>,
        name: &Name<'_>,
        inode: Option<Arc<Inode>>,
    ) -> Arc<Self> {
        superblock.counters.dentries.fetch_add(1, Ordering::Relaxed);
        if inode.is_none() {
            superblock.counters.negative.fetch_add(1, Ordering::Relaxed);
        }
        let long = (name.bytes().len() > INLINE).then(|| Arc::from(name.bytes()));
        Arc::new(Self {
            words: array::from_fn(|index| AtomicU64::new(name.words()[index])),
            length: AtomicU32::new(name.bytes().len() as u32),
            flags: AtomicU32::new(UNHASHED),
            hash: AtomicU64::new(name.hash()),
            inode,
            superblock,
            children: SpinLock::new(Rank::Dentry, Children { names: NameTrie::new(), mounts: Vec::new() }),
            place: SpinLock::new(Rank::DentryPlace, Place { parent, long }),
        })
    }

    /// The root of a file system.
    pub(crate) fn root(superblock: Arc<SuperBlock>, inode: Arc<Inode>) -> Arc<Self> {
        Self::alone(superblock, b"/", inode)
    }

    /// A dentry outside of any tree.
    pub(crate) fn alone(superblock: Arc<SuperBlock>, name: &[u8], inode: Arc<Inode>) -> Arc<Self> {
        // Never compared, so it does not matter that a name with a slash is cut short here; `long` keeps it whole.
        let empty = Name::first_of(b"").unwrap_or_else(|_| unreachable!("the empty name is short"));
        let dentry = Self::build(superblock, None, &empty, Some(inode));
        dentry.place.lock().long = Some(Arc::from(name));
        dentry
    }

    /// A child that is not in this dentry's index.
    pub(crate) fn new_child(self: &Arc<Self>, name: &Name<'_>, inode: Option<Arc<Inode>>) -> Arc<Self> {
        Self::build(self.superblock.clone(), Some(self.clone()), name, inode)
    }

    /// What it stands for; `None` where it is known not to exist.
    #[inline(always)]
    pub fn inode(&self) -> Option<&Arc<Inode>> {
        self.inode.as_ref()
    }

    /// What it stands for. ENOENT.
    #[inline(always)]
    pub fn existing(&self) -> Result<&Arc<Inode>, Errno> {
        self.inode.as_ref().ok_or(Errno::ENOENT)
    }

    pub fn superblock(&self) -> &Arc<SuperBlock> {
        &self.superblock
    }

    fn has(&self, flag: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    fn set(&self, flag: u32) {
        self.flags.fetch_or(flag, Ordering::Relaxed);
    }

    fn clear(&self, flag: u32) {
        self.flags.fetch_and(!flag, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn is_mountpoint(&self) -> bool {
        self.has(MOUNTED)
    }

    pub(crate) fn set_mountpoint(&self, mounted: bool) {
        if mounted { self.set(MOUNTED) } else { self.clear(MOUNTED) }
    }

    /// Whether its name is gone from the file system.
    pub fn is_deleted(&self) -> bool {
        self.has(DELETED)
    }

    /// It has no name in the file system; `linkable`: but may be given one.
    pub(crate) fn mark_unnamed(&self, linkable: bool) {
        self.set(if linkable { DELETED | UNNAMED } else { DELETED });
    }

    pub(crate) fn is_unnamed(&self) -> bool {
        self.has(UNNAMED)
    }

    /// The dentry above; `None` for a root.
    pub fn parent(&self) -> Option<Arc<Dentry>> {
        self.place.lock().parent.clone()
    }

    /// Calls `visit` with the name and the parent, as they are together.
    pub(crate) fn with_place<R>(&self, visit: impl FnOnce(&[u8], Option<&Arc<Dentry>>) -> R) -> R {
        let place = self.place.lock();
        if let Some(long) = &place.long {
            return visit(long, place.parent.as_ref());
        }
        let mut bytes = [0; INLINE];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(&self.words) {
            chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        let length = (self.length.load(Ordering::Relaxed) as usize).min(INLINE);
        visit(&bytes[..length], place.parent.as_ref())
    }

    /// The child of that name, if it is in memory; it may be negative. Does not sleep.
    #[inline]
    pub(crate) fn cached_child(&self, name: &Name<'_>) -> Option<Arc<Dentry>> {
        let children = self.children.lock();
        let child = children.names.get(name)?;
        if !child.has(REFERENCED) {
            child.set(REFERENCED);
        }
        Some(child.clone())
    }

    /// The child of that name, from the cache or else from the file system; negative where there is none. May sleep.
    #[inline]
    pub(crate) fn child(self: &Arc<Self>, name: &Name<'_>) -> Result<Arc<Dentry>, Errno> {
        match self.cached_child(name) {
            Some(child) => Ok(child),
            None => self.uncached_child(name),
        }
    }

    #[cold]
    fn uncached_child(self: &Arc<Self>, name: &Name<'_>) -> Result<Arc<Dentry>, Errno> {
        let _shared = self.existing()?.lock.read();
        self.child_locked(name)
    }

    /// As [`Dentry::child`], the folder being locked by the caller.
    pub(crate) fn child_locked(self: &Arc<Self>, name: &Name<'_>) -> Result<Arc<Dentry>, Errno> {
        if let Some(child) = self.cached_child(name) {
            return Ok(child);
        }
        let inode = self.existing()?;
        let directory = inode.directory()?;
        let found = match directory.lookup(inode, name) {
            Ok(found) => Some(found),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let keep = match (directory.caching(), &found) {
            _ if self.is_deleted() => false,
            (Caching::All, None) => self.superblock.counters.negative.load(Ordering::Relaxed) < MOST_NEGATIVE,
            (Caching::All | Caching::Found, Some(_)) => true,
            (Caching::Lasting, Some(found)) => !found.is_fleeting(),
            (Caching::Found | Caching::Lasting, None) => false,
        };
        let child = self.new_child(name, found);
        Ok(if keep { self.insert(child, name) } else { child })
    }

    /// As [`Dentry::child_locked`], but a name that is not there leaves nothing behind: the caller is about to make it.
    pub(crate) fn existing_child_locked(self: &Arc<Self>, name: &Name<'_>) -> Result<Option<Arc<Dentry>>, Errno> {
        if let Some(child) = self.cached_child(name) {
            return Ok(Some(child).filter(|child| child.inode().is_some()));
        }
        let inode = self.existing()?;
        match inode.directory()?.lookup(inode, name) {
            Ok(_) => self.child_locked(name).map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a child into the index, or answers the one that is there. Another look-up may have been faster.
    fn insert(self: &Arc<Self>, mut child: Arc<Dentry>, name: &Name<'_>) -> Arc<Dentry> {
        let mut spare = Spare::new();
        loop {
            let mut children = self.children.lock();
            if let Some(existing) = children.names.get(name) {
                return existing.clone();
            }
            child.clear(UNHASHED);
            let answer = child.clone();
            match children.names.insert(child, &mut spare) {
                Ok(()) => return answer,
                Err(NeedsNodes(back)) => child = back,
            }
            drop(children);
            drop(answer);
            spare.fill();
        }
    }

    /// The name stands for `inode` from now on: whatever dentry there was is replaced. The folder is locked for writing.
    pub(crate) fn set_child(self: &Arc<Self>, name: &Name<'_>, inode: Arc<Inode>) -> Arc<Dentry> {
        let keep = !inode.is_fleeting();
        let child = self.new_child(name, Some(inode));
        let old = self.take_child(name);
        drop(old);
        if keep && !self.is_deleted() { self.insert(child, name) } else { child }
    }

    /// Takes a child out of the index.
    pub(crate) fn take_child(&self, name: &Name<'_>) -> Option<Arc<Dentry>> {
        let child = self.children.lock().names.remove(name)?;
        child.set(UNHASHED);
        Some(child)
    }

    /// A child's name was removed from the file system. `child` itself, if still open somewhere, keeps its place for
    /// `/proc/PID/fd`, marked as deleted.
    pub(crate) fn remove_child(&self, name: &Name<'_>, child: &Arc<Dentry>) {
        child.set(DELETED);
        drop(self.take_child(name));
        // An empty folder may still have negative dentries below it.
        if child.inode().is_some_and(|inode| inode.is_directory()) {
            child.forget_children();
        }
    }

    /// Forgets all dentries below, however deep, that nobody holds; those that are held only leave the index. No recursion,
    /// since folders may be nested to any depth.
    pub(crate) fn forget_children(self: &Arc<Self>) {
        let mut current = self.clone();
        loop {
            let child = current.children.lock().names.pop();
            match child {
                Some(child) => {
                    child.set(UNHASHED);
                    current = child;
                }
                None if Arc::ptr_eq(&current, self) => return,
                None => match current.parent() {
                    Some(parent) => current = parent,
                    None => return,
                },
            }
        }
    }

    pub(crate) fn lock_children(&self) -> SpinGuard<'_, Children> {
        self.children.lock()
    }

    /// Looks at the next child by hash: for sweeps. Answers it, and the hash to go on from.
    pub(crate) fn next_child(&self, from: u64) -> Option<(Arc<Dentry>, u64)> {
        let children = self.children.lock();
        let child = children.names.next(from)?;
        Some((child.clone(), child.hash().saturating_add(1)))
    }

    /// Takes `child` out of the index if nobody but the index and the caller holds it, it has nothing below, and it was not
    /// looked up since the last sweep.
    pub(crate) fn evict_child(&self, child: &Arc<Dentry>) -> bool {
        if child.has(REFERENCED) {
            child.clear(REFERENCED);
            return false;
        }
        let (bytes, length) = child.name_bytes();
        let Ok(name) = Name::new(&bytes[..length]) else { return false };
        let mut children = self.children.lock();
        if Arc::strong_count(child) > 2 || child.has(UNHASHED | MOUNTED) {
            return false;
        }
        let evicted = children.names.remove(&name);
        drop(children);
        evicted.inspect(|gone| gone.set(UNHASHED)).is_some()
    }

    /// A copy of the name, cut at NAME_MAX.
    fn name_bytes(&self) -> ([u8; NAME_MAX], usize) {
        self.with_place(|name, _| {
            let mut bytes = [0; NAME_MAX];
            let length = name.len().min(NAME_MAX);
            bytes[..length].copy_from_slice(&name[..length]);
            (bytes, length)
        })
    }
}

impl Drop for Dentry {
    fn drop(&mut self) {
        self.superblock.counters.dentries.fetch_sub(1, Ordering::Relaxed);
        if self.inode.is_none() {
            self.superblock.counters.negative.fetch_sub(1, Ordering::Relaxed);
        }
        // Step by step up the tree: each parent may go with its last child, and folders nest to any depth.
        let mut parent = self.place.get_mut().parent.take();
        while let Some(mut last) = parent.and_then(Arc::into_inner) {
            parent = last.place.get_mut().parent.take();
        }
    }
}
