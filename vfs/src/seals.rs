//! Seals: what may never be done to a file in memory again (`fcntl(2)`, F_ADD_SEALS; `memfd_create(2)`).
//!
//! They are added under the inode's lock, which writers and truncations hold. Mappings do not: they ask for the seals with
//! their map locked, and whoever adds a seal against writing sets it first and then looks through all maps. One of the two sees
//! the other.
use crate::file::{OpenFile, Server};
use crate::inode::{Content, Inode};
use abi::file::mode;
use abi::{Errno, PAGE_SIZE};
use bitflags::bitflags;
use cache::PageCache;
use core::sync::atomic::Ordering;

bitflags! {
    /// Seals, with Linux's values.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Seals: u32 {
        /// No more seals.
        const SEAL = 0x01;
        const SHRINK = 0x02;
        const GROW = 0x04;
        const WRITE = 0x08;
        /// Writing through mappings that exist already goes on.
        const FUTURE_WRITE = 0x10;
        /// The permissions to execute stay as they are.
        const EXECUTE = 0x20;
    }
}

/// Either kind of seal against writing.
const NO_WRITING: Seals = Seals::WRITE.union(Seals::FUTURE_WRITE);

impl Inode {
    /// Its seals. EINVAL for what cannot be sealed: all but files in memory.
    pub fn seals(&self) -> Result<Seals, Errno> {
        let Content::Cached(_) = self.content() else { return Err(Errno::EINVAL) };
        let behaviour = self.cache().ok_or(Errno::EINVAL)?.behaviour();
        if behaviour.write_back || !behaviour.absent_is_zero {
            return Err(Errno::EINVAL);
        }
        Ok(self.current_seals())
    }

    pub(crate) fn current_seals(&self) -> Seals {
        Seals::from_bits_retain(self.seals.load(Ordering::Acquire))
    }

    /// The first seals of a new file, as `memfd_create(2)` chooses them.
    pub fn set_first_seals(&self, seals: Seals) {
        self.seals.store(seals.bits(), Ordering::Release);
    }

    /// How many of `length` bytes at `position` may be written. EPERM. Under a seal against growing, a write ends with the last
    /// page that lies inside as a whole, as Linux, which asks page by page.
    pub(crate) fn sealed_write(&self, cache: &PageCache, position: u64, length: u64) -> Result<u64, Errno> {
        let seals = self.current_seals();
        if seals.intersects(NO_WRITING) {
            return Err(Errno::EPERM);
        }
        let size = cache.size();
        if !seals.contains(Seals::GROW) || position.saturating_add(length) <= size {
            return Ok(length);
        }
        let whole = size / PAGE_SIZE as u64 * PAGE_SIZE as u64;
        if whole > position { Ok(whole - position) } else { Err(Errno::EPERM) }
    }

    /// EPERM where the file may not be cut or grow so.
    pub(crate) fn check_new_size(&self, old: u64, new: u64) -> Result<(), Errno> {
        let seals = self.current_seals();
        let sealed = new < old && seals.contains(Seals::SHRINK) || new > old && seals.contains(Seals::GROW);
        if sealed { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// EPERM where holes may not be made.
    pub(crate) fn check_hole(&self) -> Result<(), Errno> {
        if self.current_seals().intersects(NO_WRITING) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// EPERM where the permissions to execute are sealed and would change.
    pub(crate) fn check_new_mode(&self, permissions: u32) -> Result<(), Errno> {
        let changes = (self.permissions() ^ permissions) & mode::ANY_EXECUTE != 0;
        if changes && self.current_seals().contains(Seals::EXECUTE) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// What a shared mapping may become: `None` where it may not be, else whether it may ever be written.
    pub fn admits_shared_writing(&self, writes_now: bool) -> Option<bool> {
        let seals = self.current_seals();
        if seals.contains(Seals::WRITE) || seals.contains(Seals::FUTURE_WRITE) && writes_now {
            return None;
        }
        Some(!seals.contains(Seals::FUTURE_WRITE))
    }
}

impl OpenFile {
    /// `fcntl(F_ADD_SEALS)`. EPERM unless open for writing, or where no more are allowed; EINVAL; EBUSY for a seal against
    /// writing while a mapping may write.
    pub fn add_seals(&self, seals: u32) -> Result<(), Errno> {
        self.check_writable().map_err(|_| Errno::EPERM)?;
        let mut seals = Seals::from_bits(seals).ok_or(Errno::EINVAL)?;
        let inode = self.inode();
        let _changing = inode.lock.write();
        let old = inode.seals()?;
        if old.contains(Seals::SEAL) {
            return Err(Errno::EPERM);
        }
        let executable = inode.permissions() & mode::ANY_EXECUTE != 0;
        let new_against_writing = seals.contains(Seals::WRITE) && !old.contains(Seals::WRITE);
        if seals.contains(Seals::EXECUTE) && executable {
            // A program that nobody can change.
            seals |= Seals::SHRINK | Seals::GROW | NO_WRITING;
        }
        inode.seals.store((old | seals).bits(), Ordering::Release);
        let Server::Cache(cache) = self.served_by() else { return Err(Errno::EINVAL) };
        if new_against_writing && cache.may_be_written_by_mappings() {
            inode.seals.store(old.bits(), Ordering::Release);
            return Err(Errno::EBUSY);
        }
        Ok(())
    }
}
