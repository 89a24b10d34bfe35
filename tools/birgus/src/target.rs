//! The kernel's target, `x86_64-unknown-none`: core and alloc compiled for it must stand in the compiler's sysroot.
//!
//! rustup fetches them. Where it cannot (no rustup, or no way to its servers), Debian has the sources of the very same compiler as
//! a package, from which cargo builds the three libraries once; then plain `cargo build` works.

use crate::apt::Apt;
use crate::paths::{Paths, create_folder};
use crate::program::{Program, exists};
use crate::say;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// The target's name.
pub const NAME: &str = "x86_64-unknown-none";
/// Where Debian keeps a compiler this new.
const SUITE: &str = "trixie-backports";
/// What a `no_std` kernel links.
const LIBRARIES: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// Whether the compiler has the target's libraries.
pub fn is_there(paths: &Paths) -> Result<bool> {
    let libraries = libraries(&sysroot(paths)?);
    let all = |name: &&str| find_library(&libraries, name).is_some();
    Ok(LIBRARIES.iter().all(all))
}

/// Sees to the target, by whichever way works.
pub fn provide(paths: &Paths) -> Result<()> {
    if is_there(paths)? {
        return Ok(());
    }
    // The variable is for trying the other way.
    if exists("rustup") && std::env::var_os("BIRGUS_WITHOUT_RUSTUP").is_none() {
        let _step = say::step(format!("adding the target {NAME} by rustup"));
        let added = Program::new("rustup").args(["target", "add", NAME]).folder(&paths.source).output()?;
        if added.status.success() && is_there(paths)? {
            return Ok(());
        }
    }
    build(paths)
        .with_context(|| format!("rustup could not add the target {NAME}, nor could it be built from Debian's sources"))
}

fn sysroot(paths: &Paths) -> Result<PathBuf> {
    let text = Program::new("rustc").args(["--print", "sysroot"]).folder(&paths.source).text()?;
    Ok(PathBuf::from(text.trim()))
}

fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(NAME).join("lib")
}

fn find_library(folder: &Path, name: &str) -> Option<PathBuf> {
    let prefix = format!("lib{name}-");
    let matches = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.starts_with(&prefix) && file.ends_with(".rlib")
    };
    fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(matches)
}

/// Builds the libraries from Debian's package of the compiler's sources.
fn build(paths: &Paths) -> Result<()> {
    let version = compiler_version(paths)?;
    let source = fetch_source(paths, &version)?;
    let _step = say::step(format!("building core and alloc {version} for {NAME}"));
    let scratch = paths.cache_folder(&format!("target/{version}"))?;
    write_crate(&scratch)?;
    let sysroot = sysroot(paths)?;
    let link = SourceLink::new(&sysroot, &source)?;
    let built = Program::new("cargo")
        .args(["build", "--quiet", "--release", "--target", NAME])
        .args(["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"])
        .folder(&scratch)
        .variable("RUSTC_BOOTSTRAP", "1")
        // The scratch crate is outside the tree whose file names the compiler; this is that compiler.
        .variable("PATH", path_with(&sysroot)?)
        .variable("CARGO_TARGET_DIR", scratch.join("output"))
        // As rustup's libraries are: a kernel linked with LTO needs their bitcode too.
        .variable("RUSTFLAGS", "-Cembed-bitcode=yes")
        .without_variable("CARGO_BUILD_TARGET")
        .compile();
    drop(link);
    built?;
    install(&scratch.join("output").join(NAME).join("release/deps"), &libraries(&sysroot))
}

/// The version of the compiler in use, as in `1.95.0`.
fn compiler_version(paths: &Paths) -> Result<String> {
    let text = Program::new("rustc").arg("--version").folder(&paths.source).text()?;
    text.split(' ').nth(1).map(str::to_owned).with_context(|| format!("rustc calls itself {text}"))
}

/// The folder `library` of the compiler's sources, fetched once.
fn fetch_source(paths: &Paths, version: &str) -> Result<PathBuf> {
    let folder = paths.cache.join("rust-src").join(version);
    let library = folder.join("usr/src").join(format!("rustc-{version}")).join("library");
    if !library.exists() {
        create_folder(&folder)?;
        let apt = Apt::of_suite(paths, SUITE)?;
        // Somebody may have fetched it while this one waited.
        if library.exists() {
            return Ok(library);
        }
        let versions = apt.versions("rust-src")?;
        let same = |candidate: &&String| candidate.split(['+', '-', '~']).next() == Some(version);
        let Some(package) = versions.iter().find(same) else {
            bail!("{SUITE} has rust-src {}, and the compiler is {version}", versions.join(", "));
        };
        apt.unpack(&format!("rust-src={package}"), &folder)?;
        ensure!(library.exists(), "rust-src {package} has no {}", library.display());
    }
    Ok(library)
}

/// While this value lives, cargo finds the sources where a rustup component would put them.
struct SourceLink(Option<PathBuf>);

impl SourceLink {
    fn new(sysroot: &Path, library: &Path) -> Result<Self> {
        let folder = sysroot.join("lib/rustlib/src/rust");
        let link = folder.join("library");
        if link.exists() {
            return Ok(Self(None));
        }
        create_folder(&folder)?;
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(library, &link).with_context(|| format!("cannot write to {}", folder.display()))?;
        Ok(Self(Some(link)))
    }
}

impl Drop for SourceLink {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            let _ = fs::remove_file(link);
        }
    }
}

fn path_with(sysroot: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(sysroot.join("bin")).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("PATH")
}

fn write_crate(folder: &Path) -> Result<()> {
    let manifest =
        "[package]\nname = \"empty\"\nedition = \"2024\"\n\n[workspace]\n\n[profile.release]\npanic = \"abort\"\n";
    create_folder(&folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "#![no_std]\n").context("cannot write the cache")
}

fn install(from: &Path, to: &Path) -> Result<()> {
    create_folder(to).context("the compiler's sysroot is not writable: run this once as its owner")?;
    for name in LIBRARIES {
        let library = find_library(from, name).with_context(|| format!("cargo built no {name}"))?;
        let file = library.file_name().context("no file name")?;
        fs::copy(&library, to.join(file)).with_context(|| format!("cannot write to {}", to.display()))?;
    }
    Ok(())
}
