//! A machine that runs one test's command after another.

use super::golden::Answer;
use crate::run::Plan;
use crate::run::log::Log;
use crate::run::machine::Machine;
use crate::run::monitor::Monitor;
use crate::run::options::Request;
use crate::run::report::{Loss, Reason};
use crate::run::session::{environment, status, watch_end};
use crate::run::streams::{self, Event, Target};
use anyhow::{Context, Result};
use protocol::{Decoded, Exit, Message, Mode, Run};
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Seconds without a sign of life after which a machine is given up.
const STALL: u64 = 60;
/// The same where the machine's clock counts instructions: its signs come by that clock, which a busy host may slow down much.
const STALL_COUNTED: u64 = 600;
/// Seconds between two signs of life.
const HEARTBEAT: u32 = 10;

/// Streams of a machine: control, serial line, monitor, output, error. What it ended with is known when all are closed.
const STREAMS: usize = 5;

/// How a command ended: an answer, or the end of the machine.
pub type Ending = std::result::Result<Answer, Box<Loss>>;

pub struct Guest {
    machine: Machine,
    monitor: Monitor,
    events: Receiver<Event>,
    /// Standard inputs, written in the order of the commands.
    inputs: Sender<Vec<u8>>,
    control: Vec<u8>,
    log: Log,
    greeted: bool,
    exit: Option<Exit>,
    failed: Option<u32>,
    streams: [Vec<u8>; 2],
    /// How many of the machine's streams are closed, and what QEMU complained of at its end.
    closed: usize,
    ended: Option<String>,
    last_life: Instant,
    /// Seconds.
    stall: u64,
}

impl Guest {
    /// Starts a machine; the calling thread must outlive it.
    pub fn start(request: &Request, plan: &Plan) -> Result<Self> {
        let (sender, events) = channel();
        let mut machine = Machine::start(request, plan)?;
        streams::listen(machine.control.try_clone()?, sender.clone(), Event::Control);
        streams::listen(machine.serial.try_clone()?, sender.clone(), Event::Serial);
        streams::listen(machine.monitor.try_clone()?, sender.clone(), Event::Monitor);
        streams::capture(machine.output.try_clone()?, machine.error.try_clone()?, sender.clone());
        watch_end(&mut machine, sender);
        let monitor = Monitor::new(machine.monitor.try_clone()?);
        let inputs = writer(machine.input.try_clone()?);
        let log = Log::new(request)?;
        let last_life = Instant::now();
        Ok(Self {
            machine,
            monitor,
            events,
            inputs,
            control: Vec::new(),
            log,
            greeted: false,
            exit: None,
            failed: None,
            streams: [Vec::new(), Vec::new()],
            closed: 0,
            ended: None,
            last_life,
            stall: if request.icount { STALL_COUNTED } else { STALL },
        })
    }

    /// Runs a command to its end.
    pub fn run(&mut self, command: &[String], stdin: &str, seconds: u64) -> Result<Ending> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        self.last_life = Instant::now();
        (self.exit, self.failed, self.streams) = (None, None, [Vec::new(), Vec::new()]);
        if let Some(reason) = self.until(deadline, seconds, |guest| guest.greeted)? {
            return Ok(Err(self.loss(reason)));
        }
        self.send(command)?;
        let total = stdin.len() as u64;
        let _ = self.inputs.send(stdin.as_bytes().to_vec());
        self.tell(&Message::InputEnd(total))?;
        if let Some(reason) = self.until(deadline, seconds, Self::is_answered)? {
            return Ok(Err(self.loss(reason)));
        }
        if let Some(errno) = self.failed {
            return Ok(Err(self.loss(Reason::Failed(errno))));
        }
        let wait_status = self.exit.map_or(0, |exit| exit.wait_status);
        let [stdout, stderr] = std::mem::take(&mut self.streams);
        Ok(Ok(Answer { status: status(wait_status), stdout, stderr }))
    }

    fn is_answered(&self) -> bool {
        let here =
            |exit: Exit| self.streams[0].len() as u64 >= exit.output && self.streams[1].len() as u64 >= exit.error;
        self.failed.is_some() || self.exit.is_some_and(here)
    }

    /// Takes events until `done`; a reason if that will never be.
    fn until(&mut self, deadline: Instant, seconds: u64, done: fn(&Self) -> bool) -> Result<Option<Reason>> {
        while !done(self) {
            if self.ended.is_some() && self.closed >= STREAMS {
                return Ok(Some(Reason::Ended));
            }
            let stall = self.last_life + Duration::from_secs(self.stall);
            let next = deadline.min(stall).saturating_duration_since(Instant::now());
            match self.events.recv_timeout(next) {
                Ok(event) => self.note(event)?,
                Err(_) if Instant::now() >= deadline => return Ok(Some(Reason::TimeOut(seconds))),
                Err(_) => return Ok(Some(Reason::Stall(self.stall))),
            }
        }
        Ok(None)
    }

    fn note(&mut self, event: Event) -> Result<()> {
        if matches!(event, Event::Control(_) | Event::Serial(_) | Event::Captured(..)) {
            self.last_life = Instant::now();
        }
        match event {
            Event::Control(bytes) | Event::Serial(bytes) | Event::Monitor(bytes) | Event::Captured(_, bytes)
                if bytes.is_empty() =>
            {
                self.closed += 1
            }
            Event::Control(bytes) => self.hear(&bytes)?,
            Event::Serial(bytes) => self.log.add(&bytes, false)?,
            Event::Captured(Target::Output, bytes) => self.streams[0].extend(bytes),
            Event::Captured(Target::Error, bytes) => self.streams[1].extend(bytes),
            Event::Monitor(bytes) => self.monitor.hear(&bytes),
            Event::Ended(complaint) => self.ended = Some(complaint),
            _ => {}
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<()> {
        self.control.extend_from_slice(bytes);
        loop {
            let length = match protocol::decode(&self.control) {
                Ok(Decoded::Message(message, length)) => {
                    match message {
                        Message::Hello(_) => self.greeted = true,
                        Message::Exit(exit) => self.exit = Some(exit),
                        Message::Failed(errno) => self.failed = Some(errno),
                        _ => {}
                    }
                    length
                }
                Ok(Decoded::Incomplete(_)) => return Ok(()),
                Err(_) => anyhow::bail!("the machine's init sends messages that make no sense"),
            };
            self.control.drain(..length);
        }
    }

    fn send(&mut self, command: &[String]) -> Result<()> {
        let environment = environment(false);
        let mut strings = b"/root\0".to_vec();
        for word in command.iter().chain(&environment) {
            strings.extend_from_slice(word.as_bytes());
            strings.push(0);
        }
        let (arguments, environment) = (u32::try_from(command.len())?, u32::try_from(environment.len())?);
        let (mode, rows, columns, heartbeat, strings) = (Mode::Exact, 24, 80, HEARTBEAT, &strings[..]);
        self.tell(&Message::Run(Run { mode, rows, columns, heartbeat, arguments, environment, strings }))
    }

    fn tell(&mut self, message: &Message<'_>) -> Result<()> {
        let strings = if let Message::Run(run) = message { run.strings.len() } else { 0 };
        let mut buffer = vec![0; 128 + strings];
        let length = protocol::encode(message, &mut buffer).context("a message does not fit")?;
        let _ = self.machine.control.write_all(&buffer[..length]);
        Ok(())
    }

    fn loss(&mut self, reason: Reason) -> Box<Loss> {
        let registers = match reason {
            Reason::Stall(_) | Reason::TimeOut(_) => self.monitor.registers(&self.events),
            _ => Vec::new(),
        };
        let (log, shutdown) = (self.log.text(), self.monitor.shutdown().map(str::to_owned));
        let complaint = self.ended.clone().unwrap_or_default();
        Box::new(Loss { reason, log, shown: false, complaint, shutdown, registers })
    }
}

/// A thread that writes one input after another, because a command may not read its own.
fn writer(mut to: std::os::unix::net::UnixStream) -> Sender<Vec<u8>> {
    let (sender, inputs) = channel::<Vec<u8>>();
    std::thread::spawn(move || inputs.iter().try_for_each(|input| to.write_all(&input)));
    sender
}
