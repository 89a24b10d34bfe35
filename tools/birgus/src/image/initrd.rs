//! What the machine is handed: a root, then init (and, for Linux, modules) as a second archive behind it.

use super::cpio::{Attributes, Kind, Writer};
use super::root::Root;
use crate::fingerprint::Fingerprint;
use crate::paths::{Paths, replace_file};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Files that go with every root.
pub struct Additions<'a> {
    /// Init's binary.
    pub init: &'a Path,
    /// Linux's modules in the order to load them, uncompressed.
    pub modules: &'a [Vec<u8>],
    /// Further programs: their names below `/tests`, and the files.
    pub files: &'a [(String, PathBuf)],
    /// Distinguishes one set of modules from another.
    pub modules_name: &'a str,
}

/// The archive for a root with its additions, from the cache when nothing changed.
pub fn assemble(paths: &Paths, root: &Root, additions: &Additions<'_>) -> Result<PathBuf> {
    let (archive, name) = root.archive(paths)?;
    let length = fs::metadata(&archive)?.len().to_string();
    let mut fingerprint = Fingerprint::default().text(&length).content(additions.init)?.text(additions.modules_name);
    for (name, file) in additions.files {
        fingerprint = fingerprint.text(name).content(file)?;
    }
    let fingerprint = fingerprint.finish();
    // One file for each root and kind of kernel, replaced when init changes; with further programs, one for each set.
    let set = if additions.files.is_empty() { String::new() } else { format!("-{fingerprint}") };
    let file = paths.cache_folder("initrds")?.join(format!("{name}{}{set}.cpio", additions.modules_name));
    let stamp = file.with_extension("stamp");
    if !file.exists() || !crate::fingerprint::is_fresh(&stamp, &fingerprint) {
        replace_file(&file, |part| join(&archive, additions, part)).context("cannot assemble the initial root")?;
        crate::fingerprint::stamp(&stamp, &fingerprint)?;
    }
    Ok(file)
}

fn join(archive: &Path, additions: &Additions<'_>, to: &Path) -> Result<()> {
    let mut file = File::create(to)?;
    let length = io::copy(&mut File::open(archive)?, &mut file)?;
    // Kernels look for the next archive at a multiple of 4; what is compressed ends anywhere.
    file.write_all(&[0; 3][..(length.next_multiple_of(4) - length) as usize])?;
    let mut writer = Writer::new(io::BufWriter::new(file));
    let folder = Attributes::new(Kind::Folder, 0o755);
    // The kernel opens the console before init has mounted anything.
    writer.add(b"dev", &folder, b"")?;
    let console = Attributes { device: (5, 1), ..Attributes::new(Kind::CharacterDevice, 0o600) };
    writer.add(b"dev/console", &console, b"")?;
    writer.add(b"init", &Attributes::new(Kind::File, 0o755), &fs::read(additions.init)?)?;
    if !additions.modules.is_empty() {
        writer.add(b".birgus", &folder, b"")?;
        writer.add(b".birgus/modules", &folder, b"")?;
    }
    if !additions.files.is_empty() {
        writer.add(b"tests", &folder, b"")?;
    }
    for (name, file) in additions.files {
        let name = format!("tests/{name}");
        writer.add(name.as_bytes(), &Attributes::new(Kind::File, 0o755), &fs::read(file)?)?;
    }
    for (number, module) in additions.modules.iter().enumerate() {
        let name = format!(".birgus/modules/{number}.ko");
        writer.add(name.as_bytes(), &Attributes::new(Kind::File, 0o600), module)?;
    }
    writer.finish()?;
    Ok(())
}
