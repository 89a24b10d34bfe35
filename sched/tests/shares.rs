//! Simulated CPUs: do threads get the time that their weights promise, and sleepers no more than that?

use sched::{Entity, FairQueue, Home, Nice, Policy, Preempt, RunQueue, Runnable, Sleep, Tunables};

const TICK: u64 = 4_000_000;
const MINUTE: u64 = 60_000_000_000;

fn thread(id: u64, nice: i32) -> Runnable<u64> {
    Runnable { entity: Box::new(Entity::new(id, Nice::clamped(nice), Policy::Normal)), owner: id }
}

/// Runs always-runnable threads of these nice values for `length`; how long each ran.
fn simulate(nices: &[i32], length: u64) -> Vec<u64> {
    let mut queue = FairQueue::new(Tunables::for_cpus(1));
    for (id, &nice) in nices.iter().enumerate() {
        let _ = queue.enqueue_new(thread(id as u64, nice), 0);
    }
    let mut ran = vec![0; nices.len()];
    queue.pick_next(0);
    for now in (TICK..=length).step_by(TICK as usize) {
        let owner = queue.current().unwrap().owner;
        ran[owner as usize] += TICK;
        if queue.tick(now) == Preempt::Yes {
            queue.pick_next(now);
        }
    }
    ran
}

fn assert_shares(nices: &[i32]) {
    let ran = simulate(nices, MINUTE);
    let total: u64 = nices.iter().map(|&nice| u64::from(Nice::clamped(nice).weight().share())).sum();
    for (&nice, &ran) in nices.iter().zip(&ran) {
        let due = MINUTE as f64 * f64::from(Nice::clamped(nice).weight().share()) / total as f64;
        let error = (ran as f64 - due).abs();
        // One per cent, or what two turns of a tick's length come to for those who get few of them.
        assert!(error <= (due / 100.0).max(2.0 * TICK as f64), "nice {nice}: ran {ran}, due {due}");
        assert!(error <= MINUTE as f64 / 100.0);
    }
}

#[test]
fn equal_threads_share_equally() {
    for count in [1, 2, 3, 7, 40] {
        assert_shares(&vec![0; count]);
    }
}

#[test]
fn shares_follow_weights() {
    assert_shares(&[0, 1]);
    assert_shares(&[0, 5, -5]);
    assert_shares(&[-20, 19]);
    assert_shares(&[-20, -10, 0, 10, 19]);
    assert_shares(&(-20..20).collect::<Vec<_>>());
}

#[test]
fn every_thread_gets_a_turn_within_a_few_periods() {
    let nices = vec![0; 100];
    let ran = simulate(&nices, 2 * 100 * TICK);
    assert!(ran.iter().all(|&ran| ran >= TICK));
}

/// One thread computes; another sleeps for `pause` and then wants `burst`, again and again. The time that the sleeper got,
/// and how long it waited for the CPU on average.
fn with_sleeper(pause: u64, burst: u64) -> (u64, u64) {
    const STEP: u64 = 100_000;
    let mut queue = RunQueue::new(Tunables::for_cpus(1));
    let _ = queue.start(thread(0, 0), 0);
    let mut asleep = Some(thread(1, 0));
    let (mut wake_at, mut wanted, mut got, mut delay, mut turns) = (pause, 0, 0, 0, 0);
    queue.pick_next(0);
    for now in (STEP..MINUTE).step_by(STEP as usize) {
        let mut preempt = now % TICK == 0 && queue.tick(now) == Preempt::Yes;
        if queue.current() == Some(&1) {
            got += STEP;
            wanted -= STEP;
            if wanted == 0 {
                let blocked = queue.block(Sleep::Interruptible, now).unwrap();
                (delay, turns) = (blocked.entity.run_delay_ns(), turns + 1);
                (asleep, wake_at, preempt) = (Some(blocked), now + pause, true);
            }
        }
        if now >= wake_at
            && let Some(sleeper) = asleep.take()
        {
            wanted = burst;
            preempt |= queue.wake(sleeper, Home::Here, Sleep::Interruptible, now).preempt == Preempt::Yes;
        }
        if preempt {
            queue.pick_next(now);
        }
    }
    (got, delay / turns)
}

#[test]
fn a_sleeper_runs_soon() {
    let (_, delay) = with_sleeper(20_000_000, 1_000_000);
    assert!(delay <= 100_000, "waited {delay} ns on average");
}

#[test]
fn a_sleeper_gains_no_more_than_its_share() {
    // It always wants more than half of the CPU, and naps to look hungry.
    let (got, _) = with_sleeper(1_000_000, 30_000_000);
    assert!(got <= MINUTE / 2 + MINUTE / 20, "got {got}");
    assert!(got >= MINUTE / 2 - MINUTE / 20, "got {got}");
}

#[test]
fn a_long_sleep_earns_half_a_latency_and_no_more() {
    let tunables = Tunables::for_cpus(1);
    for pause in [10_000_000, 50_000_000_000, 5_000_000_000_000] {
        let mut queue = FairQueue::new(tunables);
        let _ = queue.enqueue_new(thread(1, 0), 0);
        queue.pick_next(0);
        let sleeper = queue.take_current(5_000_000).unwrap();
        let _ = queue.enqueue_new(thread(2, 0), 5_000_000);
        queue.pick_next(5_000_000);
        let now = 5_000_000 + pause;
        let placed = queue.enqueue_woken(sleeper, Home::Here, now);
        let credit = queue.min_vruntime().wrapping_sub(placed.position.vruntime);
        assert_eq!(credit, tunables.latency_ns / 2);
        assert_eq!(placed.preempt, Preempt::Yes);
    }
}

#[test]
fn a_short_nap_earns_nothing() {
    let mut queue = FairQueue::new(Tunables::for_cpus(1));
    let _ = queue.enqueue_new(thread(1, 0), 0);
    let _ = queue.enqueue_new(thread(2, 0), 0);
    queue.pick_next(0);
    let sleeper = queue.take_current(5_000_000).unwrap();
    let before = sleeper.entity.vruntime();
    queue.pick_next(5_000_000);
    let placed = queue.enqueue_woken(sleeper, Home::Here, 5_010_000);
    assert_eq!(placed.position.vruntime, before);
    assert_eq!(placed.preempt, Preempt::No);
}

#[test]
fn waking_elsewhere_keeps_the_distance_from_the_front() {
    let tunables = Tunables::for_cpus(2);
    let (mut old, mut new) = (FairQueue::new(tunables), FairQueue::new(tunables));
    let _ = new.enqueue_new(thread(9, 0), 0);
    new.pick_next(0);
    new.update_current(50_000_000_000);
    let _ = old.enqueue_new(thread(1, 0), 0);
    let _ = old.enqueue_new(thread(2, 0), 0);
    old.pick_next(0);
    let sleeper = old.take_current(3_000_000).unwrap();
    let distance = sleeper.entity.vruntime().wrapping_sub(old.min_vruntime());
    let home = Home::Elsewhere { min_vruntime: old.min_vruntime() };
    let placed = new.enqueue_woken(sleeper, home, 50_000_000_000);
    assert_eq!(placed.position.vruntime.wrapping_sub(new.min_vruntime()), distance);
}

#[test]
fn batch_and_idle_threads_do_not_preempt_and_idle_ones_are_preempted() {
    let queue_of = |policy| {
        let mut queue = FairQueue::new(Tunables::for_cpus(1));
        let entity = Box::new(Entity::new(1, Nice::default(), policy));
        let _ = queue.enqueue_new(Runnable { entity, owner: 1 }, 0);
        queue.pick_next(0);
        queue
    };
    let wake = |running, waking| {
        let entity = Box::new(Entity::new(2, Nice::default(), waking));
        let woken = Runnable { entity, owner: 2 };
        queue_of(running).enqueue_woken(woken, Home::Here, 100_000_000).preempt == Preempt::Yes
    };
    assert!(wake(Policy::Normal, Policy::Normal));
    assert!(!wake(Policy::Normal, Policy::Batch));
    assert!(!wake(Policy::Normal, Policy::Idle));
    assert!(!wake(Policy::Idle, Policy::Idle));
    assert!(wake(Policy::Idle, Policy::Batch));
}

#[test]
fn yielding_lets_an_equal_by_but_gives_nothing_away() {
    let mut queue = FairQueue::new(Tunables::for_cpus(1));
    for id in [1, 2] {
        let _ = queue.enqueue_woken(thread(id, 0), Home::Here, 0);
    }
    let mut owners = Vec::new();
    for turn in 0..6 {
        owners.push(queue.pick_next(turn * 100_000).unwrap().owner);
        queue.yield_current();
    }
    assert_eq!(owners, [1, 2, 1, 2, 1, 2]);
    // Far behind, a yield is declined: the other has had its time.
    queue.take_current(600_000);
    queue.pick_next(600_000);
    queue.update_current(500_000_000);
    let _ = queue.enqueue_woken(thread(3, 0), Home::Here, 500_000_000);
    queue.pick_next(500_000_000);
    queue.yield_current();
    assert_eq!(queue.pick_next(500_000_001).unwrap().owner, 3);
}
