//! Which root, and its archive in the cache.

use super::packer::Packer;
use super::{archive, busybox, debian, directory};
use crate::apt::SUITE;
use crate::fingerprint::Fingerprint;
use crate::paths::{Paths, replace_file};
use crate::say;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A root, as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    Busybox,
    Debian(Vec<String>),
    Folder(PathBuf),
    Archive(PathBuf),
    /// Nothing but init.
    Empty,
    /// Another one, compressed: the kernel unpacks it.
    Packed(Packer, Box<Root>),
    /// An archive that is handed to the kernel as it is, compressed or not.
    AsIs(PathBuf),
}

impl FromStr for Root {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "busybox" {
            return Ok(Self::Busybox);
        }
        if text == "empty" {
            return Ok(Self::Empty);
        }
        if let Some(packages) = text.strip_prefix("debian")
            && (packages.is_empty() || packages.starts_with(':'))
        {
            let packages: BTreeSet<&str> =
                packages.trim_start_matches(':').split(',').filter(|name| !name.is_empty()).collect();
            return Ok(Self::Debian(packages.into_iter().map(str::to_owned).collect()));
        }
        if let Some((packer, root)) = text.split_once(':').and_then(|(word, rest)| Some((Packer::named(word)?, rest))) {
            return Ok(Self::Packed(packer, Box::new(root.parse()?)));
        }
        if let Some(file) = text.strip_prefix("as-is:") {
            let path = PathBuf::from(file);
            return if path.is_file() { Ok(Self::AsIs(path)) } else { Err(format!("there is no file {file}")) };
        }
        let path = PathBuf::from(text);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Ok(Self::Folder(path)),
            Ok(_) => Ok(Self::Archive(path)),
            Err(error) => Err(format!("{error}; a root is busybox, debian[:PKG,…], a folder, or a cpio archive")),
        }
    }
}

impl Root {
    /// The machine's memory in MiB when nobody says.
    pub fn default_memory(&self) -> u64 {
        match self {
            Self::Debian(_) => 2048,
            Self::Packed(_, root) => root.default_memory(),
            _ => 256,
        }
    }

    /// The archive, built if it is not in the cache; and the name of its content.
    pub fn archive(&self, paths: &Paths) -> Result<(PathBuf, String)> {
        let name = self.name()?;
        if let Self::AsIs(path) = self {
            forget_older(paths, "as-is-")?;
            return Ok((path.clone(), name));
        }
        let file = paths.cache_folder("roots")?.join(format!("{name}.cpio"));
        if !file.exists() {
            replace_file(&file, |part| self.build(paths, part)).with_context(|| format!("the root {self}"))?;
        }
        Ok((file, name))
    }

    /// Bytes of the archive once it is unpacked, as far as that is known without unpacking it.
    pub fn unpacked(&self, paths: &Paths) -> Result<u64> {
        match self {
            Self::Packed(_, root) => root.unpacked(paths),
            _ => Ok(std::fs::metadata(self.archive(paths)?.0)?.len()),
        }
    }

    /// Forgets the cached archive.
    pub fn forget(&self, paths: &Paths) -> Result<()> {
        let _ = std::fs::remove_file(paths.cache_folder("roots")?.join(format!("{}.cpio", self.name()?)));
        Ok(())
    }

    /// A name that changes with the content.
    fn name(&self) -> Result<String> {
        Ok(match self {
            Self::Busybox => busybox::EDITION.to_owned(),
            Self::Empty => "empty".to_owned(),
            Self::Debian(packages) => {
                let hash = Fingerprint::default().text(debian::EDITION).text(SUITE).text(&packages.join(",")).finish();
                format!("debian-{hash}")
            }
            Self::Folder(path) => format!("folder-{}", of_path(path)?),
            Self::Archive(path) => format!("archive-{}", of_path(path)?),
            Self::AsIs(path) => format!("as-is-{}", of_path(path)?),
            Self::Packed(packer, root) => format!("{}-{}", root.name()?, packer.name()),
        })
    }

    fn build(&self, paths: &Paths, to: &Path) -> Result<()> {
        match self {
            Self::Busybox => busybox::build(paths, to),
            Self::Debian(packages) => debian::build(paths, packages, to),
            Self::Empty => Ok(std::fs::write(to, b"")?),
            Self::Folder(path) => {
                let _step = say::step(format!("packing {}", path.display()));
                forget_older(paths, "folder-")?;
                directory::build(path, to)
            }
            Self::Archive(path) => {
                let _step = say::step(format!("expanding {}", path.display()));
                forget_older(paths, "archive-")?;
                archive::cpio_to_cpio(path, to)
            }
            Self::AsIs(path) => bail!("{} is not to be changed", path.display()),
            Self::Packed(packer, root) => {
                let (archive, _) = root.archive(paths)?;
                let _step = say::step(format!("compressing {root}"));
                packer.pack(&archive, to)
            }
        }
    }
}

impl std::fmt::Display for Root {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Busybox => write!(to, "busybox"),
            Self::Empty => write!(to, "empty"),
            Self::Debian(packages) if packages.is_empty() => write!(to, "debian"),
            Self::Debian(packages) => write!(to, "debian:{}", packages.join(",")),
            Self::Folder(path) | Self::Archive(path) | Self::AsIs(path) => write!(to, "{}", path.display()),
            Self::Packed(packer, root) => write!(to, "{}:{root}", packer.name()),
        }
    }
}

fn of_path(path: &Path) -> Result<String> {
    let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    Ok(Fingerprint::default().tree(&path, &[])?.finish())
}

/// Roots from folders change all the time: only the last few days' are kept.
fn forget_older(paths: &Paths, prefix: &str) -> Result<()> {
    const KEPT: std::time::Duration = std::time::Duration::from_secs(3 * 24 * 3600);
    for folder in ["roots", "initrds"] {
        for entry in std::fs::read_dir(paths.cache_folder(folder)?)?.flatten() {
            let old = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > KEPT));
            if old && entry.file_name().to_string_lossy().starts_with(prefix) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
    Ok(())
}

/// Builds a root anew for `birgus image`.
pub fn rebuild(root: &Root, paths: &Paths, anew: bool) -> Result<PathBuf> {
    if anew {
        root.forget(paths)?;
    }
    let (file, _) = root.archive(paths)?;
    if !file.is_file() {
        bail!("{} vanished", file.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{Packer, Root};

    #[test]
    fn names_of_roots() {
        assert_eq!("busybox".parse(), Ok(Root::Busybox));
        assert_eq!("debian".parse(), Ok(Root::Debian(vec![])));
        assert_eq!("debian:gcc,bc,gcc".parse(), Ok(Root::Debian(vec!["bc".into(), "gcc".into()])));
        assert_eq!("/".parse(), Ok(Root::Folder("/".into())));
        let packed = Root::Packed(Packer::Xz, Box::new(Root::Busybox));
        assert_eq!("xz:busybox".parse(), Ok(packed.clone()));
        assert_eq!((packed.to_string(), packed.default_memory()), ("xz:busybox".into(), 256));
        assert_eq!("zstd:debian".parse::<Root>().unwrap().default_memory(), 2048);
        assert!("as-is:/no/such/file".parse::<Root>().is_err() && "xz:".parse::<Root>().is_err());
        assert!("debianish".parse::<Root>().is_err());
        assert!("/no/such/place".parse::<Root>().unwrap_err().contains("a root is"));
    }
}
