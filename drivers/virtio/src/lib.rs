//! Virtio devices: how they are found, negotiated with, and given queues (virtio 1.2, ch. 2 to 4).
//!
//! A [`Transport`] is one device as seen through one bus: [`MmioTransport`] (4.2, and its legacy form) or [`PciTransport`]
//! (4.1, modern only). A [`Device`] is what a driver starts on it: reset, features, queues, then "driver OK". A [`Queue`] is a
//! `dma` ring that knows how to notify its device.
//!
//! A driver that wants the end of a device calls [`Device::stop`], and with its answer gets the memory of its queues
//! back; a driver that just goes away leaks them, which is safe.
//!
//! Interrupts: a transport has one, for its queues and its configuration; [`Transport::take_interrupt`] says which it may have
//! been. By MSI-X it cannot say, and claims both.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod device;
mod mmio;
#[cfg(not(target_os = "none"))]
pub mod model;
mod pci_transport;
mod queue;
mod transport;

pub use device::{Device, Error, status};
pub use mmio::MmioTransport;
pub use pci_transport::{MSIX_ENTRY, PciTransport};
pub use queue::Queue;
pub use transport::{InterruptCause, Transport};

/// Device types (virtio 1.2, ch. 5).
pub mod kind {
    pub const NETWORK: u32 = 1;
    pub const BLOCK: u32 = 2;
    pub const CONSOLE: u32 = 3;
    pub const ENTROPY: u32 = 4;
}

/// Features of all devices (virtio 1.2, ch. 6), as bit numbers.
pub mod feature {
    pub const INDIRECT_DESCRIPTORS: u32 = 28;
    pub const EVENT_INDEX: u32 = 29;
    pub const VERSION_1: u32 = 32;
}
