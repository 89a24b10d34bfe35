//! Texts of any length, made piece by piece as they are read.
use crate::node::{Node, NodeContent};
use crate::text::Output;
use abi::file::OpenFlags;
use abi::{Errno, PAGE_SIZE};
use alloc::boxed::Box;
use alloc::sync::Arc;
use memory::{Reader, Writer};
use sync::{Mutex, Rank};
use vfs::{FileOperations, FileSource, Inode, OpenFile};

/// The way through such a text.
pub trait Sequence: Send {
    /// Adds the next piece: some lines. False at the end. May sleep.
    fn next(&mut self, output: &mut Output) -> Result<bool, Errno>;
}

/// Where such a text comes from.
pub trait SequenceSource: Send + Sync {
    /// Starts anew: at the first read of each opening.
    fn start(&self) -> Result<Box<dyn Sequence>, Errno>;

    /// Something was written to the file. EIO for one that is only read.
    fn written(&self) -> Result<(), Errno> {
        Err(Errno::EIO)
    }
}

/// A file of such a text.
pub fn sequence(source: Arc<dyn SequenceSource>, permissions: u32) -> Node {
    Node::new(NodeContent::File(Arc::new(SequenceFile(source))), permissions)
}

struct SequenceFile(Arc<dyn SequenceSource>);

impl FileSource for SequenceFile {
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let reading = Mutex::new(Rank::FilePosition, Reading { way: None, piece: Output::default(), taken: 0 });
        Ok(Arc::new(OpenSequence { source: self.0.clone(), reading }))
    }
}

struct OpenSequence {
    source: Arc<dyn SequenceSource>,
    reading: Mutex<Reading>,
}

struct Reading {
    way: Option<Box<dyn Sequence>>,
    piece: Output,
    /// Bytes of the piece that have been read.
    taken: usize,
}

impl Reading {
    /// Has something in `piece` that is not taken yet; false at the end.
    fn fill(&mut self, source: &dyn SequenceSource) -> Result<bool, Errno> {
        while self.taken >= self.piece.len() {
            self.piece.clear();
            self.taken = 0;
            let way = match &mut self.way {
                Some(way) => way,
                none => none.insert(source.start()?),
            };
            if !way.next(&mut self.piece)? {
                return Ok(false);
            }
            self.piece.check()?;
        }
        Ok(true)
    }

    /// Copies from the piece at hand; 0 at the end.
    fn copy(&mut self, source: &dyn SequenceSource, into: &mut Writer<'_>) -> Result<usize, Errno> {
        if !self.fill(source)? {
            return Ok(0);
        }
        let copied = into.write(&self.piece.as_bytes()[self.taken..])?;
        self.taken += copied;
        Ok(copied)
    }
}

impl FileOperations for OpenSequence {
    fn read(&self, _: &OpenFile, position: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut reading = self.reading.lock_nested();
        let mut count = 0;
        let result = loop {
            if into.is_empty() {
                break Ok(());
            }
            match reading.copy(&*self.source, into) {
                Ok(0) => break Ok(()),
                Ok(copied) => count += copied,
                Err(error) => break Err(error),
            }
        };
        *position += count as u64;
        // What was read counts; the error comes again with the next call.
        if count == 0 { result.map(|()| 0) } else { Ok(count) }
    }

    fn write(&self, _: &OpenFile, position: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let mut bytes = [0; 64];
        let length = from.remaining().min(PAGE_SIZE);
        from.limit(length);
        while from.remaining() != 0 {
            from.read(&mut bytes)?;
        }
        self.source.written()?;
        *position += length as u64;
        Ok(length)
    }
}
