//! Where things go in a fresh address space, as on Linux for x86-64 (arch/x86/mm/mmap.c, fs/binfmt_elf.c).
use crate::{Limits, STACK_GUARD};
use abi::PAGE_SIZE;
use memory::USER_END;

/// The gap for the stack below the top is never smaller than this.
const GAP_MINIMUM: usize = 128 << 20;
const GAP_MAXIMUM: usize = USER_END / 6 * 5;
/// How far the stack's top moves at most when it is chosen at random: 22 bits of pages.
const STACK_RANDOM_PAGES: usize = 0x3f_ffff;
/// Bits of pages by which mappings move (`vm.mmap_rnd_bits`).
const MAP_RANDOM_BITS: u32 = 28;
/// How far the break moves.
const BREAK_RANDOM: usize = 32 << 20;
/// Where mappings start in the old layout, which grows upwards.
pub(crate) const UNMAPPED_BASE: usize = (USER_END / 3).next_multiple_of(PAGE_SIZE);
/// Where position-independent programs go.
const PROGRAM_BASE: usize = USER_END / 3 * 2 / PAGE_SIZE * PAGE_SIZE;

const _: () = assert!(PROGRAM_BASE == 0x5555_5555_4000);

/// Where things go.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Mappings lie below this, top down; or above it, where `bottom_up`.
    pub map_base: usize,
    /// The old layout, for programs without a limit to their stack.
    pub bottom_up: bool,
    /// End of the stack.
    pub stack_top: usize,
    /// Where a position-independent program is loaded.
    pub program_base: usize,
    /// How far above the program's end the break starts.
    pub break_offset: usize,
}

impl Layout {
    /// The layout for a stack limit. `entropy` is random, or `None` for no randomisation (`norandmaps`, personality).
    pub fn new(limits: &Limits, entropy: Option<[u64; 4]>) -> Self {
        let [stack, map, program, program_break] = entropy.unwrap_or_default().map(|value| value as usize);
        let map_pages = |value: usize| (value & ((1 << MAP_RANDOM_BITS) - 1)).saturating_mul(PAGE_SIZE);
        let stack_random = if entropy.is_some() { STACK_RANDOM_PAGES.saturating_mul(PAGE_SIZE) } else { 0 };
        let stack_limit = usize::try_from(limits.stack).unwrap_or(usize::MAX);
        let gap = stack_limit
            .saturating_add(STACK_GUARD)
            .saturating_add(stack_random)
            .clamp(GAP_MINIMUM, GAP_MAXIMUM)
            .next_multiple_of(PAGE_SIZE);
        let bottom_up = limits.stack == u64::MAX;
        let map_base = if bottom_up {
            UNMAPPED_BASE.saturating_add(map_pages(map))
        } else {
            USER_END.saturating_sub(gap).saturating_sub(map_pages(map))
        };
        Self {
            map_base,
            bottom_up,
            stack_top: USER_END.saturating_sub((stack & STACK_RANDOM_PAGES).saturating_mul(PAGE_SIZE)),
            program_base: PROGRAM_BASE.saturating_add(map_pages(program)),
            break_offset: crate::page_of(program_break & (BREAK_RANDOM - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_linux_without_randomisation() {
        let layout = Layout::new(&Limits { stack: 8 << 20, ..Limits::NONE }, None);
        assert_eq!((layout.map_base, layout.stack_top), (0x7fff_f7ff_f000, 0x7fff_ffff_f000));
        assert_eq!(layout.program_base, 0x5555_5555_4000);
        assert!(Layout::new(&Limits::NONE, None).bottom_up);
    }

    #[test]
    fn any_entropy_keeps_the_order() {
        for word in [0, 1, u64::MAX, 0x5555_5555_5555_5555] {
            let layout = Layout::new(&Limits { stack: 8 << 20, ..Limits::NONE }, Some([word; 4]));
            assert!(layout.program_base < layout.map_base && layout.map_base < layout.stack_top - (8 << 20));
            assert!([layout.map_base, layout.stack_top, layout.program_base].iter().all(|at| at % PAGE_SIZE == 0));
        }
    }
}
