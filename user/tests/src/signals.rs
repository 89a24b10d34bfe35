//! Signals: handlers and their flags, masks, queues, waits, and the calls that they interrupt.
use crate::call::{errno, must};
use crate::child::{End, PAGE, fork, handle, map, pipe, run, sleep, wait};
use crate::sys;
use crate::waiting::disturb;
use std::mem::zeroed;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

crate::tests!(
    handler_runs_once,
    mask_holds_back,
    handler_masks_itself,
    handler_mask_adds,
    no_defer,
    reset_handler,
    ignored_signals_vanish,
    kill_and_stop_cannot_be_caught,
    ignoring_discards_pending,
    standard_signals_do_not_queue,
    real_time_signals_queue_in_order,
    lower_numbers_first,
    queued_values,
    sender_is_told,
    forged_codes_are_refused,
    alternate_stack,
    alternate_stack_rules,
    alternate_stack_disarmed,
    wait_for_a_signal,
    wait_for_a_signal_times_out,
    suspend_restores_the_mask,
    pause_returns_after_a_handler,
    to_a_group,
    to_a_thread,
    process_signal_goes_to_a_thread_that_takes_it,
    running_elsewhere_is_interrupted,
    process_signal_that_its_thread_blocks_goes_to_another,
    handlers_are_shared_by_threads,
    continue_discards_stops,
    stop_discards_continue,
    read_is_interrupted,
    read_is_restarted,
    nanosleep_tells_what_remains,
    nanosleep_goes_on_after_a_stop,
    poll_is_interrupted_despite_restart,
    select_is_interrupted_despite_restart,
    futex_wait_is_interrupted,
    futex_wait_is_restarted,
    ignored_signals_interrupt_nothing,
    write_to_a_full_pipe_is_short,
    mask_is_restored_by_sigreturn,
    mask_is_inherited_by_threads,
    sigaction_reads_back,
    sigaction_rejects_nonsense,
    many_signals_between_processes,
    frames_on_a_stack_full_of_other_things,
    siglongjmp_leaves_a_handler,
    core_signals_say_so,
);

static COUNT: AtomicI32 = AtomicI32::new(0);

extern "C" fn count(_: i32) {
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn counted() -> i32 {
    COUNT.load(Ordering::SeqCst)
}

fn handler() -> usize {
    count as *const () as usize
}

fn raise(signal: i32) {
    must(unsafe { libc::raise(signal) });
}

fn set(signals: &[i32]) -> libc::sigset_t {
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        for &signal in signals {
            must(libc::sigaddset(&mut set, signal));
        }
        set
    }
}

fn mask(how: i32, signals: &[i32]) {
    must(unsafe { libc::sigprocmask(how, &set(signals), std::ptr::null_mut()) });
}

fn pending(signal: i32) -> bool {
    unsafe {
        let mut pending = zeroed();
        must(libc::sigpending(&mut pending));
        libc::sigismember(&pending, signal) == 1
    }
}

fn handler_runs_once() {
    handle(libc::SIGUSR1, handler(), 0);
    raise(libc::SIGUSR1);
    assert_eq!(counted(), 1);
    raise(libc::SIGUSR1);
    assert_eq!(counted(), 2, "the handler stays");
}

fn mask_holds_back() {
    handle(libc::SIGUSR1, handler(), 0);
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    raise(libc::SIGUSR1);
    assert_eq!((counted(), pending(libc::SIGUSR1)), (0, true));
    mask(libc::SIG_UNBLOCK, &[libc::SIGUSR1]);
    assert_eq!((counted(), pending(libc::SIGUSR1)), (1, false), "delivered before sigprocmask returns");
}

static DEPTH: AtomicI32 = AtomicI32::new(0);
static DEEPEST: AtomicI32 = AtomicI32::new(0);

extern "C" fn nest(signal: i32) {
    let depth = DEPTH.fetch_add(1, Ordering::SeqCst) + 1;
    DEEPEST.fetch_max(depth, Ordering::SeqCst);
    if depth == 1 {
        raise(signal);
    }
    DEPTH.fetch_sub(1, Ordering::SeqCst);
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn handler_masks_itself() {
    extern "C" fn once(signal: i32) {
        if COUNT.fetch_add(1, Ordering::SeqCst) == 0 {
            raise(signal);
            DEEPEST.store(counted(), Ordering::SeqCst);
        }
    }
    handle(libc::SIGUSR1, once as *const () as usize, 0);
    raise(libc::SIGUSR1);
    assert_eq!((counted(), DEEPEST.load(Ordering::SeqCst)), (2, 1), "the second came after the first had ended");
}

fn handler_mask_adds() {
    extern "C" fn first(_: i32) {
        raise(libc::SIGUSR2);
        DEEPEST.store(counted(), Ordering::SeqCst);
    }
    handle(libc::SIGUSR2, handler(), 0);
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = first as *const () as usize;
        action.sa_mask = set(&[libc::SIGUSR2]);
        must(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()));
    }
    raise(libc::SIGUSR1);
    assert_eq!((DEEPEST.load(Ordering::SeqCst), counted()), (0, 1));
}

fn no_defer() {
    handle(libc::SIGUSR1, nest as *const () as usize, libc::SA_NODEFER);
    raise(libc::SIGUSR1);
    assert_eq!((DEEPEST.load(Ordering::SeqCst), counted()), (2, 2));
}

fn reset_handler() {
    let end = run(|| {
        handle(libc::SIGUSR1, handler(), libc::SA_RESETHAND);
        raise(libc::SIGUSR1);
        if counted() != 1 {
            return 1;
        }
        raise(libc::SIGUSR1);
        2
    });
    assert_eq!(end, End::Signal(libc::SIGUSR1));
}

fn ignored_signals_vanish() {
    handle(libc::SIGTERM, libc::SIG_IGN, 0);
    mask(libc::SIG_BLOCK, &[libc::SIGTERM, libc::SIGURG]);
    raise(libc::SIGTERM);
    raise(libc::SIGURG);
    assert!(pending(libc::SIGTERM) && pending(libc::SIGURG), "a blocked signal is kept even where it is ignored");
    mask(libc::SIG_UNBLOCK, &[libc::SIGTERM, libc::SIGURG]);
    assert!(!pending(libc::SIGTERM) && !pending(libc::SIGURG));
}

fn kill_and_stop_cannot_be_caught() {
    for signal in [libc::SIGKILL, libc::SIGSTOP] {
        for action in [libc::SIG_IGN, handler(), libc::SIG_DFL] {
            let words = [action, 0, 0, 0];
            assert_eq!(sys!(libc::SYS_rt_sigaction, signal, words.as_ptr(), 0, 8), Err(libc::EINVAL));
        }
        let mut words = [1usize; 4];
        assert_eq!(sys!(libc::SYS_rt_sigaction, signal, 0, words.as_mut_ptr(), 8), Ok(0), "asking is allowed");
        assert_eq!(words[0], 0);
    }
    mask(libc::SIG_BLOCK, &[libc::SIGKILL, libc::SIGSTOP]);
    let mut now = unsafe { zeroed() };
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut now) };
    assert_eq!(unsafe { libc::sigismember(&now, libc::SIGKILL) + libc::sigismember(&now, libc::SIGSTOP) }, 0);
}

fn ignoring_discards_pending() {
    handle(libc::SIGUSR1, handler(), 0);
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    raise(libc::SIGUSR1);
    handle(libc::SIGUSR1, libc::SIG_IGN, 0);
    assert!(!pending(libc::SIGUSR1));
    handle(libc::SIGUSR1, handler(), 0);
    mask(libc::SIG_UNBLOCK, &[libc::SIGUSR1]);
    assert_eq!(counted(), 0);
}

fn standard_signals_do_not_queue() {
    handle(libc::SIGUSR1, handler(), 0);
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    (0..5).for_each(|_| raise(libc::SIGUSR1));
    mask(libc::SIG_UNBLOCK, &[libc::SIGUSR1]);
    assert_eq!(counted(), 1);
}

static ORDER: [AtomicI32; 32] = [const { AtomicI32::new(0) }; 32];

extern "C" fn record(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let value = unsafe { (*info).si_value().sival_ptr } as i32;
    ORDER[COUNT.fetch_add(1, Ordering::SeqCst) as usize].store(signal * 100 + value, Ordering::SeqCst);
}

fn recorded() -> Vec<i32> {
    ORDER[..counted() as usize].iter().map(|entry| entry.load(Ordering::SeqCst)).collect()
}

fn queue(signal: i32, value: usize) {
    let value = libc::sigval { sival_ptr: value as *mut libc::c_void };
    must(unsafe { libc::sigqueue(libc::getpid(), signal, value) });
}

fn real_time_signals_queue_in_order() {
    handle(40, record as *const () as usize, libc::SA_SIGINFO);
    mask(libc::SIG_BLOCK, &[40]);
    (1..=5).for_each(|value| queue(40, value));
    mask(libc::SIG_UNBLOCK, &[40]);
    assert_eq!(recorded(), [4001, 4002, 4003, 4004, 4005]);
}

fn lower_numbers_first() {
    for signal in [40, 41, 42, libc::SIGUSR1] {
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = record as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigfillset(&mut action.sa_mask);
            must(libc::sigaction(signal, &action, std::ptr::null_mut()));
        }
    }
    mask(libc::SIG_BLOCK, &[40, 41, 42, libc::SIGUSR1]);
    queue(42, 1);
    queue(40, 2);
    queue(libc::SIGUSR1, 3);
    queue(41, 4);
    queue(40, 5);
    mask(libc::SIG_UNBLOCK, &[40, 41, 42, libc::SIGUSR1]);
    assert_eq!(recorded(), [1003, 4002, 4005, 4104, 4201]);
}

static NOTES: [AtomicUsize; 5] = [const { AtomicUsize::new(0) }; 5];

extern "C" fn note(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let info = unsafe { &*info };
    let values = unsafe {
        [
            info.si_signo as usize,
            info.si_code as usize,
            info.si_pid() as usize,
            info.si_uid() as usize,
            info.si_value().sival_ptr as usize,
        ]
    };
    NOTES.iter().zip(values).for_each(|(note, value)| note.store(value, Ordering::SeqCst));
}

fn noted() -> [usize; 5] {
    std::array::from_fn(|index| NOTES[index].load(Ordering::SeqCst))
}

fn queued_values() {
    handle(libc::SIGUSR1, note as *const () as usize, libc::SA_SIGINFO);
    queue(libc::SIGUSR1, 0x1234_5678_9abc);
    let own = unsafe { libc::getpid() } as usize;
    assert_eq!(noted(), [libc::SIGUSR1 as usize, libc::SI_QUEUE as usize, own, 0, 0x1234_5678_9abc]);
}

fn sender_is_told() {
    handle(libc::SIGUSR1, note as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
    let own = unsafe { libc::getpid() };
    let child = fork(|| unsafe {
        libc::setuid(1234);
        libc::kill(own, libc::SIGUSR1)
    });
    wait(child);
    assert_eq!(noted()[0], 0, "root's process is not for others to signal");
    let child = fork(|| unsafe { libc::kill(own, libc::SIGUSR1) });
    wait(child);
    assert_eq!(noted()[..4], [libc::SIGUSR1 as usize, libc::SI_USER as usize, child as usize, 0]);
    unsafe { libc::syscall(libc::SYS_tgkill, own, libc::gettid(), libc::SIGUSR1) };
    assert_eq!(noted()[..3], [libc::SIGUSR1 as usize, libc::SI_TKILL as usize, own as usize]);
}

fn forged_codes_are_refused() {
    let mut info = [0u32; 32];
    let child = fork(|| unsafe { libc::pause() });
    for code in [libc::SI_USER, libc::SI_TKILL, libc::SI_KERNEL, 1] {
        info[2] = code as u32;
        assert_eq!(sys!(libc::SYS_rt_sigqueueinfo, child, libc::SIGUSR1, info.as_ptr()), Err(libc::EPERM), "{code}");
    }
    info[2] = -42i32 as u32;
    assert_eq!(sys!(libc::SYS_rt_sigqueueinfo, child, libc::SIGUSR1, info.as_ptr()), Ok(0));
    assert_eq!(wait(child), End::Signal(libc::SIGUSR1));
}

static STACK_SEEN: AtomicUsize = AtomicUsize::new(0);
static STACK_FLAGS: AtomicI32 = AtomicI32::new(0);

extern "C" fn where_am_i(_: i32) {
    let local = 0u8;
    STACK_SEEN.store((&raw const local) as usize, Ordering::SeqCst);
    unsafe {
        let mut stack: libc::stack_t = zeroed();
        libc::sigaltstack(std::ptr::null(), &mut stack);
        STACK_FLAGS.store(stack.ss_flags, Ordering::SeqCst);
    }
}

fn alternate(size: usize, flags: i32) -> usize {
    let memory = map(size);
    let stack = libc::stack_t { ss_sp: memory.cast(), ss_flags: flags, ss_size: size };
    must(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) });
    memory as usize
}

fn alternate_stack() {
    let memory = alternate(16 * PAGE, 0);
    handle(libc::SIGUSR1, where_am_i as *const () as usize, libc::SA_ONSTACK);
    handle(libc::SIGUSR2, where_am_i as *const () as usize, 0);
    raise(libc::SIGUSR1);
    assert!((memory..memory + 16 * PAGE).contains(&STACK_SEEN.load(Ordering::SeqCst)));
    assert_eq!(STACK_FLAGS.load(Ordering::SeqCst), libc::SS_ONSTACK);
    raise(libc::SIGUSR2);
    assert!(!(memory..memory + 16 * PAGE).contains(&STACK_SEEN.load(Ordering::SeqCst)));
    assert_eq!(STACK_FLAGS.load(Ordering::SeqCst), 0);
}

fn alternate_stack_rules() {
    let small = libc::stack_t { ss_sp: map(PAGE).cast(), ss_flags: 0, ss_size: 1000 };
    assert_eq!(errno(unsafe { libc::sigaltstack(&small, std::ptr::null_mut()) }), libc::ENOMEM);
    let odd = libc::stack_t { ss_sp: map(PAGE).cast(), ss_flags: 77, ss_size: PAGE };
    assert_eq!(errno(unsafe { libc::sigaltstack(&odd, std::ptr::null_mut()) }), libc::EINVAL);
    extern "C" fn change(_: i32) {
        let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        let error = errno(unsafe { libc::sigaltstack(&off, std::ptr::null_mut()) });
        COUNT.store(error, Ordering::SeqCst);
    }
    alternate(16 * PAGE, 0);
    handle(libc::SIGUSR1, change as *const () as usize, libc::SA_ONSTACK);
    raise(libc::SIGUSR1);
    assert_eq!(counted(), libc::EPERM, "not while it is in use");
}

fn alternate_stack_disarmed() {
    const SS_AUTODISARM: i32 = 1 << 31;
    let memory = alternate(16 * PAGE, SS_AUTODISARM);
    handle(libc::SIGUSR1, where_am_i as *const () as usize, libc::SA_ONSTACK);
    raise(libc::SIGUSR1);
    assert!((memory..memory + 16 * PAGE).contains(&STACK_SEEN.load(Ordering::SeqCst)));
    assert_eq!(STACK_FLAGS.load(Ordering::SeqCst), libc::SS_DISABLE);
    unsafe {
        let mut stack: libc::stack_t = zeroed();
        libc::sigaltstack(std::ptr::null(), &mut stack);
        assert_eq!((stack.ss_sp as usize, stack.ss_flags), (memory, SS_AUTODISARM), "armed again");
    }
}

fn wait_for(signals: &[i32], timeout: Option<Duration>) -> Result<libc::siginfo_t, i32> {
    unsafe {
        let mut info: libc::siginfo_t = zeroed();
        let time =
            timeout.map(|time| libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() });
        let time = time.as_ref().map_or(std::ptr::null(), |time| time);
        let signal = libc::sigtimedwait(&set(signals), &mut info, time);
        if signal < 0 { Err(errno(signal)) } else { Ok(info) }
    }
}

fn wait_for_a_signal() {
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1, 40]);
    queue(40, 7);
    raise(libc::SIGUSR1);
    assert_eq!(wait_for(&[libc::SIGUSR1, 40], None).unwrap().si_signo, libc::SIGUSR1);
    let info = wait_for(&[libc::SIGUSR1, 40], None).unwrap();
    assert_eq!((info.si_signo, unsafe { info.si_value().sival_ptr } as usize), (40, 7));
    let own = unsafe { libc::getpid() };
    let child = disturb(own, libc::SIGUSR1);
    assert_eq!(unsafe { wait_for(&[libc::SIGUSR1], None).unwrap().si_pid() }, child);
    wait(child);
}

fn wait_for_a_signal_times_out() {
    let start = Instant::now();
    assert_eq!(wait_for(&[libc::SIGUSR1], Some(Duration::from_millis(30))).err(), Some(libc::EAGAIN));
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(wait_for(&[libc::SIGUSR1], Some(Duration::ZERO)).err(), Some(libc::EAGAIN));
    handle(libc::SIGUSR2, handler(), 0);
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR2);
    assert_eq!(wait_for(&[libc::SIGUSR1], None).err(), Some(libc::EINTR), "another signal's handler ran");
    wait(child);
}

fn suspend_restores_the_mask() {
    handle(libc::SIGUSR1, handler(), 0);
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    raise(libc::SIGUSR1);
    assert_eq!(errno(unsafe { libc::sigsuspend(&set(&[])) }), libc::EINTR);
    assert_eq!(counted(), 1);
    raise(libc::SIGUSR1);
    assert_eq!(counted(), 1, "blocked again");
}

fn pause_returns_after_a_handler() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    assert_eq!(errno(unsafe { libc::pause() }), libc::EINTR);
    wait(child);
}

fn to_a_group() {
    let leader = fork(|| unsafe {
        libc::setpgid(0, 0);
        libc::pause()
    });
    unsafe { libc::setpgid(leader, leader) };
    let member = fork(|| unsafe { libc::pause() });
    must(unsafe { libc::setpgid(member, leader) });
    let outsider = fork(|| unsafe { libc::pause() });
    must(unsafe { libc::kill(-leader, libc::SIGTERM) });
    assert_eq!(wait(leader), End::Signal(libc::SIGTERM));
    assert_eq!(wait(member), End::Signal(libc::SIGTERM));
    assert_eq!(unsafe { libc::waitpid(outsider, std::ptr::null_mut(), libc::WNOHANG) }, 0);
    handle(libc::SIGTERM, handler(), 0);
    must(unsafe { libc::kill(0, libc::SIGTERM) });
    assert_eq!((wait(outsider), counted()), (End::Signal(libc::SIGTERM), 1));
}

static RAN_IN: AtomicI32 = AtomicI32::new(0);

extern "C" fn which_thread(_: i32) {
    RAN_IN.store(unsafe { libc::gettid() }, Ordering::SeqCst);
}

fn to_a_thread() {
    handle(libc::SIGUSR1, which_thread as *const () as usize, 0);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sender.send(unsafe { libc::gettid() }).unwrap();
        sleep(100_000);
    });
    let thread = receiver.recv().unwrap();
    sys!(libc::SYS_tgkill, unsafe { libc::getpid() }, thread, libc::SIGUSR1).unwrap();
    crate::child::until(|| RAN_IN.load(Ordering::SeqCst) == thread);
}

fn process_signal_goes_to_a_thread_that_takes_it() {
    handle(libc::SIGUSR1, which_thread as *const () as usize, 0);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sender.send(unsafe { libc::gettid() }).unwrap();
        sleep(100_000);
    });
    let thread = receiver.recv().unwrap();
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    must(unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) });
    crate::child::until(|| RAN_IN.load(Ordering::SeqCst) == thread);
}

/// A program that makes no calls, on a processor of its own, is interrupted for each signal: it does not take a tick to come.
fn running_elsewhere_is_interrupted() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    // Goes on outside the handler only.
    static BEAT: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler(_: i32) {
        SEEN.fetch_add(1, Ordering::SeqCst);
    }
    const SIGNALS: usize = 50;
    let stay_on = |processor: usize| unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0
    };
    let there = std::sync::Arc::new(AtomicI32::new(0));
    let told = there.clone();
    handle(libc::SIGUSR1, handler as *const () as usize, 0);
    let thread = std::thread::spawn(move || {
        if !stay_on(1) {
            return told.store(-1, Ordering::SeqCst);
        }
        told.store(unsafe { libc::gettid() }, Ordering::SeqCst);
        while SEEN.load(Ordering::SeqCst) < SIGNALS {
            BEAT.fetch_add(1, Ordering::SeqCst);
        }
    });
    while there.load(Ordering::SeqCst) == 0 {
        sleep(1);
    }
    let target = there.load(Ordering::SeqCst);
    if target < 0 {
        // One processor: whoever sends is the only one that runs.
        return thread.join().unwrap();
    }
    assert!(stay_on(0));
    let before = rescheduling_interrupts(1);
    for number in 0..SIGNALS {
        let beat = BEAT.load(Ordering::SeqCst);
        while BEAT.load(Ordering::SeqCst) == beat {
            std::thread::yield_now();
        }
        must(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), target, libc::SIGUSR1) });
        while SEEN.load(Ordering::SeqCst) <= number {
            std::thread::yield_now();
        }
    }
    thread.join().unwrap();
    let interrupts = rescheduling_interrupts(1) - before;
    // A tick may have come first now and then.
    assert!(interrupts >= SIGNALS as u64 / 2, "{interrupts} interrupts for {SIGNALS} signals");
}

/// A thread is told of a signal to the process, then a signal of its own comes first whose handler holds the other back: another thread
/// gets that one, though it was not told at first.
fn process_signal_that_its_thread_blocks_goes_to_another() {
    static FIRST: AtomicI32 = AtomicI32::new(0);
    static TAKEN_BY: AtomicI32 = AtomicI32::new(0);
    extern "C" fn while_held_back(_: i32) {
        for _ in 0..5000 {
            if TAKEN_BY.load(Ordering::SeqCst) != 0 {
                return;
            }
            sleep(1);
        }
    }
    extern "C" fn take(_: i32) {
        TAKEN_BY.store(unsafe { libc::gettid() }, Ordering::SeqCst);
    }
    extern "C" fn send_both(_: *mut libc::c_void) -> i32 {
        let (process, first) = (unsafe { libc::getppid() }, FIRST.load(Ordering::SeqCst));
        // The one that waits for this child cannot act on either yet.
        must(unsafe { libc::kill(process, libc::SIGUSR2) });
        must(unsafe { libc::syscall(libc::SYS_tgkill, process, first, libc::SIGUSR1) });
        0
    }
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = while_held_back as *const () as usize;
        libc::sigaddset(&mut action.sa_mask, libc::SIGUSR2);
        must(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()));
    }
    handle(libc::SIGUSR2, take as *const () as usize, 0);
    let threads: Vec<_> = [true, false]
        .into_iter()
        .map(|first| {
            std::thread::spawn(move || {
                if first {
                    FIRST.store(unsafe { libc::gettid() }, Ordering::SeqCst);
                    // Until the other is asleep.
                    sleep(100);
                    crate::processes::vfork_like(send_both, std::ptr::null_mut());
                    unsafe { libc::gettid() }
                } else {
                    while TAKEN_BY.load(Ordering::SeqCst) == 0 {
                        unsafe { libc::poll(std::ptr::null_mut(), 0, 10_000) };
                    }
                    unsafe { libc::gettid() }
                }
            })
        })
        .collect();
    // This thread comes first and is not to take it.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigaddset(&mut set, libc::SIGUSR2);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
    let numbers: Vec<i32> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(TAKEN_BY.load(Ordering::SeqCst), numbers[1], "of {numbers:?}");
}

/// The row RES of /proc/interrupts for one processor.
fn rescheduling_interrupts(processor: usize) -> u64 {
    let text = std::fs::read_to_string("/proc/interrupts").unwrap();
    let row = text.lines().find_map(|line| line.trim_start().strip_prefix("RES:")).unwrap();
    row.split_whitespace().nth(processor).unwrap().parse().unwrap()
}

fn handlers_are_shared_by_threads() {
    std::thread::spawn(|| handle(libc::SIGUSR1, handler(), 0)).join().unwrap();
    raise(libc::SIGUSR1);
    assert_eq!(counted(), 1);
}

fn continue_discards_stops() {
    mask(libc::SIG_BLOCK, &[libc::SIGTSTP]);
    raise(libc::SIGTSTP);
    assert!(pending(libc::SIGTSTP));
    raise(libc::SIGCONT);
    assert!(!pending(libc::SIGTSTP));
}

fn stop_discards_continue() {
    handle(libc::SIGCONT, handler(), 0);
    mask(libc::SIG_BLOCK, &[libc::SIGCONT, libc::SIGTSTP]);
    raise(libc::SIGCONT);
    assert!(pending(libc::SIGCONT));
    raise(libc::SIGTSTP);
    assert!(!pending(libc::SIGCONT));
}

fn read_is_interrupted() {
    handle(libc::SIGUSR1, handler(), 0);
    let (source, _sink) = pipe();
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::read(source, (&raw mut byte).cast(), 1) } as i64), libc::EINTR);
    wait(child);
}

fn read_is_restarted() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let (source, sink) = pipe();
    let own = unsafe { libc::getpid() };
    let child = fork(|| unsafe {
        for _ in 0..3 {
            crate::child::until_asleep(own);
            libc::kill(own, libc::SIGUSR1);
            sleep(5);
        }
        libc::write(sink, c"x".as_ptr().cast(), 1);
        0
    });
    let mut byte = 0u8;
    assert_eq!(unsafe { libc::read(source, (&raw mut byte).cast(), 1) }, 1);
    assert_eq!((byte, counted()), (b'x', 3));
    wait(child);
}

fn nanosleep_tells_what_remains() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    let time = libc::timespec { tv_sec: 100, tv_nsec: 0 };
    let mut rest: libc::timespec = unsafe { zeroed() };
    assert_eq!(errno(unsafe { libc::nanosleep(&time, &mut rest) }), libc::EINTR, "whatever SA_RESTART says");
    assert!((80..100).contains(&rest.tv_sec), "{} s", rest.tv_sec);
    wait(child);
}

fn nanosleep_goes_on_after_a_stop() {
    let child = fork(|| {
        let start = Instant::now();
        let time = libc::timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        let result = unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
        i32::from(result != 0) + 2 * i32::from(start.elapsed() < Duration::from_millis(200))
    });
    crate::child::until_asleep(child);
    unsafe {
        libc::kill(child, libc::SIGSTOP);
        sleep(20);
        libc::kill(child, libc::SIGCONT);
    }
    assert_eq!(wait(child), End::Exit(0));
}

fn poll_is_interrupted_despite_restart() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let (source, _sink) = pipe();
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    let mut entry = libc::pollfd { fd: source, events: libc::POLLIN, revents: 0 };
    assert_eq!(errno(unsafe { libc::poll(&mut entry, 1, -1) }), libc::EINTR);
    wait(child);
}

fn select_is_interrupted_despite_restart() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    let none = std::ptr::null_mut();
    assert_eq!(errno(unsafe { libc::select(0, none, none, none, std::ptr::null_mut()) }), libc::EINTR);
    wait(child);
}

fn futex_wait_is_interrupted() {
    handle(libc::SIGUSR1, handler(), 0);
    let word = 0u32;
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    assert_eq!(sys!(libc::SYS_futex, &raw const word, libc::FUTEX_WAIT, 0, 0), Err(libc::EINTR));
    wait(child);
}

fn futex_wait_is_restarted() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let word = crate::child::shared(PAGE).cast::<u32>();
    let own = unsafe { libc::getpid() };
    let child = fork(|| {
        crate::child::until_asleep(own);
        unsafe { libc::kill(own, libc::SIGUSR1) };
        sleep(20);
        while sys!(libc::SYS_futex, word, libc::FUTEX_WAKE, 1) != Ok(1) {
            sleep(1);
        }
        0
    });
    assert_eq!(sys!(libc::SYS_futex, word, libc::FUTEX_WAIT, 0, 0), Ok(0));
    assert_eq!((wait(child), counted()), (End::Exit(0), 1));
    let child = disturb(own, libc::SIGUSR1);
    let time = libc::timespec { tv_sec: 20, tv_nsec: 0 };
    let waited = sys!(libc::SYS_futex, word, libc::FUTEX_WAIT, 0, &raw const time);
    assert_eq!(waited, Err(libc::EINTR), "with a time-out it is not restarted after a handler");
    wait(child);
}

fn ignored_signals_interrupt_nothing() {
    handle(libc::SIGUSR1, libc::SIG_IGN, 0);
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    let start = Instant::now();
    let time = libc::timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    assert_eq!(unsafe { libc::nanosleep(&time, std::ptr::null_mut()) }, 0);
    assert!(start.elapsed() >= Duration::from_millis(50));
    wait(child);
}

fn write_to_a_full_pipe_is_short() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    let (_source, sink) = pipe();
    let bytes = vec![0u8; 1 << 20];
    let child = disturb(unsafe { libc::getpid() }, libc::SIGUSR1);
    assert_eq!(unsafe { libc::write(sink, bytes.as_ptr().cast(), bytes.len()) }, 65536);
    wait(child);
}

fn mask_is_restored_by_sigreturn() {
    extern "C" fn block_more(_: i32) {
        mask(libc::SIG_BLOCK, &[libc::SIGUSR2, libc::SIGTERM]);
    }
    handle(libc::SIGUSR1, block_more as *const () as usize, 0);
    raise(libc::SIGUSR1);
    let mut now = unsafe { zeroed() };
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut now) };
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGTERM] {
        assert_eq!(unsafe { libc::sigismember(&now, signal) }, 0);
    }
}

fn mask_is_inherited_by_threads() {
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    let blocked = std::thread::spawn(|| unsafe {
        let mut now = zeroed();
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set(&[libc::SIGUSR1]), &mut now);
        libc::sigismember(&now, libc::SIGUSR1)
    });
    assert_eq!(blocked.join().unwrap(), 1);
    let mut now = unsafe { zeroed() };
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut now) };
    assert_eq!(unsafe { libc::sigismember(&now, libc::SIGUSR1) }, 1, "each thread has its own");
}

fn sigaction_reads_back() {
    let flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_NODEFER | libc::SA_ONSTACK;
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler();
        action.sa_flags = flags;
        action.sa_mask = set(&[libc::SIGUSR2, 40]);
        must(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()));
        let mut back: libc::sigaction = zeroed();
        must(libc::sigaction(libc::SIGUSR1, std::ptr::null(), &mut back));
        assert_eq!((back.sa_sigaction, back.sa_flags & flags), (handler(), flags));
        assert_eq!(libc::sigismember(&back.sa_mask, 40) + libc::sigismember(&back.sa_mask, libc::SIGUSR2), 2);
    }
}

fn sigaction_rejects_nonsense() {
    let words = [0usize; 4];
    for signal in [0, 65, -1, 1000] {
        assert_eq!(sys!(libc::SYS_rt_sigaction, signal, words.as_ptr(), 0, 8), Err(libc::EINVAL));
    }
    assert_eq!(sys!(libc::SYS_rt_sigaction, 10, words.as_ptr(), 0, 4), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_rt_sigprocmask, 77, words.as_ptr(), 0, 8), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_rt_sigprocmask, 0, words.as_ptr(), 0, 16), Err(libc::EINVAL));
}

fn many_signals_between_processes() {
    handle(libc::SIGUSR1, handler(), libc::SA_RESTART);
    mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    let own = unsafe { libc::getpid() };
    let child = fork(|| unsafe {
        let mut received = 0;
        while received < 1000 {
            libc::sigsuspend(&set(&[]));
            received = counted();
            libc::kill(own, libc::SIGUSR1);
        }
        0
    });
    for _ in 0..1000 {
        unsafe {
            libc::kill(child, libc::SIGUSR1);
            libc::sigsuspend(&set(&[]));
        }
    }
    assert_eq!((wait(child), counted()), (End::Exit(0), 1000));
}

/// What lies below the stack pointer must not show in the vector state's header, which XRSTOR checks to the last bit.
fn frames_on_a_stack_full_of_other_things() {
    let mut stack = vec![0xff_u8; 1 << 16];
    let alternate = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    assert_eq!(unsafe { libc::sigaltstack(&alternate, std::ptr::null_mut()) }, 0);
    handle(libc::SIGUSR1, handler(), libc::SA_ONSTACK);
    for round in 1..=3 {
        stack.fill(0xff);
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        assert_eq!(counted(), round);
    }
    let none = libc::stack_t { ss_flags: libc::SS_DISABLE, ..alternate };
    assert_eq!(unsafe { libc::sigaltstack(&none, std::ptr::null_mut()) }, 0);
}

unsafe extern "C" {
    fn __sigsetjmp(buffer: *mut u64, save: i32) -> i32;
    fn siglongjmp(buffer: *mut u64, value: i32) -> !;
}

/// Called through a function pointer and without anything to drop in between.
fn siglongjmp_leaves_a_handler() {
    static mut BUFFER: [u64; 32] = [0; 32];
    extern "C" fn jump(_: i32) {
        unsafe { siglongjmp((&raw mut BUFFER).cast(), 5) };
    }
    let end = run(|| unsafe {
        handle(libc::SIGSEGV, jump as *const () as usize, 0);
        match __sigsetjmp((&raw mut BUFFER).cast(), 1) {
            0 => std::ptr::null_mut::<u8>().write_volatile(1),
            value => libc::_exit(value + i32::from(pending(libc::SIGSEGV))),
        }
        9
    });
    assert_eq!(end, End::Exit(5));
}

fn core_signals_say_so() {
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 }) };
    for signal in [libc::SIGQUIT, libc::SIGABRT, libc::SIGSEGV, libc::SIGXCPU] {
        let child = fork(|| unsafe { libc::syscall(libc::SYS_kill, libc::getpid(), signal) as i32 });
        assert_eq!(wait(child), End::Signal(signal));
    }
}
