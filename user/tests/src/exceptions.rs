//! What instructions earn that the processor cannot finish: signal, code and address.
use crate::call::must;
use crate::child::{End, Fault, PAGE, fault, handle, map, map_as, run};
use libc::{PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE};
use std::arch::asm;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};

crate::tests!(
    divide_by_zero,
    divide_overflow,
    undefined_instruction,
    breakpoint,
    overflow_interrupt,
    single_step,
    single_step_into_a_system_call,
    x87_divide_by_zero,
    null_read,
    null_call,
    kernel_addresses,
    vsyscall_page_is_not_readable,
    non_canonical_read,
    non_canonical_jump,
    write_to_text,
    write_to_read_only,
    read_of_protected,
    execute_data,
    beyond_end_of_file,
    stack_pointer_in_the_kernel,
    a_fault_with_a_blocked_signal_kills,
    a_fault_with_an_ignored_signal_kills,
    a_fault_in_the_handler_kills,
    handler_stack_is_aligned,
    handler_repairs_a_fault,
    a_thousand_divides_by_zero,
);

/// With four levels of page tables, and with five.
const NON_CANONICAL: usize = 0x0800_0000_0000_0000;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

fn earned(signal: i32, code: i32, address: usize) -> Option<Fault> {
    Some(Fault { signal, code, address })
}

fn divide_by_zero() {
    let mut at = 0usize;
    let seen = fault(|| unsafe { asm!("xor edx, edx", "div {0:e}", in(reg) 0, inout("eax") 1 => _, out("edx") _) });
    if let Some(seen) = seen {
        at = seen.address;
    }
    assert_eq!(seen, earned(libc::SIGFPE, 1, at));
    assert_ne!(at, 0, "the address is the instruction's");
}

fn divide_overflow() {
    let seen = fault(|| unsafe {
        asm!("idiv {0:e}", in(reg) -1, inout("eax") i32::MIN => _, inout("edx") -1 => _);
    });
    assert!(matches!(seen, Some(Fault { signal: libc::SIGFPE, code: 1, .. })), "{seen:?}");
}

/// Bytes of code, in a page of their own.
fn code(bytes: &[u8]) -> *mut u8 {
    let page = map_as(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, PRIVATE);
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), page, bytes.len()) };
    page
}

fn jump(address: usize) {
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) };
}

fn undefined_instruction() {
    let page = code(&[0x90, 0x0f, 0x0b]);
    assert_eq!(fault(|| jump(page as usize)), earned(libc::SIGILL, 2, page as usize + 1));
}

fn breakpoint() {
    assert_eq!(fault(|| unsafe { asm!("int3") }), earned(libc::SIGTRAP, 0x80, 0));
    assert_eq!(fault(|| unsafe { asm!("int 3") }), earned(libc::SIGTRAP, 0x80, 0));
}

fn overflow_interrupt() {
    assert_eq!(fault(|| unsafe { asm!("int 4") }), earned(libc::SIGSEGV, 0x80, 0));
}

fn single_step() {
    // pushfq; or dword [rsp], 0x100; popfq; nop (executed); nop (where the trap is reported)
    let page = code(&[0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90, 0x90, 0xc3]);
    assert_eq!(fault(|| jump(page as usize)), earned(libc::SIGTRAP, 2, page as usize + 10));
}

static TRAPS: AtomicUsize = AtomicUsize::new(0);

/// The trap comes in user mode, before and after the call, and not in the kernel.
fn single_step_into_a_system_call() {
    extern "C" fn count(_: i32) {
        TRAPS.fetch_add(1, Ordering::Relaxed);
    }
    handle(libc::SIGTRAP, count as *const () as usize, 0);
    let process: usize;
    unsafe {
        asm!(
            "pushfq", "or qword ptr [rsp], 0x100", "popfq",
            "mov eax, 39", "syscall", "mov {0}, rax",
            "pushfq", "and qword ptr [rsp], -257", "popfq",
            out(reg) process, out("rax") _, out("rcx") _, out("r11") _,
        );
    }
    assert_eq!(process as i32, unsafe { libc::getpid() });
    let traps = TRAPS.load(Ordering::Relaxed);
    assert!((4..=7).contains(&traps), "{traps} traps");
}

fn x87_divide_by_zero() {
    let control: u16 = 0x037b;
    let seen = fault(|| unsafe {
        asm!("fninit", "fldcw [{0}]", "fld1", "fldz", "fdivp", "fwait", in(reg) &control);
    });
    assert!(matches!(seen, Some(Fault { signal: libc::SIGFPE, code: 3, .. })), "{seen:?}");
}

fn read(address: usize) -> Option<Fault> {
    fault(|| unsafe { asm!("mov {0}, [{0}]", inout(reg) address => _) })
}

fn write(address: usize) -> Option<Fault> {
    fault(|| unsafe { asm!("mov byte ptr [{0}], 1", in(reg) address) })
}

fn null_read() {
    assert_eq!(read(0), earned(libc::SIGSEGV, 1, 0));
    assert_eq!(read(24), earned(libc::SIGSEGV, 1, 24));
    assert_eq!(write(8), earned(libc::SIGSEGV, 1, 8));
}

fn null_call() {
    assert_eq!(fault(|| jump(0)), earned(libc::SIGSEGV, 1, 0));
}

fn kernel_addresses() {
    for address in [0xffff_8000_0000_0000, 0xffff_8880_0010_0000, 0xffff_ffff_8100_0000, 0xffff_ffff_ffff_fff8usize] {
        assert_eq!(read(address), earned(libc::SIGSEGV, 1, address));
        assert_eq!(write(address), earned(libc::SIGSEGV, 1, address));
        assert_eq!(fault(|| jump(address)), earned(libc::SIGSEGV, 1, address));
    }
}

fn vsyscall_page_is_not_readable() {
    assert_eq!(read(0xffff_ffff_ff60_0000), earned(libc::SIGSEGV, 1, 0xffff_ffff_ff60_0000));
}

fn non_canonical_read() {
    for address in [NON_CANONICAL, 0x1234_5678_9abc_def0, 0xf7ff_ffff_ffff_fff8] {
        assert_eq!(read(address), earned(libc::SIGSEGV, 0x80, 0));
        assert_eq!(write(address), earned(libc::SIGSEGV, 0x80, 0));
    }
}

fn non_canonical_jump() {
    assert_eq!(fault(|| jump(NON_CANONICAL)), earned(libc::SIGSEGV, 0x80, 0));
}

fn write_to_text() {
    let text = write_to_text as *const () as usize;
    assert_eq!(write(text), earned(libc::SIGSEGV, 2, text));
}

fn write_to_read_only() {
    let page = map_as(PAGE, PROT_READ, PRIVATE) as usize;
    assert_eq!(read(page), None);
    assert_eq!(write(page + 5), earned(libc::SIGSEGV, 2, page + 5));
}

fn read_of_protected() {
    let page = map_as(PAGE, PROT_NONE, PRIVATE) as usize;
    assert_eq!(read(page + 8), earned(libc::SIGSEGV, 2, page + 8));
}

fn execute_data() {
    let page = map(PAGE);
    unsafe { page.write(0xc3) };
    assert_eq!(fault(|| jump(page as usize)), earned(libc::SIGSEGV, 2, page as usize));
}

fn beyond_end_of_file() {
    let mut file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open("file").unwrap();
    file.write_all(&[7; 100]).unwrap();
    let address = unsafe {
        libc::mmap(std::ptr::null_mut(), 3 * PAGE, PROT_READ | PROT_WRITE, libc::MAP_SHARED, file.as_raw_fd(), 0)
    } as usize;
    assert_eq!(read(address), None);
    assert_eq!(unsafe { *((address + 4000) as *const u8) }, 0, "the rest of the last page is zero");
    assert_eq!(read(address + PAGE), earned(libc::SIGBUS, 2, address + PAGE));
    assert_eq!(write(address + 2 * PAGE), earned(libc::SIGBUS, 2, address + 2 * PAGE));
    file.set_len(2 * PAGE as u64).unwrap();
    assert_eq!(read(address + PAGE), None);
    file.set_len(0).unwrap();
    assert_eq!(read(address), earned(libc::SIGBUS, 2, address));
}

/// The stack is no place for the handler's frame: the kernel must neither write there nor loop.
fn stack_pointer_in_the_kernel() {
    for stack in [0xffff_8880_0010_0000usize, NON_CANONICAL, 8, 0xffff_ffff_ffff_ffff] {
        let end = run(|| {
            extern "C" fn handler(_: i32) {}
            handle(libc::SIGSEGV, handler as *const () as usize, 0);
            handle(libc::SIGILL, handler as *const () as usize, 0);
            unsafe { asm!("mov rsp, {}", "ud2", in(reg) stack, options(noreturn)) }
        });
        assert_eq!(end, End::Signal(libc::SIGSEGV), "stack pointer {stack:#x}");
    }
}

fn a_fault_with_a_blocked_signal_kills() {
    let end = run(|| {
        extern "C" fn handler(_: i32) {
            unsafe { libc::_exit(3) };
        }
        handle(libc::SIGSEGV, handler as *const () as usize, 0);
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigfillset(&mut set);
            must(libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()));
            asm!("mov {0}, [{0}]", inout(reg) 0usize => _);
        }
        4
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

fn a_fault_with_an_ignored_signal_kills() {
    let end = run(|| {
        handle(libc::SIGFPE, libc::SIG_IGN, 0);
        unsafe { asm!("xor edx, edx", "div {0:e}", in(reg) 0, inout("eax") 1 => _, out("edx") _) };
        4
    });
    assert_eq!(end, End::Signal(libc::SIGFPE));
}

fn a_fault_in_the_handler_kills() {
    let end = run(|| {
        extern "C" fn handler(_: i32) {
            unsafe { asm!("mov {0}, [{0}]", inout(reg) 0usize => _) };
        }
        handle(libc::SIGSEGV, handler as *const () as usize, 0);
        unsafe { asm!("mov {0}, [{0}]", inout(reg) 0usize => _) };
        4
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

static STACK: AtomicUsize = AtomicUsize::new(0);

std::arch::global_asm!(
    ".globl note_stack_pointer",
    "note_stack_pointer:",
    "mov [rip + {stack}], rsp",
    "ret",
    stack = sym STACK,
);

unsafe extern "C" {
    fn note_stack_pointer(signal: i32);
}

/// At a function's first instruction the return address is on the stack: 8 beyond a multiple of 16, whatever it was before;
/// and the 128 bytes below the interrupted stack pointer are the program's own.
fn handler_stack_is_aligned() {
    handle(libc::SIGUSR1, note_stack_pointer as *const () as usize, 0);
    for offset in 0..16usize {
        let (mut low, mut interrupted): (u64, usize) = (0x1122_3344_5566_7788, 0);
        unsafe {
            let (process, thread) = (libc::getpid(), libc::gettid());
            asm!(
                "mov {saved}, rsp",
                "sub rsp, 256",
                "sub rsp, {offset}",
                "mov [rsp - 128], {low}",
                "mov {interrupted}, rsp",
                "syscall",
                "mov {low}, [rsp - 128]",
                "mov rsp, {saved}",
                saved = out(reg) _,
                offset = in(reg) offset,
                low = inout(reg) low,
                interrupted = out(reg) interrupted,
                inout("rax") libc::SYS_tgkill => _,
                in("rdi") process, in("rsi") thread, in("rdx") libc::SIGUSR1,
                out("rcx") _, out("r11") _,
            );
        }
        let stack = STACK.load(Ordering::Relaxed);
        assert_eq!(stack % 16, 8);
        assert!(stack < interrupted - 128, "the red zone is spared");
        assert_eq!(low, 0x1122_3344_5566_7788);
    }
}

static REPAIRED: AtomicUsize = AtomicUsize::new(0);

fn handler_repairs_a_fault() {
    extern "C" fn handler(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        let page = unsafe { (*info).si_addr() } as usize & !(PAGE - 1);
        REPAIRED.fetch_add(1, Ordering::Relaxed);
        unsafe { must(libc::mprotect(page as *mut libc::c_void, PAGE, PROT_READ | PROT_WRITE)) };
    }
    handle(libc::SIGSEGV, handler as *const () as usize, libc::SA_SIGINFO);
    let pages = map_as(64 * PAGE, PROT_NONE, PRIVATE);
    for page in 0..64 {
        unsafe { pages.add(page * PAGE).write_volatile(page as u8) };
    }
    assert_eq!(REPAIRED.load(Ordering::Relaxed), 64);
    assert!((0..64).all(|page| unsafe { pages.add(page * PAGE).read_volatile() } == page as u8));
}

static DIVIDES: AtomicUsize = AtomicUsize::new(0);

/// The handler returns to the same instruction until it has counted enough, then skips it.
fn a_thousand_divides_by_zero() {
    extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        if DIVIDES.fetch_add(1, Ordering::Relaxed) == 999 {
            let context = context.cast::<libc::ucontext_t>();
            unsafe { (*context).uc_mcontext.gregs[libc::REG_RCX as usize] = 1 };
        }
    }
    handle(libc::SIGFPE, handler as *const () as usize, libc::SA_SIGINFO);
    let quotient: u32;
    unsafe { asm!("xor edx, edx", "div ecx", inout("ecx") 0 => _, inout("eax") 42 => quotient, out("edx") _) };
    assert_eq!((quotient, DIVIDES.load(Ordering::Relaxed)), (42, 1000));
}
