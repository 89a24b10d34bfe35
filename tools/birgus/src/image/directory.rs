//! A folder of the host as a root.

use super::cpio::{Attributes, Kind, Shared, Writer};
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Writes the archive of what is below `folder`, in the order of names.
pub fn build(folder: &Path, to: &Path) -> Result<()> {
    let file = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut walk =
        Walk { writer: Writer::new(BufWriter::with_capacity(1 << 20, file)), seen: HashMap::new(), root: folder };
    walk.add(folder)?;
    walk.writer.finish()?.flush()?;
    Ok(())
}

struct Walk<'a, W> {
    writer: Writer<W>,
    /// Files with several names, by the host's device and inode: the number that they have here.
    seen: HashMap<(u64, u64), Shared>,
    root: &'a Path,
}

impl<W: Write> Walk<'_, W> {
    fn add(&mut self, path: &Path) -> Result<()> {
        let metadata = fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        let relative = path.strip_prefix(self.root).unwrap_or(path).as_os_str().as_bytes();
        let name = if relative.is_empty() { b"." } else { relative };
        let attributes = attributes(path, &metadata)?;
        match attributes.kind {
            Kind::File => self.add_file(path, name, &attributes, &metadata)?,
            Kind::Link => {
                let target = fs::read_link(path).with_context(|| format!("cannot read {}", path.display()))?;
                self.writer.add(name, &attributes, target.as_os_str().as_bytes())?;
            }
            _ => self.writer.add(name, &attributes, b"")?,
        }
        if attributes.kind == Kind::Folder {
            self.add_entries(path)?;
        }
        Ok(())
    }

    fn add_entries(&mut self, folder: &Path) -> Result<()> {
        let unreadable =
            || format!("cannot read the folder {}; a root must be readable to be packed", folder.display());
        let mut entries = fs::read_dir(folder).with_context(unreadable)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        entries.iter().try_for_each(|entry| self.add(&entry.path()))
    }

    fn add_file(&mut self, path: &Path, name: &[u8], attributes: &Attributes, metadata: &Metadata) -> Result<()> {
        let key = (metadata.dev(), metadata.ino());
        if let Some(&shared) = self.seen.get(&key) {
            return Ok(self.writer.add_from(name, attributes, Some(shared), 0, &mut io::empty())?);
        }
        let unreadable = || format!("cannot read {}; a root must be readable to be packed", path.display());
        let mut file = File::open(path).with_context(unreadable)?;
        let shared = (metadata.nlink() > 1).then(|| Shared {
            inode: self.writer.new_inode(),
            names: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
        });
        self.seen.extend(shared.map(|shared| (key, shared)));
        self.writer.add_from(name, attributes, shared, metadata.len(), &mut file).with_context(unreadable)
    }
}

fn attributes(path: &Path, metadata: &Metadata) -> Result<Attributes> {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_char_device() => Kind::CharacterDevice,
        kind if kind.is_block_device() => Kind::BlockDevice,
        kind if kind.is_fifo() => Kind::Fifo,
        kind if kind.is_socket() => Kind::Socket,
        _ => bail!("{} is of an unknown kind", path.display()),
    };
    let device = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let time = u64::try_from(metadata.mtime()).unwrap_or(0);
    Ok(Attributes { kind, mode: metadata.mode(), owner: metadata.uid(), group: metadata.gid(), time, device })
}
