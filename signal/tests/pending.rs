//! Queues of signals against a list that is searched from the front, as Linux's is.
use abi::Errno;
use proptest::prelude::*;
use signal::*;
use std::sync::Arc;

/// Messages in order of arrival, and the set of pending signals.
#[derive(Clone, Default)]
struct Model {
    set: u64,
    list: Vec<(Signal, Information)>,
}

impl Model {
    fn has(&self, signal: Signal) -> bool {
        self.set >> (signal.number() - 1) & 1 != 0
    }

    fn add(&mut self, signal: Signal, information: Option<Information>) {
        if !signal.is_real_time() && self.has(signal) {
            return;
        }
        self.set |= 1 << (signal.number() - 1);
        self.list.extend(information.map(|information| (signal, information)));
    }

    fn take(&mut self, signal: Signal) -> Information {
        let found = self.list.iter().position(|entry| entry.0 == signal).map(|at| self.list.remove(at).1);
        if !self.list.iter().any(|entry| entry.0 == signal) {
            self.set &= !(1 << (signal.number() - 1));
        }
        found.unwrap_or(Information::LOST)
    }

    fn lowest(&self, mask: u64, only: u64) -> Option<Signal> {
        (1..=64).map(|number| Signal::new(number).unwrap()).find(|signal| {
            let bit = 1 << (signal.number() - 1);
            self.set & !mask & only & bit != 0
        })
    }

    fn next(&self, mask: u64) -> Option<Signal> {
        self.lowest(mask, SignalSet::SYNCHRONOUS.bits()).or_else(|| self.lowest(mask, u64::MAX))
    }

    fn fault(&self, mask: u64) -> Option<Signal> {
        let wanted = SignalSet::SYNCHRONOUS & !SignalSet::from_bits(mask);
        self.list.iter().find(|(signal, cause)| wanted.contains(*signal) && cause.code() > 0).map(|entry| entry.0)
    }
}

fn slow_dequeue(thread: &mut Model, process: &mut Model, mask: u64) -> Option<(Signal, Information)> {
    if let Some(signal) = thread.fault(mask).or_else(|| thread.next(mask)) {
        return Some((signal, thread.take(signal)));
    }
    let signal = process.next(mask)?;
    Some((signal, process.take(signal)))
}

#[derive(Clone, Debug)]
enum Step {
    Send { process: bool, signal: Signal, cause: Information, in_place: bool },
    Mark { process: bool, signal: Signal },
    Dequeue { mask: u64 },
    Flush { process: bool, set: u64 },
}

fn any_signal() -> impl Strategy<Value = Signal> {
    // A few of each kind, so that they meet.
    prop::sample::select(vec![1_u32, 4, 9, 11, 17, 18, 19, 31, 32, 34, 35, 64])
        .prop_map(|number| Signal::new(number).unwrap())
}

fn cause() -> impl Strategy<Value = Information> {
    prop_oneof![
        any::<i32>().prop_map(|process| Information::Kill { process, user: 1 }),
        any::<u64>().prop_map(|value| Information::Queue { process: 1, user: 2, value, code: -1 }),
        any::<u64>().prop_map(|address| Information::Fault { code: 1, address }),
    ]
}

fn mask() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), any::<u64>(), Just(u64::MAX)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), any_signal(), cause(), any::<bool>())
            .prop_map(|(process, signal, cause, in_place)| Step::Send { process, signal, cause, in_place }),
        1 => (any::<bool>(), any_signal()).prop_map(|(process, signal)| Step::Mark { process, signal }),
        4 => mask().prop_map(|mask| Step::Dequeue { mask }),
        1 => (any::<bool>(), any::<u64>()).prop_map(|(process, set)| Step::Flush { process, set }),
    ]
}

proptest! {
    #[test]
    fn queues_behave_like_a_list(steps in prop::collection::vec(step(), 0..120), limit in 0..40_u64) {
        let counter = Arc::new(Counter::default());
        let mut real = [Pending::new(), Pending::new()];
        let mut model = [Model::default(), Model::default()];
        for step in steps {
            match step {
                Step::Send { process, signal, cause, in_place } => {
                    let queued: usize = model.iter().map(|model| model.list.len()).sum();
                    let exempt = !signal.is_real_time() && cause.code() >= 0;
                    let fits = exempt || (queued as u64) < limit;
                    let kept = (fits && signal != Signal::KILL).then_some(cause);
                    let queue = &mut real[usize::from(process)];
                    let is_there = !signal.is_real_time() && model[usize::from(process)].has(signal);
                    if in_place && queue.put(signal, &cause, &counter, limit) {
                        prop_assert!(is_there || kept.is_some());
                        model[usize::from(process)].add(signal, Some(cause));
                        continue;
                    }
                    match Message::new(signal, cause, &counter, limit) {
                        Ok(message) => {
                            prop_assert!(kept.is_some() || !signal.is_real_time() || cause.code() == 0);
                            drop(queue.add(message));
                            model[usize::from(process)].add(signal, kept);
                        }
                        Err(error) => {
                            prop_assert_eq!(error, Errno::EAGAIN);
                            prop_assert!(!fits && signal.is_real_time() && cause.code() != 0);
                        }
                    }
                }
                Step::Mark { process, signal } => {
                    real[usize::from(process)].mark(signal);
                    model[usize::from(process)].set |= 1 << (signal.number() - 1);
                }
                Step::Dequeue { mask } => {
                    let [thread, process] = &mut real;
                    let found = dequeue(thread, process, SignalSet::from_bits(mask));
                    let [thread, process] = &mut model;
                    let expected = slow_dequeue(thread, process, mask);
                    prop_assert_eq!(found.map(|(signal, cause, _)| (signal, cause)), expected);
                }
                Step::Flush { process, set } => {
                    drop(real[usize::from(process)].flush(SignalSet::from_bits(set)));
                    let model = &mut model[usize::from(process)];
                    model.set &= !set;
                    model.list.retain(|entry| set >> (entry.0.number() - 1) & 1 == 0);
                }
            }
            for (real, model) in real.iter().zip(&model) {
                prop_assert_eq!(real.set().bits(), model.set);
            }
            let queued: usize = model.iter().map(|model| model.list.len()).sum();
            prop_assert_eq!(counter.count(), queued as u64);
        }
        drop(real);
        prop_assert_eq!(counter.count(), 0);
    }
}

#[test]
fn a_long_queue_is_freed_without_recursion() {
    let counter = Arc::new(Counter::default());
    let mut pending = Pending::new();
    let signal = Signal::new(40).unwrap();
    for value in 0..300_000 {
        let cause = Information::Queue { process: 1, user: 1, value, code: -1 };
        pending.add(Message::new(signal, cause, &counter, u64::MAX).unwrap()).unwrap();
    }
    let mut other = Pending::new();
    let (_, first, _) = dequeue(&mut pending, &mut other, SignalSet::EMPTY).unwrap();
    assert_eq!(first, Information::Queue { process: 1, user: 1, value: 0, code: -1 });
    std::thread::Builder::new().stack_size(64 * 1024).spawn(move || drop(pending)).unwrap().join().unwrap();
    assert_eq!(counter.count(), 0);
}

#[test]
fn information_has_linux_layout() {
    let bytes = |information: Information, signal| {
        let siginfo = information.to_siginfo(signal);
        let mut words = vec![siginfo.signal as u32, siginfo.error as u32, siginfo.code as u32, siginfo.padding];
        words.extend(siginfo.tail.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())));
        while words.last() == Some(&0) {
            words.pop();
        }
        words
    };
    assert_eq!(bytes(Information::Kill { process: 7, user: 8 }, Signal::TERM), [15, 0, 0, 0, 7, 8]);
    assert_eq!(bytes(Information::ThreadKill { process: 7, user: 8 }, Signal::TERM), [15, 0, -6_i32 as u32, 0, 7, 8]);
    assert_eq!(bytes(Information::Kernel, Signal::TERM), [15, 0, 0x80]);
    let child = Information::Child { process: 7, user: 8, status: 9, code: 1, user_time: 10, system_time: 11 };
    assert_eq!(bytes(child, Signal::CHLD), [17, 0, 1, 0, 7, 8, 9, 0, 10, 0, 11]);
    let fault = Information::Fault { code: 2, address: 0x1_0000_0002 };
    assert_eq!(bytes(fault, Signal::SEGV), [11, 0, 2, 0, 2, 1]);
    let key = Information::ProtectionKey { address: 3, key: 5 };
    assert_eq!(bytes(key, Signal::SEGV), [11, 0, 4, 0, 3, 0, 0, 0, 5]);
    let timer = Information::Timer { timer: 4, overrun: 5, value: 6 };
    assert_eq!(bytes(timer, Signal::ALRM), [14, 0, -2_i32 as u32, 0, 4, 5, 6]);
    let poll = Information::Poll { code: 1, band: 0x41, descriptor: 3 };
    assert_eq!(bytes(poll, Signal::IO), [29, 0, 1, 0, 0x41, 0, 3]);
    let call = Information::SystemCall { address: 1, number: 2, architecture: 3 };
    assert_eq!(bytes(call, Signal::SYS), [31, 0, 1, 0, 1, 0, 2, 3]);
}

#[test]
fn what_programs_queue_themselves() {
    let mut siginfo = Information::Queue { process: 1, user: 2, value: 3, code: -1 }.to_siginfo(Signal::USR1);
    siginfo.tail[31] = 9;
    siginfo.tail[32] = 9;
    let raw = Information::from_siginfo(&siginfo);
    assert!(raw.is_for_others());
    let back = raw.to_siginfo(Signal::USR1);
    assert_eq!((back.tail[31], back.tail[32]), (9, 0));
    assert_eq!(back.tail[..24], siginfo.tail[..24]);
    assert!(!Information::Kernel.is_for_others());
    assert!(!Information::ThreadKill { process: 1, user: 1 }.is_for_others());
}
