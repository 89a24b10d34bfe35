//! The command line.

use crate::image::root::Root;
use crate::run::options::Request;
use clap::{Parser, Subcommand};
use clap_complete::Shell;

/// Birgus: a Linux-compatible kernel in Rust
#[derive(Parser, Debug)]
#[command(name = "birgus", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Try `birgus run` for a shell inside Birgus, `birgus run -- uname -a` for one command.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start a machine and run a shell or one command inside it
    ///
    /// With a command, only its own output appears, byte for byte, and its status is passed on: 128+n if signal n killed it, 125 with
    /// an explanation if the machine ended without a status. Without a command on a terminal: a shell; Ctrl-] leaves it.
    Run(Box<Request>),
    /// Build the kernel and print the paths of its image and of its symbols
    Build {
        /// With overflow checks, lock order checks and little optimisation
        #[arg(long)]
        debug: bool,
    },
    /// Build a root and print the path of its archive
    Image {
        /// busybox, debian[:PKG,…], a folder, or a cpio archive (also .gz, .zst, .xz)
        #[arg(default_value = "busybox")]
        root: Root,
        /// Build it even if the cache has it
        #[arg(long)]
        anew: bool,
    },
    /// Run every check, or those whose name contains one of the given
    Test(crate::test::Options),
    /// Measure what operations cost, and compare with Linux
    ///
    /// By default in instructions for one operation, as QEMU counts them on one processor: the same on every host.
    Bench(crate::bench::Options),
    /// Try what is claimed of the kernel, by experiments on the running system
    ///
    /// Without a name, the claims by subject. Status 1 if one of those that are tried does not hold.
    Prove(crate::prove::Options),
    /// Show where the instructions of an operation, or of a command in the machine, go
    Profile(crate::profile::Options),
    /// Say what is missing on this host, and the command that installs it
    Doctor {
        /// Install it
        #[arg(long)]
        install: bool,
    },
    /// Print completions for a shell
    Completions { shell: Shell },
}
