//! Threads that copy bytes between the user's streams and the machine's sockets, and tell the session how far they are.

use super::terminal::QUIT;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread;

const ROOM: usize = 64 << 10;

/// One of the two streams that a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Output,
    Error,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// Bytes from the control port; none at its end.
    Control(Vec<u8>),
    /// Bytes from the serial line; none at its end.
    Serial(Vec<u8>),
    /// Bytes that the command wrote, when they are kept and not delivered; none at its end.
    Captured(Target, Vec<u8>),
    /// Bytes of QEMU's monitor; none at its end.
    Monitor(Vec<u8>),
    /// So many bytes were delivered to the user.
    Delivered(Target, u64),
    /// No more will come on this stream.
    Closed(Target),
    /// The user no longer reads one of the streams.
    Refused,
    /// A stream of the user's that cannot be written: a full disk, mostly.
    Broken(Target, io::Error),
    /// Standard input ended after so many bytes.
    InputEnded(u64),
    /// The user pressed the key to quit.
    Quit,
    /// A signal arrived.
    Signal(i32),
    /// QEMU ended, and complained of this.
    Ended(String),
}

/// Sends what arrives on a socket as events.
pub fn listen(mut from: impl Read + Send + 'static, events: Sender<Event>, wrap: fn(Vec<u8>) -> Event) {
    thread::spawn(move || {
        let mut buffer = vec![0; ROOM];
        loop {
            let length = read(&mut from, &mut buffer);
            if events.send(wrap(buffer[..length].to_vec())).is_err() || length == 0 {
                return;
            }
        }
    });
}

/// Sends what the command writes as events.
pub fn capture(output: UnixStream, error: UnixStream, events: Sender<Event>) {
    listen(output, events.clone(), |bytes| Event::Captured(Target::Output, bytes));
    listen(error, events, |bytes| Event::Captured(Target::Error, bytes));
}

/// Copies a socket to one of the user's streams.
pub fn deliver(mut from: UnixStream, target: Target, events: Sender<Event>) {
    thread::spawn(move || {
        let (mut buffer, mut total) = (vec![0; ROOM], 0);
        loop {
            let length = read(&mut from, &mut buffer);
            if length == 0 {
                let _ = events.send(Event::Closed(target));
                return;
            }
            if let Err(error) = write_to(target, &buffer[..length]) {
                let gone = error == Errno::PIPE;
                let _ = events.send(if gone { Event::Refused } else { Event::Broken(target, error.into()) });
                return;
            }
            total += length as u64;
            let _ = events.send(Event::Delivered(target, total));
        }
    });
}

/// Copies standard input to a socket; with `interactive`, looks for the key to quit.
pub fn feed(mut to: UnixStream, interactive: bool, events: Sender<Event>) {
    thread::spawn(move || {
        let (mut buffer, mut total) = (vec![0; ROOM], 0);
        let stdin = io::stdin();
        loop {
            let length = read_from(stdin.as_fd(), &mut buffer);
            let bytes = &buffer[..length];
            if interactive && bytes.contains(&QUIT) {
                let _ = events.send(Event::Quit);
            }
            if length == 0 || to.write_all(bytes).is_err() {
                let _ = events.send(Event::InputEnded(total));
                return;
            }
            total += length as u64;
        }
    });
}

fn read(from: &mut impl Read, buffer: &mut [u8]) -> usize {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer.unwrap_or(0),
        }
    }
}

/// Reads a descriptor that others may have made non-blocking.
fn read_from(from: BorrowedFd<'_>, buffer: &mut [u8]) -> usize {
    loop {
        match rustix::io::read(from, &mut *buffer) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => await_ready(from, PollFlags::IN),
            answer => return answer.unwrap_or(0),
        }
    }
}

/// Writes all bytes to the user's stream, past Rust's own buffers: what the machine sent is passed on at once.
pub fn write_to(target: Target, bytes: &[u8]) -> rustix::io::Result<()> {
    match target {
        Target::Output => write_all(io::stdout().as_fd(), bytes),
        Target::Error => write_all(io::stderr().as_fd(), bytes),
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => await_ready(to, PollFlags::OUT),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn await_ready(descriptor: BorrowedFd<'_>, flags: PollFlags) {
    let _ = poll(&mut [PollFd::from_borrowed_fd(descriptor, flags)], None);
}
