//! `pagewalk`: the way from an address to a physical one, table by table, as the hardware takes it.
//!
//! What to walk is written into an opening, and belongs to it: `ADDRESS`, in the address space of whoever reads, or `PID ADDRESS`. Each
//! read from the start makes the walk anew; a write puts the position there, so that one descriptor serves for both.
use crate::process::with_reader;
use abi::file::OpenFlags;
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use core::fmt::{self, Write};
use memory::page_table::Walk;
use memory::{PageTable, PhysicalAddress, Reader, Writer};
use procfs::{Node, NodeContent, Output};
use sync::{Mutex, Rank};
use task::Task;
use vfs::{Capabilities, FileOperations, FileSource, Inode, OpenFile, Seekable};

pub(super) fn node() -> Node {
    Node::new(NodeContent::File(Arc::new(PageWalk)), 0o600)
}

struct PageWalk;

impl FileSource for PageWalk {
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let state = State { target: None, shown: Output::default() };
        Ok(Arc::new(OpenWalk(Mutex::new(Rank::FilePosition, state))))
    }
}

/// An opening.
struct OpenWalk(Mutex<State>);

struct State {
    target: Option<Target>,
    /// The text as it was when its start was read.
    shown: Output,
}

#[derive(Clone, Copy)]
struct Target {
    /// `None`: of whoever reads.
    process: Option<u32>,
    address: usize,
}

impl FileOperations for OpenWalk {
    /// EINVAL before anything was written; ESRCH; EPERM.
    fn read(&self, _: &OpenFile, position: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut state = self.0.lock_nested();
        if *position == 0 {
            let target = state.target.ok_or(Errno::EINVAL)?;
            state.shown.clear();
            show(target, &mut state.shown)?;
            state.shown.check()?;
        }
        let text = state.shown.as_bytes();
        let rest = usize::try_from(*position).ok().and_then(|at| text.get(at..)).unwrap_or(&[]);
        let count = into.write(rest)?;
        *position += count as u64;
        Ok(count)
    }

    fn write(&self, _: &OpenFile, position: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let mut bytes = [0; 64];
        let length = from.remaining();
        let place = bytes.get_mut(..length).ok_or(Errno::EINVAL)?;
        from.read_exact(place)?;
        let text = core::str::from_utf8(place).map_err(|_| Errno::EINVAL)?;
        self.0.lock_nested().target = Some(parse(text).ok_or(Errno::EINVAL)?);
        *position = 0;
        Ok(length)
    }

    fn seekable(&self) -> Seekable {
        Seekable::Yes
    }
}

fn parse(text: &str) -> Option<Target> {
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (number(words.next()?)?, words.next());
    if words.next().is_some() {
        return None;
    }
    Some(match second {
        None => Target { process: None, address: first as usize },
        Some(address) => Target { process: Some(u32::try_from(first).ok()?), address: number(address)? as usize },
    })
}

fn show(target: Target, output: &mut Output) -> Result<(), Errno> {
    with_reader(|reader| {
        // Opening needed root; a descriptor that was handed on does not make one of its receiver.
        if !reader.credentials().has(Capabilities::SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        match target.process {
            None => show_of(reader, true, target.address, output),
            Some(pid) => {
                let task = task::tree::find_task(pid).ok_or(Errno::ESRCH)?;
                show_of(&task, false, target.address, output)
            }
        }
    })
    .unwrap_or(Err(Errno::EPERM))
}

fn show_of(task: &Task, own: bool, address: usize, output: &mut Output) -> Result<(), Errno> {
    let space = task.space().ok_or(Errno::ESRCH)?;
    let table = space.pages().table();
    let root = if own { loaded(table) } else { table.root() };
    // The text only fails for want of memory, which the output remembers.
    let _ = writeln!(output, "pid {}\naddress {address:#018x}\ncr3 {:#018x}", task.tid(), root.0);
    if !is_canonical(address) {
        let _ = writeln!(output, "not canonical");
        return Ok(());
    }
    let mut bytes = [0; 8];
    let (walk, count) = table.walk_and_read(address, &mut bytes);
    let _ = show_walk(&walk, address, &bytes[..count], output);
    Ok(())
}

/// What CR3 says while the reader runs.
fn loaded(table: &PageTable) -> PhysicalAddress {
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    let root = PhysicalAddress(arch::instructions::read_cr3() & ADDRESS);
    debug_assert_eq!(root, table.root());
    root
}

/// Whether the bits above those that four levels walk repeat the highest of them.
fn is_canonical(address: usize) -> bool {
    (address as i64) << 16 >> 16 == address as i64
}

fn show_walk(walk: &Walk, address: usize, bytes: &[u8], output: &mut Output) -> fmt::Result {
    for step in walk.steps() {
        let (level, table, index, entry) = (step.level, step.table.0, step.index, step.entry);
        write!(output, "level {level} table {table:#018x} index {index} entry {entry:#018x}")?;
        step.flags().try_for_each(|flag| write!(output, " {flag}"))?;
        writeln!(output)?;
    }
    let Some((physical, size)) = walk.target() else {
        return writeln!(output, "absent");
    };
    writeln!(output, "page {size}\noffset {:#x}\nphysical {:#018x}", address & (size - 1), physical.0)?;
    writeln!(output, "direct {:#018x}", memory::physical::to_virtual(physical) as usize)?;
    if bytes.is_empty() {
        return writeln!(output, "bytes none: not RAM");
    }
    write!(output, "bytes")?;
    bytes.iter().try_for_each(|byte| write!(output, " {byte:02x}"))?;
    writeln!(output)
}

const _: () = assert!(PAGE_SIZE == 1 << 12, "the SDM's");
