//! Processes: making, ending, waiting, and who belongs to whom.
use abi::Errno;
use abi::raw::general::*;
use abi::system::{CloneArgs, Rusage};
use abi::time::Timeval;
use core::sync::atomic::Ordering;
use memory::{UserPtr, UserSlice};
use task::traits::{FIXED_ADDRESSES, LINUX_32};
use task::wait::{CloneChildren, Found, Options, Status, Which};
use task::{Answer, CloneArguments, Task};
use trap::UserContext;
use zerocopy::{FromZeros, IntoBytes};

pub fn sched_yield(_: &Task) -> usize {
    scheduler::yield_now();
    0
}

pub fn getpid(task: &Task) -> usize {
    task.process.pid as usize
}

pub fn gettid(task: &Task) -> usize {
    task.tid() as usize
}

pub fn getppid(task: &Task) -> usize {
    task.process.parent() as usize
}

/// exit(2): the thread alone.
pub fn exit(task: &Task, status: u32) -> usize {
    task::exit::exit_thread(task, (status & 0xff) << 8);
    0
}

pub fn exit_group(task: &Task, status: u32) -> usize {
    task::exit::exit_group(task, (status & 0xff) << 8);
    0
}

pub fn fork(task: &Task, context: &mut UserContext) -> Answer {
    let arguments = CloneArguments { exit_signal: SIGCHLD, ..CloneArguments::default() };
    task::fork::clone(task, context, arguments).map(|pid| pid as usize)
}

pub fn vfork(task: &Task, context: &mut UserContext) -> Answer {
    let flags = u64::from(CLONE_VFORK | CLONE_VM);
    let arguments = CloneArguments { flags, exit_signal: SIGCHLD, ..CloneArguments::default() };
    task::fork::clone(task, context, arguments).map(|pid| pid as usize)
}

/// clone(2), with the arguments in x86-64's order.
pub fn clone(
    task: &Task,
    context: &mut UserContext,
    flags: u64,
    stack: u64,
    parent_tid: usize,
    child_tid: usize,
    tls: u64,
) -> Answer {
    let flags = flags & 0xffff_ffff;
    let wants_file = flags & u64::from(CLONE_PIDFD) != 0;
    if wants_file && flags & u64::from(CLONE_PARENT_SETTID) != 0 {
        // Both would write to the same place.
        return Err(Errno::EINVAL.into());
    }
    let arguments = CloneArguments {
        flags: flags & !u64::from(CSIGNAL | CLONE_PIDFD),
        exit_signal: (flags & u64::from(CSIGNAL)) as u32,
        stack,
        parent_tid,
        child_tid,
        tls,
    };
    if wants_file {
        return clone_with_file(task, context, arguments, parent_tid);
    }
    task::fork::clone(task, context, arguments).map(|pid| pid as usize)
}

/// CLONE_PIDFD: makes the child, and a descriptor for it whose number is written to `place` before the child runs.
fn clone_with_file(task: &Task, context: &UserContext, arguments: CloneArguments, place: usize) -> Answer {
    if arguments.flags & task::fork::NOT_WITH_PIDFD != 0 {
        return Err(Errno::EINVAL.into());
    }
    let table = crate::files::table(task)?;
    let reserved = table.reserve(0, true, task.limit(RLIMIT_NOFILE))?;
    UserPtr::<i32>::new(place).write(&(reserved.number() as i32))?;
    let made = task::fork::clone_observed(task, context, arguments, |process| {
        if let Ok(opened) = crate::process_files::open(task, process, false) {
            reserved.fill(opened);
        }
    });
    made.map(|pid| pid as usize)
}

/// Bytes of the first version of `struct clone_args`.
const CLONE_ARGS_SIZE_VER0: usize = 64;

pub fn clone3(task: &Task, context: &mut UserContext, address: usize, size: usize) -> Answer {
    if size > abi::PAGE_SIZE {
        return Err(Errno::E2BIG.into());
    }
    if size < CLONE_ARGS_SIZE_VER0 {
        return Err(Errno::EINVAL.into());
    }
    let mut given = CloneArgs::new_zeroed();
    let known = size.min(size_of::<CloneArgs>());
    UserSlice::new(address, known).read(&mut given.as_mut_bytes()[..known])?;
    for at in known..size {
        if UserPtr::<u8>::new(address.wrapping_add(at)).read()? != 0 {
            return Err(Errno::E2BIG.into());
        }
    }
    let beyond = given.set_tid != 0 || given.set_tid_size != 0 || given.flags & CLONE_INTO_CGROUP != 0;
    if beyond {
        task::stub("clone3: set_tid, CLONE_INTO_CGROUP");
        return Err(Errno::EINVAL.into());
    }
    let contradicts = given.flags & u64::from(CSIGNAL | CLONE_DETACHED) != 0
        || given.exit_signal > 64
        || (given.stack == 0) != (given.stack_size == 0)
        || given.flags & u64::from(CLONE_THREAD | CLONE_PARENT) != 0 && given.exit_signal != 0;
    if contradicts {
        return Err(Errno::EINVAL.into());
    }
    let arguments = CloneArguments {
        flags: given.flags & !u64::from(CLONE_PIDFD),
        exit_signal: given.exit_signal as u32,
        stack: given.stack.wrapping_add(given.stack_size),
        parent_tid: given.parent_tid as usize,
        child_tid: given.child_tid as usize,
        tls: given.tls,
    };
    if given.flags & u64::from(CLONE_PIDFD) != 0 {
        return clone_with_file(task, context, arguments, given.pidfd as usize);
    }
    task::fork::clone(task, context, arguments).map(|pid| pid as usize)
}

/// unshare(2), of what need not have namespaces.
pub fn unshare(task: &Task, flags: u32) -> Result<(), Errno> {
    if flags & !(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) != 0 {
        task::stub("unshare: namespaces");
        return Err(Errno::EINVAL);
    }
    if flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) != 0 && task.process.thread_count() > 1 {
        return Err(Errno::EINVAL);
    }
    if flags & CLONE_FILES != 0 {
        task.files.unshare_descriptors()?;
    }
    if flags & CLONE_FS != 0 {
        task.files.unshare_context();
    }
    Ok(())
}

fn rusage(found: &Found) -> Rusage {
    crate::resources::rusage(&found.used)
}

pub(crate) fn timeval(nanoseconds: u64) -> Timeval {
    Timeval { seconds: (nanoseconds / 1_000_000_000) as i64, microseconds: (nanoseconds / 1000 % 1_000_000) as i64 }
}

fn clone_children(options: u32) -> CloneChildren {
    match options {
        options if options & __WALL != 0 => CloneChildren::Too,
        options if options & __WCLONE != 0 => CloneChildren::Only,
        _ => CloneChildren::No,
    }
}

pub fn wait4(task: &Task, pid: i32, status: UserPtr<u32>, options: u32, usage: UserPtr<Rusage>) -> Answer {
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let which = match pid {
        i32::MIN => return Err(Errno::ESRCH.into()),
        -1 => Which::Any,
        0 => Which::Group(task.process.group()),
        pid if pid < 0 => Which::Group(pid.unsigned_abs()),
        pid => Which::Process(pid as u32),
    };
    let options = Options {
        exited: true,
        stopped: options & WUNTRACED != 0,
        continued: options & WCONTINUED != 0,
        no_hang: options & WNOHANG != 0,
        no_wait: false,
        own_only: options & __WNOTHREAD != 0,
        clone_children: clone_children(options),
    };
    let Some(found) = task::wait::wait(task, which, options)? else { return Ok(0) };
    if let Some(status) = status.non_null() {
        status.write(&found.status.to_number())?;
    }
    if let Some(usage) = usage.non_null() {
        usage.write(&rusage(&found))?;
    }
    Ok(found.pid as usize)
}

pub fn waitid(
    task: &Task,
    kind: u32,
    id: u32,
    information: UserPtr<[u32; 32]>,
    options: u32,
    usage: UserPtr<Rusage>,
) -> Answer {
    let known = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
    if options & !known != 0 || options & (WEXITED | WSTOPPED | WCONTINUED) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut may_block = true;
    let which = match kind {
        P_ALL => Which::Any,
        P_PID if id as i32 > 0 => Which::Process(id),
        P_PGID if id as i32 > 0 => Which::Group(id),
        P_PGID if id == 0 => Which::Group(task.process.group()),
        P_PIDFD if id as i32 >= 0 => {
            let (process, nonblocking) = crate::process_files::process_of(task, crate::Fd(id as i32))?;
            may_block = !nonblocking;
            Which::Process(process.pid)
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let wanted = Options {
        exited: options & WEXITED != 0,
        stopped: options & WSTOPPED != 0,
        continued: options & WCONTINUED != 0,
        no_hang: options & WNOHANG != 0 || !may_block,
        no_wait: options & WNOWAIT != 0,
        own_only: options & __WNOTHREAD != 0,
        clone_children: clone_children(options),
    };
    let found = task::wait::wait(task, which, wanted)?;
    if found.is_none() && !may_block && options & WNOHANG == 0 {
        return Err(Errno::EAGAIN.into());
    }
    if let (Some(found), Some(usage)) = (&found, usage.non_null()) {
        usage.write(&rusage(found))?;
    }
    if let Some(place) = information.non_null() {
        place.write(&child_information(found.as_ref()))?;
    }
    Ok(0)
}

/// `siginfo_t` as waitid(2) fills it: signal, errno, code, padding, pid, uid, status.
fn child_information(found: Option<&Found>) -> [u32; 32] {
    let mut words = [0; 32];
    let Some(found) = found else { return words };
    let (code, status) = match found.status {
        Status::Exited(code) => (CLD_EXITED, u32::from(code)),
        Status::Killed { signal, core: false } => (CLD_KILLED, u32::from(signal)),
        Status::Killed { signal, core: true } => (CLD_DUMPED, u32::from(signal)),
        Status::Stopped(signal) => (CLD_STOPPED, u32::from(signal)),
        Status::Continued => (CLD_CONTINUED, SIGCONT),
    };
    (words[0], words[2], words[4], words[5], words[6]) = (SIGCHLD, code, found.pid, found.uid, status);
    words
}

pub fn set_tid_address(task: &Task, address: usize) -> usize {
    task.clear_child_tid.store(address, Ordering::Relaxed);
    task.tid() as usize
}

pub fn setpgid(task: &Task, pid: i32, group: i32) -> Result<(), Errno> {
    let (pid, group) =
        (u32::try_from(pid).map_err(|_| Errno::ESRCH)?, u32::try_from(group).map_err(|_| Errno::EINVAL)?);
    let pid = if pid == 0 { task.process.pid } else { pid };
    task::groups::set_group(&task.process, pid, if group == 0 { pid } else { group })
}

pub fn getpgid(task: &Task, pid: u32) -> Result<usize, Errno> {
    let group =
        if pid == 0 { task.process.group() } else { task::tree::find_process(pid).ok_or(Errno::ESRCH)?.group() };
    Ok(group as usize)
}

pub fn getpgrp(task: &Task) -> usize {
    task.process.group() as usize
}

/// vhangup(2). EPERM without CAP_SYS_TTY_CONFIG.
pub fn vhangup(task: &Task) -> Result<(), Errno> {
    if !task.credentials().has(vfs::Capabilities::SYS_TTY_CONFIG) {
        return Err(Errno::EPERM);
    }
    terminals::hang_up_of(&task.process);
    Ok(())
}

pub fn setsid(task: &Task) -> Result<usize, Errno> {
    task::groups::new_session(&task.process).map(|session| session as usize)
}

pub fn getsid(task: &Task, pid: u32) -> Result<usize, Errno> {
    let session =
        if pid == 0 { task.process.session() } else { task::tree::find_process(pid).ok_or(Errno::ESRCH)?.session() };
    Ok(session as usize)
}

const ARCH_SET_GS: u32 = 0x1001;
const ARCH_SET_FS: u32 = 0x1002;
const ARCH_GET_FS: u32 = 0x1003;
const ARCH_GET_GS: u32 = 0x1004;

/// arch_prctl(2): the bases of FS and GS. Others are for features that are not there: EINVAL, as on an older Linux.
pub fn arch_prctl(_: &Task, code: u32, address: u64) -> Result<(), Errno> {
    let place = UserPtr::<u64>::new(address as usize);
    match code {
        ARCH_SET_FS | ARCH_SET_GS => {
            if address >= memory::USER_END as u64 {
                return Err(Errno::EPERM);
            }
            sync::Thread::with_user_state(|state| {
                if code == ARCH_SET_FS { state.fs_base = address } else { state.gs_base = address }
            });
            Ok(())
        }
        ARCH_GET_FS => place.write(&sync::Thread::with_user_state(|state| state.fs_base).unwrap_or(0)),
        ARCH_GET_GS => place.write(&sync::Thread::with_user_state(|state| state.gs_base).unwrap_or(0)),
        _ => Err(Errno::EINVAL),
    }
}

/// personality(2): Linux's own, or its own on 32 bits, and ADDR_NO_RANDOMIZE. Answers the old one.
pub fn personality(task: &Task, persona: u32) -> Result<usize, Errno> {
    let personality = &task.traits.personality;
    match persona & !FIXED_ADDRESSES {
        0 | LINUX_32 => Ok(personality.swap(persona, Ordering::Relaxed) as usize),
        _ if persona == u32::MAX => Ok(personality.load(Ordering::Relaxed) as usize),
        _ => {
            task::stub("personality: other than Linux");
            Err(Errno::EINVAL)
        }
    }
}
