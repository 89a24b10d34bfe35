//! Debian's Linux as the machine's kernel, so that every command can be compared.

use crate::apt::{Apt, SUITE};
use crate::fingerprint::Fingerprint;
use crate::image::archive;
use crate::paths::{Paths, create_folder, replace_file};
use crate::program::{Program, tail};
use crate::say;
use anyhow::{Context, Result, ensure};
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
    let dependencies = apt.dependencies("linux-image-amd64")?;
    let package = dependencies
        .iter()
        .find(|name| name.starts_with("linux-image-"))
        .context("linux-image-amd64 names no image")?;
    let part = folder.join(format!("part.{}", std::process::id()));
    create_folder(&part)?;
    apt.unpack(package, &part)?;
    let done = folder.join(package);
    if fs::rename(&part, &done).is_err() {
        fs::remove_dir_all(&part)?;
    }
    image_in(&folder).with_context(|| format!("{package} has no image"))
}

fn image_in(folder: &Path) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    versions.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("linux-image-")));
    versions.sort();
    let boot = fs::read_dir(versions.pop()?.join("boot")).ok()?;
    boot.flatten().map(|entry| entry.path()).find(|path| version_of(path).is_some())
}

/// The ELF file inside a bzImage, which loaders start by its PVH note without that it unpacks itself; what is none is answered as it is.
pub fn uncompressed(paths: &Paths, image: &Path) -> Result<PathBuf> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let Some(payload) = payload(&bytes) else {
        return Ok(image.to_owned());
    };
    let name = Fingerprint::default().tree(image, &[])?.finish();
    let elf = paths.cache_folder("linux-elf")?.join(format!("vmlinux-{name}"));
    if !elf.exists() {
        let _step = say::step(format!("unpacking {}", image.display()));
        replace_file(&elf, |part| expand(payload, part))
            .with_context(|| format!("the kernel in {}", image.display()))?;
    }
    Ok(elf)
}

/// The compressed kernel: `payload_offset` and `payload_length` of Linux's boot protocol 2.08 (Documentation/arch/x86/boot.rst).
fn payload(image: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?) as usize);
    let version = u16::from_le_bytes(image.get(0x206..0x208)?.try_into().ok()?);
    if image.get(0x202..0x206)? != b"HdrS" || version < 0x208 {
        return None;
    }
    let sectors = match image[0x1f1] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * 512 + number(0x248)?;
    image.get(start..start.checked_add(number(0x24c)?)?)
}

/// The kernel's own build appends the length to what xz wrote, and has it filter jumps: more than our reader of xz understands.
fn expand(payload: &[u8], to: &Path) -> Result<()> {
    if !payload.starts_with(b"\xfd7zXZ\0") {
        let mut output = fs::File::create(to)?;
        return archive::expand(&mut &*payload, &mut output);
    }
    let packed = to.with_extension("xz");
    fs::write(&packed, payload)?;
    let output = Program::new("xz").args(["--decompress", "--stdout", "--single-stream"]).arg(&packed).output();
    let _ = fs::remove_file(&packed);
    let output = output?;
    ensure!(output.status.success(), "xz: {}", tail(&output.stderr, 3));
    fs::write(to, output.stdout).with_context(|| format!("cannot write {}", to.display()))
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

#[cfg(test)]
mod tests {
    use super::payload;

    #[test]
    fn a_bz_image_holds_its_kernel_where_the_header_says() {
        let mut image = vec![0; 0x1000];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
        image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&4_u32.to_le_bytes());
        image[1024 + 16..][..4].copy_from_slice(b"elf!");
        assert_eq!(payload(&image), Some(&b"elf!"[..]));
        image[0x24c..0x250].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(payload(&image), None, "longer than the file");
        image[0x207] = 1;
        assert_eq!(payload(&image), None, "older than the fields");
        assert_eq!(payload(b"\x7fELF"), None);
    }
}
