//! Panics on purpose, to see that each is reported and ends the machine.
//!
//! `birgus.provoke=NAME` on the command line has PID 1, before it executes its program, do what [`Provocation`] names. This is always
//! compiled in: a report that has only been seen in a special build has not been seen.
use crate::interrupts;
use alloc::sync::Arc;
use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, Ordering};
use sync::Sleep;
use task::kernel_threads::{self, Role};

/// Name, and what is done.
type Provocation = (&'static str, fn());

const ALL: &[Provocation] = &[
    ("panic", plainly),
    ("console-lock", under_console_lock),
    ("heap-lock", under_heap_lock),
    ("frames-lock", under_frames_lock),
    ("run-queue-lock", under_run_queue_lock),
    ("tree-lock", under_tree_lock),
    ("nmi", in_nmi),
    ("interrupt", in_interrupt),
    ("second-cpu", on_second_cpu),
    ("panic-in-panic", in_panic),
    ("stack-overflow", stack_overflow),
    ("soft-lockup", soft_lockup),
    ("hard-lockup", hard_lockup),
    ("hung-task", hung_task),
];

static IN_NMI: AtomicBool = AtomicBool::new(false);

/// What PID 1 does first, by its name.
pub fn find(name: &str) -> Option<fn()> {
    let found = ALL.iter().find(|(known, _)| *known == name).map(|(_, act)| *act);
    if found.is_none() {
        klog::error!("birgus.provoke: nothing is called {name}");
    }
    found
}

fn plainly() {
    panic!("provoked");
}

fn under_console_lock() {
    klog::with_ring(|_| panic!("provoked with the log's lock held"))
}

fn under_heap_lock() {
    memory::slab::with_class_locked(64, || panic!("provoked with a lock of the heap held"))
}

fn under_frames_lock() {
    memory::zones::with_zone_locked(memory::ZoneKind::Dma32, || panic!("provoked with a zone's lock held"))
}

fn under_run_queue_lock() {
    scheduler::with_queue_locked(|| panic!("provoked with the run queue's lock held"))
}

fn under_tree_lock() {
    let _tree = task::tree::lock();
    panic!("provoked with the process tree's lock held")
}

/// In every NMI that has no other reason.
pub fn nmi() {
    assert!(!IN_NMI.load(Ordering::Relaxed), "provoked in an NMI");
}

fn in_nmi() {
    IN_NMI.store(true, Ordering::Relaxed);
    if let (Some(local), Some(own)) = (interrupts::local(), crate::cpus::apic_id(arch::cpu::id())) {
        local.send_nmi(apic::Target::One(own));
    }
    wait_here();
}

struct Panics;

impl scheduler::Expire for Panics {
    fn expire(&self, _: u64) -> Option<u64> {
        panic!("provoked in a hard interrupt")
    }
}

/// Not preempted meanwhile: it is this that the report is to show interrupted.
fn in_interrupt() {
    let Some(timer) = scheduler::Timer::calling(Arc::new(Panics)) else { return };
    sync::ambient::preempt_disable();
    timer.arm(sync::now() + 1_000_000);
    wait_here();
}

/// A new thread goes to the CPU with the least to do, which is not the one that runs this.
fn on_second_cpu() {
    if arch::cpu::id() == 0 {
        drop(kernel_threads::spawn(format_args!("provoked"), Role::Free, on_second_cpu));
        wait_here();
    }
    panic!("provoked on another CPU");
}

fn in_panic() {
    panic!("{}", PanicsWhenShown);
}

struct PanicsWhenShown;

impl core::fmt::Display for PanicsWhenShown {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        panic!("provoked while a panic was being reported")
    }
}

fn stack_overflow() {
    black_box(overflow(black_box(1)));
}

#[expect(unconditional_recursion, reason = "meant to overflow the stack")]
fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    overflow(frame[0] + 1) + frame[1]
}

fn soft_lockup() {
    sync::ambient::preempt_disable();
    wait_here();
}

/// Where it can be seen: another CPU looks.
fn hard_lockup() {
    sync::ambient::interrupts_disable();
    wait_here();
}

fn hung_task() {
    let _ = sync::park(Sleep::Uninterruptible, None, || None::<()>);
}

fn wait_here() {
    let never = AtomicBool::new(false);
    while !black_box(&never).load(Ordering::Relaxed) {
        spin_loop();
    }
}
