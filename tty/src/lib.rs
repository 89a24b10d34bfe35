//! Terminals without the devices.
//!
//! **Problem.** Between a keyboard (or a pseudo-terminal's master) and a program stands the line discipline: it edits lines,
//! echoes, turns characters into signals, and decides what a read returns and when. Programs depend on its smallest habits.
//!
//! **Model.** A [`LineDiscipline`] is the state of one terminal: settings ([`Termios`]), an input queue, an output queue,
//! the cursor's column. Input goes in by [`LineDiscipline::receive`], which queues it, puts echoes into the output queue, and
//! notes in [`Effects`] what others must do: whom to signal, whom to wake. Programs' output goes in by
//! [`LineDiscipline::write`]; the device, or the master, takes bytes out by [`LineDiscipline::take_output`]. A read is a
//! [`ReadRequest`], advanced step by step, which says what it waits for. [`PtyPair`] adds the master's side.
//! [`job_control`] judges who may read, write and change settings.
//!
//! **Invariants.** Both queues are bounded and allocated when the terminal is made; nothing else allocates. In the input
//! queue, what lies before `canon` are whole lines and the rest is the line being edited. The output queue keeps room for
//! echoes that programs cannot fill.
//!
//! **Locks.** None here. One lock per terminal around each call is enough; it may be taken from interrupts. Effects are
//! applied after it is dropped, in any order: pending signals of a kind merge, as they do everywhere.
//!
//! **Why not** an echo buffer with deferred operations as Linux has: its driver may refuse a byte at any time. Here the
//! output queue belongs to the discipline, so an echo is laid out the moment it is made, and the column is always right.
//!
//! Not done: EXTPROC.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bytes;
mod canonical;
mod damage;
mod discipline;
mod effects;
mod erase;
mod input;
pub mod job_control;
mod output;
mod pty;
mod read;
mod ring;
mod settings;
mod termios;

pub use discipline::LineDiscipline;
pub use effects::{Effects, Signal, Signals};
pub use pty::{PtyPair, PtyRead};
pub use read::{ReadRequest, Step};
pub use settings::{Apply, Flow, Flush};
pub use termios::{Special, Termios, WindowSize};

/// Bytes that the input queue holds, one of which stays free (`_POSIX_MAX_CANON` and more; Linux's size).
pub const INPUT_SIZE: usize = 4096;
