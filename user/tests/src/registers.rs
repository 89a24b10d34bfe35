//! User registers survive interrupts, switches, signals and system calls.
use crate::child::{handle, sleep};
use std::arch::asm;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

crate::tests!(
    general_registers_under_preemption,
    vector_registers_under_preemption,
    wide_vector_registers_under_preemption,
    control_words_under_preemption,
    general_registers_over_a_system_call,
    vector_registers_over_a_signal,
    flags_over_a_signal,
    direction_flag_is_clear_in_a_handler,
    thread_pointers_under_preemption,
    gs_base_survives,
    vector_registers_over_fork,
    selectors_are_linuxs,
);

/// Runs `check` with a number of its own in each of five threads for a while.
fn in_threads(check: impl Fn(u64) + Sync) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for seed in 1..6u64 {
            let check = &check;
            scope.spawn(move || {
                let mut number = seed << 56 | 0x0123_4567_89ab_cdef;
                while start.elapsed() < Duration::from_millis(400) {
                    check(number);
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                }
            });
        }
    });
}

/// Long enough to be interrupted now and then.
const SPINS: u64 = 20_000;

fn general_registers_under_preemption() {
    in_threads(|number| {
        let wrong: u64;
        unsafe {
            asm!(
                "push rbx", "push rbp",
                "mov rax, r15", "lea rbx, [rax + 1]", "lea rdx, [rax + 2]", "lea rsi, [rax + 3]", "lea rdi, [rax + 4]",
                "lea rbp, [rax + 5]", "lea r8, [rax + 6]", "lea r9, [rax + 7]", "lea r10, [rax + 8]", "lea r11, [rax + 9]",
                "lea r12, [rax + 10]", "lea r13, [rax + 11]", "lea r14, [rax + 12]",
                "2:", "dec rcx", "jnz 2b",
                "sub rbx, rax", "sub rdx, rax", "sub rsi, rax", "sub rdi, rax", "sub rbp, rax", "sub r8, rax", "sub r9, rax",
                "sub r10, rax", "sub r11, rax", "sub r12, rax", "sub r13, rax", "sub r14, rax", "sub rax, r15",
                "xor rbx, 1", "xor rdx, 2", "xor rsi, 3", "xor rdi, 4", "xor rbp, 5", "xor r8, 6", "xor r9, 7", "xor r10, 8",
                "xor r11, 9", "xor r12, 10", "xor r13, 11", "xor r14, 12",
                "or rax, rbx", "or rax, rdx", "or rax, rsi", "or rax, rdi", "or rax, rbp", "or rax, r8", "or rax, r9",
                "or rax, r10", "or rax, r11", "or rax, r12", "or rax, r13", "or rax, r14",
                "pop rbp", "pop rbx",
                in("r15") number,
                inout("rcx") SPINS => _,
                out("rax") wrong,
                out("rdx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                out("r12") _, out("r13") _, out("r14") _,
            );
        }
        assert_eq!(wrong, 0);
    });
}

macro_rules! fill_and_compare {
    ($bytes:literal, $prefix:literal, $move:literal, $spin:expr, $numbers:expr) => {{
        let (before, mut after) = ($numbers, [[0u8; $bytes]; 16]);
        unsafe {
            asm!(
                concat!($move, " ", $prefix, "0, [{0}]"), concat!($move, " ", $prefix, "1, [{0} + ", $bytes, "]"),
                concat!($move, " ", $prefix, "2, [{0} + 2*", $bytes, "]"), concat!($move, " ", $prefix, "3, [{0} + 3*", $bytes, "]"),
                concat!($move, " ", $prefix, "4, [{0} + 4*", $bytes, "]"), concat!($move, " ", $prefix, "5, [{0} + 5*", $bytes, "]"),
                concat!($move, " ", $prefix, "6, [{0} + 6*", $bytes, "]"), concat!($move, " ", $prefix, "7, [{0} + 7*", $bytes, "]"),
                concat!($move, " ", $prefix, "8, [{0} + 8*", $bytes, "]"), concat!($move, " ", $prefix, "9, [{0} + 9*", $bytes, "]"),
                concat!($move, " ", $prefix, "10, [{0} + 10*", $bytes, "]"), concat!($move, " ", $prefix, "11, [{0} + 11*", $bytes, "]"),
                concat!($move, " ", $prefix, "12, [{0} + 12*", $bytes, "]"), concat!($move, " ", $prefix, "13, [{0} + 13*", $bytes, "]"),
                concat!($move, " ", $prefix, "14, [{0} + 14*", $bytes, "]"), concat!($move, " ", $prefix, "15, [{0} + 15*", $bytes, "]"),
                "2:", "dec {2}", "jnz 2b",
                concat!($move, " [{1}], ", $prefix, "0"), concat!($move, " [{1} + ", $bytes, "], ", $prefix, "1"),
                concat!($move, " [{1} + 2*", $bytes, "], ", $prefix, "2"), concat!($move, " [{1} + 3*", $bytes, "], ", $prefix, "3"),
                concat!($move, " [{1} + 4*", $bytes, "], ", $prefix, "4"), concat!($move, " [{1} + 5*", $bytes, "], ", $prefix, "5"),
                concat!($move, " [{1} + 6*", $bytes, "], ", $prefix, "6"), concat!($move, " [{1} + 7*", $bytes, "], ", $prefix, "7"),
                concat!($move, " [{1} + 8*", $bytes, "], ", $prefix, "8"), concat!($move, " [{1} + 9*", $bytes, "], ", $prefix, "9"),
                concat!($move, " [{1} + 10*", $bytes, "], ", $prefix, "10"), concat!($move, " [{1} + 11*", $bytes, "], ", $prefix, "11"),
                concat!($move, " [{1} + 12*", $bytes, "], ", $prefix, "12"), concat!($move, " [{1} + 13*", $bytes, "], ", $prefix, "13"),
                concat!($move, " [{1} + 14*", $bytes, "], ", $prefix, "14"), concat!($move, " [{1} + 15*", $bytes, "], ", $prefix, "15"),
                in(reg) before.as_ptr(), in(reg) after.as_mut_ptr(), inout(reg) $spin => _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _,
                out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _,
                out("xmm14") _, out("xmm15") _,
            );
        }
        assert_eq!(before, after);
    }};
}

fn numbers<const BYTES: usize>(seed: u64) -> [[u8; BYTES]; 16] {
    std::array::from_fn(|register| {
        std::array::from_fn(|byte| (seed >> (byte % 8 * 8)) as u8 ^ (register * 16 + byte / 8) as u8)
    })
}

fn vector_registers_under_preemption() {
    in_threads(|number| fill_and_compare!(16, "xmm", "movdqu", SPINS, numbers::<16>(number)));
}

fn wide_vector_registers_under_preemption() {
    if std::arch::is_x86_feature_detected!("avx") {
        in_threads(|number| fill_and_compare!(32, "ymm", "vmovdqu", SPINS, numbers::<32>(number)));
    }
}

fn control_words_under_preemption() {
    in_threads(|number| {
        // Rounding modes and masks that do not trap.
        let (control, mxcsr) = (0x037f | (number >> 20 & 3) << 10, 0x1f80 | (number >> 20 & 3) << 13);
        let (control, mxcsr) = (control as u16, mxcsr as u32);
        let (mut control_after, mut mxcsr_after, mut top) = (0u16, 0u32, 0f64);
        let value = number as f64;
        unsafe {
            asm!(
                "fninit", "fldcw [{0}]", "ldmxcsr [{1}]", "fld qword ptr [{5}]",
                "2:", "dec {6}", "jnz 2b",
                "fstp qword ptr [{4}]", "fnstcw [{2}]", "stmxcsr [{3}]", "fninit",
                in(reg) &control, in(reg) &mxcsr, in(reg) &mut control_after, in(reg) &mut mxcsr_after, in(reg) &mut top,
                in(reg) &value, inout(reg) SPINS => _,
            );
            asm!("ldmxcsr [{}]", in(reg) &0x1f80u32);
        }
        assert_eq!((control, mxcsr, value), (control_after, mxcsr_after & !0x3f, top));
    });
}

fn general_registers_over_a_system_call() {
    let wrong: u64;
    unsafe {
        asm!(
            "push rbx", "push rbp",
            "mov rbx, 1", "mov rdx, 2", "mov rsi, 3", "mov rdi, 4", "mov rbp, 5", "mov r8, 6", "mov r9, 7", "mov r10, 8",
            "mov r12, 9", "mov r13, 10", "mov r14, 11", "mov r15, 12", "mov rax, 39", "syscall",
            "xor rbx, 1", "xor rdx, 2", "xor rsi, 3", "xor rdi, 4", "xor rbp, 5", "xor r8, 6", "xor r9, 7", "xor r10, 8",
            "xor r12, 9", "xor r13, 10", "xor r14, 11", "xor r15, 12",
            "or rbx, rdx", "or rbx, rsi", "or rbx, rdi", "or rbx, rbp", "or rbx, r8", "or rbx, r9", "or rbx, r10",
            "or rbx, r12", "or rbx, r13", "or rbx, r14", "or rbx, r15", "mov rax, rbx",
            "pop rbp", "pop rbx",
            out("rax") wrong, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _,
            out("r10") _, out("r11") _, out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
    assert_eq!(wrong, 0);
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn disturb(_: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
    unsafe {
        asm!(
            "pxor xmm0, xmm0", "pcmpeqd xmm1, xmm1", "pxor xmm7, xmm7", "pxor xmm15, xmm15",
            out("xmm0") _, out("xmm1") _, out("xmm7") _, out("xmm15") _,
        );
    }
}

/// Sends SIGUSR1 to the process all the time while `body` runs.
fn under_signals(body: impl FnOnce()) {
    handle(libc::SIGUSR1, disturb as *const () as usize, libc::SA_RESTART);
    let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        body();
        stop.store(true, Ordering::Relaxed);
    });
    assert!(SIGNALS.load(Ordering::Relaxed) > 0);
}

fn vector_registers_over_a_signal() {
    under_signals(|| {
        let start = Instant::now();
        let mut number = 1;
        while start.elapsed() < Duration::from_millis(300) {
            number += 0x0101_0101_0101;
            fill_and_compare!(16, "xmm", "movdqu", 100_000u64, numbers::<16>(number));
            if std::arch::is_x86_feature_detected!("avx") {
                fill_and_compare!(32, "ymm", "vmovdqu", 100_000u64, numbers::<32>(number));
            }
        }
    });
}

fn flags_over_a_signal() {
    under_signals(|| {
        for _ in 0..300 {
            let flags: u64;
            unsafe {
                asm!(
                    "push 0x8d5", "popfq",
                    "mov rcx, 100000", "2:", "lea rcx, [rcx - 1]", "jrcxz 3f", "jmp 2b", "3:",
                    "pushfq", "pop {0}", "push 0x202", "popfq",
                    out(reg) flags, out("rcx") _,
                );
            }
            assert_eq!(flags & 0xcd5, 0x8d5, "carry, parity, adjust, zero, sign, overflow");
        }
    });
}

static FLAGS_IN_HANDLER: AtomicUsize = AtomicUsize::new(0);

fn direction_flag_is_clear_in_a_handler() {
    extern "C" fn note(_: i32) {
        let flags: usize;
        unsafe { asm!("pushfq", "pop {}", out(reg) flags) };
        FLAGS_IN_HANDLER.store(flags, Ordering::Relaxed);
    }
    handle(libc::SIGUSR1, note as *const () as usize, 0);
    let after: usize;
    unsafe {
        let (process, thread) = (libc::getpid(), libc::gettid());
        asm!(
            "std", "syscall", "pushfq", "pop {0}", "cld",
            out(reg) after, inout("rax") libc::SYS_tgkill => _,
            in("rdi") process, in("rsi") thread, in("rdx") libc::SIGUSR1, out("rcx") _, out("r11") _,
        );
    }
    assert_eq!(after & 0x400, 0x400, "the program's own flag is given back");
    let inside = FLAGS_IN_HANDLER.load(Ordering::Relaxed);
    assert!(inside != 0 && inside & 0x400 == 0);
}

const ARCH_SET_GS: i32 = 0x1001;
const ARCH_GET_GS: i32 = 0x1004;

/// FS is libc's; its word 0 points to itself. GS is anybody's.
fn thread_pointers_under_preemption() {
    in_threads(|number| {
        let words = [number, !number];
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, words.as_ptr()) };
        let (first, own, pointer): (u64, u64, u64);
        unsafe {
            asm!("mov {3}, {4}", "2:", "dec {3}", "jnz 2b", "mov {0}, gs:[0]", "mov {1}, gs:[8]", "mov {2}, fs:[0]",
                out(reg) first, out(reg) own, out(reg) pointer, out(reg) _, const SPINS);
            assert_eq!([first, own], words);
            assert_eq!(*(pointer as *const u64), pointer);
            libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, 0);
        }
    });
}

fn gs_base_survives() {
    let base: usize = 0x7fff_1234_5000;
    assert_eq!(unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) }, 0);
    sleep(20);
    let mut found = 0usize;
    assert_eq!(unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut found) }, 0);
    assert_eq!(found, base);
    let kernel = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, 0xffff_8880_0000_0000u64) };
    assert_eq!(crate::call::errno(kernel), libc::EPERM, "a base in the kernel is refused");
}

fn vector_registers_over_fork() {
    let value = 0x1122_3344_5566_7788u64;
    let (result, kept): (i64, u64);
    unsafe {
        asm!("movq xmm9, {0}", "syscall", "movq {0}, xmm9", inout(reg) value => kept, inout("rax") libc::SYS_fork => result,
            out("rcx") _, out("r11") _, out("xmm9") _);
        if result == 0 {
            libc::_exit(i32::from(kept != value));
        }
    }
    assert_eq!(kept, value);
    assert_eq!(crate::child::wait(result as i32), crate::child::End::Exit(0));
}

fn selectors_are_linuxs() {
    let (code, stack): (u16, u16);
    unsafe { asm!("mov {0:x}, cs", "mov {1:x}, ss", out(reg) code, out(reg) stack) };
    assert_eq!((code, stack), (0x33, 0x2b));
}
