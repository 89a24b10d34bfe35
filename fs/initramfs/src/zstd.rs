//! Zstandard (RFC 8878), one frame at a time.
//!
//! The library allocates its window as it sees fit and panics where it cannot. So the header is read here, and a frame begins only when
//! memory for its window is there; and the window is made whole at once, which it is for every frame but a decoder's first.
use crate::output::{Output, check_window};
use crate::reason::Reason;
use crate::source::{Counted, Input, Source};
use alloc::boxed::Box;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::{Error, Read};

/// The largest window, as for Linux (`ZSTD_WINDOWSIZE_MAX` in lib/decompress_unzstd.c).
const WINDOW_MOST: u64 = 1 << 27;
/// What the library takes for a window beside the next power of two.
const BESIDE: u64 = 1 << 19;
/// Bytes of magic and descriptor, and of the longest header.
const FIXED: usize = 5;
const HEADER_MOST: usize = 18;
/// A frame with nothing in it.
const EMPTY: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, SINGLE_SEGMENT, 0];

/// Bits of the descriptor.
const SINGLE_SEGMENT: u8 = 1 << 5;
const RESERVED: u8 = 1 << 3;

/// A decompressor over a source. Its end is the end of the frame.
pub(crate) struct Zstandard<'s, 'c> {
    input: Input<'s, 'c>,
    decoder: Box<FrameDecoder>,
    output: Output,
}

impl Read for Input<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        Ok(self.read_some(bytes))
    }
}

impl<'s, 'c> Zstandard<'s, 'c> {
    /// Reads the header of a frame. Window where that is larger than Linux grants; Memory.
    pub(crate) fn new(source: &'s mut Counted<'c>) -> Result<Self, Reason> {
        let mut bytes = [0; HEADER_MOST];
        let (length, window) = read_header(source, &mut bytes)?;
        if window > WINDOW_MOST {
            return Err(Reason::Window(window));
        }
        check_window((window.next_power_of_two() + BESIDE) as usize)?;
        let mut decoder = Box::new(FrameDecoder::new());
        let damaged = |_| Reason::BadCompression;
        decoder.reset(&EMPTY[..]).map_err(damaged)?;
        decoder.reset(&bytes[..length]).map_err(damaged)?;
        Ok(Self { input: Input::new(source), decoder, output: Output::new()? })
    }

    /// Decompresses some more into the empty output; leaves it empty at the end of the frame.
    fn refill(&mut self) -> Result<(), Reason> {
        loop {
            let count = self.decoder.read(self.output.room()).map_err(|_| Reason::BadCompression)?;
            self.output.filled(count);
            if count != 0 {
                return Ok(());
            }
            if self.decoder.is_finished() {
                return self.check();
            }
            let decoded = self.decoder.decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1));
            decoded.map_err(|_| self.input.failed.unwrap_or(Reason::BadCompression))?;
        }
    }

    /// Compares the checksum, where there is one.
    fn check(&self) -> Result<(), Reason> {
        match self.decoder.get_checksum_from_data() {
            Some(sum) if Some(sum) != self.decoder.get_calculated_checksum() => Err(Reason::BadCompression),
            _ => Ok(()),
        }
    }
}

/// Reads magic and header into `bytes`; answers their length and the size of the window.
fn read_header(source: &mut Counted<'_>, bytes: &mut [u8; HEADER_MOST]) -> Result<(usize, u64), Reason> {
    source.read(&mut bytes[..FIXED])?;
    if bytes[..4] != EMPTY[..4] {
        return Err(Reason::BadMagic);
    }
    let descriptor = bytes[4];
    if descriptor & RESERVED != 0 {
        return Err(Reason::BadCompression);
    }
    let single = descriptor & SINGLE_SEGMENT != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = [usize::from(single), 2, 4, 8][usize::from(descriptor >> 6)];
    let size_at = FIXED + usize::from(!single) + dictionary;
    let length = size_at + size;
    source.read(&mut bytes[FIXED..length])?;
    if !single {
        let (exponent, mantissa) = (bytes[FIXED] >> 3, bytes[FIXED] & 7);
        let base = 1u64 << (10 + exponent);
        return Ok((length, base + base / 8 * u64::from(mantissa)));
    }
    let mut number = [0; 8];
    number[..size].copy_from_slice(&bytes[size_at..length]);
    let content = u64::from_le_bytes(number);
    Ok((length, if size == 2 { content + 256 } else { content }))
}

impl Source for Zstandard<'_, '_> {
    fn peek(&mut self) -> Result<&[u8], Reason> {
        if self.output.is_empty() {
            self.refill()?;
        }
        Ok(self.output.shown())
    }

    fn consume(&mut self, count: usize) {
        self.output.consume(count);
    }
}
