//! What is left of a process.

use crate::experiment::Linux;
use crate::observe::fork;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::last_error;
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "A process that has ended keeps its number and its status until its parent has waited for it.",
    experiment: "A child ends with status 42. Twenty milliseconds later its state is read in /proc, then it is waited for, twice. The control ignores \
        SIGCHLD, by which a parent says that it does not care.",
    expected: "The memory is gone at once, but the entry stays, as a zombie, so that the parent can learn the status. Waiting takes it away. For a parent \
        that ignores SIGCHLD nothing is kept.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/PID/stat and waitpid"),
    run,
};

struct Remains {
    state: String,
    status: String,
    again: String,
}

fn state(process: i32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let letter = text.rsplit(") ").next().and_then(|rest| rest.chars().next());
    letter.map_or_else(|| "gone".to_owned(), |letter| letter.to_string())
}

fn waited(process: i32) -> String {
    let mut status = 0;
    if unsafe { libc::waitpid(process, &mut status, 0) } == process {
        return format!("exit {}", libc::WEXITSTATUS(status));
    }
    if last_error().0 == libc::ECHILD { "ECHILD".to_owned() } else { "another error".to_owned() }
}

fn remains(ignoring: bool) -> Result<Remains, Trouble> {
    unsafe { libc::signal(libc::SIGCHLD, if ignoring { libc::SIG_IGN } else { libc::SIG_DFL }) };
    let child = fork(|| 42)?;
    std::thread::sleep(Duration::from_millis(20));
    let remains = Remains { state: state(child), status: waited(child), again: waited(child) };
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    Ok(remains)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (kept, ignored) = lab.pair(|| remains(false), || remains(true))?;
    lab.mechanism("state of a child that has ended", kept.state, "").equals("Z", "a zombie");
    lab.mechanism("what waiting says", kept.status, "").equals("exit 42", "the status was kept");
    lab.mechanism("what waiting again says", kept.again, "").equals("ECHILD", "it is kept until then");
    lab.control("state where SIGCHLD is ignored", ignored.state, "").equals("gone", "nobody will ask");
    lab.control("what waiting says then", ignored.status, "").equals("ECHILD", "nothing was kept");
    Ok(())
}
