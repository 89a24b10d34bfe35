//! Stretches of frames.
use memory::frame::Use;
use memory::{Frame, PAGE_SIZE, PhysicalAddress};
use smallvec::SmallVec;

/// A stretch of a frame, for a device to read or to write.
#[derive(Debug)]
pub struct Buffer {
    frame: Frame,
    offset: u16,
    length: u16,
    writable: bool,
}

/// The buffers of a request: those that the device reads, then those that it writes.
pub type Buffers = SmallVec<[Buffer; 2]>;

impl Buffer {
    /// `length` bytes at `offset` of `frame`; `None` where there are none, or not inside the frame. `writable`: by the device.
    pub fn new(frame: Frame, offset: usize, length: usize, writable: bool) -> Option<Self> {
        let inside = length > 0 && offset <= PAGE_SIZE && length <= PAGE_SIZE - offset;
        inside.then_some(Self { frame, offset: offset as u16, length: length as u16, writable })
    }

    /// A new page of zeros for the device to write. `None` without memory.
    pub fn page() -> Option<Self> {
        Self::new(Frame::allocate_zeroed_for(Use::Devices)?, 0, PAGE_SIZE, true)
    }

    /// A new page that starts with `bytes`, at most a page of them, for the device to read. `None` without memory or bytes.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let buffer = Self::new(Frame::allocate_for(Use::Devices)?, 0, bytes.len(), false)?;
        buffer.frame.write(0, bytes);
        Some(buffer)
    }

    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    pub fn into_frame(self) -> Frame {
        self.frame
    }

    /// Where it starts in its frame.
    pub fn offset(&self) -> usize {
        usize::from(self.offset)
    }

    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Whether the device writes it.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    pub fn address(&self) -> PhysicalAddress {
        PhysicalAddress(self.frame.address().0 + u64::from(self.offset))
    }

    /// Copies bytes out, from `at` on; answers how many there were.
    pub fn read(&self, at: usize, bytes: &mut [u8]) -> usize {
        let length = bytes.len().min(self.length().saturating_sub(at));
        if length > 0 {
            self.frame.read(self.offset() + at, &mut bytes[..length]);
        }
        length
    }

    /// Copies bytes in, from `at` on; answers how many fitted.
    pub fn write(&self, at: usize, bytes: &[u8]) -> usize {
        let length = bytes.len().min(self.length().saturating_sub(at));
        if length > 0 {
            self.frame.write(self.offset() + at, &bytes[..length]);
        }
        length
    }
}
