//! Where an entity joins a queue, and when one takes another's place: the fair class's judgements, as plain functions.

use crate::entity::{Entity, Position};
use crate::{Policy, Tunables};

/// Virtual runtime for a new thread: a slice behind the front, so that forking gains no time over those who wait, and not
/// before the thread that runs (as a rule its parent).
pub(crate) fn of_new(min_vruntime: u64, slice: u64, current: Option<u64>) -> u64 {
    let place = min_vruntime.wrapping_add(slice);
    match current {
        Some(current) if ahead(current, place) > 0 => current,
        _ => place,
    }
}

/// Virtual runtime for a thread that slept: its own if it went to sleep recently or owes time, but at most half a latency
/// in front of the queue, however long it slept.
pub(crate) fn of_woken<T>(entity: &Entity<T>, min_vruntime: u64, tunables: &Tunables, now: u64) -> u64 {
    let credit = match entity.policy() {
        Policy::Idle => tunables.min_granularity_ns,
        Policy::Normal | Policy::Batch => tunables.latency_ns / 2,
    };
    let front = min_vruntime.wrapping_sub(credit);
    // After a long sleep the difference may have wrapped around and say anything.
    if entity.slept_long(now) || entity.position.ahead_of(front) < 0 { front } else { entity.vruntime() }
}

/// Whether `woken` should run in place of `current`.
pub(crate) fn wakeup_preempts<T>(current: &Entity<T>, woken: &Entity<T>, tunables: &Tunables) -> bool {
    match (current.policy(), woken.policy()) {
        (Policy::Normal | Policy::Batch, Policy::Batch | Policy::Idle) | (Policy::Idle, Policy::Idle) => false,
        (Policy::Idle, Policy::Normal | Policy::Batch) => true,
        (Policy::Normal | Policy::Batch, Policy::Normal) => {
            let behind = current.position.ahead_of(woken.vruntime());
            behind > woken.weight.scale(tunables.wakeup_granularity_ns) as i64
        }
    }
}

/// Whether the tick should take the CPU from `current`, which has had `ran` of its `slice`, when `first` waits.
pub(crate) fn tick_preempts(current: Position, first: Position, ran: u64, slice: u64, tunables: &Tunables) -> bool {
    let slice = slice.min(tunables.latency_ns);
    if ran > slice {
        return true;
    }
    // Not a whole slice yet: only if someone has been wronged by more than that, and not at once.
    ran >= tunables.min_granularity_ns && current.ahead_of(first.vruntime) > slice as i64
}

/// Whether a `current` that has yielded should let `first` run. It should not if that would put `first` ahead of its share
/// by more than the wake-up granularity: yielding is a hint, not a gift.
pub(crate) fn yields_to<T>(current: &Entity<T>, first: Position, tunables: &Tunables) -> bool {
    first.ahead_of(current.vruntime()) <= current.weight.scale(tunables.wakeup_granularity_ns) as i64
}

pub(crate) fn ahead(vruntime: u64, other: u64) -> i64 {
    vruntime.wrapping_sub(other) as i64
}
