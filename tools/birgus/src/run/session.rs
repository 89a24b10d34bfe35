//! One command on one machine, from the first message to the status.
//!
//! Threads turn everything that can happen into events on one channel; this thread alone decides. Three clocks bound a session:
//! the user's time-out, the time without a sign of life (init beats like a heart while its command runs), and, once the machine
//! has ended, none: what was already sent is still delivered, however slowly the user reads.

use super::options::Request;
use super::report::{Loss, Reason};
use super::streams::{self, Event, Target};
use super::{Plan, terminal};
use crate::run::log::Log;
use crate::run::machine::{self, Machine};
use crate::run::monitor::Monitor;
use anyhow::{Context, Result};
use protocol::{Connection, Decoded, Exit, HEADER, LONGEST, Message, Mode, Run};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long a machine may take to switch itself off when somebody watches its log.
const POWER_OFF: Duration = Duration::from_secs(5);

/// How a session ended.
pub enum Outcome {
    /// The command's status, as a shell would have it.
    Status(u8),
    /// The user's signal ended it.
    Interrupted(u8),
    /// The machine ended without a status.
    Lost(Box<Loss>),
}

/// Runs the request's command.
pub fn run(request: &Request, plan: &Plan, interactive: bool) -> Result<Outcome> {
    let mut session = Session::start(request, plan, interactive)?;
    let raw = if interactive || request.console { terminal::Raw::enter()? } else { None };
    let outcome = session.serve();
    session.machine.kill();
    drop(raw);
    outcome
}

/// Whether a machine gets as far as init's first message.
pub fn says_hello(request: &Request, plan: &Plan, patience: Duration) -> Result<bool> {
    let mut session = Session::start(request, plan, false)?;
    let deadline = Instant::now() + patience;
    loop {
        match session.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Control(bytes)) => return Ok(!bytes.is_empty()),
            Ok(Event::Ended(_)) | Err(_) => return Ok(false),
            Ok(event) => drop(session.note(event)),
        }
    }
}

/// What is still to come from a machine.
#[derive(Clone, Copy, Default)]
struct Closed {
    control: bool,
    serial: bool,
    monitor: bool,
    output: bool,
    error: bool,
}

struct Session<'a> {
    request: &'a Request,
    interactive: bool,
    machine: Machine,
    monitor: Monitor,
    events: Receiver<Event>,
    sender: Sender<Event>,
    /// Bytes of a message that is still arriving.
    control: Vec<u8>,
    log: Log,
    connection: Option<Connection>,
    exit: Option<Exit>,
    failed: Option<u32>,
    delivered: [u64; 2],
    closed: Closed,
    /// QEMU ended, and said this.
    ended: Option<String>,
    started_at: Instant,
    last_life: Instant,
}

impl<'a> Session<'a> {
    fn start(request: &'a Request, plan: &'a Plan, interactive: bool) -> Result<Self> {
        let (sender, events) = channel();
        watch_signals(sender.clone())?;
        let mut machine = Machine::start(request, plan)?;
        streams::listen(machine.control.try_clone()?, sender.clone(), Event::Control);
        streams::listen(machine.serial.try_clone()?, sender.clone(), Event::Serial);
        streams::listen(machine.monitor.try_clone()?, sender.clone(), Event::Monitor);
        streams::deliver(machine.output.try_clone()?, Target::Output, sender.clone());
        streams::deliver(machine.error.try_clone()?, Target::Error, sender.clone());
        watch_end(&mut machine, sender.clone());
        let monitor = Monitor::new(machine.monitor.try_clone()?);
        if let Some(socket) = machine.gdb_socket() {
            super::report::print_gdb(&plan.kernel, socket);
        }
        let now = Instant::now();
        let mut session = Self {
            request,
            interactive,
            machine,
            monitor,
            events,
            sender,
            control: Vec::new(),
            log: Log::new(request)?,
            connection: None,
            exit: None,
            failed: None,
            delivered: [0; 2],
            closed: Closed::default(),
            ended: None,
            started_at: now,
            last_life: now,
        };
        if request.console {
            session.connect(Connection::Serial)?;
        }
        Ok(session)
    }

    fn serve(&mut self) -> Result<Outcome> {
        loop {
            let event = match self.deadline() {
                None => self.events.recv().context("all threads ended")?,
                Some((deadline, reason)) => {
                    match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                        Ok(event) => event,
                        Err(RecvTimeoutError::Timeout) => return Ok(self.lost(reason)),
                        Err(RecvTimeoutError::Disconnected) => anyhow::bail!("all threads ended"),
                    }
                }
            };
            if let Some(outcome) = self.note(event)? {
                return Ok(outcome);
            }
            if let Some(outcome) = self.conclusion() {
                return Ok(outcome);
            }
        }
    }

    /// The next moment at which patience ends, and what to call it.
    fn deadline(&self) -> Option<(Instant, Reason)> {
        if self.request.gdb {
            return None;
        }
        let limit = |seconds: u64| Duration::from_secs(seconds);
        let timeout = self.request.timeout.map(|seconds| (self.started_at + limit(seconds), Reason::TimeOut(seconds)));
        let watched = self.request.stall > 0 && !self.request.console && self.exit.is_none() && self.ended.is_none();
        let stall = watched.then(|| (self.last_life + limit(self.request.stall), Reason::Stall(self.request.stall)));
        [timeout, stall].into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }

    /// Takes note of an event; an outcome if the user wants to leave.
    fn note(&mut self, event: Event) -> Result<Option<Outcome>> {
        if matches!(event, Event::Control(_) | Event::Serial(_) | Event::Delivered(..)) {
            self.last_life = Instant::now();
        }
        match event {
            Event::Control(bytes) if bytes.is_empty() => self.closed.control = true,
            Event::Control(bytes) => self.hear(&bytes)?,
            Event::Serial(bytes) if bytes.is_empty() => self.closed.serial = true,
            Event::Serial(bytes) => self.log.add(&bytes, self.connection == Some(Connection::Serial))?,
            Event::Monitor(bytes) if bytes.is_empty() => self.closed.monitor = true,
            Event::Monitor(bytes) => self.monitor.hear(&bytes),
            Event::Delivered(target, total) => self.delivered[target as usize] = total,
            Event::Closed(Target::Output) => self.closed.output = true,
            Event::Closed(Target::Error) => self.closed.error = true,
            // Nothing is captured here.
            Event::Captured(..) => {}
            // As for any program whose reader is gone: SIGPIPE.
            Event::Refused => return Ok(Some(Outcome::Interrupted(13))),
            Event::Broken(target, error) => {
                let name = if target == Target::Output { "output" } else { "error" };
                return Err(error).with_context(|| format!("cannot write standard {name}"));
            }
            Event::InputEnded(total) => self.end_input(total)?,
            Event::Quit => return Ok(Some(Outcome::Status(0))),
            Event::Signal(SIGWINCH) => self.resize()?,
            Event::Signal(number) => {
                return Ok(Some(Outcome::Interrupted(u8::try_from(number).unwrap_or(0))));
            }
            Event::Ended(complaint) => self.ended = Some(complaint),
        }
        Ok(None)
    }

    /// The outcome, if all is known.
    fn conclusion(&mut self) -> Option<Outcome> {
        if let Some(exit) = self.exit
            && self.delivered[0] >= exit.output
            && self.delivered[1] >= exit.error
        {
            self.switch_off();
            return Some(Outcome::Status(status(exit.wait_status)));
        }
        if let Some(errno) = self.failed {
            return Some(self.lost(Reason::Failed(errno)));
        }
        let Closed { control, serial, monitor, output, error } = self.closed;
        if self.ended.is_none() || !(control && serial && monitor && output && error) {
            return None;
        }
        match self.log.console_status() {
            Some(wait_status) if self.request.console => Some(Outcome::Status(status(wait_status))),
            _ => Some(self.lost(Reason::Ended)),
        }
    }

    /// Lets the machine go; when somebody watches, down to its last word.
    fn switch_off(&mut self) {
        let _ = self.tell(&Message::PowerOff);
        if self.request.verbose || self.request.log.is_some() {
            let deadline = Instant::now() + POWER_OFF;
            while !self.closed.serial {
                let Ok(event) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                    return;
                };
                let _ = self.note(event);
            }
        }
    }

    fn lost(&mut self, reason: Reason) -> Outcome {
        let registers = match reason {
            Reason::Stall(_) | Reason::TimeOut(_) => self.monitor.registers(&self.events),
            _ => Vec::new(),
        };
        let complaint = self.ended.take().unwrap_or_default();
        let shown = self.request.verbose || self.request.console;
        let (log, shutdown) = (self.log.text(), self.monitor.shutdown().map(str::to_owned));
        Outcome::Lost(Box::new(Loss { reason, log, shown, complaint, shutdown, registers }))
    }

    /// Handles whole messages from init.
    fn hear(&mut self, bytes: &[u8]) -> Result<()> {
        self.control.extend_from_slice(bytes);
        let waiting = std::mem::take(&mut self.control);
        let mut rest = &waiting[..];
        loop {
            match protocol::decode(rest) {
                Ok(Decoded::Message(message, length)) => {
                    self.obey(&message)?;
                    rest = &rest[length..];
                }
                Ok(Decoded::Incomplete(_)) => break,
                Err(_) => anyhow::bail!("the machine's init sends messages that make no sense"),
            }
        }
        self.control = rest.to_vec();
        Ok(())
    }

    fn obey(&mut self, message: &Message<'_>) -> Result<()> {
        match *message {
            Message::Hello(version) => {
                anyhow::ensure!(
                    version == protocol::VERSION,
                    "the machine's init speaks version {version} of the protocol"
                );
                self.send_command()?;
            }
            Message::Started(connection) => self.connect(connection)?,
            Message::Failed(errno) => self.failed = Some(errno),
            Message::Exit(exit) => self.exit = Some(exit),
            _ => {}
        }
        Ok(())
    }

    /// Starts to feed standard input to where the command reads it.
    fn connect(&mut self, connection: Connection) -> Result<()> {
        self.connection = Some(connection);
        streams::feed(self.input().try_clone()?, connection != Connection::Pipes, self.sender.clone());
        Ok(())
    }

    /// Where the command reads its standard input.
    fn input(&self) -> &UnixStream {
        if self.connection == Some(Connection::Serial) { &self.machine.serial } else { &self.machine.input }
    }

    fn end_input(&mut self, total: u64) -> Result<()> {
        match self.connection {
            Some(Connection::Pipes) => self.tell(&Message::InputEnd(total)),
            // What ends the input of a terminal is a key.
            _ => Ok(self.input().write_all(&[4])?),
        }
    }

    fn resize(&mut self) -> Result<()> {
        let (rows, columns) = terminal::size();
        if self.interactive && self.connection.is_some() {
            self.tell(&Message::WindowSize(rows, columns))
        } else {
            Ok(())
        }
    }

    fn send_command(&mut self) -> Result<()> {
        let environment = environment(self.interactive);
        let mut strings = b"/root\0".to_vec();
        for string in
            self.request.command.iter().map(|word| word.as_bytes()).chain(environment.iter().map(String::as_bytes))
        {
            strings.extend_from_slice(string);
            strings.push(0);
        }
        let (rows, columns) = terminal::size();
        self.tell(&Message::Run(Run {
            mode: if self.interactive { Mode::Terminal } else { Mode::Exact },
            rows,
            columns,
            heartbeat: u32::try_from(self.request.stall.div_ceil(6)).unwrap_or(0),
            arguments: u32::try_from(self.request.command.len())?,
            environment: u32::try_from(environment.len())?,
            strings: &strings,
        }))
    }

    fn tell(&mut self, message: &Message<'_>) -> Result<()> {
        let strings = if let Message::Run(run) = message { run.strings.len() } else { 0 };
        anyhow::ensure!(strings < LONGEST - 64, "the command is too long");
        let mut buffer = vec![0; HEADER + 64 + strings];
        let length = protocol::encode(message, &mut buffer).context("a message of this tool's own does not fit")?;
        // A machine that just ended does not listen; that it ended is news of its own.
        let _ = (&self.machine.control).write_all(&buffer[..length]);
        Ok(())
    }
}

/// What programs find in their environment.
pub fn environment(interactive: bool) -> Vec<String> {
    let terminal = std::env::var("TERM").ok().filter(|name| interactive && !name.is_empty());
    vec![
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "HOME=/root".to_owned(),
        "USER=root".to_owned(),
        "LOGNAME=root".to_owned(),
        "SHELL=/bin/sh".to_owned(),
        format!("TERM={}", terminal.as_deref().unwrap_or("linux")),
        "LANG=C.UTF-8".to_owned(),
    ]
}

/// The shell's status for a wait status.
pub fn status(wait_status: u32) -> u8 {
    let signal = (wait_status & 0x7f) as u8;
    if signal == 0 { (wait_status >> 8) as u8 } else { 128 + signal }
}

fn watch_signals(events: Sender<Event>) -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH])?;
    std::thread::spawn(move || {
        for number in signals.forever() {
            if events.send(Event::Signal(number)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

pub fn watch_end(machine: &mut Machine, events: Sender<Event>) {
    let (process, complaints) = (machine.process(), machine.take_complaints());
    std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut complaints) = complaints {
            let _ = std::io::Read::read_to_string(&mut complaints, &mut text);
        }
        machine::wait(process);
        let _ = events.send(Event::Ended(text));
    });
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn statuses_are_the_shells() {
        assert_eq!(status(0), 0);
        assert_eq!(status(3 << 8), 3);
        assert_eq!(status(255 << 8), 255);
        assert_eq!(status(9), 137);
        assert_eq!(status(0x80 | 11), 139, "the bit for a core dump");
    }
}
