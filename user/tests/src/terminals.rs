//! Terminals: the line discipline, tried on a pseudo-terminal.
use crate::call::{c, errno, must};
use crate::child::{close, fork, sleep, until_asleep, wait};
use crate::sys;
use std::mem::zeroed;
use std::time::{Duration, Instant};

crate::tests!(
    pair_opens,
    lines_are_given_whole,
    erase_and_kill,
    word_erase_and_literal,
    end_of_file_character,
    echo,
    echo_of_control_characters,
    no_echo,
    raw_bytes,
    minimum_and_time,
    time_between_bytes,
    time_without_minimum,
    no_minimum_no_time,
    output_processing,
    input_translation,
    upper_bit_is_stripped,
    partial_reads_of_a_line,
    several_line_ends,
    stop_and_start,
    settings_read_back,
    settings_after_output,
    flush_discards,
    waiting_counts,
    window_size,
    hang_up_of_the_master,
    hang_up_of_the_slave,
    not_a_terminal,
    default_settings,
    names_of_pseudo_terminals,
    long_lines_are_bounded,
    non_blocking,
    poll_of_a_terminal,
    packets_of_writes,
    changing_to_raw_keeps_what_was_typed,
);

/// A pseudo-terminal: master and slave. No echo, otherwise the defaults.
fn pair() -> (i32, i32) {
    unsafe {
        let master = must(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY));
        must(libc::grantpt(master));
        must(libc::unlockpt(master));
        let name = slave_name(master);
        let slave = must(libc::open(c(&name).as_ptr(), libc::O_RDWR | libc::O_NOCTTY));
        (master, slave)
    }
}

fn slave_name(master: i32) -> String {
    let mut number = 0u32;
    must(unsafe { libc::ioctl(master, libc::TIOCGPTN, &mut number) });
    format!("/dev/pts/{number}")
}

fn settings(terminal: i32) -> libc::termios {
    unsafe {
        let mut settings = zeroed();
        must(libc::tcgetattr(terminal, &mut settings));
        settings
    }
}

fn change(terminal: i32, change: impl FnOnce(&mut libc::termios)) {
    let mut settings = settings(terminal);
    change(&mut settings);
    must(unsafe { libc::tcsetattr(terminal, libc::TCSANOW, &settings) });
}

fn silent() -> (i32, i32) {
    let (master, slave) = pair();
    change(slave, |settings| settings.c_lflag &= !libc::ECHO);
    (master, slave)
}

fn raw(minimum: u8, time: u8) -> (i32, i32) {
    let (master, slave) = pair();
    change(slave, |settings| {
        unsafe { libc::cfmakeraw(settings) };
        (settings.c_cc[libc::VMIN], settings.c_cc[libc::VTIME]) = (minimum, time);
    });
    (master, slave)
}

fn put(terminal: i32, bytes: &[u8]) {
    assert_eq!(unsafe { libc::write(terminal, bytes.as_ptr().cast(), bytes.len()) }, bytes.len() as isize);
}

fn take(terminal: i32, limit: usize) -> Vec<u8> {
    let mut bytes = vec![0; limit];
    let count = must(unsafe { libc::read(terminal, bytes.as_mut_ptr().cast(), limit) } as i64);
    bytes.truncate(count as usize);
    bytes
}

/// Whether something can be read within a moment.
fn ready(terminal: i32) -> bool {
    let mut entry = libc::pollfd { fd: terminal, events: libc::POLLIN, revents: 0 };
    unsafe { libc::poll(&mut entry, 1, 30) == 1 }
}

/// All that comes within a moment.
fn drain(terminal: i32) -> Vec<u8> {
    let mut all = Vec::new();
    while ready(terminal) {
        all.extend(take(terminal, 1000));
    }
    all
}

fn pair_opens() {
    let (master, slave) = silent();
    put(slave, b"out");
    assert_eq!(take(master, 100), b"out");
    put(master, b"in\n");
    assert_eq!(take(slave, 100), b"in\n");
}

fn lines_are_given_whole() {
    let (master, slave) = silent();
    put(master, b"half");
    assert!(!ready(slave));
    put(master, b" line\nsecond\n");
    assert!(ready(slave));
    assert_eq!(take(slave, 100), b"half line\n");
    assert_eq!(take(slave, 100), b"second\n");
    assert!(!ready(slave));
}

fn erase_and_kill() {
    let (master, slave) = silent();
    put(master, b"abcd\x7f\x7fX\n");
    assert_eq!(take(slave, 100), b"abX\n");
    put(master, b"gone\x15kept\n");
    assert_eq!(take(slave, 100), b"kept\n");
    put(master, b"\x7f\x7f\x7fx\n");
    assert_eq!(take(slave, 100), b"x\n");
    put(master, b"done\n\x7f\x15y\n");
    assert_eq!(take(slave, 100), b"done\n", "a line that is done is not edited");
    assert_eq!(take(slave, 100), b"y\n");
}

fn word_erase_and_literal() {
    let (master, slave) = silent();
    put(master, b"one two  \x17three\n");
    assert_eq!(take(slave, 100), b"one three\n");
    put(master, b"a\x16\x7fb\x16\x03\n");
    assert_eq!(take(slave, 100), b"a\x7fb\x03\n");
}

fn end_of_file_character() {
    let (master, slave) = silent();
    put(master, b"\x04");
    assert_eq!(take(slave, 100), b"");
    put(master, b"no newline\x04");
    assert_eq!(take(slave, 100), b"no newline");
    put(master, b"x\n\x04y\n");
    assert_eq!(take(slave, 100), b"x\n");
    assert_eq!(take(slave, 100), b"");
    assert_eq!(take(slave, 100), b"y\n");
}

fn echo() {
    let (master, slave) = pair();
    put(master, b"abc");
    assert_eq!(drain(master), b"abc");
    put(master, b"\x7f");
    assert_eq!(drain(master), b"\x08 \x08");
    put(master, b"\n");
    assert_eq!(drain(master), b"\r\n");
    assert_eq!(take(slave, 100), b"ab\n");
    put(master, b"xyz\x15");
    assert_eq!(drain(master), b"xyz\x08 \x08\x08 \x08\x08 \x08");
}

fn echo_of_control_characters() {
    let (master, slave) = pair();
    put(master, b"a\x01b\tc");
    assert_eq!(drain(master), b"a^Ab\tc");
    put(master, b"\x7f\x7f\x7f");
    assert_eq!(drain(master), b"\x08 \x08\x08\x08\x08\x08\x08 \x08".to_vec().as_slice());
    put(master, b"\x04");
    assert_eq!(drain(master), b"", "the end of file is not seen");
    assert_eq!(take(slave, 100), b"a\x01");
}

fn no_echo() {
    let (master, slave) = silent();
    put(master, b"secret\n");
    assert_eq!(drain(master), b"");
    change(slave, |settings| settings.c_lflag |= libc::ECHONL);
    put(master, b"secret\n");
    assert_eq!(drain(master), b"\r\n");
}

fn raw_bytes() {
    let (master, slave) = raw(1, 0);
    let bytes: Vec<u8> = (0..=255).collect();
    put(master, &bytes);
    let mut received = Vec::new();
    while received.len() < 256 {
        received.extend(take(slave, 256));
    }
    assert_eq!(received, bytes);
    put(slave, &bytes);
    assert_eq!(drain(master), bytes);
}

fn minimum_and_time() {
    let (master, slave) = raw(5, 0);
    put(master, b"abc");
    let own = unsafe { libc::getpid() };
    let child = fork(|| {
        until_asleep(own);
        put(master, b"de");
        0
    });
    assert_eq!(take(slave, 100), b"abcde");
    wait(child);
}

fn time_between_bytes() {
    let (master, slave) = raw(10, 2);
    put(master, b"abc");
    let start = Instant::now();
    assert_eq!(take(slave, 100), b"abc", "a pause of 0.2 s ends the read");
    assert!((150..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

fn time_without_minimum() {
    let (master, slave) = raw(0, 2);
    let start = Instant::now();
    assert_eq!(take(slave, 100), b"");
    assert!((150..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    put(master, b"x");
    assert_eq!(take(slave, 100), b"x");
}

fn no_minimum_no_time() {
    let (master, slave) = raw(0, 0);
    assert_eq!(take(slave, 100), b"");
    put(master, b"x");
    assert!(ready(slave));
    assert_eq!(take(slave, 100), b"x");
}

fn output_processing() {
    let (master, slave) = silent();
    put(slave, b"one\ntwo\n");
    assert_eq!(drain(master), b"one\r\ntwo\r\n");
    change(slave, |settings| settings.c_oflag &= !libc::ONLCR);
    put(slave, b"one\n");
    assert_eq!(drain(master), b"one\n");
    change(slave, |settings| settings.c_oflag |= libc::OCRNL);
    put(slave, b"a\rb");
    assert_eq!(drain(master), b"a\nb");
    change(slave, |settings| settings.c_oflag &= !libc::OPOST);
    put(slave, b"a\rb\n");
    assert_eq!(drain(master), b"a\rb\n");
}

fn input_translation() {
    let (master, slave) = silent();
    put(master, b"typed\r");
    assert_eq!(take(slave, 100), b"typed\n", "ICRNL");
    change(slave, |settings| settings.c_iflag = settings.c_iflag & !libc::ICRNL | libc::INLCR);
    put(master, b"a\rb\n\x04");
    assert_eq!(take(slave, 100), b"a\rb\r");
    change(slave, |settings| settings.c_iflag = settings.c_iflag & !libc::INLCR | libc::IGNCR);
    put(master, b"a\rb\n");
    assert_eq!(take(slave, 100), b"ab\n");
}

fn upper_bit_is_stripped() {
    let (master, slave) = silent();
    change(slave, |settings| settings.c_iflag |= libc::ISTRIP);
    put(master, b"\xe1\xe2\n");
    assert_eq!(take(slave, 100), b"ab\n");
}

fn partial_reads_of_a_line() {
    let (master, slave) = silent();
    put(master, b"abcdef\nnext\n");
    assert_eq!(take(slave, 2), b"ab");
    assert_eq!(take(slave, 3), b"cde");
    assert_eq!(take(slave, 100), b"f\n");
    assert_eq!(take(slave, 5), b"next\n");
}

fn several_line_ends() {
    let (master, slave) = silent();
    change(slave, |settings| settings.c_cc[libc::VEOL] = b';');
    put(master, b"one;two\n");
    assert_eq!(take(slave, 100), b"one;");
    assert_eq!(take(slave, 100), b"two\n");
}

fn stop_and_start() {
    let (master, slave) = silent();
    put(master, b"\x13");
    let child = fork(|| {
        put(slave, b"held");
        0
    });
    assert!(!ready(master));
    put(master, b"\x11");
    assert_eq!(take(master, 100), b"held");
    wait(child);
}

fn settings_read_back() {
    let (_master, slave) = pair();
    change(slave, |settings| {
        settings.c_lflag = libc::ISIG | libc::NOFLSH;
        settings.c_iflag = libc::IXANY;
        settings.c_cc[libc::VINTR] = 7;
        settings.c_cc[libc::VMIN] = 200;
    });
    let found = settings(slave);
    assert_eq!((found.c_lflag, found.c_iflag), (libc::ISIG | libc::NOFLSH, libc::IXANY));
    assert_eq!((found.c_cc[libc::VINTR], found.c_cc[libc::VMIN]), (7, 200));
}

/// TCSETSW waits until what was written has gone; a pseudo-terminal's is gone when the master has room.
fn settings_after_output() {
    let (master, slave) = pair();
    put(slave, b"before");
    let mut found = settings(slave);
    found.c_lflag &= !libc::ECHO;
    must(unsafe { libc::tcsetattr(slave, libc::TCSADRAIN, &found) });
    assert_eq!(settings(slave).c_lflag & libc::ECHO, 0);
    assert_eq!(take(master, 100), b"before");
    put(master, b"typed ahead\n");
    assert!(ready(slave));
    must(unsafe { libc::tcsetattr(slave, libc::TCSAFLUSH, &found) });
    assert!(!ready(slave), "TCSETSF discards what was typed");
}

fn flush_discards() {
    let (master, slave) = silent();
    put(master, b"typed\n");
    assert!(ready(slave));
    must(unsafe { libc::tcflush(slave, libc::TCIFLUSH) });
    assert!(!ready(slave));
    assert_eq!(errno(unsafe { libc::tcflush(slave, 77) }), libc::EINVAL);
    must(unsafe { libc::tcdrain(slave) });
}

fn waiting_counts() {
    let (master, slave) = silent();
    let count = |terminal: i32| {
        let mut count = 0;
        must(unsafe { libc::ioctl(terminal, libc::FIONREAD, &mut count) });
        count
    };
    put(master, b"abc");
    sleep(10);
    assert_eq!(count(slave), 0, "no line yet");
    put(master, b"def\n");
    sleep(10);
    assert_eq!(count(slave), 7);
}

fn window_size() {
    extern "C" fn handler(_: i32) {}
    let (master, slave) = pair();
    let size = libc::winsize { ws_row: 50, ws_col: 132, ws_xpixel: 1, ws_ypixel: 2 };
    must(unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &size) });
    let mut found: libc::winsize = unsafe { zeroed() };
    must(unsafe { libc::ioctl(slave, libc::TIOCGWINSZ, &mut found) });
    assert_eq!((found.ws_row, found.ws_col, found.ws_xpixel, found.ws_ypixel), (50, 132, 1, 2));
    crate::child::handle(libc::SIGWINCH, handler as *const () as usize, 0);
    // A foreground process is told of a change, and only of a change.
    let child = fork(|| unsafe {
        must(libc::setsid());
        must(libc::ioctl(slave, libc::TIOCSCTTY, 0));
        i32::from(errno(libc::pause()) != libc::EINTR)
    });
    until_asleep(child);
    must(unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &size) });
    sleep(20);
    assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::WNOHANG) }, 0);
    let other = libc::winsize { ws_row: 24, ..size };
    must(unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &other) });
    assert_eq!(wait(child), crate::child::End::Exit(0));
}

fn hang_up_of_the_master() {
    let (master, slave) = silent();
    close(master);
    assert_eq!(take(slave, 100), b"");
    assert_eq!(errno(unsafe { libc::write(slave, c"x".as_ptr().cast(), 1) } as i64), libc::EIO);
    let mut found: libc::termios = unsafe { zeroed() };
    assert_eq!(errno(unsafe { libc::tcgetattr(slave, &mut found) }), libc::EIO);
}

fn hang_up_of_the_slave() {
    let (master, slave) = silent();
    put(slave, b"last words");
    close(slave);
    assert_eq!(take(master, 100), b"last words");
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::read(master, (&raw mut byte).cast(), 1) } as i64), libc::EIO);
    let again = must(unsafe { libc::open(c(&slave_name(master)).as_ptr(), libc::O_RDWR | libc::O_NOCTTY) });
    put(again, b"back");
    assert_eq!(take(master, 100), b"back");
}

fn not_a_terminal() {
    let (source, _sink) = crate::child::pipe();
    let mut found: libc::termios = unsafe { zeroed() };
    assert_eq!(errno(unsafe { libc::tcgetattr(source, &mut found) }), libc::ENOTTY);
    assert_eq!(unsafe { libc::isatty(source) }, 0);
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600) });
    assert_eq!(errno(unsafe { libc::tcgetattr(file, &mut found) }), libc::ENOTTY);
    let (_master, slave) = pair();
    assert_eq!(unsafe { libc::isatty(slave) }, 1);
}

fn default_settings() {
    let (_master, slave) = pair();
    let found = settings(slave);
    assert_eq!(found.c_iflag, libc::ICRNL | libc::IXON);
    assert_eq!(found.c_oflag, libc::OPOST | libc::ONLCR);
    let local = libc::ISIG
        | libc::ICANON
        | libc::ECHO
        | libc::ECHOE
        | libc::ECHOK
        | libc::ECHOCTL
        | libc::ECHOKE
        | libc::IEXTEN;
    assert_eq!(found.c_lflag, local);
    let expected = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22];
    assert_eq!(found.c_cc[..16], expected);
}

fn names_of_pseudo_terminals() {
    let (master, slave) = pair();
    let name = slave_name(master);
    assert_eq!(std::fs::read_link(format!("/proc/self/fd/{slave}")).unwrap().to_str(), Some(name.as_str()));
    let (other, _slave) = pair();
    assert_ne!(slave_name(other), name);
    let mut status: libc::stat = unsafe { zeroed() };
    must(unsafe { libc::fstat(slave, &mut status) });
    assert_eq!(libc::major(status.st_rdev), 136);
    close(slave);
    close(master);
    assert!(!std::fs::exists(&name).unwrap());
}

fn long_lines_are_bounded() {
    let (master, slave) = silent();
    for _ in 0..10 {
        let _ = sys!(libc::SYS_ioctl, master, libc::FIONBIO, &raw const ONE);
        let _ = sys!(libc::SYS_write, master, [b'x'; 1000].as_ptr(), 1000);
    }
    let _ = sys!(libc::SYS_write, master, c"\n".as_ptr(), 1);
    let line = take(slave, 10_000);
    assert!(line.len() <= 4096 && line.ends_with(b"\n"), "{} bytes", line.len());
}

static ONE: i32 = 1;

fn non_blocking() {
    let (_master, slave) = silent();
    must(unsafe { libc::fcntl(slave, libc::F_SETFL, libc::O_NONBLOCK) });
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::read(slave, (&raw mut byte).cast(), 1) } as i64), libc::EAGAIN);
}

fn poll_of_a_terminal() {
    let (master, slave) = silent();
    let own = unsafe { libc::getpid() };
    let child = fork(|| {
        until_asleep(own);
        put(master, b"x\n");
        0
    });
    let mut entry = libc::pollfd { fd: slave, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
    assert_eq!(unsafe { libc::poll(&mut entry, 1, 0) }, 1);
    assert_eq!(entry.revents, libc::POLLOUT);
    entry.events = libc::POLLIN;
    assert_eq!(unsafe { libc::poll(&mut entry, 1, -1) }, 1);
    wait(child);
    close(master);
    sleep(1);
    assert_eq!(unsafe { libc::poll(&mut entry, 1, 1000) }, 1);
    assert_ne!(entry.revents & libc::POLLHUP, 0);
}

fn packets_of_writes() {
    let (master, slave) = raw(1, 0);
    let child = fork(|| {
        for number in 0..200u32 {
            put(slave, format!("line {number}\n").as_bytes());
        }
        0
    });
    let mut all = Vec::new();
    let wanted: usize = (0..200u32).map(|number| format!("line {number}\n").len()).sum();
    while all.len() < wanted {
        all.extend(take(master, 100));
    }
    wait(child);
    assert_eq!(all, (0..200u32).map(|number| format!("line {number}\n")).collect::<String>().into_bytes());
}

fn changing_to_raw_keeps_what_was_typed() {
    let (master, slave) = silent();
    put(master, b"abc");
    let start = Instant::now();
    assert!(!ready(slave));
    change(slave, |settings| {
        settings.c_lflag &= !libc::ICANON;
        (settings.c_cc[libc::VMIN], settings.c_cc[libc::VTIME]) = (1, 0);
    });
    assert!(ready(slave));
    assert_eq!(take(slave, 100), b"abc");
    assert!(start.elapsed() < Duration::from_secs(10));
}
