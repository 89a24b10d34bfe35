//! Reading all rings as one.
use crate::control::{Rings, rings};
use crate::ring::{Found, Record};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The records of all CPUs in the order of their times, as far as they were written when the reader was made: whoever reads makes more,
/// and would never come to an end.
pub struct Reader {
    rings: Arc<Rings>,
    places: Vec<Place>,
}

struct Place {
    next: u64,
    end: u64,
    /// The record at `next`, once it has been looked at.
    ahead: Option<Record>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Record {
        cpu: usize,
        record: Record,
    },
    /// So many records of a CPU were overwritten before they could be read.
    Lost {
        cpu: usize,
        count: u64,
    },
    End,
}

impl Reader {
    /// `Ok(None)` where nothing was ever recorded; an error without memory. May sleep.
    pub fn new() -> Result<Option<Self>, alloc::collections::TryReserveError> {
        let Some(rings) = rings() else { return Ok(None) };
        Self::of(rings).map(Some)
    }

    pub(crate) fn of(rings: Arc<Rings>) -> Result<Self, alloc::collections::TryReserveError> {
        let mut places = Vec::new();
        places.try_reserve_exact(rings.0.len())?;
        places.extend(rings.0.iter().map(|ring| Place { next: ring.oldest(), end: ring.next(), ahead: None }));
        Ok(Self { rings, places })
    }

    /// The next record of the CPU that has the oldest one.
    pub fn next_item(&mut self) -> Item {
        let mut first: Option<(usize, Record)> = None;
        for (cpu, (place, ring)) in self.places.iter_mut().zip(&self.rings.0).enumerate() {
            if place.ahead.is_none() && place.next < place.end {
                match ring.read(place.next) {
                    Found::Record(record) => place.ahead = Some(record),
                    Found::Overtaken(oldest) => {
                        let on = oldest.clamp(place.next + 1, place.end);
                        let count = on - place.next;
                        place.next = on;
                        return Item::Lost { cpu, count };
                    }
                    // Numbered, and its writer was still at it: it comes after what is to be shown.
                    Found::Nothing => place.end = place.next,
                }
            }
            if let Some(record) = place.ahead
                && first.is_none_or(|(_, other)| record.cycles < other.cycles)
            {
                first = Some((cpu, record));
            }
        }
        match first {
            Some((cpu, record)) => {
                self.places[cpu].next += 1;
                self.places[cpu].ahead = None;
                Item::Record { cpu, record }
            }
            None => Item::End,
        }
    }
}
