//! Who ends when memory runs out: in a machine that has little (`guest-tests shortage`), and as what /proc says of it.
use crate::call::must;
use crate::child::{End, PAGE, fork, map, pipe, wait};
use crate::tests;
use std::fs;

tests!(score_follows_adjustment, adjustment_goes_back_as_far_as_root_said);

/// What the spared process holds, in pages: more than any of those that end.
const HELD: usize = (24 << 20) / PAGE;
const HOGS: usize = 3;

fn adjust(points: i32) -> std::io::Result<()> {
    fs::write("/proc/self/oom_score_adj", points.to_string())
}

fn score() -> i64 {
    fs::read_to_string("/proc/self/oom_score").unwrap().trim().parse().unwrap()
}

/// Takes memory until it ends.
fn hog() -> ! {
    loop {
        let area = map(256 * PAGE);
        (0..256).for_each(|page| unsafe { area.add(page * PAGE).write_volatile(1) });
    }
}

/// The smallest of all ends first, since it offers itself; the largest never ends, since it may not.
pub fn run() -> i32 {
    adjust(-1000).unwrap();
    let held = map(HELD * PAGE);
    (0..HELD).for_each(|page| unsafe { held.add(page * PAGE).cast::<usize>().write_volatile(page) });
    must(unsafe { libc::madvise(held.cast(), HELD * PAGE, libc::MADV_DONTFORK) } as i64);
    let (source, sink) = pipe();
    let offered = fork(|| {
        adjust(1000).unwrap();
        must(unsafe { libc::write(sink, [1u8].as_ptr().cast(), 1) } as i64);
        loop {
            unsafe { libc::pause() };
        }
    });
    // Nobody takes memory before it has offered itself.
    assert_eq!(unsafe { libc::read(source, [0u8].as_mut_ptr().cast(), 1) }, 1);
    let hogs: [_; HOGS] = std::array::from_fn(|_| {
        fork(|| {
            adjust(0).unwrap();
            hog()
        })
    });
    let mut status = 0;
    let first = must(unsafe { libc::waitpid(-1, &mut status, 0) } as i64) as i32;
    assert_eq!((first, libc::WTERMSIG(status)), (offered, libc::SIGKILL), "who offers itself ends first");
    hogs.into_iter().for_each(|hog| assert_eq!(wait(hog), End::Signal(libc::SIGKILL)));
    let kept = (0..HELD).all(|page| unsafe { held.add(page * PAGE).cast::<usize>().read_volatile() } == page);
    assert!(kept, "what was held is what was written");
    println!("spared");
    0
}

/// Two thirds of a thousand, and of a thousand more for all of memory or a thousand points; 0 for who is never chosen.
fn score_follows_adjustment() {
    let usual = score();
    assert!((666..700).contains(&usual), "{usual}");
    adjust(1000).unwrap();
    assert!((1300..1370).contains(&score()), "{}", score());
    adjust(-500).unwrap();
    assert!((332..400).contains(&score()), "{}", score());
    adjust(-1000).unwrap();
    assert_eq!(score(), 0);
}

/// Without CAP_SYS_RESOURCE a process may become likelier to end and go back, but no further than somebody with it went.
fn adjustment_goes_back_as_far_as_root_said() {
    adjust(100).unwrap();
    let child = fork(|| {
        // /proc/self/oom_score_adj stays the process's own only while it may be looked at.
        let file = fs::OpenOptions::new().write(true).open("/proc/self/oom_score_adj").unwrap();
        must(unsafe { libc::setresuid(1000, 1000, 1000) } as i64);
        let set = |points: &str| std::os::unix::fs::FileExt::write_at(&file, points.as_bytes(), 0);
        assert!(set("300").is_ok() && set("100").is_ok());
        assert_eq!(set("99").unwrap_err().raw_os_error(), Some(libc::EACCES));
        0
    });
    assert_eq!(wait(child), End::Exit(0));
}
