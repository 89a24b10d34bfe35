//! The first process of a machine that `birgus run` started, on Birgus and on Linux alike.
//!
//! It mounts what programs expect, loads the modules packed beside it (on Linux), finds the host's virtio-console ports, and
//! runs the one command that the host names: as a child, so that PID 1's peculiarities (signals without a handler are ignored,
//! orphans arrive) stay here and the command sees the world of any ordinary process. Bytes are shuttled by one poll loop over
//! descriptors that never block, because a pipe, its port and the host's reader each may be the slow one. The conversation
//! is written down in `tools/protocol`.
//!
//! Words behind `--` on the kernel's command line are a command for the console instead: what a kernel needs that has a serial
//! line and no virtio yet.
#![no_std]
#![no_main]

mod command;
mod console;
mod control;
mod mounts;
mod ports;
mod serve;
mod stream;

use protocol::Message;
use runtime::{Arguments, SIGPIPE, Text, catch, power_off, sleep, watch_children, write_all};

#[unsafe(no_mangle)]
extern "Rust" fn birgus_main(arguments: Arguments) -> i32 {
    mounts::mount_all();
    mounts::load_modules();
    let _ = catch(SIGPIPE);
    let _ = watch_children();
    if arguments.count() > 1 {
        console::run(arguments.vector(1), arguments.environment_vector());
    } else if let Some(ports) = ports::find() {
        if serve::serve(&ports).is_err() {
            say(b"init: the host's messages make no sense");
        }
    } else {
        say(b"init: no port to the host, no command: a shell on the console");
        console::run([c"/bin/sh".as_ptr().cast(), core::ptr::null()].as_ptr(), arguments.environment_vector());
    }
    power_off();
    // PID 1 must not end: that is a panic, which would hide what happened before.
    loop {
        sleep(1000);
    }
}

/// One line on the console.
fn say(line: &[u8]) {
    let mut text = Text::<256>::new();
    text.put(line).put(b"\n");
    let _ = write_all(2, text.bytes());
}

/// Room for any message to the host.
const REPLY: usize = 64;

/// The bytes of a message to the host.
fn reply(message: &Message<'_>, buffer: &mut [u8; REPLY]) -> usize {
    protocol::encode(message, buffer).unwrap_or(0)
}
