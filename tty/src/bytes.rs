//! What kind of character a byte is: Latin-1, as Linux's terminals have it, whatever the encoding in use.

/// Shown as nothing or as `^X`.
#[inline]
pub(crate) const fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7F
}

pub(crate) const fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || (byte >= 0xC0 && byte != 0xD7 && byte != 0xF7)
}

pub(crate) const fn to_lower(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xC0..=0xD6 | 0xD8..=0xDE => byte + 0x20,
        _ => byte,
    }
}

pub(crate) const fn to_upper(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | 0xDF..=0xF6 | 0xF8..=0xFF => byte - 0x20,
        _ => byte,
    }
}

/// Not the first byte of a character in UTF-8.
#[inline]
pub(crate) const fn continues_utf8(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}
