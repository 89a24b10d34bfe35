//! One component of a path, hashed while it is found.
use abi::{Errno, NAME_MAX};
use alloc::boxed::Box;
use zerocopy::IntoBytes;

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

/// What a name is found by, without its bytes: for a name that is looked up later than it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameKey {
    hash: u64,
    words: [u64; WORDS],
}

impl NameKey {
    /// The key of no name.
    pub const NONE: Self = Self { hash: 0, words: [0; WORDS] };

    /// The name of which this is the key and `bytes` are the bytes.
    #[inline(always)]
    pub fn with_bytes(self, bytes: &[u8]) -> Name<'_> {
        Name { bytes, hash: self.hash, words: self.words }
    }
}

/// Odd, with bits all over: 2^64 over the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// Keeps zeros from staying zeros.
const START: u64 = 0x2d35_8dcc_aa6c_78a5;

#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word ^ START) * u128::from(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes from `start` on, as a little-endian word.
#[inline(always)]
fn word_at(bytes: &[u8], start: usize) -> u64 {
    let rest = bytes.len() - start.min(bytes.len());
    if rest >= 8 {
        return eight_bytes(bytes, start);
    }
    if bytes.len() >= 8 && rest != 0 {
        // The last eight bytes, less those before `start`.
        return eight_bytes(bytes, bytes.len() - 8) >> (64 - 8 * rest as u32);
    }
    bytes[bytes.len() - rest..].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[inline(always)]
fn eight_bytes(bytes: &[u8], start: usize) -> u64 {
    match bytes.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    }
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
    #[cfg(test)]
    pub(crate) fn with_hash(self, hash: u64) -> Self {
        Self { hash, ..self }
    }

    /// The component at the start of `path`, up to a slash or the end. ENAMETOOLONG.
    #[inline(always)]
    pub fn first_of(path: &'a [u8]) -> Result<Self, Errno> {
        let mut words = [0; WORDS];
        let word = word_at(path, 0);
        let valid = bytes_before_end(word);
        if valid < 8 {
            // Most names end here.
            words[0] = word & !(u64::MAX << (8 * valid));
            let hash = mix(mix(0, words[0]), u64::from(valid));
            return Ok(Self { bytes: &path[..valid as usize], hash, words });
        }
        words[0] = word;
        let (hash, length) = Self::longer(path, &mut words);
        if length > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(Self { bytes: &path[..length], hash, words })
    }

    /// The rest of a name whose first word is all name: its hash and length.
    #[inline(never)]
    fn longer(path: &[u8], words: &mut [u64; WORDS]) -> (u64, usize) {
        let (mut hash, mut length, mut index) = (mix(0, words[0]), 8, 1);
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
                return (mix(hash, length as u64), length);
            }
        }
    }

    /// The name `bytes`, which holds neither slash nor NUL. ENAMETOOLONG; EINVAL where it does hold one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Errno> {
        let name = Self::first_of(bytes)?;
        if name.bytes.len() == bytes.len() { Ok(name) } else { Err(Errno::EINVAL) }
    }

    #[inline(always)]
    pub(crate) fn key(&self) -> NameKey {
        NameKey { hash: self.hash, words: self.words }
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

    #[inline(always)]
    pub fn is_dot(&self) -> bool {
        self.words[0] == u64::from(b'.')
    }

    #[inline(always)]
    pub fn is_dot_dot(&self) -> bool {
        self.words[0] == u64::from(u16::from_le_bytes(*b".."))
    }
}

/// A name that is kept.
#[derive(Clone, Debug)]
pub struct OwnedName {
    hash: u64,
    length: u8,
    words: [u64; WORDS],
    long: Option<Box<[u8]>>,
}

impl OwnedName {
    pub fn new(name: &Name<'_>) -> Self {
        let long = (name.bytes.len() > INLINE).then(|| Box::from(name.bytes));
        Self { hash: name.hash, length: name.bytes.len() as u8, words: name.words, long }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether it is `name`, given that the hashes are equal.
    #[inline]
    pub fn is(&self, name: &Name<'_>) -> bool {
        // Not `==` of the arrays, which is a call.
        let different = self.words.iter().zip(&name.words).fold(0, |all, (here, there)| all | (here ^ there));
        different == 0
            && usize::from(self.length) == name.bytes.len()
            && (self.long.is_none() || self.long.as_deref() == Some(name.bytes))
    }

    /// Its bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let kept = match &self.long {
            Some(long) => long,
            // Little-endian words are the bytes in their order.
            None => self.words.as_bytes(),
        };
        kept.get(..usize::from(self.length)).unwrap_or(kept)
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
            let again = found.key().with_bytes(name.as_bytes());
            prop_assert_eq!((again.bytes(), again.hash(), again.words()), (found.bytes(), found.hash(), found.words()));
            let owned = OwnedName::new(&found);
            prop_assert_eq!(owned.bytes(), name.as_bytes());
        }
    }

    #[test]
    fn long_names_are_refused() {
        assert!(Name::first_of(&[b'a'; 255]).is_ok());
        assert_eq!(Name::first_of(&[b'a'; 256]).err(), Some(Errno::ENAMETOOLONG));
        assert_eq!(Name::new(b"a/b").err(), Some(Errno::EINVAL));
    }
}
