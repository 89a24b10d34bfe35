//! Terminals as files: the line discipline of `tty` with a lock, sleepers, a device or a master at its other side, and a session.
//!
//! **Model.** A [`Terminal`] is one line: a serial port's ([`Driver`]) or a pseudo-terminal's slave. An opening of it is a file
//! ([`opening`]); so is the master of a pseudo-terminal. What a byte means, what a read returns and who is stopped for trying is
//! decided by the pure crate `tty`; here its calls are made under the terminal's lock and their effects applied after it: sleepers
//! woken, signals sent, output passed on.
//!
//! **Everything runs in threads.** Sending a signal takes the process tree's lock, which interrupts must not. What a device
//! receives is kept by its interrupt handler and goes through the line discipline in a thread of the line's own ([`serve`]),
//! which also passes on the output that the device had no room for.
//!
//! **Whose terminal.** A session has one controlling terminal or none ([`session`]); a process has its session's, unless it gave
//! that up. The terminal in turn knows its session and its foreground group. Both sides change under one lock, the sessions'.
//!
//! **Who calls** is asked in one place, [`caller`]: the virtual file system passes no task to a file's operations, and of all files
//! only terminals care.
//!
//! **Hanging up** ends all openings of a line at once: each remembers how often the line had been hung up when it was made. Then
//! reads find the end, and everything else is EIO.
//!
//! **Locks, outermost first.** Sessions (`Rank::Terminal`) · a terminal (`Rank::LineDiscipline`) · its device. Who reads or writes
//! waits for its [`turn`], which is no lock: it is kept over sleeps that signals end.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg(target_os = "none")]

extern crate alloc;

mod caller;
mod control;
mod devices;
mod driver;
mod hang_up;
mod master;
mod modem;
mod opening;
mod owners;
mod serve;
mod session;
mod settings;
mod terminal;
mod transfer;
mod turn;

pub use devices::{add_line, console, controlling_terminal, hang_up_of, register, set_console};
pub use driver::{Arrival, Driver, Received};
pub use terminal::Terminal;
