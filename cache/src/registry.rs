//! Who is to be asked or told: weak references in slots that do not move, under a spin lock. What memory they took goes with them.
use abi::Errno;
use alloc::sync::{Arc, Weak};
use slots::SlotId;
use sync::{Rank, SpinLock};

/// For how many memory is found at a time: most lists are short.
const CHUNK: usize = 8;

type Slots<T> = slots::Slots<Weak<T>, CHUNK>;
type More<T> = slots::More<Weak<T>, CHUNK>;

/// See the module.
pub struct Registry<T: ?Sized> {
    slots: SpinLock<Slots<T>>,
}

impl<T: ?Sized> Registry<T> {
    pub const fn new(rank: Rank) -> Self {
        Self { slots: SpinLock::new(rank, Slots::new()) }
    }

    /// Its number is the lowest that is not in use. ENOMEM.
    pub fn add(&self, member: Weak<T>) -> Result<SlotId, Errno> {
        let mut member = member;
        loop {
            let present = {
                let mut slots = self.slots.lock();
                match slots.insert(member) {
                    Ok(slot) => return Ok(slot),
                    Err(back) => member = back,
                }
                slots.capacity()
            };
            self.resize(present, CHUNK)?;
        }
    }

    /// Room for `more` slots beside those that were `present`. What it takes the place of goes without the lock.
    fn resize(&self, present: usize, more: usize) -> Result<(), Errno> {
        let mut room = More::new(present, more).map_err(|_| Errno::ENOMEM)?;
        self.slots.lock().grow(&mut room);
        Ok(())
    }

    pub fn remove(&self, slot: SlotId) {
        let member = self.slots.lock().remove(slot);
        drop(member);
        let mut left = None;
        while let Some((surplus, capacity)) = self.take_surplus() {
            left = Some(capacity);
            drop(surplus);
        }
        // The list of what is left is made anew, unless memory is short: who gives some back does not wait for any. It stays as long as it
        // was then.
        if let Some(left) = left
            && !memory::zones::is_short()
        {
            let _ = self.resize(left, 0);
        }
    }

    /// Memory for some that nobody uses, and the slots that are left. Who comes and goes again and again finds the first ones there.
    fn take_surplus(&self) -> Option<(slots::Chunk<Weak<T>>, usize)> {
        let mut slots = self.slots.lock();
        let surplus = if slots.capacity() > CHUNK { slots.give_back() } else { None };
        surplus.map(|surplus| (surplus, slots.capacity()))
    }

    /// Calls each member that is there, without the lock.
    pub fn for_each(&self, mut call: impl FnMut(&Arc<T>)) {
        let mut from = 0;
        loop {
            let next = self.slots.lock().first_from(from).map(|(index, member)| (index, member.upgrade()));
            let Some((index, member)) = next else { return };
            if let Some(member) = member {
                call(&member);
            }
            from = index + 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.slots.lock().first_from(0).is_none()
    }
}
