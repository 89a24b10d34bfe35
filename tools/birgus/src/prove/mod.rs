//! What is claimed of the kernel, tried on the running system.
//!
//! The experiments are a program of the machine's, `user/prove`: it states the claims, finds figures, and says what was expected of them.
//! This side gives each the machine that it needs (one processor whose clock counts instructions, or two that run at once), one boot for
//! each kind, and another when an experiment takes the machine with it; then it shows what came out, by a verdict that `evidence`
//! draws. The same program runs on Linux (`--kernel linux`), where the same must come out.

mod book;
mod laboratory;
mod page;
mod text;

use crate::nearest::nearest;
use crate::paths::Paths;
use crate::program::Program;
use crate::{artifacts, say};
use anyhow::{Context, Result, bail};
use book::{Book, Entry};
use clap::Args;
use evidence::{Claim, Observable, Outcome};
use laboratory::Laboratory;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `birgus prove` is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Experiments, as the list names them
    pub names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Another kernel: a file, or `linux` for Debian 12's
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// Processors, for experiments that need several
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=8))]
    pub smp: u16,
    /// Seconds that an experiment may take
    #[arg(long, value_name = "SECONDS", default_value_t = 240)]
    pub patience: u64,
    /// Keep the results in this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a report to read out: one page with plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Show results that --json kept, instead of trying anything
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "all", "kernel"])]
    pub from: Option<PathBuf>,
    /// Put each control in its mechanism's place: then nothing may hold
    #[arg(long, hide = true)]
    pub falsify: bool,
}

/// Lists, or tries, shows and keeps; the exit status.
pub fn run(paths: &Paths, options: &Options) -> Result<u8> {
    if let Some(file) = &options.from {
        let book = read(file)?;
        print!("{}", text::whole(&book));
        return keep(options, &book);
    }
    let claims = claims(paths)?;
    if options.names.is_empty() && !options.all {
        print!("{}", text::list(&claims));
        return Ok(0);
    }
    let chosen = choose(claims, &options.names)?;
    let book = tried(paths, options, chosen)?;
    print!("{}", text::summary(&book));
    keep(options, &book)
}

/// The claims, from the program itself: it is an ordinary one.
fn claims(paths: &Paths) -> Result<Vec<Claim>> {
    let program = artifacts::program(paths, laboratory::PROGRAM)?;
    let text = Program::new(&program.display().to_string()).arg("list").text()?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("a claim: {line}"))).collect()
}

/// Those that are named, or all when none is.
fn choose(claims: Vec<Claim>, names: &[String]) -> Result<Vec<Claim>> {
    for name in names {
        if !claims.iter().any(|claim| claim.name == *name) {
            let nearest = nearest(claims.iter().map(|claim| claim.name.as_str()), name);
            bail!("no experiment is called {name}; {nearest} comes nearest (`birgus prove` lists all)");
        }
    }
    Ok(claims.into_iter().filter(|claim| names.is_empty() || names.contains(&claim.name)).collect())
}

/// Tries the claims, saying each as it comes.
fn tried(paths: &Paths, options: &Options, claims: Vec<Claim>) -> Result<Book> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second time ends it at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let order: Vec<String> = claims.iter().map(|claim| claim.name.clone()).collect();
    let mut book = Book { wanted: claims.len(), falsified: options.falsify, ..Book::default() };
    for kind in [Observable::OneProcessor, Observable::TwoProcessors, Observable::Hardware] {
        let claims: Vec<&Claim> = claims.iter().filter(|claim| claim.observable == kind).collect();
        if claims.is_empty() || stop.load(Ordering::Relaxed) {
            continue;
        }
        let mut laboratory = match kind {
            Observable::Hardware => None,
            _ => Some(Laboratory::new(paths, options, kind)?),
        };
        if let Some(laboratory) = &mut laboratory {
            book.machines.push(laboratory.about().context("no experiment was made")?);
        }
        for claim in claims {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let outcome = match &mut laboratory {
                Some(laboratory) => laboratory.tried(&claim.name)?,
                None => Outcome::NotObservable("under emulation; it needs the hardware's own counters".to_owned()),
            };
            // What was cut short says nothing.
            if !stop.load(Ordering::Relaxed) || matches!(outcome, Outcome::Found(_)) {
                let entry = Entry::new(claim.clone(), outcome);
                print!("{}", text::entry(&entry));
                book.entries.push(entry);
            }
        }
    }
    book.entries.sort_by_key(|entry| order.iter().position(|name| *name == entry.claim.name));
    book.interrupted = stop.load(Ordering::Relaxed);
    if book.interrupted {
        say::line("interrupted: what follows is what was found until then");
    }
    Ok(book)
}

/// Writes the files that were asked for; the status.
fn keep(options: &Options, book: &Book) -> Result<u8> {
    let write = |file: &Path, text: String| {
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = &options.json {
        write(file, serde_json::to_string_pretty(book)? + "\n")?;
    }
    if let Some(file) = &options.html {
        write(file, page::page(book))?;
    }
    Ok(u8::from(book.interrupted || book.count(book::Kind::DoesNotHold) > 0))
}

fn read(file: &Path) -> Result<Book> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Book::parse(&text).with_context(|| format!("{} is not what --json keeps", file.display()))
}

#[cfg(test)]
mod tests {
    use super::book::tests::recorded;
    use super::choose;

    #[test]
    fn names_and_the_nearest() {
        let claims = || recorded().entries.into_iter().map(|entry| entry.claim).collect::<Vec<_>>();
        assert_eq!(choose(claims(), &[]).unwrap().len(), claims().len());
        let chosen = choose(claims(), &["first-touch".to_owned()]).unwrap();
        assert_eq!(chosen.len(), 1);
        let error = choose(claims(), &["first-tuch".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "no experiment is called first-tuch; first-touch comes nearest (`birgus prove` lists all)");
    }
}
