//! The processor: where the page is, the counter, the CPU's number, the way into the kernel.

use core::arch::asm;
use time::Moment;
use time::vvar::{CPU_SELECTOR, CPU_SOURCE_RDPID, ClockPage, Counter};

/// The page before this object's ELF header.
#[inline(always)]
pub fn page() -> &'static ClockPage {
    let address: *const ClockPage;
    // SAFETY: the linker script places the symbol; its address is taken relative to the code, and nothing is touched.
    unsafe { asm!("lea {}, [rip + vvar_page]", out(reg) address, options(pure, nomem, nostack, preserves_flags)) };
    // SAFETY: the kernel maps the page, readable, as long as the code; it is whole, aligned, and all of it is atomic.
    unsafe { &*address }
}

/// The time-stamp counter.
#[derive(Clone, Copy)]
pub struct TimeStampCounter;

impl Counter for TimeStampCounter {
    #[inline(always)]
    fn cycles(self) -> u64 {
        let (low, high): (u64, u64);
        // SAFETY: the kernel lets user mode read the counter where the page says so. LFENCE waits for the loads before it
        // ("RDTSC", Intel SDM volume 2B); that memory may be touched is what keeps the compiler's loads where they are.
        unsafe { asm!("lfence", "rdtsc", out("rax") low, out("rdx") high, options(nostack, preserves_flags)) };
        low | high << 32
    }

    /// With the page's words as operands: the compiler loads what is atomic into registers first.
    #[inline(always)]
    fn moment<const BASE: usize>(self, page: &ClockPage) -> Moment {
        let (fraction, seconds): (u64, u64);
        // SAFETY: reads words of the page, which the kernel changes only in whole, and the counter, as above.
        unsafe {
            asm!(
                "lfence",
                "rdtsc",
                "shl rdx, 32",
                "or rax, rdx",
                // A counter that lags behind the base reads as the base.
                "sub rax, [{page} + {since}]",
                "cmovs rax, {zero}",
                "mul qword ptr [{page} + {rate}]",
                "add rax, [{page} + {base}]",
                "adc rdx, [{page} + {base} + 8]",
                page = in(reg) page,
                zero = in(reg) 0_u64,
                since = const ClockPage::BASE_CYCLES,
                rate = const ClockPage::RATE,
                base = const BASE,
                out("rax") fraction,
                out("rdx") seconds,
                options(nostack),
            );
        }
        Moment::from_words(fraction, seconds)
    }
}

/// The node and CPU of the caller, which may be on another by the time it looks.
#[inline(always)]
pub fn cpu_word(source: u32) -> u32 {
    let word: u64;
    if source == CPU_SOURCE_RDPID {
        // SAFETY: the kernel says so only where the processor has the instruction. It must not be merged with another.
        unsafe { asm!("rdpid {}", out(reg) word, options(nomem, nostack, preserves_flags)) };
    } else {
        // SAFETY: LSL reads a segment's limit, or leaves the register alone where there is no such segment.
        unsafe {
            asm!("lsl {0:e}, {1:e}", inout(reg) 0_u64 => word, in(reg) u32::from(CPU_SELECTOR), options(nomem, nostack));
        }
    }
    word as u32
}

/// The system call of this number.
#[inline(always)]
pub fn call(number: usize, first: usize, second: usize, third: usize) -> isize {
    let answer: isize;
    // SAFETY: the caller of the vDSO asked for this very call with these very arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer
}
