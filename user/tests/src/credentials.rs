//! Users, groups, capabilities.
use crate::call::{errno, must};
use crate::child::{End, fork, handle, run, wait};
use crate::sys;

crate::tests!(
    root_becomes_anybody,
    users_stay_who_they_are,
    saved_user,
    set_real_and_effective,
    groups,
    supplementary_groups,
    file_system_user,
    capabilities_follow_the_user,
    kept_capabilities,
    capabilities_can_be_dropped,
    signals_need_the_right_user,
    priorities_need_the_right_user,
    set_user_programs,
    threads_change_together,
    identity_is_inherited,
    set_user_scripts_do_nothing,
    no_new_privileges,
);

fn ids() -> [u32; 3] {
    let mut ids = [0; 3];
    must(unsafe { libc::getresuid(&mut ids[0], &mut ids[1], &mut ids[2]) });
    ids
}

/// Passes where `body` does not panic.
fn child(body: impl FnOnce()) {
    let end = run(|| {
        body();
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn root_becomes_anybody() {
    child(|| {
        must(unsafe { libc::setuid(1000) });
        assert_eq!(ids(), [1000; 3]);
        assert_eq!(errno(unsafe { libc::setuid(0) }), libc::EPERM, "and never back");
    });
    child(|| {
        must(unsafe { libc::seteuid(1000) });
        assert_eq!(ids(), [0, 1000, 0]);
        must(unsafe { libc::seteuid(0) });
        assert_eq!(ids(), [0; 3]);
    });
}

fn users_stay_who_they_are() {
    child(|| unsafe {
        must(libc::setresuid(1000, 1000, 1000));
        for (real, effective, saved) in [(0, 1000, 1000), (1000, 0, 1000), (1000, 1000, 0), (5, 5, 5)] {
            assert_eq!(errno(libc::setresuid(real, effective, saved)), libc::EPERM);
        }
        must(libc::setresuid(u32::MAX, u32::MAX, u32::MAX));
        must(libc::setuid(1000));
        assert_eq!(errno(libc::setgid(5)), libc::EPERM);
        assert_eq!(errno(libc::setgroups(0, std::ptr::null())), libc::EPERM);
    });
}

fn saved_user() {
    child(|| unsafe {
        must(libc::setresuid(1000, 1001, 1002));
        assert_eq!(ids(), [1000, 1001, 1002]);
        must(libc::setresuid(u32::MAX, 1002, u32::MAX));
        must(libc::seteuid(1000));
        must(libc::setresuid(1002, 1002, 1000));
        assert_eq!(ids(), [1002, 1002, 1000]);
        assert_eq!(errno(libc::setresuid(u32::MAX, 1001, u32::MAX)), libc::EPERM);
    });
}

fn set_real_and_effective() {
    child(|| unsafe {
        must(libc::setreuid(1000, 1001));
        assert_eq!(ids(), [1000, 1001, 1001], "the saved one follows");
        must(libc::setreuid(1001, 1000));
        assert_eq!(ids(), [1001, 1000, 1000]);
        assert_eq!(errno(libc::setreuid(0, u32::MAX)), libc::EPERM);
    });
}

fn groups() {
    child(|| unsafe {
        must(libc::setresgid(10, 20, 30));
        let mut ids = [0; 3];
        must(libc::getresgid(&mut ids[0], &mut ids[1], &mut ids[2]));
        assert_eq!(ids, [10, 20, 30]);
        must(libc::setuid(1000));
        must(libc::setegid(30));
        assert_eq!(errno(libc::setegid(40)), libc::EPERM);
        must(libc::setregid(30, 10));
    });
}

fn supplementary_groups() {
    child(|| unsafe {
        let groups: Vec<u32> = (0..100).map(|number| 5000 + number).collect();
        must(libc::setgroups(100, groups.as_ptr()));
        let mut found = vec![0u32; 200];
        assert_eq!(libc::getgroups(0, std::ptr::null_mut()), 100);
        assert_eq!(libc::getgroups(200, found.as_mut_ptr()), 100);
        found.truncate(100);
        found.sort();
        assert_eq!(found, groups);
        assert_eq!(errno(libc::getgroups(50, found.as_mut_ptr())), libc::EINVAL);
        assert_eq!(sys!(libc::SYS_setgroups, 65537, groups.as_ptr()), Err(libc::EINVAL));
        std::fs::write("file", "").unwrap();
        libc::chmod(c".".as_ptr(), 0o777);
        libc::chmod(c"file".as_ptr(), 0o040);
        libc::chown(c"file".as_ptr(), 0, 5050);
        must(libc::setresuid(1000, 1000, 1000));
        must(libc::open(c"file".as_ptr(), libc::O_RDONLY));
    });
}

fn file_system_user() {
    child(|| unsafe {
        std::fs::write("file", "").unwrap();
        libc::chmod(c"file".as_ptr(), 0o600);
        assert_eq!(libc::setfsuid(1000), 0);
        assert_eq!(libc::setfsuid(u32::MAX), 1000);
        assert_eq!(errno(libc::open(c"file".as_ptr(), libc::O_RDONLY)), libc::EACCES);
        libc::setfsuid(0);
        must(libc::open(c"file".as_ptr(), libc::O_RDONLY));
        assert_eq!(libc::setfsgid(0), 0);
    });
}

/// Effective, permitted, inheritable, of the first 32.
fn capabilities() -> [u32; 3] {
    let header = [0x2008_0522u32, 0];
    let mut data = [0u32; 6];
    sys!(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()).unwrap();
    [data[0], data[1], data[2]]
}

fn capabilities_follow_the_user() {
    assert_ne!(capabilities()[0] & 1 << 21, 0, "root has CAP_SYS_ADMIN");
    child(|| unsafe {
        must(libc::seteuid(1000));
        assert_eq!((capabilities()[0], capabilities()[1] != 0), (0, true));
        must(libc::seteuid(0));
        assert_ne!(capabilities()[0], 0);
        must(libc::setresuid(1000, 1000, 1000));
        assert_eq!(capabilities(), [0, 0, 0]);
    });
    let mut header = [0u32, 0];
    assert_eq!(sys!(libc::SYS_capget, header.as_mut_ptr(), 0), Ok(0), "asks for the version");
    assert_eq!(header[0], 0x2008_0522);
    let mut data = [0u32; 6];
    header[0] = 77;
    assert_eq!(sys!(libc::SYS_capget, header.as_mut_ptr(), data.as_mut_ptr()), Err(libc::EINVAL));
}

fn kept_capabilities() {
    child(|| unsafe {
        must(libc::prctl(libc::PR_SET_KEEPCAPS, 1));
        let before = capabilities()[1];
        must(libc::setresuid(1000, 1000, 1000));
        assert_eq!(capabilities(), [0, before, 0]);
    });
}

fn capabilities_can_be_dropped() {
    child(|| {
        let header = [0x2008_0522u32, 0];
        let [effective, permitted, _] = capabilities();
        let chown = 1u32;
        let high = {
            let mut data = [0u32; 6];
            sys!(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()).unwrap();
            data[4]
        };
        let data = [effective & !chown, permitted & !chown, 0, high, high, 0];
        sys!(libc::SYS_capset, header.as_ptr(), data.as_ptr()).unwrap();
        std::fs::write("file", "").unwrap();
        assert_eq!(errno(unsafe { libc::chown(c"file".as_ptr(), 5, 5) }), libc::EPERM);
        let more = [effective, permitted, 0, high, high, 0];
        assert_eq!(sys!(libc::SYS_capset, header.as_ptr(), more.as_ptr()), Err(libc::EPERM));
    });
}

fn signals_need_the_right_user() {
    let rooted = fork(|| unsafe { libc::pause() });
    let users = fork(|| unsafe {
        libc::setresuid(1000, 1000, 1000);
        libc::pause()
    });
    crate::child::until_asleep(users);
    child(|| unsafe {
        must(libc::setresuid(1000, 1000, 1000));
        assert_eq!(errno(libc::kill(rooted, 0)), libc::EPERM);
        assert_eq!(errno(libc::kill(rooted, libc::SIGTERM)), libc::EPERM);
        must(libc::kill(users, 0));
    });
    child(|| unsafe {
        must(libc::setresuid(1001, 1001, 1001));
        assert_eq!(errno(libc::kill(users, libc::SIGTERM)), libc::EPERM);
        must(libc::kill(users, libc::SIGCONT));
    });
    for process in [rooted, users] {
        unsafe { libc::kill(process, libc::SIGKILL) };
        wait(process);
    }
}

fn priorities_need_the_right_user() {
    must(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -5) });
    child(|| unsafe {
        must(libc::setresuid(1000, 1000, 1000));
        must(libc::setpriority(libc::PRIO_PROCESS, 0, 3));
        assert_eq!(errno(libc::setpriority(libc::PRIO_PROCESS, 0, 2)), libc::EACCES);
        assert_eq!(errno(libc::setpriority(libc::PRIO_PROCESS, libc::getppid() as u32, 5)), libc::EPERM);
        assert_eq!(errno(libc::setpriority(77, 0, 5)), libc::EINVAL);
        assert_eq!(errno(libc::setpriority(libc::PRIO_PROCESS, 999_999, 5)), libc::ESRCH);
    });
}

/// A copy of this program that says who it is by its exit status.
fn set_user_program(mode: u32) -> End {
    std::fs::copy(crate::processes::own_path(), "program").unwrap();
    unsafe {
        must(libc::chmod(c".".as_ptr(), 0o755));
        must(libc::chown(c"program".as_ptr(), 55, 66));
        must(libc::chmod(c"program".as_ptr(), mode));
    }
    run(|| unsafe {
        must(libc::setgroups(0, std::ptr::null()));
        must(libc::setresgid(1000, 1000, 1000));
        must(libc::setresuid(1000, 1000, 1000));
        let arguments = [c"program".as_ptr(), c"child".as_ptr(), c"identity".as_ptr(), std::ptr::null()];
        libc::execv(c"./program".as_ptr(), arguments.as_ptr())
    })
}

/// For `guest-tests child identity`.
pub fn identity() -> i32 {
    unsafe {
        let secure = libc::getauxval(libc::AT_SECURE) as i32;
        i32::from(libc::geteuid() == 55)
            + 2 * i32::from(libc::getegid() == 66)
            + 4 * secure
            + 8 * i32::from(libc::getuid() == 1000 && libc::getgid() == 1000)
    }
}

fn set_user_programs() {
    crate::child::own_file_system();
    assert_eq!(set_user_program(0o755), End::Exit(8));
    assert_eq!(set_user_program(0o4755), End::Exit(1 + 4 + 8));
    assert_eq!(set_user_program(0o2755), End::Exit(2 + 4 + 8));
    assert_eq!(set_user_program(0o6755), End::Exit(1 + 2 + 4 + 8));
}

/// The call is per thread; libc tells all threads by a signal.
fn threads_change_together() {
    child(|| {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = receiver.recv();
            unsafe { libc::getuid() }
        });
        must(unsafe { libc::setuid(1000) });
        sender.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), 1000);
    });
    child(|| {
        std::thread::spawn(|| {
            sys!(libc::SYS_setresuid, 1000, 1000, 1000).unwrap();
            assert_eq!(ids(), [1000; 3]);
        })
        .join()
        .unwrap();
        assert_eq!(ids(), [0; 3]);
    });
}

fn identity_is_inherited() {
    child(|| unsafe {
        must(libc::setresuid(1000, 1001, 1002));
        assert_eq!(run(|| i32::from(ids() != [1000, 1001, 1002])), End::Exit(0));
    });
    handle(libc::SIGCHLD, libc::SIG_DFL, 0);
}

fn set_user_scripts_do_nothing() {
    std::fs::write("script", format!("#!{} list\n", crate::processes::own_path())).unwrap();
    unsafe {
        must(libc::chown(c"script".as_ptr(), 55, 66));
        must(libc::chmod(c"script".as_ptr(), 0o6755));
    }
    let output = std::process::Command::new("./script").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "list with one more argument");
}

fn no_new_privileges() {
    crate::child::own_file_system();
    must(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) });
    assert_eq!(set_user_program(0o4755), End::Exit(8));
}
