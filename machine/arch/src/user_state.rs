//! What the CPU holds for a user program besides general registers: vector state and the FS and GS bases.
//!
//! The kernel itself is soft-float, so this state stays in the CPU through system calls and interrupts and moves only
//! when another thread takes the CPU, for signals, and for fork. Vector state goes through XSAVE in its standard
//! format; its size comes from CPUID leaf 0xD (Intel SDM vol. 1, ch. 13).
use crate::features::{self, Feature};
use crate::instructions::{read_msr, write_msr};
use crate::registers::{MSR_FS_BASE, MSR_KERNEL_GS_BASE};
use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Size of the legacy area that FXSAVE writes.
pub const LEGACY_SIZE: usize = 512;
/// Offset of the XSAVE header in the area: `XSTATE_BV`, `XCOMP_BV`, reserved.
pub const HEADER_OFFSET: usize = 512;
/// Offset of MXCSR in the legacy area.
const MXCSR_OFFSET: usize = 24;
const HEADER_SIZE: usize = 64;
/// Initial values (Intel SDM vol. 1, table 10-… "processor state following FNINIT" and MXCSR after reset).
const INITIAL_FCW: u16 = 0x037f;
const INITIAL_MXCSR: u32 = 0x1f80;
/// State that the kernel switches: x87, SSE, AVX, AVX-512 (three parts), protection keys.
const WANTED: u64 = 0b10_1110_0111;

static MASK: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU32 = AtomicU32::new(LEGACY_SIZE as u32);

/// Which state components are switched (XCR0), or 0 where the CPU has FXSAVE only.
pub fn component_mask() -> u64 {
    MASK.load(Ordering::Relaxed)
}

/// Bytes of one thread's vector state.
pub fn area_size() -> usize {
    SIZE.load(Ordering::Relaxed) as usize
}

/// Turns the vector units on, on this CPU. CR4.OSXSAVE is set already where the CPU has XSAVE.
///
/// # Safety
/// Once per CPU, before any user code.
pub unsafe fn initialise() {
    if features::has(Feature::Xsave) {
        let leaf = __cpuid_count(0xd, 0);
        let mut mask = (u64::from(leaf.edx) << 32 | u64::from(leaf.eax)) & WANTED;
        if mask & 0b1110_0000 != 0b1110_0000 {
            mask &= !0b1110_0000;
        }
        // SAFETY: the mask is within what CPUID offers, and its AVX-512 parts are all or none.
        unsafe { crate::instructions::write_xcr0(mask) };
        MASK.store(mask, Ordering::Relaxed);
        SIZE.store(__cpuid_count(0xd, 0).ebx, Ordering::Relaxed);
    }
}

/// The start of an image that XRSTOR and FXRSTOR take as initial: no component is present, so that nothing beyond this is read.
#[repr(C, align(64))]
struct Initial([u8; HEADER_OFFSET + HEADER_SIZE]);

static INITIAL: Initial = {
    let mut image = [0; HEADER_OFFSET + HEADER_SIZE];
    let (control, vectors) = (INITIAL_FCW.to_le_bytes(), INITIAL_MXCSR.to_le_bytes());
    (image[0], image[1]) = (control[0], control[1]);
    let mut index = 0;
    while index < vectors.len() {
        image[MXCSR_OFFSET + index] = vectors[index];
        index += 1;
    }
    Initial(image)
};

/// Gives the thread that runs the initial state of some components; of all where the CPU has FXSAVE only. The bases stay.
pub fn load_initial(components: u64) {
    let image = INITIAL.0.as_ptr();
    // SAFETY: an image that the CPU accepts, for components that it has; the kernel itself uses no vector register.
    unsafe {
        if features::has(Feature::Xsave) {
            let components = components & component_mask();
            let (low, high) = (components as u32, (components >> 32) as u32);
            asm!("xrstor64 [{}]", in(reg) image, in("eax") low, in("edx") high, options(nostack, preserves_flags));
        } else {
            asm!("fxrstor64 [{}]", in(reg) image, options(nostack, preserves_flags));
        }
    }
}

/// One thread's user state.
pub struct UserState {
    area: NonNull<u8>,
    layout: Layout,
    pub fs_base: u64,
    pub gs_base: u64,
}

// SAFETY: owns its area.
unsafe impl Send for UserState {}
// SAFETY: changed only through `&mut`.
unsafe impl Sync for UserState {}

impl UserState {
    /// The state that a program starts with, or `None` without memory.
    pub fn new() -> Option<Self> {
        let layout = Layout::from_size_align(area_size(), 64).ok()?;
        // SAFETY: the size is at least 512.
        let area = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let mut state = Self { area, layout, fs_base: 0, gs_base: 0 };
        state.reset();
        Some(state)
    }

    /// Back to what a program starts with.
    pub fn reset(&mut self) {
        let bytes = self.bytes_mut();
        bytes.fill(0);
        bytes[..2].copy_from_slice(&INITIAL_FCW.to_le_bytes());
        bytes[MXCSR_OFFSET..][..4].copy_from_slice(&INITIAL_MXCSR.to_le_bytes());
        self.fs_base = 0;
        self.gs_base = 0;
    }

    /// A copy, for fork. `None` without memory.
    pub fn duplicate(&self) -> Option<Self> {
        let mut copy = Self::new()?;
        copy.bytes_mut().copy_from_slice(self.bytes());
        (copy.fs_base, copy.gs_base) = (self.fs_base, self.gs_base);
        Some(copy)
    }

    /// The vector state as it lies in memory; current only after [`UserState::save`].
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the area is ours, initialised, and as long as its layout.
        unsafe { core::slice::from_raw_parts(self.area.as_ptr(), self.layout.size()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, and exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.area.as_ptr(), self.layout.size()) }
    }

    /// Takes the state out of the CPU.
    ///
    /// # Safety
    /// The CPU holds this thread's state, and preemption is off.
    pub unsafe fn save(&mut self) {
        // SAFETY: the area has the size that CPUID gave and is aligned to 64 bytes.
        unsafe {
            let area = self.area.as_ptr();
            let (low, high) = (component_mask() as u32, (component_mask() >> 32) as u32);
            if features::has(Feature::XsaveOptimised) {
                asm!("xsaveopt64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack, preserves_flags));
            } else if features::has(Feature::Xsave) {
                asm!("xsave64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack, preserves_flags));
            } else {
                asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags));
            }
        }
        self.save_bases();
    }

    fn save_bases(&mut self) {
        // SAFETY: reads bases; between the two swaps interrupts are off, so nothing sees the user's GS.
        unsafe {
            if features::has(Feature::FsGsBase) {
                crate::cpu::interrupts_off();
                asm!("rdfsbase {}", "swapgs", "rdgsbase {}", "swapgs", out(reg) self.fs_base, out(reg) self.gs_base, options(nostack, preserves_flags));
                crate::cpu::interrupts_restore();
            } else {
                self.fs_base = read_msr(MSR_FS_BASE);
                self.gs_base = read_msr(MSR_KERNEL_GS_BASE);
            }
        }
    }

    /// Puts the state into the CPU.
    ///
    /// # Safety
    /// The running thread owns this state, and preemption is off. The bases are canonical.
    pub unsafe fn load(&self) {
        // SAFETY: the area was written by `save` or `reset`, neither of which leaves what XRSTOR refuses.
        unsafe {
            let area = self.area.as_ptr();
            if features::has(Feature::Xsave) {
                let (low, high) = (component_mask() as u32, (component_mask() >> 32) as u32);
                asm!("xrstor64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack, preserves_flags));
            } else {
                asm!("fxrstor64 [{}]", in(reg) area, options(nostack, preserves_flags));
            }
        }
        self.load_bases();
    }

    fn load_bases(&self) {
        // SAFETY: as `save_bases`.
        unsafe {
            if features::has(Feature::FsGsBase) {
                crate::cpu::interrupts_off();
                asm!("wrfsbase {}", "swapgs", "wrgsbase {}", "swapgs", in(reg) self.fs_base, in(reg) self.gs_base, options(nostack, preserves_flags));
                crate::cpu::interrupts_restore();
            } else {
                write_msr(MSR_FS_BASE, self.fs_base);
                write_msr(MSR_KERNEL_GS_BASE, self.gs_base);
            }
        }
    }
}

impl Drop for UserState {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, dropped once.
        unsafe { dealloc(self.area.as_ptr(), self.layout) };
    }
}
