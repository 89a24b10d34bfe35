//! From a number to its handler, through both doors.
use crate::handler::Packed;
use crate::table;
use abi::{Errno, PtRegs};
use task::life::Door;
use task::{Answer, Task};
use trap::UserContext;

/// Serves the system call that `context` holds, and leaves its answer in RAX. An interrupted call's restart is kept with the
/// task, for when its signal is handled.
pub fn dispatch(task: &Task, context: &mut UserContext, door: Door) {
    let answer = match door {
        Door::Native => {
            let number = context.rax;
            context.original_rax = number;
            table::native(number)(task, context)
        }
        Door::Compatible => through_32_bit_door(task, context),
    };
    finish(task, context, answer);
}

#[inline(always)]
fn finish(task: &Task, context: &mut UserContext, answer: Packed) {
    match answer.unpack() {
        Ok(value) => context.rax = value,
        Err(restart) => task.interrupted(context, restart),
    }
}

/// `int 0x80`: the numbers and registers of i386 (EBX ECX EDX ESI EDI EBP), each taken as 32 bits. The program's own registers
/// are unharmed but for RAX.
#[cold]
#[inline(never)]
fn through_32_bit_door(task: &Task, context: &mut UserContext) -> Packed {
    let number = context.rax & 0xffff_ffff;
    context.original_rax = number;
    let saved = *context;
    let narrow = |register: u64| register & 0xffff_ffff;
    let PtRegs { rbx, rcx, rdx, rsi, rdi, rbp, .. } = **context;
    (context.rbx, context.rcx, context.rbp) = (narrow(rbx), narrow(rcx), narrow(rbp));
    (context.rdi, context.rsi, context.rdx) = (narrow(rbx), narrow(rcx), narrow(rdx));
    (context.r10, context.r8, context.r9) = (narrow(rsi), narrow(rdi), narrow(rbp));
    let answer = table::compatible(number)(task, context);
    let replaced = context.rip != saved.rip || context.rsp != saved.rsp;
    if !replaced {
        let (rax, original) = (context.rax, context.original_rax);
        *context = saved;
        (context.rax, context.original_rax) = (rax, original);
    }
    answer
}

/// A call that is not there.
pub(crate) fn missing(_: &Task, _: &mut UserContext) -> Packed {
    Answer::Err(Errno::ENOSYS.into()).into()
}
