//! What is in a folder of a process or thread, in Linux's order.
use super::descriptors::{Descriptors, Shown};
use super::folders::Threads;
use super::links::TaskLink;
use super::{Look, Subject, access, arguments, limits, links, maps, mounts, settings, stat, status};
use abi::Errno;
use abi::file::OpenFlags;
use alloc::sync::Arc;
use procfs::{Folder, Node, NodeContent, Output, Text};
use task::Task;
use vfs::Path;

/// One entry of every such folder.
pub(crate) struct Entry {
    pub name: &'static str,
    permissions: u32,
    kind: EntryKind,
    place: Place,
}

/// In which folders it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Both,
    Process,
    Thread,
}

enum EntryKind {
    Text(TaskFile),
    Link(fn(&Task) -> Option<Path>),
    Folder(fn(Subject) -> Arc<dyn Folder>),
}

/// A text about a task.
struct TaskFile {
    show: Show,
    write: Option<Write>,
    /// Only for those who may look into the task.
    private: bool,
}

type Show = fn(&Look, &mut Output) -> Result<(), Errno>;
type Write = fn(&Look, &[u8]) -> Result<usize, Errno>;

const fn text(name: &'static str, permissions: u32, show: Show) -> Entry {
    let kind = EntryKind::Text(TaskFile { show, write: None, private: false });
    Entry { name, permissions, kind, place: Place::Both }
}

const fn private(name: &'static str, permissions: u32, show: Show) -> Entry {
    let kind = EntryKind::Text(TaskFile { show, write: None, private: true });
    Entry { name, permissions, kind, place: Place::Both }
}

const fn setting(name: &'static str, permissions: u32, show: Show, write: Write) -> Entry {
    let kind = EntryKind::Text(TaskFile { show, write: Some(write), private: false });
    Entry { name, permissions, kind, place: Place::Both }
}

const fn link(name: &'static str, find: fn(&Task) -> Option<Path>) -> Entry {
    Entry { name, permissions: 0o777, kind: EntryKind::Link(find), place: Place::Both }
}

const fn folder(name: &'static str, permissions: u32, make: fn(Subject) -> Arc<dyn Folder>) -> Entry {
    Entry { name, permissions, kind: EntryKind::Folder(make), place: Place::Both }
}

const fn only(place: Place, entry: Entry) -> Entry {
    Entry { name: entry.name, permissions: entry.permissions, kind: entry.kind, place }
}

static ENTRIES: [Entry; 24] = [
    only(Place::Process, folder("task", 0o555, |subject| Arc::new(Threads(subject)))),
    folder("fd", 0o500, |subject| Arc::new(Descriptors { subject, shown: Shown::Files })),
    folder("fdinfo", 0o555, |subject| Arc::new(Descriptors { subject, shown: Shown::Information })),
    private("environ", 0o400, arguments::environment),
    private("auxv", 0o400, arguments::auxiliary_vector),
    text("status", 0o444, status::status),
    private("personality", 0o400, settings::personality),
    text("limits", 0o444, limits::limits),
    setting("comm", 0o644, settings::name, settings::set_name),
    text("cmdline", 0o444, arguments::command_line),
    text("stat", 0o444, stat::stat),
    text("statm", 0o444, stat::memory),
    private("maps", 0o444, maps::maps),
    private("smaps", 0o444, maps::detailed),
    private("smaps_rollup", 0o444, maps::summary),
    only(Place::Thread, text("children", 0o444, settings::children)),
    link("cwd", links::working_directory),
    link("root", links::root),
    link("exe", links::executable),
    only(Place::Process, setting("timerslack_ns", 0o666, settings::timer_slack, settings::set_timer_slack)),
    text("mounts", 0o444, mounts::mounts),
    text("mountinfo", 0o444, mounts::information),
    text("oom_score", 0o444, settings::oom_score),
    setting("oom_score_adj", 0o644, settings::oom_score_adjustment, settings::set_oom_score_adjustment),
];

/// The entries of a folder about `whole` or not, with their positions from `from` on.
pub(crate) fn entries(whole: bool, from: usize) -> impl Iterator<Item = (usize, &'static Entry)> {
    let other = if whole { Place::Thread } else { Place::Process };
    ENTRIES.iter().enumerate().skip(from).filter(move |(_, entry)| entry.place != other)
}

impl Entry {
    pub fn file_type(&self) -> abi::file::FileType {
        match self.kind {
            EntryKind::Text(_) => abi::file::FileType::Regular,
            EntryKind::Link(_) => abi::file::FileType::Symlink,
            EntryKind::Folder(_) => abi::file::FileType::Directory,
        }
    }

    /// The node in the folder of `subject`, which `task` is.
    pub fn node(&'static self, subject: &Subject, task: &Task) -> Node {
        let content = match &self.kind {
            EntryKind::Text(file) => NodeContent::Text(Arc::new(TaskText { subject: subject.clone(), file })),
            EntryKind::Link(find) => NodeContent::Link(Arc::new(TaskLink { subject: subject.clone(), find: *find })),
            EntryKind::Folder(make) => NodeContent::Folder(make(subject.clone())),
        };
        let (user, group) = access::owner(task, self.permissions == 0o555);
        Node::new(content, self.permissions).owned_by(user, group).fleeting()
    }
}

struct TaskText {
    subject: Subject,
    file: &'static TaskFile,
}

impl Text for TaskText {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        (self.file.show)(&self.subject.look()?, output)
    }

    fn write(&self, bytes: &[u8], _: u64) -> Result<usize, Errno> {
        let write = self.file.write.ok_or(Errno::EINVAL)?;
        write(&self.subject.look()?, bytes)
    }

    fn check_open(&self, _: OpenFlags) -> Result<(), Errno> {
        if self.file.private { access::check_look(&self.subject.look()?.task) } else { Ok(()) }
    }
}
