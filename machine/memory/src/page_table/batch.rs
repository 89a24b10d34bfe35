//! A short list of frame numbers on the stack: filled without a look at anything but its length.
use core::mem::MaybeUninit;

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
}
