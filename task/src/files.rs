//! What a task has open, and where it stands: each shared with other tasks or not, as clone(2) said.
use crate::tree;
use abi::Errno;
use alloc::sync::Arc;
use sync::{Rank, SpinLock};
use vfs::{DescriptorTable, FsContext, OpenFile, Path};

/// A folder to start from, a root and a umask, perhaps shared (CLONE_FS).
pub type SharedContext = Arc<SpinLock<Arc<FsContext>>>;

/// Descriptors and folders of a task.
pub struct Files {
    descriptors: SpinLock<Option<Arc<DescriptorTable>>>,
    context: SpinLock<Option<SharedContext>>,
}

/// Moves everybody whose root or current folder is `from` to `to` (pivot_root(2)).
pub fn move_all(from: &Path, to: &Path) {
    let (mut pid, mut tid) = (0, 0);
    while let Some(process) = tree::next_process(pid) {
        match tree::next_thread(process.pid, tid) {
            Some(task) => {
                task.files.relocate(from, to);
                tid = task.tid() + 1;
            }
            None => (pid, tid) = (process.pid + 1, 0),
        }
    }
}

impl Files {
    fn relocate(&self, from: &Path, to: &Path) {
        let Some(shared) = self.context.lock().clone() else { return };
        let old = shared.lock().clone();
        if old.root != *from && old.current != *from {
            return;
        }
        let moved = |path: &Path| if path == from { to.clone() } else { path.clone() };
        let new = Arc::new(FsContext { root: moved(&old.root), current: moved(&old.current), umask: old.umask });
        let replaced = core::mem::replace(&mut *shared.lock(), new);
        drop(replaced);
    }

    /// `context` may come later, before the first system call.
    pub fn new(descriptors: Arc<DescriptorTable>, context: Option<SharedContext>) -> Self {
        Self {
            descriptors: SpinLock::new(Rank::TaskFields, Some(descriptors)),
            context: SpinLock::new(Rank::TaskFields, context),
        }
    }

    /// The table of descriptors; `None` once the task has ended.
    #[inline]
    pub fn descriptors(&self) -> Option<Arc<DescriptorTable>> {
        self.descriptors.lock().clone()
    }

    /// The file behind a descriptor. EBADF.
    #[inline]
    pub fn open_file(&self, number: u32) -> Result<Arc<OpenFile>, Errno> {
        match &*self.descriptors.lock() {
            Some(table) => table.get(number),
            None => Err(Errno::EBADF),
        }
    }

    /// Replaces the table (exec, unshare, the end).
    pub fn set_descriptors(&self, table: Option<Arc<DescriptorTable>>) -> Option<Arc<DescriptorTable>> {
        core::mem::replace(&mut *self.descriptors.lock(), table)
    }

    /// Before a new program runs: an own table, without what is marked close-on-exec.
    pub(crate) fn prepare_for_exec(&self) {
        // Without memory for a table of its own, the program shares the old one.
        let _ = self.unshare_descriptors();
        let Some(table) = self.descriptors() else { return };
        table.close_for_exec(drop);
    }

    /// Makes the table one's own, where it is shared (unshare(2), CLONE_FILES). ENOMEM.
    pub fn unshare_descriptors(&self) -> Result<(), Errno> {
        let Some(table) = self.descriptors() else { return Ok(()) };
        // The task's own, and `table`.
        if Arc::strong_count(&table) > 2 {
            drop(self.set_descriptors(Some(Arc::new(table.fork()?))));
        }
        Ok(())
    }

    /// Makes root, working directory and umask one's own (unshare(2), CLONE_FS).
    pub fn unshare_context(&self) {
        let own = Arc::new(SpinLock::new(Rank::TaskContext, self.context()));
        self.set_shared_context(own);
    }

    /// Root, working directory and umask, as they are now. Of the running task.
    #[inline]
    pub fn context(&self) -> Arc<FsContext> {
        self.with_shared(|context| context.lock().clone())
    }

    /// The same of any task; `None` once it has ended.
    pub fn context_if_any(&self) -> Option<Arc<FsContext>> {
        self.context.lock().as_ref().map(|context| context.lock().clone())
    }

    /// INVARIANT: only the task's own end takes it away, after its last system call.
    #[inline]
    fn with_shared<R>(&self, look: impl FnOnce(&SharedContext) -> R) -> R {
        match &*self.context.lock() {
            Some(context) => look(context),
            None => unreachable!("a task that runs stands somewhere"),
        }
    }

    /// Lets go of all: the end of the task.
    pub(crate) fn release(&self) {
        drop(self.set_descriptors(None));
        let context = self.context.lock().take();
        drop(context);
    }

    /// Replaces them, for everybody who shares them; answers the old ones.
    pub fn set_context(&self, context: Arc<FsContext>) -> Arc<FsContext> {
        self.with_shared(|shared| core::mem::replace(&mut *shared.lock(), context))
    }

    /// The shared object itself, for clone(2).
    pub fn shared_context(&self) -> SharedContext {
        self.with_shared(Arc::clone)
    }

    pub fn set_shared_context(&self, context: SharedContext) {
        let old = self.context.lock().replace(context);
        drop(old);
    }
}
