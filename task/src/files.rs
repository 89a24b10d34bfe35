//! What a task has open, and where it stands: each shared with other tasks or not, as clone(2) said.
use alloc::sync::Arc;
use sync::{Rank, SpinLock};
use vfs::{DescriptorTable, FsContext};

/// A folder to start from, a root and a umask, perhaps shared (CLONE_FS).
pub type SharedContext = Arc<SpinLock<FsContext>>;

/// Descriptors and folders of a task.
pub struct Files {
    descriptors: SpinLock<Option<Arc<DescriptorTable>>>,
    context: SpinLock<SharedContext>,
}

impl Files {
    pub fn new(descriptors: Arc<DescriptorTable>, context: SharedContext) -> Self {
        Self { descriptors: SpinLock::new(Rank::TaskFields, Some(descriptors)), context: SpinLock::new(Rank::TaskFields, context) }
    }

    /// The table of descriptors; `None` once the task has ended.
    #[inline]
    pub fn descriptors(&self) -> Option<Arc<DescriptorTable>> {
        self.descriptors.lock().clone()
    }

    /// Replaces the table (exec, unshare, the end).
    pub fn set_descriptors(&self, table: Option<Arc<DescriptorTable>>) -> Option<Arc<DescriptorTable>> {
        core::mem::replace(&mut *self.descriptors.lock(), table)
    }

    /// Before a new program runs: an own table, without what is marked close-on-exec.
    pub(crate) fn prepare_for_exec(&self) {
        let Some(table) = self.descriptors() else { return };
        let table = if Arc::strong_count(&table) > 2 {
            match table.duplicate() {
                Ok(own) => {
                    let own = Arc::new(own);
                    drop(self.set_descriptors(Some(own.clone())));
                    own
                }
                Err(_) => table,
            }
        } else {
            table
        };
        table.close_on_exec();
    }

    /// A copy of root, working directory and umask.
    pub fn context(&self) -> FsContext {
        let shared = self.context.lock().clone();
        let context = shared.lock();
        context.clone()
    }

    /// Changes them, for everybody who shares them.
    pub fn change_context<R>(&self, change: impl FnOnce(&mut FsContext) -> R) -> R {
        let shared = self.context.lock().clone();
        let mut context = shared.lock();
        change(&mut context)
    }

    /// The shared object itself, for clone(2).
    pub fn shared_context(&self) -> SharedContext {
        self.context.lock().clone()
    }

    pub fn set_shared_context(&self, context: SharedContext) {
        let old = core::mem::replace(&mut *self.context.lock(), context);
        drop(old);
    }
}
