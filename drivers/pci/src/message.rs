//! MSI-X: interrupts as writes to memory (PCI 3.0, 6.8.2).
use crate::function::Function;
use alloc::sync::Arc;
use arch::Mmio;
use irq::Chip;

const IDENTIFIER: u8 = 0x11;
const CONTROL: u8 = 2;
const TABLE: u8 = 4;
const ENABLE: u16 = 1 << 15;
const MASK_ALL: u16 = 1 << 14;
const ENTRY: usize = 16;
const ENTRY_CONTROL: usize = 12;
const ENTRY_MASKED: u32 = 1;

/// A write that interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub address: u64,
    pub data: u32,
}

/// Who knows what messages mean: the local APICs.
pub trait Messages: Send + Sync {
    /// The message that interrupts CPU `cpu` with `vector`; `None` for a CPU that messages do not reach.
    fn compose(&self, vector: u8, cpu: usize) -> Option<Message>;
    /// Ends the interrupt in service.
    fn end_of_interrupt(&self);
}

/// A function's table of messages.
pub struct MessageTable {
    table: Mmio,
    entries: u32,
    messages: Arc<dyn Messages>,
}

impl MessageTable {
    /// Turns the function's MSI-X on with all entries masked. `window(bar, offset, length)` gives a part of one of its memory
    /// windows. `None` where it has no MSI-X, or a table outside of its windows.
    pub fn new(
        function: &Function<'_>,
        messages: Arc<dyn Messages>,
        window: impl FnOnce(u8, u64, usize) -> Option<Mmio>,
    ) -> Option<Self> {
        let capability = function.capability(IDENTIFIER)?;
        let control = function.read16(capability.offset.checked_add(CONTROL)?);
        let place = function.read32(capability.offset.checked_add(TABLE)?);
        let entries = u32::from(control & 0x7ff) + 1;
        let table = window((place & 7) as u8, u64::from(place & !7), entries as usize * ENTRY)?;
        if table.len() < entries as usize * ENTRY {
            return None;
        }
        let chip = Self { table, entries, messages };
        (0..entries).for_each(|entry| chip.mask(entry));
        function.write16(capability.offset + CONTROL, control & !MASK_ALL | ENABLE);
        Some(chip)
    }

    /// How many messages the function can send.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    fn at(&self, entry: u32) -> Option<usize> {
        (entry < self.entries).then_some(entry as usize * ENTRY)
    }

    fn set_mask(&self, entry: u32, masked: bool) {
        if let Some(at) = self.at(entry) {
            let control = self.table.read32(at + ENTRY_CONTROL);
            let control = if masked { control | ENTRY_MASKED } else { control & !ENTRY_MASKED };
            self.table.write32(at + ENTRY_CONTROL, control);
        }
    }
}

impl Chip for MessageTable {
    fn name(&self) -> &'static str {
        "PCI-MSIX"
    }

    fn flow(&self, _: u32) -> &'static str {
        "edge"
    }

    fn connect(&self, entry: u32, vector: u8, cpu: usize) -> bool {
        let (Some(at), Some(message)) = (self.at(entry), self.messages.compose(vector, cpu)) else { return false };
        // An entry is changed only while it is masked (6.8.3.5).
        let control = self.table.read32(at + ENTRY_CONTROL);
        self.table.write32(at + ENTRY_CONTROL, control | ENTRY_MASKED);
        self.table.write32(at, message.address as u32);
        self.table.write32(at + 4, (message.address >> 32) as u32);
        self.table.write32(at + 8, message.data);
        self.table.write32(at + ENTRY_CONTROL, control);
        true
    }

    fn mask(&self, entry: u32) {
        self.set_mask(entry, true);
    }

    fn unmask(&self, entry: u32) {
        self.set_mask(entry, false);
    }

    #[inline]
    fn acknowledge(&self, _: u32) {
        self.messages.end_of_interrupt();
    }
}
