//! Signals: their handlers, and faults that become one.

use crate::system::{check, map, repeat};
use crate::{Batch, Errno, Operation};
use std::mem::zeroed;

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "sig_install", sizes: &[], most: u64::MAX, prepare: install },
    Operation { name: "sig_deliver", sizes: &[], most: u64::MAX, prepare: deliver },
    Operation { name: "prot_fault", sizes: &[], most: u64::MAX, prepare: protection_fault },
];

extern "C" fn nothing(_: i32) {}

/// Steps over the instruction that faulted: three bytes, below.
extern "C" fn step(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] += 3 };
}

fn handle(signal: i32, handler: usize, flags: i32) -> Result<(), Errno> {
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        check(libc::sigaction(signal, &action, std::ptr::null_mut())).map(drop)
    }
}

fn install(_: u64) -> Result<Batch, Errno> {
    repeat(|| handle(libc::SIGUSR1, nothing as *const () as usize, 0))
}

fn deliver(_: u64) -> Result<Batch, Errno> {
    handle(libc::SIGUSR1, nothing as *const () as usize, 0)?;
    let (process, thread) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid)) };
    repeat(move || check(unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) }).map(drop))
}

fn protection_fault(_: u64) -> Result<Batch, Errno> {
    handle(libc::SIGSEGV, step as *const () as usize, libc::SA_SIGINFO)?;
    let page = map(4096)?;
    unsafe { page.write_volatile(1) };
    check(unsafe { libc::mprotect(page.cast(), 4096, libc::PROT_READ) })?;
    repeat(move || {
        // mov byte [rax], 0
        unsafe { core::arch::asm!(".byte 0xc6, 0x00, 0x00", in("rax") page, options(nostack, preserves_flags)) };
        Ok(())
    })
}
