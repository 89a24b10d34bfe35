//! Messages on the control port.

use crate::{REPLY, reply};
use protocol::{Decoded, HEADER, Malformed, Message};
use runtime::{Descriptor, Errno, POLLHUP, POLLIN, POLLOUT, Pages, Poll, poll, read, sleep, write};

/// Milliseconds until a port whose host side is not open yet is looked at again.
const PAUSE: u64 = 2;

/// The control port and the bytes of a message that is still arriving.
pub struct Control {
    port: Descriptor,
    buffer: Pages,
    used: usize,
}

impl Control {
    pub fn new(port: Descriptor) -> runtime::Result<Self> {
        Ok(Self { port, buffer: Pages::new(4096)?, used: 0 })
    }

    /// Sends a message, waiting for room.
    pub fn send(&self, message: &Message<'_>) {
        let mut buffer = [0; REPLY];
        let length = reply(message, &mut buffer);
        let mut rest = buffer.get(..length).unwrap_or(&[]);
        while !rest.is_empty() {
            match write(self.port, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
                Err(Errno::EAGAIN) => self.wait(POLLOUT),
                Err(_) => return,
            }
        }
    }

    /// Sleeps until the port is ready for `events`.
    pub fn wait(&self, events: i16) {
        let mut polls = [Poll { descriptor: self.port, events, returned: 0 }];
        let _ = poll(&mut polls, None);
        if polls[0].returned & POLLHUP != 0 {
            sleep(PAUSE);
        }
    }

    pub fn interest(&self) -> Poll {
        Poll { descriptor: self.port, events: POLLIN, returned: 0 }
    }

    /// Hands each whole message that has arrived to `each`, which answers whether to go on. Never blocks.
    pub fn receive(&mut self, mut each: impl FnMut(Message<'_>) -> bool) -> Result<(), Malformed> {
        loop {
            match protocol::decode(self.buffer.get(..self.used).unwrap_or(&[]))? {
                Decoded::Message(message, length) => {
                    let go_on = each(message);
                    self.buffer.copy_within(length..self.used, 0);
                    self.used -= length;
                    if !go_on {
                        return Ok(());
                    }
                }
                Decoded::Incomplete(needed) => {
                    self.make_room(needed)?;
                    if !self.read_more(needed) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn make_room(&mut self, needed: usize) -> Result<(), Malformed> {
        if needed > self.buffer.len() {
            let mut larger = Pages::new(needed).map_err(|_| Malformed)?;
            larger
                .get_mut(..self.used)
                .ok_or(Malformed)?
                .copy_from_slice(self.buffer.get(..self.used).ok_or(Malformed)?);
            self.buffer = larger;
        }
        Ok(())
    }

    /// Reads towards `needed` bytes and no further, so that a message's strings may be kept where they are.
    fn read_more(&mut self, needed: usize) -> bool {
        let needed = needed.max(HEADER);
        match read(self.port, self.buffer.get_mut(self.used..needed).unwrap_or(&mut [])) {
            Ok(length) if length > 0 => {
                self.used += length;
                true
            }
            _ => false,
        }
    }
}
