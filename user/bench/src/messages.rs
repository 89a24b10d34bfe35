//! Bytes and wake-ups between two processes or threads: there and back, and in bulk.

use crate::system::{Errno, check, helper, pipe, repeat};
use crate::{Batch, Operation};
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

const KIB_64: usize = 64 << 10;

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "pipe_rtt", sizes: &[], most: u64::MAX, prepare: pipe_rtt },
    Operation { name: "eventfd_rtt", sizes: &[], most: u64::MAX, prepare: eventfd_rtt },
    Operation { name: "futex_rtt", sizes: &[], most: u64::MAX, prepare: futex_rtt },
    Operation { name: "sysv_mq_rtt", sizes: &[], most: u64::MAX, prepare: sysv_rtt },
    Operation { name: "posix_mq_rtt", sizes: &[], most: u64::MAX, prepare: posix_rtt },
    Operation { name: "unix_rtt", sizes: &[], most: u64::MAX, prepare: unix_rtt },
    Operation { name: "udp_rtt", sizes: &[], most: u64::MAX, prepare: udp_rtt },
    Operation { name: "tcp_rtt", sizes: &[], most: u64::MAX, prepare: tcp_rtt },
    Operation { name: "tcp_connect", sizes: &[], most: 1000, prepare: tcp_connect },
    Operation { name: "pipe_bw_64K", sizes: &[], most: u64::MAX, prepare: pipe_bulk },
    Operation { name: "unix_bw_64K", sizes: &[], most: u64::MAX, prepare: unix_bulk },
    Operation { name: "tcp_bw_64K", sizes: &[], most: u64::MAX, prepare: tcp_bulk },
];

fn send(to: i32, bytes: &[u8]) -> Result<(), Errno> {
    let sent = check(unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) } as i64)?;
    if sent == bytes.len() as i64 { Ok(()) } else { Err(Errno(libc::EIO)) }
}

fn receive(from: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    match check(unsafe { libc::read(from, buffer.as_mut_ptr().cast(), buffer.len()) } as i64)? {
        0 => Err(Errno(libc::EPIPE)),
        length => Ok(length as usize),
    }
}

/// A process answers each message on one descriptor with the same on another.
fn echo<const LENGTH: usize>(near: (i32, i32), far: (i32, i32)) -> Result<Batch, Errno> {
    helper(move || {
        let mut buffer = [0; LENGTH];
        while receive(far.0, &mut buffer).is_ok() && send(far.1, &buffer).is_ok() {}
    })?;
    // Eight bytes for an eventfd must not be zeros; for the rest it does not matter.
    let mut buffer = [0; LENGTH];
    buffer[0] = 1;
    repeat(move || {
        send(near.1, &buffer)?;
        receive(near.0, &mut buffer).map(drop)
    })
}

fn pipe_rtt(_: u64) -> Result<Batch, Errno> {
    let (there, back) = (pipe()?, pipe()?);
    echo::<1>((back.0, there.1), (there.0, back.1))
}

fn eventfd_rtt(_: u64) -> Result<Batch, Errno> {
    let there = check(unsafe { libc::eventfd(0, 0) })?;
    let back = check(unsafe { libc::eventfd(0, 0) })?;
    echo::<8>((back, there), (there, back))
}

static BALL: AtomicU32 = AtomicU32::new(0);

fn futex(operation: i32, value: u32) {
    unsafe { libc::syscall(libc::SYS_futex, BALL.as_ptr(), operation | libc::FUTEX_PRIVATE_FLAG, value, null::<u8>()) };
}

/// Waits until the ball is here, and plays it there.
fn play(here: u32, there: u32) {
    while BALL.load(Ordering::Acquire) != here {
        futex(libc::FUTEX_WAIT, there);
    }
    BALL.store(there, Ordering::Release);
    futex(libc::FUTEX_WAKE, 1);
}

extern "C" fn player(_: *mut libc::c_void) -> *mut libc::c_void {
    loop {
        play(1, 0);
    }
}

fn futex_rtt(_: u64) -> Result<Batch, Errno> {
    let mut thread = 0;
    match unsafe { libc::pthread_create(&mut thread, null(), player, null_mut()) } {
        0 => {}
        error => return Err(Errno(error)),
    }
    repeat(|| {
        play(0, 1);
        Ok(())
    })
}

#[repr(C)]
struct Letter {
    kind: i64,
    text: [u8; 8],
}

fn sysv_rtt(_: u64) -> Result<Batch, Errno> {
    let queue = || check(unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) });
    let (there, back) = (queue()?, queue()?);
    let post = |to, letter: &Letter| check(unsafe { libc::msgsnd(to, (&raw const *letter).cast(), 1, 0) }).map(drop);
    let take = |from, letter: &mut Letter| {
        check(unsafe { libc::msgrcv(from, (&raw mut *letter).cast(), 8, 0, 0) } as i64).map(drop)
    };
    helper(move || {
        let mut letter = Letter { kind: 1, text: [0; 8] };
        while take(there, &mut letter).is_ok() && post(back, &letter).is_ok() {}
    })?;
    let mut letter = Letter { kind: 1, text: [0; 8] };
    repeat(move || {
        post(there, &letter)?;
        take(back, &mut letter)
    })
}

fn posix_queue(name: &std::ffi::CStr) -> Result<i32, Errno> {
    unsafe {
        let mut attributes: libc::mq_attr = zeroed();
        (attributes.mq_maxmsg, attributes.mq_msgsize) = (8, 8);
        let queue = check(libc::mq_open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600, &mut attributes))?;
        libc::mq_unlink(name.as_ptr());
        Ok(queue)
    }
}

fn posix_rtt(_: u64) -> Result<Batch, Errno> {
    let (there, back) = (posix_queue(c"/there")?, posix_queue(c"/back")?);
    let post = |to, text: &[u8; 8]| check(unsafe { libc::mq_send(to, text.as_ptr().cast(), 1, 0) }).map(drop);
    let take = |from, text: &mut [u8; 8]| {
        check(unsafe { libc::mq_receive(from, text.as_mut_ptr().cast(), 8, null_mut()) } as i64).map(drop)
    };
    helper(move || {
        let mut text = [0; 8];
        while take(there, &mut text).is_ok() && post(back, &text).is_ok() {}
    })?;
    let mut text = [0; 8];
    repeat(move || {
        post(there, &text)?;
        take(back, &mut text)
    })
}

fn unix_pair() -> Result<(i32, i32), Errno> {
    let mut ends = [0; 2];
    check(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) })?;
    Ok((ends[0], ends[1]))
}

fn unix_rtt(_: u64) -> Result<Batch, Errno> {
    let (near, far) = unix_pair()?;
    echo::<1>((near, near), (far, far))
}

/// The loopback interface, switched on: nobody else did.
fn loopback() -> Result<(), Errno> {
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0))?;
        let mut request: libc::ifreq = zeroed();
        (request.ifr_name[0], request.ifr_name[1]) = (b'l' as i8, b'o' as i8);
        check(libc::ioctl(socket, libc::SIOCGIFFLAGS, &mut request))?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as i16;
        check(libc::ioctl(socket, libc::SIOCSIFFLAGS, &request))?;
        check(libc::close(socket)).map(drop)
    }
}

/// A socket bound to a free port of the loopback interface, and its address.
fn bound(kind: i32) -> Result<(i32, libc::sockaddr_in), Errno> {
    let mut length = size_of::<libc::sockaddr_in>() as u32;
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, kind, 0))?;
        let mut address: libc::sockaddr_in = zeroed();
        address.sin_family = libc::AF_INET as u16;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        check(libc::bind(socket, (&raw const address).cast(), length))?;
        check(libc::getsockname(socket, (&raw mut address).cast(), &mut length))?;
        Ok((socket, address))
    }
}

fn connect(socket: i32, to: &libc::sockaddr_in) -> Result<(), Errno> {
    let length = size_of::<libc::sockaddr_in>() as u32;
    check(unsafe { libc::connect(socket, (&raw const *to).cast(), length) }).map(drop)
}

fn udp_rtt(_: u64) -> Result<Batch, Errno> {
    loopback()?;
    let ((near, near_address), (far, far_address)) = (bound(libc::SOCK_DGRAM)?, bound(libc::SOCK_DGRAM)?);
    connect(near, &far_address)?;
    connect(far, &near_address)?;
    echo::<1>((near, near), (far, far))
}

fn tcp_pair() -> Result<(i32, i32), Errno> {
    loopback()?;
    let (listener, address) = bound(libc::SOCK_STREAM)?;
    unsafe {
        check(libc::listen(listener, 8))?;
        let near = check(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0))?;
        connect(near, &address)?;
        let far = check(libc::accept(listener, null_mut(), null_mut()))?;
        for end in [near, far] {
            let (yes, length) = (1_i32, size_of::<i32>() as u32);
            check(libc::setsockopt(end, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const yes).cast(), length))?;
        }
        Ok((near, far))
    }
}

fn tcp_rtt(_: u64) -> Result<Batch, Errno> {
    let (near, far) = tcp_pair()?;
    echo::<1>((near, near), (far, far))
}

fn tcp_connect(_: u64) -> Result<Batch, Errno> {
    loopback()?;
    let (listener, address) = bound(libc::SOCK_STREAM)?;
    check(unsafe { libc::listen(listener, 8) })?;
    repeat(move || unsafe {
        let near = check(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0))?;
        connect(near, &address)?;
        let far = check(libc::accept(listener, null_mut(), null_mut()))?;
        libc::close(far);
        check(libc::close(near)).map(drop)
    })
}

/// A process swallows what comes, and says so with a byte for every 64 KiB.
fn bulk(near: (i32, i32), far: (i32, i32)) -> Result<Batch, Errno> {
    helper(move || {
        let (mut buffer, mut taken) = (vec![0; KIB_64], 0);
        while let Ok(length) = receive(far.0, &mut buffer) {
            taken += length;
            if taken >= KIB_64 {
                taken -= KIB_64;
                if send(far.1, &[1]).is_err() {
                    return;
                }
            }
        }
    })?;
    let buffer = vec![1; KIB_64];
    repeat(move || {
        send(near.1, &buffer)?;
        receive(near.0, &mut [0]).map(drop)
    })
}

fn pipe_bulk(_: u64) -> Result<Batch, Errno> {
    let (there, back) = (pipe()?, pipe()?);
    bulk((back.0, there.1), (there.0, back.1))
}

fn unix_bulk(_: u64) -> Result<Batch, Errno> {
    let (near, far) = unix_pair()?;
    bulk((near, near), (far, far))
}

fn tcp_bulk(_: u64) -> Result<Batch, Errno> {
    let (near, far) = tcp_pair()?;
    bulk((near, near), (far, far))
}
