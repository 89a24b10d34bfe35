//! /proc/PID and /proc/PID/task/TID.
mod access;
mod arguments;
mod descriptors;
mod entries;
mod folders;
mod limits;
mod links;
mod maps;
mod mounts;
mod settings;
mod stat;
mod status;

pub(crate) use access::with_reader;
pub(crate) use folders::Processes;
pub(crate) use links::{SelfLink, ThreadSelfLink};
pub(crate) use mounts::set_namespace;
pub(crate) use settings::trimmed;

use abi::Errno;
use alloc::sync::{Arc, Weak};
use task::Task;

/// Whom a folder is about: a thread, by itself or for its whole process.
#[derive(Clone)]
pub(crate) struct Subject {
    task: Weak<Task>,
    whole: bool,
}

/// The same while it is being looked at.
pub(crate) struct Look {
    pub task: Arc<Task>,
    pub whole: bool,
}

impl Subject {
    fn new(task: &Arc<Task>, whole: bool) -> Self {
        Self { task: Arc::downgrade(task), whole }
    }

    /// ESRCH once it has been waited for.
    fn look(&self) -> Result<Look, Errno> {
        let task = self.task.upgrade().ok_or(Errno::ESRCH)?;
        Ok(Look { task, whole: self.whole })
    }
}

impl Look {
    /// The number by which the folder goes.
    fn number(&self) -> u32 {
        if self.whole { self.task.process.pid } else { self.task.tid() }
    }
}
