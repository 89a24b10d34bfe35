//! Areas: ranges of pages with the same rights and the same backing.
use crate::file::{FileMapping, MappedFile};
use abi::PAGE_SIZE;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use memory::Frame;
use memory::page_table::Rights;

bitflags::bitflags! {
    /// What is special about an area (Linux's VM_ flags).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AreaFlags: u16 {
        /// Writes go to the backing and to all who map it.
        const SHARED = 1 << 0;
        /// Grows down when touched just below: a stack.
        const GROWS_DOWN = 1 << 1;
        /// Pages stay in memory.
        const LOCKED = 1 << 2;
        /// Not inherited by a fork.
        const DONT_FORK = 1 << 3;
        /// Zeros in the child of a fork.
        const WIPE_ON_FORK = 1 << 4;
        /// Not counted against overcommit.
        const NO_RESERVE = 1 << 5;
        /// Left out of core dumps.
        const DONT_DUMP = 1 << 6;
        /// Expected to be read in order, or at random.
        const SEQUENTIAL = 1 << 7;
        const RANDOM = 1 << 8;
        /// Never merged, moved or grown: the kernel made it.
        const SPECIAL = 1 << 9;
        /// Large pages are wanted, or not.
        const HUGE = 1 << 10;
        const NO_HUGE = 1 << 11;
        /// Locked, but pages are brought in only when touched.
        const LOCK_ON_FAULT = 1 << 12;
    }
}

/// Fixed pages that the kernel shows to programs: the vDSO and its data.
#[derive(Debug)]
pub struct Special {
    /// As /proc/PID/maps shows it: `[vdso]`.
    pub name: &'static str,
    pub frames: Vec<Frame>,
}

/// Where an area's pages come from.
#[derive(Clone)]
pub enum Backing {
    /// Zeros.
    Anonymous,
    /// A file from page `page` on.
    File { file: Arc<FileMapping>, page: u64 },
    /// Fixed pages from page `page` on.
    Special { special: Arc<Special>, page: u64 },
}

impl fmt::Debug for Backing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => formatter.write_str("anonymous"),
            Self::File { file, page } => write!(formatter, "inode {} page {page}", file.file().numbers().1),
            Self::Special { special, page } => write!(formatter, "{} page {page}", special.name),
        }
    }
}

impl Backing {
    /// A file from page `page` on.
    pub fn file(file: Arc<dyn MappedFile>, page: u64) -> Self {
        Self::File { file: Arc::new(FileMapping::new(file)), page }
    }

    /// The backing `pages` further on.
    pub(crate) fn after(&self, pages: usize) -> Self {
        match self {
            Self::Anonymous => Self::Anonymous,
            Self::File { file, page } => Self::File { file: file.clone(), page: page.wrapping_add(pages as u64) },
            Self::Special { special, page } => {
                Self::Special { special: special.clone(), page: page.wrapping_add(pages as u64) }
            }
        }
    }

    /// Whether `next` goes on where this ends after `pages`.
    fn continues(&self, pages: usize, next: &Self) -> bool {
        match (self, next) {
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::File { file, page }, Self::File { file: other, page: from }) => {
                Arc::ptr_eq(file, other) && page.wrapping_add(pages as u64) == *from
            }
            _ => false,
        }
    }
}

/// What a range of pages is.
#[derive(Clone, Debug)]
pub struct Area {
    pub rights: Rights,
    /// The most that `rights` may become: a file opened for reading cannot be written through a shared mapping.
    pub may: Rights,
    pub flags: AreaFlags,
    pub backing: Backing,
}

impl Area {
    pub(crate) fn is_shared(&self) -> bool {
        self.flags.contains(AreaFlags::SHARED)
    }

    pub(crate) fn is_private_anonymous(&self) -> bool {
        !self.is_shared() && matches!(self.backing, Backing::Anonymous)
    }

    /// Counted against RLIMIT_DATA: private, writable, and no stack.
    pub(crate) fn is_data(&self) -> bool {
        self.rights.contains(Rights::WRITE) && !self.flags.intersects(AreaFlags::SHARED | AreaFlags::GROWS_DOWN)
    }

    /// Whether its pages of files are memory and nothing else: counted apart (RssShmem).
    pub(crate) fn is_memory_file(&self) -> bool {
        matches!(&self.backing, Backing::File { file, .. } if file.is_memory())
    }

    /// The rights that an entry may have before anybody has written.
    pub(crate) fn unwritten_rights(&self) -> Rights {
        let writes_need_notice = !self.is_shared() || !self.is_memory_file();
        if writes_need_notice { self.rights.without_writing() } else { self.rights }
    }

    /// The part from `bytes` on.
    pub(crate) fn after(&self, bytes: usize) -> Self {
        Self { backing: self.backing.after(bytes / PAGE_SIZE), ..self.clone() }
    }

    /// Whether `next`, right behind this one of `pages` pages, is the same in every respect.
    pub(crate) fn merges_with(&self, pages: usize, next: &Self) -> bool {
        self.rights == next.rights
            && self.may == next.may
            && self.flags == next.flags
            && !self.flags.contains(AreaFlags::SPECIAL)
            && self.backing.continues(pages, &next.backing)
    }
}
