//! The timer queue and the wheel against maps that are searched from end to end.

use proptest::prelude::*;
use std::collections::BTreeMap;
use time::{TimerId, TimerQueue, TimerWheel};

#[test]
fn a_queue_without_room_says_so_and_moves_into_a_roomier_one() {
    let mut queue = TimerQueue::new();
    assert_eq!(queue.add('a'), Err('a'));
    let mut roomier = TimerQueue::new();
    roomier.try_reserve(queue.room_wanted().unwrap()).unwrap();
    queue.move_into(&mut roomier);
    let first = queue.add('a').unwrap();
    assert!(queue.arm(first, 9));
    let mut count = 1;
    while queue.add('b').is_ok() {
        count += 1;
    }
    assert!(count >= 64);
    let mut roomier = TimerQueue::new();
    roomier.try_reserve(queue.room_wanted().unwrap()).unwrap();
    queue.move_into(&mut roomier);
    assert!(queue.add('c').is_ok());
    assert_eq!(queue.deadline(first), Some(9));
    assert_eq!(queue.pop_expired(9).map(|(id, due, payload)| (id, due, *payload)), Some((first, 9, 'a')));
}

#[test]
fn names_of_released_timers_do_nothing() {
    let mut queue = TimerQueue::new();
    queue.try_reserve(1).unwrap();
    let stale = queue.add(1).unwrap();
    assert_eq!(queue.release(stale), Some(1));
    let fresh = queue.add(2).unwrap();
    assert!(!queue.arm(stale, 1));
    assert_eq!((queue.release(stale), queue.disarm(stale), queue.deadline(stale)), (None, false, None));
    assert!(queue.arm(fresh, 5));
    assert_eq!(queue.next_deadline(), Some(5));
}

#[test]
fn equal_deadlines_expire_in_the_order_of_arming() {
    let mut queue = TimerQueue::new();
    queue.try_reserve(100).unwrap();
    for number in 0..100 {
        let id = queue.add(number).unwrap();
        queue.arm(id, 7);
    }
    for number in 0..100 {
        assert_eq!(queue.pop_expired(7).map(|(_, _, payload)| *payload), Some(number));
    }
}

proptest! {
    #[test]
    fn the_queue_agrees_with_a_map(steps in prop::collection::vec((0u8..10, 0usize..40, 0u64..1000), 0..400)) {
        let mut queue = TimerQueue::new();
        let mut timers: Vec<Option<TimerId>> = Vec::new();
        let mut model: BTreeMap<(u64, usize), usize> = BTreeMap::new();
        let mut now = 0;
        for (step, (kind, which, value)) in steps.into_iter().enumerate() {
            let chosen = timers.get(which).copied().flatten();
            match (kind, chosen) {
                (0..=1, _) => {
                    queue.try_reserve(1).unwrap();
                    timers.push(Some(queue.add(timers.len()).unwrap()));
                }
                (2..=5, Some(id)) => {
                    model.retain(|_, &mut timer| timer != which);
                    model.insert((now + value, step), which);
                    let first = model.first_key_value().map(|(_, &timer)| timer) == Some(which);
                    prop_assert_eq!(queue.arm(id, now + value), first);
                }
                (6, Some(id)) => {
                    let before = model.len();
                    model.retain(|_, &mut timer| timer != which);
                    prop_assert_eq!(queue.disarm(id), model.len() < before);
                }
                (7, Some(id)) => {
                    model.retain(|_, &mut timer| timer != which);
                    prop_assert_eq!(queue.release(id), Some(which));
                    timers[which] = None;
                }
                _ => {
                    now += value / 4;
                    while let Some((&(deadline, _), &timer)) = model.first_key_value().filter(|(key, _)| key.0 <= now) {
                        model.pop_first();
                        let popped = queue.pop_expired(now).map(|(id, due, payload)| (Some(id), due, *payload));
                        prop_assert_eq!(popped, Some((timers[timer], deadline, timer)));
                    }
                    prop_assert!(queue.pop_expired(now).is_none());
                }
            }
            prop_assert_eq!(queue.armed(), model.len());
            prop_assert_eq!(queue.next_deadline(), model.first_key_value().map(|(key, _)| key.0));
        }
    }

    #[test]
    fn the_wheel_is_never_early_and_late_by_no_more_than_it_says(
        steps in prop::collection::vec((0u8..10, 0usize..20, 0u64..40, any::<u64>()), 0..300),
        start in 0u64..10_000,
    ) {
        let mut wheel = TimerWheel::new(start);
        wheel.try_reserve(20).unwrap();
        let timers: Vec<_> = (0..20).map(|number| wheel.add(number).unwrap()).collect();
        // Armed at, and for.
        let mut model: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        let mut now = start;
        for (kind, which, magnitude, value) in steps {
            let length = value >> (63 - magnitude);
            match kind {
                0..=4 => {
                    wheel.arm(timers[which], now + length, now);
                    model.insert(which, (now, now + length));
                }
                5 => prop_assert_eq!(wheel.disarm(timers[which]), model.remove(&which).is_some()),
                _ => {
                    now += length;
                    wheel.advance(now);
                    while let Some((_, &mut number)) = wheel.pop_expired() {
                        let (_, expires) = model.remove(&number).expect("armed");
                        prop_assert!(expires <= now, "early by {}", expires - now);
                    }
                    for (armed, expires) in model.values() {
                        let late = (expires - armed) * 8 / 63 + 1;
                        prop_assert!(expires + late > now, "armed at {armed} for {expires}, late at {now}");
                    }
                }
            }
            for (number, &id) in timers.iter().enumerate() {
                prop_assert_eq!(wheel.is_armed(id), model.contains_key(&number));
            }
            // Sleeping until the next expiry misses nothing.
            let first = model.values().map(|(armed, expires)| expires + (expires - armed) * 8 / 63 + 1).min();
            prop_assert!(wheel.next_expiry().unwrap_or(u64::MAX) <= first.unwrap_or(u64::MAX));
            prop_assert_eq!(wheel.next_expiry().is_none(), model.is_empty());
        }
    }
}

#[test]
fn short_delays_of_the_wheel_are_exact() {
    for start in [0, 5, 63, 64, 511, 512, 100_000] {
        for delay in 0..62 {
            let mut wheel = TimerWheel::new(start);
            wheel.try_reserve(1).unwrap();
            let id = wheel.add(()).unwrap();
            wheel.arm(id, start + delay, start);
            assert_eq!(wheel.next_expiry(), Some(start + delay));
            if delay > 0 {
                wheel.advance(start + delay - 1);
                assert!(wheel.pop_expired().is_none());
            }
            wheel.advance(start + delay);
            assert!(wheel.pop_expired().is_some());
        }
    }
}
