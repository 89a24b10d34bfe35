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

/// Bytes reserved for the table of symbols.
const SYMBOLS: usize = 512 * 1024;

/// Filled after linking; see the format's crate. Volatile for the compiler's eyes only: it must not take the zeros for granted.
#[repr(C, align(16))]
struct Symbols([u8; SYMBOLS]);

// SAFETY: a section of plain bytes that nothing else is placed in.
#[unsafe(link_section = ".ksyms")]
static TABLE: Symbols = Symbols([0; SYMBOLS]);

/// The table of symbols, as the build filled it.
pub fn symbols() -> &'static [u8] {
    let start = core::hint::black_box(&raw const TABLE.0).cast::<u8>();
    // SAFETY: the static's own bytes; `black_box` hides that the compiler saw zeros.
    unsafe { core::slice::from_raw_parts(start, SYMBOLS) }
}

/// Whether kernel code or constants of the image stand at `address`: where backtraces may look.
pub fn is_image(address: usize) -> bool {
    (&raw const text_start as usize..&raw const image_end as usize).contains(&address)
}

/// Whether executable kernel text stands at `address`.
pub fn is_text(address: usize) -> bool {
    (&raw const text_start as usize..&raw const text_end as usize).contains(&address)
}
