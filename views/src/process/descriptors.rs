//! /proc/PID/fd and /proc/PID/fdinfo.
use super::folders::{number, show};
use super::links::text_for_reader;
use super::{Subject, access};
use abi::Errno;
use abi::file::{FileType, OpenFlags};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use procfs::{Folder, Listed, Node, NodeContent, Output, Text};
use task::Task;
use vfs::{DescriptorTable, MagicLink, OpenFile, Target};

/// What is shown of each open descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A link to what it has open.
    Files,
    /// A text about it.
    Information,
}

/// A folder with an entry for each open descriptor.
pub(crate) struct Descriptors {
    pub subject: Subject,
    pub shown: Shown,
}

fn table(subject: &Subject) -> Result<Arc<DescriptorTable>, Errno> {
    subject.look().map_err(|_| Errno::ENOENT)?.task.files.descriptors().ok_or(Errno::ENOENT)
}

impl Descriptors {
    /// The information may be looked at by those only who may look into the task; the links say so themselves. EACCES.
    fn check(&self, task: &Task) -> Result<(), Errno> {
        if self.shown == Shown::Information { access::check_look(task) } else { Ok(()) }
    }
}

impl Folder for Descriptors {
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        let number = number(name).ok_or(Errno::ENOENT)?;
        let look = self.subject.look().map_err(|_| Errno::ENOENT)?;
        self.check(&look.task)?;
        let file = table(&self.subject)?.get(number).map_err(|_| Errno::ENOENT)?;
        let descriptor = Descriptor { subject: self.subject.clone(), number };
        let (content, permissions) = match self.shown {
            Shown::Files => (NodeContent::Link(Arc::new(descriptor)), link_permissions(&file)),
            Shown::Information => (NodeContent::Text(Arc::new(descriptor)), 0o444),
        };
        let (user, group) = access::owner(&look.task, false);
        Ok(Node::new(content, permissions).owned_by(user, group).fleeting())
    }

    fn list(&self, from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        self.check(&self.subject.look().map_err(|_| Errno::ENOENT)?.task)?;
        let kind = if self.shown == Shown::Files { FileType::Symlink } else { FileType::Regular };
        let table = table(&self.subject)?;
        let mut from = from;
        while let Some((number, file)) = u32::try_from(from).ok().and_then(|from| table.next_open(from)) {
            drop(file);
            if !show(sink, number, kind) {
                return Ok(u64::from(number));
            }
            from = u64::from(number) + 1;
        }
        Ok(from)
    }
}

/// Of the link: what the descriptor may be used for.
fn link_permissions(file: &OpenFile) -> u32 {
    let read = if file.check_readable().is_ok() { 0o500 } else { 0 };
    let write = if file.check_writable().is_ok() { 0o300 } else { 0 };
    read | write
}

/// One descriptor.
struct Descriptor {
    subject: Subject,
    number: u32,
}

impl Descriptor {
    fn file(&self) -> Result<Arc<OpenFile>, Errno> {
        table(&self.subject)?.get(self.number).map_err(|_| Errno::ENOENT)
    }

    fn checked_file(&self) -> Result<Arc<OpenFile>, Errno> {
        access::check_look(&self.subject.look().map_err(|_| Errno::EACCES)?.task)?;
        self.file()
    }
}

impl MagicLink for Descriptor {
    fn follow(&self) -> Result<Target, Errno> {
        Ok(Target::Object(self.checked_file()?.path().clone()))
    }

    fn text(&self) -> Result<Vec<u8>, Errno> {
        text_for_reader(self.checked_file()?.path())
    }

    /// As long as Linux says that any of them is.
    fn size(&self) -> u64 {
        64
    }
}

impl Text for Descriptor {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let table = table(&self.subject)?;
        let file = self.file()?;
        let closes = table.close_on_exec(self.number).unwrap_or(false);
        let flags = file.flags() | if closes { OpenFlags::CLOSE_ON_EXEC } else { OpenFlags::empty() };
        writeln!(
            output,
            "pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{}\nino:\t{}",
            file.last_position(),
            flags.bits(),
            file.path().mount.number(),
            file.inode().number()
        )?;
        Ok(())
    }

    fn check_open(&self, _: OpenFlags) -> Result<(), Errno> {
        access::check_look(&self.subject.look().map_err(|_| Errno::ESRCH)?.task)
    }
}
