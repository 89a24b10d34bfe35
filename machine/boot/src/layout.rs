//! Where the image's parts lie, as the linker script says.
use core::ops::Range;

/// Virtual minus physical address of the image.
pub const IMAGE_BASE: usize = 0xffff_ffff_8000_0000;

unsafe extern "C" {
    static image_start: u8;
    static text_start: u8;
    static text_end: u8;
    static constants_end: u8;
    static image_end: u8;
    pub static boot_entry_tsc: u64;
}

fn physical(symbol: *const u8) -> u64 {
    (symbol as usize).wrapping_sub(IMAGE_BASE) as u64
}

/// Physical bytes of the whole image, start-up code and zeroed data included.
pub fn image_range() -> Range<u64> {
    (&raw const image_start) as u64..physical(&raw const image_end)
}

/// Physical bytes of executable text.
pub fn text_range() -> Range<u64> {
    physical(&raw const text_start)..physical(&raw const text_end)
}

/// Physical bytes of constants.
pub fn constants_range() -> Range<u64> {
    physical(&raw const text_end)..physical(&raw const constants_end)
}
