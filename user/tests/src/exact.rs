//! What is left behind: frames by owner, the heap's objects by size, inodes, dentries, open files, tasks, descriptors, each the
//! same after a load as before it, exactly.
//!
//! The load runs in a child of its own. Its first round is for what is made once and kept on purpose; the second is measured. Before each
//! look caches are dropped (`/proc/sys/vm/drop_caches`), and looks are taken until two say the same: what ended processes held
//! goes back a moment after they were waited for. Nothing is allocated here between the two looks.
//!
//! Slabs count by their objects. How many pages these lie in is not the load's to say: an object that was replaced meanwhile lies in another
//! page now, and keeps that. So the pages of slabs count with those that are free.
//!
//! Linux says neither whose frames are nor exact figures of its slabs; there tasks and descriptors are compared.
use crate::call::must;
use crate::child::{End, PAGE, close, fork, wait};
use crate::stress;
use std::ffi::CStr;

/// Where figures stand. The first is Birgus's own: without it the others are no more than estimates.
const SOURCES: [&CStr; 5] = [
    c"/sys/kernel/debug/birgus/memory",
    c"/proc/slabinfo",
    c"/proc/sys/fs/file-nr",
    c"/proc/sys/fs/inode-nr",
    c"/proc/sys/fs/dentry-state",
];
/// How often the first round does it, at least.
const FIRST: usize = 500;
/// Rounds of settling, and how long one takes, in microseconds.
const ROUNDS: usize = 100;
const ROUND: u32 = 50_000;

/// Rows that are one account here: pages that are free or were until somebody wanted a small object.
const FREE: [&str; 3] = ["free: ", "free_of_cpus: ", "slab: "];
/// Rows for what CPUs keep at the very moment, and for what has been once.
const NOT_NOW: [&str; 2] = ["kept_objects: ", "lowest_reserve: "];

/// One look at everything.
struct Look {
    texts: [Vec<u8>; SOURCES.len()],
    tasks: u16,
    descriptor: i32,
}

impl Look {
    /// With room for all, and the room's pages in place.
    fn new() -> Self {
        let room = || {
            let mut room = vec![1; 2 * PAGE];
            room.clear();
            room
        };
        Self { texts: std::array::from_fn(|_| room()), tasks: 0, descriptor: 0 }
    }

    fn take(&mut self) {
        drop_caches();
        for (text, source) in self.texts.iter_mut().zip(SOURCES) {
            read(source, text);
        }
        let mut information: libc::sysinfo = unsafe { core::mem::zeroed() };
        must(unsafe { libc::sysinfo(&mut information) } as i64);
        self.tasks = information.procs;
        self.descriptor = must(unsafe { libc::dup(0) } as i64) as i32;
        close(self.descriptor);
    }

    /// Whether figures of memory are exact here.
    fn is_exact(&self) -> bool {
        !self.texts[0].is_empty()
    }

    fn text(&self, source: usize) -> &str {
        std::str::from_utf8(&self.texts[source]).unwrap_or_default()
    }

    /// Pages that are free, or slabs.
    fn free(&self) -> u64 {
        let of = |line: &str| FREE.iter().find_map(|name| line.strip_prefix(name)).map_or(0, number);
        self.text(0).lines().map(of).sum()
    }

    /// Pages of slabs.
    fn slabs(&self) -> u64 {
        self.text(0).lines().find_map(|line| line.strip_prefix(FREE[2])).map_or(0, number)
    }

    /// The lines that are compared as they are.
    fn lines(&self, source: usize) -> impl Iterator<Item = &str> {
        let counted = |line: &&str| !FREE.iter().chain(&NOT_NOW).any(|name| line.starts_with(name));
        // Of a row of slabinfo, name and objects.
        let cut = move |line| if source == 1 { objects(line) } else { line };
        self.text(source).lines().filter(counted).map(cut)
    }

    fn is_same(&self, other: &Self) -> bool {
        let same = (self.tasks, self.descriptor) == (other.tasks, other.descriptor);
        let figures = || (0..SOURCES.len()).all(|source| self.lines(source).eq(other.lines(source)));
        same && (!self.is_exact() || self.free() == other.free() && figures())
    }

    /// What is different.
    fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if (self.tasks, self.descriptor) != (other.tasks, other.descriptor) {
            let row = |look: &Self| format!("{} tasks, next descriptor {}", look.tasks, look.descriptor);
            lines.push(format!("{} -> {}", row(self), row(other)));
        }
        if !self.is_exact() {
            return lines;
        }
        if self.free() != other.free() {
            lines.push(format!("free pages and slabs: {} -> {}", self.free(), other.free()));
        }
        for source in 0..SOURCES.len() {
            let pairs = self.lines(source).zip(other.lines(source)).filter(|(before, after)| before != after);
            lines.extend(pairs.map(|(before, after)| format!("{before} -> {after}")));
        }
        lines
    }
}

/// The number at the start.
fn number(text: &str) -> u64 {
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Name and objects in use of a row of slabinfo.
fn objects(line: &str) -> &str {
    let blanks =
        line.find(' ').map_or(line.len(), |blank| blank + line[blank..].len() - line[blank..].trim_start().len());
    &line[..line[blanks..].find(' ').map_or(line.len(), |end| blanks + end)]
}

/// Reads a file into room that is there; nothing where there is no such file.
fn read(source: &CStr, text: &mut Vec<u8>) {
    text.clear();
    let file = unsafe { libc::open(source.as_ptr(), libc::O_RDONLY) };
    if file < 0 {
        return;
    }
    while text.len() < text.capacity() {
        let room = text.spare_capacity_mut();
        let length = must(unsafe { libc::read(file, room.as_mut_ptr().cast(), room.len()) } as i64) as usize;
        if length == 0 {
            break;
        }
        unsafe { text.set_len(text.len() + length) };
    }
    assert!(text.len() < text.capacity(), "{source:?} has grown");
    close(file);
}

fn drop_caches() {
    let file = must(unsafe { libc::open(c"/proc/sys/vm/drop_caches".as_ptr(), libc::O_WRONLY) } as i64) as i32;
    // 4: without a word in the log.
    for what in [c"4", c"3"] {
        must(unsafe { libc::pwrite(file, what.as_ptr().cast(), 1, 0) } as i64);
    }
    close(file);
}

/// Looks until two looks are the same, or for as long as is sensible.
fn settle(looks: &mut [Look; 2]) {
    for round in 0..ROUNDS {
        looks[round % 2].take();
        if round > 0 && looks[0].is_same(&looks[1]) {
            return;
        }
        unsafe { libc::usleep(ROUND) };
    }
}

fn once(load: stress::Load, count: usize) {
    let child = fork(|| {
        load(count);
        0
    });
    assert_eq!(wait(child), End::Exit(0));
}

/// Does the load; prints and counts the differences.
pub fn run(kind: &str, count: &str) -> i32 {
    let Some((load, count)) = stress::load(kind, count) else { return 2 };
    let (mut before, mut after) = ([Look::new(), Look::new()], [Look::new(), Look::new()]);
    settle(&mut after);
    once(load, count.min(FIRST).max(count / 10));
    settle(&mut before);
    once(load, count);
    settle(&mut after);
    let differences = before[0].differences(&after[0]);
    println!("{kind} {count}: {} differences", differences.len());
    let (had, has) = (before[0].slabs(), after[0].slabs());
    if had != has {
        eprintln!("the same objects lie in {has} pages, before in {had}");
    }
    differences.iter().for_each(|line| println!("{line}"));
    i32::from(!differences.is_empty())
}
