//! Tables of descriptors.
//!
//! Chunks of 64 descriptors, each with masks of what is used and what is closed on exec; above them one bit a chunk, and above
//! those one bit for 64 chunks, for what is full. So the lowest free descriptor is found in three steps, however many there are.
use crate::file::OpenFile;
use crate::locks::LockOwner;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::array;
use core::ops::RangeInclusive;
use sync::{Rank, SpinLock};

const BITS: usize = 64;
/// Descriptors beyond this are never given, whatever the limit (`/proc/sys/fs/nr_open`).
pub const MOST: usize = 1 << 20;

struct Chunk {
    files: [Option<Arc<OpenFile>>; BITS],
    /// Open or reserved.
    used: u64,
    close_on_exec: u64,
}

impl Chunk {
    fn new() -> Box<Self> {
        Box::new(Self { files: array::from_fn(|_| None), used: 0, close_on_exec: 0 })
    }
}

struct Table {
    #[expect(clippy::vec_box, reason = "chunks are large, and a fork copies them one by one")]
    chunks: Vec<Box<Chunk>>,
    /// A bit for each chunk without a free descriptor, and a bit for each word of those.
    full: Vec<u64>,
    full_words: Vec<u64>,
}

/// A process's descriptors.
pub struct DescriptorTable {
    table: SpinLock<Table>,
}

/// A descriptor that is taken but not open yet: other threads see EBADF. Given back when dropped.
pub struct Reservation<'a> {
    table: &'a DescriptorTable,
    number: u32,
    close_on_exec: bool,
}

/// The first zero bit at or after `from`.
fn first_zero(words: &[u64], from: usize) -> usize {
    let mut index = from / BITS;
    let mut ignored = (1u64 << (from % BITS)) - 1;
    while let Some(word) = words.get(index) {
        let free = !(word | ignored);
        if free != 0 {
            return index * BITS + free.trailing_zeros() as usize;
        }
        (index, ignored) = (index + 1, 0);
    }
    (words.len() * BITS).max(from)
}

fn set_bit(words: &mut [u64], bit: usize, value: bool) {
    if let Some(word) = words.get_mut(bit / BITS) {
        *word = if value { *word | 1 << (bit % BITS) } else { *word & !(1 << (bit % BITS)) };
    }
}

impl Table {
    const fn new() -> Self {
        Self { chunks: Vec::new(), full: Vec::new(), full_words: Vec::new() }
    }

    /// The lowest free descriptor at or after `minimum`; it may lie beyond the chunks.
    fn lowest_free(&self, minimum: usize) -> usize {
        let chunk = minimum / BITS;
        let used = self.chunks.get(chunk).map_or(0, |chunk| chunk.used);
        let free = !(used | ((1 << (minimum % BITS)) - 1));
        if free != 0 {
            return chunk * BITS + free.trailing_zeros() as usize;
        }
        let next = chunk + 1;
        let word = next / BITS;
        let here = self.full.get(word).copied().unwrap_or(0) | ((1 << (next % BITS)) - 1);
        let chunk = match !here {
            0 => {
                let word = first_zero(&self.full_words, word + 1);
                first_zero(&self.full, word * BITS)
            }
            free => word * BITS + free.trailing_zeros() as usize,
        };
        let used = self.chunks.get(chunk).map_or(0, |chunk| chunk.used);
        chunk * BITS + (!used).trailing_zeros() as usize
    }

    /// Room for descriptor `number`. EMFILE without memory for it.
    fn grow(&mut self, number: usize) -> Result<(), Errno> {
        let chunks = number / BITS + 1;
        if chunks <= self.chunks.len() {
            return Ok(());
        }
        let (words, top) = (chunks.div_ceil(BITS), chunks.div_ceil(BITS * BITS));
        self.chunks.try_reserve(chunks - self.chunks.len()).map_err(|_| Errno::EMFILE)?;
        self.full.try_reserve(words - self.full.len()).map_err(|_| Errno::EMFILE)?;
        self.full_words.try_reserve(top - self.full_words.len()).map_err(|_| Errno::EMFILE)?;
        self.chunks.resize_with(chunks, Chunk::new);
        self.full.resize(words, 0);
        self.full_words.resize(top, 0);
        Ok(())
    }

    fn mark(&mut self, number: usize, used: bool, close_on_exec: bool) {
        let index = number / BITS;
        let Some(chunk) = self.chunks.get_mut(index) else { return };
        let bit = 1 << (number % BITS);
        chunk.used = if used { chunk.used | bit } else { chunk.used & !bit };
        chunk.close_on_exec = if close_on_exec { chunk.close_on_exec | bit } else { chunk.close_on_exec & !bit };
        let full = chunk.used == u64::MAX;
        set_bit(&mut self.full, index, full);
        let word_full = self.full.get(index / BITS) == Some(&u64::MAX);
        set_bit(&mut self.full_words, index / BITS, word_full);
    }

    fn slot(&mut self, number: usize) -> Option<&mut Option<Arc<OpenFile>>> {
        self.chunks.get_mut(number / BITS).map(|chunk| &mut chunk.files[number % BITS])
    }

    fn is_open(&self, number: usize) -> bool {
        self.chunks.get(number / BITS).is_some_and(|chunk| chunk.files[number % BITS].is_some())
    }

    fn is_used(&self, number: usize) -> bool {
        self.chunks.get(number / BITS).is_some_and(|chunk| chunk.used & (1 << (number % BITS)) != 0)
    }

    fn reserve(&mut self, minimum: usize, close_on_exec: bool, limit: usize) -> Result<usize, Errno> {
        let number = self.lowest_free(minimum);
        if number >= limit.min(MOST) {
            return Err(Errno::EMFILE);
        }
        self.grow(number)?;
        self.mark(number, true, close_on_exec);
        Ok(number)
    }

    fn take(&mut self, number: usize) -> Option<Arc<OpenFile>> {
        let file = self.slot(number)?.take()?;
        self.mark(number, false, false);
        Some(file)
    }

    /// The first open descriptor at or after `from`.
    fn next_open(&self, from: usize) -> Option<usize> {
        let mut ignored = (1u64 << (from % BITS)) - 1;
        for (index, chunk) in self.chunks.iter().enumerate().skip(from / BITS) {
            let mut candidates = chunk.used & !ignored;
            while candidates != 0 {
                let bit = candidates.trailing_zeros() as usize;
                if chunk.files[bit].is_some() {
                    return Some(index * BITS + bit);
                }
                candidates &= candidates - 1;
            }
            ignored = 0;
        }
        None
    }
}

impl DescriptorTable {
    pub const fn new() -> Self {
        Self { table: SpinLock::new(Rank::Descriptors, Table::new()) }
    }

    /// The file behind a descriptor. EBADF.
    #[inline]
    pub fn get(&self, number: u32) -> Result<Arc<OpenFile>, Errno> {
        let table = self.table.lock();
        let chunk = table.chunks.get(number as usize / BITS).ok_or(Errno::EBADF)?;
        chunk.files[number as usize % BITS].clone().ok_or(Errno::EBADF)
    }

    /// Puts into each of `files` what the next of `numbers` names (`None`: nothing open), under one look at the table.
    #[inline]
    pub fn get_many(&self, numbers: impl Iterator<Item = i32>, files: &mut [Option<Arc<OpenFile>>]) {
        let table = self.table.lock();
        for (file, number) in files.iter_mut().zip(numbers) {
            let number = number as usize;
            *file = table.chunks.get(number / BITS).and_then(|chunk| chunk.files[number % BITS].clone());
        }
    }

    /// Takes the lowest free descriptor from `minimum` on, below `limit` (RLIMIT_NOFILE). EMFILE.
    pub fn reserve(&self, minimum: u32, close_on_exec: bool, limit: u64) -> Result<Reservation<'_>, Errno> {
        let limit = usize::try_from(limit).unwrap_or(MOST);
        let number = self.table.lock().reserve(minimum as usize, close_on_exec, limit)?;
        Ok(Reservation { table: self, number: number as u32, close_on_exec })
    }

    /// Opens the lowest free descriptor. EMFILE, the file being given up.
    pub fn install(&self, file: Arc<OpenFile>, close_on_exec: bool, limit: u64) -> Result<u32, Errno> {
        Ok(self.reserve(0, close_on_exec, limit)?.fill(file))
    }

    /// The owner of the record locks that are set through this table.
    pub fn lock_owner(&self) -> LockOwner {
        LockOwner::Process(core::ptr::from_ref(self) as usize as u64)
    }

    /// Closing any descriptor of a file gives up all of the process's record locks on it (fcntl_locking(2)).
    fn closed(&self, file: Arc<OpenFile>) -> Arc<OpenFile> {
        file.release_locks(self.lock_owner());
        file
    }

    /// Closes a descriptor and gives up the file, which the caller drops (perhaps sleeping). EBADF.
    pub fn close(&self, number: u32) -> Result<Arc<OpenFile>, Errno> {
        let file = self.table.lock().take(number as usize).ok_or(Errno::EBADF)?;
        Ok(self.closed(file))
    }

    /// `dup(2)`, `fcntl(F_DUPFD)`. EBADF; EMFILE; EINVAL where `minimum` is not below the limit.
    pub fn duplicate(&self, number: u32, minimum: u32, close_on_exec: bool, limit: u64) -> Result<u32, Errno> {
        let file = self.get(number)?;
        if u64::from(minimum) >= limit {
            return Err(Errno::EINVAL);
        }
        Ok(self.reserve(minimum, close_on_exec, limit)?.fill(file))
    }

    /// `dup2(2)`, `dup3(2)` of different numbers: answers what `to` was before, for the caller to give up as after `close`. EBADF,
    /// also where `to` is not below the limit; EBUSY where another thread is just opening `to`.
    pub fn duplicate_to(
        &self,
        number: u32,
        to: u32,
        close_on_exec: bool,
        limit: u64,
    ) -> Result<Option<Arc<OpenFile>>, Errno> {
        if u64::from(to) >= limit.min(MOST as u64) {
            return Err(Errno::EBADF);
        }
        let file = self.get(number)?;
        let mut table = self.table.lock();
        let to = to as usize;
        table.grow(to)?;
        if table.is_used(to) && !table.is_open(to) {
            drop(table);
            return Err(Errno::EBUSY);
        }
        table.mark(to, true, close_on_exec);
        let old = match table.slot(to) {
            Some(slot) => slot.replace(file),
            None => Some(file),
        };
        drop(table);
        Ok(old.map(|old| self.closed(old)))
    }

    /// `fcntl(F_GETFD)`. EBADF.
    pub fn close_on_exec(&self, number: u32) -> Result<bool, Errno> {
        let table = self.table.lock();
        if !table.is_open(number as usize) {
            return Err(Errno::EBADF);
        }
        let bit = 1 << (number as usize % BITS);
        Ok(table.chunks.get(number as usize / BITS).is_some_and(|chunk| chunk.close_on_exec & bit != 0))
    }

    /// `fcntl(F_SETFD)`. EBADF.
    pub fn set_close_on_exec(&self, number: u32, close_on_exec: bool) -> Result<(), Errno> {
        let mut table = self.table.lock();
        if !table.is_open(number as usize) {
            return Err(Errno::EBADF);
        }
        table.mark(number as usize, true, close_on_exec);
        Ok(())
    }

    /// `close_range(2)` with CLOSE_RANGE_CLOEXEC.
    pub fn set_close_on_exec_range(&self, range: RangeInclusive<u32>) {
        let mut table = self.table.lock();
        let mut from = *range.start() as usize;
        while let Some(number) = table.next_open(from).filter(|number| *number <= *range.end() as usize) {
            table.mark(number, true, true);
            from = number + 1;
        }
    }

    /// Closes all in a range (`close_range(2)`, or an exiting process's), calling `closed` for each, without a lock.
    pub fn close_range(&self, range: RangeInclusive<u32>, mut closed: impl FnMut(Arc<OpenFile>)) {
        let mut from = *range.start() as usize;
        loop {
            let mut table = self.table.lock();
            let Some(number) = table.next_open(from).filter(|number| *number <= *range.end() as usize) else { return };
            let file = table.take(number);
            drop(table);
            file.into_iter().for_each(|file| closed(self.closed(file)));
            from = number + 1;
        }
    }

    /// Closes what is marked so (`execve(2)`), calling `closed` for each, without a lock.
    pub fn close_for_exec(&self, mut closed: impl FnMut(Arc<OpenFile>)) {
        let mut index = 0;
        loop {
            let mut table = self.table.lock();
            let Some(chunk) = table.chunks.get(index) else { return };
            let marked = chunk.close_on_exec & chunk.used;
            if marked == 0 {
                index += 1;
                continue;
            }
            let number = index * BITS + marked.trailing_zeros() as usize;
            let file = table.take(number);
            table.mark(number, false, false);
            drop(table);
            file.into_iter().for_each(|file| closed(self.closed(file)));
        }
    }

    /// A copy for a forked process: the same open files under the same numbers; reservations are not copied. ENOMEM.
    pub fn fork(&self) -> Result<Self, Errno> {
        let mut copy = Table::new();
        loop {
            // Memory is taken outside of the lock; another thread may make the table grow meanwhile.
            let wanted = self.table.lock().chunks.len();
            if wanted > copy.chunks.len() {
                copy.grow(wanted * BITS - 1).map_err(|_| Errno::ENOMEM)?;
            }
            let table = self.table.lock();
            if table.chunks.len() > copy.chunks.len() {
                continue;
            }
            let mut from = 0;
            while let Some(number) = table.next_open(from) {
                let chunk = &table.chunks[number / BITS];
                let bit = number % BITS;
                copy.mark(number, true, chunk.close_on_exec & (1 << bit) != 0);
                if let Some(slot) = copy.slot(number) {
                    *slot = chunk.files[bit].clone();
                }
                from = number + 1;
            }
            break;
        }
        Ok(Self { table: SpinLock::new(Rank::Descriptors, copy) })
    }

    /// For how many descriptors there is room: `FDSize` of `/proc/PID/status`.
    pub fn capacity(&self) -> usize {
        self.table.lock().chunks.len() * BITS
    }

    /// The first open descriptor at or after `from`, for `/proc/PID/fd` and waiting for all.
    pub fn next_open(&self, from: u32) -> Option<(u32, Arc<OpenFile>)> {
        let mut table = self.table.lock();
        let number = table.next_open(from as usize)?;
        let file = table.slot(number)?.clone()?;
        Some((number as u32, file))
    }
}

impl Drop for DescriptorTable {
    fn drop(&mut self) {
        self.close_range(0..=u32::MAX, drop);
    }
}

impl Default for DescriptorTable {
    fn default() -> Self {
        Self::new()
    }
}

impl Reservation<'_> {
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Opens the descriptor.
    pub fn fill(self, file: Arc<OpenFile>) -> u32 {
        let number = self.number;
        let mut table = self.table.table.lock();
        if let Some(slot) = table.slot(number as usize) {
            *slot = Some(file);
        }
        table.mark(number as usize, true, self.close_on_exec);
        drop(table);
        core::mem::forget(self);
        number
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.table.table.lock().mark(self.number as usize, false, false);
    }
}
