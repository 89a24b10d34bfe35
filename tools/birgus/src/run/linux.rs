//! Debian's Linux as the machine's kernel, so that every command can be compared.

use crate::apt::{Apt, SUITE};
use crate::fingerprint::Fingerprint;
use crate::image::archive;
use crate::paths::Paths;
use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What init needs on either machine; what they depend on comes along. A name without a file is built in.
const NEEDED: [&str; 4] = ["virtio_pci", "virtio_mmio", "virtio_console", "virtio_rng"];

/// Debian 12's kernel image, from the cache or fetched.
pub fn fetch(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.cache_folder("linux")?;
    if let Some(image) = image_in(&folder) {
        return Ok(image);
    }
    let apt = Apt::of_suite(paths, SUITE)?;
    // Somebody may have fetched it while this one waited.
    if let Some(image) = image_in(&folder) {
        return Ok(image);
    }
    let dependencies = apt.dependencies("linux-image-amd64")?;
    let package = dependencies
        .iter()
        .find(|name| name.starts_with("linux-image-"))
        .context("linux-image-amd64 names no image")?;
    apt.unpack(package, &folder.join(package))?;
    image_in(&folder).with_context(|| format!("{package} has no image"))
}

fn image_in(folder: &Path) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    versions.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("linux-image-") && !name.ends_with(".part")
    });
    versions.sort();
    let boot = fs::read_dir(versions.pop()?.join("boot")).ok()?;
    boot.flatten().map(|entry| entry.path()).find(|path| version_of(path).is_some())
}

/// The version in the name `vmlinuz-VERSION` or `vmlinux-VERSION`.
fn version_of(image: &Path) -> Option<&str> {
    let name = image.file_name()?.to_str()?;
    name.strip_prefix("vmlinuz-").or_else(|| name.strip_prefix("vmlinux-"))
}

/// The modules that belong to `…/boot/vmlinuz-VERSION`: `…/lib/modules/VERSION`.
pub fn modules_beside(image: &Path) -> Option<PathBuf> {
    let image = image.canonicalize().ok()?;
    let root = image.parent()?.parent()?;
    let version = version_of(&image)?;
    ["lib/modules", "usr/lib/modules"]
        .iter()
        .map(|folder| root.join(folder).join(version))
        .find(|folder| folder.is_dir())
}

/// Names a set of modules.
pub fn modules_name(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize()?;
    let hash = Fingerprint::default().text(&folder.display().to_string()).text(&NEEDED.join(",")).finish();
    Ok(format!("+{hash}"))
}

/// The modules for virtio, uncompressed, each behind those that it depends on.
pub fn virtio_modules(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut files = HashMap::new();
    collect(folder, &mut files).with_context(|| format!("cannot read the modules in {}", folder.display()))?;
    let mut order = Order { files, done: HashSet::new(), modules: Vec::new() };
    NEEDED.iter().try_for_each(|name| order.add(name))?;
    Ok(order.modules)
}

/// Every module's file by its name, in which '-' and '_' are one.
fn collect(folder: &Path, files: &mut HashMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else if let Some((name, "ko" | "ko.xz" | "ko.zst" | "ko.gz")) =
            entry.file_name().to_string_lossy().split_once('.')
        {
            files.insert(name.replace('-', "_"), entry.path());
        }
    }
    Ok(())
}

struct Order {
    files: HashMap<String, PathBuf>,
    done: HashSet<String>,
    modules: Vec<Vec<u8>>,
}

impl Order {
    fn add(&mut self, name: &str) -> Result<()> {
        let Some(file) = self.files.get(name).cloned() else {
            return Ok(());
        };
        if !self.done.insert(name.to_owned()) {
            return Ok(());
        }
        let module = read_module(&file).with_context(|| format!("module {}", file.display()))?;
        for dependency in dependencies(&module)? {
            self.add(&dependency)?;
        }
        self.modules.push(module);
        Ok(())
    }
}

fn read_module(file: &Path) -> Result<Vec<u8>> {
    let mut module = Vec::new();
    archive::expand(&mut std::io::BufReader::new(fs::File::open(file)?), &mut module)?;
    Ok(module)
}

/// The names behind `depends=` in the section of a module that describes it.
fn dependencies(module: &[u8]) -> Result<Vec<String>> {
    let elf = object::File::parse(module).context("not an ELF file")?;
    let section = elf.section_by_name(".modinfo").context("no .modinfo")?;
    let names = section.data()?.split(|&byte| byte == 0).find_map(|line| line.strip_prefix(b"depends="));
    let names = String::from_utf8_lossy(names.unwrap_or_default()).replace('-', "_");
    Ok(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
