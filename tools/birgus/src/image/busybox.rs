//! The small root: one static busybox, a link for each of its applets, and the files that programs look for.

use super::cpio::{Attributes, Kind, Writer};
use crate::apt::{Apt, SUITE};
use crate::paths::{Paths, create_folder};
use crate::program::Program;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Changes when what is built here changes, so that caches are made anew.
pub const EDITION: &str = "busybox-2";

const FOLDERS: [(&str, u32); 22] = [
    (".", 0o755),
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("lib", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sbin", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("usr/share", 0o755),
    ("var", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
    ("srv", 0o755),
];

const FILES: [(&str, &str); 8] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    ("etc/group", "root:x:0:\ndaemon:x:1:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n"),
    ("etc/shadow", "root::19000:0:99999:7:::\nuser::19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"),
    ("etc/shells", "/bin/sh\n/bin/ash\n"),
    ("etc/hostname", "birgus\n"),
    ("etc/hosts", "127.0.0.1 localhost birgus\n"),
    ("etc/profile", "export PS1='\\u@\\h:\\w\\$ '\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// Writes the root's archive.
pub fn build(paths: &Paths, to: &Path) -> Result<()> {
    let binary = binary(paths)?;
    let bytes = fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let applets = applets(&binary)?;
    let mut writer =
        Writer::new(BufWriter::new(File::create(to).with_context(|| format!("cannot write {}", to.display()))?));
    write(&mut writer, &bytes, &applets)?;
    writer.finish()?.flush()?;
    Ok(())
}

fn write(writer: &mut Writer<impl Write>, binary: &[u8], applets: &BTreeSet<String>) -> Result<()> {
    for (name, mode) in FOLDERS {
        writer.add(name.as_bytes(), &Attributes::new(Kind::Folder, mode), b"")?;
    }
    for (name, text) in FILES {
        let mode = if name == "etc/shadow" { 0o600 } else { 0o644 };
        writer.add(name.as_bytes(), &Attributes::new(Kind::File, mode), text.as_bytes())?;
    }
    writer.add(b"bin/busybox", &Attributes::new(Kind::File, 0o755), binary)?;
    for applet in applets.iter().filter(|applet| *applet != "bin/busybox") {
        writer.add(applet.as_bytes(), &Attributes::new(Kind::Link, 0o777), b"/bin/busybox")?;
    }
    Ok(())
}

/// Debian's own build, fetched once.
fn binary(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.cache.join("busybox");
    let binary = folder.join("bin/busybox");
    if !binary.exists() {
        create_folder(&paths.cache)?;
        let apt = Apt::of_suite(paths, SUITE)?;
        // Somebody may have fetched it while this one waited.
        if !binary.exists() {
            apt.unpack("busybox-static", &folder)?;
        }
        ensure!(binary.exists(), "package busybox-static has no bin/busybox");
    }
    Ok(binary)
}

/// Where each applet belongs. The binary is static and runs on any kernel of this architecture, so it is asked itself.
fn applets(binary: &Path) -> Result<BTreeSet<String>> {
    let program = binary.to_str().context("the cache's path is not UTF-8")?;
    let list = Program::new(program).arg("--list-full").text()?;
    Ok(list
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with("linuxrc"))
        .map(str::to_owned)
        .collect())
}
