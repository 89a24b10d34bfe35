//! Messages to bytes and back.

use crate::{Connection, Exit, HEADER, LONGEST, Message, Mode, Run};

const RUN: u8 = 1;
const INPUT_END: u8 = 2;
const WINDOW_SIZE: u8 = 3;
const POWER_OFF: u8 = 4;
const HELLO: u8 = 64;
const STARTED: u8 = 65;
const FAILED: u8 = 66;
const ALIVE: u8 = 67;
const EXIT: u8 = 68;

/// Bytes of a `Run` before its strings.
const RUN_FIXED: usize = 20;

/// The other side does not speak this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What the front of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A message and the bytes that it took.
    Message(Message<'a>, usize),
    /// Not all of a message yet: it needs this many bytes in all (at least the header's).
    Incomplete(usize),
}

/// Writes `message` to the front of `buffer` and returns its length, or `None` when it does not fit.
#[must_use]
pub fn encode(message: &Message<'_>, buffer: &mut [u8]) -> Option<usize> {
    let mut writer = Writer { buffer, used: HEADER };
    let kind = match *message {
        Message::Run(run) => {
            writer.put(&[matches!(run.mode, Mode::Terminal).into(), 0, 0, 0])?;
            writer.put(&run.rows.to_le_bytes())?;
            writer.put(&run.columns.to_le_bytes())?;
            writer.put(&run.heartbeat.to_le_bytes())?;
            writer.put(&run.arguments.to_le_bytes())?;
            writer.put(&run.environment.to_le_bytes())?;
            writer.put(run.strings)?;
            RUN
        }
        Message::InputEnd(total) => {
            writer.put(&total.to_le_bytes())?;
            INPUT_END
        }
        Message::WindowSize(rows, columns) => {
            writer.put(&rows.to_le_bytes())?;
            writer.put(&columns.to_le_bytes())?;
            WINDOW_SIZE
        }
        Message::PowerOff => POWER_OFF,
        Message::Hello(version) => {
            writer.put(&version.to_le_bytes())?;
            HELLO
        }
        Message::Started(connection) => {
            writer.put(&[connection_code(connection)])?;
            STARTED
        }
        Message::Failed(errno) => {
            writer.put(&errno.to_le_bytes())?;
            FAILED
        }
        Message::Alive => ALIVE,
        Message::Exit(exit) => {
            writer.put(&exit.wait_status.to_le_bytes())?;
            writer.put(&exit.output.to_le_bytes())?;
            writer.put(&exit.error.to_le_bytes())?;
            EXIT
        }
    };
    writer.finish(kind)
}

/// Reads the message at the front of `buffer`.
///
/// # Errors
/// `Malformed` for an unknown kind, a payload of the wrong length or one above [`LONGEST`].
pub fn decode(buffer: &[u8]) -> Result<Decoded<'_>, Malformed> {
    let Some((header, rest)) = buffer.split_first_chunk::<HEADER>() else {
        return Ok(Decoded::Incomplete(HEADER));
    };
    let [kind, a, b, c, d] = *header;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(|_| Malformed)?;
    if length > LONGEST {
        return Err(Malformed);
    }
    match rest.get(..length) {
        Some(payload) => Ok(Decoded::Message(parse(kind, payload)?, HEADER + length)),
        None => Ok(Decoded::Incomplete(HEADER + length)),
    }
}

fn parse(kind: u8, payload: &[u8]) -> Result<Message<'_>, Malformed> {
    let mut reader = Reader { rest: payload };
    let message = match kind {
        RUN if payload.len() >= RUN_FIXED => {
            let mode = match reader.u32()? {
                0 => Mode::Exact,
                1 => Mode::Terminal,
                _ => return Err(Malformed),
            };
            let (rows, columns, heartbeat) = (reader.u16()?, reader.u16()?, reader.u32()?);
            let (arguments, environment) = (reader.u32()?, reader.u32()?);
            let run = Run { mode, rows, columns, heartbeat, arguments, environment, strings: reader.rest };
            return if run.is_well_formed() { Ok(Message::Run(run)) } else { Err(Malformed) };
        }
        INPUT_END => Message::InputEnd(reader.u64()?),
        WINDOW_SIZE => Message::WindowSize(reader.u16()?, reader.u16()?),
        POWER_OFF => Message::PowerOff,
        HELLO => Message::Hello(reader.u32()?),
        STARTED => {
            let [code] = reader.take::<1>()?;
            Message::Started(connection_of(code)?)
        }
        FAILED => Message::Failed(reader.u32()?),
        ALIVE => Message::Alive,
        EXIT => Message::Exit(Exit { wait_status: reader.u32()?, output: reader.u64()?, error: reader.u64()? }),
        _ => return Err(Malformed),
    };
    if reader.rest.is_empty() { Ok(message) } else { Err(Malformed) }
}

const fn connection_code(connection: Connection) -> u8 {
    match connection {
        Connection::Pipes => 0,
        Connection::PseudoTerminal => 1,
        Connection::Serial => 2,
    }
}

const fn connection_of(code: u8) -> Result<Connection, Malformed> {
    match code {
        0 => Ok(Connection::Pipes),
        1 => Ok(Connection::PseudoTerminal),
        2 => Ok(Connection::Serial),
        _ => Err(Malformed),
    }
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.used.checked_add(bytes.len())?;
        self.buffer.get_mut(self.used..end)?.copy_from_slice(bytes);
        self.used = end;
        Some(())
    }

    fn finish(self, kind: u8) -> Option<usize> {
        let length = u32::try_from(self.used - HEADER).ok()?.to_le_bytes();
        let [first, rest @ ..] = self.buffer.first_chunk_mut::<HEADER>()?;
        *first = kind;
        *rest = length;
        Some(self.used)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.take().map(u64::from_le_bytes)
    }
}
