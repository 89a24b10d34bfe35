//! Two kinds of privilege.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "Even the superuser's programs run in user mode: root is a right to ask, not a mode of the processor.",
    experiment: "A process reads the privilege level from CS and tries `cli`, once as root and once as user 1000. The control lets both make a call that is only for root: raising \
        their own priority.",
    expected: "The processor knows nothing of users. It looks at the level of the running code, which is 3 for every program. Who the user is the kernel looks up itself, when it is asked \
        to do something.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the wait status, and setpriority's answer"),
    run,
};

/// What a deed as root and as another user comes to.
fn as_both(deed: fn() -> bool) -> Result<(&'static str, &'static str), Trouble> {
    let told = |user: u32| -> Result<&'static str, Trouble> {
        let allowed = run_in_child(|| {
            if user != 0 {
                unsafe { (libc::setgid(user), libc::setuid(user)) };
            }
            deed()
        })?;
        // One that the processor refuses is killed and answers nothing.
        Ok(if allowed == Some(true) { "allowed" } else { "refused" })
    };
    Ok((told(0)?, told(1000)?))
}

fn mask_interrupts() -> bool {
    unsafe { asm!("cli", "sti") };
    true
}

fn raise_priority() -> bool {
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -5) == 0 }
}

fn level() -> u64 {
    let code: u64;
    unsafe { asm!("mov {0:r}, cs", out(reg) code, options(nomem, nostack)) };
    code & 3
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    if unsafe { libc::geteuid() } != 0 {
        return Err(Trouble::not_observable("this is not run by root"));
    }
    let (instruction, call) = lab.pair(|| as_both(mask_interrupts), || as_both(raise_priority))?;
    lab.mechanism("privilege level of root's program", level(), "").equals(3, "as any program's");
    lab.mechanism("cli as root", instruction.0, "").equals("refused", "the processor knows no users");
    lab.mechanism("cli as user 1000", instruction.1, "").equals("refused", "likewise");
    lab.control("raising one's priority as root", call.0, "").equals("allowed", "the kernel looks who asks");
    lab.control("raising it as user 1000", call.1, "").equals("refused", "the kernel looks who asks");
    Ok(())
}
