//! How the machine ends: reboot(2)'s last step, by whoever knows the hardware.
use sync::Once;

/// The ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Restart,
    PowerOff,
    /// Stop, and leave the power on.
    Halt,
}

/// The hardware that can be ended.
pub trait Machine: Sync {
    /// Stops the other CPUs and ends as asked; where the hardware cannot, halts. Process context, nothing held.
    fn end(&self, how: End) -> !;
}

static MACHINE: Once<&'static dyn Machine> = Once::new();

/// Says how the machine is ended. Once, at boot.
pub fn set(machine: &'static dyn Machine) {
    let _ = MACHINE.set(machine);
}

/// Ends the machine. Programs and file systems are the caller's business.
///
/// # Panics
/// If nobody has said how: the boot code has to.
pub fn end(how: End) -> ! {
    match MACHINE.get() {
        Some(machine) => machine.end(how),
        None => panic!("reboot: no machine registered to {how:?}"),
    }
}
