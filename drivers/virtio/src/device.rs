//! A device under a driver.
use crate::feature;
use crate::queue::Queue;
use crate::transport::{InterruptCause, Transport};
use alloc::sync::Arc;
use dma::{MAX_SIZE, Quiesced, Ring};

/// Bits of the status register (2.1).
pub mod status {
    pub const ACKNOWLEDGE: u8 = 1;
    pub const DRIVER: u8 = 2;
    pub const DRIVER_OK: u8 = 4;
    pub const FEATURES_OK: u8 = 8;
    pub const NEEDS_RESET: u8 = 64;
    pub const FAILED: u8 = 128;
}

/// How often the status is looked at for a reset to end.
const PATIENCE: u32 = 1_000_000;
/// How often a configuration that changes while it is read is read again.
const TRIES: u32 = 16;

/// Why a device could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not come out of reset.
    Stuck,
    /// It does not accept the features that the driver chose from its offer.
    Features,
    /// It lacks a queue, or refuses the memory for it.
    Queue,
    NoMemory,
}

/// A device that a driver has taken.
#[derive(Clone)]
pub struct Device {
    transport: Arc<dyn Transport>,
    features: u64,
}

impl Device {
    /// Resets the device and agrees on features: those of `wanted` (a mask) that it offers, besides what this crate needs.
    pub fn start(transport: Arc<dyn Transport>, wanted: u64) -> Result<Self, Error> {
        if !reset(&*transport) {
            return Err(Error::Stuck);
        }
        transport.set_status(status::ACKNOWLEDGE);
        transport.set_status(status::ACKNOWLEDGE | status::DRIVER);
        let own = 1 << feature::VERSION_1 | 1 << feature::EVENT_INDEX;
        let features = transport.features() & (wanted | own);
        transport.accept_features(features);
        let device = Self { transport, features };
        // A legacy device has no such step.
        if device.has(feature::VERSION_1) {
            device.add_status(status::FEATURES_OK);
            if device.transport.status() & status::FEATURES_OK == 0 {
                device.fail();
                return Err(Error::Features);
            }
        }
        Ok(device)
    }

    fn add_status(&self, bits: u8) {
        self.transport.set_status(self.transport.status() | bits);
    }

    /// Whether feature number `bit` was agreed on.
    pub fn has(&self, bit: u32) -> bool {
        self.features >> bit & 1 != 0
    }

    /// Queue `index`, of up to `most` descriptors. Before [`Device::run`].
    pub fn queue<T>(&self, index: u16, most: u16) -> Result<Queue<T>, Error> {
        let limit = self.transport.queue_limit(index).min(most).min(MAX_SIZE);
        let size = limit.checked_ilog2().map(|order| 1 << order).ok_or(Error::Queue)?;
        let ring = Ring::new(size, self.has(feature::EVENT_INDEX)).ok_or(Error::NoMemory)?;
        if !self.transport.start_queue(index, &ring.addresses()) {
            return Err(Error::Queue);
        }
        Ok(Queue::new(ring, self.transport.clone(), index))
    }

    /// Lets the device begin.
    pub fn run(&self) {
        self.add_status(status::DRIVER_OK);
    }

    /// Tells the device that the driver has given up.
    pub fn fail(&self) {
        self.add_status(status::FAILED);
    }

    /// Whether the device has met an error that only a reset ends.
    pub fn needs_reset(&self) -> bool {
        self.transport.status() & status::NEEDS_RESET != 0
    }

    /// `N` bytes of the configuration, all of one state.
    pub fn configuration<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        for _ in 0..TRIES {
            let before = self.transport.generation();
            self.transport.read_configuration(offset, &mut bytes);
            if self.transport.generation() == before {
                break;
            }
        }
        bytes
    }

    /// See [`Transport::take_interrupt`].
    pub fn take_interrupt(&self) -> InterruptCause {
        self.transport.take_interrupt()
    }

    /// Resets the device for good. The answer, if it did stop, frees its queues.
    pub fn stop(self) -> Option<Quiesced> {
        reset(&*self.transport).then(Quiesced::after_reset)
    }
}

/// Resets, and waits for it to be done (2.4.1).
fn reset(transport: &dyn Transport) -> bool {
    transport.set_status(0);
    (0..PATIENCE).any(|_| transport.status() == 0)
}
