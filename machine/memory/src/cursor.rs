//! Where bytes come from and go to: one pair of types over user memory, kernel memory and frames.
//!
//! A file system's `read` fills a [`Writer`], its `write` drains a [`Reader`]; neither knows whether the other end is a
//! program's buffer (perhaps several, for readv), a slice of the kernel's, or a pipe. Copies go straight between the page
//! and the end, once. What was copied before a fault counts: the cursor has advanced by exactly that.
use crate::user::{self, UserSlice};
use crate::{Frame, PAGE_SIZE};
use abi::Errno;
use core::marker::PhantomData;

/// The end of a transfer: a run of bytes, and the user buffers that follow it.
struct End<'a> {
    address: usize,
    length: usize,
    in_kernel: bool,
    following: &'a [UserSlice],
    /// Bytes in all.
    remaining: usize,
    borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> End<'a> {
    fn user(slice: UserSlice, following: &'a [UserSlice]) -> Self {
        let remaining = following.iter().fold(slice.length, |sum, slice| sum.saturating_add(slice.length));
        Self {
            address: slice.address,
            length: slice.length,
            in_kernel: false,
            following,
            remaining,
            borrow: PhantomData,
        }
    }

    fn many(slices: &'a [UserSlice]) -> Self {
        let (first, following) =
            slices.split_first().map_or((UserSlice::default(), slices), |(first, rest)| (*first, rest));
        Self::user(first, following)
    }

    /// Feeds `copy(address, in_kernel, done, length) -> not copied` with runs until `wanted` bytes are through.
    #[inline]
    fn transfer(
        &mut self,
        wanted: usize,
        mut copy: impl FnMut(usize, bool, usize, usize) -> usize,
    ) -> Result<usize, Errno> {
        let wanted = wanted.min(self.remaining);
        let mut done = 0;
        while done < wanted {
            if self.length == 0 {
                let Some((next, following)) = self.following.split_first() else { break };
                (self.address, self.length, self.following) = (next.address, next.length, following);
                continue;
            }
            let length = self.length.min(wanted - done);
            let left = copy(self.address, self.in_kernel, done, length);
            let copied = length - left;
            self.address = self.address.wrapping_add(copied);
            self.length -= copied;
            self.remaining -= copied;
            done += copied;
            if left != 0 {
                return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
            }
        }
        Ok(done)
    }
}

/// A source of bytes, consumed from its front.
pub struct Reader<'a>(End<'a>);

/// A destination for bytes, filled from its front.
pub struct Writer<'a>(End<'a>);

macro_rules! common {
    ($name:ident) => {
        impl<'a> $name<'a> {
            /// One user buffer.
            pub fn user(slice: UserSlice) -> Self {
                Self(End::user(slice, &[]))
            }

            /// Several user buffers, one after another.
            pub fn user_many(slices: &'a [UserSlice]) -> Self {
                Self(End::many(slices))
            }

            /// How many bytes are left.
            pub fn remaining(&self) -> usize {
                self.0.remaining
            }

            pub fn is_empty(&self) -> bool {
                self.0.remaining == 0
            }

            /// Goes no further than `limit` bytes from here.
            pub fn limit(&mut self, limit: usize) {
                self.0.remaining = self.0.remaining.min(limit);
            }
        }
    };
}
common!(Reader);
common!(Writer);

impl<'a> Reader<'a> {
    /// Bytes of the kernel's.
    pub fn kernel(bytes: &'a [u8]) -> Self {
        Self(End { in_kernel: true, ..End::user(UserSlice::new(bytes.as_ptr() as usize, bytes.len()), &[]) })
    }

    /// Takes up to `bytes.len()` bytes; answers how many. EFAULT where not even one could be read.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        let (target, length) = (bytes.as_mut_ptr(), bytes.len());
        // SAFETY: `transfer` stays within `length` bytes of the target.
        self.0.transfer(length, |address, in_kernel, done, length| unsafe {
            take(target.add(done), address, in_kernel, length)
        })
    }

    /// Takes exactly as many bytes as `bytes` has; EFAULT where they are not there.
    pub fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), Errno> {
        if self.read(bytes)? == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Moves up to `length` bytes (and no further than the page) into a frame at `offset`; answers how many. EFAULT where not
    /// even one could be read.
    pub fn read_to_frame(&mut self, frame: &Frame, offset: usize, length: usize) -> Result<usize, Errno> {
        let length = length.min(PAGE_SIZE.saturating_sub(offset));
        let target = frame.kernel_address(offset, length);
        // SAFETY: `transfer` stays within `length` bytes of the target, which lie in the frame.
        self.0.transfer(length, |address, in_kernel, done, length| unsafe {
            take(target.add(done), address, in_kernel, length)
        })
    }
}

impl<'a> Writer<'a> {
    /// A buffer of the kernel's.
    pub fn kernel(bytes: &'a mut [u8]) -> Self {
        Self(End { in_kernel: true, ..End::user(UserSlice::new(bytes.as_mut_ptr() as usize, bytes.len()), &[]) })
    }

    /// Puts as many of `bytes` as fit; answers how many. EFAULT where not even one could be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let source = bytes.as_ptr();
        // SAFETY: `transfer` stays within the length of `bytes`.
        self.0.transfer(bytes.len(), |address, in_kernel, done, length| unsafe {
            give(source.add(done), address, in_kernel, length)
        })
    }

    /// Puts up to `length` bytes (and no further than the page) of a frame from `offset` on; answers how many. EFAULT where not
    /// even one could be written.
    pub fn write_from_frame(&mut self, frame: &Frame, offset: usize, length: usize) -> Result<usize, Errno> {
        let length = length.min(PAGE_SIZE.saturating_sub(offset));
        let source = frame.kernel_address(offset, length);
        // SAFETY: `transfer` stays within `length` bytes of the source, which lie in the frame.
        self.0.transfer(length, |address, in_kernel, done, length| unsafe {
            give(source.add(done), address, in_kernel, length)
        })
    }

    /// Puts up to `length` zeros; answers how many. EFAULT where not even one could be written.
    pub fn write_zeros(&mut self, length: usize) -> Result<usize, Errno> {
        self.0.transfer(length, |address, in_kernel, _, length| {
            if !in_kernel {
                return user::clear(address, length);
            }
            // SAFETY: a run of the kernel's is inside the buffer that the writer borrows mutably.
            unsafe { core::ptr::write_bytes(address as *mut u8, 0, length) };
            0
        })
    }
}

/// # Safety
/// `target` is writable for `length` bytes; a kernel address is readable for as many.
unsafe fn take(target: *mut u8, address: usize, in_kernel: bool, length: usize) -> usize {
    // SAFETY: the caller's.
    unsafe {
        if !in_kernel {
            return user::copy_in_raw(target, address, length);
        }
        core::ptr::copy(address as *const u8, target, length);
    }
    0
}

/// # Safety
/// `source` is readable for `length` bytes; a kernel address is writable for as many.
unsafe fn give(source: *const u8, address: usize, in_kernel: bool, length: usize) -> usize {
    // SAFETY: the caller's.
    unsafe {
        if !in_kernel {
            return user::copy_out_raw(address, source, length);
        }
        core::ptr::copy(source, address as *mut u8, length);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_buffers_fill_in_order() {
        let (mut first, mut second) = ([0u8; 3], [0u8; 4]);
        let slices = [
            UserSlice::new(first.as_mut_ptr() as usize, 3),
            UserSlice::new(0, 0),
            UserSlice::new(second.as_mut_ptr() as usize, 4),
        ];
        let mut writer = Writer::user_many(&slices);
        assert_eq!(writer.remaining(), 7);
        assert_eq!(writer.write(b"abcde"), Ok(5));
        assert_eq!(writer.write(b"fghi"), Ok(2));
        assert_eq!((&first, &second), (b"abc", b"defg"));
    }

    #[test]
    fn frames_are_ends_too() {
        let frame = Frame::allocate_zeroed().unwrap();
        assert_eq!(Reader::kernel(b"0123456789").read_to_frame(&frame, 4090, 100), Ok(6), "no further than the page");
        let mut bytes = [0; 4];
        assert_eq!(Writer::kernel(&mut bytes).write_from_frame(&frame, 4092, 4), Ok(4));
        assert_eq!(&bytes, b"2345");
    }

    #[test]
    fn kernel_addresses_are_not_user_memory() {
        let mut bytes = [0; 4];
        let slice = UserSlice::new(0xffff_8880_0000_0000, 4);
        assert_eq!(Reader::user(slice).read(&mut bytes), Err(Errno::EFAULT));
        assert_eq!(Writer::user(UserSlice::new(usize::MAX - 1, 4)).write(b"abcd"), Err(Errno::EFAULT));
    }
}
