//! The driver's side of a ring.
use crate::buffer::Buffers;
use crate::layout::{Addresses, FLAG_NEXT, FLAG_QUIET, FLAG_WRITE, MAX_SIZE, Page};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::sync::atomic::{Ordering, fence};

/// Why a ring did not take a request, or has nothing more to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// Not enough free descriptors now.
    Full,
    /// The device wrote nonsense; it has to be reset.
    Broken,
    /// No buffers, more than the ring has descriptors, or one that the device writes before one that it reads: the driver's
    /// mistake.
    Malformed,
}

/// A request that was not taken, given back.
#[derive(Debug)]
pub struct Rejected<T> {
    pub error: RingError,
    pub buffers: Buffers,
    pub token: T,
}

/// A request that the device is done with.
#[derive(Debug)]
pub struct Completion<T> {
    pub token: T,
    pub buffers: Buffers,
    /// Bytes that the device says it wrote; never more than the writable buffers have.
    pub written: usize,
}

/// The driver's word that the device was reset and touches no memory any more.
#[derive(Debug)]
pub struct Quiesced(());

impl Quiesced {
    /// To be called after the device has confirmed its reset, by the code that waited for that.
    pub fn after_reset() -> Self {
        Self(())
    }
}

struct InFlight<T> {
    token: T,
    buffers: Buffers,
    writable: usize,
}

/// The driver's side of a split virtqueue. `T` is what the driver wants to remember with a request.
pub struct Ring<T> {
    page: ManuallyDrop<Page>,
    size: u16,
    event_index: bool,
    /// Requests by their first descriptor. Never dropped but by `retire`.
    in_flight: ManuallyDrop<Box<[Option<InFlight<T>>]>>,
    /// What follows each descriptor: in its chain, or among the free ones.
    next: Box<[u16]>,
    first_free: u16,
    free: u16,
    requests: u16,
    /// Where the driver's index stands, and stood when the device was last told.
    available: u16,
    announced: u16,
    /// How far the device's ring has been read.
    seen: u16,
    broken: bool,
}

impl<T> Ring<T> {
    /// A ring of `size` descriptors: a power of two, at most [`MAX_SIZE`]. `event_index`: VIRTIO_F_EVENT_IDX was negotiated.
    /// `None` for another size, or without memory.
    pub fn new(size: u16, event_index: bool) -> Option<Self> {
        if !size.is_power_of_two() || size > MAX_SIZE {
            return None;
        }
        let count = usize::from(size);
        let (mut in_flight, mut next) = (Vec::new(), Vec::new());
        in_flight.try_reserve_exact(count).ok()?;
        next.try_reserve_exact(count).ok()?;
        in_flight.extend((0..count).map(|_| None));
        next.extend(1..=size);
        Some(Self {
            page: ManuallyDrop::new(Page::new(size)?),
            size,
            event_index,
            in_flight: ManuallyDrop::new(in_flight.into_boxed_slice()),
            next: next.into_boxed_slice(),
            first_free: 0,
            free: size,
            requests: 0,
            available: 0,
            announced: 0,
            seen: 0,
            broken: false,
        })
    }

    /// Where the device finds the ring.
    pub fn addresses(&self) -> Addresses {
        self.page.addresses()
    }

    /// Descriptors that are free: as many buffers can be added.
    pub fn free(&self) -> usize {
        usize::from(self.free)
    }

    /// Requests that the device has.
    pub fn in_flight(&self) -> usize {
        usize::from(self.requests)
    }

    /// Whether [`Ring::take`] has something to say.
    pub fn has_news(&self) -> bool {
        self.broken || self.page.used_index() != self.seen
    }

    pub fn is_broken(&self) -> bool {
        self.broken
    }

    fn check(&self, buffers: &Buffers) -> Result<(), RingError> {
        let sorted = buffers.is_sorted_by_key(|buffer| buffer.is_writable());
        if buffers.is_empty() || buffers.len() > usize::from(self.size) || !sorted {
            return Err(RingError::Malformed);
        }
        if self.broken {
            return Err(RingError::Broken);
        }
        if buffers.len() > self.free() { Err(RingError::Full) } else { Ok(()) }
    }

    /// Gives a request to the device, which sees it at once, but may not look before it is notified: see
    /// [`Ring::wants_notification`]. Does not allocate.
    pub fn add(&mut self, buffers: Buffers, token: T) -> Result<(), Rejected<T>> {
        if let Err(error) = self.check(&buffers) {
            return Err(Rejected { error, buffers, token });
        }
        let head = self.first_free;
        let mut index = head;
        let last = buffers.len() - 1;
        for (at, buffer) in buffers.iter().enumerate() {
            let next = self.next[usize::from(index)];
            let write = if buffer.is_writable() { FLAG_WRITE } else { 0 };
            let more = if at < last { FLAG_NEXT } else { 0 };
            let follower = if at < last { next } else { 0 };
            self.page.describe(index, buffer.address().0, buffer.length() as u32, write | more, follower);
            self.first_free = next;
            index = next;
        }
        let writable = buffers.iter().filter(|buffer| buffer.is_writable()).map(|buffer| buffer.length()).sum();
        self.free -= buffers.len() as u16;
        self.requests += 1;
        self.in_flight[usize::from(head)] = Some(InFlight { token, buffers, writable });
        self.page.set_available(self.available, head);
        self.available = self.available.wrapping_add(1);
        self.page.set_available_index(self.available);
        Ok(())
    }

    /// Whether the device must be notified of what was added since the last call.
    pub fn wants_notification(&mut self) -> bool {
        let (old, new) = (self.announced, self.available);
        if old == new {
            return false;
        }
        self.announced = new;
        // The device publishes its wish, and looks again at what is available, in the opposite order.
        fence(Ordering::SeqCst);
        if self.event_index {
            passed(self.page.available_event(), old, new)
        } else {
            self.page.device_flags() & FLAG_QUIET == 0
        }
    }

    /// The next request that the device is done with, if there is one. `Err` once the device has written nonsense.
    pub fn take(&mut self) -> Result<Option<Completion<T>>, RingError> {
        if self.broken {
            return Err(RingError::Broken);
        }
        let ready = self.page.used_index().wrapping_sub(self.seen);
        if ready == 0 {
            return Ok(None);
        }
        let (identifier, length) = self.page.used(self.seen);
        let done = if ready <= self.requests { self.complete(identifier, length) } else { None };
        self.broken = done.is_none();
        done.map(Some).ok_or(RingError::Broken)
    }

    fn complete(&mut self, identifier: u32, length: u32) -> Option<Completion<T>> {
        let place = self.in_flight.get_mut(usize::try_from(identifier).ok()?)?;
        if place.as_ref()?.writable < length as usize {
            return None;
        }
        let InFlight { token, buffers, .. } = place.take()?;
        let head = identifier as u16;
        let last = (1..buffers.len()).fold(head, |index, _| self.next[usize::from(index)]);
        self.next[usize::from(last)] = self.first_free;
        self.first_free = head;
        self.free += buffers.len() as u16;
        self.requests -= 1;
        self.seen = self.seen.wrapping_add(1);
        Some(Completion { token, buffers, written: length as usize })
    }

    /// Asks the device not to interrupt: a hint, which it may miss.
    pub fn disable_interrupts(&mut self) {
        if self.event_index {
            // The index that was passed longest ago.
            self.page.set_used_event(self.seen.wrapping_sub(1));
        } else {
            self.page.set_driver_flags(FLAG_QUIET);
        }
    }

    /// Asks for an interrupt at the next completion; true where there is one already, which may not have interrupted.
    pub fn enable_interrupts(&mut self) -> bool {
        if self.event_index {
            self.page.set_used_event(self.seen);
        } else {
            self.page.set_driver_flags(0);
        }
        fence(Ordering::SeqCst);
        self.page.used_index() != self.seen
    }

    /// Frees the ring, and gives back what was in flight.
    pub fn retire(mut self, _device: &Quiesced) -> impl Iterator<Item = (T, Buffers)> {
        // SAFETY: `self` is not used afterwards, and `Ring` has no `Drop` of its own.
        let (page, in_flight) =
            unsafe { (ManuallyDrop::take(&mut self.page), ManuallyDrop::take(&mut self.in_flight)) };
        drop(page);
        in_flight.into_iter().flatten().map(|request| (request.token, request.buffers))
    }
}

/// Whether an index that went from `old` to `new` has passed `event` (2.7.10).
fn passed(event: u16, old: u16, new: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}
