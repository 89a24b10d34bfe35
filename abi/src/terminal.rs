//! Terminals: `termios(3)`, `ioctl_tty(2)`.
use linux_raw_sys::general as raw;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct termios` of the kernel: TCGETS, TCSETS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Termios {
    pub input: u32,
    pub output: u32,
    pub control: u32,
    pub local: u32,
    pub line: u8,
    pub characters: [u8; raw::NCCS as usize],
}

/// `struct termios2`: TCGETS2, TCSETS2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Termios2 {
    pub old: Termios,
    /// Bits per second.
    pub input_speed: u32,
    pub output_speed: u32,
}

/// `struct termio` of System V: TCGETA, TCSETA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Termio {
    pub input: u16,
    pub output: u16,
    pub control: u16,
    pub local: u16,
    pub line: u8,
    pub characters: [u8; raw::NCC as usize],
    pub padding: u8,
}

/// `struct winsize`: TIOCGWINSZ, TIOCSWINSZ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
    pub x_pixels: u16,
    pub y_pixels: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_linuxes() {
        assert_eq!(size_of::<Termios>(), size_of::<raw::termios>());
        assert_eq!(size_of::<Termios2>(), size_of::<raw::termios2>());
        assert_eq!(size_of::<Termio>(), size_of::<raw::termio>());
        assert_eq!(size_of::<WindowSize>(), size_of::<raw::winsize>());
        assert_eq!(core::mem::offset_of!(Termios, characters), core::mem::offset_of!(raw::termios, c_cc));
        assert_eq!(core::mem::offset_of!(Termios2, input_speed), core::mem::offset_of!(raw::termios2, c_ispeed));
    }
}
