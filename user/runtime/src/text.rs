//! Short lines without an allocator.

/// A line of at most `N` bytes; what does not fit is cut off.
pub struct Text<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Text<N> {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], used: 0 }
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        for (place, byte) in self.bytes.iter_mut().skip(self.used).zip(bytes) {
            *place = *byte;
            self.used += 1;
        }
        self
    }

    /// Appends a number in decimal.
    pub fn number(&mut self, value: u64) -> &mut Self {
        let mut digits = [0; 20];
        let digits = decimal(value, &mut digits);
        self.put(digits)
    }

    /// The line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&[])
    }

    /// The line as a path, if there was room for the closing NUL and no other NUL is inside.
    #[must_use]
    pub fn path(&self) -> Option<&core::ffi::CStr> {
        core::ffi::CStr::from_bytes_until_nul(&self.bytes).ok()
    }
}

/// `value` in decimal digits at the end of `buffer`.
pub fn decimal(value: u64, buffer: &mut [u8; 20]) -> &[u8] {
    in_base(value, 10, buffer)
}

/// `value` in hexadecimal digits at the end of `buffer`.
pub fn hexadecimal(value: u64, buffer: &mut [u8; 20]) -> &[u8] {
    in_base(value, 16, buffer)
}

fn in_base(mut value: u64, base: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut used = 0;
    for place in buffer.iter_mut().rev() {
        let digit = (value % base) as u8;
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        used += 1;
        value /= base;
        if value == 0 {
            break;
        }
    }
    &buffer[buffer.len() - used..]
}
