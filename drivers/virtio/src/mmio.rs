//! Registers in memory (virtio 1.2, 4.2), and the older layout of the same (4.2.4).
use crate::transport::{InterruptCause, Transport};
use arch::Mmio;
use dma::Addresses;
use sync::{InterruptsOff, Rank, SpinLock};

const MAGIC: usize = 0x000;
const VERSION: usize = 0x004;
const KIND: usize = 0x008;
const FEATURES: usize = 0x010;
const FEATURES_SELECT: usize = 0x014;
const ACCEPTED: usize = 0x020;
const ACCEPTED_SELECT: usize = 0x024;
const LEGACY_PAGE_SIZE: usize = 0x028;
const QUEUE_SELECT: usize = 0x030;
const QUEUE_LIMIT: usize = 0x034;
const QUEUE_SIZE: usize = 0x038;
const LEGACY_QUEUE_ALIGN: usize = 0x03c;
const LEGACY_QUEUE_PAGE: usize = 0x040;
const QUEUE_READY: usize = 0x044;
const QUEUE_NOTIFY: usize = 0x050;
const INTERRUPT_STATUS: usize = 0x060;
const INTERRUPT_ACKNOWLEDGE: usize = 0x064;
const STATUS: usize = 0x070;
const QUEUE_DESCRIPTORS: usize = 0x080;
const QUEUE_DRIVER: usize = 0x090;
const QUEUE_DEVICE: usize = 0x0a0;
const GENERATION: usize = 0x0fc;
const CONFIGURATION: usize = 0x100;

/// "virt".
const MAGIC_VALUE: u32 = 0x7472_6976;
const LEGACY: u32 = 1;
const MODERN: u32 = 2;
const PAGE: u64 = 4096;

/// A device behind a window of registers.
pub struct MmioTransport {
    registers: Mmio,
    legacy: bool,
    kind: u32,
    /// Held while a queue, or a half of the features, is selected.
    selection: SpinLock<(), InterruptsOff>,
}

impl MmioTransport {
    /// The device of a window; `None` where there is none, or one of an unknown version.
    pub fn new(registers: Mmio) -> Option<Self> {
        if registers.len() < CONFIGURATION || registers.read32(MAGIC) != MAGIC_VALUE {
            return None;
        }
        let (version, kind) = (registers.read32(VERSION), registers.read32(KIND));
        let legacy = version == LEGACY;
        if kind == 0 || !(legacy || version == MODERN) {
            return None;
        }
        if legacy {
            registers.write32(LEGACY_PAGE_SIZE, PAGE as u32);
        }
        Some(Self { registers, legacy, kind, selection: SpinLock::new(Rank::DeviceQueue, ()) })
    }

    /// The device's type: see [`crate::kind`].
    pub fn kind(&self) -> u32 {
        self.kind
    }

    fn write64(&self, register: usize, value: u64) {
        self.registers.write32(register, value as u32);
        self.registers.write32(register + 4, (value >> 32) as u32);
    }
}

impl Transport for MmioTransport {
    fn status(&self) -> u8 {
        self.registers.read32(STATUS) as u8
    }

    fn set_status(&self, status: u8) {
        self.registers.write32(STATUS, u32::from(status));
        if self.legacy && status == 0 {
            self.registers.write32(LEGACY_PAGE_SIZE, PAGE as u32);
        }
    }

    fn features(&self) -> u64 {
        let _selection = self.selection.lock();
        let half = |select| {
            self.registers.write32(FEATURES_SELECT, select);
            u64::from(self.registers.read32(FEATURES))
        };
        if self.legacy { half(0) } else { half(0) | half(1) << 32 }
    }

    fn accept_features(&self, features: u64) {
        let _selection = self.selection.lock();
        for half in 0..if self.legacy { 1 } else { 2 } {
            self.registers.write32(ACCEPTED_SELECT, half);
            self.registers.write32(ACCEPTED, (features >> (32 * half)) as u32);
        }
    }

    fn queue_limit(&self, index: u16) -> u16 {
        let _selection = self.selection.lock();
        self.registers.write32(QUEUE_SELECT, u32::from(index));
        u16::try_from(self.registers.read32(QUEUE_LIMIT)).unwrap_or(1 << 15)
    }

    fn start_queue(&self, index: u16, at: &Addresses) -> bool {
        let _selection = self.selection.lock();
        self.registers.write32(QUEUE_SELECT, u32::from(index));
        self.registers.write32(QUEUE_SIZE, u32::from(at.size));
        if self.legacy {
            // One page number; the device computes the rest from the alignment, which `dma` lays rings out for.
            let Ok(page) = u32::try_from(at.descriptors.0 / PAGE) else { return false };
            self.registers.write32(LEGACY_QUEUE_ALIGN, 512);
            self.registers.write32(LEGACY_QUEUE_PAGE, page);
            return self.registers.read32(LEGACY_QUEUE_PAGE) == page;
        }
        self.write64(QUEUE_DESCRIPTORS, at.descriptors.0);
        self.write64(QUEUE_DRIVER, at.driver.0);
        self.write64(QUEUE_DEVICE, at.device.0);
        self.registers.write32(QUEUE_READY, 1);
        self.registers.read32(QUEUE_READY) & 1 != 0
    }

    #[inline]
    fn notify(&self, index: u16) {
        self.registers.write32(QUEUE_NOTIFY, u32::from(index));
    }

    fn read_configuration(&self, offset: usize, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            let at = CONFIGURATION + offset + index;
            *byte = if at < self.registers.len() { self.registers.read8(at) } else { 0 };
        }
    }

    fn generation(&self) -> u32 {
        if self.legacy { 0 } else { self.registers.read32(GENERATION) }
    }

    fn take_interrupt(&self) -> InterruptCause {
        let causes = self.registers.read32(INTERRUPT_STATUS);
        if causes != 0 {
            self.registers.write32(INTERRUPT_ACKNOWLEDGE, causes);
        }
        InterruptCause { queues: causes & 1 != 0, configuration: causes & 2 != 0 }
    }
}
