//! How many instructions a call costs, counted one by one: the processor traps after each while the trap flag is set.

mod loaded;

use loaded::*;
use std::arch::asm;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use time::{Clock, Timespec};
use vdso_image::{CPU_SOURCE_SEGMENT, Contents};

static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Counts where the trapped instruction's successor is code of the image: so all of them but the return, for which the call counts.
extern "C" fn trapped(_signal: i32, _information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a context.
    let at = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize] } as usize;
    if (START.load(Ordering::Relaxed)..END.load(Ordering::Relaxed)).contains(&at) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many instructions of the image `call` runs.
fn count(vdso: &Loaded, call: impl Fn()) -> usize {
    START.store(vdso.code().start, Ordering::Relaxed);
    END.store(vdso.code().end, Ordering::Relaxed);
    COUNT.store(0, Ordering::Relaxed);
    // SAFETY: the flag is set and cleared again by the same thread, whose handler is there.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    call();
    // SAFETY: as above.
    unsafe { asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq") };
    COUNT.load(Ordering::Relaxed)
}

#[test]
fn calls_stay_below_their_budgets() {
    // SAFETY: a zeroed action is valid, and the handler has the type that SA_SIGINFO asks for.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = trapped as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, null_mut()), 0);
    }
    let clock = Clock::starting(2_000_000_000, cycles() - 9_000_000_000).unwrap();
    let clock = clock.with_realtime(Timespec::new(1_700_000_000, 999_999_999).unwrap(), cycles()).unwrap();
    let vdso = Loaded::with(&Contents { cpu_source: CPU_SOURCE_SEGMENT, ..exact(clock) });
    let (gettime, gettimeofday, seconds, getcpu) =
        (vdso.clock_gettime(), vdso.gettimeofday(), vdso.time(), vdso.getcpu());
    let budgets =
        [(REALTIME, 30), (MONOTONIC, 30), (BOOTTIME, 40), (REALTIME_COARSE, 40), (MONOTONIC_COARSE, 40), (TAI, 42)];
    for (id, budget) in budgets {
        let taken = count(&vdso, || {
            let mut time = [0; 2];
            // SAFETY: the pointer is good.
            unsafe { gettime(id, &mut time) };
        });
        println!("clock_gettime({id}): {taken} instructions");
        assert!(taken > 5 && taken <= budget, "clock_gettime({id}): {taken} instructions, {budget} allowed");
    }
    // SAFETY: the pointers are good or null.
    let others: [(&str, usize, &dyn Fn()); 3] = [
        ("gettimeofday", 32, &|| unsafe { assert_ok(gettimeofday(&mut [0; 2], null_mut())) }),
        ("time", 24, &|| unsafe { assert_ok(i32::from(seconds(null_mut()) == 0)) }),
        ("getcpu", 22, &|| unsafe { assert_ok(getcpu(&mut 0, &mut 0, 0)) }),
    ];
    for (name, budget, call) in others {
        let taken = count(&vdso, call);
        println!("{name}: {taken} instructions");
        assert!(taken > 3 && taken <= budget, "{name}: {taken} instructions, {budget} allowed");
    }
}

fn assert_ok(answer: i32) {
    assert_eq!(answer, 0);
}
