//! Vector state in a signal frame: an XSAVE image in standard form (Intel SDM vol. 1, ch. 13) between two magic numbers,
//! or the 512 bytes of FXSAVE alone.
//!
//! The CPU itself writes the image to the program's stack and reads it from there, checking what it reads. Here is what stands
//! around the image, in the bytes that the CPU leaves to software and behind the end.
use abi::Errno;
use abi::signal::{VECTOR_END_MAGIC, VECTOR_HEAD_OFFSET, VECTOR_MAGIC, VectorStateHead};

const LEGACY: usize = 512;
/// Legacy area and XSAVE header.
const SMALLEST_EXTENDED: usize = LEGACY + 64;
const END_MAGIC_SIZE: usize = 4;

/// What vector state this machine's threads have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorLayout {
    /// Bytes of the image, at least 512.
    pub size: usize,
    /// The components that the kernel switches (XCR0); 0 where the CPU has FXSAVE only.
    pub components: u64,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedVectors {
    /// Nothing: the state becomes initial.
    None,
    /// The 512 bytes of FXSAVE; other components become initial.
    Legacy,
    /// An image of XSAVE. Of its components these count, and others become initial.
    Extended { components: u64 },
}

impl VectorLayout {
    pub fn is_extended(&self) -> bool {
        self.components != 0 && self.size >= SMALLEST_EXTENDED
    }

    pub(crate) fn length_in_frame(&self) -> u64 {
        (self.size + if self.is_extended() { END_MAGIC_SIZE } else { 0 }) as u64
    }

    /// What belongs into the bytes of a frame's image that are left to software; [`VECTOR_END_MAGIC`] follows an extended image.
    pub fn head(&self) -> VectorStateHead {
        if !self.is_extended() {
            return VectorStateHead::default();
        }
        VectorStateHead {
            magic: VECTOR_MAGIC,
            extended_size: (self.size + END_MAGIC_SIZE) as u32,
            components: self.components,
            size: self.size as u32,
            padding: [0; 7],
        }
    }

    /// Says what the frame holds at `address`, whose head and end `read_head` and `read_end` read. Without the right
    /// magic numbers that is FXSAVE's part. EFAULT, as they say: a forced SIGSEGV.
    pub fn find(
        &self,
        address: u64,
        read_head: impl FnOnce(u64) -> Result<VectorStateHead, Errno>,
        read_end: impl FnOnce(u64) -> Result<u32, Errno>,
    ) -> Result<SavedVectors, Errno> {
        if address == 0 {
            return Ok(SavedVectors::None);
        }
        if !self.is_extended() {
            return Ok(SavedVectors::Legacy);
        }
        let head = read_head(address.wrapping_add(VECTOR_HEAD_OFFSET as u64))?;
        let sound = head.magic == VECTOR_MAGIC
            && (SMALLEST_EXTENDED..=self.size).contains(&(head.size as usize))
            && head.size <= head.extended_size;
        if !sound || read_end(address.wrapping_add(head.size.into()))? != VECTOR_END_MAGIC {
            return Ok(SavedVectors::Legacy);
        }
        Ok(SavedVectors::Extended { components: head.components & self.components })
    }
}
