//! What the system says of itself, limits, random numbers, usage.
use crate::call::{errno, must};
use crate::child::{End, PAGE, fork, run, sleep, wait};
use crate::sys;
use std::mem::zeroed;

crate::tests!(
    uname_says_linux,
    host_name_can_be_set_by_root,
    memory_and_load,
    limits_read_back,
    limits_of_others,
    limits_are_inherited,
    hard_limits_stay_for_users,
    processor_time_limit,
    usage_grows,
    times_of_children,
    random_numbers,
    random_flags,
    parent_and_identity_calls,
    vdso_is_there,
    processors_online,
    personality_answers,
    process_control_answers,
    sessions_of_proc,
    memory_in_proc,
    uptime_and_boot,
    idle_time_stands_still_while_a_program_computes,
    reboot_needs_its_magic,
    log_is_for_root,
    proc_stat_counts,
    membarrier_answers,
    restartable_sequences_are_whole_or_absent,
    processor_instructions_that_libc_asks_for,
    page_faults_are_counted,
);

fn text(field: &[libc::c_char]) -> String {
    field.iter().take_while(|letter| **letter != 0).map(|letter| *letter as u8 as char).collect()
}

fn uname_says_linux() {
    let mut name: libc::utsname = unsafe { zeroed() };
    must(unsafe { libc::uname(&mut name) });
    assert_eq!((text(&name.sysname).as_str(), text(&name.machine).as_str()), ("Linux", "x86_64"));
    let release = text(&name.release);
    let major: u32 = release.split('.').next().unwrap().parse().unwrap();
    assert!(major >= 6, "{release}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim(), release);
    let version = std::fs::read_to_string("/proc/version").unwrap();
    assert!(version.starts_with(&format!("Linux version {release} ")), "{version}");
}

fn host_name_can_be_set_by_root() {
    let mut before: libc::utsname = unsafe { zeroed() };
    must(unsafe { libc::uname(&mut before) });
    must(unsafe { libc::sethostname(c"crab".as_ptr(), 4) });
    let mut now: libc::utsname = unsafe { zeroed() };
    must(unsafe { libc::uname(&mut now) });
    assert_eq!(text(&now.nodename), "crab");
    assert_eq!(errno(unsafe { libc::sethostname(c"x".as_ptr(), 65) }), libc::EINVAL);
    must(unsafe { libc::sethostname(before.nodename.as_ptr(), text(&before.nodename).len()) });
    let end = run(|| unsafe {
        libc::setresuid(1000, 1000, 1000);
        errno(libc::sethostname(c"x".as_ptr(), 1))
    });
    assert_eq!(end, End::Exit(libc::EPERM));
}

fn memory_and_load() {
    let mut info: libc::sysinfo = unsafe { zeroed() };
    must(unsafe { libc::sysinfo(&mut info) });
    let unit = u64::from(info.mem_unit.max(1));
    assert!(info.totalram * unit > 16 << 20 && info.freeram <= info.totalram);
    assert!(info.procs > 0 && info.uptime >= 0);
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let value = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(value("MemTotal:"), info.totalram * unit / 1024);
    assert!(value("MemFree:") <= value("MemAvailable:") + value("MemTotal:"));
    assert!(value("MemAvailable:") > 0);
}

fn limit(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit: libc::rlimit = unsafe { zeroed() };
    must(unsafe { libc::getrlimit(resource, &mut limit) });
    (limit.rlim_cur, limit.rlim_max)
}

fn set_limit(resource: libc::__rlimit_resource_t, rlim_cur: u64, rlim_max: u64) -> i32 {
    unsafe { libc::setrlimit(resource, &libc::rlimit { rlim_cur, rlim_max }) }
}

fn limits_read_back() {
    assert_eq!(limit(libc::RLIMIT_STACK).0, 8 << 20);
    for resource in 0..16 {
        let (soft, hard) = limit(resource);
        assert!(soft <= hard, "{resource}");
    }
    must(set_limit(libc::RLIMIT_CORE, 5, 10));
    assert_eq!(limit(libc::RLIMIT_CORE), (5, 10));
    assert_eq!(errno(set_limit(libc::RLIMIT_CORE, 11, 10)), libc::EINVAL);
    assert_eq!(sys!(libc::SYS_getrlimit, 16, 0), Err(libc::EINVAL));
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().skip(4).collect::<Vec<_>>(), ["5", "10", "bytes"]);
}

fn limits_of_others() {
    let child = fork(|| unsafe { libc::pause() });
    let new = [33u64, 44];
    let mut old = [0u64; 2];
    assert_eq!(sys!(libc::SYS_prlimit64, child, libc::RLIMIT_NOFILE, new.as_ptr(), old.as_mut_ptr()), Ok(0));
    assert_eq!((old[0], old[1]), limit(libc::RLIMIT_NOFILE));
    assert_eq!(sys!(libc::SYS_prlimit64, child, libc::RLIMIT_NOFILE, 0, old.as_mut_ptr()), Ok(0));
    assert_eq!(old, new);
    assert_eq!(sys!(libc::SYS_prlimit64, 999_999, libc::RLIMIT_NOFILE, 0, old.as_mut_ptr()), Err(libc::ESRCH));
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

fn limits_are_inherited() {
    must(set_limit(libc::RLIMIT_NOFILE, 99, 100));
    assert_eq!(run(|| limit(libc::RLIMIT_NOFILE).0 as i32), End::Exit(99));
}

fn hard_limits_stay_for_users() {
    must(set_limit(libc::RLIMIT_NOFILE, 50, 100));
    let end = run(|| unsafe {
        must(libc::setresuid(1000, 1000, 1000));
        must(set_limit(libc::RLIMIT_NOFILE, 90, 100));
        assert_eq!(errno(set_limit(libc::RLIMIT_NOFILE, 90, 101)), libc::EPERM);
        must(set_limit(libc::RLIMIT_NOFILE, 80, 80));
        errno(set_limit(libc::RLIMIT_NOFILE, 80, 81))
    });
    assert_eq!(end, End::Exit(libc::EPERM));
    must(set_limit(libc::RLIMIT_NOFILE, 101, 101));
}

fn processor_time_limit() {
    let end = run(|| {
        must(set_limit(libc::RLIMIT_CPU, 1, 100));
        loop {
            std::hint::spin_loop();
        }
    });
    assert_eq!(end, End::Signal(libc::SIGXCPU));
}

fn usage(who: i32) -> libc::rusage {
    unsafe {
        let mut usage = zeroed();
        must(libc::getrusage(who, &mut usage));
        usage
    }
}

fn microseconds(time: libc::timeval) -> i64 {
    time.tv_sec * 1_000_000 + time.tv_usec
}

fn spin(milliseconds: u128) {
    let start = std::time::Instant::now();
    while start.elapsed().as_millis() < milliseconds {
        std::hint::spin_loop();
    }
}

fn usage_grows() {
    let before = usage(libc::RUSAGE_SELF);
    spin(100);
    let after = usage(libc::RUSAGE_SELF);
    let used = microseconds(after.ru_utime) + microseconds(after.ru_stime)
        - microseconds(before.ru_utime)
        - microseconds(before.ru_stime);
    assert!((20_000..2_000_000).contains(&used), "{used}");
    assert!(after.ru_maxrss > 100, "{} KiB", after.ru_maxrss);
    assert!(microseconds(usage(libc::RUSAGE_THREAD).ru_utime) > 0);
    assert_eq!(errno(unsafe { libc::getrusage(77, &mut zeroed()) }), libc::EINVAL);
}

fn times_of_children() {
    unsafe {
        let mut before: libc::tms = zeroed();
        must(libc::times(&mut before));
        run(|| {
            spin(100);
            0
        });
        let mut after: libc::tms = zeroed();
        must(libc::times(&mut after));
        let ticks = after.tms_cutime + after.tms_cstime - before.tms_cutime - before.tms_cstime;
        assert!((2..200).contains(&ticks), "{ticks} ticks of 10 ms");
        assert_eq!(libc::sysconf(libc::_SC_CLK_TCK), 100);
    }
}

fn random_numbers() {
    let mut blocks = [[0u8; 64]; 50];
    for block in &mut blocks {
        assert_eq!(unsafe { libc::getrandom(block.as_mut_ptr().cast(), 64, 0) }, 64);
    }
    blocks.sort();
    assert!(blocks.windows(2).all(|pair| pair[0] != pair[1]));
    let ones: u32 = blocks.iter().flatten().map(|byte| byte.count_ones()).sum();
    assert!((12_000..13_600).contains(&ones), "{ones} of 25600 bits");
    let mut large = vec![0u8; 100_000];
    assert_eq!(unsafe { libc::getrandom(large.as_mut_ptr().cast(), large.len(), 0) }, 100_000);
    assert!(large[99_000..].iter().any(|byte| *byte != 0));
}

fn random_flags() {
    let mut bytes = [0u8; 8];
    let flags = libc::GRND_NONBLOCK | libc::GRND_RANDOM;
    assert_eq!(sys!(libc::SYS_getrandom, bytes.as_mut_ptr(), 8, flags), Ok(8));
    assert_eq!(sys!(libc::SYS_getrandom, bytes.as_mut_ptr(), 8, 0x100), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_getrandom, bytes.as_mut_ptr(), 8, 6), Err(libc::EINVAL), "insecure and random");
    assert_eq!(sys!(libc::SYS_getrandom, 8, 8, 0), Err(libc::EFAULT));
    assert_eq!(sys!(libc::SYS_getrandom, bytes.as_mut_ptr(), 0, 0), Ok(0));
}

fn parent_and_identity_calls() {
    unsafe {
        assert_eq!((libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()), (0, 0, 0, 0));
        assert_eq!(sys!(libc::SYS_set_tid_address, 0), Ok(libc::gettid() as usize));
        assert_eq!(libc::getpgid(0), libc::getpgrp());
        assert_eq!(libc::getsid(0), libc::getsid(libc::getpid()));
    }
}

fn vdso_is_there() {
    let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as *const u8;
    assert!(!base.is_null());
    assert_eq!(unsafe { std::slice::from_raw_parts(base, 4) }, b"\x7fELF");
}

fn processors_online() {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let last: i64 = online.trim().rsplit('-').next().unwrap().parse().unwrap();
    assert_eq!(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }, last + 1);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("processor\t:")).count() as i64, last + 1);
    let mut processor = 99u32;
    assert_eq!(sys!(libc::SYS_getcpu, &raw mut processor, 0, 0), Ok(0));
    assert!(i64::from(processor) <= last);
}

fn personality_answers() {
    assert_eq!(sys!(libc::SYS_personality, 0xffff_ffffu32), Ok(0));
}

fn process_control_answers() {
    unsafe {
        assert_eq!(libc::prctl(libc::PR_GET_DUMPABLE), 1);
        must(libc::prctl(libc::PR_SET_DUMPABLE, 0));
        assert_eq!(libc::prctl(libc::PR_GET_DUMPABLE), 0);
        assert_eq!(errno(libc::prctl(libc::PR_SET_DUMPABLE, 7)), libc::EINVAL);
        let mut signal = 99;
        must(libc::prctl(libc::PR_GET_PDEATHSIG, &mut signal));
        assert_eq!(signal, 0);
        assert_eq!(errno(libc::prctl(libc::PR_SET_PDEATHSIG, 65)), libc::EINVAL);
        assert_eq!(libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
        must(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        assert_eq!(libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        assert_eq!(errno(libc::prctl(77_777)), libc::EINVAL);
    }
}

fn sessions_of_proc() {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split_whitespace().collect();
    let number = |index: usize| fields[index].parse::<i32>().unwrap();
    unsafe {
        assert_eq!(fields[0], "R");
        assert_eq!((number(1), number(2), number(3)), (libc::getppid(), libc::getpgrp(), libc::getsid(0)));
        assert_eq!(number(17), 1, "threads");
    }
    assert_eq!(fields.len(), 50);
}

fn memory_in_proc() {
    let resident = || -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before = resident();
    let area = crate::child::map(1000 * PAGE);
    (0..1000).for_each(|page| unsafe { area.add(page * PAGE).write(1) });
    let after = resident();
    assert!((800..1400).contains(&(after - before)), "{before} {after}");
    must(unsafe { libc::munmap(area.cast(), 1000 * PAGE) });
    let end = resident();
    assert!(end + 500 < after, "{before} {after} {end}");
}

fn uptime_and_boot() {
    let seconds = |text: String| -> f64 { text.split_whitespace().next().unwrap().parse().unwrap() };
    let uptime = seconds(std::fs::read_to_string("/proc/uptime").unwrap());
    let mut time: libc::timespec = unsafe { zeroed() };
    must(unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) });
    assert!((time.tv_sec as f64 - uptime).abs() < 5.0);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    assert_eq!(load.split_whitespace().count(), 5);
}

fn idle_time_stands_still_while_a_program_computes() {
    let idle = || -> u64 {
        let text = std::fs::read_to_string("/proc/stat").unwrap();
        let line = text.lines().find(|line| line.starts_with("cpu0 ")).unwrap();
        line.split_whitespace().nth(4).unwrap().parse().unwrap()
    };
    let one: u64 = 1;
    assert_eq!(sys!(libc::SYS_sched_setaffinity, 0, 8, &raw const one), Ok(0));
    // So that the processor was idle before.
    sleep(100);
    let before = idle();
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_millis(600) {
        std::hint::spin_loop();
    }
    let during = idle() - before;
    assert!(during < 20, "{during} hundredths of 60");
    sleep(300);
    let after = idle() - before - during;
    assert!(after > 10, "{after} hundredths of 30");
}

fn reboot_needs_its_magic() {
    assert_eq!(sys!(libc::SYS_reboot, 1, 2, 0, 0), Err(libc::EINVAL));
    let end = run(|| unsafe {
        libc::setresuid(1000, 1000, 1000);
        sys!(libc::SYS_reboot, 0xfee1_dead_u32, 672_274_793, 0x0123_4567, 0).err().unwrap_or(0)
    });
    assert_eq!(end, End::Exit(libc::EPERM));
}

fn log_is_for_root() {
    assert!(sys!(libc::SYS_syslog, 10, 0, 0).unwrap() > 1000, "the size of the buffer");
    let mut bytes = vec![0u8; 100_000];
    assert!(sys!(libc::SYS_syslog, 3, bytes.as_mut_ptr(), bytes.len()).unwrap() > 0);
    assert_eq!(sys!(libc::SYS_syslog, 99, 0, 0), Err(libc::EINVAL));
}

fn proc_stat_counts() {
    let text = std::fs::read_to_string("/proc/stat").unwrap();
    for start in ["cpu ", "cpu0 ", "intr ", "ctxt ", "btime ", "processes ", "procs_running "] {
        assert!(text.lines().any(|line| line.starts_with(start)), "{start}");
    }
    let created =
        |text: &str| -> u64 { text.lines().find_map(|line| line.strip_prefix("processes ")).unwrap().parse().unwrap() };
    run(|| 0);
    assert!(created(&std::fs::read_to_string("/proc/stat").unwrap()) > created(&text));
}

fn membarrier_answers() {
    match sys!(libc::SYS_membarrier, 0, 0, 0) {
        Ok(commands) => assert_eq!(commands & 1, 1),
        Err(error) => assert_eq!(error, libc::ENOSYS),
    }
}

/// glibc registers its area at the start; a second is refused. Where the kernel has none, every call says so.
fn restartable_sequences_are_whole_or_absent() {
    let area = crate::child::map(PAGE);
    match sys!(libc::SYS_rseq, area, 32, 0, 0x5305_3053) {
        Err(error) => assert!([libc::ENOSYS, libc::EINVAL, libc::EBUSY].contains(&error), "{error}"),
        Ok(_) => assert_eq!(sys!(libc::SYS_rseq, area, 32, 1, 0x5305_3053), Ok(0)),
    }
}

fn processor_instructions_that_libc_asks_for() {
    let leaf = std::arch::x86_64::__cpuid(0);
    assert!(leaf.eax >= 1);
    if std::arch::x86_64::__cpuid(1).ecx & 1 << 27 != 0 {
        let low: u32;
        unsafe { std::arch::asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _) };
        assert_eq!(low & 3, 3, "x87 and SSE are on");
    }
}

fn page_faults_are_counted() {
    let before = usage(libc::RUSAGE_SELF).ru_minflt;
    let area = crate::child::map(200 * PAGE);
    unsafe { libc::madvise(area.cast(), 200 * PAGE, libc::MADV_NOHUGEPAGE) };
    (0..200).for_each(|page| unsafe { area.add(page * PAGE).write(1) });
    let faults = usage(libc::RUSAGE_SELF).ru_minflt - before;
    assert!((200..400).contains(&faults), "{faults}");
}
