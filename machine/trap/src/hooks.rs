//! What the floors above do for traps.
use crate::context::KernelFrame;
use sync::Once;

/// The kernel's side. One object, registered at boot.
pub trait Hooks: Sync {
    /// Serves interrupt `vector`, which came from user mode or from the kernel. Hard-interrupt context, on the interrupt stack.
    fn interrupt(&self, vector: u8, from_user: bool);
    /// A fault of a user-copy routine: brings the page in, sleeping if need be. False where the program itself could not have
    /// made the access.
    fn user_page(&self, address: usize, write: bool) -> bool;
    /// An NMI. No locks.
    fn nmi(&self, frame: &KernelFrame);
    /// Kernel code faulted.
    fn fatal(&self, frame: &KernelFrame, address: Option<usize>) -> !;
}

static HOOKS: Once<&'static dyn Hooks> = Once::new();

/// Registers the kernel's side. Once, before the first interrupt.
///
/// # Panics
/// When called again.
pub fn register(hooks: &'static dyn Hooks) {
    assert!(HOOKS.set(hooks).is_ok(), "trap hooks register once");
}

#[inline(always)]
pub(crate) fn hooks() -> Option<&'static dyn Hooks> {
    HOOKS.get().copied()
}
