//! Where things are: the source tree, cargo's output, the cache.

use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The folders that every command needs.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The repository.
    pub source: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// What is fetched or built once: `$XDG_CACHE_HOME/birgus`.
    pub cache: PathBuf,
}

impl Paths {
    /// Reads the environment; `BIRGUS_SOURCE` is set by the front end.
    pub fn find() -> Result<Self> {
        let source = match env::var_os("BIRGUS_SOURCE") {
            Some(source) => PathBuf::from(source),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
        };
        let source = source.canonicalize().with_context(|| format!("source folder {}", source.display()))?;
        let target = absolute("CARGO_TARGET_DIR").unwrap_or_else(|| source.join("target"));
        let cache = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set: no place for the cache")?
            .join("birgus");
        Ok(Self { source, target, cache })
    }

    /// A folder in the cache, created if need be.
    pub fn cache_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.cache.join(name);
        create_folder(&folder)?;
        Ok(folder)
    }
}

/// An absolute path from the environment (the XDG specification says to ignore relative ones).
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Creates a folder and its parents.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Distinguishes what this process writes at the same time.
static NEXT_PART: AtomicU32 = AtomicU32::new(0);

/// Writes a file so that a reader sees the old one or the new one, whole, and whoever writes the same one is not disturbed.
pub fn replace_file(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut name = path.file_name().context("no file name")?.to_os_string();
    name.push(format!(".{}-{}.part", std::process::id(), NEXT_PART.fetch_add(1, Ordering::Relaxed)));
    let part = path.with_file_name(name);
    let done = write(&part)
        .and_then(|()| fs::rename(&part, path).with_context(|| format!("cannot rename to {}", path.display())));
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done
}
