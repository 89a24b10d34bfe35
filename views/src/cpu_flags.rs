//! The names of CPU features (arch/x86/include/asm/cpufeatures.h), by the word of CPUID in which each is a bit.
//!
//! The order of the words is that of Linux's `flags` line. Words of which nothing is known here (Linux's own inventions, and what
//! it clears for want of support) are left out.

/// A word of CPUID: leaf, part, and which of EAX to EDX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub leaf: u32,
    pub part: u32,
    pub register: usize,
    /// The first bit and its name, then one name for each further bit; an empty one for bits without.
    names: &'static str,
}

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const D: usize = 3;

const fn word(leaf: u32, part: u32, register: usize, names: &'static str) -> Word {
    Word { leaf, part, register, names }
}

/// A dash stands for a bit without a name, `n*` for `n` of them.
pub const WORDS: [Word; 11] = [
    word(
        1,
        0,
        D,
        "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht \
         tm ia64 pbe",
    ),
    word(0x8000_0001, 0, D, "11* syscall 7* mp nx - mmxext 2* fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow"),
    word(
        1,
        0,
        C,
        "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic \
         movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor",
    ),
    word(
        0x8000_0001,
        0,
        C,
        "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - \
         nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx",
    ),
    word(
        7,
        0,
        B,
        "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap \
         avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl",
    ),
    word(0xd, 1, A, "xsaveopt xsavec xgetbv1 xsaves"),
    word(0x8000_0008, 0, B, "clzero irperf xsaveerptr - rdpru 4* wbnoinvd"),
    word(6, 0, A, "dtherm ida arat - pln - pts hwp hwp_notify hwp_act_window hwp_epp hwp_pkg_req"),
    word(
        0x8000_000a,
        0,
        D,
        "npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid decodeassists 2* pausefilter - pfthreshold avic - \
         v_vmsave_vmload vgif",
    ),
    word(
        7,
        0,
        C,
        "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme \
         avx512_vpopcntdq - la57 5* rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd",
    ),
    word(
        7,
        0,
        D,
        "2* avx512_4vnniw avx512_4fmaps fsrm 3* avx512_vp2intersect - md_clear 3* serialize - tsxldtrk - pconfig arch_lbr ibt - \
         amx_bf16 avx512_fp16 amx_tile amx_int8 2* flush_l1d arch_capabilities",
    ),
];

impl Word {
    /// The names of the bits that are set in `value`, each handed to `show`.
    pub fn names_of(&self, value: u32, mut show: impl FnMut(&'static str)) {
        let mut bit = 0;
        for name in self.names.split_ascii_whitespace() {
            if let Some(count) = name.strip_suffix('*') {
                bit += count.parse::<u32>().unwrap_or(1);
                continue;
            }
            if name != "-" && value >> bit & 1 != 0 {
                show(name);
            }
            bit += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit_of(word: &Word, name: &str) -> Vec<u32> {
        (0..32)
            .filter(|bit| {
                let mut found = false;
                word.names_of(1 << bit, |shown| found |= shown == name);
                found
            })
            .collect()
    }

    #[test]
    fn names_stand_at_their_bits() {
        // From the manuals: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E.
        let known = [
            (0, "fpu", 0),
            (0, "clflush", 19),
            (0, "sse2", 26),
            (0, "pbe", 31),
            (1, "syscall", 11),
            (1, "nx", 20),
            (1, "pdpe1gb", 26),
            (1, "lm", 29),
            (1, "3dnow", 31),
            (2, "x2apic", 21),
            (2, "tsc_deadline_timer", 24),
            (2, "avx", 28),
            (2, "hypervisor", 31),
            (3, "topoext", 22),
            (3, "mwaitx", 29),
            (4, "smap", 20),
            (4, "clflushopt", 23),
            (4, "avx512vl", 31),
            (6, "wbnoinvd", 9),
            (8, "vgif", 16),
            (9, "umip", 2),
            (9, "la57", 16),
            (9, "rdpid", 22),
            (9, "enqcmd", 29),
            (10, "fsrm", 4),
            (10, "serialize", 14),
            (10, "arch_capabilities", 29),
        ];
        for (word, name, bit) in known {
            assert_eq!(bit_of(&WORDS[word], name), [bit], "{name}");
        }
    }
}
