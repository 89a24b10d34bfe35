//! Vector state in a signal frame: an XSAVE image in standard form (Intel SDM vol. 1, ch. 13) between two magic numbers,
//! or the 512 bytes of FXSAVE alone.
use abi::Errno;
use abi::signal::{VECTOR_END_MAGIC, VECTOR_HEAD_OFFSET, VECTOR_MAGIC, VectorStateHead};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

const LEGACY: usize = 512;
/// Legacy area and XSAVE header.
const SMALLEST_EXTENDED: usize = LEGACY + 64;
/// x87 and SSE, which every image has.
const LEGACY_COMPONENTS: u64 = 0b11;
const MXCSR: usize = 24;
const END_MAGIC_SIZE: usize = 4;
/// What FNINIT leaves in the control word.
const INITIAL_CONTROL_WORD: u16 = 0x037f;

/// The state to put into a frame.
#[derive(Debug)]
pub struct VectorState<'a> {
    /// As XSAVE or FXSAVE wrote it, at least 512 bytes. It is completed in place: what stands there afterwards means the same.
    pub image: &'a mut [u8],
    /// The components that the kernel switches (XCR0); 0 where the CPU has FXSAVE only.
    pub components: u64,
}

impl VectorState<'_> {
    pub(crate) fn is_extended(&self) -> bool {
        self.components != 0 && self.image.len() >= SMALLEST_EXTENDED
    }

    pub(crate) fn size_in_frame(area_size: usize, extended: bool) -> u64 {
        (area_size + if extended { END_MAGIC_SIZE } else { 0 }) as u64
    }

    pub(crate) fn length_in_frame(&self) -> u64 {
        Self::size_in_frame(self.image.len(), self.is_extended())
    }

    /// Writes the image to `address`. Programs may rely on x87 and SSE state being there, so that what XSAVE left out because
    /// it was initial is filled in.
    pub(crate) fn write(
        &mut self,
        address: u64,
        write: &mut impl FnMut(u64, &[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let extended = self.is_extended();
        let head = self.head();
        let software = self.image.get_mut(VECTOR_HEAD_OFFSET..LEGACY).ok_or(Errno::EFAULT)?;
        if !extended {
            software.fill(0);
            return write(address, self.image);
        }
        software.copy_from_slice(head.as_bytes());
        fill_in(self.image.first_chunk_mut().ok_or(Errno::EFAULT)?);
        write(address, self.image)?;
        write(address + self.image.len() as u64, VECTOR_END_MAGIC.as_bytes())
    }

    fn head(&self) -> VectorStateHead {
        VectorStateHead {
            magic: VECTOR_MAGIC,
            extended_size: (self.image.len() + END_MAGIC_SIZE) as u32,
            components: self.components,
            size: self.image.len() as u32,
            padding: [0; 7],
        }
    }
}

fn present(image: &[u8]) -> u64 {
    image.get(LEGACY..).and_then(|header| u64::read_from_prefix(header).ok()).map_or(0, |(present, _)| present)
}

/// Makes x87 and SSE state present. `start` is the legacy area and the header.
fn fill_in(start: &mut [u8; SMALLEST_EXTENDED]) {
    let present = present(start);
    if present & 1 == 0 {
        start[..MXCSR].fill(0);
        start[..2].copy_from_slice(&INITIAL_CONTROL_WORD.to_le_bytes());
        start[32..160].fill(0);
    }
    if present & 2 == 0 {
        start[160..416].fill(0);
    }
    start[LEGACY..LEGACY + 8].copy_from_slice(&(present | LEGACY_COMPONENTS).to_le_bytes());
}

/// Reads the state that a frame holds at `address` into `area`, which has the size of a thread's state, as an image that
/// XRSTOR accepts. `components` as in [`VectorState`], `mxcsr_mask` the bits that MXCSR has. `Ok(false)`: the frame has none, and
/// the state becomes initial.
///
/// A frame without the right magic numbers holds the 512 bytes of FXSAVE, and the other components become initial. EFAULT
/// for what the CPU would refuse, or as `read` says: a forced SIGSEGV.
pub fn restore(
    address: u64,
    area: &mut [u8],
    components: u64,
    mxcsr_mask: u32,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<(), Errno>,
) -> Result<bool, Errno> {
    if address == 0 {
        return Ok(false);
    }
    let extended = components != 0 && area.len() >= SMALLEST_EXTENDED;
    // XRSTOR and FXRSTOR fault on others.
    let alignment = if extended { 64 } else { 16 };
    if !address.is_multiple_of(alignment) || area.len() < LEGACY {
        return Err(Errno::EFAULT);
    }
    let (legacy, rest) = area.split_at_mut(LEGACY);
    read(address, legacy)?;
    if extended {
        match head_of(legacy, address, rest.len() + LEGACY, &mut read)? {
            Some(head) => {
                let length = (head.size as usize).saturating_sub(LEGACY);
                let (given, missing) = rest.split_at_mut_checked(length).ok_or(Errno::EFAULT)?;
                read(address.wrapping_add(LEGACY as u64), given)?;
                missing.fill(0);
                check_header(given, components)?;
                let wanted = present(area) & head.components;
                area[LEGACY..LEGACY + 8].copy_from_slice(&wanted.to_le_bytes());
            }
            None => {
                rest.fill(0);
                rest[..8].copy_from_slice(&LEGACY_COMPONENTS.to_le_bytes());
            }
        }
    }
    let mxcsr = u32::from_le_bytes([area[MXCSR], area[MXCSR + 1], area[MXCSR + 2], area[MXCSR + 3]]);
    if mxcsr & !mxcsr_mask != 0 {
        return Err(Errno::EFAULT);
    }
    Ok(true)
}

/// The head of an extended state, if the frame holds one no larger than `most` bytes.
fn head_of(
    legacy: &[u8],
    address: u64,
    most: usize,
    read: &mut impl FnMut(u64, &mut [u8]) -> Result<(), Errno>,
) -> Result<Option<VectorStateHead>, Errno> {
    let head = legacy.get(VECTOR_HEAD_OFFSET..).and_then(|bytes| VectorStateHead::read_from_bytes(bytes).ok());
    let sound = |head: &VectorStateHead| {
        head.magic == VECTOR_MAGIC
            && (SMALLEST_EXTENDED..=most).contains(&(head.size as usize))
            && head.size <= head.extended_size
    };
    let Some(head) = head.filter(sound) else { return Ok(None) };
    let mut end = u32::new_zeroed();
    read(address.wrapping_add(head.size.into()), end.as_mut_bytes())?;
    Ok((end == VECTOR_END_MAGIC).then_some(head))
}

/// What XRSTOR checks: known components only, no compaction, reserved bytes zero.
fn check_header(header: &[u8], components: u64) -> Result<(), Errno> {
    let ([present, reserved @ ..], _) = <[u64; 8]>::read_from_prefix(header).map_err(|_| Errno::EFAULT)?;
    let refused = present & !components | reserved.into_iter().fold(0, |all, word| all | word);
    if refused != 0 { Err(Errno::EFAULT) } else { Ok(()) }
}
