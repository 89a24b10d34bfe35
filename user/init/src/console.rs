//! A command with the console as its terminal: no ports, no host that listens.

use crate::command::{execute_by_path, real_terminal};
use runtime::{Text, duplicate, fork, new_session, reap, take_terminal, unblock_signals};

/// Runs the command to its end, reaping orphans, and says its wait status in a line that the tool looks for.
pub fn run(arguments: *const *const u8, environment: *const *const u8) {
    let child = match fork() {
        Ok(None) => start(arguments, environment),
        Ok(Some(child)) => child,
        Err(errno) => {
            let mut line = Text::<64>::new();
            line.put(b"init: fork: error ").number(u64::from(errno.0));
            return crate::say(line.bytes());
        }
    };
    while let Ok(Some((process, status))) = reap(true) {
        if process == child {
            let mut line = Text::<64>::new();
            line.put(b"init: wait status ").number(u64::from(status));
            return crate::say(line.bytes());
        }
    }
}

fn start(arguments: *const *const u8, environment: *const *const u8) -> ! {
    new_session();
    if let Ok(terminal) = real_terminal() {
        let _ = take_terminal(terminal);
        for number in 0..3 {
            let _ = duplicate(terminal, number);
        }
    }
    unblock_signals();
    execute_by_path(arguments, environment)
}
