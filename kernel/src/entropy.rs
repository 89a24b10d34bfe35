//! Random bytes: the CPU's own generator, and the host's device where that has none.
use arch::features::{self, Feature};

/// How often the CPU's generator is asked again when it is exhausted (Intel's guide: ten times).
const RETRIES: u32 = 10;

fn from_cpu() -> Option<u64> {
    if !features::has(Feature::Random) {
        return None;
    }
    (0..RETRIES).find_map(|_| arch::instructions::read_random())
}

/// Fills `bytes`: RDRAND, else virtio-rng, sleeping until the host has given enough. Process context.
///
/// # Panics
/// Where there is neither: keys made of guessable bytes would be worse than none.
pub fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        match from_cpu() {
            Some(word) => chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]),
            None => {
                let device =
                    crate::devices::entropy().expect("neither RDRAND nor virtio-rng: no source of random bytes");
                while device.fill(chunk, None).is_err() {}
            }
        }
    }
}
