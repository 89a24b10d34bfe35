//! The ring of records.
/// Bytes that the ring holds.
pub const CAPACITY: usize = 64 * 1024;
/// Level, length (two bytes), time (eight bytes).
const HEADER: usize = 11;

/// Records, the oldest overwritten first. Each has a sequence number; readers keep their own place.
pub struct Ring {
    bytes: [u8; CAPACITY],
    /// Positions count up for ever; the place is their remainder.
    oldest: u64,
    end: u64,
    oldest_sequence: u64,
    next_sequence: u64,
}

/// A record as a reader sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    pub sequence: u64,
    /// Its level, and eight times its facility.
    pub level: u8,
    /// Nanoseconds since boot.
    pub time: u64,
    /// Bytes of text copied out.
    pub length: usize,
}

impl Ring {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; CAPACITY], oldest: 0, end: 0, oldest_sequence: 0, next_sequence: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.bytes[(self.end % CAPACITY as u64) as usize] = byte;
            self.end += 1;
        }
    }

    fn get(&self, position: u64, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self.bytes[((position + index as u64) % CAPACITY as u64) as usize];
        }
    }

    fn header(&self, position: u64) -> (u8, usize, u64) {
        let mut header = [0; HEADER];
        self.get(position, &mut header);
        let mut time = [0; 8];
        time.copy_from_slice(&header[3..]);
        (header[0], u16::from_le_bytes([header[1], header[2]]) as usize, u64::from_le_bytes(time))
    }

    /// Adds a record of `priority`: a level, and eight times the facility that it comes from.
    pub(crate) fn push(&mut self, priority: u8, time: u64, text: &[u8]) {
        let size = (HEADER + text.len()) as u64;
        while self.end + size - self.oldest > CAPACITY as u64 {
            self.oldest += (HEADER + self.header(self.oldest).1) as u64;
            self.oldest_sequence += 1;
        }
        self.put(&[priority]);
        self.put(&(text.len() as u16).to_le_bytes());
        self.put(&time.to_le_bytes());
        self.put(text);
        self.next_sequence += 1;
    }

    /// Sequence number that the next record will get.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The place of the oldest record: where a new reader starts.
    pub fn start(&self) -> Place {
        Place { sequence: self.oldest_sequence, position: self.oldest }
    }

    /// The place of a record by its number: the oldest where it is gone, the end where it has not come yet.
    pub fn place_of(&self, sequence: u64) -> Place {
        let mut place = self.start();
        while place.sequence < sequence.min(self.next_sequence) {
            place.position += (HEADER + self.header(place.position).1) as u64;
            place.sequence += 1;
        }
        place
    }

    /// The record at `place`, its text copied to `text` (cut where that is shorter), and `place` moved on. A reader that
    /// was overtaken goes on with the oldest. `None` at the end.
    pub fn read(&self, place: &mut Place, text: &mut [u8]) -> Option<Record> {
        if place.sequence < self.oldest_sequence {
            *place = self.start();
        }
        if place.sequence >= self.next_sequence {
            return None;
        }
        let (level, length, time) = self.header(place.position);
        let copied = length.min(text.len());
        self.get(place.position + HEADER as u64, &mut text[..copied]);
        let record = Record { sequence: place.sequence, level, time, length: copied };
        place.sequence += 1;
        place.position += (HEADER + length) as u64;
        Some(record)
    }
}

/// A reader's place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    pub sequence: u64,
    position: u64,
}

impl Place {
    /// Of the first record of all.
    pub const FIRST: Self = Self { sequence: 0, position: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_see_every_record_until_they_are_overtaken() {
        let mut ring = std::boxed::Box::new(Ring::new());
        let mut place = ring.start();
        let mut text = [0; 64];
        assert_eq!(ring.read(&mut place, &mut text), None);
        ring.push(4, 7, b"hello");
        assert_eq!(ring.read(&mut place, &mut text), Some(Record { sequence: 0, level: 4, time: 7, length: 5 }));
        assert_eq!(&text[..5], b"hello");
        for number in 0..10_000u64 {
            ring.push(6, number, b"a line of some length, to go round");
        }
        let record = ring.read(&mut place, &mut text).unwrap();
        assert!(record.sequence > 1, "overtaken");
        let mut expected = record.sequence + 1;
        while let Some(record) = ring.read(&mut place, &mut text) {
            assert_eq!((record.sequence, record.time), (expected, expected - 1));
            expected += 1;
        }
        assert_eq!(expected, 10_001);
    }
}
