//! Running cases: those that need the same machine share one, and several machines run at a time.

use super::cases::{self, Case, Expected, MachineNeeds};
use super::golden::{self, Answer};
use super::guest::{Ending, Guest};
use super::leftovers::Figures;
use super::{Context, Options, Tally, stages};
use crate::artifacts;
use crate::run::kernel::{Family, Kernel};
use crate::run::options::{Accel, MachineKind, Request};
use crate::run::report::{self, Loss};
use crate::run::{Plan, clock};
use anyhow::Result;
use std::path::PathBuf;
use std::sync::Mutex;

/// Cases that share a machine.
struct Group {
    machine: MachineNeeds,
    cases: Vec<Case>,
}

/// What all machines have in common.
pub fn request(options: &Options) -> Request {
    let oracle = options.record.then(|| PathBuf::from("linux"));
    Request {
        root: crate::image::root::Root::Busybox,
        smp: 1,
        memory: None,
        machine: MachineKind::Microvm,
        accel: Accel::Tcg,
        append: None,
        kernel: oracle.or_else(|| options.kernel.clone()),
        modules: None,
        debug: options.debug,
        timeout: None,
        stall: 0,
        verbose: false,
        tty: false,
        console: false,
        gdb: false,
        icount: false,
        cpu: None,
        qemu: None,
        log: None,
        command: Vec::new(),
    }
}

/// The boot matrix.
pub fn boot(context: &Context<'_>) -> Result<Tally> {
    run_stage(context, |case| case.stage == "boot")
}

/// The guest tests, and the cases that were named.
pub fn guest(context: &Context<'_>) -> Result<Tally> {
    let named = |case: &Case| !context.case_names.is_empty() && case.matches(&context.case_names);
    run_stage(context, |case| case.stage == "guest" && context.whole || named(case))
}

/// Calls of all families on two processors, in the build that checks its locks' order, its arithmetic and what it asserts.
pub fn debug(context: &Context<'_>) -> Result<Tally> {
    if context.request.debug || context.request.kernel.is_some() {
        println!("    the guest tests ran on another kernel");
        return Ok(Tally::default());
    }
    let request = Request { debug: true, ..request(context.options) };
    let checked = Context {
        paths: context.paths,
        options: context.options,
        request,
        whole: false,
        case_names: Vec::new(),
        leftovers: Mutex::default(),
    };
    run_stage(&checked, |case| case.name().starts_with("guest/calls/") && case.machine.smp == 2)
}

fn run_stage(context: &Context<'_>, wanted: impl Fn(&Case) -> bool) -> Result<Tally> {
    if context.request.kernel.is_none() && !stages::kernel_exists(context.paths) {
        println!("    the kernel is not there yet");
        return Ok(Tally::default());
    }
    let mut cases = cases::load(context.paths)?;
    cases.retain(wanted);
    if context.options.record {
        cases.retain(|case| matches!(case.expected, Expected::Golden(_)));
    }
    run_all(context, group(cases))
}

/// Puts cases with the same needs together, in their order.
fn group(cases: Vec<Case>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for case in cases {
        let shared = |group: &&mut Group| group.machine == case.machine && group.cases.iter().all(|other| !other.fresh);
        match groups.iter_mut().find(shared) {
            Some(group) if !case.fresh => group.cases.push(case),
            _ => groups.push(Group { machine: case.machine.clone(), cases: vec![case] }),
        }
    }
    groups
}

fn run_all(context: &Context<'_>, groups: Vec<Group>) -> Result<Tally> {
    let kernel = Kernel::find(context.paths, &context.request)?;
    let jobs = context.options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (queue, sum) = (Mutex::new(groups.into_iter()), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().map(|mut queue| queue.next());
                    let Ok(Some(group)) = next else { return };
                    let tally = run_group(context, &kernel, &group);
                    if let Ok(mut sum) = sum.lock() {
                        *sum += tally;
                    }
                }
            });
        }
    });
    Ok(sum.into_inner().unwrap_or(Tally::FAILED))
}

/// Runs the cases of a group on one machine, or on another when one ended.
fn run_group(context: &Context<'_>, kernel: &Kernel, group: &Group) -> Tally {
    let (mut tally, mut guest) = (Tally::default(), None);
    let mut before = None;
    for case in &group.cases {
        let faults = match run_case(context, kernel, case, &mut guest, &mut before) {
            Ok(faults) => faults,
            Err(error) => Some(format!("{error:#}")),
        };
        match faults {
            None => tally += Tally::PASSED,
            Some(faults) => {
                println!("    {} FAILED\n        {}", case.name(), faults.trim_end().replace('\n', "\n        "));
                tally += Tally::FAILED;
            }
        }
    }
    if let (Some(mut guest), Some(before)) = (guest, before)
        && let Ok(Some(after)) = Figures::ask(&mut guest)
        && let Ok(mut leftovers) = context.leftovers.lock()
    {
        leftovers.add(&before, after);
    }
    tally
}

/// Runs a case; what is wrong with the answer. `before` are the figures of the machine when it was new.
fn run_case(
    context: &Context<'_>,
    kernel: &Kernel,
    case: &Case,
    guest: &mut Option<Guest>,
    before: &mut Option<Figures>,
) -> Result<Option<String>> {
    let running = match guest {
        Some(running) => running,
        None => {
            let new = guest.insert(start(context, kernel, &case.machine)?);
            // A machine that is to be lost has nothing else to say.
            let lives = !matches!(case.expected, Expected::Loss { .. });
            *before = if lives && kernel.family == Family::Birgus { Figures::ask(new)? } else { None };
            new
        }
    };
    let ending = running.run(&case.command, &case.stdin, case.timeout)?;
    if ending.is_err() {
        *guest = None;
    }
    if context.options.record
        && let (Ok(answer), Expected::Golden(file)) = (&ending, &case.expected)
    {
        golden::write(file, &answer.text(&case.normalise)?)?;
        return Ok(None);
    }
    judge(case, &ending, kernel)
}

fn start(context: &Context<'_>, kernel: &Kernel, needs: &MachineNeeds) -> Result<Guest> {
    let request = Request {
        root: needs.root.clone(),
        smp: needs.smp,
        memory: needs.memory,
        machine: needs.kind,
        append: (!needs.append.is_empty()).then(|| needs.append.clone()),
        icount: needs.icount,
        ..context.request.clone()
    };
    let program = |name: &String| Ok((name.clone(), artifacts::program(context.paths, name)?));
    let files = needs.programs.iter().map(program).collect::<Result<Vec<_>>>()?;
    let plan = Plan::of_kernel(context.paths, &request, kernel.clone(), clock::Measurement::start(), &files)?;
    Guest::start(&request, &plan)
}

fn judge(case: &Case, ending: &Ending, kernel: &Kernel) -> Result<Option<String>> {
    let answer = match (ending, &case.expected) {
        (Err(loss), Expected::Loss { start, log }) if loss.headline().starts_with(start.as_str()) => {
            return Ok(missing(&loss.log, log)?.map(|line| format!("not in the log: {line}\n{}", loss.log)));
        }
        (Err(loss), _) => return Ok(Some(explain(loss, kernel))),
        (Ok(answer), Expected::Loss { start, .. }) => {
            return Ok(Some(format!("the machine lived (status {}); expected: {start}", answer.status)));
        }
        (Ok(answer), _) => answer,
    };
    match &case.expected {
        Expected::Golden(file) => {
            let (expected, found) = (golden::read(file)?, answer.text(&case.normalise)?);
            Ok((expected != found).then(|| golden::difference(&expected, &found)))
        }
        Expected::Said { status, stdout, stderr } => said(answer, *status, stdout.as_deref(), stderr.as_deref()),
        Expected::Loss { .. } => Ok(None),
    }
}

/// The first expression without a match in the log.
fn missing<'a>(log: &str, expressions: &'a [String]) -> Result<Option<&'a str>> {
    for expression in expressions {
        if !regex_lite::Regex::new(expression)?.is_match(log) {
            return Ok(Some(expression));
        }
    }
    Ok(None)
}

fn said(answer: &Answer, status: u8, stdout: Option<&str>, stderr: Option<&str>) -> Result<Option<String>> {
    let right = answer.status == status
        && stdout.is_none_or(|stdout| stdout.as_bytes() == answer.stdout)
        && stderr.is_none_or(|stderr| stderr.as_bytes() == answer.stderr);
    if right {
        return Ok(None);
    }
    let stream = |wanted: Option<&str>, found: &Vec<u8>| {
        wanted.map_or_else(|| found.clone(), |wanted| wanted.as_bytes().to_vec())
    };
    let expected = Answer { status, stdout: stream(stdout, &answer.stdout), stderr: stream(stderr, &answer.stderr) };
    Ok(Some(golden::difference(&expected.text(&[])?, &answer.text(&[])?)))
}

fn explain(loss: &Loss, kernel: &Kernel) -> String {
    let mut lines = vec![loss.headline()];
    lines.extend(report::details(loss, kernel));
    lines.join("\n")
}
