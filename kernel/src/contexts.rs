//! `contexts`: what code is told of the context in which it runs, asked in each.
//!
//! Reading the file goes through them: the reader's own thread, with preemption, softirqs or interrupts held off or not; a softirq; a
//! hard interrupt, which is a timer's; the same above a section with softirqs off, and above a softirq; an NMI; a kernel thread. Each
//! notes what Linux's macros would answer (include/linux/preempt.h), whether it could sleep, and on which stack it was.
use crate::{interrupts, softirqs};
use abi::Errno;
use alloc::sync::Arc;
use arch::context::Context;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use irq::Softirq;
use procfs::{Listing, Node, Output, Text};
use sync::atomic_context::Held;
use sync::{InterruptsOff, Mutex, Preempt, Rank, Sleep, SoftirqsOff, WaitQueue};
use task::kernel_threads::{self, Role};

/// Nanoseconds after which a context that should have come by then counts as one that did not.
const PATIENCE: u64 = 1_000_000_000;
/// Nanoseconds until an interrupt that is asked for.
const SOON: u64 = 200_000;
/// How often one is asked for until it comes on the reader's own CPU.
const ATTEMPTS: u32 = 16;
/// Linux's for polling of block devices, which nothing here raises.
const OWN_SOFTIRQ: Softirq = Softirq::InterruptPoll;

/// What one context was told.
#[derive(Clone, Copy)]
struct Answer {
    context: Context,
    may_sleep: bool,
    stack: usize,
    cpu: usize,
}

impl Answer {
    #[inline(never)]
    fn here() -> Self {
        let place = 0_u8;
        Self {
            context: Context::of(arch::cpu::preempt_word()),
            may_sleep: sync::ambient::may_sleep(),
            stack: (&raw const place).addr(),
            cpu: arch::cpu::id(),
        }
    }
}

/// An answer from a context that shares no stack with whoever waits for it: three words, the last of which says that they are there.
struct Place([AtomicU64; 3]);

const THERE: u64 = 1 << 63;

impl Place {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 3])
    }

    fn note(&self) {
        let answer = Answer::here();
        self.0[0].store(answer.stack as u64, Ordering::Relaxed);
        self.0[1].store(answer.cpu as u64, Ordering::Relaxed);
        let word = u64::from(answer.context.word()) | u64::from(answer.may_sleep) << 32;
        self.0[2].store(word | THERE, Ordering::Release);
    }

    fn take(&self) -> Option<Answer> {
        let word = self.0[2].swap(0, Ordering::Acquire);
        (word & THERE != 0).then(|| Answer {
            context: Context::of(word as u32),
            may_sleep: word >> 32 & 1 != 0,
            stack: self.0[0].load(Ordering::Relaxed) as usize,
            cpu: self.0[1].load(Ordering::Relaxed) as usize,
        })
    }
}

static IN_INTERRUPT: Place = Place::new();
static IN_SOFTIRQ: Place = Place::new();
static IN_NMI: Place = Place::new();
static IN_THREAD: Place = Place::new();
static NMI_WANTED: AtomicBool = AtomicBool::new(false);
static WAIT_FOR_INTERRUPT: AtomicBool = AtomicBool::new(false);
/// The interrupt had come before the context began in which it was waited for.
static CAME_EARLY: AtomicBool = AtomicBool::new(false);
/// Woken when one of them is there.
static CHANGED: WaitQueue = WaitQueue::new();
/// The CPU on which the reader waited last.
static LAST_CPU: AtomicUsize = AtomicUsize::new(0);
/// One reader at a time.
static SESSION: Mutex<()> = Mutex::new(Rank::FileSystem, ());

impl Place {
    fn is_there(&self) -> bool {
        self.0[2].load(Ordering::Acquire) & THERE != 0
    }

    fn cpu(&self) -> usize {
        self.0[1].load(Ordering::Relaxed) as usize
    }
}

/// A timer's interrupt.
struct Interrupt;

impl scheduler::Expire for Interrupt {
    fn expire(&self, _: u64) -> Option<u64> {
        IN_INTERRUPT.note();
        CHANGED.wake_all();
        None
    }
}

/// The action of a softirq that nobody else has. Where it is told to, it stays until an interrupt came above it.
struct Served;

impl irq::Action for Served {
    fn serve(&self) {
        IN_SOFTIRQ.note();
        if WAIT_FOR_INTERRUPT.swap(false, Ordering::Relaxed) {
            CAME_EARLY.store(IN_INTERRUPT.is_there(), Ordering::Relaxed);
            spin_until(|| IN_INTERRUPT.is_there());
        }
    }
}

/// For contexts that cannot sleep. Bounded.
fn spin_until(condition: impl Fn() -> bool) {
    let deadline = sync::now() + PATIENCE;
    while !condition() && sync::now() < deadline {
        core::hint::spin_loop();
    }
}

/// For those that can.
fn sleep_until(condition: impl Fn() -> bool) {
    let deadline = sync::now() + PATIENCE;
    let _ = CHANGED.wait(Sleep::Uninterruptible, Some(deadline), || condition().then_some(()));
}

/// In every NMI: true where it was asked for here.
pub fn nmi() -> bool {
    let wanted = NMI_WANTED.swap(false, Ordering::Relaxed);
    if wanted {
        IN_NMI.note();
    }
    wanted
}

/// What code hears in an interrupt that comes while `wait` runs, above it on the same CPU.
fn interrupt_above(wait: impl Fn()) -> Result<Option<Answer>, Errno> {
    for _ in 0..ATTEMPTS {
        let timer = scheduler::Timer::calling(Arc::new(Interrupt)).ok_or(Errno::ENOMEM)?;
        IN_INTERRUPT.take();
        CAME_EARLY.store(false, Ordering::Relaxed);
        timer.arm(sync::now() + SOON);
        wait();
        let answer = IN_INTERRUPT.take();
        // The thread may have been moved away from the timer's CPU before it began to wait.
        let here = LAST_CPU.load(Ordering::Relaxed);
        if !CAME_EARLY.load(Ordering::Relaxed) && answer.is_none_or(|answer| answer.cpu == here) {
            return Ok(answer);
        }
    }
    Ok(None)
}

fn wait_asleep() {
    sleep_until(|| IN_INTERRUPT.is_there());
    LAST_CPU.store(IN_INTERRUPT.cpu(), Ordering::Relaxed);
}

fn wait_with_softirqs_off() {
    let held = Held::<SoftirqsOff>::new();
    CAME_EARLY.store(IN_INTERRUPT.is_there(), Ordering::Relaxed);
    LAST_CPU.store(arch::cpu::id(), Ordering::Relaxed);
    spin_until(|| IN_INTERRUPT.is_there());
    drop(held);
}

fn wait_in_softirq() {
    let held = Held::<Preempt>::new();
    LAST_CPU.store(arch::cpu::id(), Ordering::Relaxed);
    WAIT_FOR_INTERRUPT.store(true, Ordering::Relaxed);
    // Served at the end of this section: not while preemption is off.
    sync::ambient::raise_softirq(OWN_SOFTIRQ as u32);
    sync::ambient::softirqs_disable();
    drop(held);
    sync::ambient::softirqs_enable();
}

fn under<C: sync::Context>() -> Answer {
    let held = Held::<C>::new();
    let answer = Answer::here();
    drop(held);
    answer
}

fn softirq() -> Option<Answer> {
    IN_SOFTIRQ.take();
    irq::raise(OWN_SOFTIRQ);
    IN_SOFTIRQ.take()
}

fn non_maskable() -> Option<Answer> {
    let held = Held::<Preempt>::new();
    IN_NMI.take();
    if let (Some(local), Some(own)) = (interrupts::local(), crate::cpus::apic_id(arch::cpu::id())) {
        NMI_WANTED.store(true, Ordering::Relaxed);
        local.send_nmi(apic::Target::One(own));
        spin_until(|| IN_NMI.is_there());
    }
    drop(held);
    IN_NMI.take()
}

fn kernel_thread() -> Result<Option<Answer>, Errno> {
    IN_THREAD.take();
    let note = || {
        IN_THREAD.note();
        CHANGED.wake_all();
    };
    kernel_threads::spawn(format_args!("contexts"), Role::Free, note).ok_or(Errno::ENOMEM)?;
    sleep_until(|| IN_THREAD.is_there());
    Ok(IN_THREAD.take())
}

struct Contexts;

impl Text for Contexts {
    /// ENOMEM.
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let _session = SESSION.lock();
        let rows = [
            ("process", Some(Answer::here())),
            ("preemption-off", Some(under::<Preempt>())),
            ("softirqs-off", Some(under::<SoftirqsOff>())),
            ("interrupts-off", Some(under::<InterruptsOff>())),
            ("softirq", softirq()),
            ("hardirq", interrupt_above(wait_asleep)?),
            ("hardirq-above-softirqs-off", interrupt_above(wait_with_softirqs_off)?),
            ("hardirq-above-softirq", interrupt_above(wait_in_softirq)?),
            ("nmi", non_maskable()),
            ("kernel-thread", kernel_thread()?),
        ];
        let _ = writeln!(output, "context {} stack", QUESTIONS.map(|(name, _)| name).join(" "));
        // Only for want of memory, which the output remembers.
        let _ = rows.iter().try_for_each(|(name, answer)| row(output, name, *answer));
        Ok(())
    }
}

type Question = (&'static str, fn(&Answer) -> bool);

const QUESTIONS: [Question; 7] = [
    ("in_task", |answer| answer.context.in_task()),
    ("in_softirq", |answer| answer.context.in_softirq()),
    ("in_serving_softirq", |answer| answer.context.in_serving_softirq()),
    ("in_hardirq", |answer| answer.context.in_hardirq()),
    ("in_nmi", |answer| answer.context.in_nmi()),
    ("in_interrupt", |answer| answer.context.in_interrupt()),
    ("may_sleep", |answer| answer.may_sleep),
];

fn row(output: &mut Output, name: &str, answer: Option<Answer>) -> fmt::Result {
    let Some(answer) = answer else { return writeln!(output, "{name} did not come") };
    write!(output, "{name}")?;
    QUESTIONS.iter().try_for_each(|(_, ask)| write!(output, " {}", u32::from(ask(&answer))))?;
    writeln!(output, " {}", stack_of(&answer))
}

/// Whose stack it was.
fn stack_of(answer: &Answer) -> &'static str {
    let own = sync::current().stack_top().map(|end| end - memory::KERNEL_STACK_SIZE..end);
    if own.is_some_and(|range| range.contains(&answer.stack)) {
        return "reader";
    }
    let stacks = trap::cpu_stacks(answer.cpu);
    let found = stacks.iter().flatten().find(|stack| (stack.bottom..stack.end).contains(&answer.stack));
    found.map_or("thread", |stack| stack.name)
}

/// Makes the file in `folder`. EEXIST.
pub fn register(folder: &Listing) -> Result<(), Errno> {
    if let Some(softirqs) = softirqs::all() {
        softirqs.open(OWN_SOFTIRQ, &Served);
    }
    folder.add("contexts", Node::text(Arc::new(Contexts)).with_permissions(0o400))
}
