//! xz: one stream of LZMA2 blocks (the .xz file format, version 1.2).
//!
//! The window belongs to a block, whose header says how large it gets at most. The library doubles it as data comes, and says so where
//! there is no memory.
use crate::output::Output;
use crate::reason::Reason;
use crate::source::{Counted, Input, Source};
use alloc::boxed::Box;
use lzma_rust2::{Error, Read, XzReader};

/// A decompressor over a source. Its end is the end of the stream.
pub(crate) struct Xz<'s, 'c> {
    reader: Box<XzReader<Input<'s, 'c>>>,
    output: Output,
}

impl Read for Input<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        Ok(self.read_some(bytes))
    }
}

impl<'s, 'c> Xz<'s, 'c> {
    pub(crate) fn new(source: &'s mut Counted<'c>) -> Result<Self, Reason> {
        Ok(Self { reader: Box::new(XzReader::new(Input::new(source), false)), output: Output::new()? })
    }

    /// Decompresses some more into the empty output; leaves it empty at the end of the stream.
    fn refill(&mut self) -> Result<(), Reason> {
        let count = self.reader.read(self.output.room()).map_err(|error| match error {
            Error::OutOfMemory(_) => Reason::Memory,
            Error::Eof => Reason::Truncated,
            _ => Reason::BadCompression,
        })?;
        self.output.filled(count);
        Ok(())
    }
}

impl Source for Xz<'_, '_> {
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
