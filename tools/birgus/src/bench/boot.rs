//! Start-up: what a kernel does from its entry to init's first instruction, and what memory is gone by then.
//!
//! `user/bench` itself is init: the first that it does is to read the time-stamp counter, which under `-icount` counts instructions from
//! the machine's reset. Birgus says in `/sys/kernel/debug/birgus/boot` at what count it was entered and at which its phases ended; what
//! the firmware takes before is the same for every kernel started by the PVH note, so that it is taken off the others' counts too.

use super::boot_report;
use super::machine::{self, Conditions, PROGRAM_PATH, SAME_ADDRESSES, TUNED};
use super::wall::Spread;
use crate::paths::Paths;
use crate::run::kernel::{Family, Kernel};
use crate::run::machine::Machine;
use crate::run::options::{MachineKind, Request};
use crate::say;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// MiB, as small as machines are.
pub const MEMORY: u64 = 256;
/// Starts of our kernel of which the least counts.
const COUNTED: usize = 5;
/// What stands in front of each line that is meant.
const PREFIX: &str = "bench-boot ";

/// A start-up as the guest saw it: numbers by their names.
pub type Figures = HashMap<String, f64>;

/// Both kernels' start-ups on one kind of machine.
#[derive(Debug, Default, Serialize)]
pub struct OnMachine {
    pub machine: String,
    pub here: Starts,
    pub there: Option<Starts>,
}

/// One kernel's.
#[derive(Debug, Default, Serialize)]
pub struct Starts {
    /// By instructions: one is like the other.
    pub counted: Figures,
    /// By the wall.
    pub timed: Vec<Figures>,
}

/// All that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Boots {
    pub machines: Vec<OnMachine>,
    /// Bytes that a loader reads.
    pub image: u64,
    pub image_there: Option<u64>,
}

impl Boots {
    pub fn markdown(&self) -> String {
        let tables = boot_report::tables(self).into_iter().map(|table| table.markdown() + "\n");
        format!("## Start-up\n\n{}\n\n{}", boot_report::LEGEND, tables.collect::<String>())
    }

    pub fn text(&self) -> String {
        boot_report::tables(self).into_iter().map(|table| table.text() + "\n").collect()
    }
}

/// Measures on both kinds of machine.
pub fn measure(paths: &Paths, conditions: Conditions, other: Option<PathBuf>, stop: &AtomicBool) -> Result<Boots> {
    let subject = |kernel: Option<PathBuf>| -> Result<Subject<'_>> {
        let request = machine::request(kernel);
        let kernel = machine::find(paths, &request)?;
        Ok(Subject { paths, kernel, conditions })
    };
    let (ours, theirs) = (subject(None)?, other.map(|other| subject(Some(other))).transpose()?);
    let mut boots = Boots {
        image: loaded(&ours.kernel.image)?,
        image_there: theirs.as_ref().map(|theirs| loaded(&theirs.kernel.image)).transpose()?,
        machines: Vec::new(),
    };
    for kind in [MachineKind::Microvm, MachineKind::Q35] {
        if !stop.load(Ordering::Relaxed) {
            boots.machines.push(on_machine(kind, &ours, theirs.as_ref(), stop)?);
        }
    }
    Ok(boots)
}

fn on_machine(
    kind: MachineKind,
    ours: &Subject<'_>,
    theirs: Option<&Subject<'_>>,
    stop: &AtomicBool,
) -> Result<OnMachine> {
    let mut both = OnMachine { machine: format!("{kind:?}").to_lowercase(), ..OnMachine::default() };
    both.here.counted = ours.least(kind)?;
    if let Some(theirs) = theirs {
        both.there = Some(Starts { counted: theirs.start(kind, true)?, timed: Vec::new() });
    }
    for _ in 0..ours.conditions.pairs {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        both.here.timed.push(ours.start(kind, false)?);
        if let (Some(theirs), Some(there)) = (theirs, &mut both.there) {
            there.timed.push(theirs.start(kind, false)?);
        }
    }
    Ok(both)
}

/// A kernel to be started.
struct Subject<'a> {
    paths: &'a Paths,
    kernel: Kernel,
    conditions: Conditions,
}

impl Subject<'_> {
    /// The start-up that counts least: QEMU moves its clock of instructions on while it still starts itself, by more where the host is busy.
    fn least(&self, kind: MachineKind) -> Result<Figures> {
        let mut all = (0..COUNTED).map(|_| self.start(kind, true)).collect::<Result<Vec<_>>>()?;
        let tsc = |figures: &Figures| figures.get("tsc").copied().unwrap_or(f64::INFINITY);
        all.sort_by(|left, right| tsc(left).total_cmp(&tsc(right)));
        Ok(all.swap_remove(0))
    }

    /// Starts a machine and hears what its init says.
    fn start(&self, kind: MachineKind, icount: bool) -> Result<Figures> {
        let _step = say::step(format!("{:?} on {kind:?}: start-up", self.kernel.family));
        let options = if self.kernel.family == Family::Linux && self.conditions.tuned { TUNED } else { SAME_ADDRESSES };
        let append = Some(format!("{options} rdinit={PROGRAM_PATH} -- boot"));
        let request = Request { machine: kind, memory: Some(MEMORY), icount, append, ..machine::request(None) };
        let patience = self.conditions.patience;
        let plan = machine::plan(self.paths, &request, &self.kernel)?;
        let mut machine = Machine::start(&request, &plan)?;
        let said = listen(&mut machine, Duration::from_secs(patience))?;
        figures(&said).with_context(|| {
            let last = said.trim_end().lines().last().unwrap_or("nothing").to_owned();
            format!(
                "{} did not get to its init within {} seconds; its last words: {last}",
                self.kernel.image.display(),
                patience
            )
        })
    }
}

/// The serial line until init has said all, or the machine ended, or patience did.
fn listen(machine: &mut Machine, patience: Duration) -> Result<String> {
    let (deadline, mut said) = (Instant::now() + patience, Vec::new());
    let mut buffer = [0; 4096];
    machine.serial.set_read_timeout(Some(Duration::from_millis(500)))?;
    let end = format!("{PREFIX}end");
    while Instant::now() < deadline && !String::from_utf8_lossy(&said).contains(&end) {
        match machine.serial.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => bail!("the machine's serial line: {error}"),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// The numbers in `bench-boot name: number …`; none if init did not get to its end.
fn figures(said: &str) -> Option<Figures> {
    let lines = || said.lines().filter_map(|line| Some(line.split_once(PREFIX)?.1.trim()));
    let figure = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        Some((name.to_owned(), rest.split_whitespace().next()?.parse().ok()?))
    };
    lines().any(|line| line == "end").then(|| lines().filter_map(figure).collect())
}

/// The sum of the file sizes of the segments that a loader reads.
pub fn loaded(image: &Path) -> Result<u64> {
    use object::{Object, ObjectSegment};
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let elf = object::File::parse(&*bytes).with_context(|| format!("{} is not an ELF file", image.display()))?;
    Ok(elf.segments().map(|segment| segment.file_range().1).sum())
}

impl OnMachine {
    /// Cycles before the kernel's entry: its own account of them, or ours.
    pub fn before_entry(&self, starts: &Starts, timed: bool) -> f64 {
        let of = |starts: &Starts| {
            if timed {
                Spread::of(starts.timed.iter().filter_map(|figures| figures.get("before_entry").copied()).collect())
                    .map(|spread| spread.middle)
            } else {
                starts.counted.get("before_entry").copied()
            }
        };
        of(starts).or_else(|| of(&self.here)).unwrap_or(0.0)
    }

    /// Instructions from entry to init.
    pub fn instructions(&self, starts: &Starts) -> Option<f64> {
        from_entry(&starts.counted, self.before_entry(starts, false))
    }

    /// Milliseconds, with their spread.
    pub fn milliseconds(&self, starts: &Starts) -> Option<Spread> {
        // Only Birgus says how fast the counter is; it is one host's.
        let hertz = self.here.timed.iter().find_map(|figures| figures.get("hertz").copied())?;
        let before = self.before_entry(starts, true);
        let one = |figures: &Figures| {
            let own = figures.get("before_entry").copied().unwrap_or(before);
            Some(from_entry(figures, own)? * 1000.0 / hertz)
        };
        Spread::of(starts.timed.iter().filter_map(one).collect())
    }
}

/// Cycles from entry to init: by the kernel's own account, or by what init read when the entry was at `before`.
fn from_entry(figures: &Figures, before: f64) -> Option<f64> {
    figures.get("exec").copied().or_else(|| Some(figures.get("tsc")? - before))
}

#[cfg(test)]
mod tests {
    use super::{OnMachine, Starts, figures};

    const SAID: &str = "[    0.1] Linux\r\nbench-boot tsc: 7000 cycles\r\nbench-boot before_entry: 1000 cycles\n\
        bench-boot hertz: 1000000 cycles\nbench-boot end\r\n";

    #[test]
    fn the_numbers_of_a_serial_log() {
        let all = figures(SAID).unwrap();
        assert_eq!((all["tsc"], all["before_entry"], all.len()), (7000.0, 1000.0, 3));
        assert_eq!(figures("bench-boot tsc: 7000 cycles\n"), None, "it died before its end");
        assert_eq!(figures("Kernel panic"), None);
    }

    #[test]
    fn what_the_firmware_takes_is_taken_off_both() {
        let here = Starts { counted: figures(SAID).unwrap(), timed: vec![figures(SAID).unwrap()] };
        let there = figures("bench-boot tsc: 61000 cycles\nbench-boot end\n").unwrap();
        let there = Starts { counted: there.clone(), timed: vec![there] };
        let both = OnMachine { machine: "m".into(), here, there: Some(there) };
        assert_eq!(both.instructions(&both.here), Some(6000.0));
        assert_eq!(both.instructions(both.there.as_ref().unwrap()), Some(60_000.0));
        assert_eq!(both.milliseconds(both.there.as_ref().unwrap()).unwrap().middle, 60.0);
        assert_eq!(both.milliseconds(&both.here).unwrap().middle, 6.0);
    }
}
