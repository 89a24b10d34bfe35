//! Pseudo-terminals from the master's side, devpts, and the rarer commands of terminals.
use crate::call::{c, errno, must};
use crate::child::{End, close, fork, run, sleep, until_asleep, wait};
use std::mem::zeroed;

crate::tests!(
    slaves_are_locked_at_first,
    slaves_without_a_name,
    packet_mode,
    flow_control_in_packets,
    masters_know_the_owners,
    flushing_from_the_master,
    queue_lengths,
    typing_for_another,
    speeds,
    old_settings,
    exclusive_use,
    master_polls_for_hang_up,
    hung_up_slaves_poll,
    last_close_keeps_the_terminal,
    an_instance_of_ones_own,
    signals_from_the_master,
    hang_up_by_hand,
    times_of_use,
    odds_and_ends,
);

/// What a read in packet mode begins with (`ioctl_tty(2)`).
const FLUSHREAD: u8 = 1;
const STOP: u8 = 4;
const START: u8 = 8;
const NOSTOP: u8 = 16;
const DOSTOP: u8 = 32;

fn open(name: &str, flags: i32) -> i32 {
    unsafe { libc::open(c(name).as_ptr(), flags | libc::O_NOCTTY) }
}

fn number(master: i32) -> u32 {
    let mut number = 0u32;
    must(unsafe { libc::ioctl(master, libc::TIOCGPTN, &mut number) });
    number
}

fn unlocked() -> i32 {
    let master = must(open("/dev/ptmx", libc::O_RDWR));
    let no = 0i32;
    must(unsafe { libc::ioctl(master, libc::TIOCSPTLCK, &no) });
    master
}

fn pair() -> (i32, i32) {
    let master = unlocked();
    (master, must(open(&format!("/dev/pts/{}", number(master)), libc::O_RDWR)))
}

fn change(terminal: i32, change: impl FnOnce(&mut libc::termios)) {
    unsafe {
        let mut settings = zeroed();
        must(libc::tcgetattr(terminal, &mut settings));
        change(&mut settings);
        must(libc::tcsetattr(terminal, libc::TCSANOW, &settings));
    }
}

fn put(terminal: i32, bytes: &[u8]) {
    assert_eq!(unsafe { libc::write(terminal, bytes.as_ptr().cast(), bytes.len()) }, bytes.len() as isize);
}

fn take(terminal: i32) -> Vec<u8> {
    let mut bytes = vec![0; 1000];
    let count = must(unsafe { libc::read(terminal, bytes.as_mut_ptr().cast(), bytes.len()) } as i64);
    bytes.truncate(count as usize);
    bytes
}

fn poll(terminal: i32, events: i16) -> i16 {
    let mut entry = libc::pollfd { fd: terminal, events, revents: 0 };
    unsafe { libc::poll(&mut entry, 1, 50) };
    entry.revents
}

/// A command that gives an integer.
fn get(terminal: i32, command: libc::Ioctl) -> Result<i32, i32> {
    let mut value = -7i32;
    match unsafe { libc::ioctl(terminal, command, &mut value) } {
        -1 => Err(errno(-1i32)),
        _ => Ok(value),
    }
}

fn slaves_are_locked_at_first() {
    let master = must(open("/dev/ptmx", libc::O_RDWR));
    assert_eq!(get(master, libc::TIOCGPTLCK), Ok(1));
    let name = format!("/dev/pts/{}", number(master));
    assert_eq!(errno(open(&name, libc::O_RDWR)), libc::EIO);
    let no = 0i32;
    must(unsafe { libc::ioctl(master, libc::TIOCSPTLCK, &no) });
    assert_eq!(get(master, libc::TIOCGPTLCK), Ok(0));
    let slave = must(open(&name, libc::O_RDWR));
    assert_eq!(get(slave, libc::TIOCGPTN), Err(libc::ENOTTY), "the master's command");
}

fn slaves_without_a_name() {
    let master = unlocked();
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let slave = must(unsafe { libc::ioctl(master, libc::TIOCGPTPEER, flags) });
    assert_eq!(unsafe { libc::fcntl(slave, libc::F_GETFD) }, libc::FD_CLOEXEC);
    put(slave, b"x");
    assert_eq!(take(master), b"x");
    let link = std::fs::read_link(format!("/proc/self/fd/{slave}")).unwrap();
    assert_eq!(link.to_str(), Some(format!("/dev/pts/{}", number(master)).as_str()));
}

fn packet_mode() {
    let (master, slave) = pair();
    let on = 1i32;
    assert_eq!(get(master, libc::TIOCGPKT), Ok(0));
    must(unsafe { libc::ioctl(master, libc::TIOCPKT, &on) });
    assert_eq!(get(master, libc::TIOCGPKT), Ok(1));
    put(slave, b"data");
    assert_eq!(take(master), b"\0data");
    must(unsafe { libc::tcflush(slave, libc::TCIFLUSH) });
    assert_eq!(poll(master, libc::POLLPRI | libc::POLLIN), libc::POLLPRI | libc::POLLIN);
    assert_eq!(take(master), [FLUSHREAD]);
    assert_eq!(poll(master, libc::POLLPRI | libc::POLLIN), 0);
    put(slave, b"more");
    assert_eq!(take(master), b"\0more");
}

fn flow_control_in_packets() {
    let (master, slave) = pair();
    let on = 1i32;
    must(unsafe { libc::ioctl(master, libc::TIOCPKT, &on) });
    change(slave, |settings| settings.c_iflag &= !libc::IXON);
    assert_eq!(take(master), [NOSTOP]);
    change(slave, |settings| settings.c_iflag |= libc::IXON);
    assert_eq!(take(master), [DOSTOP]);
    must(unsafe { libc::tcflow(slave, libc::TCOOFF) });
    assert_eq!(take(master), [STOP]);
    must(unsafe { libc::tcflow(slave, libc::TCOON) });
    assert_eq!(take(master), [START]);
}

fn masters_know_the_owners() {
    let (master, slave) = pair();
    assert_eq!(get(master, libc::TIOCGPGRP), Ok(0));
    assert_eq!(get(master, libc::TIOCGSID), Err(libc::ENOTTY));
    assert_eq!(get(slave, libc::TIOCGPGRP), Err(libc::ENOTTY), "not our terminal");
    let child = fork(|| unsafe {
        must(libc::setsid());
        must(libc::ioctl(slave, libc::TIOCSCTTY, 0));
        assert_eq!(get(slave, libc::TIOCGSID), Ok(libc::getpid()));
        libc::pause()
    });
    until_asleep(child);
    assert_eq!(get(master, libc::TIOCGPGRP), Ok(child));
    assert_eq!(get(master, libc::TIOCGSID), Ok(child));
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

fn flushing_from_the_master() {
    let (master, slave) = pair();
    put(slave, b"unread");
    must(unsafe { libc::tcflush(master, libc::TCIFLUSH) });
    assert_eq!(poll(master, libc::POLLIN), 0);
    put(slave, b"read");
    assert_eq!(take(master), b"read");
}

fn queue_lengths() {
    let (master, slave) = pair();
    put(slave, b"four");
    assert_eq!(poll(master, libc::POLLIN), libc::POLLIN);
    assert_eq!(get(master, libc::FIONREAD), Ok(4));
    assert_eq!(get(slave, libc::TIOCOUTQ), Ok(0), "the master has it");
    assert_eq!(get(slave, libc::FIONREAD), Ok(0));
}

fn typing_for_another() {
    let (_master, slave) = pair();
    let line = b"typed\n";
    for byte in line {
        must(unsafe { libc::ioctl(slave, libc::TIOCSTI, byte) });
    }
    assert_eq!(take(slave), line);
}

/// `struct termios2`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Settings {
    flags: [u32; 4],
    line: u8,
    characters: [u8; 19],
    speeds: [u32; 2],
}

const TCGETS2: libc::Ioctl = 0x802c_542a_u32 as libc::Ioctl;
const TCSETS2: libc::Ioctl = 0x402c_542b;
const BOTHER: u32 = 0o10000;

fn speeds() {
    let (_master, slave) = pair();
    let mut settings: Settings = unsafe { zeroed() };
    must(unsafe { libc::ioctl(slave, TCGETS2, &mut settings) });
    assert_eq!(settings.speeds, [38400, 38400]);
    settings.flags[2] = settings.flags[2] & !libc::CBAUD | BOTHER;
    settings.speeds = [12345, 12345];
    must(unsafe { libc::ioctl(slave, TCSETS2, &settings) });
    let mut found: Settings = unsafe { zeroed() };
    must(unsafe { libc::ioctl(slave, TCGETS2, &mut found) });
    assert_eq!(found.speeds, [12345, 12345]);
    unsafe {
        let mut plain: libc::termios = zeroed();
        must(libc::tcgetattr(slave, &mut plain));
        plain.c_cflag = plain.c_cflag & !libc::CBAUD | libc::B9600;
        must(libc::tcsetattr(slave, libc::TCSANOW, &plain));
        must(libc::ioctl(slave, TCGETS2, &mut found));
    }
    assert_eq!(found.speeds, [9600, 9600]);
}

/// `struct termio`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Short {
    flags: [u16; 4],
    line: u8,
    characters: [u8; 8],
}

fn old_settings() {
    const TCGETA: libc::Ioctl = 0x5405;
    const TCSETA: libc::Ioctl = 0x5406;
    let (_master, slave) = pair();
    let mut settings: Short = unsafe { zeroed() };
    must(unsafe { libc::ioctl(slave, TCGETA, &mut settings) });
    assert_eq!(u32::from(settings.flags[0]), libc::ICRNL | libc::IXON);
    assert_eq!(settings.characters[..5], [3, 28, 127, 21, 4]);
    settings.characters[0] = 7;
    settings.flags[3] &= !(libc::ECHO as u16);
    must(unsafe { libc::ioctl(slave, TCSETA, &settings) });
    let mut found: libc::termios = unsafe { zeroed() };
    must(unsafe { libc::tcgetattr(slave, &mut found) });
    assert_eq!((found.c_cc[libc::VINTR], found.c_lflag & libc::ECHO), (7, 0));
}

fn exclusive_use() {
    let (master, slave) = pair();
    must(unsafe { libc::ioctl(slave, libc::TIOCEXCL) });
    assert_eq!(get(slave, libc::TIOCGEXCL), Ok(1));
    let name = format!("/dev/pts/{}", number(master));
    must(open(&name, libc::O_RDWR));
    let end = run(|| unsafe {
        must(libc::chown(c(&name).as_ptr(), 1000, 1000));
        must(libc::setuid(1000));
        errno(open(&name, libc::O_RDWR))
    });
    assert_eq!(end, End::Exit(libc::EBUSY), "root alone may");
    must(unsafe { libc::ioctl(slave, libc::TIOCNXCL) });
    assert_eq!(get(slave, libc::TIOCGEXCL), Ok(0));
}

fn master_polls_for_hang_up() {
    let (master, slave) = pair();
    assert_eq!(poll(master, libc::POLLIN | libc::POLLOUT), libc::POLLOUT);
    close(slave);
    assert_eq!(poll(master, libc::POLLIN), libc::POLLHUP);
}

fn hung_up_slaves_poll() {
    let (master, slave) = pair();
    close(master);
    let all = libc::POLLIN | libc::POLLOUT | libc::POLLERR | libc::POLLHUP;
    assert_eq!(poll(slave, libc::POLLIN | libc::POLLOUT), all);
    assert_eq!(get(slave, libc::FIONREAD), Err(libc::EIO));
    let group = 1i32;
    assert_eq!(errno(unsafe { libc::ioctl(slave, libc::TIOCSPGRP, &group) }), libc::ENOTTY);
}

fn last_close_keeps_the_terminal() {
    let (master, slave) = pair();
    let name = format!("/dev/pts/{}", number(master));
    close(slave);
    let end = run(|| unsafe {
        must(libc::setsid());
        let own = must(libc::open(c(&name).as_ptr(), libc::O_RDWR));
        let tty = must(open("/dev/tty", libc::O_RDWR));
        close(tty);
        close(own);
        must(open("/dev/tty", libc::O_RDWR));
        0
    });
    assert_eq!(end, End::Exit(0), "the master keeps it open");
}

fn an_instance_of_ones_own() {
    let end = run(|| unsafe {
        std::fs::create_dir("pts").unwrap();
        let options = c"newinstance,ptmxmode=0666,mode=0620,gid=5,max=2";
        must(libc::mount(c"devpts".as_ptr(), c"pts".as_ptr(), c"devpts".as_ptr(), 0, options.as_ptr().cast()));
        let first = must(open("pts/ptmx", libc::O_RDWR));
        let second = must(open("pts/ptmx", libc::O_RDWR));
        assert_eq!((number(first), number(second)), (0, 1));
        assert_eq!(errno(open("pts/ptmx", libc::O_RDWR)), libc::ENOSPC);
        let mut names: Vec<_> =
            std::fs::read_dir("pts").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["0", "1", "ptmx"]);
        let mut status: libc::stat = zeroed();
        must(libc::stat(c"pts/1".as_ptr(), &mut status));
        assert_eq!((status.st_mode, status.st_gid), (libc::S_IFCHR | 0o620, 5));
        assert_eq!(errno(libc::unlink(c"pts/1".as_ptr())), libc::EPERM);
        close(first);
        assert_eq!(number(must(open("pts/ptmx", libc::O_RDWR))), 0);
        must(libc::umount2(c"pts".as_ptr(), libc::MNT_DETACH));
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn signals_from_the_master() {
    const TIOCSIG: libc::Ioctl = 0x4004_5436;
    let (master, slave) = pair();
    let child = fork(|| unsafe {
        must(libc::setsid());
        must(libc::ioctl(slave, libc::TIOCSCTTY, 0));
        libc::pause()
    });
    until_asleep(child);
    assert_eq!(errno(unsafe { libc::ioctl(master, TIOCSIG, libc::SIGTERM) }), libc::EINVAL);
    must(unsafe { libc::ioctl(master, TIOCSIG, libc::SIGQUIT) });
    assert_eq!(wait(child), End::Signal(libc::SIGQUIT));
}

/// vhangup(2): the session loses its terminal, and all openings of it are over.
fn hang_up_by_hand() {
    let (master, slave) = pair();
    must(unsafe { libc::ioctl(slave, libc::TIOCVHANGUP) });
    let again = must(open(&format!("/dev/pts/{}", number(master)), libc::O_RDWR));
    assert_eq!(get(slave, libc::FIONREAD), Err(libc::EIO));
    assert_eq!(get(again, libc::FIONREAD), Ok(0));
    let end = run(|| unsafe {
        must(libc::setsid());
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        must(libc::ioctl(again, libc::TIOCSCTTY, 0));
        must(libc::vhangup());
        assert_eq!(get(again, libc::FIONREAD), Err(libc::EIO));
        errno(open("/dev/tty", libc::O_RDWR))
    });
    assert_eq!(end, End::Exit(libc::ENXIO));
    let end = run(|| unsafe {
        must(libc::setuid(1000));
        errno(libc::vhangup())
    });
    assert_eq!(end, End::Exit(libc::EPERM));
}

/// In steps of eight seconds.
fn times_of_use() {
    let (_master, slave) = pair();
    let old = libc::timespec { tv_sec: 1_000_000, tv_nsec: 5 };
    must(unsafe { libc::futimens(slave, [old, old].as_ptr()) });
    put(slave, b"x");
    let mut status: libc::stat = unsafe { zeroed() };
    must(unsafe { libc::fstat(slave, &mut status) });
    assert!(status.st_mtime > 1_000_000 && status.st_mtime_nsec == 5, "{}", status.st_mtime);
    assert_eq!(status.st_atime, 1_000_000);
}

fn odds_and_ends() {
    let (master, slave) = pair();
    assert_eq!(get(slave, libc::TIOCGETD), Ok(0));
    assert_eq!(unsafe { libc::lseek(slave, 0, libc::SEEK_SET) }, -1);
    assert_eq!(errno(-1i32), libc::ESPIPE);
    assert_eq!(get(slave, 0x5499), Err(libc::ENOTTY));
    assert_eq!(get(master, 0x5499), Err(libc::ENOTTY));
    must(unsafe { libc::tcsendbreak(slave, 0) });
    assert_eq!(errno(unsafe { libc::tcflow(slave, 77) }), libc::EINVAL);
    put(slave, b"");
    sleep(1);
    assert_eq!(poll(master, libc::POLLIN), 0);
}
