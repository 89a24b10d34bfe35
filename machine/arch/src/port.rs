//! I/O ports (Intel SDM vol. 1, ch. 19).
use core::arch::asm;
use core::marker::PhantomData;

/// One I/O port of width `T` (`u8`, `u16` or `u32`).
#[derive(Clone, Copy, Debug)]
pub struct Port<T> {
    number: u16,
    width: PhantomData<T>,
}

impl<T> Port<T> {
    pub const fn new(number: u16) -> Self {
        Self { number, width: PhantomData }
    }

    pub const fn number(self) -> u16 {
        self.number
    }
}

macro_rules! port {
    ($width:ty, $register:tt) => {
        impl Port<$width> {
            /// Reads the port once.
            pub fn read(self) -> $width {
                let value: $width;
                // SAFETY: port I/O touches a device, never memory that Rust knows of.
                unsafe { asm!(concat!("in ", $register, ", dx"), in("dx") self.number, out($register) value, options(nomem, nostack, preserves_flags)) };
                value
            }

            /// Writes the port once.
            pub fn write(self, value: $width) {
                // SAFETY: as for `read`; devices that could reach memory are given only DMA buffers made for them.
                unsafe { asm!(concat!("out dx, ", $register), in("dx") self.number, in($register) value, options(nomem, nostack, preserves_flags)) };
            }
        }
    };
}
port!(u8, "al");
port!(u16, "ax");
port!(u32, "eax");
