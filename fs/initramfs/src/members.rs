//! The members of one archive, made as files.
use crate::header::Header;
use crate::reason::Reason;
use crate::source::{Counted, Source};
use crate::unpack::Summary;
use abi::file::{AtFlags, DeviceNumber, FileType, OpenFlags};
use abi::time::Timespec;
use abi::{Errno, PATH_MAX};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::Reader;
use vfs::{Inode, Last, OpenFile, Origin, calls};

/// What the last member of an archive is called.
const TRAILER: &[u8] = b"TRAILER!!!";

/// Tells hard links to one file.
type LinkKey = (u32, DeviceNumber, u32);

/// An archive being unpacked.
pub(crate) struct Members<'a> {
    origin: &'a Origin<'a>,
    warn: &'a mut dyn FnMut(&[u8], Errno),
    summary: &'a mut Summary,
    /// First names of files that have several.
    links: BTreeMap<LinkKey, Box<[u8]>>,
    /// Folders get their times last, since what is made in them touches them.
    folders: Vec<(Arc<Inode>, u32)>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(origin: &'a Origin<'a>, warn: &'a mut dyn FnMut(&[u8], Errno), summary: &'a mut Summary) -> Self {
        Self { origin, warn, summary, links: BTreeMap::new(), folders: Vec::new() }
    }

    /// Unpacks up to the trailer, or to the end where there is none.
    pub(crate) fn unpack(&mut self, source: &mut Counted<'_>) -> Result<(), Reason> {
        let done = self.members(source);
        for (folder, modified) in self.folders.drain(..) {
            set_times(&folder, modified);
        }
        done
    }

    fn members(&mut self, source: &mut Counted<'_>) -> Result<(), Reason> {
        while source.next_byte()? == Some(b'0') {
            let header = Header::read(source)?;
            let Some(name) = self.name(source, &header)? else { continue };
            if name == TRAILER {
                return source.skip(u64::from(header.size));
            }
            self.summary.members += 1;
            let made = self.member(source, &header, &name)?;
            if let Err(error) = made {
                self.summary.skipped += 1;
                (self.warn)(&name, error);
            }
            source.align()?;
        }
        Ok(())
    }

    /// The member's name without its NUL; `None` for a member to be skipped, which it is then.
    fn name(&mut self, source: &mut Counted<'_>, header: &Header) -> Result<Option<Vec<u8>>, Reason> {
        let length = header.name_size as usize;
        if length == 0 || length > PATH_MAX {
            source.skip(u64::from(header.name_size))?;
            source.align()?;
            self.skip_body(source, header)?;
            (self.warn)(b"", Errno::ENAMETOOLONG);
            self.summary.skipped += 1;
            return Ok(None);
        }
        let mut name = alloc::vec![0; length];
        source.read(&mut name)?;
        source.align()?;
        // A name ends at its first NUL, wherever that is.
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(length);
        name.truncate(end);
        Ok(Some(name))
    }

    fn skip_body(&mut self, source: &mut Counted<'_>, header: &Header) -> Result<(), Reason> {
        source.skip(u64::from(header.size))?;
        source.align()
    }

    /// Makes one member and reads past its body. The inner error concerns this member alone.
    fn member(&mut self, source: &mut Counted<'_>, header: &Header, name: &[u8]) -> Result<Result<(), Errno>, Reason> {
        let end = source.position() + u64::from(header.size);
        let kind = FileType::of_mode(header.mode);
        let made = match kind {
            None => Err(Errno::EINVAL),
            Some(kind) => {
                self.clear_place(name, kind);
                match kind {
                    FileType::Regular => return self.regular(source, header, name),
                    FileType::Symlink => return self.symlink(source, header, name),
                    FileType::Directory => self.folder(header, name),
                    _ => self.node(header, name),
                }
            }
        };
        source.skip(end - source.position())?;
        Ok(made)
    }

    /// Removes what is in the way: something of another type, and for symlinks and nodes anything but a folder.
    fn clear_place(&self, name: &[u8], kind: FileType) {
        let Ok(stat) = calls::stat_at(self.origin, name, AtFlags::SYMLINK_NO_FOLLOW) else { return };
        let old = FileType::of_mode(stat.mode);
        if old == Some(kind) && matches!(kind, FileType::Regular | FileType::Directory) {
            return;
        }
        let _ = match old {
            Some(FileType::Directory) => calls::remove_directory_at(self.origin, name),
            _ => calls::unlink_at(self.origin, name),
        };
    }

    fn folder(&mut self, header: &Header, name: &[u8]) -> Result<(), Errno> {
        match calls::make_directory_at(self.origin, name, header.mode) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
        let inode = self.finish(header, name)?;
        if inode.is_directory() && self.folders.try_reserve(1).is_ok() {
            self.folders.push((inode, header.modified));
        }
        Ok(())
    }

    fn node(&mut self, header: &Header, name: &[u8]) -> Result<(), Errno> {
        if self.link_to_first(header, name)? {
            return Ok(());
        }
        calls::make_node_at(self.origin, name, header.mode, header.device)?;
        self.finish(header, name)?;
        Ok(())
    }

    fn symlink(&mut self, source: &mut Counted<'_>, header: &Header, name: &[u8]) -> Result<Result<(), Errno>, Reason> {
        if header.size as usize >= PATH_MAX {
            source.skip(u64::from(header.size))?;
            return Ok(Err(Errno::ENAMETOOLONG));
        }
        let mut target = alloc::vec![0; header.size as usize];
        source.read(&mut target)?;
        let end = target.iter().position(|&byte| byte == 0).unwrap_or(target.len());
        let made = calls::symlink_at(self.origin, &target[..end], name).and_then(|()| self.finish(header, name));
        Ok(made.map(drop))
    }

    fn regular(&mut self, source: &mut Counted<'_>, header: &Header, name: &[u8]) -> Result<Result<(), Errno>, Reason> {
        let end = source.position() + u64::from(header.size);
        let opened = self.link_to_first(header, name).and_then(|linked| {
            let mut flags = OpenFlags::WRITE_ONLY | OpenFlags::CREATE;
            // Contents come with any one of a file's names.
            flags.set(OpenFlags::TRUNCATE, !linked || header.size != 0);
            calls::open_at(self.origin, name, flags, header.mode)
        });
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                source.skip(end - source.position())?;
                return Ok(Err(error));
            }
        };
        let sum = self.contents(source, header, &file)?;
        set_attributes(file.inode(), header);
        if header.checksum.is_some_and(|expected| expected != sum) {
            return Ok(Err(Errno::EBADMSG));
        }
        Ok(Ok(()))
    }

    /// Copies contents; answers the sum of their bytes.
    fn contents(&mut self, source: &mut Counted<'_>, header: &Header, file: &OpenFile) -> Result<u32, Reason> {
        let mut left = u64::from(header.size);
        let mut sum = 0u32;
        while left != 0 {
            let bytes = source.peek()?;
            let length = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if length == 0 {
                return Err(Reason::Truncated);
            }
            let written = file.write(&mut Reader::kernel(&bytes[..length]), u64::MAX).map_err(Reason::Full)?;
            if header.checksum.is_some() {
                sum = bytes[..written].iter().fold(sum, |sum, &byte| sum.wrapping_add(u32::from(byte)));
            }
            source.consume(written);
            left -= written as u64;
            self.summary.bytes += written as u64;
        }
        Ok(sum)
    }

    /// Where this is another name of a file that is there, links it. Else remembers it.
    fn link_to_first(&mut self, header: &Header, name: &[u8]) -> Result<bool, Errno> {
        if header.links < 2 {
            return Ok(false);
        }
        let key = (header.inode, header.origin, header.mode & abi::file::mode::TYPE);
        let Some(first) = self.links.get(&key) else {
            self.links.insert(key, Box::from(name));
            return Ok(false);
        };
        if **first == *name {
            return Ok(true);
        }
        let _ = calls::unlink_at(self.origin, name);
        calls::link_at(self.origin, first, self.origin, name, false)?;
        Ok(true)
    }

    /// Gives what was made its owner, mode and times.
    fn finish(&self, header: &Header, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let path = vfs::resolve(self.origin, name, Last::Keep)?;
        let inode = path.inode()?;
        set_attributes(inode, header);
        Ok(inode.clone())
    }
}

fn set_attributes(inode: &Inode, header: &Header) {
    inode.set_owner(header.user, header.group);
    if inode.kind() != FileType::Symlink {
        inode.set_permissions(header.mode);
    }
    set_times(inode, header.modified);
}

fn set_times(inode: &Inode, modified: u32) {
    let time = Timespec { seconds: i64::from(modified), nanoseconds: 0 };
    inode.change_times(|times| (times.accessed, times.modified) = (time, time));
}
