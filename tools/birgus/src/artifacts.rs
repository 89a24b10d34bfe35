//! What is built from this repository for the machine: the kernel and init, each only when its sources changed.

use crate::build::link;
use crate::fingerprint::{Fingerprint, is_fresh, stamp};
use crate::paths::Paths;
use crate::program::Program;
use crate::{say, target};
use anyhow::{Context, Result, bail};
use object::Object;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What no artifact depends on.
const NOT_SOURCES: [&str; 7] = [".git", "target", "tests", "docs", ".ci", ".github", "birgus"];

/// The guest's programs that link libc, which the small root does not have: statically.
const WITH_LIBC: [&str; 3] = ["guest-tests", "guest-bench", "guest-prove"];

/// Which build of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Release,
    Debug,
}

impl Profile {
    /// Cargo's name for it, and for its folder.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("release", "release"),
            Self::Debug => ("dev", "debug"),
        }
    }
}

/// A built kernel.
#[derive(Clone, Debug)]
pub struct Built {
    /// What QEMU loads.
    pub image: PathBuf,
    /// The same with line numbers.
    pub symbols: PathBuf,
}

/// One build at a time: machines are started side by side, and the first of each wants the same artifacts.
static BUILDING: Mutex<()> = Mutex::new(());

/// Init's binary.
pub fn init(paths: &Paths) -> Result<PathBuf> {
    program(paths, "init")
}

/// A program for the guest, from `user/`.
pub fn program(paths: &Paths, name: &str) -> Result<PathBuf> {
    let _building = BUILDING.lock();
    let folder = paths.target.join("user");
    let (binary, mark) = (folder.join(name), folder.join(format!("{name}.stamp")));
    let fingerprint = ["user", "tools/protocol", "tools/evidence", "Cargo.toml", "rust-toolchain.toml", ".cargo"]
        .iter()
        .try_fold(Fingerprint::default(), |all, name| all.tree(&paths.source.join(name), &[]))?
        .finish();
    if !binary.exists() || !is_fresh(&mark, &fingerprint) {
        let package = format!("--package={name}");
        let mut arguments = vec!["rustc", &package, "--profile=user"];
        if WITH_LIBC.contains(&name) {
            // At a fixed address: what a program does to relocate itself is no cost of the kernel's.
            arguments.extend(["--", "-Ctarget-feature=+crt-static", "-Crelocation-model=static"]);
        }
        cargo(paths, &format!("building {name}"), &arguments)?;
        stamp(&mark, &fingerprint)?;
    }
    Ok(binary)
}

/// The plugin for QEMU that records instructions.
pub fn plugin(paths: &Paths) -> Result<PathBuf> {
    cargo(paths, "building trace-plugin", &["rustc", "--package=trace-plugin", "--profile=user"])?;
    Ok(paths.target.join("user/libtrace_plugin.so"))
}

/// The kernel of this repository.
pub fn kernel(paths: &Paths, profile: Profile) -> Result<Built> {
    let _building = BUILDING.lock();
    let (profile_name, folder_name) = profile.names();
    let folder = paths.target.join(target::NAME).join(folder_name);
    let built = Built { image: folder.join("birgus"), symbols: folder.join("birgus.symbols") };
    let mark = folder.join("birgus.stamp");
    let fingerprint = Fingerprint::default().text(profile_name).tree(&paths.source, &NOT_SOURCES)?.finish();
    if !built.image.exists() || !built.symbols.exists() || !is_fresh(&mark, &fingerprint) {
        target::provide(paths)?;
        let profile = format!("--profile={profile_name}");
        cargo(paths, "building the kernel", &["build", "--package=kernel", &profile, "--target", target::NAME])?;
        link::finish(&folder.join("birgus-kernel"), &built.image, &built.symbols)?;
        stamp(&mark, &fingerprint)?;
    }
    Ok(built)
}

/// Whether an ELF file has the section that only Birgus reserves.
pub fn has_symbol_section(image: &Path) -> Result<bool> {
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let elf = object::File::parse(&*bytes).with_context(|| format!("{} is not an ELF file", image.display()))?;
    Ok(elf.section_by_name(ksyms_format::SECTION).is_some())
}

/// Runs cargo: with its own progress on a terminal, else in silence unless it fails.
fn cargo(paths: &Paths, what: &str, arguments: &[&str]) -> Result<()> {
    let program = Program::new("cargo")
        .arg("--quiet")
        .args(arguments)
        .folder(&paths.source)
        .variable("CARGO_TARGET_DIR", &paths.target);
    if std::io::stderr().is_terminal() {
        if !program.openly()? {
            bail!("{what} failed");
        }
        return Ok(());
    }
    let _step = say::step(what);
    program.quietly().with_context(|| format!("{what} failed"))
}
