//! Sessions, process groups, the controlling terminal.
use crate::call::{c, errno, must};
use crate::child::{End, PAGE, close, fork, handle, run, shared, sleep, until, wait};
use std::sync::atomic::{AtomicI32, Ordering};

crate::tests!(
    new_session,
    groups_are_joined_and_left,
    groups_of_others,
    controlling_terminal_is_taken_on_open,
    controlling_terminal_not_taken,
    dev_tty,
    interrupt_character,
    quit_and_suspend_characters,
    signals_go_to_the_foreground_group,
    no_signals_without_isig,
    interrupt_flushes_input,
    interrupt_ends_a_read,
    background_read_stops,
    background_read_ignored_fails,
    background_read_of_an_orphan_fails,
    background_write_is_let_through,
    background_write_stops_with_tostop,
    background_settings_stop,
    background_settings_of_an_orphan_fail,
    foreground_group_is_checked,
    hang_up_on_the_leaders_exit,
    hang_up_of_a_closed_terminal,
    orphaned_stopped_group_is_hung_up,
    terminal_stops_do_not_stop_orphans,
    giving_up_the_terminal,
    a_shell_with_jobs,
);

/// A pseudo-terminal that becomes nobody's.
fn pair() -> (i32, String) {
    unsafe {
        let master = must(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY));
        must(libc::grantpt(master));
        must(libc::unlockpt(master));
        let mut number = 0u32;
        must(libc::ioctl(master, libc::TIOCGPTN, &mut number));
        (master, format!("/dev/pts/{number}"))
    }
}

fn open(name: &str, flags: i32) -> i32 {
    unsafe { libc::open(c(name).as_ptr(), flags) }
}

/// Runs `body` with the terminal's descriptor in a session of its own, whose controlling terminal it is; also gives the
/// master to whoever is outside.
fn in_a_session(outside: impl FnOnce(i32, i32), body: impl FnOnce(i32) -> i32) -> End {
    let (master, name) = pair();
    let child = fork(|| {
        close(master);
        must(unsafe { libc::setsid() });
        let terminal = must(open(&name, libc::O_RDWR));
        body(terminal)
    });
    outside(master, child);
    wait(child)
}

fn alone(body: impl FnOnce(i32) -> i32) {
    assert_eq!(in_a_session(|_, _| {}, body), End::Exit(0));
}

/// A process in a background group of its own.
fn background(body: impl FnOnce() -> i32) -> i32 {
    let child = fork(|| {
        unsafe { libc::setpgid(0, 0) };
        body()
    });
    unsafe { libc::setpgid(child, child) };
    child
}

/// The signal that stopped a child, or how it ended.
fn stop_of(child: i32) -> Result<i32, End> {
    let mut status = 0;
    must(unsafe { libc::waitpid(child, &mut status, libc::WUNTRACED) });
    if libc::WIFSTOPPED(status) { Ok(libc::WSTOPSIG(status)) } else { Err(crate::child::end(status)) }
}

fn kill(process: i32, signal: i32) {
    must(unsafe { libc::kill(process, signal) });
}

fn finish(child: i32) {
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

fn new_session() {
    assert_eq!(errno(unsafe { libc::setsid() }), libc::EPERM, "a group's leader cannot");
    let end = run(|| unsafe {
        let own = libc::getpid();
        assert_eq!(must(libc::setsid()), own);
        assert_eq!((libc::getsid(0), libc::getpgrp()), (own, own));
        assert_eq!(open("/dev/tty", libc::O_RDWR), -1);
        assert_eq!(*libc::__errno_location(), libc::ENXIO, "no terminal");
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn groups_are_joined_and_left() {
    let end = run(|| unsafe {
        must(libc::setsid());
        let first = fork(|| libc::pause());
        let second = fork(|| libc::pause());
        must(libc::setpgid(first, 0));
        must(libc::setpgid(second, first));
        assert_eq!((libc::getpgid(first), libc::getpgid(second)), (first, first));
        must(libc::setpgid(second, libc::getpgrp()));
        assert_eq!(libc::getpgid(second), libc::getpgrp());
        finish(first);
        assert_eq!(errno(libc::setpgid(second, first)), libc::EPERM, "the group is gone");
        finish(second);
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn groups_of_others() {
    assert_eq!(errno(unsafe { libc::setpgid(1, 0) }), libc::ESRCH);
    assert_eq!(errno(unsafe { libc::setpgid(0, -1) }), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::setpgid(0, 999_999) }), libc::EPERM);
    assert_eq!(errno(unsafe { libc::getpgid(999_999) }), libc::ESRCH);
    let leader = fork(|| unsafe {
        libc::setsid();
        libc::pause()
    });
    until(|| unsafe { libc::getsid(leader) } == leader);
    assert_eq!(errno(unsafe { libc::setpgid(leader, 0) }), libc::EPERM, "a session's leader");
    assert_eq!(errno(unsafe { libc::setpgid(0, leader) }), libc::EPERM, "a group of another session");
    finish(leader);
    let other = fork(|| {
        let path = c(&crate::processes::own_path());
        let arguments = [path.as_ptr(), c"stress".as_ptr(), c"map".as_ptr(), c"1000000000".as_ptr(), std::ptr::null()];
        unsafe { libc::execv(path.as_ptr(), arguments.as_ptr()) }
    });
    until(|| std::fs::read_to_string(format!("/proc/{other}/cmdline")).unwrap_or_default().contains("stress"));
    assert_eq!(errno(unsafe { libc::setpgid(other, other) }), libc::EACCES, "after its exec");
    finish(other);
}

fn controlling_terminal_is_taken_on_open() {
    alone(|terminal| unsafe {
        assert_eq!(libc::tcgetpgrp(terminal), libc::getpid());
        assert_eq!(libc::tcgetsid(terminal), libc::getpid());
        must(open("/dev/tty", libc::O_RDWR));
        0
    });
}

fn controlling_terminal_not_taken() {
    let (master, name) = pair();
    let end = run(|| unsafe {
        must(libc::setsid());
        let terminal = must(open(&name, libc::O_RDWR | libc::O_NOCTTY));
        assert_eq!(errno(libc::tcgetpgrp(terminal)), libc::ENOTTY);
        must(libc::ioctl(terminal, libc::TIOCSCTTY, 0));
        assert_eq!(libc::tcgetpgrp(terminal), libc::getpid());
        let thief = fork(|| {
            must(libc::setsid());
            errno(libc::ioctl(terminal, libc::TIOCSCTTY, 0))
        });
        assert_eq!(wait(thief), End::Exit(libc::EPERM), "it belongs to a session");
        let member = fork(|| errno(libc::ioctl(master, libc::TIOCSCTTY, 0)));
        assert_eq!(wait(member), End::Exit(libc::EPERM), "no leader");
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn dev_tty() {
    let outside = |master: i32, _| {
        let mut bytes = [0u8; 10];
        assert_eq!(unsafe { libc::read(master, bytes.as_mut_ptr().cast(), 10) }, 5);
        assert_eq!(&bytes[..5], b"hello");
    };
    let end = in_a_session(outside, |_| unsafe {
        let own = must(open("/dev/tty", libc::O_RDWR));
        libc::write(own, c"hello".as_ptr().cast(), 5);
        assert_eq!(libc::isatty(own), 1);
        sleep(50);
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn put(terminal: i32, bytes: &[u8]) {
    assert_eq!(unsafe { libc::write(terminal, bytes.as_ptr().cast(), bytes.len()) }, bytes.len() as isize);
}

/// Waits until the process has its terminal and sleeps.
fn until_settled(child: i32) {
    until(|| unsafe { libc::getsid(child) } == child);
    sleep(20);
    crate::child::until_asleep(child);
}

fn interrupt_character() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        put(master, b"\x03");
    };
    assert_eq!(in_a_session(outside, |_| unsafe { libc::pause() }), End::Signal(libc::SIGINT));
}

fn quit_and_suspend_characters() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        put(master, b"\x1c");
    };
    assert_eq!(in_a_session(outside, |_| unsafe { libc::pause() }), End::Signal(libc::SIGQUIT));
    let (master, name) = pair();
    let shell = fork(|| unsafe {
        must(libc::setsid());
        let terminal = must(open(&name, libc::O_RDWR));
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        let job = background(|| libc::pause());
        must(libc::tcsetpgrp(terminal, job));
        let stopped = stop_of(job);
        finish(job);
        i32::from(stopped != Ok(libc::SIGTSTP))
    });
    until_settled(shell);
    put(master, b"\x1a");
    assert_eq!(wait(shell), End::Exit(0));
}

fn signals_go_to_the_foreground_group() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        put(master, b"\x03");
    };
    let end = in_a_session(outside, |terminal| unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        let (first, second) = (background(|| libc::pause()), background(|| libc::pause()));
        must(libc::tcsetpgrp(terminal, first));
        assert_eq!(wait(first), End::Signal(libc::SIGINT));
        assert_eq!(libc::waitpid(second, std::ptr::null_mut(), libc::WNOHANG), 0);
        finish(second);
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn set_local(terminal: i32, on: u32, off: u32) {
    unsafe {
        let mut settings = std::mem::zeroed();
        must(libc::tcgetattr(terminal, &mut settings));
        settings.c_lflag = settings.c_lflag & !off | on;
        must(libc::tcsetattr(terminal, libc::TCSANOW, &settings));
    }
}

fn read(terminal: i32) -> Result<Vec<u8>, i32> {
    let mut bytes = vec![0u8; 100];
    let count = unsafe { libc::read(terminal, bytes.as_mut_ptr().cast(), 100) };
    if count < 0 {
        return Err(errno(count as i64));
    }
    bytes.truncate(count as usize);
    Ok(bytes)
}

fn no_signals_without_isig() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        put(master, b"\x03\x1a\n");
    };
    let end = in_a_session(outside, |terminal| {
        set_local(terminal, 0, libc::ISIG);
        i32::from(read(terminal) != Ok(b"\x03\x1a\n".to_vec()))
    });
    assert_eq!(end, End::Exit(0));
}

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn catch(signal: i32) {
    CAUGHT.store(signal, Ordering::SeqCst);
}

fn interrupt_flushes_input() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        put(master, b"typed ahead\x03after\n");
    };
    let end = in_a_session(outside, |terminal| {
        handle(libc::SIGINT, catch as *const () as usize, libc::SA_RESTART);
        i32::from(read(terminal) != Ok(b"after\n".to_vec()))
            + 2 * i32::from(CAUGHT.load(Ordering::SeqCst) != libc::SIGINT)
    });
    assert_eq!(end, End::Exit(0));
}

fn interrupt_ends_a_read() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        put(master, b"\x03");
    };
    let end = in_a_session(outside, |terminal| {
        handle(libc::SIGINT, catch as *const () as usize, 0);
        i32::from(read(terminal) != Err(libc::EINTR))
    });
    assert_eq!(end, End::Exit(0));
}

fn background_read_stops() {
    alone(|terminal| {
        let job = background(|| read(terminal).err().unwrap_or(0));
        assert_eq!(stop_of(job), Ok(libc::SIGTTIN));
        kill(job, libc::SIGCONT);
        assert_eq!(stop_of(job), Ok(libc::SIGTTIN), "still in the background");
        finish(job);
        0
    });
}

fn background_read_ignored_fails() {
    alone(|terminal| {
        let job = background(|| {
            unsafe { libc::signal(libc::SIGTTIN, libc::SIG_IGN) };
            read(terminal).err().unwrap_or(0)
        });
        assert_eq!(stop_of(job), Err(End::Exit(libc::EIO)));
        0
    });
}

/// A background group none of whose members has a parent in another group of the session.
fn orphaned(terminal: i32, body: impl FnOnce(i32) -> i32) -> i32 {
    let result = shared(PAGE).cast::<i32>();
    unsafe { result.write(-1) };
    let middle = background(|| unsafe {
        let own = libc::getpid();
        fork(|| {
            until(|| libc::getppid() != own);
            result.write_volatile(body(terminal));
            0
        });
        0
    });
    wait(middle);
    until(|| unsafe { result.read_volatile() } != -1);
    unsafe { result.read_volatile() }
}

fn background_read_of_an_orphan_fails() {
    alone(|terminal| {
        let error = orphaned(terminal, |terminal| read(terminal).err().unwrap_or(0));
        i32::from(error != libc::EIO)
    });
}

fn background_write_is_let_through() {
    alone(|terminal| {
        let job = background(|| i32::from(unsafe { libc::write(terminal, c"x".as_ptr().cast(), 1) } != 1));
        i32::from(stop_of(job) != Err(End::Exit(0)))
    });
}

fn background_write_stops_with_tostop() {
    alone(|terminal| {
        set_local(terminal, libc::TOSTOP, 0);
        let write = || i32::from(unsafe { libc::write(terminal, c"x".as_ptr().cast(), 1) } != 1);
        let job = background(write);
        assert_eq!(stop_of(job), Ok(libc::SIGTTOU));
        finish(job);
        let job = background(|| {
            unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
            write()
        });
        assert_eq!(stop_of(job), Err(End::Exit(0)), "who ignores the signal may write");
        0
    });
}

fn background_settings_stop() {
    alone(|terminal| {
        let job = background(|| {
            set_local(terminal, 0, libc::ECHO);
            0
        });
        assert_eq!(stop_of(job), Ok(libc::SIGTTOU));
        finish(job);
        let job = background(|| unsafe { libc::tcsetpgrp(terminal, libc::getpid()) });
        assert_eq!(stop_of(job), Ok(libc::SIGTTOU));
        finish(job);
        0
    });
}

fn background_settings_of_an_orphan_fail() {
    alone(|terminal| {
        let error = orphaned(terminal, |terminal| unsafe {
            let mut settings = std::mem::zeroed();
            must(libc::tcgetattr(terminal, &mut settings));
            errno(libc::tcsetattr(terminal, libc::TCSANOW, &settings))
        });
        assert_eq!(error, libc::EIO);
        let error = orphaned(terminal, |terminal| errno(unsafe { libc::tcsetpgrp(terminal, libc::getpgrp()) }));
        i32::from(error != libc::ENOTTY)
    });
}

fn foreground_group_is_checked() {
    alone(|terminal| unsafe {
        assert_eq!(errno(libc::tcsetpgrp(terminal, 1)), libc::EPERM, "a group of another session");
        assert_eq!(errno(libc::tcsetpgrp(terminal, 999_999)), libc::ESRCH);
        assert_eq!(errno(libc::tcsetpgrp(terminal, -5)), libc::EINVAL);
        let (other, _) = pair();
        assert_eq!(errno(libc::tcsetpgrp(other, libc::getpgrp())), libc::ENOTTY, "not our terminal");
        0
    });
}

/// The leader's end takes the terminal from its session and tells the foreground group.
fn hang_up_on_the_leaders_exit() {
    let result = shared(PAGE).cast::<i32>();
    let end = in_a_session(
        |_, _| {},
        |_| {
            fork(|| unsafe {
                extern "C" fn note(signal: i32) {
                    CAUGHT.store(signal, Ordering::SeqCst);
                }
                handle(libc::SIGHUP, note as *const () as usize, 0);
                result.write_volatile(1);
                until(|| CAUGHT.load(Ordering::SeqCst) == libc::SIGHUP);
                result.write_volatile(if open("/dev/tty", libc::O_RDWR) == -1 { 2 } else { 3 });
                0
            });
            until(|| unsafe { result.read_volatile() } == 1);
            0
        },
    );
    assert_eq!(end, End::Exit(0));
    until(|| unsafe { result.read_volatile() } > 1);
    assert_eq!(unsafe { result.read_volatile() }, 2);
}

fn hang_up_of_a_closed_terminal() {
    let outside = |master: i32, child: i32| {
        until_settled(child);
        close(master);
    };
    assert_eq!(in_a_session(outside, |_| unsafe { libc::pause() }), End::Signal(libc::SIGHUP));
}

/// A stopped group whose last outside parent goes is sent SIGHUP and SIGCONT.
fn orphaned_stopped_group_is_hung_up() {
    let result = shared(PAGE).cast::<i32>();
    let middle = fork(|| unsafe {
        must(libc::setsid());
        let job = background(|| {
            extern "C" fn note(signal: i32) {
                CAUGHT.store(signal, Ordering::SeqCst);
            }
            handle(libc::SIGHUP, note as *const () as usize, 0);
            libc::raise(libc::SIGSTOP);
            until(|| CAUGHT.load(Ordering::SeqCst) == libc::SIGHUP);
            result.write_volatile(1);
            0
        });
        i32::from(stop_of(job) != Ok(libc::SIGSTOP))
    });
    assert_eq!(wait(middle), End::Exit(0));
    until(|| unsafe { result.read_volatile() } == 1);
}

fn terminal_stops_do_not_stop_orphans() {
    let end = run(|| unsafe {
        must(libc::setsid());
        for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            must(libc::raise(signal));
        }
        5
    });
    assert_eq!(end, End::Exit(5));
}

fn giving_up_the_terminal() {
    alone(|terminal| unsafe {
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        must(libc::ioctl(terminal, libc::TIOCNOTTY));
        assert_eq!(open("/dev/tty", libc::O_RDWR), -1);
        assert_eq!(errno(-1i32), libc::ENXIO);
        0
    });
}

/// What a shell does: a job in the foreground, stopped, sent to the background, brought back.
fn a_shell_with_jobs() {
    let (master, name) = pair();
    let shell = fork(|| unsafe {
        must(libc::setsid());
        let terminal = must(open(&name, libc::O_RDWR));
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        let job = background(|| {
            libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            while libc::tcgetpgrp(terminal) != libc::getpgrp() {
                sleep(1);
            }
            loop {
                match read(terminal) {
                    Ok(line) if line == b"end\n" => return 42,
                    Ok(line) => put(terminal, &line),
                    Err(error) => return error,
                }
            }
        });
        let own = libc::getpgrp();
        must(libc::tcsetpgrp(terminal, job));
        assert_eq!(stop_of(job), Ok(libc::SIGTSTP));
        must(libc::tcsetpgrp(terminal, own));
        put(terminal, b"stopped");
        assert_eq!(read(terminal), Ok(b"fg\n".to_vec()));
        must(libc::tcsetpgrp(terminal, job));
        must(libc::kill(-job, libc::SIGCONT));
        let end = stop_of(job);
        must(libc::tcsetpgrp(terminal, own));
        i32::from(end != Err(End::Exit(42)))
    });
    let mut said = Vec::new();
    let mut expect = |what: &[u8]| {
        while !said.windows(what.len()).any(|window| window == what) {
            said.extend(read(master).unwrap());
        }
    };
    put(master, b"first\n");
    expect(b"first\r\nfirst\r\n");
    put(master, b"\x1a");
    expect(b"stopped");
    put(master, b"fg\n");
    put(master, b"second\n");
    expect(b"second\r\nsecond\r\n");
    put(master, b"end\n");
    assert_eq!(wait(shell), End::Exit(0));
}
