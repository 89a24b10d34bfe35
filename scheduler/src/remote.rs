//! Calls to other CPUs, each acknowledged.
//!
//! A caller has one outgoing request of its own: it writes it, tells each target "look at mine", interrupts them, and waits
//! with interrupts *on* (another caller may be waiting for this CPU). A target takes its callers one by one, does what each
//! asks, and strikes itself off the caller's list. Nothing is allocated, and callers do not queue behind each other.
use crate::cpus;
use arch::CpuSet;
use core::ops::Range;
use sync::atomic_context::Held;
use sync::{InterruptsOff, Once, Preempt, Rank, SpinLock};

/// What another CPU is asked to do.
#[derive(Clone, Debug, Default)]
pub enum Request {
    /// Nothing but to answer: afterwards it has left whatever it was doing with interrupts off.
    #[default]
    Answer,
    /// Drop the translations of this range of user addresses.
    Flush(Range<usize>),
    /// Drop all translations of user addresses.
    FlushAll,
    /// Give the heap the objects back that it keeps.
    EmptyMagazines,
}

/// Pages up to which a range is flushed page by page.
const SINGLY: usize = 32;

pub(crate) struct Remote {
    /// Held by the caller for the whole call: its CPU makes one at a time.
    calling: SpinLock<(), Preempt>,
    request: SpinLock<Request, InterruptsOff>,
    unanswered: CpuSet,
    callers: CpuSet,
}

impl Remote {
    pub const fn new() -> Self {
        Self {
            calling: SpinLock::new(Rank::RemoteCall, ()),
            request: SpinLock::new(Rank::Leaf, Request::Answer),
            unanswered: CpuSet::new(),
            callers: CpuSet::new(),
        }
    }
}

/// Sends the interrupt that makes a CPU look at its callers.
pub type Interrupt = &'static (dyn Fn(usize) + Sync);

static INTERRUPT: Once<Interrupt> = Once::new();

/// Says how CPUs are interrupted for calls. Once.
pub fn set_remote_interrupt(interrupt: Interrupt) {
    let _ = INTERRUPT.set(interrupt);
}

/// Has every CPU in `targets` but this one do `request`, and returns when all have. Interrupts must be on.
pub fn call(targets: &CpuSet, request: &Request) {
    let Some(interrupt) = INTERRUPT.get() else { return };
    debug_assert!(arch::cpu::interrupt_depth() == 0, "a remote call is never waited for with interrupts off");
    // From here on this CPU is the one that calls.
    let _held = Held::<Preempt>::new();
    let here = &cpus::this().remote;
    let _calling = here.calling.lock();
    let own = arch::cpu::id();
    let mut any = false;
    for target in targets.iter().filter(|&target| target != own && target < cpus::cpu_count()) {
        if !any {
            *here.request.lock() = request.clone();
            any = true;
        }
        here.unanswered.insert(target);
        cpus::cpu(target).remote.callers.insert(own);
        interrupt(target);
    }
    while any && !here.unanswered.is_empty() {
        sync::ambient::relax();
    }
}

/// Gives back all that any CPU keeps for its next use: timers, stacks, page tables, small objects, pages. Process context, interrupts on,
/// under no spinlock.
pub fn give_back_kept() {
    crate::timers::give_back();
    memory::kept::give_back_stacks_and_tables();
    let staying = Held::<Preempt>::new();
    call(memory::tlb::online(), &Request::EmptyMagazines);
    memory::slab::drain();
    drop(staying);
    memory::kept::give_back_slabs_and_pages();
}

/// The interrupt of a remote call: does what all callers ask. Hard-interrupt context.
pub fn remote_interrupt() {
    let own = arch::cpu::id();
    for caller in cpus::cpu(own).remote.callers.iter() {
        cpus::cpu(own).remote.callers.remove(caller);
        let remote = &cpus::cpu(caller).remote;
        let request = remote.request.lock().clone();
        perform(&request);
        remote.unanswered.remove(own);
    }
}

fn perform(request: &Request) {
    match request {
        Request::Answer => {}
        Request::Flush(range) if range.len() <= SINGLY * memory::PAGE_SIZE => {
            range.clone().step_by(memory::PAGE_SIZE).for_each(arch::instructions::invalidate_page);
        }
        Request::Flush(_) | Request::FlushAll => arch::instructions::flush_tlb(),
        Request::EmptyMagazines => memory::slab::drain(),
    }
}
