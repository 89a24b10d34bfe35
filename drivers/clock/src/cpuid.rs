//! What CPUID says about the TSC.
use core::arch::x86_64::__cpuid;

const TSC_LEAF: u32 = 0x15;
const HYPERVISOR_LEAF: u32 = 0x4000_0000;
const HYPERVISOR_TIMING_LEAF: u32 = 0x4000_0010;
const HYPERVISOR_PRESENT: u32 = 1 << 31;

/// The TSC's frequency in Hz, where the processor (Intel SDM vol. 2A, leaf 15H) or the hypervisor (leaf 40000010H, in kHz)
/// tells it.
pub fn tsc_frequency_from_cpuid() -> Option<u64> {
    if __cpuid(1).ecx & HYPERVISOR_PRESENT != 0 {
        let highest = __cpuid(HYPERVISOR_LEAF).eax;
        // Beyond a plausible range it is some other leaf's answer.
        if (HYPERVISOR_TIMING_LEAF..HYPERVISOR_LEAF + 0x100).contains(&highest) {
            let kilohertz = u64::from(__cpuid(HYPERVISOR_TIMING_LEAF).eax);
            return (kilohertz != 0).then_some(kilohertz * 1000);
        }
    }
    if __cpuid(0).eax < TSC_LEAF {
        return None;
    }
    let leaf = __cpuid(TSC_LEAF);
    let (denominator, numerator, crystal) = (u64::from(leaf.eax), u64::from(leaf.ebx), u64::from(leaf.ecx));
    let frequency = (crystal * numerator).checked_div(denominator)?;
    (frequency != 0).then_some(frequency)
}
