//! One thing very often, for tests that count frames, tasks and descriptors before and after.
use crate::call::must;
use crate::child::{End, PAGE, close, fork, map, pipe, wait};
use std::process::Command;

/// Pages that caches in front of the page allocator may hold more after than before: a few stacks, tables and slabs for each CPU.
const SLACK: i64 = 128;

pub fn run(kind: &str, count: &str) -> i32 {
    let Ok(count) = count.parse::<usize>() else {
        eprintln!("guest-tests: {count} is not a number");
        return 2;
    };
    let (stress, leaks): (fn(usize), bool) = match kind.strip_suffix("-leak").unwrap_or(kind) {
        "fork" => (forks, kind.ends_with("-leak")),
        "thread" => (threads, kind.ends_with("-leak")),
        "pipe" => (through_a_pipe, kind.ends_with("-leak")),
        "file" => (files, kind.ends_with("-leak")),
        "map" => (maps, kind.ends_with("-leak")),
        _ => {
            eprintln!("guest-tests: stress knows fork, thread, pipe, file, map, and each with -leak");
            return 2;
        }
    };
    if leaks {
        without_leaks(stress, count)
    } else {
        stress(count)
    }
    println!("{kind} {count}");
    0
}

/// The same often: what is free, and how many tasks there are, does not drift. The first rounds fill caches.
fn without_leaks(stress: fn(usize), count: usize) {
    (0..2).for_each(|_| stress(count));
    let (free, tasks, descriptors) = settled();
    stress(count);
    let (free_after, tasks_after, descriptors_after) = settled();
    assert_eq!((tasks_after, descriptors_after), (tasks, descriptors), "tasks, descriptors");
    assert!(free - free_after <= SLACK, "{} pages are gone", free - free_after);
}

/// Free pages once they stay the same, tasks, and the lowest free descriptor.
fn settled() -> (i64, u16, i32) {
    let look = || {
        let mut information: libc::sysinfo = unsafe { core::mem::zeroed() };
        must(unsafe { libc::sysinfo(&mut information) } as i64);
        ((information.freeram * u64::from(information.mem_unit)) as i64 / PAGE as i64, information.procs)
    };
    let mut last = look();
    for _ in 0..50 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let now = look();
        if now == last {
            break;
        }
        last = now;
    }
    let descriptor = must(unsafe { libc::dup(0) } as i64) as i32;
    close(descriptor);
    (last.0, last.1, descriptor)
}

/// fork, exec and wait, `count` times.
fn forks(count: usize) {
    let path = std::fs::read_link("/proc/self/exe").unwrap();
    for number in 0..count {
        let status = Command::new(&path).args(["child", "exit", &(number % 100).to_string()]).status().unwrap();
        assert_eq!(status.code(), Some((number % 100) as i32));
    }
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

/// Creates, writes, reads and removes `count` files.
fn files(count: usize) {
    let folder = format!("/tmp/stress.{}", std::process::id());
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
