//! Folders of processes, and of their threads.
use super::{Subject, access, entries};
use abi::Errno;
use abi::file::FileType;
use alloc::sync::Arc;
use procfs::{Folder, Listed, Node};
use task::{Task, tree};

/// A number as Linux reads it in a name: decimal, without zeros in front.
pub(crate) fn number(name: &[u8]) -> Option<u32> {
    let plain = name.iter().all(u8::is_ascii_digit) && (name.len() == 1 || !name.starts_with(b"0"));
    core::str::from_utf8(name).ok().filter(|_| plain)?.parse().ok()
}

/// A number as a name.
struct Numeral {
    digits: [u8; 10],
    from: usize,
}

impl Numeral {
    fn new(mut number: u32) -> Self {
        let mut numeral = Self { digits: [b'0'; 10], from: 9 };
        loop {
            numeral.digits[numeral.from] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return numeral;
            }
            numeral.from -= 1;
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.digits[self.from..]
    }
}

/// Shows a number's entry; `next` is the position behind it.
pub(crate) fn show(sink: &mut dyn FnMut(Listed<'_>) -> bool, number: u32, kind: FileType) -> bool {
    sink(Listed { name: Numeral::new(number).bytes(), kind, next: u64::from(number) + 1 })
}

/// All processes.
pub(crate) struct Processes;

impl Folder for Processes {
    /// Threads that are not their process's first are found too, although they are not listed.
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        let number = number(name).ok_or(Errno::ENOENT)?;
        let task = tree::leader(number).or_else(|| tree::find_task(number)).ok_or(Errno::ENOENT)?;
        Ok(folder(&task, true))
    }

    fn list(&self, from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        let mut from = from;
        while let Some(process) = u32::try_from(from).ok().and_then(tree::next_process) {
            if !show(sink, process.pid, FileType::Directory) {
                return Ok(u64::from(process.pid));
            }
            from = u64::from(process.pid) + 1;
        }
        Ok(from)
    }

    fn folders(&self) -> u32 {
        tree::process_count() as u32
    }
}

/// The folder about a task.
fn folder(task: &Arc<Task>, whole: bool) -> Node {
    let (user, group) = access::owner(task, true);
    Node::folder(Arc::new(About(Subject::new(task, whole)))).owned_by(user, group).fleeting()
}

/// /proc/PID or /proc/PID/task/TID.
struct About(Subject);

impl Folder for About {
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        let look = self.0.look().map_err(|_| Errno::ENOENT)?;
        let mut entries = entries::entries(self.0.whole, 0);
        let (_, entry) = entries.find(|(_, entry)| entry.name.as_bytes() == name).ok_or(Errno::ENOENT)?;
        Ok(entry.node(&self.0, &look.task))
    }

    fn list(&self, from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        self.0.look().map_err(|_| Errno::ENOENT)?;
        let mut next = from;
        for (at, entry) in entries::entries(self.0.whole, from as usize) {
            next = at as u64 + 1;
            if !sink(Listed { name: entry.name.as_bytes(), kind: entry.file_type(), next }) {
                return Ok(at as u64);
            }
        }
        Ok(next)
    }

    fn folders(&self) -> u32 {
        entries::entries(self.0.whole, 0).filter(|(_, entry)| entry.file_type() == FileType::Directory).count() as u32
    }
}

/// /proc/PID/task.
pub(crate) struct Threads(pub Subject);

impl Folder for Threads {
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        let pid = self.0.look().map_err(|_| Errno::ENOENT)?.task.process.pid;
        let number = number(name).ok_or(Errno::ENOENT)?;
        let task = tree::next_shown_thread(pid, number).filter(|task| task.tid() == number).ok_or(Errno::ENOENT)?;
        Ok(folder(&task, false))
    }

    fn list(&self, from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        let pid = self.0.look().map_err(|_| Errno::ENOENT)?.task.process.pid;
        let mut from = from;
        while let Some(task) = u32::try_from(from).ok().and_then(|from| tree::next_shown_thread(pid, from)) {
            if !show(sink, task.tid(), FileType::Directory) {
                return Ok(u64::from(task.tid()));
            }
            from = u64::from(task.tid()) + 1;
        }
        Ok(from)
    }

    fn folders(&self) -> u32 {
        self.0.look().map_or(0, |look| look.task.process.thread_count() as u32)
    }
}
