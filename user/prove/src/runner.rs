//! One process for each experiment, so that a crash or a hang costs one.

use crate::experiment::{self, Experiment};
use crate::{Lab, Trouble};
use evidence::{Outcome, Report, Verdict, verdict};
use measure::system::{Errno, check, pipe, wait};
use std::io::Write;
use std::time::{Duration, Instant};

/// Seconds after which an experiment is given up, unless told otherwise. Under `-icount` they are a billion instructions each.
const PATIENCE: u64 = 20;

/// Prints all claims.
pub fn list() -> i32 {
    for (name, experiment) in experiment::all() {
        match serde_json::to_string(&experiment.claim(name)) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("guest-prove: {name}: {error}"),
        }
    }
    0
}

/// What was asked for.
struct Order<'a> {
    falsified: bool,
    /// Says only what is not as wished.
    quiet: bool,
    patience: Duration,
    names: Vec<&'a str>,
}

fn order<'a>(words: &[&'a str]) -> Result<Order<'a>, String> {
    let mut order =
        Order { falsified: false, quiet: false, patience: Duration::from_secs(PATIENCE), names: Vec::new() };
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "--falsify" => order.falsified = true,
            "--quiet" => order.quiet = true,
            "--patience" => {
                let seconds = words.next().and_then(|word| word.parse().ok()).ok_or("--patience takes seconds")?;
                order.patience = Duration::from_secs(seconds);
            }
            name => order.names.push(name),
        }
    }
    let known = |name: &&str| experiment::all().iter().any(|(other, _)| other == name);
    match order.names.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("no experiment is called {name}")),
        None => Ok(order),
    }
}

/// Tries those that are named, or all; says each result by `print`; 1 if one is not as wished.
pub fn run(words: &[&str], print: fn(&Report)) -> i32 {
    let order = match order(words) {
        Ok(order) => order,
        Err(why) => {
            eprintln!("guest-prove: {why}");
            return 2;
        }
    };
    let mut all_as_wished = true;
    for (name, experiment) in experiment::all() {
        if order.names.is_empty() || order.names.contains(&name) {
            let outcome = in_a_process(experiment, &order)
                .unwrap_or_else(|errno| Outcome::Lost(format!("no process for it: {}", Trouble::from(errno).text())));
            let report = Report { name: name.to_owned(), outcome };
            let as_wished = is_as_wished(&report.outcome, order.falsified);
            if !(as_wished && order.quiet) {
                print(&report);
            }
            all_as_wished &= as_wished;
        }
    }
    i32::from(!all_as_wished)
}

/// What is falsified must not hold; and one that was lost did not say no.
fn is_as_wished(outcome: &Outcome, falsified: bool) -> bool {
    match verdict(outcome) {
        Verdict::Holds => !falsified,
        Verdict::DoesNotHold(_) => falsified && matches!(outcome, Outcome::Found(_)),
        Verdict::NotObservable(_) => true,
    }
}

/// For the host's side.
pub fn print_report(report: &Report) {
    match serde_json::to_string(report) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("guest-prove: {}: {error}", report.name),
    }
}

/// For people and for tests.
pub fn print_verdict(report: &Report) {
    let verdict = verdict(&report.outcome);
    println!("{}: {verdict}", report.name);
    match &verdict {
        Verdict::Holds => {}
        Verdict::DoesNotHold(faults) => faults.iter().for_each(|fault| println!("    {fault}")),
        Verdict::NotObservable(reason) => println!("    {reason}"),
    }
}

impl Trouble {
    fn text(self) -> String {
        match self {
            Self::NotObservable(text) | Self::Failed(text) => text,
        }
    }
}

fn in_a_process(experiment: &Experiment, order: &Order<'_>) -> Result<Outcome, Errno> {
    let (source, sink) = pipe()?;
    let _ = std::io::stdout().flush();
    let child = check(unsafe { libc::fork() })?;
    if child == 0 {
        unsafe {
            libc::setpgid(0, 0);
            libc::close(source);
        }
        write_all(sink, &tried(experiment, order.falsified));
        unsafe { libc::_exit(0) };
    }
    unsafe {
        libc::setpgid(child, child);
        libc::close(sink);
    }
    let (said, end) = read_result(source, Instant::now() + order.patience);
    let mut status = 0;
    let ended = match end {
        ResultEnd::Closed => unsafe { libc::waitpid(child, &mut status, 0) },
        ResultEnd::Whole | ResultEnd::TimeOut => unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) },
    };
    // Whatever the experiment left behind, and itself if it hangs.
    unsafe {
        libc::kill(-child, libc::SIGKILL);
        libc::close(source);
    }
    if ended != child {
        wait(child)?;
    }
    if let Ok(outcome) = serde_json::from_slice(&said) {
        return Ok(outcome);
    }
    Ok(Outcome::Lost(match libc::WIFSIGNALED(status) {
        _ if ended != child => format!("it did not end in {} seconds", order.patience.as_secs_f64()),
        true => format!("it was ended by {}", crate::observe::signal_name(libc::WTERMSIG(status))),
        false => format!("it exited with {}", libc::WEXITSTATUS(status)),
    }))
}

/// The outcome as JSON.
fn tried(experiment: &Experiment, falsified: bool) -> Vec<u8> {
    let mut lab = Lab::new(falsified);
    let outcome = match (experiment.run)(&mut lab) {
        Ok(()) => Outcome::Found(lab.into_findings()),
        Err(Trouble::NotObservable(reason)) => Outcome::NotObservable(reason),
        Err(Trouble::Failed(why)) => Outcome::Lost(why),
    };
    serde_json::to_vec(&outcome).unwrap_or_default()
}

fn write_all(sink: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = unsafe { libc::write(sink, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            _ => return,
        }
    }
}

/// Why no more of a result is read.
enum ResultEnd {
    /// All of it is there.
    Whole,
    /// Nobody can write more.
    Closed,
    TimeOut,
}

/// What is written until the deadline. An experiment's own children may hold the pipe open, so a whole message is an end too.
fn read_result(source: i32, deadline: Instant) -> (Vec<u8>, ResultEnd) {
    let mut said = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let mut wait = libc::pollfd { fd: source, events: libc::POLLIN, revents: 0 };
        let ready = unsafe { libc::poll(&mut wait, 1, i32::try_from(left).unwrap_or(i32::MAX)) };
        if ready == 0 {
            return (said, ResultEnd::TimeOut);
        }
        let mut buffer = [0_u8; 4096];
        let length = unsafe { libc::read(source, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(length) {
            Ok(length) if length > 0 => said.extend_from_slice(&buffer[..length]),
            _ => return (said, ResultEnd::Closed),
        }
        if serde_json::from_slice::<Outcome>(&said).is_ok() {
            return (said, ResultEnd::Whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, in_a_process, is_as_wished, order};
    use crate::experiment::{Linux, Subject};
    use crate::{Experiment, Lab, Trouble};
    use evidence::{Observable, Outcome, Verdict, verdict};
    use std::time::Duration;

    fn tried(run: fn(&mut Lab) -> Result<(), Trouble>, falsified: bool) -> Outcome {
        let experiment = Experiment {
            subject: Subject::Memory,
            claim: "",
            experiment: "",
            expected: "",
            observable: Observable::OneProcessor,
            linux: Linux::By("nothing"),
            run,
        };
        let order = Order { falsified, quiet: false, patience: Duration::from_millis(300), names: Vec::new() };
        in_a_process(&experiment, &order).unwrap()
    }

    fn lost(run: fn(&mut Lab) -> Result<(), Trouble>) -> String {
        match tried(run, false) {
            Outcome::Lost(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// A claim that is true, of addition.
    fn sound(lab: &mut Lab) -> Result<(), Trouble> {
        let (with, without) = lab.pair(|| Ok(2 + 2), || Ok(2 + 3))?;
        lab.mechanism("sum", with, "").equals(4, "two and two are four");
        lab.control("another sum", without, "").equals(5, "two and three are five");
        Ok(())
    }

    #[test]
    fn a_result_comes_through_the_pipe() {
        let outcome = tried(sound, false);
        assert_eq!(verdict(&outcome), Verdict::Holds, "{outcome:?}");
        assert!(matches!(verdict(&tried(sound, true)), Verdict::DoesNotHold(_)));
    }

    #[test]
    fn a_crash_a_hang_and_an_exit_cost_one_experiment() {
        let crash: fn(&mut Lab) -> _ = |_| {
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        };
        assert_eq!(lost(crash), "it was ended by SIGKILL");
        let hang: fn(&mut Lab) -> _ = |_| loop {
            unsafe { libc::pause() };
        };
        assert_eq!(lost(hang), "it did not end in 0.3 seconds");
        let exit: fn(&mut Lab) -> _ = |_| unsafe { libc::_exit(3) };
        assert_eq!(lost(exit), "it exited with 3");
    }

    #[test]
    fn children_that_are_left_do_not_hold_the_result_back() {
        let outcome = tried(
            |lab| {
                if unsafe { libc::fork() } == 0 {
                    loop {
                        unsafe { libc::pause() };
                    }
                }
                sound(lab)
            },
            false,
        );
        assert_eq!(verdict(&outcome), Verdict::Holds, "{outcome:?}");
    }

    #[test]
    fn what_is_wished_of_a_result() {
        let (holds, fails) = (tried(sound, false), tried(sound, true));
        assert!(is_as_wished(&holds, false) && !is_as_wished(&holds, true));
        assert!(!is_as_wished(&fails, false) && is_as_wished(&fails, true));
        let lost = Outcome::Lost("it crashed".to_owned());
        assert!(!is_as_wished(&lost, false) && !is_as_wished(&lost, true));
        assert!(is_as_wished(&Outcome::NotObservable(String::new()), false));
    }

    #[test]
    fn what_the_kernel_lacks_is_not_observable() {
        let outcome = tried(|_| Err(measure::system::Errno(libc::ENOSYS).into()), false);
        assert!(matches!(outcome, Outcome::NotObservable(_)));
        let outcome = tried(|_| Err(measure::system::Errno(libc::EIO).into()), false);
        assert!(matches!(outcome, Outcome::Lost(_)));
    }

    #[test]
    fn orders() {
        assert!(order(&["no-such-experiment"]).is_err());
        assert!(order(&["--patience"]).is_err());
        let order = order(&["--falsify", "--quiet", "--patience", "7"]).unwrap();
        assert!(order.falsified && order.quiet && order.patience == Duration::from_secs(7) && order.names.is_empty());
    }
}
