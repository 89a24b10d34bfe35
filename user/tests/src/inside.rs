//! Birgus's own files under /sys/kernel/debug/birgus (docs/inside.md). Other kernels have none, and nothing is asked of them.
use crate::call::{must, old_door};
use crate::child::{End, PAGE, fork, map, map_as, pipe, run, until_asleep, wait};
use std::arch::asm;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};

crate::tests!(
    exceptions_are_counted_one_by_one,
    page_faults_are_counted,
    old_door_is_counted,
    a_walk_ends_at_the_bytes_that_the_program_reads,
    a_walk_shows_rights,
    a_walk_of_another_process,
    the_kernel_half_is_the_same_for_all,
    openings_of_pagewalk_are_independent,
    pagewalk_refuses_what_it_cannot_walk,
    pagewalk_is_for_root_even_when_handed_on,
    every_task_has_a_stack_of_its_own,
    a_sleeper_is_shown_where_it_sleeps,
    interrupts_have_used_their_stack,
    contexts_answer_as_linux_does,
    nothing_is_traced_unless_wanted,
    calls_are_traced_one_by_one,
    children_made_while_tracing_are_traced,
    interrupts_are_traced_in_pairs,
    a_timer_tick_comes_above_a_loop,
    chosen_points_alone_write,
    the_oldest_records_are_lost_and_counted,
);

const FOLDER: &str = "/sys/kernel/debug/birgus";

/// Whether this is the kernel that has them.
fn is_here() -> bool {
    fs::read_to_string("/proc/sys/kernel/osrelease").is_ok_and(|release| release.contains("birgus"))
}

fn text(name: &str) -> String {
    fs::read_to_string(format!("{FOLDER}/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn set(name: &str, value: &str) -> std::io::Result<()> {
    fs::write(format!("{FOLDER}/{name}"), value)
}

fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap_or_else(|_| panic!("{text} is not a number")),
    }
}

/// How often a vector came, on all CPUs.
fn count(vector: u64) -> u64 {
    let table = text("exceptions");
    let cpus = table.lines().next().unwrap().split_whitespace().count();
    let row = table.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{vector}:"))).unwrap().to_owned();
    row.split_whitespace().take(cpus).map(number).sum()
}

/// What `body` adds to a vector's count in a child that ignores nothing and steps over the instruction.
fn added(vector: u64, skip: usize, body: fn()) -> u64 {
    static mut SKIP: usize = 0;
    extern "C" fn step_over(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        unsafe {
            let context = context.cast::<libc::ucontext_t>();
            (*context).uc_mcontext.gregs[libc::REG_RIP as usize] += SKIP as i64;
        }
    }
    let before = count(vector);
    let end = run(|| {
        unsafe { SKIP = skip };
        for signal in [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            crate::child::handle(signal, step_over as *const () as usize, libc::SA_SIGINFO);
        }
        (0..1000).for_each(|_| body());
        0
    });
    assert_eq!(end, End::Exit(0));
    count(vector) - before
}

fn exceptions_are_counted_one_by_one() {
    if !is_here() {
        return;
    }
    // The divide is two bytes long.
    let divide = || unsafe { asm!("xor edx, edx", "div ecx", in("ecx") 0, inout("eax") 1 => _, out("edx") _) };
    assert_eq!(added(0, 2, divide), 1000);
    assert_eq!(added(3, 0, || unsafe { asm!("int3") }), 1000);
    assert_eq!(added(6, 2, || unsafe { asm!("ud2") }), 1000);
    assert_eq!(added(13, 1, || unsafe { asm!("hlt") }), 1000);
    assert_eq!(added(13, 0, || unsafe { asm!("nop") }), 0, "the control");
}

fn page_faults_are_counted() {
    if !is_here() {
        return;
    }
    const PAGES: usize = 100;
    let before = count(14);
    let end = run(|| {
        let memory = map_as(PAGES * PAGE, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // One by one: each turn takes the page away again.
        for page in 0..PAGES {
            unsafe {
                memory.add(page * PAGE).read_volatile();
                must(libc::madvise(memory.cast(), PAGES * PAGE, libc::MADV_DONTNEED));
            }
        }
        0
    });
    assert_eq!(end, End::Exit(0));
    let added = count(14) - before;
    assert!((PAGES as u64..PAGES as u64 + 500).contains(&added), "{added} faults for {PAGES} pages");
}

fn old_door_is_counted() {
    if !is_here() {
        return;
    }
    let before = count(128);
    (0..50).for_each(|_| assert_eq!(old_door(20, [0; 3]), Ok(std::process::id() as usize)));
    assert_eq!(count(128) - before, 50);
}

/// One step of a walk.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    table: u64,
    index: u64,
    entry: u64,
    flags: Vec<String>,
}

/// What `pagewalk` said.
#[derive(Debug, Default, PartialEq)]
struct Walk {
    pid: u64,
    cr3: u64,
    steps: Vec<Step>,
    physical: Option<u64>,
    direct: u64,
    page: u64,
    bytes: Vec<u8>,
}

fn open_walk() -> File {
    OpenOptions::new().read(true).write(true).open(format!("{FOLDER}/pagewalk")).unwrap()
}

fn walk(target: &str) -> Walk {
    walk_by(&mut open_walk(), target)
}

fn walk_by(file: &mut File, target: &str) -> Walk {
    file.write_all(target.as_bytes()).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let mut walk = Walk::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["pid", pid] => walk.pid = number(pid),
            ["cr3", root] => walk.cr3 = number(root),
            ["page", size] => walk.page = number(size),
            ["physical", at] => walk.physical = Some(number(at)),
            ["direct", at] => walk.direct = number(at),
            ["bytes", bytes @ ..] => {
                walk.bytes = bytes.iter().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            }
            ["level", _, "table", table, "index", index, "entry", entry, flags @ ..] => walk.steps.push(Step {
                table: number(table),
                index: number(index),
                entry: number(entry),
                flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            }),
            _ => {}
        }
    }
    walk
}

fn has(step: &Step, flag: &str) -> bool {
    step.flags.iter().any(|other| other == flag)
}

const FRAME: u64 = 0x000f_ffff_ffff_f000;

fn a_walk_ends_at_the_bytes_that_the_program_reads() {
    if !is_here() {
        return;
    }
    let memory = map(PAGE);
    let place = unsafe { memory.add(0x328) };
    let pattern = *b"walk\0\xff\x80~";
    unsafe { place.cast::<[u8; 8]>().write_unaligned(pattern) };
    let seen = walk(&format!("{place:p}"));
    let address = place as u64;
    assert_eq!((seen.pid, seen.steps.len(), seen.page), (std::process::id().into(), 4, 4096));
    let mut table = seen.cr3;
    for (step, shift) in seen.steps.iter().zip([39, 30, 21, 12]) {
        assert_eq!((step.table, step.index), (table, address >> shift & 511));
        assert!(
            has(step, "present") && has(step, "user") && has(step, "writable") && has(step, "accessed"),
            "{step:?}"
        );
        table = step.entry & FRAME;
    }
    assert!(has(&seen.steps[3], "dirty") && has(&seen.steps[3], "no-execute") && !has(&seen.steps[3], "global"));
    assert_eq!(seen.physical, Some(table | address & 0xfff));
    assert_eq!(seen.bytes, pattern);
    // The same bytes where the kernel has them, which no program may touch.
    let direct = walk(&format!("{:#x}", seen.direct));
    assert_eq!((direct.physical, &direct.bytes), (seen.physical, &seen.bytes));
    assert!(!has(direct.steps.last().unwrap(), "user") && has(direct.steps.last().unwrap(), "no-execute"));
    // What is written next is seen next.
    unsafe { place.write_volatile(b'W') };
    assert_eq!(walk(&format!("{}", place as usize)).bytes[0], b'W', "decimal");
    let end = unsafe { memory.add(PAGE - 3) };
    assert_eq!(walk(&format!("{end:p}")).bytes.len(), 3, "no further than the page");
}

fn a_walk_shows_rights() {
    if !is_here() {
        return;
    }
    let memory = map(PAGE);
    let leaf = || walk(&format!("{memory:p}")).steps.last().unwrap().clone();
    let protect = |rights| must(unsafe { libc::mprotect(memory.cast(), PAGE, rights) });
    assert_eq!(walk(&format!("{memory:p}")).physical, None, "not touched");
    unsafe { memory.read_volatile() };
    assert!(has(&leaf(), "present") && !has(&leaf(), "writable"), "a page of zeros is only read");
    unsafe { memory.write_volatile(1) };
    assert!(has(&leaf(), "writable") && has(&leaf(), "dirty"));
    protect(libc::PROT_READ);
    assert!(has(&leaf(), "present") && !has(&leaf(), "writable") && has(&leaf(), "no-execute"));
    protect(libc::PROT_READ | libc::PROT_EXEC);
    assert!(!has(&leaf(), "no-execute"));
    protect(libc::PROT_NONE);
    assert!(!has(&leaf(), "present"));
    assert_eq!(walk(&format!("{memory:p}")).bytes, []);
}

fn a_walk_of_another_process() {
    if !is_here() {
        return;
    }
    let memory = map(PAGE);
    unsafe { memory.write_volatile(1) };
    let (source, sink) = pipe();
    let child = fork(|| {
        unsafe { memory.write_volatile(2) };
        let mut byte = 0u8;
        unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
        0
    });
    until_asleep(child);
    let (own, other) = (walk(&format!("{memory:p}")), walk(&format!("{child} {memory:p}")));
    assert_eq!((own.bytes[0], other.bytes[0], other.pid), (1, 2, child as u64));
    assert_ne!(own.cr3, other.cr3);
    assert_ne!(own.physical, other.physical);
    must(unsafe { libc::write(sink, b"x".as_ptr().cast(), 1) } as i64);
    wait(child);
}

fn the_kernel_half_is_the_same_for_all() {
    if !is_here() {
        return;
    }
    let (source, sink) = pipe();
    let child = fork(|| {
        let mut byte = 0u8;
        unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
        0
    });
    for address in ["0xffff888000100000", "0xffffc90000000000", "0xffffffff80200000"] {
        let (own, other) = (walk(address), walk(&format!("{child} {address}")));
        assert_ne!(own.cr3, other.cr3);
        assert_eq!(own.steps[0].entry, other.steps[0].entry);
        assert_eq!(own.steps[1..], other.steps[1..], "one table");
        assert!(!has(&own.steps[0], "user"));
    }
    must(unsafe { libc::write(sink, b"x".as_ptr().cast(), 1) } as i64);
    wait(child);
}

fn openings_of_pagewalk_are_independent() {
    if !is_here() {
        return;
    }
    let (first, second) = (map(PAGE), map(PAGE));
    unsafe {
        first.write_volatile(1);
        second.write_volatile(2);
    }
    let (mut one, mut two) = (open_walk(), open_walk());
    one.write_all(format!("{first:p}\n").as_bytes()).unwrap();
    assert_eq!(walk_by(&mut two, &format!("{second:p}")).bytes[0], 2);
    let mut text = String::new();
    one.read_to_string(&mut text).unwrap();
    assert!(text.contains(&format!("address {:#018x}\n", first as usize)));
    assert!(text.contains("\nbytes 01 00"));
}

fn pagewalk_refuses_what_it_cannot_walk() {
    if !is_here() {
        return;
    }
    let refused = |target: &str| open_walk().write_all(target.as_bytes()).unwrap_err().raw_os_error();
    for target in ["", "x", "0x", "1 2 3", "-1", "0x1ffffffffffffffff", &"1".repeat(100)] {
        if !target.is_empty() {
            assert_eq!(refused(target), Some(libc::EINVAL), "{target}");
        }
    }
    let read = |file: &mut File| file.read(&mut [0; 10]).map_err(|error| error.raw_os_error());
    assert_eq!(read(&mut open_walk()), Err(Some(libc::EINVAL)), "nothing was asked");
    let mut file = open_walk();
    file.write_all(b"999999 0x1000").unwrap();
    assert_eq!(read(&mut file), Err(Some(libc::ESRCH)));
    file.write_all(b"0x800000000000").unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("not canonical\n"));
}

fn pagewalk_is_for_root_even_when_handed_on() {
    if !is_here() {
        return;
    }
    let file = open_walk();
    let end = run(|| {
        must(unsafe { libc::setuid(65534) });
        for name in ["pagewalk", "exceptions", "stacks", "contexts", "trace/trace", "trace/tracing_on"] {
            let error = File::open(format!("{FOLDER}/{name}")).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EACCES), "{name}");
        }
        let mut file = file.try_clone().unwrap();
        file.write_all(b"0x400000").unwrap();
        assert_eq!(file.read(&mut [0; 10]).unwrap_err().raw_os_error(), Some(libc::EPERM));
        0
    });
    assert_eq!(end, End::Exit(0));
}

/// The lines of `stacks` that are about tasks: number, words, and the backtrace below.
fn task_stacks() -> Vec<(u64, Vec<String>, String)> {
    let mut tasks: Vec<(u64, Vec<String>, String)> = Vec::new();
    for line in text("stacks").lines() {
        if let Some(about) = line.strip_prefix("task ") {
            let words: Vec<String> = about.split(' ').map(str::to_owned).collect();
            tasks.push((number(&words[0]), words, String::new()));
        } else if let (Some(last), true) = (tasks.last_mut(), line.starts_with(' ')) {
            last.2 += line;
        }
    }
    tasks
}

fn value<'a>(words: &'a [String], name: &str) -> &'a str {
    &words[words.iter().position(|word| word == name).unwrap_or_else(|| panic!("no {name} in {words:?}")) + 1]
}

fn every_task_has_a_stack_of_its_own() {
    if !is_here() {
        return;
    }
    let (source, sink) = pipe();
    let children: Vec<i32> = (0..20)
        .map(|_| {
            fork(|| {
                let mut byte = 0u8;
                unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
                0
            })
        })
        .collect();
    children.iter().for_each(|&child| until_asleep(child));
    let tasks = task_stacks();
    let range = |words: &[String]| {
        let (bottom, end) = value(words, "stack").split_once('-').map(|(a, b)| (number(a), number(b))).unwrap();
        assert_eq!(end - bottom, number(value(words, "size")));
        (bottom, end)
    };
    for child in &children {
        let (_, words, _) = tasks.iter().find(|(tid, ..)| *tid == *child as u64).expect("a child's stack");
        assert_eq!(value(words, "state"), "S");
        let used = number(value(words, "used"));
        assert!(used > 100 && used < number(value(words, "size")), "{used} bytes used");
    }
    let mut ranges: Vec<(u64, u64)> = tasks.iter().map(|(_, words, _)| range(words)).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "apart, with a page between");
    let own = tasks.iter().find(|(tid, ..)| *tid == u64::from(std::process::id())).expect("the reader's own");
    assert!(own.1.windows(2).any(|words| words == ["on", "cpu"]), "{own:?}");
    children.iter().for_each(|_| _ = must(unsafe { libc::write(sink, b"x".as_ptr().cast(), 1) } as i64));
    children.iter().for_each(|&child| _ = wait(child));
}

fn a_sleeper_is_shown_where_it_sleeps() {
    if !is_here() {
        return;
    }
    let child = fork(|| {
        unsafe { libc::pause() };
        0
    });
    until_asleep(child);
    let tasks = task_stacks();
    let (_, _, trace) = tasks.iter().find(|(tid, ..)| *tid == child as u64).expect("the child's stack");
    assert!(trace.contains("scheduler::run::reschedule") && trace.contains("syscall::dispatch"), "{trace}");
    must(unsafe { libc::kill(child, libc::SIGKILL) });
    wait(child);
}

fn interrupts_have_used_their_stack() {
    if !is_here() {
        return;
    }
    crate::child::sleep(20);
    let stacks = text("stacks");
    let first = stacks.lines().find(|line| line.starts_with("cpu 0 interrupt stack ")).expect("CPU 0's");
    let words: Vec<String> = first.split(' ').map(str::to_owned).collect();
    let deepest = number(value(&words, "deepest"));
    assert!(deepest > 64 && deepest < number(value(&words, "size")), "{first}");
}

fn contexts_answer_as_linux_does() {
    if !is_here() {
        return;
    }
    const EXPECTED: &str = "\
context in_task in_softirq in_serving_softirq in_hardirq in_nmi in_interrupt may_sleep stack
process 1 0 0 0 0 0 1 reader
preemption-off 1 0 0 0 0 0 0 reader
softirqs-off 1 1 0 0 0 1 0 reader
interrupts-off 1 0 0 0 0 0 0 reader
softirq 0 1 1 0 0 1 0 reader
hardirq 0 0 0 1 0 1 0 interrupt
hardirq-above-softirqs-off 0 1 0 1 0 1 0 interrupt
hardirq-above-softirq 0 1 1 1 0 1 0 interrupt
nmi 0 0 0 0 1 1 0 NMI
kernel-thread 1 0 0 0 0 0 1 thread
";
    let before = count(2);
    assert_eq!(text("contexts"), EXPECTED);
    assert_eq!(count(2) - before, 1, "one NMI");
}

/// One record.
#[derive(Clone, Debug)]
struct Passed {
    time: f64,
    cpu: u64,
    pid: u64,
    context: String,
    event: String,
    arguments: Vec<String>,
}

impl Passed {
    fn argument(&self, name: &str) -> &str {
        let found = self.arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

fn records() -> Vec<Passed> {
    let text = text("trace/trace");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Passed {
                time: words[0].parse().unwrap(),
                cpu: number(words[1]),
                pid: number(words[2]),
                context: words[3].to_owned(),
                event: words[5].to_owned(),
                arguments: words[6..].iter().map(|&word| word.to_owned()).collect(),
            }
        })
        .collect()
}

/// What is recorded while `body` runs, with these points on.
fn traced(events: &str, size: usize, body: impl FnOnce()) -> Vec<Passed> {
    set("trace/buffer_records", &size.to_string()).unwrap();
    set("trace/set_event", events).unwrap();
    set("trace/trace", "0").unwrap();
    set("trace/tracing_on", "1").unwrap();
    body();
    set("trace/tracing_on", "0").unwrap();
    let records = records();
    set("trace/set_event", "all").unwrap();
    records
}

fn own(records: &[Passed]) -> Vec<&Passed> {
    records.iter().filter(|record| record.pid == u64::from(std::process::id())).collect()
}

fn nothing_is_traced_unless_wanted() {
    if !is_here() {
        return;
    }
    assert_eq!(text("trace/tracing_on"), "0\n");
    let records = traced("all", 8192, || ());
    assert!(!records.is_empty());
    let end = records.last().unwrap().time;
    (0..100).for_each(|_| _ = unsafe { libc::getppid() });
    assert_eq!(self::records().last().unwrap().time, end, "off");
    set("trace/trace", "0").unwrap();
    assert_eq!(self::records().len(), 0, "cleared");
    assert_eq!(set("trace/tracing_on", "2").unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert_eq!(set("trace/buffer_records", "1").unwrap_err().raw_os_error(), Some(libc::EINVAL));
}

fn calls_are_traced_one_by_one() {
    if !is_here() {
        return;
    }
    let records = traced("all", 8192, || (0..100).for_each(|_| _ = unsafe { libc::getppid() }));
    assert!(records.windows(2).all(|pair| pair[0].time <= pair[1].time), "in order");
    let number = libc::SYS_getppid.to_string();
    let parent = unsafe { libc::getppid() }.to_string();
    let own = own(&records);
    let calls = own.iter().filter(|record| record.event == "sys_enter" && record.argument("nr") == number);
    assert_eq!(calls.count(), 100);
    let is_call = |record: &&&Passed| record.event == "sys_exit" && record.argument("nr") == number;
    let answers: Vec<&str> = own.iter().filter(is_call).map(|record| record.argument("ret")).collect();
    assert_eq!(answers, vec![&*parent; 100]);
    // A call's entry, its exit, and user mode, with at most switches between them, and interrupts, which have a way back of their own.
    let doors = ["sys_enter", "sys_exit", "user_enter"];
    let mut interrupted = false;
    let of_calls = own.iter().filter(|record| {
        let comes = record.event == "exception_user" || record.event == "irq_entry" && record.argument("user") == "1";
        interrupted |= comes;
        let goes = interrupted && record.event == "user_enter";
        interrupted &= !goes;
        !goes && doors.contains(&&*record.event)
    });
    let order: Vec<&str> = of_calls.map(|record| &*record.event).collect();
    let at = order.iter().position(|event| *event == "sys_enter").unwrap();
    assert!(order[at..at + 300].chunks(3).all(|turn| turn == doors), "{order:?}");
    assert!(own.iter().all(|record| record.event != "sys_enter" || record.context == "task"));
}

fn children_made_while_tracing_are_traced() {
    if !is_here() {
        return;
    }
    let mut child = 0;
    let records = traced("all", 8192, || {
        child = fork(|| {
            (0..7).for_each(|_| _ = unsafe { libc::getppid() });
            0
        });
        wait(child);
        // It has been waited for a little before it leaves its CPU for the last time.
        crate::child::sleep(20);
    });
    let number = libc::SYS_getppid.to_string();
    let is_call = |record: &&Passed| record.pid == child as u64 && record.event == "sys_enter";
    assert_eq!(records.iter().filter(is_call).filter(|record| record.argument("nr") == number).count(), 7);
    let switched =
        |record: &&Passed| record.event == "sched_switch" && record.argument("next_pid") == child.to_string();
    let name = records.iter().find(switched).expect("it was switched to").argument("next_comm").to_owned();
    assert_eq!(name, "guest-tests");
    let exit = records.iter().rfind(|record| record.event == "sched_switch" && record.pid == child as u64);
    assert_eq!(exit.expect("it was switched away from").argument("prev_state"), "16", "for ever");
}

fn interrupts_are_traced_in_pairs() {
    if !is_here() {
        return;
    }
    let records = traced("irq_entry irq_exit cpu_idle", 8192, || crate::child::sleep(50));
    assert!(records.iter().any(|record| record.event == "irq_entry"), "the timer that ended the sleep");
    let cpus = records.iter().map(|record| record.cpu).max().unwrap();
    for cpu in 0..=cpus {
        let here: Vec<&Passed> =
            records.iter().filter(|record| record.cpu == cpu && record.event != "cpu_idle").collect();
        let from = here.iter().position(|record| record.event == "irq_entry").unwrap_or(here.len());
        for pair in here[from..].chunks_exact(2) {
            assert_eq!((&*pair[0].event, &*pair[1].event), ("irq_entry", "irq_exit"));
            assert_eq!(pair[0].argument("vector"), pair[1].argument("vector"));
            assert_eq!((&*pair[0].context, &*pair[1].context), ("hardirq", "hardirq"));
        }
    }
}

fn a_timer_tick_comes_above_a_loop() {
    if !is_here() {
        return;
    }
    let records = traced("irq_entry user_enter", 8192, || {
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 100 {
            std::hint::black_box(0);
        }
    });
    let own = own(&records);
    let from_user = own.iter().filter(|record| record.event == "irq_entry" && record.argument("user") == "1").count();
    assert!(from_user >= 2, "{from_user} interrupts of a loop of 100 ms");
    let back = own.iter().filter(|record| record.event == "user_enter").count();
    assert!(back >= from_user, "it went on after each");
}

fn chosen_points_alone_write() {
    if !is_here() {
        return;
    }
    let records = traced("sys_enter", 8192, || (0..10).for_each(|_| _ = unsafe { libc::getppid() }));
    assert!(records.len() >= 10 && records.iter().all(|record| record.event == "sys_enter"));
    assert_eq!(set("trace/set_event", "sys_enter nonsense").unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert_eq!(text("trace/set_event").lines().count(), text("trace/available_events").lines().count(), "unchanged");
    set("trace/set_event", "-sys_exit").unwrap();
    assert!(!text("trace/set_event").contains("sys_exit") && text("trace/set_event").contains("sys_enter"));
    set("trace/set_event", "all").unwrap();
}

fn the_oldest_records_are_lost_and_counted() {
    if !is_here() {
        return;
    }
    let calls = 5000;
    let records = traced("sys_enter", 64, || (0..calls).for_each(|_| _ = unsafe { libc::getppid() }));
    assert!(records.len() < 1000, "{} records are left", records.len());
    let own = own(&records);
    let mut last = own.iter().rev().take(30);
    assert!(last.any(|record| record.argument("nr") == libc::SYS_getppid.to_string()), "the last are there");
    let statistics = text("trace/statistics");
    let sum = |name: &str| -> u64 {
        let rows = statistics.lines().filter(|line| line.starts_with("cpu "));
        rows.map(|line| value(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), name).parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(sum("kept"), records.len() as u64);
    assert!(sum("overwritten") + sum("kept") >= calls, "{statistics}");
    let hits = statistics.lines().find_map(|line| line.strip_prefix("event sys_enter ")).map(number);
    assert_eq!(hits, Some(sum("overwritten") + sum("kept")));
    set("trace/buffer_records", "8192").unwrap();
    assert_eq!(self::records().len(), 0, "a new size begins anew");
}
