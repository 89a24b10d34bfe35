//! Counting from below: a piece of code is executed one instruction at a time, and each instruction is looked at before it runs.
//!
//! With the trap flag set, the processor interrupts behind every instruction, and the kernel hands that on as SIGTRAP. The handler sees
//! where the program stands, and so whether the next instruction is one that calls the kernel (`syscall`, `int`, `sysenter`). It
//! needs no interface for tracing, sees into the vDSO, and counts what the program itself does, whatever the kernel says.

use std::arch::asm;
use std::mem::zeroed;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a piece of code did in user mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    pub instructions: u64,
    /// Instructions that call the kernel.
    pub calls: u64,
    /// Those of the calls that were futex.
    pub futexes: u64,
}

static INSTRUCTIONS: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static FUTEXES: AtomicU64 = AtomicU64::new(0);

extern "C" fn step(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    INSTRUCTIONS.fetch_add(1, Ordering::Relaxed);
    let next = registers[libc::REG_RIP as usize] as *const [u8; 2];
    // syscall, sysenter, int n.
    match unsafe { next.read_unaligned() } {
        [0x0f, 0x05 | 0x34] | [0xcd, _] => {
            CALLS.fetch_add(1, Ordering::Relaxed);
            if registers[libc::REG_RAX as usize] == libc::SYS_futex {
                FUTEXES.fetch_add(1, Ordering::Relaxed);
            }
        }
        _ => {}
    }
}

/// Steps through `work`, on this thread.
#[inline(never)]
pub fn steps(mut work: impl FnMut()) -> Steps {
    let read = || Steps {
        instructions: INSTRUCTIONS.load(Ordering::Relaxed),
        calls: CALLS.load(Ordering::Relaxed),
        futexes: FUTEXES.load(Ordering::Relaxed),
    };
    let before = read();
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = step as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(libc::SIGTRAP, &action, std::ptr::null_mut());
        asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq");
    }
    work();
    unsafe { asm!("pushfq", "and qword ptr [rsp], -257", "popfq") };
    let after = read();
    Steps {
        instructions: after.instructions - before.instructions,
        calls: after.calls - before.calls,
        futexes: after.futexes - before.futexes,
    }
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn calls_are_seen_and_other_instructions_are_not_calls() {
        // In a process of its own: the handler's counts are the process's.
        let seen = crate::observe::run_in_child(|| {
            let quiet = steps(|| {
                std::hint::black_box(1_u64.wrapping_mul(std::hint::black_box(3)));
            });
            let loud = steps(|| {
                unsafe { libc::getppid() };
            });
            [quiet, loud]
        });
        let [quiet, loud] = seen.unwrap().unwrap();
        assert_eq!((quiet.calls, loud.calls), (0, 1));
        assert!(quiet.instructions > 2 && loud.instructions > 2, "{quiet:?} {loud:?}");
    }
}
