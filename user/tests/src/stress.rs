//! One thing very often; `exact` counts what there is before and after ([`crate::exact`]).
use crate::call::must;
use crate::child::{End, PAGE, close, fork, map, pipe, wait};
use std::process::Command;

/// Something to be done that often.
pub type Load = fn(usize);

/// What can be done so often.
pub const LOADS: [(&str, Load); 13] = [
    ("fork", forks),
    ("kill-fork", |count| kills(count, fork_and_leave)),
    ("kill-exec", |count| kills(count, || forks(1))),
    ("kill-thread", |count| kills(count, || threads(4))),
    ("kill-map", |count| kills(count, map_a_file)),
    ("kill-pipe", |count| kills(count, || through_a_pipe(1))),
    ("kill-file", |count| kills(count, || files(1))),
    ("thread", threads),
    ("pipe", through_a_pipe),
    ("file", files),
    ("map", maps),
    ("shell", shell),
    ("fuzz", crate::fuzz::load),
];

/// A load and how often, as the command line says.
pub fn load(kind: &str, count: &str) -> Option<(Load, usize)> {
    let all = || LOADS.iter().chain(&crate::flood::FLOODS);
    let Some((_, load)) = all().find(|(name, _)| *name == kind) else {
        let names: Vec<_> = all().map(|(name, _)| *name).collect();
        eprintln!("guest-tests: known are {}", names.join(", "));
        return None;
    };
    let count = count.parse().map_err(|_| eprintln!("guest-tests: {count} is not a number")).ok()?;
    Some((*load, count))
}

pub fn run(kind: &str, count: &str) -> i32 {
    let Some((load, count)) = load(kind, count) else { return 2 };
    load(count);
    println!("{kind} {count}");
    0
}

/// fork, exec and wait, `count` times.
fn forks(count: usize) {
    let path = std::fs::read_link("/proc/self/exe").unwrap();
    for number in 0..count {
        let status = Command::new(&path).args(["child", "exit", &(number % 100).to_string()]).status().unwrap();
        assert_eq!(status.code(), Some((number % 100) as i32));
    }
}

/// `count` groups of processes that do something all the time, each killed in the midst of it.
fn kills(count: usize, work: fn()) {
    for number in 0..count {
        let leader = fork(|| {
            // Not a word from who writes to one that was killed first.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            loop {
                work();
            }
        });
        must(unsafe { libc::setpgid(leader, leader) } as i64);
        unsafe { libc::usleep((number % 16 * 100) as u32) };
        must(unsafe { libc::kill(-leader, libc::SIGKILL) } as i64);
        assert_eq!(wait(leader), End::Signal(libc::SIGKILL));
        // Children of it that were not in the group yet when it was killed.
        while unsafe { libc::kill(-leader, libc::SIGKILL) } == 0 {
            unsafe { libc::usleep(100) };
        }
        let _ = std::fs::remove_dir_all(folder_of(leader));
    }
}

/// A child that ends at once, and that nobody waits for.
fn fork_and_leave() {
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    if unsafe { libc::fork() } == 0 {
        unsafe { libc::_exit(0) };
    }
}

/// Maps the program, writes to copies of its pages, moves and protects them.
fn map_a_file() {
    let file = must(unsafe { libc::open(c"/proc/self/exe".as_ptr(), libc::O_RDONLY) } as i64) as i32;
    let (length, access) = (16 * PAGE, libc::PROT_READ | libc::PROT_WRITE);
    unsafe {
        let area = libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_PRIVATE, file, 0);
        assert_ne!(area, libc::MAP_FAILED);
        (0..16).for_each(|page| area.cast::<u8>().add(page * PAGE).write_volatile(1));
        let moved = libc::mremap(area, length, 2 * length, libc::MREMAP_MAYMOVE);
        assert_ne!(moved, libc::MAP_FAILED);
        must(libc::mprotect(moved.add(4 * PAGE), 4 * PAGE, libc::PROT_READ));
        must(libc::munmap(moved, 2 * length));
    }
    close(file);
}

/// `count` threads, all alive at once.
fn threads(count: usize) {
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(count + 1));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let barrier = barrier.clone();
            let builder = std::thread::Builder::new().stack_size(16 * PAGE);
            builder.spawn(move || barrier.wait()).expect("a thread")
        })
        .collect();
    barrier.wait();
    threads.into_iter().for_each(|thread| {
        thread.join().unwrap();
    });
}

/// `count` MiB through a pipe, checked.
fn through_a_pipe(count: usize) {
    const CHUNK: usize = 65536;
    let (source, sink) = pipe();
    let child = fork(|| {
        close(source);
        let mut chunk = vec![0u8; CHUNK];
        for number in 0..count * 16 {
            chunk.fill(number as u8);
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let written = must(unsafe { libc::write(sink, rest.as_ptr().cast(), rest.len()) } as i64);
                rest = &rest[written as usize..];
            }
        }
        0
    });
    close(sink);
    let (mut total, mut chunk) = (0usize, vec![0u8; CHUNK]);
    loop {
        let received = must(unsafe { libc::read(source, chunk.as_mut_ptr().cast(), CHUNK) } as i64) as usize;
        if received == 0 {
            break;
        }
        let same = chunk[..received].iter().enumerate().all(|(at, byte)| *byte == ((total + at) / CHUNK) as u8);
        assert!(same, "wrong bytes behind {total}");
        total += received;
    }
    close(source);
    assert_eq!((total, wait(child)), (count << 20, End::Exit(0)));
}

/// Where a process has its files.
fn folder_of(process: impl std::fmt::Display) -> String {
    format!("/tmp/stress.{process}")
}

/// Creates, writes, reads and removes `count` files.
fn files(count: usize) {
    let folder = folder_of(std::process::id());
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..count {
        let name = format!("{folder}/{}", number % 1000);
        let contents = number.to_string().repeat(number % 20);
        std::fs::write(&name, &contents).unwrap();
        assert_eq!(std::fs::read_to_string(&name).unwrap(), contents);
        std::fs::remove_file(&name).unwrap();
    }
    std::fs::remove_dir(&folder).unwrap();
}

/// Maps, touches and unmaps areas of all sizes, `count` times.
fn maps(count: usize) {
    for number in 0..count {
        let pages = number % 64 + 1;
        let area = map(pages * PAGE);
        for page in 0..pages {
            unsafe { area.add(page * PAGE).write_volatile(page as u8) };
        }
        must(unsafe { libc::mprotect(area.cast(), pages * PAGE / 2 / PAGE * PAGE, libc::PROT_READ) });
        must(unsafe { libc::munmap(area.cast(), pages * PAGE) });
    }
}

/// A shell's loop that creates and removes `count` files, no more than a thousand at a time.
fn shell(count: usize) {
    let script =
        "mkdir /tmp/exact.$$ && cd /tmp/exact.$$ && i=0 && while [ $i -lt $0 ]; do i=$((i + 1)); echo $i > file$i;
        [ $((i % 1000)) = 0 ] && rm file*; done; rm -f file*; cd / && rmdir /tmp/exact.$$";
    let status = Command::new("/bin/sh").args(["-c", script, &count.to_string()]).status().unwrap();
    assert!(status.success(), "{status}");
}
