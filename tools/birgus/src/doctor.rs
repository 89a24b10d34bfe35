//! What this host lacks, and the command that installs it.

use crate::paths::Paths;
use crate::program::{Program, exists};
use crate::run::options::Request;
use crate::run::qemu;
use crate::{say, target};
use anyhow::{Context, Result, bail};
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Something that a command of the tool needs.
struct Need {
    /// What is looked for.
    program: &'static str,
    /// Debian's and Ubuntu's package.
    package: &'static str,
    /// What it is needed for.
    purpose: &'static str,
    /// Without it `run` does not work at all.
    essential: bool,
}

const NEEDS: [Need; 7] = [
    Need { program: qemu::PROGRAM, package: "qemu-system-x86", purpose: "running machines", essential: true },
    Need { program: "cc", package: "gcc", purpose: "linking", essential: true },
    Need { program: "dpkg-deb", package: "dpkg", purpose: "the busybox root", essential: true },
    Need { program: "strip", package: "binutils", purpose: "a small image", essential: false },
    Need { program: "xz", package: "xz-utils", purpose: "Linux beside Birgus in `birgus bench`", essential: false },
    Need { program: "mmdebstrap", package: "mmdebstrap", purpose: "Debian roots", essential: false },
    Need { program: "gdb", package: "gdb", purpose: "`birgus run --gdb`", essential: false },
];

/// Without these installed a fresh machine cannot do what the command asks; sees to them by apt when it may.
pub fn provide_for_run(request: &Request) -> Result<()> {
    let is_debian = matches!(request.root, crate::image::root::Root::Debian(_));
    let wanted = |need: &&Need| need.essential || need.program == "mmdebstrap" && is_debian;
    provide(NEEDS.iter().filter(wanted))
}

/// Everything that the tests need.
pub fn provide_for_tests() -> Result<()> {
    provide(NEEDS.iter().filter(|need| need.program != "gdb"))
}

fn provide<'a>(needs: impl Iterator<Item = &'a Need>) -> Result<()> {
    let missing: Vec<&str> = needs.filter(|need| !exists(need.program)).map(|need| need.package).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// Prints a line for each need; with `wanted`, installs what is missing. Status 1 if something essential is missing.
pub fn run(paths: &Paths, wanted: bool) -> Result<u8> {
    let mut missing = Vec::new();
    let mut status = 0;
    for need in &NEEDS {
        let found = exists(need.program);
        report(found, need.program, need.purpose);
        if !found {
            missing.push(need.package);
            status |= u8::from(need.essential);
        }
    }
    let has_target = target::is_there(paths);
    report(matches!(has_target, Ok(true)), target::NAME, "building the kernel (seen to on first use)");
    report(can_use_kvm(), "/dev/kvm", "speed; without it machines are emulated");
    if missing.is_empty() {
        return Ok(status);
    }
    if wanted {
        install(&missing)?;
        return Ok(0);
    }
    println!("\nTo install what is missing:\n  {}", command(&missing).join(" "));
    Ok(status)
}

fn report(found: bool, name: &str, purpose: &str) {
    println!("{:<8} {name:<20} {purpose}", if found { "ok" } else { "missing" });
}

fn can_use_kvm() -> bool {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

/// The command that installs packages on this host.
fn command(packages: &[&str]) -> Vec<String> {
    let superuser = rustix::process::geteuid().is_root();
    let mut words: Vec<&str> = if superuser { vec![] } else { vec!["sudo"] };
    words.extend(["apt-get", "install", "-y", "--no-install-recommends"]);
    words.extend(packages);
    words.into_iter().map(str::to_owned).collect()
}

/// Installs by apt: at once as root, by sudo otherwise, asking first on a terminal; elsewhere names the packages.
fn install(packages: &[&str]) -> Result<()> {
    let advice = || format!("please install {} (names of Debian's packages), then try again", packages.join(", "));
    let superuser = rustix::process::geteuid().is_root();
    if !Path::new("/etc/debian_version").exists() || !exists("apt-get") || !superuser && !exists("sudo") {
        bail!("{}", advice());
    }
    let mut words = command(packages);
    if !superuser {
        if !std::io::stdin().is_terminal() {
            words.insert(1, "-n".to_owned());
        } else if !agreed(&words)? {
            bail!("{}", advice());
        }
    }
    let _step = say::step(format!("installing {}", packages.join(", ")));
    let run = |words: &[String]| -> Result<()> {
        let (first, rest) = words.split_first().context("no command")?;
        Program::new(first).args(rest).variable("DEBIAN_FRONTEND", "noninteractive").quietly()
    };
    if run(&words).is_err() {
        // On a machine whose lists were never fetched.
        let until = words.iter().position(|word| word == "apt-get").map_or(0, |at| at + 1);
        let mut update = words[..until].to_vec();
        update.push("update".to_owned());
        run(&update).and_then(|()| run(&words)).with_context(advice)?;
    }
    Ok(())
}

fn agreed(words: &[String]) -> Result<bool> {
    eprint!("birgus: run \"{}\"? [Y/n] ", words.join(" "));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}
