//! The kernel's log as files: /dev/kmsg and /proc/kmsg.
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags, PollEvents};
use alloc::string::String;
use alloc::sync::Arc;
use devfs::{DevFs, Node};
use klog::{Level, Place, lines};
use memory::{Reader, Writer};
use procfs::{Listing, NodeContent};
use sync::{Mutex, Rank, Registrations, WaitError};
use vfs::device::DeviceFile;
use vfs::{FileOperations, FileSource, Inode, OpenFile, Seekable};

/// The longest line that programs may write (LOG_LINE_MAX).
const LONGEST: usize = 1024;

fn ended(error: WaitError) -> Errno {
    match error {
        WaitError::Interrupted => Errno::EINTR,
        WaitError::TimedOut => Errno::EAGAIN,
    }
}

fn waits(file: &OpenFile) -> bool {
    !file.flags().contains(OpenFlags::NON_BLOCKING)
}

fn events(registrations: Option<&mut Registrations>, readable: bool) -> PollEvents {
    if let (Some(registrations), Some(queue)) = (registrations, klog::readers())
        && !registrations.add(queue)
    {
        return PollEvents::ERROR;
    }
    if readable { PollEvents::IN | PollEvents::READ_NORMAL } else { PollEvents::empty() }
}

/// /dev/kmsg: a record for each read, and one from each write. The file's position is the number of the next record.
struct Records;

/// One opening, with the place that it read last.
struct OpenRecords(Mutex<Place>);

impl DeviceFile for Records {
    fn open(&self, _: DeviceNumber, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let first = klog::with_ring(|ring| ring.start());
        Ok(Arc::new(OpenRecords(Mutex::new(Rank::FileSystem, first))))
    }
}

impl OpenRecords {
    /// The place of the next record. EPIPE where the reader was overtaken: it goes on with the oldest.
    fn place(&self, position: &mut u64) -> Result<Place, Errno> {
        let last = *self.0.lock();
        let place = if last.sequence == *position { last } else { klog::with_ring(|ring| ring.place_of(*position)) };
        let oldest = klog::with_ring(|ring| ring.start());
        if place.sequence >= oldest.sequence && place.sequence >= *position {
            return Ok(place);
        }
        let overtaken = *position != 0;
        *position = oldest.sequence;
        if overtaken { Err(Errno::EPIPE) } else { Ok(oldest) }
    }
}

impl FileOperations for OpenRecords {
    fn read(&self, file: &OpenFile, position: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut place = self.place(position)?;
        let record = loop {
            if let Some(record) = lines::next_record(&mut place) {
                break record;
            }
            if !waits(file) {
                return Err(Errno::EAGAIN);
            }
            lines::wait_for(&place).map_err(ended)?;
        };
        if record.bytes().len() > into.remaining() {
            return Err(Errno::EINVAL);
        }
        let count = into.write(record.bytes())?;
        *self.0.lock() = place;
        *position = place.sequence;
        Ok(count)
    }

    /// `<level>text`, or a text of the level of a warning.
    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let length = from.remaining();
        if length > LONGEST {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; LONGEST];
        from.read_exact(&mut bytes[..length])?;
        let text = String::from_utf8_lossy(&bytes[..length]);
        let (level, text) = level_of(text.trim_end_matches('\n'));
        klog::record_from(klog::USER, level, format_args!("{text}"));
        Ok(length)
    }

    fn poll(&self, file: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        let unread = klog::with_ring(|ring| ring.next_sequence()) > file.last_position();
        events(registrations, unread) | PollEvents::OUT | PollEvents::WRITE_NORMAL
    }

    fn seekable(&self) -> Seekable {
        Seekable::Yes
    }

    fn end(&self, _: &OpenFile) -> u64 {
        klog::with_ring(|ring| ring.next_sequence())
    }
}

/// The level in front of a text (its lowest three bits; whatever facility the rest names, it is a program's), and the text.
fn level_of(text: &str) -> (Level, &str) {
    let marked = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match marked.map(|(number, rest)| (number.parse::<u32>(), rest)) {
        Some((Ok(number), rest)) => (Level::from_number((number & 7) as u8), rest),
        _ => (Level::Warning, text),
    }
}

/// /proc/kmsg: what nobody has taken yet.
struct Unread;

impl FileSource for Unread {
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        Ok(Arc::new(Self))
    }
}

impl FileOperations for Unread {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut buffer = [0; 512];
        let wanted = buffer.len().min(into.remaining());
        loop {
            let count = lines::take_unread(&mut buffer[..wanted]);
            if count != 0 || wanted == 0 {
                return into.write(&buffer[..count]);
            }
            if !waits(file) {
                return Err(Errno::EAGAIN);
            }
            lines::wait_for_unread().map_err(ended)?;
        }
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        events(registrations, lines::unread_size() != 0)
    }
}

/// Makes /dev/kmsg. EEXIST.
pub fn register_device(devices: &DevFs) -> Result<(), Errno> {
    let number = DeviceNumber::new(1, 11);
    let node = Node { name: "kmsg", kind: FileType::CharacterDevice, number, permissions: 0o644 };
    devices.add(&node, 1, "mem", Arc::new(Records))
}

/// Makes /proc/kmsg. EEXIST.
pub fn register_view(proc: &Listing) -> Result<(), Errno> {
    proc.add("kmsg", procfs::Node::new(NodeContent::File(Arc::new(Unread)), 0o400))
}
