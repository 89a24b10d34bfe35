//! The pool of noise.
use crate::KEY;
use blake2::digest::{Digest, Mac};
use blake2::{Blake2s256, Blake2sMac256};

/// Bits after which keys cannot be guessed.
pub const ENOUGH: u32 = 256;

/// Noise, hashed.
pub struct Pool {
    hash: Blake2s256,
    bits: u32,
}

impl Pool {
    pub fn new() -> Self {
        Self { hash: Blake2s256::new(), bits: 0 }
    }

    /// Mixes noise in, of which `bits` count.
    pub fn mix(&mut self, noise: &[u8], bits: u32) {
        self.hash.update(noise);
        self.bits = self.bits.saturating_add(bits).min(ENOUGH);
    }

    /// How much it is worth, up to [`ENOUGH`].
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// A key out of all noise so far and `salt` (what the processor can give at once). The pool goes on from another value, from which
    /// neither the key nor the noise can be told.
    pub fn extract(&mut self, salt: &[u8]) -> [u8; KEY] {
        let seed: [u8; KEY] = self.hash.finalize_reset().into();
        let part = |number: u8| -> [u8; KEY] {
            match Blake2sMac256::new_from_slice(&seed) {
                Ok(mut keyed) => {
                    keyed.update(salt);
                    keyed.update(&[number]);
                    keyed.finalize().into_bytes().into()
                }
                // The key's length is one that it takes.
                Err(_) => seed,
            }
        };
        self.hash.update(part(0));
        self.bits = 0;
        part(1)
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_noise_salt_and_turn() {
        let key = |noise: &[u8], salt: &[u8]| {
            let mut pool = Pool::new();
            pool.mix(noise, 1);
            [pool.extract(salt), pool.extract(salt)]
        };
        let [first, second] = key(b"noise", b"salt");
        assert_ne!(first, second);
        assert_eq!(key(b"noise", b"salt"), [first, second]);
        assert_ne!(key(b"noisf", b"salt")[0], first);
        assert_ne!(key(b"noise", b"salu")[0], first);
        assert_ne!(key(b"noise", b"salu")[1], second);
    }

    #[test]
    fn worth_is_counted_to_the_end_and_spent() {
        let mut pool = Pool::new();
        pool.mix(b"a", 200);
        assert_eq!(pool.bits(), 200);
        pool.mix(b"b", 200);
        assert_eq!(pool.bits(), ENOUGH);
        let _ = pool.extract(b"");
        assert_eq!(pool.bits(), 0);
    }
}
