//! What this CPU can do, read once by CPUID (Intel SDM vol. 2A).
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::sync::atomic::{AtomicU64, Ordering};

/// Features that the kernel asks for by name; each is one bit of [`Features`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Feature {
    FsGsBase,
    Smep,
    Smap,
    Umip,
    FiveLevelPaging,
    GigabytePages,
    Random,
    RandomSeed,
    Xsave,
    XsaveOptimised,
    Pcid,
    InvariantTsc,
    TscDeadline,
    X2Apic,
    NoExecute,
    FastRepMov,
    Hypervisor,
    ProtectionKeys,
    Rdtscp,
    Rdpid,
}

static DETECTED: AtomicU64 = AtomicU64::new(0);

/// Reads CPUID and remembers the answer. Called once by the first CPU.
pub fn detect() {
    let mut bits = 0u64;
    let mut set = |feature: Feature, present: bool| bits |= u64::from(present) << feature as u8;
    let highest = __cpuid(0).eax;
    let one = __cpuid(1);
    set(Feature::Pcid, one.ecx >> 17 & 1 != 0);
    set(Feature::X2Apic, one.ecx >> 21 & 1 != 0);
    set(Feature::TscDeadline, one.ecx >> 24 & 1 != 0);
    set(Feature::Xsave, one.ecx >> 26 & 1 != 0);
    set(Feature::Random, one.ecx >> 30 & 1 != 0);
    set(Feature::Hypervisor, one.ecx >> 31 & 1 != 0);
    if highest >= 7 {
        let seven = __cpuid_count(7, 0);
        set(Feature::FsGsBase, seven.ebx & 1 != 0);
        set(Feature::Smep, seven.ebx >> 7 & 1 != 0);
        set(Feature::FastRepMov, seven.ebx >> 9 & 1 != 0);
        set(Feature::RandomSeed, seven.ebx >> 18 & 1 != 0);
        set(Feature::Smap, seven.ebx >> 20 & 1 != 0);
        set(Feature::Umip, seven.ecx >> 2 & 1 != 0);
        set(Feature::ProtectionKeys, seven.ecx >> 3 & 1 != 0);
        set(Feature::FiveLevelPaging, seven.ecx >> 16 & 1 != 0);
        set(Feature::Rdpid, seven.ecx >> 22 & 1 != 0);
    }
    if highest >= 0xd {
        set(Feature::XsaveOptimised, __cpuid_count(0xd, 1).eax & 1 != 0);
    }
    let extended = __cpuid(0x8000_0000).eax;
    if extended >= 0x8000_0001 {
        let one = __cpuid(0x8000_0001);
        set(Feature::NoExecute, one.edx >> 20 & 1 != 0);
        set(Feature::GigabytePages, one.edx >> 26 & 1 != 0);
        set(Feature::Rdtscp, one.edx >> 27 & 1 != 0);
    }
    if extended >= 0x8000_0007 {
        set(Feature::InvariantTsc, __cpuid(0x8000_0007).edx >> 8 & 1 != 0);
    }
    DETECTED.store(bits, Ordering::Relaxed);
}

/// Whether the CPU has `feature`. False for all until [`detect`] has run.
#[inline(always)]
pub fn has(feature: Feature) -> bool {
    DETECTED.load(Ordering::Relaxed) >> feature as u8 & 1 != 0
}

/// EDX of leaf 1, which Linux hands to programs as AT_HWCAP.
pub fn hardware_capabilities() -> u32 {
    __cpuid(1).edx
}

/// The vendor's twelve characters.
pub fn vendor() -> [u8; 12] {
    let leaf = __cpuid(0);
    let mut name = [0; 12];
    for (chunk, register) in name.chunks_exact_mut(4).zip([leaf.ebx, leaf.edx, leaf.ecx]) {
        chunk.copy_from_slice(&register.to_le_bytes());
    }
    name
}

/// The brand string, 48 bytes with NULs at its end, or zeros where the CPU has none.
pub fn brand() -> [u8; 48] {
    let mut name = [0; 48];
    if __cpuid(0x8000_0000).eax >= 0x8000_0004 {
        for (index, chunk) in name.chunks_exact_mut(16).enumerate() {
            let leaf = __cpuid(0x8000_0002 + index as u32);
            for (part, register) in chunk.chunks_exact_mut(4).zip([leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]) {
                part.copy_from_slice(&register.to_le_bytes());
            }
        }
    }
    name
}

/// EAX, EBX, ECX and EDX of any leaf; zeros where the CPU has no such leaf.
pub fn leaf(number: u32, part: u32) -> [u32; 4] {
    if number > __cpuid(number & 0x8000_0000).eax {
        return [0; 4];
    }
    let leaf = __cpuid_count(number, part);
    [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]
}

/// Family, model and stepping, decoded as the SDM says.
pub fn signature() -> (u32, u32, u32) {
    let eax = __cpuid(1).eax;
    let (base_family, base_model) = (eax >> 8 & 0xf, eax >> 4 & 0xf);
    let family = if base_family == 0xf { base_family + (eax >> 20 & 0xff) } else { base_family };
    let model = if base_family == 0xf || base_family == 6 { (eax >> 16 & 0xf) << 4 | base_model } else { base_model };
    (family, model, eax & 0xf)
}

/// The local APIC's identifier of the CPU that runs this, as it was at reset (leaf 1).
pub fn initial_apic_id() -> u32 {
    __cpuid(1).ebx >> 24
}
