//! When interrupts come.
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What one CPU has gathered from its interrupts. Written by that CPU alone, read by whoever empties it.
pub struct Jitter {
    words: [AtomicU64; 2],
    events: AtomicU32,
}

impl Jitter {
    pub const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; 2], events: AtomicU32::new(0) }
    }

    /// An interrupt came at this moment of the finest clock. Any context.
    #[inline]
    pub fn note(&self, moment: u64, which: u64) {
        // One round of SipHash's mixing, as Linux's fast pool: each bit of the moment reaches both words within a few interrupts.
        let (first, second) = (self.words[0].load(Ordering::Relaxed) ^ moment, self.words[1].load(Ordering::Relaxed));
        let first = first.wrapping_add(second);
        let second = second.rotate_left(13) ^ first;
        self.words[0].store(first.rotate_left(32), Ordering::Relaxed);
        self.words[1].store(second.wrapping_add(which), Ordering::Relaxed);
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// What was gathered since the last time, and how many interrupts it is made of.
    pub fn take(&self) -> ([u8; 16], u32) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.words[0].load(Ordering::Relaxed).to_ne_bytes());
        bytes[8..].copy_from_slice(&self.words[1].load(Ordering::Relaxed).to_ne_bytes());
        (bytes, self.events.swap(0, Ordering::Relaxed))
    }

    /// Interrupts since the last time.
    pub fn events(&self) -> u32 {
        self.events.load(Ordering::Relaxed)
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_change_what_is_gathered() {
        let gather = |moments: &[u64]| {
            let jitter = Jitter::new();
            moments.iter().for_each(|&moment| jitter.note(moment, 32));
            jitter.take()
        };
        assert_eq!(gather(&[1, 2, 3]).1, 3);
        assert_ne!(gather(&[1, 2, 3]).0, gather(&[1, 2, 4]).0);
        assert_ne!(gather(&[1, 2, 3]).0, gather(&[2, 1, 3]).0);
    }
}
