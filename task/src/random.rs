//! Random bytes, from whoever has registered as the source.
use abi::Errno;
use sync::Once;

/// What the source can do.
#[derive(Clone, Copy)]
pub struct Source {
    /// Fills a buffer with the best bytes that can be had now. Never waits.
    pub fill: fn(&mut [u8]),
    /// Whether those cannot be guessed.
    pub is_ready: fn() -> bool,
    /// Sleeps until then; false where a signal came first.
    pub wait: fn() -> bool,
    /// Takes noise in, of which so many bits count.
    pub mix: fn(&[u8], u32),
}

static SOURCE: Once<Source> = Once::new();

/// Says where random bytes come from. Once.
pub fn set_source(source: Source) {
    let _ = SOURCE.set(source);
}

/// Fills `bytes`; zeros before there is a source.
pub fn fill(bytes: &mut [u8]) {
    match SOURCE.get() {
        Some(source) => (source.fill)(bytes),
        None => bytes.fill(0),
    }
}

/// Whether the bytes cannot be guessed.
pub fn is_ready() -> bool {
    SOURCE.get().is_some_and(|source| (source.is_ready)())
}

/// Waits until they cannot. EAGAIN where that is not wanted; EINTR.
pub fn wait_until_ready(nonblocking: bool) -> Result<(), Errno> {
    match SOURCE.get() {
        Some(source) if (source.is_ready)() => Ok(()),
        _ if nonblocking => Err(Errno::EAGAIN),
        Some(source) if (source.wait)() => Ok(()),
        _ => Err(Errno::EINTR),
    }
}

/// Takes in what a program gives: it counts for nothing, and cannot harm.
pub fn mix(noise: &[u8]) {
    if let Some(source) = SOURCE.get() {
        (source.mix)(noise, 0);
    }
}

/// Four random words.
pub fn words() -> [u64; 4] {
    let mut bytes = [0; 32];
    fill(&mut bytes);
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut array = [0; 8];
        array.copy_from_slice(chunk);
        *word = u64::from_le_bytes(array);
    }
    words
}
