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

    /// Waits until nobody else, in this process or another, holds the lock of that name; it is held as long as the value lives.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        let path = self.cache_folder("locks")?.join(name);
        let file = fs::File::create(&path).map_err(anyhow::Error::from);
        let file = file
            .map_err(|error| explain_full(error, &path))
            .with_context(|| format!("cannot create {}", path.display()))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Lock(file))
    }
}

/// A lock that is held.
pub struct Lock(#[expect(dead_code, reason = "closed when dropped, which unlocks")] fs::File);

/// An absolute path from the environment (the XDG specification says to ignore relative ones).
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Creates a folder and its parents.
pub fn create_folder(folder: &Path) -> Result<()> {
    let made = fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()));
    made.map_err(|error| explain_full(error, folder))
}

/// Distinguishes what this process writes at the same time.
static NEXT_PART: AtomicU32 = AtomicU32::new(0);

/// Where to write what will become `path`: a name of this process's own beside it. What processes left there that were killed goes.
pub fn part_of(path: &Path) -> Result<PathBuf> {
    let mut name = path.file_name().context("no file name")?.to_os_string();
    name.push(format!(".{}-{}.part", std::process::id(), NEXT_PART.fetch_add(1, Ordering::Relaxed)));
    let part = path.with_file_name(name);
    forget_parts(part.parent().context("no folder")?);
    Ok(part)
}

/// The process whose part a name is.
fn writer_of(name: &str) -> Option<&str> {
    name.strip_suffix(".part")?.rsplit_once('.')?.1.split_once('-').map(|(process, _)| process)
}

fn forget_parts(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(process) = writer_of(&name.to_string_lossy())
            && !Path::new("/proc").join(process).exists()
        {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

/// Writes a file so that a reader sees the old one or the new one, whole, and whoever writes the same one is not disturbed.
pub fn replace_file(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let part = part_of(path)?;
    let done = write(&part)
        .and_then(|()| fs::rename(&part, path).with_context(|| format!("cannot rename to {}", path.display())));
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done.map_err(|error| explain_full(error, path))
}

/// Where the disk is full, that alone; whatever was being read meanwhile has nothing to do with it.
pub fn explain_full(error: anyhow::Error, path: &Path) -> anyhow::Error {
    let is_full = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
    };
    if error.chain().any(is_full) || format!("{error:#}").contains("No space left on device") {
        let folder = path.parent().unwrap_or(path).display();
        anyhow::anyhow!("no space is left on the disk of {folder}: free some, or set XDG_CACHE_HOME to another place")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_dead_go() {
        assert_eq!(writer_of("debian-0123.cpio.4711-2.part"), Some("4711"));
        assert_eq!((writer_of("a.cpio"), writer_of("a.part"), writer_of("x.12.part")), (None, None, None));
        let folder = std::env::temp_dir().join(format!("birgus-parts-{}", std::process::id()));
        fs::create_dir_all(folder.join("tree.999999999-0.part")).unwrap();
        fs::write(folder.join("a.cpio.999999999-1.part"), "left").unwrap();
        let living = part_of(&folder.join("b.cpio")).unwrap();
        fs::write(&living, "being written").unwrap();
        replace_file(&folder.join("c.cpio"), |part| Ok(fs::write(part, "new")?)).unwrap();
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        assert_eq!(names, [living, folder.join("c.cpio")]);
        let full = || Err(std::io::Error::from(std::io::ErrorKind::StorageFull)).context("cannot read /etc/passwd");
        let said = replace_file(&folder.join("d.cpio"), |_| full()).unwrap_err();
        assert!(format!("{said:#}").starts_with(&format!("no space is left on the disk of {}", folder.display())));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn one_at_a_time() {
        let cache = std::env::temp_dir().join(format!("birgus-lock-{}", std::process::id()));
        let paths = Paths { source: PathBuf::new(), target: PathBuf::new(), cache: cache.clone() };
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _lock = paths.lock("x").unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        fs::remove_dir_all(&cache).unwrap();
    }
}
