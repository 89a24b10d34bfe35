//! Messages on the control queues (virtio 1.2, 5.3.6.2).
use dma::{Buffer, Buffers};
use memory::Frame;
use memory::frame::Use;
use virtio::Queue;

pub(crate) const DEVICE_READY: u16 = 0;
pub(crate) const PORT_ADD: u16 = 1;
pub(crate) const PORT_REMOVE: u16 = 2;
pub(crate) const PORT_READY: u16 = 3;
pub(crate) const CONSOLE_PORT: u16 = 4;
pub(crate) const RESIZE: u16 = 5;
pub(crate) const PORT_OPEN: u16 = 6;
pub(crate) const PORT_NAME: u16 = 7;

/// Messages that the host may have sent before the first is handled, and the longest of them.
const LENT: usize = 16;
const LONGEST: usize = memory::PAGE_SIZE / LENT;
const HEADER: usize = 8;

/// A message from the host.
#[derive(Debug)]
pub(crate) struct Message {
    pub port: u32,
    pub event: u16,
    pub value: u16,
    bytes: [u8; LONGEST],
    length: usize,
}

impl Message {
    fn parse(buffer: &Buffer, written: usize) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let length = written.min(buffer.read(0, &mut bytes));
        let (header, _) = bytes.split_first_chunk::<HEADER>().filter(|_| length >= HEADER)?;
        let [p0, p1, p2, p3, e0, e1, v0, v1] = *header;
        Some(Self {
            port: u32::from_le_bytes([p0, p1, p2, p3]),
            event: u16::from_le_bytes([e0, e1]),
            value: u16::from_le_bytes([v0, v1]),
            bytes,
            length,
        })
    }

    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(HEADER..self.length).unwrap_or(&[])
    }

    /// Two numbers: columns and rows.
    pub fn size(&self) -> Option<(u16, u16)> {
        let &[c0, c1, r0, r1] = self.payload().first_chunk()?;
        Some((u16::from_le_bytes([c0, c1]), u16::from_le_bytes([r0, r1])))
    }
}

/// The two control queues, each behind a lock of its owner's.
pub(crate) struct Incoming(pub Queue<()>);

impl Incoming {
    /// Lends the host memory for its messages; false without any.
    pub fn lend(&mut self) -> bool {
        let Some(frame) = Frame::allocate_zeroed_for(Use::Devices) else { return false };
        for index in 0..LENT {
            let buffer = Buffer::new(frame.clone(), index * LONGEST, LONGEST, true);
            if let Some(buffer) = buffer
                && self.0.add(Buffers::from_iter([buffer]), ()).is_err()
            {
                break;
            }
        }
        self.0.kick();
        true
    }

    /// The next message. What is none is passed over. `None` when there are no more, or the queue is broken.
    pub fn take(&mut self) -> Option<Message> {
        while let Ok(Some(done)) = self.0.take() {
            let message = done.buffers.first().and_then(|buffer| Message::parse(buffer, done.written));
            if self.0.add(done.buffers, ()).is_ok() {
                self.0.kick();
            }
            if message.is_some() {
                return message;
            }
        }
        None
    }
}

/// Sends a message; false where the host does not keep up, or without memory.
pub(crate) fn send(queue: &mut Queue<()>, port: u32, event: u16, value: u16) -> bool {
    while let Ok(Some(_)) = queue.take() {}
    let mut bytes = [0; HEADER];
    bytes[..4].copy_from_slice(&port.to_le_bytes());
    bytes[4..6].copy_from_slice(&event.to_le_bytes());
    bytes[6..].copy_from_slice(&value.to_le_bytes());
    let Some(buffer) = Buffer::of_bytes(&bytes) else { return false };
    let sent = queue.add(Buffers::from_iter([buffer]), ()).is_ok();
    queue.kick();
    sent
}
