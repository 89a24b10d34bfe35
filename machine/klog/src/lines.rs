//! The log as lines of text: syslog(2), /proc/kmsg and /dev/kmsg.
use crate::ring::{Place, Record};
use crate::{LINE, readers, with_ring};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};
use sync::{Mutex, PollQueue, Rank, Sleep, WaitError};

/// Room for any line with what stands in front of it.
const LONGEST: usize = LINE + 48;

/// A line in the making, or made.
pub struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.length += count;
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// As dmesg wants them: `<level>[time] text`.
fn line(record: &Record, text: &[u8]) -> Text {
    let mut line = Text::new();
    let (seconds, microseconds) = (record.time / 1_000_000_000, record.time / 1000 % 1_000_000);
    // What does not fit is cut, and nothing fails.
    let _ = write!(line, "<{}>[{seconds:5}.{microseconds:06}] ", record.level);
    line.put(text);
    line.put(b"\n");
    line
}

/// The line at `place`, which is moved on; `None` at the end.
pub fn next_line(place: &mut Place) -> Option<Text> {
    let mut text = [0; LINE];
    let record = with_ring(|ring| ring.read(place, &mut text))?;
    Some(line(&record, &text[..record.length]))
}

/// The record at `place` as /dev/kmsg shows it (Documentation/ABI/testing/dev-kmsg): its numbers, and a text in which what is not
/// plain ASCII is in hexadecimal.
pub fn next_record(place: &mut Place) -> Option<Text> {
    let mut text = [0; LINE];
    let record = with_ring(|ring| ring.read(place, &mut text))?;
    let mut line = Text::new();
    let _ = write!(line, "{},{},{},-;", record.level, record.sequence, record.time / 1000);
    for &byte in &text[..record.length] {
        match byte {
            b' '..=b'~' if byte != b'\\' => line.put(&[byte]),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.put(b"\n");
    Some(line)
}

/// Where whoever takes lines for good stands: one place for the whole system.
struct Unread {
    place: Place,
    /// Bytes of the line there that were taken already.
    taken: usize,
}

static UNREAD: Mutex<Unread> = Mutex::new(Rank::FileSystem, Unread { place: Place::FIRST, taken: 0 });
/// Records before this one are not shown by READ_ALL any more.
static CLEARED: AtomicU64 = AtomicU64::new(0);

/// Takes what nobody has taken yet, as much as fits into `buffer`. 0 where there is nothing. May sleep.
pub fn take_unread(buffer: &mut [u8]) -> usize {
    let mut unread = UNREAD.lock();
    let mut count = 0;
    while count < buffer.len() {
        let mut next = unread.place;
        let Some(line) = next_line(&mut next) else { break };
        let rest = line.bytes().get(unread.taken..).unwrap_or(&[]);
        let now = rest.len().min(buffer.len() - count);
        buffer[count..count + now].copy_from_slice(&rest[..now]);
        count += now;
        if now < rest.len() {
            unread.taken += now;
        } else {
            *unread = Unread { place: next, taken: 0 };
        }
    }
    count
}

/// How much [`take_unread`] would find.
pub fn unread_size() -> usize {
    let unread = UNREAD.lock();
    let (mut place, mut size) = (unread.place, 0);
    while let Some(line) = next_line(&mut place) {
        size += line.bytes().len();
    }
    size.saturating_sub(unread.taken)
}

/// Waits until there is something to take.
pub fn wait_for_unread() -> Result<(), WaitError> {
    let Some(queue) = readers() else { return Ok(()) };
    wait(queue, || UNREAD.lock().place.sequence)
}

/// Waits on `queue` until there is a record from `from` on.
fn wait(queue: &PollQueue, from: impl Fn() -> u64) -> Result<(), WaitError> {
    let mut wanted = from();
    loop {
        queue.wait(Sleep::Interruptible, None, || (with_ring(|ring| ring.next_sequence()) > wanted).then_some(()))?;
        // Somebody else may have taken it.
        let now = from();
        if now == wanted {
            return Ok(());
        }
        wanted = now;
    }
}

/// Waits until there is a record at `place` or behind it.
pub fn wait_for(place: &Place) -> Result<(), WaitError> {
    let Some(queue) = readers() else { return Ok(()) };
    wait(queue, || place.sequence)
}

/// Where READ_ALL begins.
pub fn first_shown() -> Place {
    with_ring(|ring| ring.place_of(CLEARED.load(Ordering::Relaxed)))
}

/// READ_ALL shows only what comes after this.
pub fn clear() {
    CLEARED.store(with_ring(|ring| ring.next_sequence()), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_linux_writes_them() {
        let record = Record { sequence: 12, level: 6, time: 1_234_567_890, length: 5 };
        assert_eq!(line(&record, b"hello").bytes(), b"<6>[    1.234567] hello\n");
    }

    #[test]
    fn taken_once_and_in_pieces() {
        crate::record(crate::Level::Info, format_args!("first"));
        crate::record(crate::Level::Info, format_args!("tab\there"));
        let size = unread_size();
        let mut all = Vec::new();
        let mut piece = [0; 7];
        loop {
            let count = take_unread(&mut piece);
            if count == 0 {
                break;
            }
            all.extend_from_slice(&piece[..count]);
        }
        assert_eq!(all.len(), size);
        let text = String::from_utf8(all).unwrap();
        assert!(text.starts_with("<6>[") && text.ends_with("tab\there\n"), "{text}");
        assert_eq!((unread_size(), take_unread(&mut piece)), (0, 0));
        let mut place = with_ring(|ring| ring.start());
        let mut last = None;
        while let Some(record) = next_record(&mut place) {
            last = Some(String::from_utf8(record.bytes().to_vec()).unwrap());
        }
        assert!(last.unwrap().ends_with(",-;tab\\x09here\n"));
    }
}
