//! /proc/sys: settings that take effect, and facts.
use super::values::{ConsoleLevels, Name, constant, fixed, read_only};
use crate::process::trimmed;
use crate::roots::Sources;
use ::memory::counters::{Counter, counted};
use abi::Errno;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use procfs::{Listing, Node, NodeContent, Output, number, text};
use sync::{Once, Thread};
use task::Task;
use task::names::{self, Which};
use task::tree;

/// Identifiers of users and groups for those that old calls cannot tell.
const OVERFLOW: i64 = 65534;
/// What Linux says its generator holds once it is seeded (drivers/char/random.c), in bits.
const POOL: i64 = 256;

/// dentry-state (admin-guide/sysctl/fs.rst): how many there are, how many unused, the age in seconds and pages that Linux's shrinker
/// used to ask for, how many negative, and nothing.
fn dentry_state(sources: &Sources, output: &mut Output) -> fmt::Result {
    let totals = sources.vfs.totals();
    writeln!(output, "{}\t{}\t45\t0\t{}\t0", totals.dentries, sources.vfs.unused_dentries(), totals.negative)
}

/// Registers all of them.
pub(crate) fn register(proc: &Arc<Listing>, sources: &Arc<Sources>) -> Result<(), Errno> {
    kernel(proc.below("sys/kernel")?)?;
    random(proc.below("sys/kernel/random")?)?;
    memory(proc.below("sys/vm")?, sources)?;
    files(proc.below("sys/fs")?, sources)
}

fn kernel(folder: Arc<Listing>) -> Result<(), Errno> {
    folder.add("arch", constant(names::MACHINE))?;
    folder.add("cap_last_cap", read_only(|| i64::from(vfs::Capabilities::all().bits().ilog2())))?;
    folder.add("domainname", Name::node(Which::Domain))?;
    folder.add("hostname", Name::node(Which::Host))?;
    folder.add("ngroups_max", read_only(|| 65536))?;
    folder.add("osrelease", constant(names::RELEASE))?;
    folder.add("ostype", constant(names::TYPE))?;
    folder.add("overflowgid", fixed(OVERFLOW))?;
    folder.add("overflowuid", fixed(OVERFLOW))?;
    let set_limit = |limit| {
        tree::set_pid_limit(limit as u32);
        Ok(())
    };
    folder.add("pid_max", number(301..=4_194_304, || i64::from(tree::pid_limit()), set_limit))?;
    folder.add("printk", Node::new(NodeContent::Text(Arc::new(ConsoleLevels)), 0o644))?;
    folder.add("randomize_va_space", number(0..=2, randomisation, set_randomisation))?;
    folder.add("tainted", fixed(0))?;
    let set_most = |most| {
        tree::set_most_tasks(most as usize);
        Ok(())
    };
    folder.add("threads-max", number(1..=0x3fff_ffff, || tree::most_tasks() as i64, set_most))?;
    folder.add("version", constant(names::VERSION))
}

/// Of stack, mappings and break (2), or of nothing.
fn randomisation() -> i64 {
    if task::execute::randomises() { 2 } else { 0 }
}

/// EINVAL for 1: the break always goes with the rest.
fn set_randomisation(value: i64) -> Result<(), Errno> {
    if value == 1 {
        return Err(Errno::EINVAL);
    }
    task::execute::set_randomise(value != 0);
    Ok(())
}

fn random(folder: Arc<Listing>) -> Result<(), Errno> {
    static BOOT: Once<Identifier> = Once::new();
    folder.add(
        "boot_id",
        Node::text(text(|output| {
            if BOOT.get().is_none() {
                // Whoever comes second keeps the first one's.
                let _ = BOOT.set(Identifier::new());
            }
            BOOT.get().map_or(Ok(()), |identifier| writeln!(output, "{identifier}"))
        })),
    )?;
    folder.add("entropy_avail", read_only(|| POOL))?;
    folder.add("poolsize", read_only(|| POOL))?;
    folder.add("uuid", Node::text(text(|output| writeln!(output, "{}", Identifier::new()))))
}

/// A random identifier (RFC 9562, version 4).
struct Identifier([u8; 16]);

impl Identifier {
    fn new() -> Self {
        let mut bytes = [0; 16];
        task::random::fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(formatter, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// drop_caches (admin-guide/sysctl/vm.rst): 1 for pages of files, 2 for dentries and inodes, 4 for saying nothing about it. All files
/// live in memory alone, so none of their pages may be dropped. What CPUs keep for its next use goes back with either.
fn drop_caches(sources: &Sources, what: i64) {
    if what & 2 != 0 {
        sources.vfs.shrink();
    }
    if what & 3 != 0 {
        task::shortage::give_back_kept();
    }
    static SILENT: AtomicBool = AtomicBool::new(false);
    if SILENT.fetch_or(what & 4 != 0, Ordering::Relaxed) {
        return;
    }
    Thread::with_local(|task: &Task| {
        let name = task.name();
        let name = core::str::from_utf8(trimmed(&name)).unwrap_or("?");
        klog::info!("{name} ({}): drop_caches: {what}", task.process.pid);
    });
}

fn memory(folder: Arc<Listing>, sources: &Arc<Sources>) -> Result<(), Errno> {
    let of = sources.clone();
    let drop = number(
        1..=4,
        || 0,
        move |what| {
            drop_caches(&of, what);
            Ok(())
        },
    );
    folder.add("drop_caches", drop.with_permissions(0o200))?;
    folder.add("max_map_count", fixed(mm::MAX_MAP_COUNT as i64))?;
    folder.add("mmap_min_addr", fixed(mm::MAP_MINIMUM as i64))?;
    // Only what is obviously too much is refused.
    folder.add("overcommit_memory", fixed(0))
}

fn files(folder: Arc<Listing>, sources: &Arc<Sources>) -> Result<(), Errno> {
    let of = sources.clone();
    folder.add("dentry-state", Node::text(text(move |output| dentry_state(&of, output))))?;
    // An inode that nobody uses is not kept: none is free.
    let of = sources.clone();
    folder.add("inode-nr", Node::text(text(move |output| writeln!(output, "{}\t0", of.vfs.totals().inodes))))?;
    let of = sources.clone();
    let state = move |output: &mut Output| writeln!(output, "{}\t0\t0\t0\t0\t0\t0", of.vfs.totals().inodes);
    folder.add("inode-state", Node::text(text(state)))?;
    // As many files as there is memory for may be open.
    folder.add("file-max", fixed(i64::MAX))?;
    folder.add(
        "file-nr",
        Node::text(text(|output| writeln!(output, "{}\t0\t{}", counted(Counter::OpenFiles), i64::MAX))),
    )?;
    folder.add("nr_open", fixed(vfs::MOST_DESCRIPTORS as i64))?;
    folder.add("overflowgid", fixed(OVERFLOW))?;
    folder.add("overflowuid", fixed(OVERFLOW))?;
    folder.add("pipe-max-size", fixed(ipc::pipe::MAXIMUM_CAPACITY as i64))
}
