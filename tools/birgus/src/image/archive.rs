//! Archives into an uncompressed cpio: compressed ones, and tar.

use super::cpio::{Attributes, Kind, Shared, Writer};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// How a file is compressed, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstandard,
    Xz,
}

impl Compression {
    /// Looks at the magic numbers of RFC 1952, RFC 8878 and the xz format.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstandard,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// Expands bytes of any of the formats.
pub fn expand(from: &mut dyn io::BufRead, to: &mut dyn Write) -> Result<()> {
    let compression = Compression::of(from.fill_buf()?);
    match compression {
        Compression::None => io::copy(from, to).map(drop)?,
        Compression::Gzip => io::copy(&mut flate2::bufread::MultiGzDecoder::new(from), to).map(drop)?,
        Compression::Zstandard => {
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(from).context("not a zstd file")?;
            io::copy(&mut decoder, to).map(drop)?;
        }
        Compression::Xz => {
            let mut from = from;
            lzma_rs::xz_decompress(&mut from, &mut &mut *to).map_err(|error| anyhow::anyhow!("xz: {error:?}"))?;
        }
    }
    Ok(())
}

/// What a library says of damage is of no use to anybody; what the disk says is.
fn damaged(error: anyhow::Error, from: &Path, compression: Compression) -> anyhow::Error {
    let is_disk = |cause: &(dyn std::error::Error + 'static)| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        !matches!(
            kind,
            None | Some(
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::Other
            )
        )
    };
    if compression == Compression::None || error.chain().any(is_disk) {
        return error.context(format!("cannot expand {}", from.display()));
    }
    anyhow::anyhow!("{} is cut short or damaged: it cannot be expanded as {compression:?}", from.display())
}

/// Copies a cpio archive, expanded.
pub fn cpio_to_cpio(from: &Path, to: &Path) -> Result<()> {
    let file = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut part = BufWriter::with_capacity(1 << 20, File::create(to)?);
    let compression = Compression::of(reader.fill_buf().with_context(|| format!("cannot read {}", from.display()))?);
    if let Err(error) = expand(&mut reader, &mut part) {
        return Err(damaged(error, from, compression));
    }
    part.flush()?;
    drop(part);
    let mut start = Vec::new();
    File::open(to)?.take(6).read_to_end(&mut start)?;
    ensure!(!start.is_empty(), "{} is empty", from.display());
    ensure!(start == b"070701" || start == b"070702", "{} is not a cpio archive of format newc", from.display());
    // Another archive follows: kernels look for it at a multiple of 4.
    let length = std::fs::metadata(to)?.len();
    File::options().write(true).open(to)?.set_len(length.next_multiple_of(512))?;
    Ok(())
}

/// Rewrites a tar archive as cpio, owners, devices and hard links as they are.
pub fn tar_to_cpio(from: &Path, to: &Path) -> Result<()> {
    let open = || -> Result<_> {
        let file = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
        Ok(tar::Archive::new(BufReader::with_capacity(1 << 20, file)))
    };
    let names = count_names(open()?)?;
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, File::create(to)?));
    let mut inodes = HashMap::new();
    for entry in open()?.entries()? {
        add_entry(&mut writer, &mut entry?, &names, &mut inodes)?;
    }
    writer.finish()?.flush()?;
    Ok(())
}

/// How many names each file has that has several: tar stores the later ones as references to the first.
fn count_names(mut archive: tar::Archive<impl Read>) -> Result<HashMap<Vec<u8>, u32>> {
    let mut names = HashMap::new();
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type() == tar::EntryType::Link
            && let Some(target) = entry.link_name_bytes()
        {
            *names.entry(clean(&target).to_vec()).or_insert(1) += 1;
        }
    }
    Ok(names)
}

fn add_entry(
    writer: &mut Writer<impl Write>,
    entry: &mut tar::Entry<'_, impl Read>,
    names: &HashMap<Vec<u8>, u32>,
    inodes: &mut HashMap<Vec<u8>, (u32, Attributes)>,
) -> Result<()> {
    let path = entry.path_bytes().into_owned();
    let name = clean(&path);
    let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
    let kind = match entry.header().entry_type() {
        tar::EntryType::Link => {
            let target = clean(&target);
            let Some(&(inode, attributes)) = inodes.get(target) else { bail!("a link to nothing: {}", text(name)) };
            let shared = Shared { inode, names: names.get(target).copied().unwrap_or(2) };
            return Ok(writer.add_from(name, &attributes, Some(shared), 0, &mut io::empty())?);
        }
        kind => kind_of(kind).with_context(|| format!("{} is of a kind that cpio lacks", text(name)))?,
    };
    let attributes = attributes_of(entry.header(), kind)?;
    if kind == Kind::Link {
        return Ok(writer.add(name, &attributes, &target)?);
    }
    let shared = names.get(name).map(|&names| Shared { inode: writer.new_inode(), names });
    if let Some(shared) = shared {
        inodes.insert(name.to_vec(), (shared.inode, attributes));
    }
    let length = if kind == Kind::File { entry.size() } else { 0 };
    Ok(writer.add_from(name, &attributes, shared, length, entry)?)
}

fn kind_of(kind: tar::EntryType) -> Option<Kind> {
    match kind {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => Some(Kind::File),
        tar::EntryType::Directory => Some(Kind::Folder),
        tar::EntryType::Symlink => Some(Kind::Link),
        tar::EntryType::Char => Some(Kind::CharacterDevice),
        tar::EntryType::Block => Some(Kind::BlockDevice),
        tar::EntryType::Fifo => Some(Kind::Fifo),
        _ => None,
    }
}

fn attributes_of(header: &tar::Header, kind: Kind) -> Result<Attributes> {
    let narrow = |number: u64| u32::try_from(number).context("an owner above 32 bits");
    let device = match kind {
        Kind::CharacterDevice | Kind::BlockDevice => {
            (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0))
        }
        // Others may leave the fields empty.
        _ => (0, 0),
    };
    let (owner, group) = (narrow(header.uid()?)?, narrow(header.gid()?)?);
    Ok(Attributes { kind, mode: header.mode()?, owner, group, time: header.mtime()?, device })
}

/// A member's name without what tar writes around it; the root itself is ".".
fn clean(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    let name = name.strip_suffix(b"/").unwrap_or(name);
    if name.is_empty() { b"." } else { name }
}

fn text(name: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(name)
}
