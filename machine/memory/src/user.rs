//! Bytes and values of the running program.
//!
//! A user address is only a number: nothing is checked when it is made. Each access goes through one copying routine that
//! may fault and sleep (the page is brought in meanwhile) and ends with EFAULT where the program could not have made the
//! access itself. The range is checked against [`USER_END`] first, so a kernel address never passes. Process context only.
use crate::USER_END;
use abi::Errno;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A pointer that a program passed, to a `T` of the ABI.
pub struct UserPtr<T> {
    address: usize,
    target: PhantomData<fn() -> T>,
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.address)
    }
}

impl<T> UserPtr<T> {
    pub const fn new(address: usize) -> Self {
        Self { address, target: PhantomData }
    }

    pub const fn address(self) -> usize {
        self.address
    }

    pub const fn is_null(self) -> bool {
        self.address == 0
    }

    /// `None` for a null pointer, which many calls take as "not wanted".
    pub fn non_null(self) -> Option<Self> {
        (self.address != 0).then_some(self)
    }

    /// The pointer to element `index` of an array; wraps like the program's own arithmetic, and is checked when used.
    pub fn element(self, index: usize) -> Self {
        Self::new(self.address.wrapping_add(index.wrapping_mul(size_of::<T>())))
    }

    pub fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.address)
    }
}

impl<T: FromBytes> UserPtr<T> {
    /// Reads the value once. EFAULT.
    #[inline]
    pub fn read(self) -> Result<T, Errno> {
        let mut value = MaybeUninit::uninit();
        self.fill(&mut value)?;
        // SAFETY: all of it was read, and any bytes are a `T`.
        Ok(unsafe { value.assume_init() })
    }

    /// Reads a large value once, to be used where it lies: a result would move it. EFAULT.
    #[inline]
    pub fn read_with<R>(self, use_value: impl FnOnce(&T) -> R) -> Result<R, Errno> {
        let mut value = MaybeUninit::uninit();
        self.fill(&mut value)?;
        // SAFETY: all of it was read, and any bytes are a `T`.
        Ok(use_value(unsafe { value.assume_init_ref() }))
    }

    /// Fills `value`, to the last byte where it does not fail.
    #[inline(always)]
    fn fill(self, value: &mut MaybeUninit<T>) -> Result<(), Errno> {
        // SAFETY: `value` is writable for its size.
        let left = unsafe { copy_in_raw(value.as_mut_ptr().cast(), self.address, size_of::<T>()) };
        if left == 0 { Ok(()) } else { Err(Errno::EFAULT) }
    }
}

impl<T: FromBytes + IntoBytes> UserPtr<T> {
    /// Reads `count` values into a vector, in one piece. EFAULT; ENOMEM.
    pub fn read_array(self, count: usize) -> Result<Vec<T>, Errno> {
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        let target = values.spare_capacity_mut().as_mut_ptr().cast::<u8>();
        // No overflow: so much was reserved.
        let length = count.wrapping_mul(size_of::<T>());
        // SAFETY: room for `count` values was reserved.
        if unsafe { copy_in_raw(target, self.address, length) } != 0 {
            return Err(Errno::EFAULT);
        }
        // SAFETY: all were copied, and any bytes make a `T`.
        unsafe { values.set_len(count) };
        Ok(values)
    }
}

impl<T: FromBytes + IntoBytes> UserPtr<T> {
    /// Reads as many values as `values` holds, in one piece. EFAULT.
    pub fn read_into(self, values: &mut [T]) -> Result<(), Errno> {
        copy_in(self.address, values.as_mut_bytes())
    }
}

impl<T: IntoBytes + Immutable> UserPtr<T> {
    /// Writes the value. EFAULT, perhaps after a part was written.
    pub fn write(self, value: &T) -> Result<(), Errno> {
        copy_out(self.address, value.as_bytes())
    }
}

impl<T: IntoBytes + Immutable> UserPtr<T> {
    /// Writes values one after another, in one piece. EFAULT, perhaps after a part was written.
    pub fn write_array(self, values: &[T]) -> Result<(), Errno> {
        copy_out(self.address, values.as_bytes())
    }
}

impl UserPtr<u32> {
    /// Puts `new` into the word if it is `expected`, atomically; answers what was there. EFAULT; EINVAL where the word is not
    /// aligned.
    pub fn compare_exchange(self, expected: u32, new: u32) -> Result<u32, Errno> {
        if !self.address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if !in_user_half(self.address, 4) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: aligned, and in the user half, where faults are handled.
        let found = unsafe { transfer::compare_exchange(self.address as *mut u32, expected, new) };
        u32::try_from(found).map_err(|_| Errno::EFAULT)
    }
}

impl UserPtr<u8> {
    /// Reads a string up to its NUL, which is left out. EFAULT; ENAMETOOLONG where there is none within `limit` bytes; ENOMEM.
    pub fn read_string(self, limit: usize) -> Result<Vec<u8>, Errno> {
        let mut string = Vec::new();
        let mut room = USUAL_STRING.min(limit);
        loop {
            string.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
            let at = self.address.wrapping_add(string.len());
            // A string that ends below the end of the user half may be followed by nothing.
            let most = room.min(USER_END.saturating_sub(at));
            let free = string.spare_capacity_mut().as_mut_ptr().cast::<u8>();
            // SAFETY: the source is in the user half, where faults are handled; so much room was reserved.
            let length = unsafe { transfer::copy_string(free, at as *const u8, most) };
            if length > most || (length == most && most < room) {
                return Err(Errno::EFAULT);
            }
            let filled = string.len() + length;
            // SAFETY: reserved and just filled.
            unsafe { string.set_len(filled) };
            if length < most {
                return Ok(string);
            }
            if filled >= limit {
                return Err(Errno::ENAMETOOLONG);
            }
            room = filled.saturating_mul(3).min(limit - filled);
        }
    }
}

/// Room for a first try: what most paths fit into.
const USUAL_STRING: usize = 128;

/// `length` bytes of the program's, from `address` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserSlice {
    pub address: usize,
    pub length: usize,
}

impl UserSlice {
    pub const fn new(address: usize, length: usize) -> Self {
        Self { address, length }
    }

    /// Reads into `bytes`, which is no longer than the slice. EFAULT.
    pub fn read(self, bytes: &mut [u8]) -> Result<(), Errno> {
        debug_assert!(bytes.len() <= self.length);
        copy_in(self.address, bytes)
    }

    /// Writes `bytes`, which is no longer than the slice. EFAULT.
    pub fn write(self, bytes: &[u8]) -> Result<(), Errno> {
        debug_assert!(bytes.len() <= self.length);
        copy_out(self.address, bytes)
    }
}

/// Whether the range lies in the half that programs own.
#[inline(always)]
pub(crate) fn in_user_half(address: usize, length: usize) -> bool {
    length <= USER_END && address <= USER_END - length
}

/// Copies from user memory.
#[inline]
pub(crate) fn copy_in(address: usize, bytes: &mut [u8]) -> Result<(), Errno> {
    if !in_user_half(address, bytes.len()) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the destination is ours; the source is in the user half, where faults are handled.
    let left = unsafe { transfer::copy(bytes.as_mut_ptr(), address as *const u8, bytes.len()) };
    if left == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies to user memory.
#[inline]
pub(crate) fn copy_out(address: usize, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: the source is ours.
    let left = unsafe { copy_out_raw(address, bytes.as_ptr(), bytes.len()) };
    if left == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies to user memory from anywhere in the kernel; answers how many bytes were *not* copied.
///
/// # Safety
/// `source` is readable for `length` bytes.
pub(crate) unsafe fn copy_out_raw(address: usize, source: *const u8, length: usize) -> usize {
    if !in_user_half(address, length) {
        return length;
    }
    // SAFETY: the destination is in the user half, where faults are handled; the source is the caller's.
    unsafe { transfer::copy(address as *mut u8, source, length) }
}

/// Copies from user memory to anywhere in the kernel; answers how many bytes were *not* copied.
///
/// # Safety
/// `target` is writable for `length` bytes.
pub(crate) unsafe fn copy_in_raw(target: *mut u8, address: usize, length: usize) -> usize {
    if !in_user_half(address, length) {
        return length;
    }
    // SAFETY: the source is in the user half, where faults are handled; the destination is the caller's.
    unsafe { transfer::copy(target, address as *const u8, length) }
}

/// Clears user memory; answers how many bytes were *not* cleared.
pub(crate) fn clear(address: usize, length: usize) -> usize {
    if !in_user_half(address, length) {
        return length;
    }
    // SAFETY: the destination is in the user half, where faults are handled.
    unsafe { transfer::clear(address as *mut u8, length) }
}

#[cfg(target_os = "none")]
pub(crate) use crate::transfer;

/// On the host there is no user half: tests that pass user pointers name their own memory.
#[cfg(not(target_os = "none"))]
mod transfer {
    pub unsafe fn copy(target: *mut u8, source: *const u8, length: usize) -> usize {
        // SAFETY: tests pass addresses of their own.
        unsafe { core::ptr::copy(source, target, length) };
        0
    }

    pub unsafe fn copy_string(target: *mut u8, source: *const u8, limit: usize) -> usize {
        // SAFETY: tests pass addresses of their own; the target has room for what is looked at.
        unsafe {
            let length = (0..limit).find(|&index| *source.add(index) == 0).unwrap_or(limit);
            core::ptr::copy(source, target, length);
            length
        }
    }

    pub unsafe fn compare_exchange(target: *mut u32, expected: u32, new: u32) -> u64 {
        use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
        // SAFETY: tests pass addresses of their own.
        let word = unsafe { AtomicU32::from_ptr(target) };
        word.compare_exchange(expected, new, SeqCst, SeqCst).unwrap_or_else(|found| found).into()
    }

    pub unsafe fn clear(target: *mut u8, length: usize) -> usize {
        // SAFETY: tests pass addresses of their own.
        unsafe { core::ptr::write_bytes(target, 0, length) };
        0
    }
}
