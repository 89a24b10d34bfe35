//! Whether anything changed since last time: a hash over names, sizes and times of a tree.
//!
//! `cargo build` answers the same question in a quarter of a second; asking it on each run would be most of the tool's time.

use anyhow::{Context, Result};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Gathers what an artifact depends on.
#[derive(Default)]
pub struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Adds a text (a version, a setting).
    pub fn text(mut self, text: &str) -> Self {
        text.hash(&mut self.0);
        self
    }

    /// Adds a file, or a folder with all below it except the names in `skip`.
    pub fn tree(mut self, path: &Path, skip: &[&str]) -> Result<Self> {
        self.add(path, skip).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(self)
    }

    /// Adds the content of a file.
    pub fn content(mut self, path: &Path) -> Result<Self> {
        fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.hash(&mut self.0);
        Ok(self)
    }

    fn add(&mut self, path: &Path, skip: &[&str]) -> std::io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        path.hash(&mut self.0);
        if metadata.is_dir() {
            let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                if !skip.iter().any(|name| entry.file_name() == *name) {
                    self.add(&entry.path(), skip)?;
                }
            }
        } else {
            (metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.mode(), metadata.uid(), metadata.gid())
                .hash(&mut self.0);
        }
        Ok(())
    }

    /// The hash, as a name.
    pub fn finish(self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// Whether the stamp beside an artifact says that it was made from this.
pub fn is_fresh(stamp: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == fingerprint)
}

/// Notes what an artifact was made from.
pub fn stamp(stamp: &Path, fingerprint: &str) -> Result<()> {
    crate::paths::replace_file(stamp, |part| {
        fs::write(part, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))
    })
}
