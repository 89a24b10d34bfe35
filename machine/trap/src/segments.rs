//! Segments: flat, with Linux's selectors, since programs and debuggers see them.

pub const KERNEL_CODE: u16 = 0x10;
pub const KERNEL_DATA: u16 = 0x18;
pub const USER_CODE_32: u16 = 0x20 | 3;
pub const USER_DATA: u16 = 0x28 | 3;
pub const USER_CODE: u16 = 0x30 | 3;
pub const TASK_STATE: u16 = 0x40;
/// Entry of the descriptor whose limit tells programs their CPU (`lsl`), where Linux has it.
pub const CPU_NUMBER: usize = 15;
/// Entries of the table: the task-state descriptor takes two.
pub const ENTRIES: usize = 16;

/// The table but for the task-state descriptor at 0x40 and the CPU's number.
pub const TABLE: [u64; ENTRIES] = [
    0,
    0,
    0x00af_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    0x00cf_fb00_0000_ffff,
    0x00cf_f300_0000_ffff,
    0x00af_fb00_0000_ffff,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
];

/// A segment for user mode of which only the limit means something: `word`, of which 20 bits fit.
pub const fn limit_descriptor(word: u32) -> u64 {
    const READ_ONLY_DATA_FOR_USER: u64 = 0x0040_f500_0000_0000;
    READ_ONLY_DATA_FOR_USER | word as u64 & 0xffff | (word as u64 >> 16 & 0xf) << 48
}

/// The task-state segment (Intel SDM vol. 3, 8.7): stacks, and no I/O permission.
#[repr(C, packed(4))]
pub struct TaskState {
    _reserved: u32,
    pub privilege_stacks: [u64; 3],
    _reserved_2: u64,
    pub interrupt_stacks: [u64; 7],
    _reserved_3: [u16; 5],
    pub io_map_base: u16,
}

impl TaskState {
    pub const fn new() -> Self {
        Self {
            _reserved: 0,
            privilege_stacks: [0; 3],
            _reserved_2: 0,
            interrupt_stacks: [0; 7],
            _reserved_3: [0; 5],
            io_map_base: size_of::<Self>() as u16,
        }
    }
}

impl Default for TaskState {
    fn default() -> Self {
        Self::new()
    }
}

/// The two words of a 64-bit task-state descriptor.
pub fn task_state_descriptor(address: u64) -> [u64; 2] {
    let limit = (size_of::<TaskState>() - 1) as u64;
    let low = limit | (address & 0xff_ffff) << 16 | 0x89 << 40 | (address >> 24 & 0xff) << 56;
    [low, address >> 32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_processors() {
        assert_eq!(size_of::<TaskState>(), 104);
        let [low, high] = task_state_descriptor(0x1234_5678_9abc_def0);
        assert_eq!(high, 0x1234_5678);
        assert_eq!(low, 0x9a00_89bc_def0_0067);
        assert_eq!(limit_descriptor(0x5_1234), 0x0045_f500_0000_1234);
    }
}
