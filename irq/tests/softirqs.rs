//! Softirqs: order, budget, counts.
use irq::{Action, Softirq, Softirqs, raise};
use std::sync::Mutex;

struct Record {
    softirq: Softirq,
    log: &'static Mutex<Vec<Softirq>>,
    again: Option<Softirq>,
}

impl Action for Record {
    fn serve(&self) {
        self.log.lock().unwrap().push(self.softirq);
        if let Some(again) = self.again {
            raise(again);
        }
    }
}

fn world(again: Option<Softirq>) -> (Softirqs, &'static Mutex<Vec<Softirq>>) {
    let softirqs = Softirqs::new(1).unwrap();
    let log: &'static Mutex<Vec<Softirq>> = Box::leak(Box::default());
    for softirq in Softirq::ALL {
        let again = again.filter(|_| softirq == Softirq::Timer);
        assert!(softirqs.open(softirq, Box::leak(Box::new(Record { softirq, log, again }))));
    }
    (softirqs, log)
}

#[test]
fn the_most_urgent_goes_first() {
    let (softirqs, log) = world(Some(Softirq::HighTasklet));
    for softirq in [Softirq::Rcu, Softirq::Timer, Softirq::Block] {
        raise(softirq);
    }
    softirqs.serve(|| panic!("nothing to hand over"));
    // What is raised meanwhile waits for the next round.
    assert_eq!(*log.lock().unwrap(), [Softirq::Timer, Softirq::Block, Softirq::Rcu, Softirq::HighTasklet]);
    assert_eq!(softirqs.count(Softirq::Block, 0), 1);
    assert_eq!(Softirq::HighResolutionTimer.name(), "HRTIMER");
}

#[test]
fn a_flood_is_handed_over() {
    let (softirqs, log) = world(Some(Softirq::Timer));
    raise(Softirq::Timer);
    let mut handed_over = false;
    softirqs.serve(|| {
        handed_over = softirqs.is_handed_over(0);
        true
    });
    assert!(handed_over && softirqs.is_handed_over(0));
    assert!((1..=10).contains(&log.lock().unwrap().len()));
    assert_ne!(sync::ambient::pending_softirqs(), 0, "the rest stays pending for the thread");
    let served = log.lock().unwrap().len();
    softirqs.serve(|| panic!("handed over already"));
    assert_eq!(log.lock().unwrap().len(), served, "the tail leaves them to the thread");
}

#[test]
fn without_a_thread_the_next_interrupt_goes_on() {
    let (softirqs, log) = world(Some(Softirq::Timer));
    raise(Softirq::Timer);
    softirqs.serve(|| false);
    let served = log.lock().unwrap().len();
    softirqs.serve(|| false);
    assert!(log.lock().unwrap().len() > served);
    assert_eq!((softirqs.is_handed_over(0), softirqs.floods(0)), (false, 0));
}

/// Raises itself until it was served so often.
struct Flood {
    left: Mutex<u32>,
}

impl Action for Flood {
    fn serve(&self) {
        let mut left = self.left.lock().unwrap();
        *left = left.saturating_sub(1);
        if *left > 0 {
            raise(Softirq::Tasklet);
        }
    }
}

proptest::proptest! {
    /// Interrupts (which raise, and serve in their tails) and the thread in any order, and floods of any length: each is served to its end,
    /// by tails or thread, and the thread has them only between handing over and giving back.
    #[test]
    fn nothing_is_lost(length in 1u32..100, steps in proptest::collection::vec(0u8..3, 0..40)) {
        let softirqs = Softirqs::new(1).unwrap();
        let flood: &'static Flood = Box::leak(Box::new(Flood { left: Mutex::new(length) }));
        assert!(softirqs.open(Softirq::Tasklet, flood));
        sync::ambient::take_softirqs();
        raise(Softirq::Tasklet);
        let mut raised = 0;
        for step in steps {
            match step {
                0 => {
                    raise(Softirq::Block);
                    raised += 1;
                    let tails_serve = !softirqs.is_handed_over(0);
                    softirqs.serve(|| true);
                    if tails_serve {
                        proptest::prop_assert_eq!(softirqs.count(Softirq::Block, 0), raised);
                    } else {
                        // The bit is there already where several interrupts came: one serving answers all.
                        raised = softirqs.count(Softirq::Block, 0) + 1;
                    }
                }
                1 => softirqs.serve(|| true),
                _ => {
                    softirqs.serve_in_thread();
                    proptest::prop_assert!(!softirqs.is_handed_over(0));
                }
            }
        }
        while sync::ambient::pending_softirqs() != 0 {
            softirqs.serve(|| true);
            softirqs.serve_in_thread();
        }
        proptest::prop_assert_eq!(softirqs.count(Softirq::Tasklet, 0), u64::from(length));
        proptest::prop_assert_eq!(softirqs.count(Softirq::Block, 0), raised);
        proptest::prop_assert_eq!(*flood.left.lock().unwrap(), 0);
        proptest::prop_assert!(!softirqs.is_handed_over(0));
    }
}
