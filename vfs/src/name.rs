//! One component of a path, hashed while it is found.
use abi::{Errno, NAME_MAX};

/// Names up to this many bytes are kept and compared as words.
pub const INLINE: usize = 32;
pub(crate) const WORDS: usize = INLINE / 8;

/// A name to look up: its bytes, their hash, and the first [`INLINE`] of them as little-endian words, padded by zeros.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    bytes: &'a [u8],
    hash: u64,
    words: [u64; WORDS],
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word).wrapping_mul(u128::from(MULTIPLIER | 1) << 1 | 1);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes from `start` on, as a little-endian word.
#[inline(always)]
fn word_at(bytes: &[u8], start: usize) -> u64 {
    if let Some(chunk) = bytes.get(start..start + 8).and_then(|chunk| <[u8; 8]>::try_from(chunk).ok()) {
        return u64::from_le_bytes(chunk);
    }
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(&bytes[start.min(bytes.len())..]) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// How many bytes of the word come before a slash (or a NUL, which is padding): eight for all.
#[inline(always)]
fn bytes_before_end(word: u64) -> u32 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let slash = word ^ (ONES * b'/' as u64);
    let found = ((slash.wrapping_sub(ONES) & !slash) | (word.wrapping_sub(ONES) & !word)) & HIGH;
    found.trailing_zeros() / 8
}

impl<'a> Name<'a> {
    /// The component at the start of `path`, up to a slash or the end. ENAMETOOLONG.
    #[inline]
    pub fn first_of(path: &'a [u8]) -> Result<Self, Errno> {
        let mut words = [0; WORDS];
        let (mut hash, mut length, mut index) = (0u64, 0usize, 0usize);
        loop {
            let word = word_at(path, length);
            let valid = bytes_before_end(word);
            let word = if valid == 8 { word } else { word & !(u64::MAX << (8 * valid)) };
            if let Some(slot) = words.get_mut(index) {
                *slot = word;
            }
            if valid != 0 {
                hash = mix(hash, word);
            }
            (length, index) = (length + valid as usize, index + 1);
            if valid < 8 {
                break;
            }
        }
        if length > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(Self { bytes: &path[..length], hash: mix(hash, length as u64), words })
    }

    /// The name `bytes`, which holds neither slash nor NUL. ENAMETOOLONG; EINVAL where it does hold one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Errno> {
        let name = Self::first_of(bytes)?;
        if name.bytes.len() == bytes.len() { Ok(name) } else { Err(Errno::EINVAL) }
    }

    #[inline(always)]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline(always)]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> &[u64; WORDS] {
        &self.words
    }

    pub fn is_dot(&self) -> bool {
        self.bytes == b"."
    }

    pub fn is_dot_dot(&self) -> bool {
        self.bytes == b".."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_at_the_slash(name in "[a-zA-Z0-9.\\-\u{80}-\u{ff}]{0,60}", rest in "[a-z/]{0,12}") {
            let path = format!("{name}/{rest}");
            let found = Name::first_of(path.as_bytes()).unwrap();
            prop_assert_eq!(found.bytes(), name.as_bytes());
            let alone = Name::first_of(name.as_bytes()).unwrap();
            prop_assert_eq!(found.hash(), alone.hash());
            prop_assert_eq!(found.words(), alone.words());
        }
    }

    #[test]
    fn long_names_are_refused() {
        assert!(Name::first_of(&[b'a'; 255]).is_ok());
        assert_eq!(Name::first_of(&[b'a'; 256]).err(), Some(Errno::ENAMETOOLONG));
        assert_eq!(Name::new(b"a/b").err(), Some(Errno::EINVAL));
    }
}
