//! /proc/PID/mounts and mountinfo.
use super::Look;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use procfs::Output;
use sync::Once;
use vfs::{Mount, Namespace, Path};

static NAMESPACE: Once<Arc<Namespace>> = Once::new();

/// Says which tree of mounts all processes see. Once.
pub(crate) fn set_namespace(namespace: Arc<Namespace>) {
    let _ = NAMESPACE.set(namespace);
}

type Row = fn(&Arc<Mount>, &Path, &mut Vec<u8>) -> Result<(), Errno>;

/// A row for each mount that `look`'s task can reach. EINVAL for one that has ended.
fn rows(look: &Look, output: &mut Output, row: Row) -> Result<(), Errno> {
    let context = look.task.files.context_if_any().ok_or(Errno::EINVAL)?;
    let mounts = NAMESPACE.get().map(|namespace| namespace.mounts()).unwrap_or_default();
    let mut text = Vec::new();
    for mount in &mounts {
        text.clear();
        row(mount, &context.root, &mut text)?;
        output.bytes(&text);
    }
    Ok(())
}

pub(crate) fn mounts(look: &Look, output: &mut Output) -> Result<(), Errno> {
    rows(look, output, vfs::calls::mount_row)
}

pub(crate) fn information(look: &Look, output: &mut Output) -> Result<(), Errno> {
    rows(look, output, vfs::calls::mount_info)
}
