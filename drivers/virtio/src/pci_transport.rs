//! Registers behind PCI capabilities (virtio 1.2, 4.1).
use crate::transport::{InterruptCause, Transport};
use alloc::vec::Vec;
use arch::Mmio;
use core::sync::atomic::{AtomicUsize, Ordering};
use dma::Addresses;
use pci::Function;
use sync::{InterruptsOff, Rank, SpinLock};

const VENDOR: u16 = 0x1af4;
/// Device numbers of modern devices, less their type.
const MODERN: u16 = 0x1040;
/// Device numbers of transitional devices, and their types.
const TRANSITIONAL: core::ops::Range<u16> = 0x1000..0x1040;
const VENDOR_CAPABILITY: u8 = 0x09;

const PART_COMMON: u8 = 1;
const PART_NOTIFY: u8 = 2;
const PART_INTERRUPT: u8 = 3;
const PART_DEVICE: u8 = 4;

const FEATURES_SELECT: usize = 0x00;
const FEATURES: usize = 0x04;
const ACCEPTED_SELECT: usize = 0x08;
const ACCEPTED: usize = 0x0c;
const CONFIGURATION_VECTOR: usize = 0x10;
const QUEUES: usize = 0x12;
const STATUS: usize = 0x14;
const GENERATION: usize = 0x15;
const QUEUE_SELECT: usize = 0x16;
const QUEUE_SIZE: usize = 0x18;
const QUEUE_VECTOR: usize = 0x1a;
const QUEUE_ENABLE: usize = 0x1c;
const QUEUE_NOTIFY_OFFSET: usize = 0x1e;
const QUEUE_DESCRIPTORS: usize = 0x20;
const QUEUE_DRIVER: usize = 0x28;
const QUEUE_DEVICE: usize = 0x30;
const COMMON_LENGTH: usize = 0x38;

/// The entry of the MSI-X table that a device uses, for everything.
pub const MSIX_ENTRY: u32 = 0;
const NO_VECTOR: u16 = 0xffff;

/// A device behind PCI.
pub struct PciTransport {
    common: Mmio,
    notify: Mmio,
    interrupt: Option<Mmio>,
    device: Option<Mmio>,
    /// Where each queue is notified.
    bells: Vec<AtomicUsize>,
    multiplier: usize,
    by_message: bool,
    kind: u32,
    selection: SpinLock<(), InterruptsOff>,
}

/// The type of a virtio function, before anything of it is touched.
fn kind_of(function: &Function<'_>) -> Option<u32> {
    if function.vendor != VENDOR {
        return None;
    }
    match function.device {
        device if TRANSITIONAL.contains(&device) => Some(u32::from(function.subsystem().1)),
        device if (MODERN..MODERN + 0x40).contains(&device) => Some(u32::from(device - MODERN)),
        _ => None,
    }
}

impl PciTransport {
    /// Whether `function` is a virtio device, and its type.
    pub fn probe(function: &Function<'_>) -> Option<u32> {
        kind_of(function)
    }

    /// The device of an enabled function. `window(bar, offset, length)` gives a part of one of its memory windows.
    /// `by_message`: its MSI-X is on, and the entry [`MSIX_ENTRY`] will be connected. `None` where a part that it needs is
    /// missing: also for a legacy device without the modern parts.
    pub fn new(
        function: &Function<'_>,
        by_message: bool,
        mut window: impl FnMut(u8, u64, usize) -> Option<Mmio>,
    ) -> Option<Self> {
        let kind = kind_of(function)?;
        let mut part = |wanted: u8, least: usize| {
            let mut parts = function.capabilities().filter(|capability| {
                capability.identifier == VENDOR_CAPABILITY
                    && function.read8(capability.offset.saturating_add(3)) == wanted
            });
            let at = parts.next()?.offset;
            let (offset, length) = (function.read32(at.checked_add(8)?), function.read32(at.checked_add(12)?));
            let found = window(function.read8(at.checked_add(4)?), u64::from(offset), length as usize)?;
            (found.len() >= least).then_some((found, at))
        };
        let (common, _) = part(PART_COMMON, COMMON_LENGTH)?;
        let (notify, at) = part(PART_NOTIFY, 2)?;
        let multiplier = function.read32(at.checked_add(16)?) as usize;
        let interrupt = part(PART_INTERRUPT, 1).map(|part| part.0);
        let device = part(PART_DEVICE, 1).map(|part| part.0);
        let count = usize::from(common.read16(QUEUES));
        let mut bells = Vec::new();
        bells.try_reserve_exact(count).ok()?;
        bells.extend((0..count).map(|_| AtomicUsize::new(0)));
        let selection = SpinLock::new(Rank::DeviceQueue, ());
        Some(Self { common, notify, interrupt, device, bells, multiplier, by_message, kind, selection })
    }

    /// The device's type: see [`crate::kind`].
    pub fn kind(&self) -> u32 {
        self.kind
    }

    fn write64(&self, register: usize, value: u64) {
        self.common.write32(register, value as u32);
        self.common.write32(register + 4, (value >> 32) as u32);
    }

    /// Chooses a message for `register`; false where the device has no room for it.
    fn set_vector(&self, register: usize) -> bool {
        let vector = if self.by_message { MSIX_ENTRY as u16 } else { NO_VECTOR };
        self.common.write16(register, vector);
        !self.by_message || self.common.read16(register) == vector
    }
}

impl Transport for PciTransport {
    fn status(&self) -> u8 {
        self.common.read8(STATUS)
    }

    fn set_status(&self, status: u8) {
        self.common.write8(STATUS, status);
    }

    fn features(&self) -> u64 {
        let _selection = self.selection.lock();
        let half = |select| {
            self.common.write32(FEATURES_SELECT, select);
            u64::from(self.common.read32(FEATURES))
        };
        half(0) | half(1) << 32
    }

    fn accept_features(&self, features: u64) {
        let _selection = self.selection.lock();
        for half in 0..2 {
            self.common.write32(ACCEPTED_SELECT, half);
            self.common.write32(ACCEPTED, (features >> (32 * half)) as u32);
        }
        let _ = self.set_vector(CONFIGURATION_VECTOR);
    }

    fn queue_limit(&self, index: u16) -> u16 {
        if usize::from(index) >= self.bells.len() {
            return 0;
        }
        let _selection = self.selection.lock();
        self.common.write16(QUEUE_SELECT, index);
        self.common.read16(QUEUE_SIZE)
    }

    fn start_queue(&self, index: u16, at: &Addresses) -> bool {
        let Some(bell) = self.bells.get(usize::from(index)) else { return false };
        let _selection = self.selection.lock();
        self.common.write16(QUEUE_SELECT, index);
        let offset = usize::from(self.common.read16(QUEUE_NOTIFY_OFFSET)).saturating_mul(self.multiplier);
        let inside = offset.checked_add(2).is_some_and(|end| end <= self.notify.len()) && offset.is_multiple_of(2);
        if !inside || !self.set_vector(QUEUE_VECTOR) {
            return false;
        }
        bell.store(offset, Ordering::Relaxed);
        self.common.write16(QUEUE_SIZE, at.size);
        self.write64(QUEUE_DESCRIPTORS, at.descriptors.0);
        self.write64(QUEUE_DRIVER, at.driver.0);
        self.write64(QUEUE_DEVICE, at.device.0);
        self.common.write16(QUEUE_ENABLE, 1);
        true
    }

    #[inline]
    fn notify(&self, index: u16) {
        if let Some(bell) = self.bells.get(usize::from(index)) {
            self.notify.write16(bell.load(Ordering::Relaxed), index);
        }
    }

    fn read_configuration(&self, offset: usize, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            let at = offset + index;
            *byte = self.device.filter(|window| at < window.len()).map_or(0, |window| window.read8(at));
        }
    }

    fn generation(&self) -> u32 {
        u32::from(self.common.read8(GENERATION))
    }

    fn take_interrupt(&self) -> InterruptCause {
        if self.by_message {
            return InterruptCause { queues: true, configuration: true };
        }
        // Reading acknowledges.
        let causes = self.interrupt.map_or(0, |register| register.read8(0));
        InterruptCause { queues: causes & 1 != 0, configuration: causes & 2 != 0 }
    }
}
