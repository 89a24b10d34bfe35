//! A machine that ended without a status: what to tell the user.

use super::kernel::Kernel;
use super::monitor::Processor;
use crate::build::lines::Lines;
use crate::say;
use std::path::Path;

/// Lines of the log in a report.
const TAIL: usize = 40;

/// Why there is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user's limit, in seconds.
    TimeOut(u64),
    /// No sign of life for so many seconds.
    Stall(u64),
    /// Init could not connect or fork the command: an error number.
    Failed(u32),
    /// QEMU ended.
    Ended,
}

/// All that is known.
#[derive(Debug)]
pub struct Loss {
    pub reason: Reason,
    /// The serial log.
    pub log: String,
    /// The user saw the log already.
    pub shown: bool,
    /// What QEMU complained of.
    pub complaint: String,
    /// QEMU's own reason.
    pub shutdown: Option<String>,
    pub registers: Vec<Processor>,
}

impl Loss {
    /// The first line of the report, behind `birgus: `.
    pub fn headline(&self) -> String {
        let panic = self.log.lines().rev().find(|line| is_panic(line));
        match (self.reason, panic) {
            (Reason::Failed(errno), _) => {
                format!("the guest could not start the command: error {errno}")
            }
            (_, Some(line)) => format!("panic: {}", line.trim()),
            (Reason::TimeOut(seconds), _) => {
                format!("time-out: the machine was ended after {seconds} s")
            }
            (Reason::Stall(seconds), _) => {
                format!("time-out: no sign of life from the machine for {seconds} s")
            }
            (Reason::Ended, None) => self.ended(),
        }
    }

    fn ended(&self) -> String {
        match self.shutdown.as_deref() {
            Some("guest-reset") => "reset: the machine reset itself before the command ended".to_owned(),
            Some("guest-shutdown") => "power-off: the machine switched itself off before the command ended".to_owned(),
            Some("guest-panic") => "panic: the machine says so, and no more".to_owned(),
            _ if !self.complaint.trim().is_empty() => format!("QEMU: {}", self.complaint.trim()),
            _ => "QEMU ended before the command did".to_owned(),
        }
    }
}

/// Whether a line of a log announces a panic of either kernel.
fn is_panic(line: &str) -> bool {
    line.to_ascii_lowercase().contains("kernel panic")
}

/// Prints the report on standard error.
pub fn print(loss: &Loss, kernel: &Kernel) {
    say::line(loss.headline());
    details(loss, kernel).iter().for_each(|line| eprintln!("{line}"));
}

/// The report behind its first line: processors, the log's end, places in the source.
pub fn details(loss: &Loss, kernel: &Kernel) -> Vec<String> {
    let lines = kernel.symbols.as_deref().and_then(|file| Lines::open(file).ok());
    let mut report = Vec::new();
    for (number, processor) in loss.registers.iter().enumerate() {
        let state = if processor.halted { "halted" } else { "running" };
        let place = lines.as_ref().and_then(|lines| lines.place(processor.instruction)).unwrap_or_default();
        report.push(format!("  CPU {number}: {state} at {:#018x} {place}", processor.instruction));
    }
    let all: Vec<&str> = loss.log.lines().collect();
    if !loss.shown {
        report.push(match all.len() {
            0 => "birgus: its serial log is empty".to_owned(),
            count => {
                format!("birgus: the last of the {count} lines of its serial log (-v shows all):")
            }
        });
        report.extend(all.iter().skip(all.len().saturating_sub(TAIL)).map(|line| format!("  {line}")));
    }
    if let Some(lines) = lines {
        report.extend(places(&all[all.len().saturating_sub(2 * TAIL)..], &lines));
    }
    report
}

/// File and line of every kernel address in the log's last lines.
fn places(log: &[&str], lines: &Lines) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let addresses = log.iter().flat_map(|line| addresses(line)).filter(|address| seen.insert(*address));
    // A return address is behind its call, which may be the last instruction of a line.
    let place = |address: u64| Some(format!("  {address:#018x} {}", lines.place(address.saturating_sub(1))?));
    let mut places: Vec<String> = addresses.filter_map(place).collect();
    if !places.is_empty() {
        places.insert(0, "birgus: the addresses in it:".to_owned());
    }
    places
}

/// The addresses of the kernel's half in a line: sixteen digits that start with `ffff`.
fn addresses(line: &str) -> impl Iterator<Item = u64> + '_ {
    let words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter_map(|word| {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        (digits.len() == 16 && digits.starts_with("ffff")).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
    })
}

/// How to attach a debugger to a machine that waits for it.
pub fn print_gdb(kernel: &Kernel, socket: &Path) {
    let file = kernel.symbols.as_deref().unwrap_or(&kernel.image);
    say::line("the machine waits for a debugger; in another terminal:");
    eprintln!("  gdb -ex 'target remote {}' {}", socket.display(), file.display());
}

#[cfg(test)]
mod tests {
    use super::{Loss, Reason, addresses};

    fn loss(reason: Reason, log: &str, shutdown: Option<&str>) -> String {
        let shutdown = shutdown.map(str::to_owned);
        let (log, complaint, registers) = (log.to_owned(), String::new(), Vec::new());
        Loss { reason, log, shown: false, complaint, shutdown, registers }.headline()
    }

    #[test]
    fn headlines_name_the_kind() {
        let log = "booting\n[    1.0] Kernel panic - not syncing: Attempted to kill init!\nmore\n";
        assert!(loss(Reason::Ended, log, Some("guest-reset")).starts_with("panic: "));
        assert!(loss(Reason::TimeOut(5), log, None).starts_with("panic: "));
        assert!(loss(Reason::Ended, "", Some("guest-reset")).starts_with("reset: "));
        assert!(loss(Reason::TimeOut(5), "", None).starts_with("time-out: "));
        assert!(loss(Reason::Stall(60), "", None).starts_with("time-out: "));
    }

    #[test]
    fn addresses_in_a_line() {
        let found: Vec<u64> = addresses(" 2: 0xffffffff80001234 in foo+0x10, ffff800000000000 ffff").collect();
        assert_eq!(found, [0xffff_ffff_8000_1234, 0xffff_8000_0000_0000]);
    }
}
