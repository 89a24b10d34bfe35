//! wait4 and waitid: whom they find, what they tell; zombies, orphans, stopped and continued children.
use crate::call::{errno, must};
use crate::child::{End, PAGE, fork, handle, run, shared, sleep, state, until, until_asleep, wait};
use crate::sys;
use std::mem::zeroed;
use std::sync::atomic::{AtomicI32, Ordering};

crate::tests!(
    exit_status_is_one_byte,
    killed_by_signals,
    no_children,
    not_a_child,
    without_hanging,
    by_process_group,
    any_child,
    zombies_stay_until_waited_for,
    waitid_tells_everything,
    waitid_can_leave_the_child,
    waitid_rejects_nonsense,
    stopped_and_continued,
    waitid_stopped_and_continued,
    unasked_stops_are_not_reported,
    ignored_children_leave_no_zombies,
    no_child_wait_leaves_no_zombies,
    child_signal_tells_the_reason,
    child_signal_of_a_stop,
    no_child_stop_is_silent,
    orphans_go_to_the_subreaper,
    orphans_go_to_init,
    parent_death_signal,
    exit_of_a_thread_is_not_exit,
    exit_group_ends_all_threads,
    wait_is_interrupted,
    wait_is_restarted,
    children_of_another_thread,
    usage_of_a_child,
    kill_without_a_target,
    kill_a_zombie,
);

fn exit_status_is_one_byte() {
    assert_eq!(run(|| 0), End::Exit(0));
    assert_eq!(run(|| 255), End::Exit(255));
    assert_eq!(run(|| 256 + 17), End::Exit(17));
    assert_eq!(run(|| -1), End::Exit(255));
}

fn killed_by_signals() {
    for signal in (1..65).filter(|&signal| ![17, 18, 19, 20, 21, 22, 23, 28, 32, 33].contains(&signal)) {
        let end = run(|| unsafe {
            libc::syscall(libc::SYS_kill, libc::getpid(), signal);
            3
        });
        assert_eq!(end, End::Signal(signal));
    }
}

fn no_children() {
    let mut status = 0;
    assert_eq!(errno(unsafe { libc::waitpid(-1, &mut status, 0) }), libc::ECHILD);
    assert_eq!(errno(unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) }), libc::ECHILD);
}

fn not_a_child() {
    let mut status = 0;
    let child = fork(|| 0);
    for process in [1, unsafe { libc::getpid() }, 999_999, -999_999] {
        assert_eq!(errno(unsafe { libc::waitpid(process, &mut status, 0) }), libc::ECHILD, "{process}");
    }
    assert_eq!(sys!(libc::SYS_wait4, i32::MIN, 0, 0, 0), Err(libc::ESRCH));
    assert_eq!(sys!(libc::SYS_wait4, -1i32, 0, 0x100, 0), Err(libc::EINVAL));
    wait(child);
}

fn without_hanging() {
    let child = fork(|| unsafe { libc::pause() });
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) }, 0);
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert_eq!(wait(child), End::Signal(libc::SIGKILL));
}

fn by_process_group() {
    let other = fork(|| unsafe {
        libc::setpgid(0, 0);
        7
    });
    unsafe { libc::setpgid(other, other) };
    let own = fork(|| 8);
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(-other, &mut status, 0) }, other);
    assert_eq!(end_of(status), End::Exit(7));
    assert_eq!(unsafe { libc::waitpid(0, &mut status, 0) }, own);
    assert_eq!(end_of(status), End::Exit(8));
}

fn end_of(status: i32) -> End {
    crate::child::end(status)
}

fn any_child() {
    let mut children: Vec<_> = (0..10).map(|number| fork(|| number)).collect();
    while !children.is_empty() {
        let child = must(unsafe { libc::wait(std::ptr::null_mut()) });
        assert!(children.contains(&child));
        children.retain(|other| *other != child);
    }
}

fn zombies_stay_until_waited_for() {
    let child = fork(|| 3);
    until(|| state(child) == 'Z');
    assert_eq!(unsafe { libc::kill(child, 0) }, 0, "a zombie is still there");
    assert_eq!(unsafe { libc::getpgid(child) }, unsafe { libc::getpgrp() });
    assert_eq!(wait(child), End::Exit(3));
    assert_eq!(errno(unsafe { libc::kill(child, 0) }), libc::ESRCH);
}

fn wait_id(kind: libc::idtype_t, id: i32, options: i32) -> Result<libc::siginfo_t, i32> {
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    sys!(libc::SYS_waitid, kind, id, &raw mut info, options, 0).map(|_| info)
}

fn told(info: &libc::siginfo_t) -> (i32, i32, i32, i32) {
    unsafe { (info.si_signo, info.si_code, info.si_pid(), info.si_status()) }
}

fn waitid_tells_everything() {
    let child = fork(|| 300);
    let info = wait_id(libc::P_PID, child, libc::WEXITED).unwrap();
    assert_eq!(told(&info), (libc::SIGCHLD, libc::CLD_EXITED, child, 300 & 0xff));
    let child = fork(|| unsafe { libc::raise(libc::SIGTERM) });
    let info = wait_id(libc::P_ALL, 0, libc::WEXITED).unwrap();
    assert_eq!(told(&info), (libc::SIGCHLD, libc::CLD_KILLED, child, libc::SIGTERM));
    let child = fork(|| unsafe {
        libc::setpgid(0, 0);
        libc::pause()
    });
    unsafe { libc::setpgid(child, child) };
    assert_eq!(told(&wait_id(libc::P_PGID, child, libc::WEXITED | libc::WNOHANG).unwrap()).2, 0);
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert_eq!(told(&wait_id(libc::P_PGID, child, libc::WEXITED).unwrap()).2, child);
}

fn waitid_can_leave_the_child() {
    let child = fork(|| 9);
    for _ in 0..3 {
        let info = wait_id(libc::P_PID, child, libc::WEXITED | libc::WNOWAIT).unwrap();
        assert_eq!(told(&info), (libc::SIGCHLD, libc::CLD_EXITED, child, 9));
    }
    assert_eq!(wait(child), End::Exit(9));
}

fn waitid_rejects_nonsense() {
    let child = fork(|| 0);
    assert_eq!(wait_id(libc::P_ALL, 0, 0).err(), Some(libc::EINVAL));
    assert_eq!(wait_id(libc::P_ALL, 0, libc::WEXITED | 0x100).err(), Some(libc::EINVAL));
    assert_eq!(wait_id(77, 0, libc::WEXITED).err(), Some(libc::EINVAL));
    assert_eq!(wait_id(libc::P_PID, 0, libc::WEXITED).err(), Some(libc::EINVAL));
    assert_eq!(wait_id(libc::P_PID, 999_999, libc::WEXITED).err(), Some(libc::ECHILD));
    wait(child);
}

fn stopped_and_continued() {
    let child = fork(|| unsafe { libc::pause() });
    let mut status = 0;
    for signal in [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        // Terminal stops do nothing to an orphaned group; this one has its parent in the same session.
        unsafe { libc::kill(child, signal) };
        assert_eq!(unsafe { libc::waitpid(child, &mut status, libc::WUNTRACED) }, child);
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == signal);
        assert_eq!(state(child), 'T');
        assert_eq!(unsafe { libc::waitpid(child, &mut status, libc::WUNTRACED | libc::WNOHANG) }, 0, "told once");
        unsafe { libc::kill(child, libc::SIGCONT) };
        assert_eq!(unsafe { libc::waitpid(child, &mut status, libc::WCONTINUED) }, child);
        assert!(libc::WIFCONTINUED(status));
    }
    unsafe {
        libc::kill(child, libc::SIGSTOP);
        libc::kill(child, libc::SIGKILL);
    }
    assert_eq!(wait(child), End::Signal(libc::SIGKILL), "a stopped process can be killed");
}

fn waitid_stopped_and_continued() {
    let child = fork(|| unsafe { libc::pause() });
    unsafe { libc::kill(child, libc::SIGSTOP) };
    let info = wait_id(libc::P_PID, child, libc::WSTOPPED).unwrap();
    assert_eq!(told(&info), (libc::SIGCHLD, libc::CLD_STOPPED, child, libc::SIGSTOP));
    unsafe { libc::kill(child, libc::SIGCONT) };
    let info = wait_id(libc::P_PID, child, libc::WCONTINUED).unwrap();
    assert_eq!(told(&info), (libc::SIGCHLD, libc::CLD_CONTINUED, child, libc::SIGCONT));
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

fn unasked_stops_are_not_reported() {
    let child = fork(|| unsafe { libc::pause() });
    unsafe { libc::kill(child, libc::SIGSTOP) };
    until(|| state(child) == 'T');
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) }, 0);
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

fn ignored_children_leave_no_zombies() {
    handle(libc::SIGCHLD, libc::SIG_IGN, 0);
    let child = fork(|| 3);
    assert_eq!(errno(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }), libc::ECHILD, "after it has ended");
    assert_eq!(errno(unsafe { libc::kill(child, 0) }), libc::ESRCH);
}

fn no_child_wait_leaves_no_zombies() {
    handle(libc::SIGCHLD, libc::SIG_DFL, libc::SA_NOCLDWAIT);
    let child = fork(|| 3);
    assert_eq!(errno(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }), libc::ECHILD);
}

static NOTES: [AtomicI32; 5] = [const { AtomicI32::new(0) }; 5];

extern "C" fn note(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let told = unsafe { told(&*info) };
    for (note, value) in NOTES.iter().zip([told.0, told.1, told.2, told.3, signal]) {
        note.store(value, Ordering::SeqCst);
    }
}

fn noted() -> [i32; 4] {
    std::array::from_fn(|index| NOTES[index].load(Ordering::SeqCst))
}

fn child_signal_tells_the_reason() {
    handle(libc::SIGCHLD, note as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
    let child = fork(|| 17);
    wait(child);
    assert_eq!(noted(), [libc::SIGCHLD, libc::CLD_EXITED, child, 17]);
    let child = fork(|| unsafe { libc::raise(libc::SIGKILL) });
    wait(child);
    assert_eq!(noted(), [libc::SIGCHLD, libc::CLD_KILLED, child, libc::SIGKILL]);
}

fn child_signal_of_a_stop() {
    handle(libc::SIGCHLD, note as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
    let child = fork(|| unsafe { libc::pause() });
    unsafe { libc::kill(child, libc::SIGSTOP) };
    until(|| noted() == [libc::SIGCHLD, libc::CLD_STOPPED, child, libc::SIGSTOP]);
    unsafe { libc::kill(child, libc::SIGCONT) };
    until(|| noted() == [libc::SIGCHLD, libc::CLD_CONTINUED, child, libc::SIGCONT]);
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

fn no_child_stop_is_silent() {
    handle(libc::SIGCHLD, note as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_NOCLDSTOP);
    let child = fork(|| unsafe { libc::pause() });
    unsafe { libc::kill(child, libc::SIGSTOP) };
    until(|| state(child) == 'T');
    sleep(10);
    assert_eq!(noted(), [0; 4]);
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
    assert_eq!(noted()[1], libc::CLD_KILLED);
}

fn orphans_go_to_the_subreaper() {
    must(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) });
    let word = shared(PAGE).cast::<i32>();
    let middle = fork(|| {
        let parent = unsafe { libc::getpid() };
        let orphan = fork(|| {
            until(|| unsafe { libc::getppid() } != parent);
            40
        });
        unsafe { word.write_volatile(orphan) };
        0
    });
    assert_eq!(wait(middle), End::Exit(0));
    assert_eq!(wait(unsafe { word.read_volatile() }), End::Exit(40));
}

fn orphans_go_to_init() {
    let word = shared(PAGE).cast::<i32>();
    let middle = fork(|| {
        let parent = unsafe { libc::getpid() };
        fork(|| {
            until(|| unsafe { libc::getppid() } != parent);
            unsafe { word.write_volatile(libc::getppid()) };
            0
        });
        0
    });
    wait(middle);
    until(|| unsafe { word.read_volatile() } != 0);
    let reaper = unsafe { word.read_volatile() };
    assert!(reaper == 1 || state(reaper) != '-', "init, or a subreaper between it and us");
}

fn parent_death_signal() {
    let word = shared(PAGE).cast::<i32>();
    let middle = fork(|| {
        let child = fork(|| unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            word.write_volatile(1);
            libc::pause()
        });
        until(|| unsafe { word.read_volatile() } == 1);
        unsafe { word.write_volatile(child) };
        0
    });
    wait(middle);
    let child = unsafe { word.read_volatile() };
    until(|| matches!(state(child), 'Z' | '-'));
}

fn exit_of_a_thread_is_not_exit() {
    let end = run(|| {
        std::thread::spawn(|| {
            sleep(30);
            unsafe { libc::_exit(12) };
        });
        unsafe { libc::syscall(libc::SYS_exit, 3) };
        4
    });
    assert_eq!(end, End::Exit(12), "the leader's end is not the process's");
}

fn exit_group_ends_all_threads() {
    let end = run(|| {
        for _ in 0..5 {
            std::thread::spawn(|| {
                loop {
                    std::hint::spin_loop();
                }
            });
            std::thread::spawn(|| sleep(1_000_000));
        }
        sleep(10);
        21
    });
    assert_eq!(end, End::Exit(21));
}

extern "C" fn nothing(_: i32) {}

/// Sends `signal` to a process once it sleeps.
pub fn disturb(target: i32, signal: i32) -> i32 {
    fork(|| {
        until_asleep(target);
        unsafe { libc::kill(target, signal) };
        0
    })
}

fn wait_is_interrupted() {
    handle(libc::SIGUSR1, nothing as *const () as usize, 0);
    let own = unsafe { libc::getpid() };
    let child = fork(|| unsafe { libc::pause() });
    let disturber = disturb(own, libc::SIGUSR1);
    assert_eq!(errno(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }), libc::EINTR);
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
    wait(disturber);
}

fn wait_is_restarted() {
    handle(libc::SIGUSR1, nothing as *const () as usize, libc::SA_RESTART);
    let own = unsafe { libc::getpid() };
    let child = fork(|| {
        sleep(100);
        6
    });
    let disturber = disturb(own, libc::SIGUSR1);
    assert_eq!(wait(child), End::Exit(6));
    wait(disturber);
}

fn children_of_another_thread() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        sender.send(fork(|| 5)).unwrap();
        held.recv().unwrap();
    });
    let child = receiver.recv().unwrap();
    let mut status = 0;
    let own = unsafe { libc::waitpid(child, &mut status, libc::__WNOTHREAD) };
    assert_eq!(errno(own), libc::ECHILD, "__WNOTHREAD: only the caller's own children");
    assert_eq!(wait(child), End::Exit(5));
    release.send(()).unwrap();
    thread.join().unwrap();
}

fn usage_of_a_child() {
    let child = fork(|| {
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 100 {
            std::hint::spin_loop();
        }
        0
    });
    let mut usage: libc::rusage = unsafe { zeroed() };
    assert_eq!(unsafe { libc::wait4(child, std::ptr::null_mut(), 0, &mut usage) }, child);
    let microseconds = usage.ru_utime.tv_sec * 1_000_000 + usage.ru_utime.tv_usec;
    assert!((20_000..5_000_000).contains(&microseconds), "{microseconds} microseconds");
    let mut all: libc::rusage = unsafe { zeroed() };
    must(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut all) });
    assert!(all.ru_utime.tv_sec * 1_000_000 + all.ru_utime.tv_usec >= microseconds);
}

fn kill_without_a_target() {
    assert_eq!(errno(unsafe { libc::kill(999_999, libc::SIGTERM) }), libc::ESRCH);
    assert_eq!(errno(unsafe { libc::kill(-999_999, libc::SIGTERM) }), libc::ESRCH);
    assert_eq!(errno(unsafe { libc::kill(1, 65) }), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::kill(1, -1) }), libc::EINVAL);
    assert_eq!(sys!(libc::SYS_tgkill, unsafe { libc::getpid() }, 0, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_tgkill, 1, unsafe { libc::gettid() }, 0), Err(libc::ESRCH), "another process's thread");
}

fn kill_a_zombie() {
    let child = fork(|| 3);
    until(|| state(child) == 'Z');
    assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
    assert_eq!(wait(child), End::Exit(3));
}
