//! gzip (RFC 1952) over deflate.
use crate::reason::Reason;
use crate::source::{Counted, Source};
use alloc::boxed::Box;
use alloc::vec::Vec;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// Deflate looks back at most this far, so the window is the output buffer, used in a ring.
const WINDOW: usize = 32 * 1024;

/// A decompressor over a source. Its end is the end of one member.
pub(crate) struct Gzip<'s, 'c> {
    input: &'s mut Counted<'c>,
    decompressor: Box<DecompressorOxide>,
    window: Vec<u8>,
    /// What of the window is decompressed and not consumed yet.
    start: usize,
    end: usize,
    checksum: u32,
    length: u32,
    done: bool,
}

const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;

impl<'s, 'c> Gzip<'s, 'c> {
    /// Reads the header. BadMagic for another method.
    pub(crate) fn new(input: &'s mut Counted<'c>) -> Result<Self, Reason> {
        let mut header = [0; 10];
        input.read(&mut header)?;
        let [0x1f, 0x8b, 8, flags, ..] = header else { return Err(Reason::BadMagic) };
        if flags & HAS_EXTRA != 0 {
            let mut length = [0; 2];
            input.read(&mut length)?;
            input.skip(u64::from(u16::from_le_bytes(length)))?;
        }
        for _ in 0..(flags & HAS_NAME != 0) as u32 + (flags & HAS_COMMENT != 0) as u32 {
            let mut byte = [1];
            while byte[0] != 0 {
                input.read(&mut byte)?;
            }
        }
        if flags & HAS_CHECKSUM != 0 {
            input.skip(2)?;
        }
        let mut window = Vec::new();
        window.try_reserve_exact(WINDOW).map_err(|_| Reason::Full(abi::Errno::ENOMEM))?;
        window.resize(WINDOW, 0);
        let decompressor = Box::<DecompressorOxide>::default();
        Ok(Self { input, decompressor, window, start: 0, end: 0, checksum: !0, length: 0, done: false })
    }

    /// Decompresses some more into the empty window.
    fn refill(&mut self) -> Result<(), Reason> {
        if self.end == WINDOW {
            (self.start, self.end) = (0, 0);
        }
        while self.start == self.end && !self.done {
            let bytes = self.input.peek()?;
            let flags = if bytes.is_empty() { 0 } else { inflate_flags::TINFL_FLAG_HAS_MORE_INPUT };
            let (status, read, written) = decompress(&mut self.decompressor, bytes, &mut self.window, self.end, flags);
            let stuck = read == 0 && written == 0;
            self.input.consume(read);
            self.add_checksum(written);
            self.end += written;
            match status {
                TINFLStatus::Done => self.finish()?,
                TINFLStatus::HasMoreOutput if written != 0 => {}
                TINFLStatus::NeedsMoreInput if !stuck => {}
                TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => return Err(Reason::Truncated),
                _ => return Err(Reason::BadCompression),
            }
        }
        Ok(())
    }

    fn add_checksum(&mut self, written: usize) {
        let new = &self.window[self.end..self.end + written];
        self.checksum =
            new.iter().fold(self.checksum, |sum, byte| CHECKSUMS[usize::from(sum as u8 ^ byte)] ^ (sum >> 8));
        self.length = self.length.wrapping_add(written as u32);
    }

    /// Compares the trailer: the checksum and the length.
    fn finish(&mut self) -> Result<(), Reason> {
        self.done = true;
        let mut trailer = [0; 8];
        self.input.read(&mut trailer)?;
        let word = |at: usize| u32::from_le_bytes([trailer[at], trailer[at + 1], trailer[at + 2], trailer[at + 3]]);
        if word(0) != !self.checksum || word(4) != self.length {
            return Err(Reason::BadCompression);
        }
        Ok(())
    }
}

impl Source for Gzip<'_, '_> {
    fn peek(&mut self) -> Result<&[u8], Reason> {
        if self.start == self.end {
            self.refill()?;
        }
        Ok(&self.window[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

/// The table of CRC-32 (RFC 1952, section 8).
static CHECKSUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};
