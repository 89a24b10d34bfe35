//! What can be polled.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::last_error;
use std::ptr::null;
use std::sync::atomic::AtomicU32;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "A futex cannot be polled: there is no descriptor for it, and FUTEX_FD, which once made one, is refused.",
    experiment: "The futex call is asked for a descriptor, and poll for a descriptor that does not lead anywhere. The control makes an eventfd, writes to it and polls it.",
    expected: "A futex is a word of memory and a queue that exists while somebody waits, not an open file. FUTEX_FD lost wake-ups by its design and was removed in Linux 2.6.26; \
        an event that is to be awaited beside others needs a file.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the calls' answers"),
    run,
};

/// FUTEX_FD of linux/futex.h.
const FUTEX_FD: i32 = 2;

/// A descriptor for a futex, or the error's name; and what poll says of it.
fn of_futex() -> Result<(String, String), Trouble> {
    let word = AtomicU32::new(0);
    let answer = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), FUTEX_FD, 0, null::<u8>()) };
    let made = match (answer, last_error().0) {
        (-1, libc::ENOSYS) => "ENOSYS".to_owned(),
        (-1, errno) => format!("error {errno}"),
        _ => "a descriptor".to_owned(),
    };
    Ok((made, polled(answer as i32)))
}

fn of_event() -> Result<(String, String), Trouble> {
    let event = unsafe { libc::eventfd(1, 0) };
    let polled = polled(event);
    unsafe { libc::close(event) };
    Ok((if event >= 0 { "a descriptor".to_owned() } else { format!("error {}", last_error().0) }, polled))
}

fn polled(descriptor: i32) -> String {
    // A descriptor below nought is passed over by poll; one that is not open is not.
    let descriptor = if descriptor < 0 { i32::from(i16::MAX) } else { descriptor };
    let mut watched = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    unsafe { libc::poll(&mut watched, 1, 0) };
    match watched.revents {
        libc::POLLIN => "readable".to_owned(),
        libc::POLLNVAL => "not open".to_owned(),
        other => format!("events {other}"),
    }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (futex, event) = lab.pair(of_futex, of_event)?;
    lab.mechanism("asking for a futex's descriptor", futex.0, "").equals("ENOSYS", "there is no such thing any more");
    lab.mechanism("polling without one", futex.1, "").equals("not open", "there is nothing to poll");
    lab.control("asking for an event's descriptor", event.0, "").equals("a descriptor", "it is a file");
    lab.control("polling that", event.1, "").equals("readable", "it was written to");
    Ok(())
}
