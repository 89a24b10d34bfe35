//! Mounts: file systems joined to one tree.
use crate::Path;
use crate::dentry::Dentry;
use crate::superblock::SuperBlock;
use abi::Errno;
use abi::file::MountFlags;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::{Mutex, Rank, SpinLock};

/// Flags of one mount, apart from its file system's.
pub(crate) const PER_MOUNT: MountFlags = MountFlags::READ_ONLY
    .union(MountFlags::NO_SET_ID)
    .union(MountFlags::NO_DEVICES)
    .union(MountFlags::NO_EXECUTE)
    .union(MountFlags::NO_ACCESS_TIME)
    .union(MountFlags::NO_DIRECTORY_ACCESS_TIME)
    .union(MountFlags::RELATIVE_ACCESS_TIME)
    .union(MountFlags::NO_SYMLINK_FOLLOW);

/// A part of a file system, at a place.
pub struct Mount {
    number: u32,
    superblock: Arc<SuperBlock>,
    root: Arc<Dentry>,
    flags: AtomicU64,
    /// What it was mounted from, as `/proc/mounts` shows it.
    source: Arc<[u8]>,
    /// The mount and dentry that it covers; `None` for the root, and for one that is detached.
    place: SpinLock<Option<Path>>,
}

impl Mount {
    /// A mount of `root`, not attached yet.
    pub fn new(superblock: Arc<SuperBlock>, root: Arc<Dentry>, flags: MountFlags, source: &[u8]) -> Arc<Self> {
        superblock.counters.mounts.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            number: superblock.vfs().next_mount.fetch_add(1, Ordering::Relaxed),
            superblock,
            root,
            flags: AtomicU64::new(Self::adjust(flags).bits()),
            source: Arc::from(source),
            place: SpinLock::new(Rank::DentryPlace, None),
        })
    }

    /// The flags of one mount among those of `mount(2)`: access times are relative unless they are strict or off.
    fn adjust(flags: MountFlags) -> MountFlags {
        let exact = MountFlags::STRICT_ACCESS_TIME | MountFlags::NO_ACCESS_TIME;
        let relative = if flags.intersects(exact) { MountFlags::empty() } else { MountFlags::RELATIVE_ACCESS_TIME };
        (flags & (PER_MOUNT - MountFlags::RELATIVE_ACCESS_TIME)) | relative
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn superblock(&self) -> &Arc<SuperBlock> {
        &self.superblock
    }

    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    pub fn source(&self) -> &[u8] {
        &self.source
    }

    #[inline(always)]
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    pub(crate) fn set_flags(&self, flags: MountFlags) {
        self.flags.store(Self::adjust(flags).bits(), Ordering::Relaxed);
    }

    /// No flag at all, as the first mount of a tree has it.
    pub(crate) fn clear_flags(&self) {
        self.flags.store(0, Ordering::Relaxed);
    }

    /// EROFS where nothing may be changed through it.
    #[inline]
    pub fn check_writable(&self) -> Result<(), Errno> {
        if (self.flags() | self.superblock.flags()).contains(MountFlags::READ_ONLY) {
            return Err(Errno::EROFS);
        }
        Ok(())
    }

    /// What it covers.
    pub fn place(&self) -> Option<Path> {
        self.place.lock().clone()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.superblock.counters.mounts.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.superblock.shut_down();
        }
    }
}

impl Path {
    /// The mount directly on this place; the topmost comes by asking again.
    pub(crate) fn mount_on(&self) -> Option<Arc<Mount>> {
        if !self.dentry.is_mountpoint() {
            return None;
        }
        let children = self.dentry.lock_children();
        let covers = |mount: &&Arc<Mount>| {
            mount.place.lock().as_ref().is_some_and(|place| Arc::ptr_eq(&place.mount, &self.mount))
        };
        children.mounts.iter().find(covers).cloned()
    }

    /// The root of whatever is mounted here, and on that, and so on.
    #[inline]
    pub(crate) fn cross_mounts(&mut self) {
        while let Some(mount) = self.mount_on() {
            *self = mount.root_path();
        }
    }
}

impl Mount {
    /// Its root as a path.
    pub fn root_path(self: &Arc<Self>) -> Path {
        Path { mount: self.clone(), dentry: self.root.clone() }
    }
}

/// A tree of mounts, as processes see it.
pub struct Namespace {
    mounts: Mutex<Vec<Arc<Mount>>>,
}

impl Namespace {
    /// A tree of one mount.
    pub fn new(root: Arc<Mount>) -> Self {
        Self { mounts: Mutex::new(Rank::Namespace, alloc::vec![root]) }
    }

    /// All mounts, in the order in which they were made: `/proc/PID/mountinfo`.
    pub fn mounts(&self) -> Vec<Arc<Mount>> {
        self.mounts.lock().clone()
    }

    /// The root of the tree.
    pub fn root(&self) -> Option<Path> {
        self.mounts.lock().iter().find(|mount| mount.place().is_none()).map(Mount::root_path)
    }

    /// Puts `mount` on top of whatever is at `place`. ENOMEM; ENOTDIR unless both or neither are folders; ENOENT where the
    /// place was removed meanwhile.
    pub(crate) fn attach(&self, mount: &Arc<Mount>, place: Path) -> Result<(), Errno> {
        let mut mounts = self.mounts.lock();
        mounts.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        Self::cover(mount, place)?;
        mounts.push(mount.clone());
        Ok(())
    }

    fn cover(mount: &Arc<Mount>, mut place: Path) -> Result<(), Errno> {
        place.cross_mounts();
        if mount.root.existing()?.is_directory() != place.inode()?.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if place.dentry.is_deleted() {
            return Err(Errno::ENOENT);
        }
        let dentry = place.dentry.clone();
        let mut children = dentry.lock_children();
        children.mounts.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        *mount.place.lock() = Some(place);
        children.mounts.push(mount.clone());
        dentry.set_mountpoint(true);
        Ok(())
    }

    fn uncover(mount: &Arc<Mount>) {
        let Some(place) = mount.place.lock().take() else { return };
        let mut children = place.dentry.lock_children();
        let at = children.mounts.iter().position(|other| Arc::ptr_eq(other, mount));
        let removed = at.map(|at| children.mounts.swap_remove(at));
        place.dentry.set_mountpoint(!children.mounts.is_empty());
        drop(children);
        drop(removed);
    }

    /// `mount` and all that are mounted below it, those below first.
    fn below(mounts: &[Arc<Mount>], mount: &Arc<Mount>) -> Vec<Arc<Mount>> {
        let mut all = alloc::vec![mount.clone()];
        let mut next = 0;
        while next < all.len() {
            let parent = all[next].clone();
            let covers = |other: &&Arc<Mount>| {
                other.place.lock().as_ref().is_some_and(|place| Arc::ptr_eq(&place.mount, &parent))
            };
            all.extend(mounts.iter().filter(covers).cloned());
            next += 1;
        }
        all.reverse();
        all
    }

    /// Takes `mount` away. EBUSY where it is used, or something is mounted below, unless `detach`, which takes all below too
    /// and lets users finish. EINVAL where it is not in this tree.
    pub(crate) fn detach(&self, mount: Arc<Mount>, detach: bool) -> Result<(), Errno> {
        let mut mounts = self.mounts.lock();
        if !mounts.iter().any(|other| Arc::ptr_eq(other, &mount)) || mount.place().is_none() {
            return Err(Errno::EINVAL);
        }
        let all = Self::below(&mounts, &mount);
        // The list here, the list above, the dentry that it covers, and the caller's own.
        if !detach && (all.len() > 1 || Arc::strong_count(&mount) > 4) {
            return Err(Errno::EBUSY);
        }
        for gone in &all {
            Self::uncover(gone);
            mounts.retain(|other| !Arc::ptr_eq(other, gone));
        }
        drop(mounts);
        Ok(())
    }

    /// Moves a mount (`MS_MOVE`). ELOOP where the new place lies below it; EINVAL where it is the root.
    pub(crate) fn relocate(&self, mount: &Arc<Mount>, mut place: Path) -> Result<(), Errno> {
        let mounts = self.mounts.lock();
        let known = |mount: &Arc<Mount>| mounts.iter().any(|other| Arc::ptr_eq(other, mount));
        if !known(mount) || !known(&place.mount) || mount.place().is_none() {
            return Err(Errno::EINVAL);
        }
        place.cross_mounts();
        let mut above = Some(place.mount.clone());
        while let Some(current) = above {
            if Arc::ptr_eq(&current, mount) {
                return Err(Errno::ELOOP);
            }
            above = current.place().map(|place| place.mount);
        }
        if mount.root.existing()?.is_directory() != place.inode()?.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Self::uncover(mount);
        Self::cover(mount, place)
    }

    /// Makes `new` the root of the tree, and puts the old root at `old` (`pivot_root(2)`). The places are checked.
    pub(crate) fn exchange_root(&self, root: &Arc<Mount>, new: &Arc<Mount>, old: Path) -> Result<(), Errno> {
        let _mounts = self.mounts.lock();
        let above = root.place();
        Self::uncover(new);
        Self::uncover(root);
        if let Some(above) = above {
            Self::cover(new, above)?;
        }
        Self::cover(root, old)
    }
}
