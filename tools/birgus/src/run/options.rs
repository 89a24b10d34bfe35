//! What `birgus run` is asked for.

use crate::image::root::Root;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The machine that QEMU plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MachineKind {
    /// Little but virtio over memory-mapped registers; starts fastest
    Microvm,
    /// A PC with PCI Express
    Q35,
}

/// How instructions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where a guest was seen to boot with it, else software
    Auto,
    /// The processor's own virtualisation
    Kvm,
    /// Software emulation
    Tcg,
}

/// A machine and a command for it.
#[derive(Args, Clone, Debug)]
pub struct Request {
    /// What the machine unpacks as its root: busybox, debian[:PKG,…], a folder, or a cpio archive (also .gz, .zst, .xz)
    ///
    /// Archives are expanded once on the host, for the shortest start. To have the kernel do it: gzip:ROOT, zstd:ROOT and xz:ROOT
    /// compress any of these first, and as-is:FILE hands an archive over unaltered.
    #[arg(long, value_name = "ROOT", default_value = "busybox")]
    pub root: Root,

    /// Number of processors
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=255))]
    pub smp: u16,

    /// Memory: 512M, 2G; a bare number is MiB [default: 256M; 2G for a Debian root]
    #[arg(long = "mem", value_name = "SIZE", value_parser = parse_memory)]
    pub memory: Option<u64>,

    /// Which machine
    #[arg(long, value_enum, default_value = "microvm")]
    pub machine: MachineKind,

    /// How instructions are executed
    #[arg(long, value_enum, default_value = "auto")]
    pub accel: Accel,

    /// More words for the kernel's command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub append: Option<String>,

    /// Another kernel: an ELF or bzImage of Birgus or Linux, or `linux` for Debian 12's
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Where that kernel's modules are, if not beside it (the folder with `kernel/drivers`)
    #[arg(long, value_name = "FOLDER", requires = "kernel")]
    pub modules: Option<PathBuf>,

    /// Run the debug build of Birgus
    #[arg(long)]
    pub debug: bool,

    /// End the machine after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,

    /// End the machine after so many seconds without any sign of life; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub stall: u64,

    /// Show the machine's serial log while it runs, on standard error
    #[arg(short, long)]
    pub verbose: bool,

    /// Give the command a terminal, as an interactive shell has
    #[arg(short = 't', long)]
    pub tty: bool,

    /// Give the command the serial console, for a kernel without virtio
    #[arg(long, conflicts_with = "tty")]
    pub console: bool,

    /// Wait for gdb before the first instruction, and print the command that starts it
    #[arg(long)]
    pub gdb: bool,

    /// One instruction is one nanosecond: the same run each time
    #[arg(long, conflicts_with = "gdb")]
    pub icount: bool,

    /// The processor's model, as QEMU names it
    #[arg(long, value_name = "MODEL", hide = true)]
    pub cpu: Option<String>,

    /// More words for QEMU's command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true, hide = true)]
    pub qemu: Option<String>,

    /// Keep the whole serial log in this file
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// The command; without one, a shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

impl Request {
    /// Whether the command gets a terminal.
    pub fn is_interactive(&self) -> bool {
        self.tty
            || self.command.is_empty()
                && !self.console
                && std::io::stdin().is_terminal()
                && std::io::stdout().is_terminal()
    }
}

/// Memory in MiB.
fn parse_memory(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a size such as 256M or 2G");
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let size = match unit.to_ascii_uppercase().as_str() {
        "" | "M" | "MB" | "MIB" => Some(number),
        "G" | "GB" | "GIB" => number.checked_mul(1024),
        _ => return Err(wrong()),
    };
    size.filter(|size| (1..=1 << 24).contains(size)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::parse_memory;

    #[test]
    fn sizes() {
        assert_eq!(parse_memory("256"), Ok(256));
        assert_eq!(parse_memory("24M"), Ok(24));
        assert_eq!(parse_memory("2g"), Ok(2048));
        for wrong in ["", "M", "2T", "-1", "0", "99999999999999999999", "1.5G"] {
            assert!(parse_memory(wrong).is_err(), "{wrong}");
        }
    }
}
