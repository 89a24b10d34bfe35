//! Symlinks that lead to objects.
use super::{Subject, access};
use abi::Errno;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use task::Task;
use vfs::{MagicLink, Path, Target};

/// A link to a place that a task knows.
pub(crate) struct TaskLink {
    pub subject: Subject,
    pub find: fn(&Task) -> Option<Path>,
}

pub(crate) fn working_directory(task: &Task) -> Option<Path> {
    task.files.context_if_any().map(|context| context.current.clone())
}

pub(crate) fn root(task: &Task) -> Option<Path> {
    task.files.context_if_any().map(|context| context.root.clone())
}

pub(crate) fn executable(task: &Task) -> Option<Path> {
    // Gone with the memory, as on Linux.
    task.space()?;
    task.exec_image().map(|image| image.file.path().clone())
}

impl TaskLink {
    /// EACCES; ENOENT.
    fn place(&self) -> Result<Path, Errno> {
        let look = self.subject.look().map_err(|_| Errno::EACCES)?;
        access::check_look(&look.task)?;
        (self.find)(&look.task).ok_or(Errno::ENOENT)
    }
}

impl MagicLink for TaskLink {
    fn follow(&self) -> Result<Target, Errno> {
        self.place().map(Target::Object)
    }

    fn text(&self) -> Result<Vec<u8>, Errno> {
        text_for_reader(&self.place()?)
    }
}

/// A place's path as the running task sees it.
pub(crate) fn text_for_reader(place: &Path) -> Result<Vec<u8>, Errno> {
    access::with_reader(|reader| place.text(&reader.files.context().root)).ok_or(Errno::ENOENT)?
}

/// /proc/self.
pub(crate) struct SelfLink;

impl MagicLink for SelfLink {
    fn follow(&self) -> Result<Target, Errno> {
        Ok(Target::Path(Arc::from(self.text()?)))
    }

    fn text(&self) -> Result<Vec<u8>, Errno> {
        access::with_reader(|reader| format!("{}", reader.process.pid).into_bytes()).ok_or(Errno::ENOENT)
    }
}

/// /proc/thread-self.
pub(crate) struct ThreadSelfLink;

impl MagicLink for ThreadSelfLink {
    fn follow(&self) -> Result<Target, Errno> {
        Ok(Target::Path(Arc::from(self.text()?)))
    }

    fn text(&self) -> Result<Vec<u8>, Errno> {
        access::with_reader(|reader| format!("{}/task/{}", reader.process.pid, reader.tid()).into_bytes())
            .ok_or(Errno::ENOENT)
    }
}
