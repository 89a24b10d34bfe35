//! The roots of both trees, and what is registered in them.
use crate::process::{Processes, SelfLink, ThreadSelfLink, set_namespace};
use crate::{memory_tree, system, system_tree};
use abi::Errno;
use alloc::sync::Arc;
use irq::{Interrupts, Softirqs};
use procfs::{Joined, Listing, Node, TreeType};
use vfs::{Namespace, Vfs};

/// What the views show besides processes, and besides what the floors below keep for all.
pub struct Sources {
    pub vfs: Arc<Vfs>,
    pub namespace: Arc<Namespace>,
    /// As the loader handed it over.
    pub command_line: &'static [u8],
    pub tsc_hertz: u64,
    /// Identifier of a CPU's local APIC.
    pub apic_id: fn(usize) -> Option<u32>,
    pub interrupts: Option<&'static Interrupts>,
    /// The CPUs' own vectors: names and descriptions as in /proc/interrupts.
    pub own_vectors: &'static [(&'static str, &'static str, u8)],
    pub softirqs: Option<&'static Softirqs>,
}

/// The folders in which others may register what is theirs.
pub struct Trees {
    pub proc: Arc<Listing>,
    pub sys: Arc<Listing>,
}

/// Makes `proc` and `sysfs` mountable. Once.
///
/// # Errors
/// EEXIST.
pub fn register(sources: Sources) -> Result<Trees, Errno> {
    set_namespace(sources.namespace.clone());
    let (vfs, sources) = (sources.vfs.clone(), Arc::new(sources));
    let proc = Listing::new();
    proc.add("mounts", Node::symlink(b"self/mounts"))?;
    system::register(&proc, &sources)?;
    proc.add("self", Node::link(Arc::new(SelfLink)))?;
    proc.add("thread-self", Node::link(Arc::new(ThreadSelfLink)))?;
    let sys = Listing::with_permissions(0o755);
    system_tree::register(&sys, sources.apic_id)?;
    memory_tree::register(&sys, &sources)?;
    vfs.register(Arc::new(TreeType::sysfs(sys.clone())));
    vfs.register(Arc::new(TreeType::proc(Arc::new(Joined { registered: proc.clone(), other: Arc::new(Processes) }))));
    Ok(Trees { proc, sys })
}
