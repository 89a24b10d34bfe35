//! One piece of work that is put off: where it stands.
//!
//! It is *queued* at most once at a time, and never runs in two places at once: who wants it while it runs has it run again afterwards.
//! Each time that it is accepted has a number, by which whoever flushes knows what to wait for.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Queued,
    /// In a queue still, for nothing.
    Cancelled,
    Running,
    /// Running, and wanted once more.
    Again,
}

/// The state of one piece of work. The owner keeps it under a lock.
#[derive(Clone, Debug)]
pub struct Item {
    phase: Phase,
    accepted: u64,
    /// What was accepted up to this number is done, or was cancelled.
    settled: u64,
    /// The number that runs.
    current: u64,
}

/// What whoever wanted it has to do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It waits already.
    No,
    /// Put it into a queue.
    Enqueue,
    /// Nothing: it is in a queue still, or comes back to one by itself.
    Yes,
}

impl Default for Item {
    fn default() -> Self {
        Self::new()
    }
}

impl Item {
    #[must_use]
    pub const fn new() -> Self {
        Self { phase: Phase::Idle, accepted: 0, settled: 0, current: 0 }
    }

    /// Somebody wants it done.
    pub fn want(&mut self) -> Accepted {
        let (phase, answer) = match self.phase {
            Phase::Queued | Phase::Again => return Accepted::No,
            Phase::Idle => (Phase::Queued, Accepted::Enqueue),
            Phase::Cancelled => (Phase::Queued, Accepted::Yes),
            Phase::Running => (Phase::Again, Accepted::Yes),
        };
        self.phase = phase;
        self.accepted += 1;
        answer
    }

    /// A worker took it out of its queue; false where it is not to run.
    pub fn begin(&mut self) -> bool {
        if self.phase != Phase::Queued {
            self.phase = Phase::Idle;
            return false;
        }
        self.phase = Phase::Running;
        self.current = self.accepted;
        true
    }

    /// It has run; true where it has to be put into a queue again.
    #[must_use]
    pub fn end(&mut self) -> bool {
        let again = self.phase == Phase::Again;
        self.phase = if again { Phase::Queued } else { Phase::Idle };
        self.settled = if again { self.current } else { self.accepted };
        again
    }

    /// Takes back what waits; false where nothing does. What runs goes on.
    pub fn cancel(&mut self) -> bool {
        match self.phase {
            Phase::Queued => {
                self.phase = Phase::Cancelled;
                self.settled = self.accepted;
            }
            Phase::Again => self.phase = Phase::Running,
            Phase::Idle | Phase::Cancelled | Phase::Running => return false,
        }
        true
    }

    /// Up to which number it was accepted: what a flush that begins now waits for.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether that is over.
    #[must_use]
    pub fn is_settled(&self, number: u64) -> bool {
        self.settled >= number
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a slow model: which wants were answered by a run that began after them, or taken back.
        #[test]
        fn every_want_is_answered_once(steps in prop::collection::vec(0u8..4, 0..100)) {
            let mut item = Item::new();
            // How often it is in the queue; numbers that wait, and that run.
            let (mut links, mut waiting, mut running) = (0u32, None, None);
            let mut number = 0;
            let mut settled = vec![true];
            for step in steps {
                match step {
                    0 => {
                        let accepted = item.want();
                        prop_assert_eq!(accepted == Accepted::No, waiting.is_some());
                        if accepted != Accepted::No {
                            number += 1;
                            settled.push(false);
                            waiting = Some(number);
                        }
                        links += u32::from(accepted == Accepted::Enqueue);
                    }
                    1 if links > 0 && running.is_none() => {
                        links -= 1;
                        let runs = item.begin();
                        prop_assert_eq!(runs, waiting.is_some());
                        running = waiting.take();
                    }
                    2 if running.is_some() => {
                        settled[running.take().unwrap()] = true;
                        let again = item.end();
                        prop_assert_eq!(again, waiting.is_some());
                        links += u32::from(again);
                    }
                    3 => {
                        prop_assert_eq!(item.cancel(), waiting.is_some());
                        if let Some(cancelled) = waiting.take() {
                            settled[cancelled] = true;
                        }
                    }
                    _ => {}
                }
                prop_assert!(links <= 1, "in one queue at most");
                prop_assert_eq!(item.is_running(), running.is_some());
                prop_assert_eq!(item.accepted(), number as u64);
                let all = (1..=number).all(|earlier| settled[earlier]);
                // While it runs, what was taken back is over only when the run is.
                prop_assert!(!item.is_settled(number as u64) || all);
                prop_assert!(item.is_settled(number as u64) || !all || running.is_some());
            }
        }
    }
}
