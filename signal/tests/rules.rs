//! The rules as tables.
use abi::Errno;
use abi::signal::Sigaction;
use proptest::prelude::*;
use signal::*;

fn action(handler: Handler, flags: ActionFlags) -> Action {
    Action { handler, flags, ..Action::default() }
}

const HANDLED: Handler = Handler::Function(0x1000);

#[test]
fn numbers() {
    assert_eq!(Signal::new(0), Err(Errno::EINVAL));
    assert_eq!(Signal::new(65), Err(Errno::EINVAL));
    assert_eq!(Signal::new(u32::MAX), Err(Errno::EINVAL));
    let by = |wanted: DefaultAction| {
        let all = SignalSet::ALL.iter().filter(|signal| signal.default_action() == wanted);
        all.map(Signal::number).collect::<Vec<_>>()
    };
    assert_eq!(by(DefaultAction::Core), [3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);
    assert_eq!(by(DefaultAction::Stop), [19, 20, 21, 22]);
    assert_eq!(by(DefaultAction::Ignore), [17, 23, 28]);
    assert_eq!(by(DefaultAction::Continue), [18]);
    assert_eq!(by(DefaultAction::Terminate).len(), 64 - 18);
    assert_eq!((Signal::KILL.name(), Signal::new(34).unwrap().name()), (Some("SIGKILL"), None));
    assert_eq!(SignalSet::KERNEL_ONLY.bits(), 1 << 8 | 1 << 18);
    assert_eq!(SignalSet::mask_from_bits(u64::MAX).bits(), !(1 << 8 | 1 << 18));
}

#[test]
fn decisions() {
    let plain = ActionFlags::empty();
    let table = [
        (Signal::TERM, Handler::Default, false, Decision::Terminate { core: false }),
        (Signal::SEGV, Handler::Default, false, Decision::Terminate { core: true }),
        (Signal::CHLD, Handler::Default, false, Decision::Ignore),
        (Signal::CONT, Handler::Default, false, Decision::Continue),
        (Signal::TSTP, Handler::Default, false, Decision::Stop { unless_orphaned: true }),
        (Signal::STOP, Handler::Default, false, Decision::Stop { unless_orphaned: false }),
        (Signal::TERM, Handler::Ignore, false, Decision::Ignore),
        (Signal::TERM, Handler::Default, true, Decision::Ignore),
        (Signal::TSTP, Handler::Default, true, Decision::Ignore),
        (Signal::KILL, Handler::Default, true, Decision::Terminate { core: false }),
        (Signal::STOP, Handler::Default, true, Decision::Stop { unless_orphaned: false }),
    ];
    for (signal, handler, unkillable, expected) in table {
        assert_eq!(decide(signal, &action(handler, plain), SignalSet::EMPTY, unkillable), expected, "{signal:?}");
    }
}

#[test]
fn handlers() {
    let mut wanted = action(HANDLED, ActionFlags::RESTORER);
    (wanted.mask, wanted.restorer) = (SignalSet::of(&[Signal::HUP]), 7);
    let Decision::Deliver(deliver) = decide(Signal::INT, &wanted, SignalSet::of(&[Signal::IO]), true) else { panic!() };
    assert_eq!(deliver.mask, SignalSet::of(&[Signal::IO, Signal::HUP, Signal::INT]));
    assert_eq!((deliver.handler, deliver.restorer), (0x1000, Some(7)));
    wanted.flags = ActionFlags::NO_DEFER;
    let Decision::Deliver(deliver) = decide(Signal::INT, &wanted, SignalSet::EMPTY, false) else { panic!() };
    assert_eq!((deliver.mask, deliver.restorer), (SignalSet::of(&[Signal::HUP]), None));
}

#[test]
fn restarts() {
    let with = |flags| match decide(Signal::INT, &action(HANDLED, flags), SignalSet::EMPTY, false) {
        Decision::Deliver(deliver) => deliver,
        _ => panic!(),
    };
    let (plain, flagged) = (with(ActionFlags::empty()), with(ActionFlags::RESTART));
    let table = [
        (Restart::Always, Outcome::Again, Outcome::Again, Outcome::Again),
        (Restart::IfFlagged, Outcome::Again, Outcome::Again, Outcome::Interrupted),
        (Restart::NoHandler, Outcome::Again, Outcome::Interrupted, Outcome::Interrupted),
        (Restart::Block, Outcome::RestartSystemCall, Outcome::Interrupted, Outcome::Interrupted),
    ];
    for (restart, none, with_flag, without) in table {
        let interrupted = Interrupted(restart);
        assert_eq!(interrupted.outcome(None), none, "{restart:?}");
        assert_eq!(interrupted.outcome(Some(&flagged)), with_flag, "{restart:?}");
        assert_eq!(interrupted.outcome(Some(&plain)), without, "{restart:?}");
    }
}

#[test]
fn sending() {
    let default = Action::default();
    let receiver =
        Receiver { action: &default, mask: SignalSet::EMPTY, traced: false, unkillable: false, exiting: false };
    assert!(prepare(Signal::TERM, &receiver, false));
    assert!(!prepare(Signal::CHLD, &receiver, false));
    assert!(!prepare(Signal::CONT, &receiver, false));
    assert!(prepare(Signal::CHLD, &Receiver { mask: SignalSet::of(&[Signal::CHLD]), ..receiver }, false));
    assert!(prepare(Signal::CHLD, &Receiver { traced: true, ..receiver }, false));
    assert!(!prepare(Signal::KILL, &Receiver { exiting: true, ..receiver }, true));
    let init = Receiver { unkillable: true, ..receiver };
    for signal in [Signal::TERM, Signal::KILL, Signal::STOP, Signal::SEGV] {
        assert!(!prepare(signal, &init, false), "{signal:?}");
        assert_eq!(prepare(signal, &init, true), signal.is_kernel_only(), "{signal:?}");
    }
    let handled = action(HANDLED, ActionFlags::empty());
    assert!(prepare(Signal::TERM, &Receiver { action: &handled, ..init }, false));
    assert_eq!(flush_for(Signal::CONT), Flush::Stops);
    assert_eq!(flush_for(Signal::TTIN), Flush::Continue);
    assert_eq!(flush_for(Signal::KILL), Flush::Nothing);
    assert_eq!(Flush::Continue.set(), SignalSet::of(&[Signal::CONT]));
    assert!(is_fatal(Signal::TERM, &default) && !is_fatal(Signal::QUIT, &default) && !is_fatal(Signal::TERM, &handled));
}

#[test]
fn choosing_a_thread() {
    let blocked = ThreadState { mask: SignalSet::of(&[Signal::TERM]), ..Default::default() };
    let exiting = ThreadState { exiting: true, ..Default::default() };
    let stopped = ThreadState { stopped: true, ..Default::default() };
    let notified = ThreadState { notified: true, ..Default::default() };
    let running = ThreadState { notified: true, running: true, ..Default::default() };
    let choose = |signal, threads: &[ThreadState]| choose_thread(signal, threads.iter().copied().enumerate());
    assert_eq!(choose(Signal::TERM, &[blocked, exiting, stopped, notified, running, running]), Some(4));
    assert_eq!(choose(Signal::TERM, &[blocked, exiting, stopped, notified]), None);
    assert_eq!(choose(Signal::KILL, &[exiting, stopped]), Some(1));
}

/// Sets an action; answers the one before, and whether the signal is ignored now.
fn set(table: &mut Dispositions, signal: Signal, action: Action) -> (Action, bool) {
    let mut before = Action::default();
    table.exchange(signal, &action, Some(&mut before)).unwrap();
    (before, action.ignores(signal))
}

#[test]
fn dispositions() {
    let mut table = Dispositions::default();
    for signal in [Signal::KILL, Signal::STOP] {
        assert_eq!(table.exchange(signal, &Action::default(), None), Err(Errno::EINVAL));
    }
    let raw = Sigaction { handler: 0x1000, flags: u64::MAX, restorer: 5, mask: u64::MAX };
    assert_eq!(set(&mut table, Signal::INT, raw.into()), (Action::default(), false));
    let back = Sigaction::from(*table.get(Signal::INT));
    assert_eq!((back.handler, back.restorer, back.mask), (0x1000, 5, !(1 << 8 | 1 << 18)));
    assert_eq!(back.flags, 0xdc00_0807);
    let ignored = action(Handler::Ignore, ActionFlags::RESTART);
    assert_eq!(set(&mut table, Signal::HUP, ignored), (Action::default(), true));
    assert_eq!(set(&mut table, Signal::HUP, ignored), (ignored, true));
    assert!(set(&mut table, Signal::CHLD, Action::default()).1);
    assert_eq!(table.ignored_and_caught(), (SignalSet::of(&[Signal::HUP]), SignalSet::of(&[Signal::INT])));
    let mut forked = table.clone();
    forked.consume(Signal::INT);
    assert_eq!(forked.get(Signal::INT).handler, Handler::Default);
    table.reset();
    assert_eq!(*table.get(Signal::INT), Action::default());
    assert_eq!(*table.get(Signal::HUP), action(Handler::Ignore, ActionFlags::empty()));
}

#[test]
fn faults_cannot_be_held_off() {
    for (handler, blocked, fatal, after, killable) in [
        (HANDLED, false, false, HANDLED, false),
        (HANDLED, true, false, Handler::Default, true),
        (HANDLED, false, true, Handler::Default, true),
        (Handler::Ignore, false, false, Handler::Default, true),
        (Handler::Default, false, false, Handler::Default, true),
    ] {
        let mut table = Dispositions::default();
        set(&mut table, Signal::SEGV, action(handler, ActionFlags::empty()));
        let mut mask = if blocked { SignalSet::of(&[Signal::SEGV]) } else { SignalSet::EMPTY };
        assert_eq!(table.force(Signal::SEGV, &mut mask, fatal), killable);
        assert_eq!(table.get(Signal::SEGV).handler, after);
        assert!(mask.is_empty());
    }
}

#[test]
fn children() {
    let with = |handler, flags| {
        let mut table = Dispositions::default();
        set(&mut table, Signal::CHLD, action(handler, flags));
        let exit = table.child_exit();
        (exit.notify, exit.reap, table.child_stop_notifies())
    };
    assert_eq!(with(Handler::Default, ActionFlags::empty()), (true, false, true));
    assert_eq!(with(Handler::Ignore, ActionFlags::empty()), (false, true, false));
    assert_eq!(with(HANDLED, ActionFlags::NO_CHILD_WAIT), (true, true, true));
    assert_eq!(with(HANDLED, ActionFlags::NO_CHILD_STOP), (true, false, false));
}

#[test]
fn a_stop_and_its_end() {
    let mut group = GroupStop::default();
    let mut threads = [ThreadStop::default(); 2];
    let ticket = group.ticket();
    assert!(group.request(Signal::TSTP, ticket, &mut threads));
    assert_eq!(group.stop(&mut threads[0]), None);
    assert!(threads[1].is_asked() && !group.is_stopped());
    assert_eq!(group.stop(&mut threads[1]), Some(StopEvent::Stopped(Signal::TSTP)));
    assert!(group.is_stopped());
    assert_eq!(group.waitable(), Some(StopEvent::Stopped(Signal::TSTP)));
    group.waited();
    assert_eq!(group.waitable(), None);
    group.resume(&mut threads);
    assert!(threads.iter().all(|thread| !thread.is_stopped()));
    assert_eq!((group.take_event(), group.take_event()), (Some(StopEvent::Continued), None));
    assert_eq!(group.waitable(), Some(StopEvent::Continued));
}

#[test]
fn stops_that_come_to_nothing() {
    let mut group = GroupStop::default();
    let mut threads = [ThreadStop::default(); 2];
    let ticket = group.ticket();
    group.resume(&mut threads);
    assert_eq!(group.take_event(), None, "it ran");
    assert!(!group.request(Signal::TSTP, ticket, &mut threads), "SIGCONT came in between");
    assert!(group.request(Signal::TTIN, group.ticket(), &mut threads));
    group.stop(&mut threads[0]);
    group.resume(&mut threads);
    assert_eq!(group.take_event(), Some(StopEvent::Stopped(Signal::TTIN)), "as if it had been completed");
    assert_eq!(group.waitable(), Some(StopEvent::Continued));
    assert_eq!(group.stop(&mut threads[1]), None);
    assert!(!threads[1].is_stopped());
    group.exit(&mut threads);
    assert!(!group.request(Signal::STOP, group.ticket(), &mut threads) && group.is_exiting());
}

#[derive(Clone, Debug)]
enum Step {
    Request,
    /// Threads that must stop do so, this one if it is asked.
    Stop(usize),
    Resume,
    Clone(usize),
    Exit(usize),
}

proptest! {
    /// Seen from the parent: a stop is reported when, and only when, the last thread that runs has stopped or gone.
    #[test]
    fn the_parent_hears_of_each_stop_once(steps in prop::collection::vec(prop_oneof![
        2 => Just(Step::Request),
        8 => (0..8_usize).prop_map(Step::Stop),
        1 => Just(Step::Resume),
        2 => (0..8_usize).prop_map(Step::Clone),
        2 => (0..8_usize).prop_map(Step::Exit),
    ], 0..80)) {
        let mut group = GroupStop::default();
        let mut threads = vec![ThreadStop::default(); 2];
        let mut stopping = false;
        for step in steps {
            let runs = |thread: &ThreadStop| !thread.is_stopped();
            let mut event = None;
            match step {
                // Only a thread that runs takes a signal.
                Step::Request if threads.iter().any(runs) => {
                    prop_assert!(group.request(Signal::STOP, group.ticket(), &mut threads));
                    stopping = true;
                }
                Step::Stop(index) => {
                    let index = index % threads.len();
                    event = group.stop(&mut threads[index]);
                }
                Step::Resume => {
                    let expected = match (threads.iter().any(runs), stopping) {
                        (false, _) => Some(StopEvent::Continued),
                        (true, true) => Some(StopEvent::Stopped(Signal::STOP)),
                        (true, false) => None,
                    };
                    group.resume(&mut threads);
                    prop_assert_eq!(group.take_event(), expected);
                    prop_assert!(threads.iter().all(|thread| runs(thread) && !thread.is_asked()));
                    stopping = false;
                }
                Step::Clone(index) => {
                    let index = index % threads.len();
                    if runs(&threads[index]) {
                        let thread = group.thread_starts(&threads[index]);
                        threads.push(thread);
                    }
                }
                Step::Exit(index) if threads.len() > 1 => {
                    let index = index % threads.len();
                    if runs(&threads[index]) {
                        let mut thread = threads.remove(index);
                        event = group.thread_exits(&mut thread);
                    }
                }
                Step::Request | Step::Exit(_) => {}
            }
            let complete = stopping && !threads.iter().any(runs);
            prop_assert_eq!(event, complete.then_some(StopEvent::Stopped(Signal::STOP)));
            prop_assert_eq!(group.is_stopped(), !threads.iter().any(runs));
            if complete {
                stopping = false;
            }
        }
    }
}
