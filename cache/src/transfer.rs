//! Reading and writing through the cache.
use crate::PageCache;
use crate::backing::PageError;
use crate::page_cache::Entered;
use abi::{Errno, PAGE_SIZE};
use core::sync::atomic::Ordering;
use memory::{Frame, Reader, Writer};

/// Where a byte is: its page, and its offset there.
fn place(position: u64) -> (u64, usize) {
    (position / PAGE_SIZE as u64, (position % PAGE_SIZE as u64) as usize)
}

/// What was done counts; an error counts only where nothing was.
fn outcome(done: usize, error: Errno) -> Result<usize, Errno> {
    if done == 0 { Err(error) } else { Ok(done) }
}

impl PageCache {
    /// Copies from `position` on, until the end of the file or of `into`; answers how many bytes. May sleep.
    pub fn read(&self, position: u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut done = 0;
        while !into.is_empty() {
            let at = position.saturating_add(done as u64);
            let left = self.size().saturating_sub(at);
            if left == 0 {
                break;
            }
            let (index, offset) = place(at);
            let length = (PAGE_SIZE - offset).min(usize::try_from(left).unwrap_or(usize::MAX)).min(into.remaining());
            match self.read_page(index, offset, length, into) {
                Ok(copied) => done += copied,
                // Cut meanwhile.
                Err(PageError::BeyondEnd) => break,
                Err(PageError::Failed(error)) => return outcome(done, error),
            }
        }
        Ok(done)
    }

    fn read_page(&self, index: u64, offset: usize, length: usize, into: &mut Writer<'_>) -> Result<usize, PageError> {
        let frame = match self.lookup(index) {
            Some(frame) => frame,
            None if self.behaviour.absent_is_zero => return into.write_zeros(length).map_err(PageError::Failed),
            None => self.page(index)?,
        };
        into.write_from_frame(&frame, offset, length).map_err(PageError::Failed)
    }

    /// Copies to `position` on, growing the file as need be; answers how many bytes. The caller excludes other writers and
    /// truncations, and has checked limits. May sleep.
    pub fn write(&self, position: u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        if position > self.size() {
            self.clear_tail();
        }
        let mut done = 0;
        while !from.is_empty() {
            let at = position.checked_add(done as u64).filter(|&at| at < i64::MAX as u64);
            let Some(at) = at else { return outcome(done, Errno::EFBIG) };
            match self.write_page(at, from) {
                Ok(copied) => done += copied,
                Err(error) => return outcome(done, error),
            }
            self.grow_to(position + done as u64);
        }
        Ok(done)
    }

    fn grow_to(&self, size: u64) {
        if size > self.size() {
            self.size.store(size, Ordering::Release);
        }
    }

    fn write_page(&self, at: u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let (index, offset) = place(at);
        let length = (PAGE_SIZE - offset).min(from.remaining());
        let copied = match self.lookup(index) {
            Some(frame) => from.read_to_frame(&frame, offset, length)?,
            None if self.behaviour.absent_is_zero || length == PAGE_SIZE => {
                self.write_new_page(index, offset, length, from)?
            }
            None => {
                let frame = self.backing.load(index)?;
                let (Entered::New(frame) | Entered::Existing { page: frame, .. }) = self.enter(index, frame, true)
                else {
                    return Err(Errno::EIO);
                };
                from.read_to_frame(&frame, offset, length)?
            }
        };
        self.mark_dirty(index);
        Ok(copied)
    }

    /// Fills a new page before anybody can see it, so that only what is not overwritten need be cleared.
    fn write_new_page(&self, index: u64, offset: usize, length: usize, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let frame = self.backing.make(index)?;
        let copied = match from.read_to_frame(&frame, offset, length) {
            Ok(copied) => copied,
            Err(error) => {
                drop(frame);
                self.backing.left(1);
                return Err(error);
            }
        };
        frame.zero(0, offset);
        frame.zero(offset + copied, PAGE_SIZE - offset - copied);
        match self.enter(index, frame, true) {
            Entered::New(_) => {}
            // A fault was faster; only what was written is moved over.
            Entered::Existing { page, mine } => copy_part(&mine, &page, offset, copied),
            Entered::Beyond => return Err(Errno::EIO),
        }
        Ok(copied)
    }
}

/// Copies a part of one page to the same place of another.
fn copy_part(from: &Frame, to: &Frame, offset: usize, length: usize) {
    let mut chunk = [0; 256];
    let end = offset + length;
    for start in (offset..end).step_by(chunk.len()) {
        let bytes = &mut chunk[..(end - start).min(256)];
        from.read(start, bytes);
        to.write(start, bytes);
    }
}
