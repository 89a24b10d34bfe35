//! The timer queue against a map that is searched from end to end.

use proptest::prelude::*;
use std::collections::BTreeMap;
use time::{Room, TimerId, TimerQueue};

/// Makes more room if there is none left.
fn make_room<T>(queue: &mut TimerQueue<T>) {
    if let Some(wanted) = queue.room_wanted() {
        queue.grow(&mut Room::new(wanted).unwrap());
    }
}

#[test]
fn a_queue_without_room_says_so_and_moves_into_a_roomier_one() {
    let mut queue = TimerQueue::new();
    assert_eq!(queue.add('a'), Err('a'));
    make_room(&mut queue);
    let first = queue.add('a').unwrap();
    queue.arm(first, 9);
    let mut count = 1;
    while queue.add('b').is_ok() {
        count += 1;
    }
    assert!(count >= 64);
    make_room(&mut queue);
    assert!(queue.add('c').is_ok());
    assert_eq!(queue.deadline(first), Some(9));
    assert_eq!(queue.pop_expired(9).map(|(id, due, payload)| (id, due, *payload)), Some((first, 9, 'a')));
}

#[test]
fn names_of_released_timers_do_nothing() {
    let mut queue = TimerQueue::new();
    make_room(&mut queue);
    let stale = queue.add(1).unwrap();
    assert_eq!(queue.release(stale), Some(1));
    let fresh = queue.add(2).unwrap();
    queue.arm(stale, 1);
    assert_eq!(queue.armed(), 0);
    assert_eq!((queue.release(stale), queue.disarm(stale), queue.deadline(stale)), (None, false, None));
    queue.arm(fresh, 5);
    assert_eq!(queue.next_deadline(), Some(5));
}

#[test]
fn chunks_that_nobody_uses_go_and_their_names_stay_stale() {
    let mut queue = TimerQueue::new();
    let add = |queue: &mut TimerQueue<usize>, count: usize| -> Vec<TimerId> {
        let one = |number| {
            make_room(queue);
            queue.add(number).unwrap()
        };
        (0..count).map(one).collect()
    };
    let names = add(&mut queue, 5 * 64);
    // One of the first chunk and one of the third stay, the fourth and the fifth are free.
    let kept = [names[10], names[150]];
    names.iter().filter(|name| !kept.contains(name)).for_each(|&name| _ = queue.release(name).unwrap());
    assert_eq!((0..9).take_while(|_| queue.give_back().is_some()).count(), 2);
    let mut room = Room::new(queue.surplus().unwrap()).unwrap();
    queue.grow(&mut room);
    assert!(queue.surplus().is_none());
    let fresh = add(&mut queue, 5 * 64 - 2);
    assert_eq!(fresh.iter().filter(|name| kept.contains(name)).count(), 0, "slots in use are not handed out");
    for stale in names.iter().filter(|name| !kept.contains(name)) {
        queue.arm(*stale, 1);
        assert_eq!(queue.release(*stale), None);
    }
    assert_eq!(queue.armed(), 0);
    assert_eq!(kept.map(|name| queue.release(name)), [Some(10), Some(150)]);
    fresh.iter().for_each(|&name| assert!(queue.release(name).is_some()));
    while queue.give_back().is_some() {}
    queue.grow(&mut Room::new(queue.surplus().unwrap()).unwrap());
    assert_eq!(add(&mut queue, 1).len(), 1, "from nothing again");
}

#[test]
fn equal_deadlines_expire_in_the_order_of_arming() {
    let mut queue = TimerQueue::new();
    for number in 0..100 {
        make_room(&mut queue);
        let id = queue.add(number).unwrap();
        queue.arm(id, 7);
    }
    for number in 0..100 {
        assert_eq!(queue.pop_expired(7).map(|(_, _, payload)| *payload), Some(number));
    }
}

#[test]
fn a_crowd_moves_down_in_batches_and_all_expire_in_order() {
    let mut queue = TimerQueue::new();
    for number in 0..1000_u64 {
        make_room(&mut queue);
        let id = queue.add(number).unwrap();
        queue.arm(id, (1 << 30) | (number * 7919 % 1000));
    }
    let (mut looks, mut expired) = (0, Vec::new());
    while queue.armed() > 0 {
        let due = queue.next_deadline().unwrap();
        assert!(due < (1 << 30) + 1000);
        let mut popped = 0;
        while let Some((_, due, &mut number)) = queue.pop_expired((1 << 30) + 999) {
            assert_eq!(due, (1 << 30) | (number * 7919 % 1000));
            expired.push(due);
            popped += 1;
        }
        assert!(popped == 0 || looks >= 1000 / 64, "a look does not move them all");
        looks += 1;
    }
    assert!(expired.is_sorted());
    assert_eq!(expired.len(), 1000);
}

proptest! {
    #[test]
    fn the_queue_agrees_with_a_map(
        steps in prop::collection::vec((0u8..10, 0usize..40, 0u32..40, any::<u64>()), 0..400), start in prop_oneof![Just(0), 0..u64::MAX / 2],
    ) {
        let mut queue = TimerQueue::new();
        let mut timers: Vec<Option<TimerId>> = Vec::new();
        // By what counts as the deadline, and the order of arming: the timer and the deadline that was asked for.
        let mut model: BTreeMap<(u64, usize), (usize, u64)> = BTreeMap::new();
        let mut now = start;
        make_room(&mut queue);
        prop_assert!(queue.pop_expired(now).is_none());
        for (step, (kind, which, magnitude, value)) in steps.into_iter().enumerate() {
            let value = value >> (63 - magnitude);
            let chosen = timers.get(which).copied().flatten();
            match (kind, chosen) {
                (0..=1, _) => {
                    make_room(&mut queue);
                    timers.push(Some(queue.add(timers.len()).unwrap()));
                }
                (2..=5, Some(id)) => {
                    model.retain(|_, &mut (timer, _)| timer != which);
                    // Now and then one in the past, which counts as now.
                    let deadline = if value % 16 == 0 { now.saturating_sub(value) } else { now + value };
                    model.insert((deadline.max(now), step), (which, deadline));
                    queue.arm(id, deadline);
                    prop_assert_eq!(queue.deadline(id), Some(deadline));
                }
                (6, Some(id)) => {
                    let before = model.len();
                    model.retain(|_, &mut (timer, _)| timer != which);
                    prop_assert_eq!(queue.disarm(id), model.len() < before);
                }
                (7, Some(id)) => {
                    model.retain(|_, &mut (timer, _)| timer != which);
                    prop_assert_eq!(queue.release(id), Some(which));
                    timers[which] = None;
                    while queue.give_back().is_some() {}
                }
                _ => {
                    now += value / 4;
                    while let Some((_, &(timer, deadline))) = model.first_key_value().filter(|(key, _)| key.0 <= now) {
                        model.pop_first();
                        let popped = queue.pop_expired(now).map(|(id, due, payload)| (Some(id), due, *payload));
                        prop_assert_eq!(popped, Some((timers[timer], deadline, timer)));
                    }
                    prop_assert!(queue.pop_expired(now).is_none());
                }
            }
            prop_assert_eq!(queue.armed(), model.len());
            let first = model.first_key_value().map(|(key, _)| key.0);
            prop_assert_eq!(queue.next_deadline().is_some(), first.is_some());
            prop_assert!(queue.next_deadline() <= first, "too late");
        }
        // From one look to the next, as the hardware does it, each timer is found when it is due, after few looks.
        let mut looks = 0;
        while let Some(due) = queue.next_deadline() {
            now = now.max(due);
            while let Some((_, deadline, &mut number)) = queue.pop_expired(now) {
                let ((due, _), (timer, asked)) = model.pop_first().unwrap();
                prop_assert_eq!((number, deadline), (timer, asked));
                prop_assert_eq!(due.max(start), now, "late");
            }
            looks += 1;
            prop_assert!(looks < 1000);
        }
        prop_assert!(model.is_empty());
    }
}
