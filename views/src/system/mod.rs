//! Files of /proc about the system as a whole.
mod memory;

use crate::roots::Sources;
use abi::Errno;
use alloc::sync::Arc;
use procfs::{Listing, Node, Output, Text};

/// A text that is made by a function of the sources.
struct SystemText {
    sources: Arc<Sources>,
    show: Show,
}

type Show = fn(&Sources, &mut Output) -> Result<(), Errno>;

impl Text for SystemText {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        (self.show)(&self.sources, output)
    }
}

/// Registers them.
pub(crate) fn register(proc: &Arc<Listing>, sources: &Arc<Sources>) -> Result<(), Errno> {
    let files: [(&str, Show); 1] = [("meminfo", memory::information)];
    for (name, show) in files {
        proc.add(name, Node::text(Arc::new(SystemText { sources: sources.clone(), show })))?;
    }
    Ok(())
}
