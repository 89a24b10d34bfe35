//! Keys, and bytes out of them.
use crate::KEY;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};

/// The most bytes that one stream gives besides the next key: a request for more takes several.
pub const REQUEST: usize = 256 - KEY;

/// Fast key erasure: the stream's first bytes are the next key, the rest is handed out.
fn draw(key: &mut [u8; KEY], into: &mut [u8]) {
    let mut stream = ChaCha20::new(&(*key).into(), &[0; 12].into());
    *key = [0; KEY];
    stream.apply_keystream(key);
    into.fill(0);
    stream.apply_keystream(into);
}

/// The key that all others are drawn from.
pub struct Base {
    key: [u8; KEY],
    generation: u64,
    ready: bool,
}

impl Base {
    pub const fn new() -> Self {
        Self { key: [0; KEY], generation: 0, ready: false }
    }

    /// Takes a new key; `enough`: made of as much noise as it takes.
    pub fn renew(&mut self, key: [u8; KEY], enough: bool) {
        self.key = key;
        self.generation += 1;
        self.ready |= enough;
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl Default for Base {
    fn default() -> Self {
        Self::new()
    }
}

/// One CPU's key.
pub struct Generator {
    key: [u8; KEY],
    generation: u64,
}

impl Generator {
    pub const fn new() -> Self {
        Self { key: [0; KEY], generation: 0 }
    }

    /// Whether its key is older than the base's.
    pub fn is_stale(&self, generation: u64) -> bool {
        self.generation != generation
    }

    /// Draws a new key from the base's.
    pub fn renew(&mut self, base: &mut Base) {
        draw(&mut base.key, &mut self.key);
        self.generation = base.generation;
    }

    /// Fills up to [`REQUEST`] bytes; answers how many.
    pub fn fill(&mut self, bytes: &mut [u8]) -> usize {
        let count = bytes.len().min(REQUEST);
        draw(&mut self.key, &mut bytes[..count]);
        count
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, appendix A.1, test vector 1: the key of zeros.
    #[test]
    fn the_stream_is_chacha20() {
        let mut generator = Generator::new();
        let mut bytes = [7; 32];
        assert_eq!(generator.fill(&mut bytes), 32);
        assert_eq!(generator.key[..8], [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
        assert_eq!(bytes[..8], [0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d]);
        assert_eq!(bytes[24..], [0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86]);
    }

    #[test]
    fn keys_are_never_used_twice() {
        let mut base = Base::new();
        base.renew([5; KEY], true);
        let (mut first, mut second) = (Generator::new(), Generator::new());
        assert!(first.is_stale(base.generation()));
        first.renew(&mut base);
        second.renew(&mut base);
        assert!(!first.is_stale(base.generation()) && base.is_ready());
        let mut seen = std::collections::BTreeSet::new();
        for generator in [&mut first, &mut second] {
            for _ in 0..10 {
                let mut bytes = [0; 1000];
                assert_eq!(generator.fill(&mut bytes), REQUEST);
                assert!(bytes[REQUEST..].iter().all(|&byte| byte == 0));
                assert!(seen.insert(bytes[..32].to_vec()) && seen.insert(generator.key.to_vec()));
            }
        }
        base.renew([6; KEY], false);
        assert!(base.is_ready() && first.is_stale(base.generation()));
    }
}
