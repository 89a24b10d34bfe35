//! The loop: one command, its streams, the host's messages.

use crate::command::{Command, real_terminal};
use crate::control::Control;
use crate::ports::Ports;
use crate::stream::Stream;
use protocol::{Connection, Exit, Malformed, Message, Mode};
use runtime::{
    Descriptor, Errno, O_RDONLY, O_WRONLY, POLLIN, Poll, close, fork, kill, now, pipe, poll, pseudo_terminal, read,
    reap, set_nonblocking, set_window_size, sleep,
};

/// kill(2): every process but the caller.
const EVERYBODY: i32 = -1;
const SIGKILL: usize = 9;
/// What one stream may move before the others have their turn.
const TURN: u64 = 256 << 10;
/// What is still taken from a pipe after the command ended: the most that a pipe holds by default for root.
const LEFTOVER: u64 = 1 << 20;
/// Milliseconds for which a port that says "nobody there" is left alone.
const PAUSE: u64 = 5;
/// Milliseconds of silence after which a terminal whose session ended has nothing more to say.
const SILENCE: u64 = 100;

/// The running command.
struct Session {
    child: i32,
    connection: Connection,
    /// Where window sizes go.
    terminal: Descriptor,
    input: Option<Stream>,
    output: Option<Stream>,
    error: Option<Stream>,
    /// Bytes of standard input that a closed stream had received.
    input_received: u64,
    /// Bytes of standard input in all, once the host knows.
    input_total: Option<u64>,
    heartbeat: Option<u64>,
}

/// Serves the host until it says to switch off: one command after another.
pub fn serve(ports: &Ports) -> Result<(), Malformed> {
    let mut control = Control::new(ports.control).map_err(|_| Malformed)?;
    control.send(&Message::Hello(protocol::VERSION));
    let mut leftover = Leftover::default();
    while let Some(command) = await_command(&mut control, &mut leftover)? {
        leftover.discard(ports.input);
        match Session::start(&command, ports) {
            Ok(mut session) => {
                control.send(&Message::Started(session.connection));
                let wait_status = session.run(&mut control)?;
                let (output, error) = session.drain();
                leftover = session.finish();
                // Whatever it left running goes with it, as it would with the machine.
                kill(EVERYBODY, SIGKILL);
                control.send(&Message::Exit(Exit { wait_status, output, error }));
            }
            Err(errno) => control.send(&Message::Failed(u32::from(errno.0))),
        }
    }
    Ok(())
}

/// Standard input that the last command did not read. The host says how much it sent before it asks for another command.
#[derive(Default)]
struct Leftover {
    received: u64,
    total: Option<u64>,
}

impl Leftover {
    fn discard(&mut self, input: Descriptor) {
        let mut buffer = [0; 4096];
        while self.total.is_some_and(|total| self.received < total) {
            match read(input, &mut buffer) {
                Ok(length) if length > 0 => self.received += length as u64,
                Ok(_) => sleep(PAUSE),
                Err(Errno::EAGAIN) => {
                    let _ = poll(&mut [Poll { descriptor: input, events: POLLIN, returned: 0 }], None);
                }
                Err(_) => break,
            }
        }
        *self = Self::default();
    }
}

/// The next command; none when the machine is to be switched off.
fn await_command(control: &mut Control, leftover: &mut Leftover) -> Result<Option<Command>, Malformed> {
    let mut answer = None;
    while answer.is_none() {
        control.wait(POLLIN);
        control.receive(|message| {
            match message {
                Message::Run(run) => answer = Some(Command::new(&run).map(Some).map_err(|_| Malformed)),
                Message::PowerOff => answer = Some(Ok(None)),
                Message::InputEnd(total) => leftover.total = Some(total),
                _ => {}
            }
            answer.is_none()
        })?;
        while let Ok(Some(_)) = reap(false) {}
    }
    answer.unwrap_or(Ok(None))
}

impl Session {
    fn start(command: &Command, ports: &Ports) -> runtime::Result<Self> {
        match command.mode {
            Mode::Exact => Self::on_pipes(command, ports),
            Mode::Terminal => match pseudo_terminal() {
                Ok((master, slave)) => Self::on_terminal(command, ports, master, slave),
                Err(_) => Self::on_serial(command),
            },
        }
    }

    fn with(child: i32, connection: Connection, command: &Command) -> Self {
        let heartbeat = (command.heartbeat > 0).then(|| u64::from(command.heartbeat) * 1000);
        let (input, output, error) = (None, None, None);
        Self { child, connection, terminal: -1, input, output, error, input_received: 0, input_total: None, heartbeat }
    }

    fn on_pipes(command: &Command, ports: &Ports) -> runtime::Result<Self> {
        let (input, output, error) = (pipe()?, pipe()?, pipe()?);
        let Some(child) = fork()? else {
            command.start([input.0, output.1, error.1], real_terminal().ok());
        };
        for end in [input.0, output.1, error.1] {
            close(end);
        }
        set_nonblocking(input.1, O_WRONLY)?;
        set_nonblocking(output.0, O_RDONLY)?;
        set_nonblocking(error.0, O_RDONLY)?;
        Ok(Self {
            input: Some(Stream::new(ports.input, input.1)?),
            output: Some(Stream::new(output.0, ports.output)?),
            error: Some(Stream::new(error.0, ports.error)?),
            ..Self::with(child, Connection::Pipes, command)
        })
    }

    fn on_terminal(command: &Command, ports: &Ports, master: Descriptor, slave: Descriptor) -> runtime::Result<Self> {
        set_window_size(master, command.rows, command.columns);
        let Some(child) = fork()? else { command.start([slave; 3], Some(slave)) };
        close(slave);
        set_nonblocking(master, runtime::O_RDWR)?;
        Ok(Self {
            terminal: master,
            input: Some(Stream::new(ports.input, master)?),
            output: Some(Stream::new(master, ports.output)?),
            ..Self::with(child, Connection::PseudoTerminal, command)
        })
    }

    fn on_serial(command: &Command) -> runtime::Result<Self> {
        let terminal = real_terminal()?;
        set_window_size(terminal, command.rows, command.columns);
        let Some(child) = fork()? else { command.start([terminal; 3], Some(terminal)) };
        Ok(Self { terminal, ..Self::with(child, Connection::Serial, command) })
    }

    /// Shuttles until the command ends; its wait status.
    fn run(&mut self, control: &mut Control) -> Result<u32, Malformed> {
        let mut alive = now();
        let mut host_absent = false;
        loop {
            let mut polls = self.interests(control);
            if host_absent {
                polls[1].descriptor = -1;
            }
            let pause = if host_absent { Some(PAUSE) } else { self.heartbeat };
            let interrupted = poll(&mut polls, pause) == Err(Errno::EINTR);
            if interrupted && let Some(status) = self.reap_all() {
                return Ok(status);
            }
            self.obey(control)?;
            host_absent = self.shuttle();
            if let Some(heartbeat) = self.heartbeat
                && now().saturating_sub(alive) >= heartbeat
            {
                alive = now();
                control.send(&Message::Alive);
            }
        }
    }

    fn interests(&self, control: &Control) -> [Poll; 4] {
        let of = |stream: &Option<Stream>| match stream {
            Some(stream) => stream.interest(),
            None => Poll { descriptor: -1, ..Poll::default() },
        };
        [control.interest(), of(&self.input), of(&self.output), of(&self.error)]
    }

    fn obey(&mut self, control: &mut Control) -> Result<(), Malformed> {
        control.receive(|message| {
            match message {
                Message::InputEnd(total) => self.input_total = Some(total),
                Message::WindowSize(rows, columns) if self.terminal >= 0 => {
                    set_window_size(self.terminal, rows, columns);
                }
                _ => {}
            }
            true
        })
    }

    /// Moves what can be moved; whether the input port says that the host has not opened it.
    fn shuttle(&mut self) -> bool {
        let mut host_absent = false;
        if let Some(input) = &mut self.input {
            host_absent = input.pump(TURN);
            let all_here = self.input_total.is_some_and(|total| input.received >= total);
            if (all_here && !input.is_pending() || input.deaf) && self.connection == Connection::Pipes {
                input.close_destination();
                self.input_received = input.received;
                self.input = None;
                host_absent = false;
            }
        }
        for stream in [&mut self.output, &mut self.error].into_iter().flatten() {
            if !stream.ended && stream.pump(TURN) {
                stream.ended = true;
            }
        }
        host_absent
    }

    /// Reaps all that ended; the command's status if it was among them.
    fn reap_all(&self) -> Option<u32> {
        let mut ended = None;
        while let Ok(Some((process, status))) = reap(false) {
            if process == self.child {
                ended = Some(status);
            }
        }
        ended
    }

    /// Closes what the session opened; what it did not read stays behind.
    fn finish(self) -> Leftover {
        for stream in [self.output, self.error].into_iter().flatten() {
            stream.close_source();
        }
        let received = match self.input {
            Some(mut input) => {
                input.close_destination();
                input.received
            }
            None => self.input_received,
        };
        if self.connection == Connection::Serial {
            close(self.terminal);
        }
        Leftover { received, total: self.input_total }
    }

    /// Sends what the command left in its pipes or terminal; the totals of both streams. What its own children still write
    /// later is not the command's output.
    fn drain(&mut self) -> (u64, u64) {
        let silence = if self.connection == Connection::PseudoTerminal { SILENCE } else { 0 };
        let mut sent = [0; 2];
        for (stream, sent) in [&mut self.output, &mut self.error].into_iter().zip(&mut sent) {
            if let Some(stream) = stream {
                drain_stream(stream, silence);
                *sent = stream.sent;
            }
        }
        (sent[0], sent[1])
    }
}

fn drain_stream(stream: &mut Stream, silence: u64) {
    let stop = stream.received.saturating_add(LEFTOVER);
    loop {
        if !stream.ended {
            stream.ended = stream.pump(stop.saturating_sub(stream.received));
        }
        let pending = stream.is_pending();
        if !pending && (stream.ended || stream.received >= stop) {
            return;
        }
        let mut polls = [stream.interest()];
        let ready = poll(&mut polls, if pending { None } else { Some(silence) });
        if !pending && ready == Ok(0) {
            return;
        }
        if pending && stream.ended {
            stream.pump(0);
        }
    }
}
