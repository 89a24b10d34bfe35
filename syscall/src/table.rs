//! The table.
use crate::dispatch::missing;
use crate::handler::{Handler, Packed};
use crate::{
    attributes, credentials, descriptors, epoll, execute, files, futex, locks, memory_calls as memory, other_memory,
    paths, pipes, poll, process, process_control, process_files, resources, scheduling, select, signal_files, signals,
    storage, system, time_calls as time, timer_files, timers, times, vectors,
};
use abi::raw::general as numbers;
use task::Task;
use trap::UserContext;

type Function = fn(&Task, &mut UserContext) -> Packed;

/// One system call.
#[derive(Clone, Copy)]
pub struct Row {
    pub number: u32,
    pub name: &'static str,
    function: Function,
}

/// A row: the call's name as the UAPI headers have it, its number for i386 (or `-`), and its handler.
macro_rules! rows {
    ($($name:ident $compatible:tt => $handler:expr;)*) => {
        /// All calls that are there.
        static ROWS: &[Row] = &[$(Row {
            number: number!($name),
            name: stringify!($name),
            function: |task, context| Handler::call(&$handler, task, context).into(),
        },)*];

        /// The calls of the 32-bit door: those whose arguments have the same layout in both worlds.
        static COMPATIBLE: &[(i32, Function)] = &[$((compatible!($compatible), |task, context| Handler::call(&$handler, task, context).into()),)*];
    };
}

macro_rules! number {
    ($name:ident) => {
        paste_number::$name
    };
}

macro_rules! compatible {
    (-) => {
        -1
    };
    ($number:literal) => {
        $number
    };
}

/// Numbers under the calls' plain names.
#[allow(non_upper_case_globals, reason = "calls are named as in the headers")]
mod paste_number {
    use super::numbers;
    macro_rules! plain {
        ($($name:ident = $number:ident;)*) => { $(pub const $name: u32 = numbers::$number;)* };
    }
    plain! {
        sched_yield = __NR_sched_yield; getpid = __NR_getpid; gettid = __NR_gettid; getppid = __NR_getppid;
        exit = __NR_exit; exit_group = __NR_exit_group; fork = __NR_fork; vfork = __NR_vfork; clone = __NR_clone; clone3 = __NR_clone3;
        wait4 = __NR_wait4; waitid = __NR_waitid; set_tid_address = __NR_set_tid_address; setpgid = __NR_setpgid; getpgid = __NR_getpgid;
        getpgrp = __NR_getpgrp; setsid = __NR_setsid; getsid = __NR_getsid; arch_prctl = __NR_arch_prctl; prctl = __NR_prctl;
        personality = __NR_personality;
        mmap = __NR_mmap; munmap = __NR_munmap; mprotect = __NR_mprotect; mremap = __NR_mremap; brk = __NR_brk; madvise = __NR_madvise;
        mincore = __NR_mincore; msync = __NR_msync; mlock = __NR_mlock; mlock2 = __NR_mlock2; munlock = __NR_munlock; mlockall = __NR_mlockall;
        munlockall = __NR_munlockall;
        futex = __NR_futex; set_robust_list = __NR_set_robust_list; get_robust_list = __NR_get_robust_list;
        rt_sigaction = __NR_rt_sigaction; rt_sigprocmask = __NR_rt_sigprocmask; rt_sigreturn = __NR_rt_sigreturn; rt_sigpending = __NR_rt_sigpending;
        rt_sigsuspend = __NR_rt_sigsuspend; rt_sigtimedwait = __NR_rt_sigtimedwait; rt_sigqueueinfo = __NR_rt_sigqueueinfo;
        rt_tgsigqueueinfo = __NR_rt_tgsigqueueinfo; sigaltstack = __NR_sigaltstack; kill = __NR_kill; tkill = __NR_tkill; tgkill = __NR_tgkill;
        pause = __NR_pause; restart_syscall = __NR_restart_syscall;
        nanosleep = __NR_nanosleep; clock_nanosleep = __NR_clock_nanosleep; clock_gettime = __NR_clock_gettime; clock_getres = __NR_clock_getres;
        clock_settime = __NR_clock_settime; gettimeofday = __NR_gettimeofday; settimeofday = __NR_settimeofday; time = __NR_time;
        alarm = __NR_alarm; setitimer = __NR_setitimer; getitimer = __NR_getitimer;
        uname = __NR_uname; sysinfo = __NR_sysinfo; getcpu = __NR_getcpu; getrandom = __NR_getrandom; reboot = __NR_reboot;
        sethostname = __NR_sethostname; setdomainname = __NR_setdomainname; syslog = __NR_syslog; vhangup = __NR_vhangup;
        getrlimit = __NR_getrlimit; setrlimit = __NR_setrlimit; prlimit64 = __NR_prlimit64; getrusage = __NR_getrusage; times = __NR_times;
        getpriority = __NR_getpriority; setpriority = __NR_setpriority; sched_getaffinity = __NR_sched_getaffinity;
        sched_setaffinity = __NR_sched_setaffinity; sched_getscheduler = __NR_sched_getscheduler; sched_getparam = __NR_sched_getparam;
        sched_get_priority_max = __NR_sched_get_priority_max; sched_get_priority_min = __NR_sched_get_priority_min;
        open = __NR_open; openat = __NR_openat; creat = __NR_creat; close = __NR_close; read = __NR_read; write = __NR_write;
        pread64 = __NR_pread64; pwrite64 = __NR_pwrite64; readv = __NR_readv; writev = __NR_writev; preadv = __NR_preadv; pwritev = __NR_pwritev;
        lseek = __NR_lseek; sendfile = __NR_sendfile; copy_file_range = __NR_copy_file_range; dup = __NR_dup; dup2 = __NR_dup2; dup3 = __NR_dup3;
        fcntl = __NR_fcntl; ioctl = __NR_ioctl; execve = __NR_execve; execveat = __NR_execveat; pipe = __NR_pipe; pipe2 = __NR_pipe2;

        newfstatat = __NR_newfstatat; stat = __NR_stat; lstat = __NR_lstat; fstat = __NR_fstat; statx = __NR_statx; faccessat = __NR_faccessat; faccessat2 = __NR_faccessat2; access = __NR_access; readlinkat = __NR_readlinkat; readlink = __NR_readlink; mkdirat = __NR_mkdirat; mkdir = __NR_mkdir; mknodat = __NR_mknodat; mknod = __NR_mknod; unlinkat = __NR_unlinkat; unlink = __NR_unlink; rmdir = __NR_rmdir; renameat2 = __NR_renameat2; renameat = __NR_renameat; rename = __NR_rename; linkat = __NR_linkat; link = __NR_link; symlinkat = __NR_symlinkat; symlink = __NR_symlink; fchmodat = __NR_fchmodat; chmod = __NR_chmod; fchmod = __NR_fchmod; fchownat = __NR_fchownat; chown = __NR_chown; lchown = __NR_lchown; fchown = __NR_fchown; truncate = __NR_truncate; ftruncate = __NR_ftruncate; getcwd = __NR_getcwd; chdir = __NR_chdir; fchdir = __NR_fchdir; chroot = __NR_chroot; umask = __NR_umask; statfs = __NR_statfs; fstatfs = __NR_fstatfs; getdents64 = __NR_getdents64; sync = __NR_sync; fsync = __NR_fsync; mount = __NR_mount; umount2 = __NR_umount2; fdatasync = __NR_fdatasync;
        memfd_create = __NR_memfd_create; utimensat = __NR_utimensat; futimesat = __NR_futimesat; utimes = __NR_utimes; utime = __NR_utime; fallocate = __NR_fallocate; flock = __NR_flock; getdents = __NR_getdents; readahead = __NR_readahead; fadvise64 = __NR_fadvise64; close_range = __NR_close_range; preadv2 = __NR_preadv2; pwritev2 = __NR_pwritev2; sync_file_range = __NR_sync_file_range; syncfs = __NR_syncfs; fchmodat2 = __NR_fchmodat2; unshare = __NR_unshare;
        getxattr = __NR_getxattr; lgetxattr = __NR_lgetxattr; fgetxattr = __NR_fgetxattr; setxattr = __NR_setxattr; lsetxattr = __NR_lsetxattr; fsetxattr = __NR_fsetxattr; listxattr = __NR_listxattr; llistxattr = __NR_llistxattr; flistxattr = __NR_flistxattr; removexattr = __NR_removexattr; lremovexattr = __NR_lremovexattr; fremovexattr = __NR_fremovexattr; pivot_root = __NR_pivot_root;
        epoll_create = __NR_epoll_create; epoll_create1 = __NR_epoll_create1; epoll_ctl = __NR_epoll_ctl; epoll_wait = __NR_epoll_wait; epoll_pwait = __NR_epoll_pwait; epoll_pwait2 = __NR_epoll_pwait2;
        signalfd = __NR_signalfd; signalfd4 = __NR_signalfd4; timerfd_create = __NR_timerfd_create; timerfd_settime = __NR_timerfd_settime; timerfd_gettime = __NR_timerfd_gettime; pidfd_open = __NR_pidfd_open; pidfd_send_signal = __NR_pidfd_send_signal; pidfd_getfd = __NR_pidfd_getfd;
        timer_create = __NR_timer_create; timer_settime = __NR_timer_settime; timer_gettime = __NR_timer_gettime; timer_getoverrun = __NR_timer_getoverrun; timer_delete = __NR_timer_delete;
        sched_setscheduler = __NR_sched_setscheduler; sched_setparam = __NR_sched_setparam; sched_setattr = __NR_sched_setattr; sched_getattr = __NR_sched_getattr;
        process_vm_readv = __NR_process_vm_readv; process_vm_writev = __NR_process_vm_writev; membarrier = __NR_membarrier;
        eventfd = __NR_eventfd; eventfd2 = __NR_eventfd2; poll = __NR_poll; ppoll = __NR_ppoll; select = __NR_select; pselect6 = __NR_pselect6;
        getuid = __NR_getuid; geteuid = __NR_geteuid; getgid = __NR_getgid; getegid = __NR_getegid; getresuid = __NR_getresuid;
        getresgid = __NR_getresgid; setuid = __NR_setuid; setgid = __NR_setgid; setreuid = __NR_setreuid; setregid = __NR_setregid;
        setresuid = __NR_setresuid; setresgid = __NR_setresgid; setfsuid = __NR_setfsuid; setfsgid = __NR_setfsgid; getgroups = __NR_getgroups;
        setgroups = __NR_setgroups; capget = __NR_capget; capset = __NR_capset;
    }
}

rows! {
    sched_yield 158 => process::sched_yield;
    getpid 20 => process::getpid;
    gettid 224 => process::gettid;
    getppid 64 => process::getppid;
    exit 1 => process::exit;
    exit_group 252 => process::exit_group;
    fork 2 => process::fork;
    vfork 190 => process::vfork;
    clone - => process::clone;
    clone3 435 => process::clone3;
    wait4 - => process::wait4;
    waitid - => process::waitid;
    set_tid_address 258 => process::set_tid_address;
    setpgid 57 => process::setpgid;
    getpgid 132 => process::getpgid;
    getpgrp 65 => process::getpgrp;
    setsid 66 => process::setsid;
    vhangup 111 => process::vhangup;
    getsid 147 => process::getsid;
    arch_prctl 384 => process::arch_prctl;
    prctl 172 => process_control::prctl;
    personality 136 => process::personality;

    mmap - => memory::mmap;
    munmap 91 => memory::munmap;
    mprotect 125 => memory::mprotect;
    mremap 163 => memory::mremap;
    brk 45 => memory::brk;
    madvise 219 => memory::madvise;
    mincore 218 => memory::mincore;
    msync 144 => memory::msync;
    mlock 150 => memory::mlock;
    mlock2 376 => memory::mlock2;
    munlock 151 => memory::munlock;
    mlockall 152 => memory::mlockall;
    munlockall 153 => memory::munlockall;

    futex - => futex::futex;
    set_robust_list - => futex::set_robust_list;
    get_robust_list - => futex::get_robust_list;

    rt_sigaction - => signals::rt_sigaction;
    rt_sigprocmask - => signals::rt_sigprocmask;
    rt_sigreturn - => signals::rt_sigreturn;
    rt_sigpending - => signals::rt_sigpending;
    rt_sigsuspend - => signals::rt_sigsuspend;
    rt_sigtimedwait - => signals::rt_sigtimedwait;
    rt_sigqueueinfo - => signals::rt_sigqueueinfo;
    rt_tgsigqueueinfo - => signals::rt_tgsigqueueinfo;
    sigaltstack - => signals::sigaltstack;
    kill 37 => signals::kill;
    tkill 238 => signals::tkill;
    tgkill 270 => signals::tgkill;
    pause 29 => signals::pause;
    restart_syscall 0 => signals::restart_syscall;

    nanosleep - => time::nanosleep;
    clock_nanosleep - => time::clock_nanosleep;
    clock_gettime - => time::clock_gettime;
    clock_getres - => time::clock_getres;
    clock_settime - => time::clock_settime;
    gettimeofday - => time::gettimeofday;
    settimeofday - => time::settimeofday;
    time - => time::time;
    alarm 27 => time::alarm;
    setitimer - => time::setitimer;
    getitimer - => time::getitimer;

    uname 122 => system::uname;
    sysinfo - => system::sysinfo;
    getcpu 318 => system::getcpu;
    getrandom 355 => system::getrandom;
    reboot 88 => system::reboot;
    sethostname 74 => system::sethostname;
    setdomainname 121 => system::setdomainname;
    syslog 103 => system::syslog;

    getrlimit - => resources::getrlimit;
    setrlimit - => resources::setrlimit;
    prlimit64 340 => resources::prlimit64;
    getrusage - => resources::getrusage;
    times - => resources::times;
    getpriority 96 => resources::getpriority;
    setpriority 97 => resources::setpriority;
    sched_getaffinity - => scheduling::sched_getaffinity;
    sched_setaffinity - => scheduling::sched_setaffinity;
    sched_getscheduler 157 => scheduling::sched_getscheduler;
    sched_getparam 155 => scheduling::sched_getparam;
    sched_get_priority_max 159 => scheduling::sched_get_priority_max;
    sched_get_priority_min 160 => scheduling::sched_get_priority_min;

    open 5 => files::open;
    openat 295 => files::openat;
    creat 8 => files::creat;
    close 6 => descriptors::close;
    read 3 => files::read;
    write 4 => files::write;
    pread64 - => files::pread64;
    pwrite64 - => files::pwrite64;
    readv - => vectors::readv;
    writev - => vectors::writev;
    preadv - => vectors::preadv;
    pwritev - => vectors::pwritev;
    lseek - => files::lseek;
    sendfile - => files::sendfile;
    copy_file_range 377 => files::copy_file_range;
    dup 41 => descriptors::dup;
    dup2 63 => descriptors::dup2;
    dup3 330 => descriptors::dup3;
    fcntl - => descriptors::fcntl;
    ioctl 54 => files::ioctl;
    execve - => execute::execve;
    execveat - => execute::execveat;
    pipe 42 => pipes::pipe;
    pipe2 331 => pipes::pipe2;
    eventfd 323 => pipes::eventfd;
    eventfd2 328 => pipes::eventfd2;
    poll 168 => poll::poll;
    ppoll - => poll::ppoll;
    select - => select::select;
    pselect6 - => select::pselect6;

    newfstatat - => paths::newfstatat;
    stat - => paths::stat;
    lstat - => paths::lstat;
    fstat - => paths::fstat;
    statx 383 => paths::statx;
    faccessat 307 => paths::faccessat;
    faccessat2 439 => paths::faccessat2;
    access 33 => paths::access;
    readlinkat 305 => paths::readlinkat;
    readlink 85 => paths::readlink;
    mkdirat 296 => paths::mkdirat;
    mkdir 39 => paths::mkdir;
    mknodat 297 => paths::mknodat;
    mknod 14 => paths::mknod;
    unlinkat 301 => paths::unlinkat;
    unlink 10 => paths::unlink;
    rmdir 40 => paths::rmdir;
    renameat2 353 => paths::renameat2;
    renameat 302 => paths::renameat;
    rename 38 => paths::rename;
    linkat 303 => paths::linkat;
    link 9 => paths::link;
    symlinkat 304 => paths::symlinkat;
    symlink 83 => paths::symlink;
    fchmodat 306 => paths::fchmodat;
    chmod 15 => paths::chmod;
    fchmod 94 => paths::fchmod;
    fchownat 298 => paths::fchownat;
    chown 212 => paths::chown;
    lchown 198 => paths::lchown;
    fchown 207 => paths::fchown;
    truncate - => paths::truncate;
    ftruncate - => paths::ftruncate;
    getcwd 183 => paths::getcwd;
    chdir 12 => paths::chdir;
    fchdir 133 => paths::fchdir;
    chroot 61 => paths::chroot;
    umask 60 => paths::umask;
    statfs - => paths::statfs;
    fstatfs - => paths::fstatfs;
    getdents64 220 => paths::getdents64;
    sync 36 => paths::sync;
    fsync 118 => paths::fsync;
    mount 21 => paths::mount;
    umount2 52 => paths::umount2;
    fdatasync 148 => paths::fsync;

    memfd_create 356 => storage::memfd_create;
    fallocate - => storage::fallocate;
    readahead - => storage::readahead;
    fadvise64 - => storage::fadvise64;
    sync_file_range - => storage::sync_file_range;
    syncfs 344 => storage::syncfs;
    utimensat - => times::utimensat;
    futimesat - => times::futimesat;
    utimes - => times::utimes;
    utime - => times::utime;
    flock 143 => locks::flock;
    getdents - => paths::getdents;
    close_range 436 => descriptors::close_range;
    preadv2 - => vectors::preadv2;
    pwritev2 - => vectors::pwritev2;
    fchmodat2 452 => paths::fchmodat2;
    unshare 310 => process::unshare;

    getxattr 229 => attributes::getxattr;
    lgetxattr 230 => attributes::lgetxattr;
    fgetxattr 231 => attributes::fgetxattr;
    setxattr 226 => attributes::setxattr;
    lsetxattr 227 => attributes::lsetxattr;
    fsetxattr 228 => attributes::fsetxattr;
    listxattr 232 => attributes::listxattr;
    llistxattr 233 => attributes::llistxattr;
    flistxattr 234 => attributes::flistxattr;
    removexattr 235 => attributes::removexattr;
    lremovexattr 236 => attributes::lremovexattr;
    fremovexattr 237 => attributes::fremovexattr;
    pivot_root 217 => paths::pivot_root;

    epoll_create 254 => epoll::epoll_create;
    epoll_create1 329 => epoll::epoll_create1;
    epoll_ctl 255 => epoll::epoll_ctl;
    epoll_wait 256 => epoll::epoll_wait;
    epoll_pwait 319 => epoll::epoll_pwait;
    epoll_pwait2 - => epoll::epoll_pwait2;

    signalfd 321 => signal_files::signalfd;
    signalfd4 327 => signal_files::signalfd4;
    timerfd_create 322 => timer_files::timerfd_create;
    timerfd_settime - => timer_files::timerfd_settime;
    timerfd_gettime - => timer_files::timerfd_gettime;
    pidfd_open 434 => process_files::pidfd_open;
    pidfd_send_signal 424 => process_files::pidfd_send_signal;
    pidfd_getfd 438 => process_files::pidfd_getfd;

    timer_create - => timers::timer_create;
    timer_settime - => timers::timer_settime;
    timer_gettime - => timers::timer_gettime;
    timer_getoverrun 262 => timers::timer_getoverrun;
    timer_delete 263 => timers::timer_delete;

    sched_setscheduler 156 => scheduling::sched_setscheduler;
    sched_setparam 154 => scheduling::sched_setparam;
    sched_setattr 351 => scheduling::sched_setattr;
    sched_getattr 352 => scheduling::sched_getattr;

    process_vm_readv - => other_memory::process_vm_readv;
    process_vm_writev - => other_memory::process_vm_writev;
    membarrier 375 => other_memory::membarrier;

    getuid 199 => credentials::getuid;
    geteuid 201 => credentials::geteuid;
    getgid 200 => credentials::getgid;
    getegid 202 => credentials::getegid;
    getresuid 209 => credentials::getresuid;
    getresgid 211 => credentials::getresgid;
    setuid 213 => credentials::setuid;
    setgid 214 => credentials::setgid;
    setreuid 203 => credentials::setreuid;
    setregid 204 => credentials::setregid;
    setresuid 208 => credentials::setresuid;
    setresgid 210 => credentials::setresgid;
    setfsuid 215 => credentials::setfsuid;
    setfsgid 216 => credentials::setfsgid;
    getgroups 205 => credentials::getgroups;
    setgroups 206 => credentials::setgroups;
    capget - => credentials::capget;
    capset - => credentials::capset;
}

/// One more than the largest number that has a row.
const LIMIT: usize = 512;

/// By number, for dispatch in constant time.
static NATIVE: [Function; LIMIT] = {
    let mut table: [Function; LIMIT] = [missing; LIMIT];
    let mut index = 0;
    while index < ROWS.len() {
        table[ROWS[index].number as usize] = ROWS[index].function;
        index += 1;
    }
    table
};

static BY_COMPATIBLE_NUMBER: [Function; LIMIT] = {
    let mut table: [Function; LIMIT] = [missing; LIMIT];
    let mut index = 0;
    while index < COMPATIBLE.len() {
        if COMPATIBLE[index].0 >= 0 {
            table[COMPATIBLE[index].0 as usize] = COMPATIBLE[index].1;
        }
        index += 1;
    }
    table
};

#[inline(always)]
pub(crate) fn native(number: u64) -> Function {
    // The number is an int: what stands above does not matter.
    match NATIVE.get(number as u32 as usize) {
        Some(function) => *function,
        None => missing,
    }
}

pub(crate) fn compatible(number: u64) -> Function {
    BY_COMPATIBLE_NUMBER.get(number as u32 as usize).copied().unwrap_or(missing)
}

/// The table, for lists of what is there.
pub fn rows() -> &'static [Row] {
    ROWS
}
