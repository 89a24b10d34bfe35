//! Numbers and flags that nobody defined, and the old door.
use crate::call::{c, must, old_door, raw};
use crate::child::{End, PAGE, run};
use crate::sys;
use std::arch::asm;

crate::tests!(
    unknown_numbers,
    removed_calls,
    only_the_lower_half_of_the_number_counts,
    unknown_flags,
    old_door_calls,
    old_door_takes_lower_halves,
    old_door_transfers,
    old_door_unknown_numbers,
    old_door_keeps_registers,
    old_door_ends_processes,
    flags_register_after_a_call,
    stack_pointer_is_not_used,
);

fn unknown_numbers() {
    for number in [335, 400, 423, 500, 511, 548, 1000, 4095, 0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
        assert_eq!(raw(number, [0; 6]), Err(libc::ENOSYS), "{number:#x}");
    }
    assert_eq!(raw(usize::MAX, [0; 6]), Err(libc::ENOSYS));
}

fn removed_calls() {
    let removed = [
        libc::SYS_uselib,
        libc::SYS__sysctl,
        libc::SYS_nfsservctl,
        libc::SYS_getpmsg,
        libc::SYS_putpmsg,
        libc::SYS_afs_syscall,
        libc::SYS_tuxcall,
        libc::SYS_security,
        libc::SYS_set_thread_area,
        libc::SYS_get_thread_area,
        libc::SYS_epoll_ctl_old,
        libc::SYS_epoll_wait_old,
        libc::SYS_vserver,
    ];
    for number in removed {
        assert_eq!(raw(number as usize, [0; 6]), Err(libc::ENOSYS), "{number}");
    }
}

fn only_the_lower_half_of_the_number_counts() {
    let own = unsafe { libc::getpid() } as usize;
    assert_eq!(raw(libc::SYS_getpid as usize | 0x1_0000_0000, [0; 6]), Ok(own));
    assert_eq!(raw(libc::SYS_getpid as usize | 0xdead_beef_0000_0000, [0; 6]), Ok(own));
}

fn unknown_flags() {
    let page = crate::child::map(PAGE) as usize;
    std::fs::write("file", "").unwrap();
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDWR) }) as usize;
    let path = c("file");
    let (path, here) = (path.as_ptr() as usize, libc::AT_FDCWD as usize);
    let rows: &[(i64, [usize; 6])] = &[
        (libc::SYS_pipe2, [page, 0x10, 0, 0, 0, 0]),
        (libc::SYS_dup3, [0, 77, 0x10, 0, 0, 0]),
        (libc::SYS_eventfd2, [0, 0x10, 0, 0, 0, 0]),
        (libc::SYS_epoll_create1, [0x10, 0, 0, 0, 0, 0]),
        (libc::SYS_timerfd_create, [1, 0x10, 0, 0, 0, 0]),
        (libc::SYS_signalfd4, [usize::MAX, page, 8, 0x10, 0, 0]),
        (libc::SYS_memfd_create, [path, 0x8000, 0, 0, 0, 0]),
        (libc::SYS_unlinkat, [here, path, 0x10, 0, 0, 0]),
        (libc::SYS_linkat, [here, path, here, path, 0x10, 0]),
        (libc::SYS_renameat2, [here, path, here, path, 0x10, 0]),
        (libc::SYS_fchownat, [here, path, 0, 0, 0x10, 0]),
        (libc::SYS_newfstatat, [here, path, page, 0x10, 0, 0]),
        (libc::SYS_statx, [here, path, 0x10, 0, page, 0]),
        (libc::SYS_faccessat2, [here, path, 0, 0x10, 0, 0]),
        (libc::SYS_utimensat, [here, path, 0, 0x10, 0, 0]),
        (libc::SYS_getrandom, [page, 8, 0x10, 0, 0, 0]),
        (libc::SYS_madvise, [page, PAGE, 200, 0, 0, 0]),
        (libc::SYS_mremap, [page, PAGE, PAGE, 0x10, 0, 0]),
        (libc::SYS_msync, [page, PAGE, 0x10, 0, 0, 0]),
        (libc::SYS_mprotect, [page, PAGE, 0x100, 0, 0, 0]),
        (libc::SYS_mlockall, [0x10, 0, 0, 0, 0, 0]),
        (libc::SYS_wait4, [usize::MAX, 0, 0x100, 0, 0, 0]),
        (libc::SYS_waitid, [0, 0, page, 0x100, 0, 0]),
        (libc::SYS_clone, [libc::CLONE_THREAD as usize, 0, 0, 0, 0, 0]),
        (libc::SYS_unshare, [0x1, 0, 0, 0, 0, 0]),
        (libc::SYS_sync_file_range, [file, 0, 0, 0x10, 0, 0]),
        (libc::SYS_flock, [file, 0x40, 0, 0, 0, 0]),
        (libc::SYS_umount2, [path, 0x100, 0, 0, 0, 0]),
        (libc::SYS_close_range, [50, 60, 0x10, 0, 0, 0]),
        (libc::SYS_execveat, [here, path, page, page, 0x10, 0]),
        (libc::SYS_membarrier, [0x8000_0000, 0, 0, 0, 0, 0]),
        (libc::SYS_splice, [file, 0, file, 0, 1, 0x100]),
        (libc::SYS_copy_file_range, [file, 0, file, 0, 1, 0x10]),
        (libc::SYS_getitimer, [5, page, 0, 0, 0, 0]),
        (libc::SYS_arch_prctl, [0x9999, 0, 0, 0, 0, 0]),
        (libc::SYS_clock_gettime, [0x77, page, 0, 0, 0, 0]),
        (libc::SYS_access, [path, 0x10, 0, 0, 0, 0]),
        (libc::SYS_lseek, [file, 0, 0x10, 0, 0, 0]),
        (libc::SYS_fcntl, [file, 0x777, 0, 0, 0, 0]),
        (libc::SYS_setpriority, [7, 0, 0, 0, 0, 0]),
        (libc::SYS_prctl, [0x7777, 0, 0, 0, 0, 0]),
    ];
    let mut wrong = String::new();
    for (number, arguments) in rows {
        let answer = raw(*number as usize, *arguments);
        if answer != Err(libc::EINVAL) && answer != Err(libc::ENOSYS) {
            wrong += &format!("call {number}: {answer:?}; ");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn old_door_calls() {
    let own = unsafe { libc::getpid() } as usize;
    assert_eq!(old_door(20, [0; 3]), Ok(own), "getpid");
    assert_eq!(old_door(64, [0; 3]), Ok(unsafe { libc::getppid() } as usize), "getppid");
    assert_eq!(old_door(199, [0; 3]), Ok(0), "getuid32");
    assert_eq!(old_door(6, [400, 0, 0]), Err(libc::EBADF), "close");
}

fn old_door_takes_lower_halves() {
    let result: u64;
    unsafe {
        asm!(
            "xchg rbx, {first}", "int 0x80", "xchg rbx, {first}",
            first = inout(reg) 0xdead_beef_0000_0190u64 => _,
            inout("rax") 0xdead_beef_0000_0006u64 => result, in("rcx") 0, in("rdx") 0,
        );
    }
    assert_eq!(result as i64, -i64::from(libc::EBADF), "close(400)");
}

/// Memory below 4 GiB.
fn low() -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
    crate::child::map_as(PAGE, libc::PROT_READ | libc::PROT_WRITE, flags)
}

fn old_door_transfers() {
    let (source, sink) = crate::child::pipe();
    let page = low();
    unsafe { std::ptr::copy_nonoverlapping(b"hello".as_ptr(), page, 5) };
    assert_eq!(old_door(4, [sink as u32, page as u32, 5]), Ok(5), "write");
    assert_eq!(old_door(3, [source as u32, page as u32 + 100, 50]), Ok(5), "read");
    assert_eq!(unsafe { std::slice::from_raw_parts(page.add(100), 5) }, b"hello");
    assert_eq!(old_door(4, [sink as u32, 8, 5]), Err(libc::EFAULT));
    assert_eq!(old_door(3, [400, page as u32, 5]), Err(libc::EBADF));
}

fn old_door_unknown_numbers() {
    for number in [17, 31, 500, 1000, 0x4000_0000, 0xffff_ffff] {
        assert_eq!(old_door(number, [0; 3]), Err(libc::ENOSYS), "{number}");
    }
}

fn old_door_keeps_registers() {
    let wrong: u64;
    unsafe {
        asm!(
            "push rbx", "push rbp",
            "mov rbx, 0x1111111111111111", "mov rcx, 0x2222222222222222", "mov rdx, 0x3333333333333333",
            "mov rsi, 0x4444444444444444", "mov rdi, 0x5555555555555555", "mov rbp, 0x6666666666666666",
            "mov r12, 0x7777777777777777", "mov r15, 0x8888888888888888",
            "mov eax, 20", "int 0x80",
            "mov rax, 0x1111111111111111", "xor rbx, rax", "mov rax, 0x2222222222222222", "xor rcx, rax",
            "mov rax, 0x3333333333333333", "xor rdx, rax", "mov rax, 0x4444444444444444", "xor rsi, rax",
            "mov rax, 0x5555555555555555", "xor rdi, rax", "mov rax, 0x6666666666666666", "xor rbp, rax",
            "mov rax, 0x7777777777777777", "xor r12, rax", "mov rax, 0x8888888888888888", "xor r15, rax",
            "or rbx, rcx", "or rbx, rdx", "or rbx, rsi", "or rbx, rdi", "or rbx, rbp", "or rbx, r12", "or rbx, r15",
            "mov rax, rbx", "pop rbp", "pop rbx",
            out("rax") wrong, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _,
            out("r10") _, out("r11") _, out("r12") _, out("r15") _,
        );
    }
    assert_eq!(wrong, 0);
}

fn old_door_ends_processes() {
    assert_eq!(run(|| old_door(1, [23, 0, 0]).map_or(98, |_| 99)), End::Exit(23), "exit");
    assert_eq!(run(|| old_door(252, [24, 0, 0]).map_or(98, |_| 99)), End::Exit(24), "exit_group");
}

/// A call leaves the flags as they were; r11 holds them, and rcx the return address.
fn flags_register_after_a_call() {
    let (flags, saved, address, here): (u64, u64, u64, u64);
    unsafe {
        asm!(
            "push 0x8d5", "popfq", "mov eax, 39", "syscall", "2:", "pushfq", "pop {0}", "push 0x202", "popfq",
            "lea {1}, [rip + 2b]",
            out(reg) flags, out(reg) here, out("rax") _, out("rcx") address, out("r11") saved,
        );
    }
    assert_eq!((flags & 0x8d5, saved & 0x8d5, address), (0x8d5, 0x8d5, here));
}

/// A call works with a stack pointer that points nowhere.
fn stack_pointer_is_not_used() {
    for stack in [0usize, 8, 0xffff_8880_0000_0000, 0x0800_0000_0000_0000, usize::MAX] {
        let process: u64;
        unsafe {
            asm!(
                "mov {saved}, rsp", "mov rsp, {stack}", "syscall", "mov rsp, {saved}",
                saved = out(reg) _, stack = in(reg) stack, inout("rax") libc::SYS_getpid => process,
                out("rcx") _, out("r11") _,
            );
        }
        assert_eq!(process as i32, unsafe { libc::getpid() });
    }
    assert!(sys!(libc::SYS_getppid).is_ok());
}
