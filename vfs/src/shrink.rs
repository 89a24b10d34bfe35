//! Giving memory back: dentries that nobody uses.
//!
//! A sweep in two rounds (the "clock" algorithm) over the tree itself: what was looked up since the last sweep is spared once.
//! So look-ups keep no list in order, and take no lock for it.
use crate::dentry::Dentry;
use crate::superblock::SuperBlock;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Drops up to `wanted` unused dentries of a file system, and with them the inodes that the file system itself does not
/// keep. Answers how many. May sleep.
pub fn shrink(superblock: &SuperBlock, wanted: usize) -> usize {
    let Ok(root) = superblock.root() else { return 0 };
    let mut dropped = 0;
    for _ in 0..2 {
        dropped += sweep(&root, wanted - dropped);
        if dropped >= wanted {
            break;
        }
    }
    dropped
}

/// One round, children before their parents.
fn sweep(root: &Arc<Dentry>, wanted: usize) -> usize {
    let mut dropped = 0;
    visit(root, |parent, done| {
        let evicted = dropped < wanted && done.lock_children().names.is_empty() && parent.evict_child(done);
        dropped += usize::from(evicted);
        dropped < wanted
    });
    dropped
}

/// How many dentries of a file system nobody holds but the cache. May sleep.
pub(crate) fn unused(superblock: &SuperBlock) -> usize {
    let Ok(root) = superblock.root() else { return 0 };
    let mut unused = 0;
    visit(&root, |_, dentry| {
        // The index and this sweep hold it; whoever uses it, or is below it, does too.
        unused += usize::from(Arc::strong_count(dentry) == 2);
        true
    });
    unused
}

/// Calls `leave` with each dentry below `root` and its parent, children before their parents, until it answers false.
fn visit(root: &Arc<Dentry>, mut leave: impl FnMut(&Arc<Dentry>, &Arc<Dentry>) -> bool) {
    let mut below: Vec<(Arc<Dentry>, u64)> = alloc::vec![(root.clone(), 0)];
    while let Some((dentry, from)) = below.last_mut() {
        match dentry.next_child(*from) {
            Some((child, next)) => {
                *from = next;
                if below.try_reserve(1).is_err() {
                    return;
                }
                below.push((child, 0));
            }
            None => {
                let Some((done, _)) = below.pop() else { return };
                let Some((parent, _)) = below.last() else { return };
                if !leave(parent, &done) {
                    return;
                }
            }
        }
    }
}
