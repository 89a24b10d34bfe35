//! Open files as memory sees them: mapped, and executed.
use crate::image::Executable;
use abi::Errno;
use abi::file::{Access, AllocateFlags, FileType, MountFlags, OpenFlags, mode};
use alloc::sync::Arc;
use cache::PageCache;
use core::fmt;
use core::ops::Range;
use memory::Writer;
use mm::{MappedFile, Rights};
use vfs::{Credentials, ExecutedFile, Last, Mapping, OpenFile, Origin, Path};

/// An open file whose pages are mapped. Keeps the file open.
pub struct MappedOpenFile {
    file: Arc<OpenFile>,
    cache: Arc<PageCache>,
    root: Path,
}

impl MappedOpenFile {
    /// `root` is where paths in /proc/PID/maps start. ENODEV for what has no pages.
    pub fn new(file: &Arc<OpenFile>, root: &Path) -> Result<Arc<Self>, Errno> {
        match file.mapping()? {
            Mapping::Cache(cache) => Ok(Arc::new(Self { file: file.clone(), cache, root: root.clone() })),
            _ => Err(Errno::ENODEV),
        }
    }

    pub fn file(&self) -> &Arc<OpenFile> {
        &self.file
    }
}

impl MappedFile for MappedOpenFile {
    fn cache(&self) -> &Arc<PageCache> {
        &self.cache
    }

    fn numbers(&self) -> (u64, u64) {
        let inode = self.file.inode();
        (inode.superblock().device().encode(), inode.number())
    }

    fn path(&self, output: &mut dyn fmt::Write) -> fmt::Result {
        let text = self.file.path().text(&self.root).unwrap_or_default();
        for chunk in text.utf8_chunks() {
            // As seq_path: what would break the line is written in octal; so is what no text can hold.
            for (index, part) in chunk.valid().split('\n').enumerate() {
                output.write_str(if index == 0 { "" } else { "\\012" })?;
                output.write_str(part)?;
            }
            chunk.invalid().iter().try_for_each(|byte| write!(output, "\\{byte:03o}"))?;
        }
        Ok(())
    }

    fn admit_shared(&self, rights: Rights, mut may: Rights) -> Result<Rights, Errno> {
        if may.contains(Rights::WRITE) {
            let written =
                self.file.inode().admits_shared_writing(rights.contains(Rights::WRITE)).ok_or(Errno::EPERM)?;
            may.set(Rights::WRITE, written);
        }
        Ok(may)
    }

    fn punch(&self, bytes: Range<u64>) -> Result<(), Errno> {
        let flags = AllocateFlags::PUNCH_HOLE | AllocateFlags::KEEP_SIZE;
        self.file.allocate(flags, bytes.start, bytes.end.saturating_sub(bytes.start), u64::MAX)
    }
}

/// A program's file, which nobody writes meanwhile.
pub struct OpenedExecutable {
    mapped: Arc<MappedOpenFile>,
    executed: Arc<ExecutedFile>,
}

impl OpenedExecutable {
    /// Opens a file for execution. EACCES for what is no regular file, may not be executed, or lies on a mount without
    /// programs; ETXTBSY for what is open for writing.
    pub fn open(origin: &Origin<'_>, path: &[u8]) -> Result<Arc<Self>, Errno> {
        Self::of(origin, vfs::resolve(origin, path, Last::Follow)?)
    }

    /// The same for a place that was found already (execveat(2)).
    pub fn of(origin: &Origin<'_>, place: Path) -> Result<Arc<Self>, Errno> {
        let inode = place.inode()?;
        if inode.kind() != FileType::Regular || place.mount.flags().contains(MountFlags::NO_EXECUTE) {
            return Err(Errno::EACCES);
        }
        inode.check_access(origin.credentials, Access::EXECUTE)?;
        let file = OpenFile::open(place, OpenFlags::empty(), origin.credentials)?;
        let mapped = MappedOpenFile::new(&file, &origin.context.root)?;
        Ok(Arc::new(Self { mapped, executed: Arc::new(ExecutedFile::new(file)?) }))
    }

    /// The credentials that a program in this file gets from a caller with `old` ones, and whether it gained rights by it:
    /// set-user-ID and set-group-ID bits, unless the mount ignores them, or the caller `gains` nothing by an exec.
    pub fn credentials(&self, old: &Arc<Credentials>, gains: bool) -> (Arc<Credentials>, bool) {
        let file = &self.mapped.file;
        let inode = file.inode();
        let permissions = inode.permissions();
        let honoured = gains && !file.path().mount.flags().contains(MountFlags::NO_SET_ID);
        let user = (honoured && permissions & mode::SET_USER != 0).then(|| inode.user());
        let group_bits = mode::SET_GROUP | mode::GROUP_EXECUTE;
        let group = (honoured && permissions & group_bits == group_bits).then(|| inode.group());
        crate::execute::credentials_after(old, user, group)
    }
}

impl exec::Image for OpenedExecutable {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.mapped.cache.read(offset, &mut Writer::kernel(buffer))
    }
}

impl Executable for OpenedExecutable {
    fn mapped(&self) -> Arc<dyn MappedFile> {
        self.mapped.clone()
    }

    fn opened(&self) -> Arc<ExecutedFile> {
        self.executed.clone()
    }
}
