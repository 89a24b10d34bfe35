//! Which CPUs share what, told from their local APICs' identifiers.
//!
//! An identifier has a thread's number in its lowest bits, then its core's, then its package's. How many bits each takes is CPUID's
//! to say: leaf 0xb where there is one, else AMD's count of cores and Intel's of both (Intel SDM vol. 3, 9.9; AMD APM vol. 3,
//! appendix E).

/// How an identifier is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Bits of a thread within its core.
    pub thread: u32,
    /// Bits of a thread within its package.
    pub package: u32,
}

/// What CPUID answers: leaf and part, in the order EAX to EDX.
pub type Leaf<'a> = &'a dyn Fn(u32, u32) -> [u32; 4];

/// Bits for `count` things.
fn bits(count: u32) -> u32 {
    count.max(1).next_power_of_two().trailing_zeros()
}

impl Division {
    pub fn of(leaf: Leaf<'_>) -> Self {
        if let Some(division) = Self::extended(leaf) {
            return division;
        }
        // Without hyper-threading the number of logical CPUs means nothing.
        let logical = if leaf(1, 0)[3] >> 28 & 1 != 0 { leaf(1, 0)[1] >> 16 & 0xff } else { 1 };
        let amd = leaf(0x8000_0008, 0)[2];
        let package = match amd >> 12 & 0xf {
            0 => bits(logical),
            width => width,
        };
        let cores = if amd != 0 { (amd & 0xff) + 1 } else { (leaf(4, 0)[0] >> 26) + 1 };
        Self { thread: package.saturating_sub(bits(cores)), package }
    }

    /// Leaf 0xb: a part for threads, one for cores.
    fn extended(leaf: Leaf<'_>) -> Option<Self> {
        let (threads, cores) = (leaf(0xb, 0), leaf(0xb, 1));
        let is_level = |part: [u32; 4], kind| part[1] != 0 && part[2] >> 8 & 0xff == kind;
        if !is_level(threads, 1) {
            return None;
        }
        let thread = threads[0] & 0x1f;
        Some(Self { thread, package: if is_level(cores, 2) { cores[0] & 0x1f } else { thread } })
    }

    /// The package's number.
    pub fn package_of(self, identifier: u32) -> u32 {
        identifier.checked_shr(self.package).unwrap_or(0)
    }

    /// The core's number within its package.
    pub fn core_of(self, identifier: u32) -> u32 {
        let within = identifier & 1_u32.checked_shl(self.package).map_or(u32::MAX, |bit| bit - 1);
        within.checked_shr(self.thread).unwrap_or(0)
    }

    /// Whether two are threads of one core.
    pub fn share_core(self, first: u32, second: u32) -> bool {
        first.checked_shr(self.thread) == second.checked_shr(self.thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intel_with_threads() {
        // Two threads a core, eight threads a package.
        let leaf = |number, part| match (number, part) {
            (0xb, 0) => [1, 2, 0x100, 0],
            (0xb, 1) => [3, 8, 0x201, 0],
            _ => [0; 4],
        };
        let division = Division::of(&leaf);
        assert_eq!(division, Division { thread: 1, package: 3 });
        assert_eq!((division.package_of(0xd), division.core_of(0xd)), (1, 2));
        assert!(division.share_core(0xc, 0xd) && !division.share_core(0xd, 0xe));
    }

    #[test]
    fn amd_without_leaf_b() {
        // As QEMU tells of two cores: a count of two logical CPUs, one core more than 0.
        let leaf = |number, _| match number {
            1 => [0, 2 << 16, 0, 1 << 28],
            0x8000_0008 => [0, 0, 1, 0],
            _ => [0; 4],
        };
        assert_eq!(Division::of(&leaf), Division { thread: 0, package: 1 });
    }

    #[test]
    fn a_single_cpu() {
        let division = Division::of(&|_, _| [0; 4]);
        assert_eq!(division, Division { thread: 0, package: 0 });
        assert_eq!((division.package_of(3), division.core_of(3)), (3, 0));
    }
}
