//! Runs each test in a process of its own. Needs little of a kernel: fork, pipe, wait4 without hanging, nanosleep, kill.
use crate::Test;
use std::io::Write;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

const TIME_OUT: Duration = Duration::from_secs(60);
/// Where a test's panics go.
static REPORT: AtomicI32 = AtomicI32::new(2);

pub fn full_name(test: &Test) -> String {
    let family = test.family.rsplit("::").next().unwrap_or(test.family);
    format!("{}.{}", family.replace('_', "-"), test.name.replace('_', "-"))
}

pub fn selected<'a>(families: &'a [&'a [Test]], names: &'a [&'a str]) -> impl Iterator<Item = &'a Test> {
    let wanted = |test: &&Test| names.is_empty() || names.iter().any(|name| full_name(test).starts_with(name));
    families.iter().flat_map(|family| family.iter()).filter(wanted)
}

/// Runs the tests that were asked for; answers the exit status. `--quiet` as the first name: only failures are printed.
pub fn run(families: &[&[Test]], names: &[&str]) -> i32 {
    let (quiet, names) = match names {
        ["--quiet", names @ ..] => (true, names),
        names => (false, names),
    };
    let mut failures = 0;
    let mut count = 0;
    for test in selected(families, names) {
        count += 1;
        match in_a_process(test) {
            Ok(()) if quiet => {}
            Ok(()) => println!("ok {}", full_name(test)),
            Err(why) => {
                failures += 1;
                println!("not ok {}: {}", full_name(test), why.replace('\n', " | "));
            }
        }
        let _ = std::io::stdout().flush();
    }
    if count == 0 {
        eprintln!("guest-tests: no test is called so");
        return 125;
    }
    failures.min(100)
}

fn in_a_process(test: &Test) -> Result<(), String> {
    let mut report = [0; 2];
    let folder = format!("/tmp/{}.{}", full_name(test), std::process::id());
    let _ = std::fs::create_dir_all(&folder);
    unsafe {
        if libc::pipe2(report.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) != 0 {
            return Err(format!("pipe2: {}", std::io::Error::last_os_error()));
        }
        let process = libc::fork();
        if process == 0 {
            libc::close(report[0]);
            child(test, report[1], &folder);
        }
        libc::close(report[1]);
        if process < 0 {
            return Err(format!("fork: {}", std::io::Error::last_os_error()));
        }
        let outcome = wait(process);
        libc::kill(-process, libc::SIGKILL);
        let why = read_report(report[0]);
        libc::close(report[0]);
        let mounted = crate::call::c(&format!("{folder}/mounted"));
        libc::umount2(mounted.as_ptr(), libc::MNT_DETACH);
        let _ = std::fs::remove_dir_all(&folder);
        while libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) > 0 {}
        match outcome {
            Some(0) if why.is_empty() => Ok(()),
            Some(_) if !why.is_empty() => Err(why),
            Some(status) if libc::WIFSIGNALED(status) => Err(format!("killed by signal {}", libc::WTERMSIG(status))),
            Some(status) => Err(format!("exit status {}", libc::WEXITSTATUS(status))),
            None => Err(format!("still running after {} s {why}", TIME_OUT.as_secs())),
        }
    }
}

unsafe fn child(test: &Test, report: i32, folder: &str) -> ! {
    unsafe {
        libc::setpgid(0, 0);
        as_the_kernel_starts_programs();
        // Out of the way of tests that count descriptors.
        let high = libc::fcntl(report, libc::F_DUPFD_CLOEXEC, 500);
        REPORT.store(if high >= 0 { high } else { report }, Ordering::Relaxed);
        libc::close(report);
        let _ = std::env::set_current_dir(folder);
        std::panic::set_hook(Box::new(|panic| {
            let text = format!("{panic}\n");
            libc::write(REPORT.load(Ordering::Relaxed), text.as_ptr().cast(), text.len().min(4000));
            libc::_exit(101);
        }));
        (test.run)();
        libc::_exit(0);
    }
}

/// Takes back what the standard library changed at its start: handlers for stack overflows, and SIGPIPE.
unsafe fn as_the_kernel_starts_programs() {
    unsafe {
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        libc::sigaltstack(&none, std::ptr::null_mut());
    }
}

/// The status, or `None` after the time-out.
unsafe fn wait(process: i32) -> Option<i32> {
    let (start, mut step) = (Instant::now(), Duration::from_millis(1));
    loop {
        let mut status = 0;
        match unsafe { libc::waitpid(process, &mut status, libc::WNOHANG) } {
            0 if start.elapsed() > TIME_OUT => {
                unsafe {
                    libc::kill(-process, libc::SIGKILL);
                    libc::kill(process, libc::SIGKILL);
                    libc::waitpid(process, &mut status, 0);
                }
                return None;
            }
            0 => {
                std::thread::sleep(step);
                step = (step * 2).min(Duration::from_millis(16));
            }
            found if found == process => return Some(status),
            _ => return Some(255 << 8),
        }
    }
}

unsafe fn read_report(report: i32) -> String {
    let mut text = [0u8; 4096];
    let count = unsafe { libc::read(report, text.as_mut_ptr().cast(), text.len()) };
    let text = String::from_utf8_lossy(&text[..count.max(0) as usize]);
    text.replace("panicked at ", "").trim().to_owned()
}
