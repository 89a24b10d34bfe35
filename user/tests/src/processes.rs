//! fork, vfork, clone, exec and what they share, copy or lose.
use crate::call::{c, errno, must};
use crate::child::{End, PAGE, close, fork, handle, map, pipe, run, shared, sleep, until, wait};
use crate::sys;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

crate::tests!(
    fork_returns_twice,
    fork_copies_memory,
    fork_shares_file_offsets,
    fork_has_no_pending_signals_or_alarms,
    fork_keeps_handlers,
    vfork_suspends_the_parent,
    vfork_shares_memory,
    vfork_then_exec,
    clone_sets_and_clears_identities,
    clone_shares_files,
    clone_shares_folder,
    clone_without_sharing_copies_files,
    clone_with_parent_makes_a_sibling,
    clone_exit_signal_is_free,
    clone_exit_signal_stays_with_its_maker,
    clone_rejects_contradictions,
    clone3_where_there_is_one,
    clone_with_a_stack_and_thread_pointer,
    exec_passes_arguments_and_environment,
    exec_passes_empty_arguments,
    exec_follows_a_script,
    exec_follows_a_script_with_an_argument,
    exec_failures_leave_the_program,
    exec_of_too_long_arguments,
    exec_resets_handlers_and_keeps_ignored,
    exec_keeps_mask_and_pending,
    exec_closes_on_exec,
    exec_by_descriptor,
    exec_by_a_thread_ends_the_others,
    exec_sets_the_name_and_auxiliary_vector,
    exec_of_hostile_files,
    exec_keeps_the_process_number,
    exec_keeps_writers_out,
    many_children_at_once,
    fork_bomb_stops_at_the_limit,
    process_names,
);

/// The other side of the tests of exec: `guest-tests child WHAT …`.
pub fn re_executed(what: &[&str]) -> i32 {
    match what {
        ["exit", status] => status.parse().unwrap_or(99),
        ["arguments", rest @ ..] => {
            println!("{rest:?} {:?}", std::env::var("MARK"));
            0
        }
        ["descriptor", number] => {
            let number = number.parse().unwrap_or(-1);
            i32::from(unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0)
        }
        ["action", signal] => unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal.parse().unwrap_or(0), std::ptr::null(), &mut action);
            action.sa_sigaction as i32
        },
        ["pending", signal] => unsafe {
            let mut set = std::mem::zeroed();
            libc::sigpending(&mut set);
            libc::sigismember(&set, signal.parse().unwrap_or(0))
        },
        ["copy"] => {
            let mut byte = 0u8;
            let place = std::ptr::from_mut(&mut byte).cast();
            while unsafe { libc::read(0, place, 1) } == 1 && unsafe { libc::write(1, place, 1) } == 1 {}
            0
        }
        ["wait"] => i32::from(unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::__WALL) } < 0),
        ["process", number] => i32::from(unsafe { libc::getpid() }.to_string() != *number),
        ["identity"] => crate::credentials::identity(),
        ["auxiliary"] => auxiliary_vector(),
        _ => 98,
    }
}

pub fn own_path() -> String {
    std::fs::read_link("/proc/self/exe").unwrap().to_str().unwrap().to_owned()
}

fn again(what: &[&str]) -> Command {
    let mut command = Command::new(own_path());
    command.arg("child").args(what);
    command
}

fn fork_returns_twice() {
    let parent = unsafe { libc::getpid() };
    let (source, sink) = pipe();
    let child = fork(|| unsafe {
        let seen = [libc::getpid(), libc::getppid(), libc::gettid()];
        libc::write(sink, seen.as_ptr().cast(), 12);
        7
    });
    let mut seen = [0i32; 3];
    assert_eq!(unsafe { libc::read(source, seen.as_mut_ptr().cast(), 12) }, 12);
    assert_eq!(seen, [child, parent, child]);
    assert_eq!(wait(child), End::Exit(7));
}

fn fork_copies_memory() {
    let page = map(64 * PAGE);
    let fill = |value: u8| (0..64).for_each(|index| unsafe { page.add(index * PAGE).write_volatile(value) });
    let all = |value: u8| (0..64).all(|index| unsafe { page.add(index * PAGE).read_volatile() } == value);
    fill(1);
    let (source, sink) = pipe();
    let child = fork(|| unsafe {
        let mut byte = 0u8;
        libc::read(source, (&raw mut byte).cast(), 1);
        let unchanged = all(1);
        fill(3);
        i32::from(!(unchanged && all(3)))
    });
    fill(2);
    unsafe { libc::write(sink, c"x".as_ptr().cast(), 1) };
    assert_eq!(wait(child), End::Exit(0));
    assert!(all(2));
}

fn fork_shares_file_offsets() {
    std::fs::write("file", "0123456789").unwrap();
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDONLY) });
    assert_eq!(run(|| unsafe { libc::lseek(file, 4, libc::SEEK_SET) as i32 }), End::Exit(4));
    let mut byte = 0u8;
    unsafe { libc::read(file, (&raw mut byte).cast(), 1) };
    assert_eq!(byte, b'4');
}

fn fork_has_no_pending_signals_or_alarms() {
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGUSR1);
        must(libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()));
        libc::raise(libc::SIGUSR1);
        libc::alarm(100);
        let end = run(|| {
            let mut pending = std::mem::zeroed();
            libc::sigpending(&mut pending);
            libc::sigismember(&pending, libc::SIGUSR1) * 2 + i32::from(libc::alarm(0) != 0)
        });
        assert_eq!(end, End::Exit(0));
        assert!(libc::alarm(0) > 90);
    }
}

fn fork_keeps_handlers() {
    extern "C" fn handler(_: i32) {
        unsafe { libc::_exit(9) };
    }
    handle(libc::SIGUSR1, handler as *const () as usize, 0);
    assert_eq!(run(|| unsafe { libc::raise(libc::SIGUSR1) }), End::Exit(9));
}

/// vfork through clone, on a stack of the child's own, since Rust knows no function that returns twice.
pub fn vfork_like(body: extern "C" fn(*mut libc::c_void) -> i32, argument: *mut libc::c_void) -> i32 {
    let stack = map(16 * PAGE);
    let flags = libc::CLONE_VFORK | libc::CLONE_VM | libc::SIGCHLD;
    must(unsafe { libc::clone(body, stack.add(16 * PAGE).cast(), flags, argument) })
}

static STEP: AtomicI32 = AtomicI32::new(0);

fn vfork_suspends_the_parent() {
    extern "C" fn body(_: *mut libc::c_void) -> i32 {
        sleep(50);
        STEP.store(1, Ordering::SeqCst);
        3
    }
    let child = vfork_like(body, std::ptr::null_mut());
    assert_eq!(STEP.load(Ordering::SeqCst), 1, "the parent waited for the child's exit");
    assert_eq!(wait(child), End::Exit(3));
}

fn vfork_shares_memory() {
    extern "C" fn body(argument: *mut libc::c_void) -> i32 {
        unsafe { argument.cast::<u32>().write_volatile(42) };
        0
    }
    let word = map(PAGE).cast::<u32>();
    let child = vfork_like(body, word.cast());
    assert_eq!(unsafe { word.read_volatile() }, 42);
    wait(child);
}

fn vfork_then_exec() {
    extern "C" fn body(path: *mut libc::c_void) -> i32 {
        let arguments =
            [path.cast_const().cast(), c"child".as_ptr(), c"exit".as_ptr(), c"23".as_ptr(), std::ptr::null()];
        unsafe { libc::execv(path.cast(), arguments.as_ptr()) };
        99
    }
    let path = c(&own_path());
    let child = vfork_like(body, path.as_ptr().cast_mut().cast());
    assert_eq!(wait(child), End::Exit(23));
    assert_eq!(again(&["exit", "24"]).status().unwrap().code(), Some(24), "posix_spawn");
}

/// `clone` as fork: no stack of its own.
fn clone(flags: i32, parent: *mut u32, child: *mut u32) -> i32 {
    let process = sys!(libc::SYS_clone, flags, 0, parent, child, 0);
    process.map_or_else(|error| -error, |process| process as i32)
}

fn clone_sets_and_clears_identities() {
    let words = shared(PAGE).cast::<u32>();
    let (parent, child) = (words, unsafe { words.add(1) });
    unsafe { words.add(2).write(77) };
    let flags = libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_SETTID | libc::SIGCHLD;
    let process = clone(flags, parent, child);
    if process == 0 {
        let own = unsafe { libc::gettid() } as u32;
        unsafe { libc::_exit(i32::from(child.read_volatile() != own)) };
    }
    assert_eq!(wait(process), End::Exit(0));
    assert_eq!(unsafe { (parent.read(), child.read()) }, (process as u32, process as u32));
    // Cleared at the end only while somebody else uses the memory.
    extern "C" fn body(_: *mut libc::c_void) -> i32 {
        0
    }
    let stack = map(16 * PAGE);
    let flags = libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let none = std::ptr::null_mut::<libc::c_void>();
    let cleared = unsafe { words.add(2) };
    let process = must(unsafe { libc::clone(body, stack.add(16 * PAGE).cast(), flags, none, none, none, cleared) });
    wait(process);
    assert_eq!(unsafe { cleared.read_volatile() }, 0);
}

fn clone_shares_files() {
    let process = clone(libc::CLONE_FILES | libc::SIGCHLD, std::ptr::null_mut(), std::ptr::null_mut());
    if process == 0 {
        unsafe { libc::_exit(libc::dup2(0, 77)) };
    }
    assert_eq!(wait(process), End::Exit(77));
    close(77);
}

fn clone_shares_folder() {
    std::fs::create_dir("sub").unwrap();
    let process = clone(libc::CLONE_FS | libc::SIGCHLD, std::ptr::null_mut(), std::ptr::null_mut());
    if process == 0 {
        unsafe {
            libc::umask(0o123);
            libc::_exit(libc::chdir(c"sub".as_ptr()));
        }
    }
    assert_eq!(wait(process), End::Exit(0));
    assert!(std::env::current_dir().unwrap().ends_with("sub"));
    assert_eq!(unsafe { libc::umask(0) }, 0o123);
}

fn clone_without_sharing_copies_files() {
    let process = clone(libc::SIGCHLD, std::ptr::null_mut(), std::ptr::null_mut());
    if process == 0 {
        unsafe { libc::_exit(libc::dup2(0, 77)) };
    }
    assert_eq!(wait(process), End::Exit(77));
    assert_eq!(errno(unsafe { libc::close(77) }), libc::EBADF);
}

fn clone_with_parent_makes_a_sibling() {
    let grandparent = unsafe { libc::getpid() };
    let found = shared(PAGE).cast::<i32>();
    let middle = fork(|| {
        let process = clone(libc::CLONE_PARENT | libc::SIGCHLD, std::ptr::null_mut(), std::ptr::null_mut());
        if process == 0 {
            unsafe { libc::_exit(i32::from(libc::getppid() != grandparent)) };
        }
        unsafe { found.write_volatile(process) };
        i32::from(errno(unsafe { libc::waitpid(process, std::ptr::null_mut(), 0) }) != libc::ECHILD)
    });
    assert_eq!(wait(middle), End::Exit(0));
    assert_eq!(wait(unsafe { found.read_volatile() }), End::Exit(0));
}

fn clone_exit_signal_is_free() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    extern "C" fn handler(signal: i32) {
        SEEN.fetch_or(1 << signal, Ordering::Relaxed);
    }
    handle(libc::SIGCHLD, handler as *const () as usize, libc::SA_RESTART);
    handle(libc::SIGUSR2, handler as *const () as usize, libc::SA_RESTART);
    for flags in [libc::SIGUSR2, 0] {
        let process = clone(flags, std::ptr::null_mut(), std::ptr::null_mut());
        if process == 0 {
            unsafe { libc::_exit(5) };
        }
        let mut status = 0;
        assert_eq!(errno(unsafe { libc::waitpid(process, &mut status, 0) }), libc::ECHILD, "not a plain child");
        assert_eq!(unsafe { libc::waitpid(process, &mut status, libc::__WCLONE) }, process);
        assert_eq!(libc::WEXITSTATUS(status), 5);
    }
    assert_eq!(SEEN.load(Ordering::Relaxed), 1 << libc::SIGUSR2);
}

/// A child's exit signal is for the one that chose it: neither for who adopts the child, nor for the program that comes after.
fn clone_exit_signal_stays_with_its_maker() {
    extern "C" fn handler(_: i32) {
        unsafe { libc::_exit(9) };
    }
    must(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) });
    handle(libc::SIGUSR2, handler as *const () as usize, 0);
    let (source, sink) = pipe();
    let maker = fork(|| {
        if clone(libc::SIGUSR2, std::ptr::null_mut(), std::ptr::null_mut()) == 0 {
            close(sink);
            // Ends once its maker has: nobody else holds the other end then.
            unsafe { libc::read(source, [0u8].as_mut_ptr().cast(), 1) };
        }
        0
    });
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(maker, &mut status, 0) }, maker);
    close(sink);
    must(unsafe { libc::waitpid(-1, &mut status, 0) });
    let ended = run(|| {
        if clone(libc::SIGUSR2, std::ptr::null_mut(), std::ptr::null_mut()) == 0 {
            sleep(100);
            return 0;
        }
        // SIGUSR2 is not handled any more after the exec and would end the program.
        let _ = again(&["wait"]).exec();
        97
    });
    assert_eq!(ended, End::Exit(0));
}

fn clone_rejects_contradictions() {
    for flags in [
        libc::CLONE_THREAD,
        libc::CLONE_THREAD | libc::CLONE_SIGHAND,
        libc::CLONE_SIGHAND,
        libc::CLONE_FS | libc::CLONE_NEWNS,
    ] {
        assert_eq!(clone(flags, std::ptr::null_mut(), std::ptr::null_mut()), -libc::EINVAL, "{flags:#x}");
    }
}

/// Whole, or not there at all.
fn clone3_where_there_is_one() {
    let mut arguments = [0u64; 11];
    arguments[4] = libc::SIGCHLD as u64;
    match sys!(libc::SYS_clone3, arguments.as_ptr(), 64) {
        Err(error) => assert_eq!(error, libc::ENOSYS),
        Ok(0) => unsafe { libc::_exit(6) },
        Ok(process) => {
            assert_eq!(wait(process as i32), End::Exit(6));
            assert_eq!(sys!(libc::SYS_clone3, arguments.as_ptr(), 63), Err(libc::EINVAL));
            assert_eq!(sys!(libc::SYS_clone3, arguments.as_ptr(), 5000), Err(libc::E2BIG));
            assert_eq!(sys!(libc::SYS_clone3, 8, 64), Err(libc::EFAULT));
            arguments[4] = 65;
            assert_eq!(sys!(libc::SYS_clone3, arguments.as_ptr(), 64), Err(libc::EINVAL));
        }
    }
}

fn clone_with_a_stack_and_thread_pointer() {
    extern "C" fn body(argument: *mut libc::c_void) -> i32 {
        let local = 0u8;
        let distance = argument as usize - (&raw const local) as usize;
        i32::from(distance > 16 * PAGE)
    }
    let stack = map(16 * PAGE);
    let top = unsafe { stack.add(16 * PAGE) };
    let process = must(unsafe { libc::clone(body, top.cast(), libc::SIGCHLD, top.cast()) });
    assert_eq!(wait(process), End::Exit(0));
}

fn output(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn exec_passes_arguments_and_environment() {
    let mut command = again(&["arguments", "one", "", "zwei drei", "\u{1}\u{7f}"]);
    assert_eq!(
        output(command.env_clear().env("MARK", "ä b")),
        "[\"one\", \"\", \"zwei drei\", \"\\u{1}\\u{7f}\"] Ok(\"ä b\")\n"
    );
    let long = "x".repeat(100_000);
    let said = output(again(&["arguments", &long]).env("MARK", "m"));
    assert_eq!(said.len(), 100_000 + "[\"\"] Ok(\"m\")\n".len());
}

fn exec_passes_empty_arguments() {
    let path = c(&own_path());
    let none = [std::ptr::null::<libc::c_char>()];
    let end = run(|| unsafe {
        libc::dup2(libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY), 2);
        libc::execve(path.as_ptr(), none.as_ptr(), none.as_ptr());
        99
    });
    assert_eq!(end, End::Exit(2), "the program's own complaint");
}

fn script(name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(name, text).unwrap();
    std::fs::set_permissions(name, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn exec_follows_a_script() {
    script("outer", &format!("#!{}\n", own_path()));
    let usage = Command::new("./outer").output().unwrap();
    assert_eq!(usage.status.code(), Some(2), "the script's own path is the argument");
    script("inner", "#! ./no-such-interpreter\n");
    assert_eq!(Command::new("./inner").output().unwrap_err().raw_os_error(), Some(libc::ENOENT));
    script("self", "#!./self\n");
    assert_eq!(Command::new("./self").output().unwrap_err().raw_os_error(), Some(libc::ELOOP));
}

fn exec_follows_a_script_with_an_argument() {
    script("script", &format!("#!  {}  child arguments \t\nrest\n", own_path()));
    let said = Command::new("./script").arg("tail").output().unwrap();
    assert_eq!(said.status.code(), Some(2), "what follows the interpreter is one argument");
    let link = "i";
    std::os::unix::fs::symlink(own_path(), link).unwrap();
    script("script", &format!("#!{}/{link} child\n", std::env::current_dir().unwrap().display()));
    assert_eq!(
        Command::new("./script").args(["exit", "3"]).status().unwrap().code(),
        Some(98),
        "[\"./script\", \"exit\", \"3\"]"
    );
}

fn exec_failures_leave_the_program() {
    std::fs::write("plain", "text").unwrap();
    std::fs::create_dir("folder").unwrap();
    script("garbage", "\u{0}\u{1}\u{2}\u{3} nothing known");
    script("empty", "");
    let argument = [c"x".as_ptr(), std::ptr::null()];
    let errors = [
        ("absent", libc::ENOENT),
        ("plain", libc::EACCES),
        ("folder", libc::EACCES),
        ("plain/x", libc::ENOTDIR),
        ("garbage", libc::ENOEXEC),
        ("empty", libc::ENOEXEC),
        ("", libc::ENOENT),
    ];
    for (path, error) in errors {
        let path_c = c(path);
        assert_eq!(errno(unsafe { libc::execv(path_c.as_ptr(), argument.as_ptr()) }), error, "{path}");
    }
    let own = c(&own_path());
    assert_eq!(sys!(libc::SYS_execve, 8, argument.as_ptr(), 0), Err(libc::EFAULT));
    assert_eq!(sys!(libc::SYS_execve, own.as_ptr(), 8, 0), Err(libc::EFAULT));
    assert_eq!(sys!(libc::SYS_execve, own.as_ptr(), argument.as_ptr(), 8), Err(libc::EFAULT));
    let wild = [8usize, 0];
    assert_eq!(sys!(libc::SYS_execve, own.as_ptr(), wild.as_ptr(), 0), Err(libc::EFAULT));
}

fn exec_of_too_long_arguments() {
    let own = c(&own_path());
    let long = c(&"x".repeat(32 * PAGE));
    let one = [own.as_ptr(), long.as_ptr(), std::ptr::null()];
    assert_eq!(sys!(libc::SYS_execve, own.as_ptr(), one.as_ptr(), 0), Err(libc::E2BIG), "one string of 32 pages");
    let shorter = c(&"x".repeat(32 * PAGE - 1));
    let many: Vec<_> = std::iter::repeat_n(shorter.as_ptr(), 100).chain([std::ptr::null()]).collect();
    assert_eq!(
        sys!(libc::SYS_execve, own.as_ptr(), many.as_ptr(), 0),
        Err(libc::E2BIG),
        "more than a quarter of the stack"
    );
}

fn exec_resets_handlers_and_keeps_ignored() {
    extern "C" fn handler(_: i32) {}
    handle(libc::SIGUSR1, handler as *const () as usize, 0);
    handle(libc::SIGUSR2, libc::SIG_IGN, 0);
    assert_eq!(again(&["action", "10"]).status().unwrap().code(), Some(libc::SIG_DFL as i32));
    assert_eq!(again(&["action", "12"]).status().unwrap().code(), Some(libc::SIG_IGN as i32));
}

fn exec_keeps_mask_and_pending() {
    let path = c(&own_path());
    let arguments = [path.as_ptr(), c"child".as_ptr(), c"pending".as_ptr(), c"10".as_ptr(), std::ptr::null()];
    let end = run(|| unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&mut set);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        libc::raise(libc::SIGUSR1);
        libc::execv(path.as_ptr(), arguments.as_ptr());
        99
    });
    assert_eq!(end, End::Exit(1));
}

fn exec_closes_on_exec() {
    let path = c(&own_path());
    for (close_on_exec, open) in [(0, 1), (libc::FD_CLOEXEC, 0)] {
        let number = c"77";
        let arguments = [path.as_ptr(), c"child".as_ptr(), c"descriptor".as_ptr(), number.as_ptr(), std::ptr::null()];
        let end = run(|| unsafe {
            libc::dup2(0, 77);
            libc::fcntl(77, libc::F_SETFD, close_on_exec);
            libc::execv(path.as_ptr(), arguments.as_ptr());
            99
        });
        assert_eq!(end, End::Exit(open));
    }
}

fn exec_by_descriptor() {
    let path = c(&own_path());
    let arguments = [path.as_ptr(), c"child".as_ptr(), c"exit".as_ptr(), c"31".as_ptr(), std::ptr::null()];
    let end = run(|| {
        let file = must(unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) });
        let _ = sys!(libc::SYS_execveat, file, c"".as_ptr(), arguments.as_ptr(), 0, libc::AT_EMPTY_PATH);
        99
    });
    assert_eq!(end, End::Exit(31));
}

fn exec_by_a_thread_ends_the_others() {
    let path = c(&own_path());
    let end = run(|| {
        let number = c(&unsafe { libc::getpid() }.to_string());
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
        std::thread::spawn(|| sleep(100_000));
        sleep(20);
        let path = path.as_ptr() as usize;
        let _ = std::thread::spawn(move || unsafe {
            let path = path as *const libc::c_char;
            let arguments = [path, c"child".as_ptr(), c"process".as_ptr(), number.as_ptr(), std::ptr::null()];
            libc::execv(path, arguments.as_ptr());
        })
        .join();
        99
    });
    assert_eq!(end, End::Exit(0), "the program goes on under the leader's number");
}

/// What libc takes for granted; the number of what is wrong.
fn auxiliary_vector() -> i32 {
    let value = |key| unsafe { libc::getauxval(key) };
    let text = |key| unsafe { std::ffi::CStr::from_ptr(value(key) as *const libc::c_char) }.to_str().unwrap_or("");
    if value(libc::AT_PAGESZ) != 4096 || value(libc::AT_PHDR) == 0 || value(libc::AT_PHNUM) == 0 {
        return 1;
    }
    if value(libc::AT_RANDOM) == 0 || value(libc::AT_CLKTCK) != 100 || value(libc::AT_ENTRY) == 0 {
        return 2;
    }
    if text(libc::AT_EXECFN) != own_path() || text(libc::AT_PLATFORM) != "x86_64" {
        return 3;
    }
    if value(libc::AT_SECURE) != 0 || value(libc::AT_UID) != 0 || value(libc::AT_SYSINFO_EHDR) == 0 {
        return 4;
    }
    i32::from(std::fs::read_to_string("/proc/self/comm").unwrap_or_default() != "guest-tests\n") * 5
}

fn exec_sets_the_name_and_auxiliary_vector() {
    assert_eq!(again(&["auxiliary"]).status().unwrap().code(), Some(0));
}

/// Changes to the bytes of this very program; each is refused or kills the new program, and nothing else happens.
fn exec_of_hostile_files() {
    let own = std::fs::read(own_path()).unwrap();
    let word = |at: usize| u64::from_le_bytes(own[at..at + 8].try_into().unwrap());
    let first_header = word(32) as usize;
    let changes: &[(usize, &[u8])] = &[
        (4, &[1]),
        (4, &[3]),
        (16, &[1, 0]),
        (18, &[3, 0]),
        (24, &[0xff; 8]),
        (32, &[0xff; 8]),
        (32, &[0; 8]),
        (54, &[0xff, 0xff]),
        (54, &[0, 0]),
        (56, &[0xff, 0xff]),
        (56, &[0, 0]),
        (first_header + 16, &[0xff; 8]),
        (first_header + 32, &[0xff; 8]),
        (first_header + 40, &[0xff; 8]),
        (first_header + 40, &[0; 8]),
    ];
    for (at, bytes) in changes {
        let mut broken = own.clone();
        broken[*at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write("broken", &broken).unwrap();
        script("broken-script", "");
        unsafe { libc::chmod(c"broken".as_ptr(), 0o755) };
        let ended = Command::new("./broken").args(["child", "exit", "0"]).output();
        if let Ok(output) = ended {
            let status = output.status;
            assert!(status.code().is_none() || status.code() == Some(0), "{at}: {status:?}");
        }
    }
    for length in [1, 4, 16, 63, 64, 100, first_header + 56, 4096] {
        std::fs::write("short", &own[..length]).unwrap();
        unsafe { libc::chmod(c"short".as_ptr(), 0o755) };
        if let Ok(output) = Command::new("./short").args(["child", "exit", "0"]).output() {
            assert_eq!(output.status.code(), None, "the first {length} bytes");
        }
    }
}

fn exec_keeps_the_process_number() {
    let path = c(&own_path());
    let end = run(|| unsafe {
        let number = c(&libc::getpid().to_string());
        let arguments = [path.as_ptr(), c"child".as_ptr(), c"process".as_ptr(), number.as_ptr(), std::ptr::null()];
        libc::execv(path.as_ptr(), arguments.as_ptr());
        99
    });
    assert_eq!(end, End::Exit(0));
}

fn exec_keeps_writers_out() {
    std::fs::copy(own_path(), "program").unwrap();
    let writer = std::fs::OpenOptions::new().append(true).open("program").unwrap();
    let argument = [c"x".as_ptr(), std::ptr::null()];
    assert_eq!(
        errno(unsafe { libc::execv(c"program".as_ptr(), argument.as_ptr()) }),
        libc::ETXTBSY,
        "open for writing"
    );
    drop(writer);
    // Once it has copied a byte it runs, and does until its input ends.
    let mut running =
        Command::new("./program").args(["child", "copy"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0];
    running.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    running.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    let open = |flags| sys!(libc::SYS_open, c"program".as_ptr(), flags);
    assert_eq!(open(libc::O_WRONLY), Err(libc::ETXTBSY));
    assert_eq!(open(libc::O_RDWR | libc::O_TRUNC), Err(libc::ETXTBSY));
    assert_eq!(sys!(libc::SYS_truncate, c"program".as_ptr(), 0), Err(libc::ETXTBSY));
    std::fs::rename("program", "moved").unwrap();
    assert_eq!(sys!(libc::SYS_truncate, c"moved".as_ptr(), 0), Err(libc::ETXTBSY), "whatever its name");
    drop(running.stdin.take());
    assert_eq!(running.wait().unwrap().code(), Some(0));
    assert_eq!(sys!(libc::SYS_truncate, c"moved".as_ptr(), 0), Ok(0), "it has ended");
}

fn many_children_at_once() {
    let children: Vec<i32> = (0..200).map(|number| fork(|| number % 100)).collect();
    for (number, child) in children.into_iter().enumerate() {
        assert_eq!(wait(child), End::Exit(number as i32 % 100));
    }
    assert_eq!(errno(unsafe { libc::wait(std::ptr::null_mut()) }), libc::ECHILD);
}

fn fork_bomb_stops_at_the_limit() {
    let end = run(|| unsafe {
        let limit = libc::rlimit { rlim_cur: 20, rlim_max: 20 };
        must(libc::setrlimit(libc::RLIMIT_NPROC, &limit));
        must(libc::setresuid(4242, 4242, 4242));
        let mut children = 0;
        loop {
            match libc::fork() {
                0 => {
                    libc::pause();
                    libc::_exit(0);
                }
                -1 if children > 0 && *libc::__errno_location() == libc::EAGAIN => break,
                child if child > 0 && children < 30 => children += 1,
                _ => break,
            }
        }
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::kill(-1, libc::SIGTERM);
        while libc::wait(std::ptr::null_mut()) > 0 {}
        children
    });
    assert_eq!(end, End::Exit(19), "the process itself is the twentieth");
}

fn process_names() {
    until(|| {
        unsafe { libc::prctl(libc::PR_SET_NAME, c"a name that is far too long".as_ptr()) };
        true
    });
    let mut name = [0u8; 16];
    must(unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) });
    assert_eq!(&name, b"a name that is \0");
    assert_eq!(std::fs::read_to_string("/proc/self/comm").unwrap(), "a name that is \n");
}
