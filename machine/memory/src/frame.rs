//! Counted frames.
use crate::descriptor::{self, Kind};
use crate::zones::{self, ZoneKind};
use crate::{PAGE_SIZE, PhysicalAddress, physical};
use core::fmt;
use core::mem::ManuallyDrop;
use core::num::NonZeroU32;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(target_os = "none")]
fn wait() -> Option<u32> {
    crate::heap::wait_for(|| zones::allocate(0, ZoneKind::Normal))
}

/// The host's arena does not grow.
#[cfg(not(target_os = "none"))]
fn wait() -> Option<u32> {
    None
}

/// What a frame is taken for: the account that it stands in until it is free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Use {
    /// A program's own memory.
    Program = Kind::Program as u8,
    /// Contents of files.
    Files = Kind::Files as u8,
    /// What is on its way through a pipe.
    Pipes = Kind::Pipes as u8,
    /// What devices read and write.
    Devices = Kind::Devices as u8,
    /// Kernel memory that is mapped page by page, stacks above all.
    Vmalloc = Kind::Vmalloc as u8,
    /// One page for everybody: zeros, the vDSO.
    Kernel = Kind::Kernel as u8,
}

/// A counted reference to a page of RAM. Cloning counts up; the page is free again when the last is dropped. All copies are
/// bounded by the page, and byte-wise atomic only as far as the hardware makes them so: contents may change at any time.
/// Any context but NMI.
pub struct Frame(NonZeroU32);

impl Frame {
    /// A page of a program's own, with whatever was in it, for those who fill it at once. `None` without memory.
    pub fn allocate() -> Option<Self> {
        Self::allocate_for(Use::Program)
    }

    /// As [`Frame::allocate`], for what `purpose` says. Where sleeping is allowed it waits for memory; but not for a program's own, since
    /// whoever serves its faults waits for that without locks.
    #[inline]
    pub fn allocate_for(purpose: Use) -> Option<Self> {
        let number = match zones::allocate(0, ZoneKind::Normal) {
            Some(number) => number,
            None if purpose == Use::Program => return None,
            None => wait()?,
        };
        let descriptor = descriptor::of(number);
        descriptor.count.store(1, Ordering::Relaxed);
        descriptor.kind.store(purpose as u8, Ordering::Relaxed);
        NonZeroU32::new(number).map(Self)
    }

    /// A page of zeros of a program's own. `None` without memory.
    pub fn allocate_zeroed() -> Option<Self> {
        Self::allocate_zeroed_for(Use::Program)
    }

    /// As [`Frame::allocate_zeroed`], for what `purpose` says.
    pub fn allocate_zeroed_for(purpose: Use) -> Option<Self> {
        let frame = Self::allocate_for(purpose)?;
        frame.zero(0, PAGE_SIZE);
        Some(frame)
    }

    /// Pages of zeros of a program's own for the empty places at the start of `frames`, a few at a time; answers how many there were.
    pub fn allocate_zeroed_run(frames: &mut [Option<Frame>]) -> usize {
        let wanted = frames.len();
        let mut places = frames.iter_mut();
        let taken = zones::allocate_pages(wanted, |number| {
            let descriptor = descriptor::of(number);
            descriptor.count.store(1, Ordering::Relaxed);
            descriptor.kind.store(Use::Program as u8, Ordering::Relaxed);
            if let Some(place) = places.next() {
                *place = NonZeroU32::new(number).map(Self);
            }
        });
        // Not under the lock of the stock.
        frames.iter().flatten().for_each(|frame| frame.zero(0, PAGE_SIZE));
        taken
    }

    /// The frame's number: its physical address over the page size.
    #[inline(always)]
    pub fn number(&self) -> u32 {
        self.0.get()
    }

    pub fn address(&self) -> PhysicalAddress {
        PhysicalAddress(u64::from(self.number()) << crate::PAGE_SHIFT)
    }

    /// How many references there are. Exact only while the caller excludes others.
    #[inline(always)]
    pub fn references(&self) -> u32 {
        descriptor::of(self.number()).count.load(Ordering::Acquire)
    }

    /// Whether this is the only reference, so that nobody else can gain one.
    #[inline(always)]
    pub fn is_unique(&self) -> bool {
        self.references() == 1
    }

    #[inline(always)]
    fn pointer(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset <= PAGE_SIZE && length <= PAGE_SIZE - offset, "{length} bytes at {offset} of a page");
        // SAFETY: stays inside the page, which the direct map covers.
        unsafe { physical::frame_address(self.number()).add(offset) }
    }

    /// Copies bytes out of the page.
    ///
    /// # Panics
    /// Where they leave the page: a bug of the caller. So do the others.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        // SAFETY: both ends are valid for the length, and never overlap (no reference into a frame exists).
        unsafe { ptr::copy_nonoverlapping(self.pointer(offset, bytes.len()), bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Copies bytes into the page.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: as `read`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.pointer(offset, bytes.len()), bytes.len()) };
    }

    /// Stores a word at `offset`, a multiple of eight, whole and after all stores before it (release): for a page that others
    /// read at the same time.
    ///
    /// # Panics
    /// Where the word leaves the page or is not aligned: a bug of the caller.
    pub fn store_word(&self, offset: usize, word: u64) {
        assert!(offset.is_multiple_of(size_of::<u64>()), "a word at {offset} of a page");
        let pointer = self.pointer(offset, size_of::<u64>()).cast::<u64>();
        // SAFETY: inside the page, aligned as the page is, and no reference into a frame exists.
        unsafe { AtomicU64::from_ptr(pointer) }.store(word, Ordering::Release);
    }

    /// Clears `length` bytes from `offset` on.
    pub fn zero(&self, offset: usize, length: usize) {
        // SAFETY: inside the page.
        unsafe { ptr::write_bytes(self.pointer(offset, length), 0, length) };
    }

    /// Copies the whole page from another.
    pub fn copy_from(&self, source: &Frame) {
        // SAFETY: whole pages; `copy` allows them to be the same.
        unsafe { ptr::copy(source.pointer(0, PAGE_SIZE), self.pointer(0, PAGE_SIZE), PAGE_SIZE) };
    }

    /// The kernel address of `length` bytes at `offset`, for the copying routines of this crate.
    pub(crate) fn kernel_address(&self, offset: usize, length: usize) -> *mut u8 {
        self.pointer(offset, length)
    }

    /// Gives up the reference but not the count: a page-table entry keeps it.
    #[inline(always)]
    pub fn into_number(self) -> u32 {
        ManuallyDrop::new(self).number()
    }

    /// Takes back what [`Frame::into_number`] gave up.
    ///
    /// # Safety
    /// One call for one such number.
    #[inline(always)]
    pub unsafe fn from_number(number: u32) -> Self {
        // SAFETY: only numbers of frames come back, and frame 0 never is one.
        Self(unsafe { NonZeroU32::new_unchecked(number) })
    }

    /// Another reference to a frame whose number is kept somewhere together with its count.
    ///
    /// # Safety
    /// The keeper cannot drop its reference meanwhile.
    #[inline(always)]
    pub unsafe fn share_number(number: u32) -> Self {
        // SAFETY: the caller's; the extra reference is not dropped.
        let kept = ManuallyDrop::new(unsafe { Self::from_number(number) });
        (*kept).clone()
    }
}

impl Clone for Frame {
    #[inline(always)]
    fn clone(&self) -> Self {
        descriptor::of(self.number()).count.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for Frame {
    #[inline(always)]
    fn drop(&mut self) {
        if descriptor::of(self.number()).count.fetch_sub(1, Ordering::AcqRel) == 1 {
            zones::free(self.number(), 0);
        }
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Frame({:#x}, {} references)", self.number(), self.references())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_contents() {
        let frame = Frame::allocate_zeroed().unwrap();
        assert!(frame.is_unique());
        let other = frame.clone();
        assert_eq!(frame.references(), 2);
        other.write(100, b"hello");
        let mut bytes = [1; 7];
        frame.read(99, &mut bytes);
        assert_eq!(&bytes, b"\0hello\0");
        drop(other);
        assert!(frame.is_unique());
    }

    #[test]
    #[should_panic(expected = "of a page")]
    fn copies_stay_inside() {
        Frame::allocate().unwrap().write(4095, b"ab");
    }
}
