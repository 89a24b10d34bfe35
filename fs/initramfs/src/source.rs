//! Where archives come from.
use crate::reason::Reason;

/// Bytes, front to back.
pub trait Source {
    /// Some of the bytes that come next; empty at the end, and for good.
    fn peek(&mut self) -> Result<&[u8], Reason>;

    /// `count` of the bytes last shown are done with: they are not asked for again, and their memory may be freed.
    fn consume(&mut self, count: usize);
}

impl Source for &[u8] {
    fn peek(&mut self) -> Result<&[u8], Reason> {
        Ok(self)
    }

    fn consume(&mut self, count: usize) {
        *self = self.get(count..).unwrap_or(&[]);
    }
}

/// A source that knows how far it was read.
pub(crate) struct Counted<'a> {
    source: &'a mut dyn Source,
    position: u64,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(source: &'a mut dyn Source) -> Self {
        Self { source, position: 0 }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Fills `bytes`. Truncated where they are not there.
    pub(crate) fn read(&mut self, mut bytes: &mut [u8]) -> Result<(), Reason> {
        while !bytes.is_empty() {
            let some = self.peek()?;
            let count = some.len().min(bytes.len());
            if count == 0 {
                return Err(Reason::Truncated);
            }
            bytes[..count].copy_from_slice(&some[..count]);
            bytes = &mut bytes[count..];
            self.consume(count);
        }
        Ok(())
    }

    /// Passes over `count` bytes. Truncated.
    pub(crate) fn skip(&mut self, mut count: u64) -> Result<(), Reason> {
        while count != 0 {
            let some = self.peek()?.len().min(usize::try_from(count).unwrap_or(usize::MAX));
            if some == 0 {
                return Err(Reason::Truncated);
            }
            self.consume(some);
            count -= some as u64;
        }
        Ok(())
    }

    /// Passes over padding up to a multiple of four. An archive may end without it.
    pub(crate) fn align(&mut self) -> Result<(), Reason> {
        let padding = self.position.next_multiple_of(4) - self.position;
        match self.skip(padding) {
            Err(Reason::Truncated) => Ok(()),
            other => other,
        }
    }

    /// The next byte, which stays. `None` at the end.
    pub(crate) fn next_byte(&mut self) -> Result<Option<u8>, Reason> {
        Ok(self.peek()?.first().copied())
    }
}

impl Source for Counted<'_> {
    fn peek(&mut self) -> Result<&[u8], Reason> {
        self.source.peek()
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        self.source.consume(count);
    }
}

/// A source as libraries read it, with what they are not told.
pub(crate) struct Input<'s, 'c> {
    source: &'s mut Counted<'c>,
    /// Why the last read gave less than was asked for.
    pub(crate) failed: Option<Reason>,
}

impl<'s, 'c> Input<'s, 'c> {
    pub(crate) fn new(source: &'s mut Counted<'c>) -> Self {
        Self { source, failed: None }
    }

    /// Reads some of what comes next; nothing at the end, and where `failed` says why.
    pub(crate) fn read_some(&mut self, bytes: &mut [u8]) -> usize {
        let some = match self.source.peek() {
            Ok(some) => some,
            Err(reason) => {
                self.failed = Some(reason);
                return 0;
            }
        };
        let count = some.len().min(bytes.len());
        bytes[..count].copy_from_slice(&some[..count]);
        if count == 0 && !bytes.is_empty() {
            self.failed = Some(Reason::Truncated);
        }
        self.source.consume(count);
        count
    }
}
