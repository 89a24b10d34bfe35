//! The auxiliary vector (`getauxval(3)`).
use abi::raw::auxvec as at;

/// What the kernel tells a program about itself and the machine.
#[derive(Clone, Debug, Default)]
pub struct AuxiliaryValues {
    /// AT_PHDR, AT_PHNUM, AT_ENTRY: of the program, not of its interpreter.
    pub program_headers: u64,
    pub program_header_count: u16,
    pub entry: u64,
    /// AT_BASE: the interpreter's bias, 0 without one.
    pub interpreter_base: u64,
    pub user: u32,
    pub effective_user: u32,
    pub group: u32,
    pub effective_group: u32,
    /// AT_SECURE: the program gained rights by exec.
    pub secure: bool,
    /// AT_HWCAP: EDX of CPUID leaf 1.
    pub hardware: u64,
    /// AT_HWCAP2: bit 1 when `rdfsbase` and the like work in user mode.
    pub hardware2: u64,
    /// AT_MINSIGSTKSZ: bytes of the largest signal frame.
    pub minimum_signal_stack: u64,
    /// AT_SYSINFO_EHDR: the vDSO.
    pub vdso: Option<u64>,
    /// AT_RSEQ_FEATURE_SIZE and AT_RSEQ_ALIGN, only where `rseq(2)` works.
    pub rseq: Option<(u32, u32)>,
}

/// Addresses that come out of the stack's own layout.
pub(crate) struct Strings {
    pub random: u64,
    pub file_name: u64,
    pub platform: u64,
}

/// Pairs of type and value, AT_NULL last.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    words: [u64; 2 * Self::MAX],
    used: usize,
}

impl Vector {
    /// Pairs at most, the final one included.
    pub const MAX: usize = 24;

    /// In Linux's order.
    pub fn new(values: &AuxiliaryValues, strings: &Strings) -> Self {
        let mut vector = Self { words: [0; 2 * Self::MAX], used: 0 };
        if let Some(vdso) = values.vdso {
            vector.push(at::AT_SYSINFO_EHDR, vdso);
        }
        vector.push(at::AT_MINSIGSTKSZ, values.minimum_signal_stack);
        vector.push(at::AT_HWCAP, values.hardware);
        vector.push(at::AT_PAGESZ, crate::PAGE);
        vector.push(at::AT_CLKTCK, 100);
        vector.push(at::AT_PHDR, values.program_headers);
        vector.push(at::AT_PHENT, size_of::<abi::elf::ProgramHeader>() as u64);
        vector.push(at::AT_PHNUM, values.program_header_count.into());
        vector.push(at::AT_BASE, values.interpreter_base);
        vector.push(at::AT_FLAGS, 0);
        vector.push(at::AT_ENTRY, values.entry);
        vector.push(at::AT_UID, values.user.into());
        vector.push(at::AT_EUID, values.effective_user.into());
        vector.push(at::AT_GID, values.group.into());
        vector.push(at::AT_EGID, values.effective_group.into());
        vector.push(at::AT_SECURE, values.secure.into());
        vector.push(at::AT_RANDOM, strings.random);
        vector.push(at::AT_HWCAP2, values.hardware2);
        vector.push(at::AT_EXECFN, strings.file_name);
        vector.push(at::AT_PLATFORM, strings.platform);
        if let Some((size, alignment)) = values.rseq {
            vector.push(at::AT_RSEQ_FEATURE_SIZE, size.into());
            vector.push(at::AT_RSEQ_ALIGN, alignment.into());
        }
        vector.push(at::AT_NULL, 0);
        vector
    }

    fn push(&mut self, kind: u32, value: u64) {
        if let Some(pair) = self.words.get_mut(self.used..self.used + 2) {
            pair.copy_from_slice(&[kind.into(), value]);
            self.used += 2;
        }
    }

    pub fn words(&self) -> &[u64] {
        self.words.get(..self.used).unwrap_or(&[])
    }
}
