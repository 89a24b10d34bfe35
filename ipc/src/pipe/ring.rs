//! The bytes of a pipe: a ring of chunks, each a stretch of one page.
use abi::{Errno, PAGE_SIZE};
use alloc::vec::Vec;
use memory::frame::Use;
use memory::{Frame, Reader, Writer};

/// A stretch of a page: never empty while it is in the ring.
struct Chunk {
    frame: Frame,
    offset: u16,
    length: u16,
    /// Written with O_DIRECT: read alone, and what does not fit into the read's buffer is lost (`pipe(2)`).
    packet: bool,
}

/// Chunks in the order of writing. The number of slots is a power of two.
pub(super) struct Ring {
    slots: Vec<Option<Chunk>>,
    first: usize,
    used: usize,
    /// Pages that were read empty, for the next small messages.
    spare: [Option<Frame>; 2],
}

fn empty_slots(count: usize) -> Result<Vec<Option<Chunk>>, Errno> {
    let mut slots = Vec::new();
    slots.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    slots.resize_with(count, || None);
    Ok(slots)
}

impl Ring {
    /// ENOMEM.
    pub fn new(slots: usize) -> Result<Self, Errno> {
        Ok(Self { slots: empty_slots(slots)?, first: 0, used: 0, spare: [None, None] })
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub fn is_full(&self) -> bool {
        self.used == self.slots.len()
    }

    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn bytes(&self) -> usize {
        self.slots.iter().flatten().map(|chunk| usize::from(chunk.length)).sum()
    }

    fn slot(&self, position: usize) -> usize {
        self.first.wrapping_add(position) & self.slots.len().wrapping_sub(1)
    }

    fn chunk_mut(&mut self, position: usize) -> Option<&mut Chunk> {
        let slot = self.slot(position);
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Forgets what nobody can read any more, and the spare pages.
    pub fn clear(&mut self) {
        self.slots.fill_with(|| None);
        self.used = 0;
        self.spare = [None, None];
    }

    /// Moves the chunks to a ring of `count` slots. EBUSY where they do not fit; ENOMEM.
    pub fn resize(&mut self, count: usize) -> Result<(), Errno> {
        if count < self.used {
            return Err(Errno::EBUSY);
        }
        let mut slots = empty_slots(count)?;
        for (position, slot) in slots.iter_mut().enumerate().take(self.used) {
            let old = self.slot(position);
            *slot = self.slots.get_mut(old).and_then(Option::take);
        }
        self.slots = slots;
        self.first = 0;
        Ok(())
    }

    /// Appends the odd bytes of a write to the last page, where all of them fit and no one else has the page. Answers how
    /// many bytes that were: 0, or all that make the write a whole number of pages. EFAULT.
    pub fn merge(&mut self, from: &mut Reader) -> Result<usize, Errno> {
        let odd = from.remaining() % PAGE_SIZE;
        let Some(last) = self.used.checked_sub(1) else { return Ok(0) };
        let Some(chunk) = self.chunk_mut(last) else { return Ok(0) };
        let end = usize::from(chunk.offset) + usize::from(chunk.length);
        if odd == 0 || chunk.packet || end + odd > PAGE_SIZE || !chunk.frame.is_unique() {
            return Ok(0);
        }
        if from.read_to_frame(&chunk.frame, end, odd)? < odd {
            return Err(Errno::EFAULT);
        }
        chunk.length += odd as u16;
        Ok(odd)
    }

    /// Puts up to a page into a slot of its own; the ring is not full. A copy that breaks off leaves nothing behind.
    /// EFAULT; ENOMEM.
    pub fn append(&mut self, from: &mut Reader, packet: bool) -> Result<usize, Errno> {
        let wanted = from.remaining().min(PAGE_SIZE);
        let spare = self.spare.iter_mut().find_map(Option::take);
        let frame = spare.or_else(|| Frame::allocate_for(Use::Pipes)).ok_or(Errno::ENOMEM)?;
        match from.read_to_frame(&frame, 0, wanted) {
            Ok(copied) if copied == wanted => {
                let slot = self.slot(self.used);
                if let Some(slot) = self.slots.get_mut(slot) {
                    *slot = Some(Chunk { frame, offset: 0, length: copied as u16, packet });
                    self.used += 1;
                }
                Ok(copied)
            }
            _ => {
                self.keep(frame);
                Err(Errno::EFAULT)
            }
        }
    }

    /// Copies out until `to` is full, the ring is empty, or a packet has ended. A copy that breaks off leaves its chunk as it
    /// was. EFAULT where nothing was copied before.
    pub fn read(&mut self, to: &mut Writer) -> Result<usize, Errno> {
        let mut done = 0;
        while !to.is_empty() {
            let Some(chunk) = self.chunk_mut(0) else { break };
            let wanted = to.remaining().min(usize::from(chunk.length));
            if to.write_from_frame(&chunk.frame, usize::from(chunk.offset), wanted).unwrap_or(0) < wanted {
                return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
            }
            done += wanted;
            chunk.offset += wanted as u16;
            chunk.length -= wanted as u16;
            let packet = chunk.packet;
            if packet || chunk.length == 0 {
                self.release_first();
            }
            if packet {
                break;
            }
        }
        Ok(done)
    }

    fn release_first(&mut self) {
        let first = self.first;
        if let Some(chunk) = self.slots.get_mut(first).and_then(Option::take) {
            self.first = self.slot(1);
            self.used -= 1;
            self.keep(chunk.frame);
        }
    }

    /// Keeps an emptied page, if it is ours alone and there is room.
    fn keep(&mut self, frame: Frame) {
        if let Some(place) = self.spare.iter_mut().find(|place| place.is_none())
            && frame.is_unique()
        {
            *place = Some(frame);
        }
    }
}

#[cfg(test)]
mod tests;
