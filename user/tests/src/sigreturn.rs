//! Signal frames that a program made worse before it returned from its handler.
use crate::child::{End, Fault, fault, handle, map, run};
use crate::sys;
use libc::ucontext_t;
use std::arch::asm;

crate::tests!(
    untouched_frame_returns,
    registers_can_be_changed,
    kernel_code_selector,
    null_code_selector,
    data_selector_as_code,
    selector_out_of_range,
    kernel_stack_selector,
    non_canonical_instruction_pointer,
    kernel_instruction_pointer,
    non_canonical_stack_pointer,
    privileged_flags_are_not_taken,
    all_flags_at_once,
    wild_vector_state,
    kernel_vector_state,
    no_vector_state,
    misaligned_vector_state,
    garbage_vector_header,
    unknown_vector_components,
    garbage_control_register,
    truncated_vector_state,
    kill_cannot_be_masked,
    frame_at_a_wild_address,
    nested_handlers_unwind,
);

static mut CHANGE: fn(&mut ucontext_t) = |_| {};

extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    unsafe { CHANGE(&mut *context.cast::<ucontext_t>()) };
}

/// A process whose handler changes its frame; 7 where it came back all the same.
fn returning(change: fn(&mut ucontext_t)) -> End {
    run(|| {
        unsafe { CHANGE = change };
        handle(libc::SIGUSR1, handler as *const () as usize, libc::SA_SIGINFO);
        unsafe { libc::raise(libc::SIGUSR1) };
        7
    })
}

/// The same, with the signal that the bad frame earned.
fn earned(change: fn(&mut ucontext_t)) -> Option<Fault> {
    fault(|| {
        unsafe { CHANGE = change };
        handle(libc::SIGUSR1, handler as *const () as usize, libc::SA_SIGINFO);
        unsafe { libc::raise(libc::SIGUSR1) };
    })
}

const SURVIVED: End = End::Exit(7);
const SEGMENT: End = End::Signal(libc::SIGSEGV);

fn register(context: &mut ucontext_t, number: i32) -> &mut i64 {
    &mut context.uc_mcontext.gregs[number as usize]
}

fn code_selector(context: &mut ucontext_t, selector: u16) {
    let word = register(context, libc::REG_CSGSFS);
    *word = *word & !0xffff | i64::from(selector);
}

fn untouched_frame_returns() {
    assert_eq!(returning(|_| {}), SURVIVED);
}

fn registers_can_be_changed() {
    unsafe {
        CHANGE = |context| {
            for (number, value) in [(libc::REG_R8, 8), (libc::REG_R9, 9), (libc::REG_R12, 12), (libc::REG_RAX, 77)] {
                *register(context, number) = value;
            }
        };
    }
    handle(libc::SIGUSR1, handler as *const () as usize, libc::SA_SIGINFO);
    let (result, eight, nine, twelve): (u64, u64, u64, u64);
    unsafe {
        let (process, thread) = (libc::getpid(), libc::gettid());
        asm!("syscall", inlateout("rax") libc::SYS_tgkill => result, in("rdi") process, in("rsi") thread,
            in("rdx") libc::SIGUSR1, out("rcx") _, out("r11") _, out("r8") eight, out("r9") nine, out("r12") twelve);
    }
    assert_eq!([result, eight, nine, twelve], [77, 8, 9, 12]);
}

fn kernel_code_selector() {
    assert_eq!(returning(|context| code_selector(context, 0x10)), SEGMENT);
}

fn null_code_selector() {
    assert_eq!(returning(|context| code_selector(context, 0)), SEGMENT);
}

fn data_selector_as_code() {
    assert_eq!(returning(|context| code_selector(context, 0x2b)), SEGMENT);
}

fn selector_out_of_range() {
    assert_eq!(returning(|context| code_selector(context, 0xfffb)), SEGMENT);
    assert_eq!(returning(|context| code_selector(context, 0x7)), SEGMENT);
}

/// Linux puts its own there where the frame's is no use; nobody may crash.
fn kernel_stack_selector() {
    let end = returning(|context| {
        let word = register(context, libc::REG_CSGSFS);
        *word = *word & 0x0000_ffff_ffff_ffff | 0x18 << 48;
    });
    assert!(end == SURVIVED || end == SEGMENT, "{end:?}");
}

fn non_canonical_instruction_pointer() {
    let seen = earned(|context| *register(context, libc::REG_RIP) = 0x0800_0000_0000_0000);
    assert!(matches!(seen, Some(Fault { signal: libc::SIGSEGV, .. })), "{seen:?}");
}

fn kernel_instruction_pointer() {
    let seen = earned(|context| *register(context, libc::REG_RIP) = 0xffff_ffff_8100_0000u64 as i64);
    assert!(matches!(seen, Some(Fault { signal: libc::SIGSEGV, .. })), "{seen:?}");
}

fn non_canonical_stack_pointer() {
    let end = returning(|context| *register(context, libc::REG_RSP) = 0x0800_0000_0000_0000);
    assert!(matches!(end, End::Signal(libc::SIGSEGV | libc::SIGBUS)), "{end:?}");
    let end = returning(|context| *register(context, libc::REG_RSP) = 0xffff_8880_0000_1000u64 as i64);
    assert_eq!(end, SEGMENT);
}

fn privileged_flags_are_not_taken() {
    unsafe {
        // I/O privilege level 3, nested task, virtual 8086, virtual interrupts; interrupts off.
        CHANGE = |context| {
            let flags = register(context, libc::REG_EFL);
            *flags = (*flags | 0x1a_7000) & !0x200;
        };
    }
    handle(libc::SIGUSR1, handler as *const () as usize, libc::SA_SIGINFO);
    unsafe { libc::raise(libc::SIGUSR1) };
    let flags: u64;
    unsafe { asm!("pushfq", "pop {}", out(reg) flags) };
    assert_eq!(flags & 0x1a_7200, 0x200);
}

fn all_flags_at_once() {
    extern "C" fn ignore(_: i32) {}
    let end = run(|| {
        handle(libc::SIGTRAP, ignore as *const () as usize, 0);
        unsafe { CHANGE = |context| *register(context, libc::REG_EFL) = -1 };
        handle(libc::SIGUSR1, handler as *const () as usize, libc::SA_SIGINFO);
        unsafe {
            let (process, thread) = (libc::getpid(), libc::gettid());
            asm!("syscall", "push 0x202", "popfq", inlateout("rax") libc::SYS_tgkill => _, in("rdi") process,
                in("rsi") thread, in("rdx") libc::SIGUSR1, out("rcx") _, out("r11") _);
        }
        7
    });
    assert_eq!(end, SURVIVED);
}

fn wild_vector_state() {
    assert_eq!(returning(|context| context.uc_mcontext.fpregs = 0x40 as *mut _), SEGMENT);
}

fn kernel_vector_state() {
    assert_eq!(returning(|context| context.uc_mcontext.fpregs = 0xffff_8880_0000_0000u64 as *mut _), SEGMENT);
}

fn no_vector_state() {
    assert_eq!(returning(|context| context.uc_mcontext.fpregs = std::ptr::null_mut()), SURVIVED);
}

fn misaligned_vector_state() {
    let end = returning(|context| {
        let state = context.uc_mcontext.fpregs.cast::<u8>();
        unsafe { context.uc_mcontext.fpregs = state.add(8).cast() };
    });
    assert!(end == SURVIVED || end == SEGMENT, "{end:?}");
}

/// The 64 bytes behind the 512 of FXSAVE.
fn vector_header(context: &mut ucontext_t) -> *mut u64 {
    unsafe { context.uc_mcontext.fpregs.cast::<u8>().add(512).cast() }
}

fn garbage_vector_header() {
    let end = returning(|context| unsafe { vector_header(context).add(2).write(!0) });
    assert!(end == SURVIVED || end == SEGMENT, "{end:?}");
}

fn unknown_vector_components() {
    let end = returning(|context| unsafe { vector_header(context).write(!0) });
    assert!(end == SURVIVED || end == SEGMENT, "{end:?}");
}

fn garbage_control_register() {
    let end = returning(|context| unsafe { (*context.uc_mcontext.fpregs).mxcsr = !0 });
    assert!(end == SURVIVED || end == SEGMENT, "{end:?}");
}

/// Words that claim a larger state than there is: the state then ends behind FXSAVE's, or at the end of what is mapped.
fn truncated_vector_state() {
    let end = returning(|context| unsafe {
        let page = map(4096);
        let state = page.add(4096 - 512);
        std::ptr::copy_nonoverlapping(context.uc_mcontext.fpregs.cast::<u8>(), state, 512);
        context.uc_mcontext.fpregs = state.cast();
    });
    assert!(end == SURVIVED || end == SEGMENT, "{end:?}");
}

fn kill_cannot_be_masked() {
    let end = run(|| {
        unsafe { CHANGE = |context| std::ptr::from_mut(&mut context.uc_sigmask).cast::<u64>().write(!0) };
        handle(libc::SIGUSR1, handler as *const () as usize, libc::SA_SIGINFO);
        unsafe {
            libc::raise(libc::SIGUSR1);
            let mut mask = 0u64;
            sys!(libc::SYS_rt_sigprocmask, 0, 0, &raw mut mask, 8).unwrap();
            assert_eq!(mask, !(1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1)));
            libc::kill(libc::getpid(), libc::SIGKILL);
        }
        7
    });
    assert_eq!(end, End::Signal(libc::SIGKILL));
}

fn frame_at_a_wild_address() {
    for stack in [0usize, 0x1000, 0x0800_0000_0000_0000, 0x7fff_ffff_fff8, 0xffff_8880_0000_0000, !7] {
        let end = run(|| unsafe {
            asm!("mov rsp, {}", "mov eax, 15", "syscall", "ud2", in(reg) stack, options(noreturn));
        });
        assert_eq!(end, SEGMENT, "stack pointer {stack:#x}");
    }
}

fn nested_handlers_unwind() {
    static mut DEPTH: u32 = 0;
    extern "C" fn nest(signal: i32) {
        unsafe {
            DEPTH += 1;
            if DEPTH < 100 {
                libc::raise(signal);
            }
            DEPTH -= 1;
        }
    }
    handle(libc::SIGUSR1, nest as *const () as usize, libc::SA_NODEFER);
    unsafe { libc::raise(libc::SIGUSR1) };
    assert_eq!(unsafe { DEPTH }, 0);
}
