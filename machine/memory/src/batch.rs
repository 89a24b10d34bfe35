//! A short list of frame numbers: filled without a look at anything but its length.
use core::mem::MaybeUninit;

#[derive(Debug)]
pub(crate) struct Batch<const N: usize> {
    numbers: [MaybeUninit<u32>; N],
    length: usize,
}

impl<const N: usize> Batch<N> {
    pub const fn new() -> Self {
        Self { numbers: [MaybeUninit::uninit(); N], length: 0 }
    }

    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.length == N
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// # Panics
    /// Where the list is full: a bug of the caller.
    #[inline(always)]
    pub fn push(&mut self, number: u32) {
        self.numbers[self.length].write(number);
        self.length += 1;
    }

    #[inline(always)]
    pub fn as_slice(&self) -> &[u32] {
        // SAFETY: the first `length` numbers were written.
        unsafe { core::slice::from_raw_parts(self.numbers.as_ptr().cast(), self.length) }
    }

    pub fn clear(&mut self) {
        self.length = 0;
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Takes the newest.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<u32> {
        self.length = self.length.checked_sub(1)?;
        // SAFETY: the first `length` numbers were written, this one among them until now.
        Some(unsafe { self.numbers[self.length].assume_init() })
    }

    /// Keeps only those that `wanted` says, in their order.
    #[inline(always)]
    pub fn retain(&mut self, wanted: impl Fn(u32) -> bool) {
        let mut kept = 0;
        for index in 0..self.length {
            // SAFETY: the first `length` numbers were written.
            let number = unsafe { self.numbers[index].assume_init() };
            self.numbers[kept].write(number);
            kept += usize::from(wanted(number));
        }
        self.length = kept;
    }

    /// Forgets the oldest `count`.
    ///
    /// # Panics
    /// Where there are fewer: a bug of the caller.
    pub fn drop_front(&mut self, count: usize) {
        self.numbers.copy_within(count..self.length, 0);
        self.length -= count;
    }
}
