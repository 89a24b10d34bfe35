//! `trace/`: switches of the trace points, and what they have recorded. Names are tracefs's.
use super::Word;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use arch::context::Context;
use core::fmt::{self, Write};
use procfs::{Listing, Node, NodeContent, Output, Sequence, SequenceSource, Text, number, sequence, text};
use sync::thread::work;
use trace::{Item, Kind, POINTS, Reader, Record};

pub(super) fn register(folder: &Listing) -> Result<(), Errno> {
    let tracing = number(0..=1, || i64::from(trace::is_tracing()), |on| set_tracing(on != 0));
    folder.add("tracing_on", tracing.with_permissions(0o600))?;
    let records = number(64..=1 << 24, || trace::records_per_cpu() as i64, |records| resize(records as usize));
    folder.add("buffer_records", records.with_permissions(0o600))?;
    folder.add("available_events", Node::text(text(available)).with_permissions(0o400))?;
    folder.add("set_event", Node::new(NodeContent::Text(Arc::new(Chosen)), 0o600))?;
    folder.add("statistics", Node::text(text(statistics)).with_permissions(0o400))?;
    folder.add("trace", sequence(Arc::new(Trace), 0o600))
}

/// ENOMEM.
fn set_tracing(on: bool) -> Result<(), Errno> {
    if !trace::set_tracing(on, scheduler::cpu_count()) {
        return Err(Errno::ENOMEM);
    }
    // From here on new threads are watched when they are first switched to, and these from their next way out of the kernel.
    let mut from = 0;
    while on && let Some(task) = task::tree::next_task(from) {
        from = task.tid().saturating_add(1);
        if let Some(thread) = task.thread() {
            thread.add_work(work::TRACE);
        }
    }
    Ok(())
}

/// ENOMEM, also where the records would take more than half of what is free.
fn resize(records: usize) -> Result<(), Errno> {
    let free: usize = memory::statistics().iter().map(|zone| zone.free).sum();
    let wanted = records.saturating_mul(trace::ring::RECORD_SIZE).saturating_mul(scheduler::cpu_count());
    if wanted / abi::PAGE_SIZE > free / 2 || !trace::resize(records, scheduler::cpu_count()) {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

fn available(output: &mut Output) -> fmt::Result {
    for point in POINTS {
        write!(output, "{}", point.name)?;
        point.arguments.iter().try_for_each(|(name, _)| write!(output, " {name}"))?;
        writeln!(output)?;
    }
    Ok(())
}

fn statistics(output: &mut Output) -> fmt::Result {
    for cpu in 0..scheduler::cpu_count() {
        let Some(statistics) = trace::statistics(cpu) else { break };
        writeln!(output, "cpu {cpu} kept {} overwritten {}", statistics.kept, statistics.overwritten)?;
    }
    let rows = POINTS.iter().enumerate();
    rows.into_iter().try_for_each(|(index, point)| writeln!(output, "event {} {}", point.name, trace::hits(index)))
}

/// The points that write while tracing is on.
struct Chosen;

impl Text for Chosen {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let chosen = POINTS.iter().enumerate().filter(|(index, _)| trace::enabled(*index));
        let _ = chosen.into_iter().try_for_each(|(_, point)| writeln!(output, "{}", point.name));
        Ok(())
    }

    /// Names are the points to be on, all others off; with `+` or `-` before them, those alone change. `all` is each of them. EINVAL
    /// for a name that is not one, and then nothing changes.
    fn write(&self, bytes: &[u8], _: u64) -> Result<usize, Errno> {
        let words = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
        let mut chosen: [bool; POINTS.len()] = core::array::from_fn(trace::enabled);
        if words.split_ascii_whitespace().any(|word| !word.starts_with(['+', '-'])) {
            chosen.fill(false);
        }
        for word in words.split_ascii_whitespace() {
            let name = word.trim_start_matches(['+', '-']);
            let named = |index: usize| name == "all" || POINTS[index].name == name;
            if !(0..POINTS.len()).any(named) {
                return Err(Errno::EINVAL);
            }
            (0..POINTS.len()).filter(|&index| named(index)).for_each(|index| chosen[index] = !word.starts_with('-'));
        }
        chosen.iter().enumerate().for_each(|(index, on)| trace::enable(index, *on));
        Ok(bytes.len())
    }
}

/// The records, oldest first.
struct Trace;

impl SequenceSource for Trace {
    fn start(&self) -> Result<Box<dyn Sequence>, Errno> {
        Ok(Box::new(Lines { reader: Reader::new().map_err(|_| Errno::ENOMEM)?, begun: false }))
    }

    /// Empties it, whatever was written.
    fn written(&self) -> Result<(), Errno> {
        trace::clear();
        Ok(())
    }
}

struct Lines {
    reader: Option<Reader>,
    begun: bool,
}

impl Sequence for Lines {
    fn next(&mut self, output: &mut Output) -> Result<bool, Errno> {
        if !self.begun {
            self.begun = true;
            let _ = writeln!(output, "# seconds cpu pid context stack event arguments");
            return Ok(true);
        }
        let Some(reader) = &mut self.reader else { return Ok(false) };
        match reader.next_item() {
            Item::Record { cpu, record } => {
                let _ = line(output, cpu, &record);
            }
            Item::Lost { cpu, count } => {
                let _ = writeln!(output, "# cpu {cpu} lost {count}");
            }
            Item::End => return Ok(false),
        }
        Ok(true)
    }
}

fn line(output: &mut Output, cpu: usize, record: &Record) -> fmt::Result {
    const SECOND: u64 = 1_000_000_000;
    let Some(point) = POINTS.get(usize::from(record.event)) else { return Ok(()) };
    let time = scheduler::clock().monotonic_ns(record.cycles);
    let context = match Context::of(record.context) {
        context if context.in_nmi() => "nmi",
        context if context.in_hardirq() => "hardirq",
        context if context.in_serving_softirq() => "softirq",
        _ => "task",
    };
    write!(output, "{}.{:09} {cpu} {} ", time / SECOND, time % SECOND, record.thread)?;
    write!(output, "{context} {:#x} {}", record.stack, point.name)?;
    let mut words = record.arguments.iter();
    for (name, kind) in point.arguments {
        let first = *words.next().unwrap_or(&0);
        match kind {
            Kind::Number => write!(output, " {name}={first}")?,
            Kind::Signed => write!(output, " {name}={}", first as i64)?,
            Kind::Address => write!(output, " {name}={first:#x}")?,
            Kind::Name => {
                let second = *words.next().unwrap_or(&0);
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&first.to_le_bytes());
                bytes[8..].copy_from_slice(&second.to_le_bytes());
                write!(output, " {name}={}", Word(&bytes))?;
            }
        }
    }
    writeln!(output)
}
