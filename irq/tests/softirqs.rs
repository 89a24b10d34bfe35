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
    softirqs.serve(|| handed_over = true);
    assert!(handed_over);
    assert!((1..=10).contains(&log.lock().unwrap().len()));
    assert_ne!(sync::ambient::pending_softirqs(), 0, "the rest stays pending for the thread");
}
