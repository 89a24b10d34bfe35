//! Who descends from whom.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "Kernel threads descend from kthreadd, run no program and own no address space; every process descends from init.",
    experiment: "The parents of all tasks are read from /proc, with the size of their memory and the time that they spent in user mode. Kernel threads (those whose flags say so) are one half; \
        programs are the other, and the control.",
    expected: "The first task makes two by hand: init, number 1, and kthreadd, number 2; both have 0 for a parent. All other kernel threads are kthreadd's children, with nothing to map and no \
        user mode to spend time in. All programs are forks of forks of init.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/PID/stat"),
    run,
};

/// PF_KTHREAD of the flags in /proc/PID/stat.
const KERNEL_THREAD: u64 = 0x0020_0000;

#[derive(Clone, Copy)]
struct Task {
    parent: u64,
    kernel_thread: bool,
    /// Bytes of its address space.
    size: u64,
    /// Ticks.
    user_time: u64,
}

/// All processes, by number.
fn tasks() -> Result<BTreeMap<u64, Task>, Trouble> {
    let mut tasks = BTreeMap::new();
    for entry in read_dir("/proc")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()) else { continue };
        // It may have ended.
        let Ok(text) = read_to_string(format!("/proc/{number}/stat")) else { continue };
        let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let field = |index: usize| fields.get(index - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let kernel_thread = field(9) & KERNEL_THREAD != 0;
        tasks.insert(number, Task { parent: field(4), kernel_thread, size: field(23), user_time: field(14) });
    }
    Ok(tasks)
}

#[derive(Default)]
struct Family {
    members: usize,
    /// Of them, those whose line of parents leads to kthreadd, and to init.
    of_kthreadd: usize,
    of_init: usize,
    with_memory: usize,
    user_time: u64,
}

fn family(kernel_threads: bool) -> Result<Family, Trouble> {
    let tasks = tasks()?;
    let mut family = Family::default();
    for (&number, task) in tasks.iter().filter(|(_, task)| task.kernel_thread == kernel_threads) {
        let mut ancestor = number;
        while ancestor > 2 {
            ancestor = tasks.get(&ancestor).map_or(0, |task| task.parent);
        }
        family.members += 1;
        family.of_kthreadd += usize::from(ancestor == 2);
        family.of_init += usize::from(ancestor == 1);
        family.with_memory += usize::from(task.size != 0);
        family.user_time += task.user_time;
    }
    Ok(family)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (kernel, programs) = lab.pair(|| family(true), || family(false))?;
    let members = kernel.members;
    lab.mechanism("kernel threads", members, "").at_least(2, "kthreadd, and somebody whom it made");
    lab.mechanism("of them, kthreadd's", kernel.of_kthreadd, "").equals(members, "it makes them all");
    lab.mechanism("of them, with an address space", kernel.with_memory, "").equals(0, "they use whatever is loaded");
    lab.mechanism("their time in user mode", kernel.user_time, "ticks").equals(0, "they never go there");
    let members = programs.members;
    lab.control("programs", members, "").at_least(2, "init, and this one");
    lab.control("of them, init's", programs.of_init, "").equals(members, "by forks of forks");
    lab.control("of them, with memory", programs.with_memory, "").at_least(2, "all but those that have ended");
    let parents = tasks()?;
    let parent =
        |number: u64| parents.get(&number).map_or_else(|| "missing".to_owned(), |task| task.parent.to_string());
    lab.control("parents of 1 and 2", format!("{} and {}", parent(1), parent(2)), "").equals("0 and 0", "made by hand");
    Ok(())
}
