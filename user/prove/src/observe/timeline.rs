//! What happened on the processors while something ran: Birgus's trace points, or Linux's tracefs, as one kind of record.
//!
//! Names are Birgus's. Of Linux's events those are kept that say the same; it has one for each vector of its own interrupts, and none
//! for devices' that would be missed here.

use super::inside;
use crate::Trouble;
use measure::system::{c, check};
use std::fs::{read_to_string, write};
use std::path::Path;

/// In which context a record was made: what was topmost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    Task,
    Softirq,
    HardInterrupt,
    NonMaskable,
}

/// A trace point that was passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Microseconds.
    pub time: f64,
    pub cpu: u64,
    /// The thread that ran, or was interrupted; 0 is a processor's idle one.
    pub thread: i32,
    pub context: Context,
    pub name: String,
    /// Arguments as `name=value`, between spaces.
    pub arguments: String,
    /// About where the stack pointer stood, where that is recorded.
    pub stack: Option<u64>,
}

impl Event {
    /// An argument's value.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.split(' ').find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
    }

    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

/// Records while `work` runs.
pub fn recorded<T>(work: impl FnOnce() -> T) -> Result<(T, Vec<Event>), Trouble> {
    match inside::text("trace/tracing_on") {
        Ok(_) => by_birgus(work),
        Err(Trouble::NotObservable(_)) => by_linux(work),
        Err(trouble) => Err(trouble),
    }
}

fn by_birgus<T>(work: impl FnOnce() -> T) -> Result<(T, Vec<Event>), Trouble> {
    const FOLDER: &str = "/sys/kernel/debug/birgus/trace";
    write(format!("{FOLDER}/buffer_records"), "60000")?;
    write(format!("{FOLDER}/tracing_on"), "1")?;
    let answer = work();
    write(format!("{FOLDER}/tracing_on"), "0")?;
    let text = inside::text("trace/trace")?;
    write(format!("{FOLDER}/buffer_records"), "8192")?;
    Ok((answer, text.lines().filter_map(own_line).collect()))
}

fn own_line(line: &str) -> Option<Event> {
    let mut words = line.splitn(7, ' ');
    let time: f64 = words.next()?.parse().ok()?;
    Some(Event {
        time: time * 1e6,
        cpu: words.next()?.parse().ok()?,
        thread: words.next()?.parse().ok()?,
        context: match words.next()? {
            "nmi" => Context::NonMaskable,
            "hardirq" => Context::HardInterrupt,
            "softirq" => Context::Softirq,
            _ => Context::Task,
        },
        stack: u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok(),
        name: words.next()?.to_owned(),
        arguments: words.next().unwrap_or_default().to_owned(),
    })
}

const TRACEFS: &str = "/sys/kernel/tracing";
const LINUX: [&str; 9] = [
    "raw_syscalls",
    "sched/sched_switch",
    "irq/softirq_entry",
    "irq/softirq_exit",
    "irq/irq_handler_entry",
    "irq/irq_handler_exit",
    "irq_vectors",
    "exceptions/page_fault_user",
    "power/cpu_idle",
];

fn by_linux<T>(work: impl FnOnce() -> T) -> Result<(T, Vec<Event>), Trouble> {
    let control = |name: &str, value: &str| {
        let written = write(format!("{TRACEFS}/{name}"), value);
        written.map_err(|error| Trouble::not_observable(format!("this kernel's tracefs has no {name}: {error}")))
    };
    if !Path::new(TRACEFS).join("tracing_on").exists() {
        let (kind, place) = (c("tracefs")?, c(TRACEFS)?);
        let mounted = unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
        check(mounted).map_err(|_| Trouble::not_observable("this kernel has no trace points"))?;
    }
    control("tracing_on", "0")?;
    control("buffer_size_kb", "16384")?;
    control("trace_clock", "mono")?;
    for event in LINUX {
        control(&format!("events/{event}/enable"), "1")?;
    }
    control("trace", "")?;
    control("tracing_on", "1")?;
    let answer = work();
    control("tracing_on", "0")?;
    let text = read_to_string(format!("{TRACEFS}/trace"))?;
    for event in LINUX {
        control(&format!("events/{event}/enable"), "0")?;
    }
    Ok((answer, text.lines().filter_map(linux_line).collect()))
}

/// `   comm-123     [000] d.h1.    12.345678: local_timer_entry: vector=236`
fn linux_line(line: &str) -> Option<Event> {
    let (head, rest) = line.split_once(" [")?;
    let (cpu, rest) = rest.split_once("] ")?;
    let (flags, rest) = rest.trim_start().split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(": ")?;
    let (name, arguments) = rest.split_once(':')?;
    let time: f64 = time.parse().ok()?;
    let (name, arguments) = own_words(name, arguments.trim())?;
    Some(Event {
        time: time * 1e6,
        cpu: cpu.parse().ok()?,
        thread: head.rsplit('-').next()?.trim().parse().ok()?,
        context: match () {
            () if flags.contains(['Z', 'z']) => Context::NonMaskable,
            () if flags.contains(['h', 'H']) => Context::HardInterrupt,
            () if flags.contains('s') => Context::Softirq,
            () => Context::Task,
        },
        name: name.to_owned(),
        arguments,
        stack: None,
    })
}

/// Linux's name and arguments in Birgus's words.
fn own_words(name: &str, arguments: &str) -> Option<(&'static str, String)> {
    let vector = || arguments.replace("vector=", "vector=");
    Some(match name {
        // `NR 39 (…)`, `NR 39 = 0`.
        "sys_enter" => ("sys_enter", format!("nr={}", arguments.split(' ').nth(1)?)),
        "sys_exit" => {
            ("sys_exit", format!("nr={} ret={}", arguments.split(' ').nth(1)?, arguments.rsplit(' ').next()?))
        }
        "sched_switch" => ("sched_switch", arguments.to_owned()),
        "softirq_entry" => ("softirq_entry", arguments.to_owned()),
        "softirq_exit" => ("softirq_exit", arguments.to_owned()),
        "page_fault_user" => ("exception_user", format!("vector=14 {arguments}")),
        "cpu_idle" => {
            let wakes = arguments.contains("state=4294967295");
            ("cpu_idle", format!("state={}", u32::from(!wakes)))
        }
        "irq_handler_entry" => ("irq_entry", arguments.to_owned()),
        "irq_handler_exit" => ("irq_exit", arguments.to_owned()),
        name if name.ends_with("_entry") && arguments.starts_with("vector=") => ("irq_entry", vector()),
        name if name.ends_with("_exit") && arguments.starts_with("vector=") => ("irq_exit", vector()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Context, linux_line, own_line};

    #[test]
    fn both_kernels_lines_become_one() {
        let own = own_line("0.757803631 0 1 hardirq 0xffffffff80420370 irq_entry vector=240 user=1").unwrap();
        let theirs =
            linux_line("          <idle>-1       [000] d.h1.     0.757803: local_timer_entry: vector=236").unwrap();
        assert_eq!((own.name.as_str(), own.thread, own.cpu, own.context), ("irq_entry", 1, 0, Context::HardInterrupt));
        assert_eq!((theirs.name.as_str(), theirs.thread, theirs.cpu), ("irq_entry", 1, 0));
        assert_eq!((theirs.context, theirs.argument("vector")), (Context::HardInterrupt, Some("236")));
        let call = linux_line("  guest-prove-77      [001] .....     1.000001: sys_exit: NR 110 = 76").unwrap();
        assert_eq!((call.argument("nr"), call.argument("ret"), call.context), (Some("110"), Some("76"), Context::Task));
        assert!(own_line("# seconds cpu pid").is_none() && linux_line("# tracer: nop").is_none());
    }
}
