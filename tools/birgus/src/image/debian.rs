//! The large root: Debian 12 with any packages, by mmdebstrap.

use super::archive;
use crate::apt::{self, SUITE};
use crate::paths::{Paths, part_of};
use crate::program::{Program, cause, exists};
use crate::say;
use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::Path;

/// Changes when what is built here changes, so that caches are made anew.
pub const EDITION: &str = "debian-2";

/// What nothing in the guest reads and every boot would unpack.
const EXCLUDED: [&str; 5] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*"];

/// Packages of every root: what a person at the shell expects beyond the essential ones.
const ALWAYS: [&str; 1] = ["procps"];

/// Writes the archive of a root with `packages`.
pub fn build(paths: &Paths, packages: &[String], to: &Path) -> Result<()> {
    if !exists("mmdebstrap") {
        bail!("a Debian root needs mmdebstrap: `birgus doctor` prints the command that installs it");
    }
    for package in packages {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        ensure!(!package.is_empty() && package.bytes().all(fine), "'{package}' is not the name of a package");
    }
    let tar = part_of(&paths.cache_folder("roots")?.join("debian.tar"))?;
    let built = bootstrap(packages, &tar).and_then(|()| {
        let _step = say::step("converting the root to cpio");
        archive::tar_to_cpio(&tar, to)
    });
    let _ = fs::remove_file(&tar);
    built
}

/// Tries the modes that this host may allow, the most faithful first.
fn bootstrap(packages: &[String], tar: &Path) -> Result<()> {
    let _step = say::step(format!(
        "building a Debian root ({})",
        if packages.is_empty() { "essential".to_owned() } else { packages.join(", ") }
    ));
    let modes: &[&str] =
        if rustix::process::geteuid().is_root() { &["root", "unshare"] } else { &["unshare", "fakechroot"] };
    let mut said: Vec<String> = Vec::new();
    for mode in modes {
        let output = command(mode, packages, tar)?.output()?;
        if output.status.success() {
            return Ok(());
        }
        let cause = cause(&output.stderr);
        if !said.contains(&cause) {
            said.push(cause);
        }
    }
    bail!(
        "mmdebstrap could not build the root; it needs the network and the packages' right names: {}",
        said.join("; ")
    )
}

fn command(mode: &str, packages: &[String], tar: &Path) -> Result<Program> {
    let mut include: Vec<&str> = ALWAYS.to_vec();
    include.extend(packages.iter().map(String::as_str));
    let mut program = Program::new("mmdebstrap")
        .args(["--variant=essential", "--architectures=amd64", "--format=tar"])
        .arg(format!("--mode={mode}"))
        .arg(format!("--include={}", include.join(",")))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg("--customize-hook=echo birgus > \"$1/etc/hostname\"")
        .arg("--customize-hook=echo 127.0.0.1 localhost birgus > \"$1/etc/hosts\"")
        .variable("SOURCE_DATE_EPOCH", "1700000000");
    for pattern in EXCLUDED {
        program = program.arg(format!("--dpkgopt=path-exclude={pattern}"));
    }
    // Without a Debian source on this machine mmdebstrap falls back on its own default.
    Ok(program.arg(SUITE).arg(tar).args(apt::mirrors().unwrap_or_default().first()))
}
