//! Memory that devices read and write, and the split virtqueue over it (virtio 1.2, 2.7), for drivers without unsafe code.
//!
//! **Buffers.** A [`Buffer`] is a stretch of a counted frame. A driver hands buffers to a [`Ring`] by value and gets them back
//! when the device is done with them, so a frame that a device may touch always has an owner. Contents are only copied in
//! and out, so it does no harm when a device writes early, late or elsewhere in the page. A request may consist of many
//! buffers: physical contiguity is never asked for.
//!
//! **Rings.** All three parts of a ring lie in one page, which the ring owns. What the device writes (its index, identifiers and
//! lengths) is checked against what is in flight; nonsense makes the ring [`Broken`](RingError::Broken) for good, and nothing
//! that the device says reaches Rust unchecked. What is in flight, and which descriptors are free, is kept outside of the
//! page, so it is never read back.
//!
//! **The end.** A ring that is dropped leaks its page and what is in flight: nobody can know whether the device still uses
//! them. [`Ring::retire`] frees both, against a [`Quiesced`] that the driver makes after it has reset the device.
//!
//! Ordering: on x86 a device sees stores in program order, and loads are not reordered; what is left is the store–load fence
//! between publishing and looking at the other side's wish to be notified (2.7.13.4).
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod buffer;
mod layout;
mod ring;

#[cfg(not(target_os = "none"))]
pub mod device_side;

pub use buffer::{Buffer, Buffers};
pub use layout::{Addresses, MAX_SIZE};
pub use ring::{Completion, Quiesced, Rejected, Ring, RingError};
