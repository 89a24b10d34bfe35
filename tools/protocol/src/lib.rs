//! What `birgus run` and the guest's init say to each other.
//!
//! Four virtio-console ports, named below, carry one command: its standard input, output and error as bare bytes, one port
//! each, and a control port on which both sides send messages. Bare bytes keep the streams exact and leave flow control to the
//! transport; everything that needs an order relative to a stream says so by a *count of bytes* instead of by an end of file,
//! because a port has none that both Linux and QEMU deliver reliably after the last byte:
//!
//! ```text
//! guest  Hello(version)                      ports are open
//! host   Run(mode, argv, environment, cwd)
//! guest  Started(how) | Failed(errno)
//! host   InputEnd(total)                     standard input ended after so many bytes; init closes the pipe behind the last one
//! host   WindowSize(rows, columns)           interactive only
//! guest  Alive                               every `heartbeat` seconds, so that a hang is told from a long computation
//! guest  Exit(wait status, output, error)    the totals written to the two ports: the host waits for that many bytes
//! host   PowerOff, or another Run
//! ```
//!
//! Before another `Run` the host sends the last command's `InputEnd`, so that init can discard what that command did not read.
//!
//! A message on the wire is one byte of kind, a little-endian `u32` length, and that many bytes of payload.
#![no_std]
#![forbid(unsafe_code)]

mod wire;

pub use wire::{Decoded, Malformed, decode, encode};

/// The version of this protocol; both sides refuse another.
pub const VERSION: u32 = 1;

/// Name of the port that carries messages.
pub const PORT_CONTROL: &str = "birgus.control";
/// Name of the port that carries the command's standard input.
pub const PORT_INPUT: &str = "birgus.input";
/// Name of the port that carries the command's standard output (and, on a terminal, all that it writes).
pub const PORT_OUTPUT: &str = "birgus.output";
/// Name of the port that carries the command's standard error.
pub const PORT_ERROR: &str = "birgus.error";

/// The ports in the order of their numbers on the device, which start at 1 (QEMU keeps 0 for a console).
pub const PORTS: [&str; 4] = [PORT_CONTROL, PORT_INPUT, PORT_OUTPUT, PORT_ERROR];

/// Bytes before a message's payload.
pub const HEADER: usize = 5;

/// The longest payload that either side accepts: Linux's own bound on arguments and environment, and then some.
pub const LONGEST: usize = 4 << 20;

/// How the command's streams are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Three pipes, so that the bytes are exact.
    Exact,
    /// One pseudo-terminal.
    Terminal,
}

/// What the command got in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Three pipes.
    Pipes,
    /// A pseudo-terminal, shuttled over the input and output ports.
    PseudoTerminal,
    /// The serial console itself (a kernel without pseudo-terminals): the host forwards the serial line.
    Serial,
}

/// One message. Kinds below 64 go from host to guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Run this command.
    Run(Run<'a>),
    /// Standard input ended after this many bytes.
    InputEnd(u64),
    /// The terminal has a new size: rows, columns.
    WindowSize(u16, u16),
    /// Everything arrived; switch the machine off.
    PowerOff,
    /// Init runs and has opened its ports.
    Hello(u32),
    /// The command was started.
    Started(Connection),
    /// The command could not be connected or forked, with this error number.
    Failed(u32),
    /// Nothing new, but user space is being scheduled.
    Alive,
    /// The command ended.
    Exit(Exit),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As `wait4` reports it.
    pub wait_status: u32,
    /// Bytes written to the output port.
    pub output: u64,
    /// Bytes written to the error port.
    pub error: u64,
}

/// A command. The strings may hold any byte but NUL, as execve's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// Pipes or a terminal.
    pub mode: Mode,
    /// Rows of the terminal.
    pub rows: u16,
    /// Columns of the terminal.
    pub columns: u16,
    /// Seconds between two `Alive` messages; 0 for none.
    pub heartbeat: u32,
    /// How many arguments; none asks for the root's shell.
    pub arguments: u32,
    /// How many environment strings.
    pub environment: u32,
    /// Working directory, arguments, environment: each closed by a NUL.
    pub strings: &'a [u8],
}

impl<'a> Run<'a> {
    /// Whether the counts agree with the strings.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let announced = u64::from(self.arguments) + u64::from(self.environment) + 1;
        let found = self.strings.iter().filter(|&&byte| byte == 0).count() as u64;
        announced == found && self.strings.last() == Some(&0)
    }

    /// The strings with their NULs: the working directory, the arguments, the environment.
    pub fn each(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.strings.split_inclusive(|&byte| byte == 0)
    }
}

#[cfg(test)]
mod tests;
