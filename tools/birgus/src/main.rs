//! The host's side of Birgus: builds the kernel and its roots, starts machines, compares with Linux.
//!
//! Everything a person does with the project starts here (`birgus --help`). The parts: `run` starts QEMU and is the command's
//! face on the host; `image` makes roots; `build` finishes the kernel behind the linker; `test` is what CI runs; `bench` measures, and
//! `profile` says why; `prove` tries what is claimed of the kernel; `chart` draws; `apt` fetches Debian packages without installing
//! them. What init and `run` say to each other is the crate `protocol`.

#[macro_use]
mod say;

mod apt;
mod artifacts;
mod bench;
mod build;
mod chart;
mod cli;
mod doctor;
mod fingerprint;
mod image;
mod nearest;
mod paths;
mod profile;
mod program;
mod prove;
mod run;
mod target;
mod test;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use paths::Paths;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The statuses below 125 belong to the command in the machine.
    let is_run = std::env::args_os().nth(1).is_some_and(|name| name == "run");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                say::line(complaint(&error.to_string()));
            } else {
                let _ = error.print();
            }
            return ExitCode::from(if !error.use_stderr() {
                0
            } else if is_run {
                run::NO_STATUS
            } else {
                2
            });
        }
    };
    ExitCode::from(say::to_the_end(|| {
        perform(cli.command).unwrap_or_else(|error| {
            say::line(format!("{error:#}"));
            if is_run { run::NO_STATUS } else { 1 }
        })
    }))
}

/// What is wrong with the command line, in one line; where more is to be read.
fn complaint(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("error: ") {
        Some(what) => format!("{what} (--help lists what there is)"),
        // No command at all: the help itself.
        None => text.to_owned(),
    }
}

fn perform(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "birgus", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(0)
        }
        Command::Run(request) => {
            doctor::provide_for_run(&request)?;
            run::run(&Paths::find()?, &request)
        }
        Command::Build { debug } => {
            let profile = if debug { artifacts::Profile::Debug } else { artifacts::Profile::Release };
            let built = artifacts::kernel(&Paths::find()?, profile)?;
            println!("{}\n{}", built.image.display(), built.symbols.display());
            Ok(0)
        }
        Command::Image { root, anew } => {
            println!("{}", image::root::rebuild(&root, &Paths::find()?, anew)?.display());
            Ok(0)
        }
        Command::Test(options) => {
            doctor::provide_for_tests()?;
            test::run(&Paths::find()?, &options)
        }
        Command::Bench(options) => {
            doctor::provide_for_tests()?;
            bench::run(&Paths::find()?, &options)
        }
        Command::Prove(options) => {
            doctor::provide_for_tests()?;
            prove::run(&Paths::find()?, &options)
        }
        Command::Profile(options) => {
            doctor::provide_for_tests()?;
            profile::run(&Paths::find()?, &options)
        }
        Command::Doctor { install } => doctor::run(&Paths::find()?, install),
    }
}
