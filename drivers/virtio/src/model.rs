//! A model of a device, for host tests of drivers: its registers here, its queues through `dma::device_side`.
use crate::transport::{InterruptCause, Transport};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use dma::Addresses;
use dma::device_side::DeviceRing;
use sync::{InterruptsOff, Rank, SpinLock};

/// What the device knows.
#[derive(Debug, Default)]
pub struct State {
    pub status: u8,
    pub accepted: u64,
    pub configuration: Vec<u8>,
    pub generation: u32,
    pub queues: BTreeMap<u16, Addresses>,
    /// Queues that were notified, in order.
    pub bells: Vec<u16>,
    pub cause: InterruptCause,
    /// Does not come out of reset.
    pub stuck: bool,
    /// Refuses whatever features were chosen.
    pub refuses: bool,
}

/// A device without a bus.
pub struct Model {
    features: u64,
    /// Descriptors of each queue.
    limits: Vec<u16>,
    pub state: SpinLock<State, InterruptsOff>,
}

impl Model {
    pub fn new(features: u64, limits: Vec<u16>, configuration: Vec<u8>) -> Self {
        let state = State { configuration, ..State::default() };
        Self { features, limits, state: SpinLock::new(Rank::Leaf, state) }
    }

    /// The device's side of a started queue.
    pub fn ring(&self, index: u16) -> Option<DeviceRing> {
        let state = self.state.lock();
        let event_index = state.accepted >> crate::feature::EVENT_INDEX & 1 != 0;
        state.queues.get(&index).map(|at| DeviceRing::new(*at, event_index))
    }

    /// Queues notified since the last call.
    pub fn take_bells(&self) -> Vec<u16> {
        core::mem::take(&mut self.state.lock().bells)
    }

    pub fn interrupt(&self, cause: InterruptCause) {
        self.state.lock().cause = cause;
    }
}

impl Transport for Model {
    fn status(&self) -> u8 {
        let state = self.state.lock();
        if state.stuck { 1 } else { state.status }
    }

    fn set_status(&self, status: u8) {
        let mut state = self.state.lock();
        let refused = if state.refuses { crate::status::FEATURES_OK } else { 0 };
        state.status = status & !refused;
        if status == 0 {
            state.queues.clear();
        }
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn accept_features(&self, features: u64) {
        self.state.lock().accepted = features;
    }

    fn queue_limit(&self, index: u16) -> u16 {
        self.limits.get(usize::from(index)).copied().unwrap_or(0)
    }

    fn start_queue(&self, index: u16, at: &Addresses) -> bool {
        self.state.lock().queues.insert(index, *at);
        true
    }

    fn notify(&self, index: u16) {
        self.state.lock().bells.push(index);
    }

    fn read_configuration(&self, offset: usize, bytes: &mut [u8]) {
        let state = self.state.lock();
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = state.configuration.get(offset + index).copied().unwrap_or(0);
        }
    }

    fn generation(&self) -> u32 {
        self.state.lock().generation
    }

    fn take_interrupt(&self) -> InterruptCause {
        core::mem::take(&mut self.state.lock().cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Error, feature, status};
    use alloc::sync::Arc;
    use dma::Buffer;

    #[test]
    fn negotiation() {
        let offered = 1 << feature::VERSION_1 | 1 << feature::EVENT_INDEX | 0b110;
        let model = Arc::new(Model::new(offered, vec![256, 48, 0], vec![1, 2, 3, 4]));
        let device = Device::start(model.clone(), 0b011).unwrap();
        assert_eq!(model.state.lock().accepted, 1 << feature::VERSION_1 | 1 << feature::EVENT_INDEX | 0b010);
        assert!(device.has(1) && !device.has(0) && !device.has(2));
        let mut queue = device.queue::<u8>(0, 64).unwrap();
        assert_eq!(queue.free(), 64);
        assert_eq!(device.queue::<u8>(1, 64).unwrap().free(), 32, "a power of two within the limit");
        assert_eq!(device.queue::<u8>(2, 64).err(), Some(Error::Queue));
        assert_eq!(device.configuration::<3>(2), [3, 4, 0]);
        device.run();
        assert_ne!(model.state.lock().status & status::DRIVER_OK, 0);
        queue.add([Buffer::of_bytes(b"hello").unwrap()].into_iter().collect(), 5).unwrap();
        queue.kick();
        assert_eq!(model.take_bells(), [0]);
        let mut ring = model.ring(0).unwrap();
        assert_eq!(ring.receive().unwrap().sent(), b"hello");
        let quiesced = device.stop().unwrap();
        assert_eq!(queue.retire(&quiesced).map(|request| request.0).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn devices_that_will_not() {
        let model = Arc::new(Model::new(1 << feature::VERSION_1, vec![], vec![]));
        model.state.lock().refuses = true;
        assert_eq!(Device::start(model.clone(), 0).err(), Some(Error::Features));
        assert_ne!(model.state.lock().status & status::FAILED, 0);
        model.state.lock().stuck = true;
        assert_eq!(Device::start(model, 0).err(), Some(Error::Stuck));
    }
}
