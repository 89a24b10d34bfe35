//! Memory in blocks, as /sys/devices/system/memory shows it (Documentation/admin-guide/mm/memory-hotplug.rst).
use core::ops::Range;

/// Bytes of a block: a section of Linux's sparse memory model, of which a block is one on machines with less than 64 GiB
/// (`probe_memory_block_size` in arch/x86/mm/init_64.c).
pub const BLOCK: u64 = 128 << 20;

/// Numbers of the blocks that have memory in them, each once.
pub fn present(ram: &[Range<u64>]) -> impl Iterator<Item = u64> {
    let end = ram.iter().map(|range| range.end).max().unwrap_or(0).div_ceil(BLOCK);
    let has_memory = |block: &u64| {
        let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
        ram.iter().any(|range| range.start < end && start < range.end && !range.is_empty())
    };
    (0..end).filter(has_memory)
}

/// The zone that all of a block's memory is in; `none` where it is in several.
pub fn zone(block: u64) -> &'static str {
    match block {
        // The first 16 MiB are DMA, the rest DMA32.
        0 => "none",
        block if (block + 1) * BLOCK <= 1 << 32 => "DMA32",
        _ => "Normal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_with_memory() {
        // A PC of 8 GiB: 2 GiB below the hole for devices, the rest above 4 GiB.
        let pc = [0..0x9_fc00, 0x10_0000..0x7ffe_0000, 1 << 32..(1 << 32) + (6 << 30)];
        let blocks: Vec<u64> = present(&pc).collect();
        assert_eq!(blocks, (0..16).chain(32..80).collect::<Vec<_>>());
        assert_eq!((zone(0), zone(15), zone(31), zone(32)), ("none", "DMA32", "DMA32", "Normal"));
        let (small, nothing) = (0x10_0000..0x180_0000, 5..5);
        assert_eq!(present(std::slice::from_ref(&small)).collect::<Vec<_>>(), [0]);
        assert_eq!(present(&[]).count() + present(std::slice::from_ref(&nothing)).count(), 0);
    }
}
