//! Random bytes for programs' addresses and AT_RANDOM, from whoever has registered as the source.
use sync::Once;

/// Fills a buffer with unpredictable bytes. Any process context; never waits.
pub type Source = fn(&mut [u8]);

static SOURCE: Once<Source> = Once::new();

/// Says where random bytes come from. Once.
pub fn set_source(source: Source) {
    let _ = SOURCE.set(source);
}

/// Fills `bytes`; zeros before there is a source.
pub fn fill(bytes: &mut [u8]) {
    match SOURCE.get() {
        Some(source) => source(bytes),
        None => bytes.fill(0),
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
