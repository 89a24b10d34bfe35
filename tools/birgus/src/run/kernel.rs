//! The kernel to boot, and what it needs beside it.

use super::linux;
use super::options::Request;
use crate::artifacts::{self, Profile};
use crate::paths::Paths;
use anyhow::{Context, Result, ensure};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, Object};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Whose kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Birgus,
    Linux,
}

/// A kernel file.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub image: PathBuf,
    /// The ELF with line numbers, where there is one.
    pub symbols: Option<PathBuf>,
    pub family: Family,
    /// Linux's modules, in the order to load them.
    pub modules: Vec<Vec<u8>>,
    /// Names the set of modules; empty for none.
    pub modules_name: String,
}

impl Kernel {
    /// The kernel that the request names; Birgus is built if its sources changed.
    pub fn find(paths: &Paths, request: &Request) -> Result<Self> {
        match &request.kernel {
            None => {
                let profile = if request.debug { Profile::Debug } else { Profile::Release };
                let built = artifacts::kernel(paths, profile)?;
                let (image, symbols) = (built.image, Some(built.symbols));
                Ok(Self { image, symbols, family: Family::Birgus, modules: Vec::new(), modules_name: String::new() })
            }
            Some(name) if name.as_os_str() == "linux" => {
                let fetched = linux::fetch(paths)?;
                Self::of_file(&fetched, request.modules.as_deref())
            }
            Some(file) => Self::of_file(file, request.modules.as_deref()),
        }
    }

    fn of_file(image: &Path, modules: Option<&Path>) -> Result<Self> {
        let family = family(image)?;
        let mut kernel = Self {
            image: image.to_owned(),
            symbols: (family == Family::Birgus).then(|| image.with_extension("symbols")).filter(|file| file.exists()),
            family,
            modules: Vec::new(),
            modules_name: String::new(),
        };
        if family == Family::Linux
            && let Some(folder) = modules.map(Path::to_owned).or_else(|| linux::modules_beside(image))
        {
            kernel.modules = linux::virtio_modules(&folder)?;
            kernel.modules_name = linux::modules_name(&folder)?;
        }
        Ok(kernel)
    }

    /// MiB without which this kernel cannot even unpack an archive of so many MiB.
    pub const fn memory_for(&self, archive: u64) -> u64 {
        match self.family {
            // Frees the archive page by page as it unpacks.
            Family::Birgus => archive + 16,
            // Holds the archive and the files together, beside some 75 MiB of its own.
            Family::Linux => 2 * archive + 88,
        }
    }
}

/// Tells Linux from Birgus by the boot header of a bzImage, or by a section that only Birgus has.
fn family(image: &Path) -> Result<Family> {
    let file = File::open(image).with_context(|| format!("cannot open the kernel {}", image.display()))?;
    ensure!(file.metadata()?.is_file(), "{} is not a file, and so no kernel", image.display());
    let mut magic = [0; 4];
    let long_enough = (&file).read_exact(&mut magic).is_ok();
    if long_enough && magic == *b"\x7fELF" {
        return family_of_elf(image);
    }
    // Linux's boot protocol: "HdrS" at 0x202.
    let known = file.read_exact_at(&mut magic, 0x202).is_ok() && magic == *b"HdrS";
    ensure!(known, "{} is no kernel: neither an ELF file nor a bzImage", image.display());
    Ok(Family::Linux)
}

/// A kernel's ELF file says where QEMU is to enter it, in a note of Xen's (PVH); a program's does not.
fn family_of_elf(image: &Path) -> Result<Family> {
    const ENTRY: object::elf::NoteType = object::elf::NoteType(18);
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let damaged = || format!("{} is no kernel: a damaged ELF file", image.display());
    let elf = ElfFile64::<Endianness>::parse(&*bytes).with_context(damaged)?;
    let mut notes = elf.elf_program_headers().iter().filter_map(|header| header.notes(elf.endian(), &*bytes).ok()?);
    let enters = notes.any(|mut notes| {
        core::iter::from_fn(|| notes.next().ok().flatten())
            .any(|note| note.name() == b"Xen" && note.n_type(elf.endian()) == ENTRY)
    });
    ensure!(enters, "{} is no kernel: an ELF file without a PVH entry", image.display());
    Ok(if elf.section_by_name(ksyms_format::SECTION).is_some() { Family::Birgus } else { Family::Linux })
}
