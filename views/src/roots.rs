//! The roots of both trees, and what is registered in them.
use crate::process::{Processes, SelfLink, ThreadSelfLink, set_namespace};
use crate::system;
use abi::Errno;
use alloc::sync::Arc;
use procfs::{Joined, Listing, Node, TreeType};
use vfs::{Namespace, Vfs};

/// What the views show besides processes.
pub struct Sources {
    pub vfs: Arc<Vfs>,
    pub namespace: Arc<Namespace>,
}

/// Makes `proc` and `sysfs` mountable. Once.
///
/// # Errors
/// EEXIST.
pub fn register(sources: Sources) -> Result<(), Errno> {
    set_namespace(sources.namespace.clone());
    let (vfs, sources) = (sources.vfs.clone(), Arc::new(sources));
    let proc = Listing::new();
    proc.add("self", Node::link(Arc::new(SelfLink)))?;
    proc.add("thread-self", Node::link(Arc::new(ThreadSelfLink)))?;
    proc.add("mounts", Node::symlink(b"self/mounts"))?;
    system::register(&proc, &sources)?;
    let sys = Listing::new();
    vfs.register(Arc::new(TreeType::sysfs(sys)));
    vfs.register(Arc::new(TreeType::proc(Arc::new(Joined { registered: proc, other: Arc::new(Processes) }))));
    Ok(())
}
