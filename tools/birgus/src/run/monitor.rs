//! QEMU's monitor (QMP): why the machine ended, and where its processors are when it hangs.

use super::streams::Event;
use serde_json::Value;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Monitor {
    socket: UnixStream,
    waiting: Vec<u8>,
    shutdown: Option<String>,
    answer: Option<String>,
}

/// Where a processor was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    pub instruction: u64,
    pub halted: bool,
}

impl Monitor {
    pub fn new(socket: UnixStream) -> Self {
        let mut monitor = Self { socket, waiting: Vec::new(), shutdown: None, answer: None };
        monitor.say(r#"{"execute":"qmp_capabilities"}"#);
        monitor
    }

    fn say(&mut self, command: &str) {
        let _ = self.socket.write_all(command.as_bytes()).and_then(|()| self.socket.write_all(b"\n"));
    }

    /// Takes what QEMU said: a JSON object per line.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        while let Some(end) = self.waiting.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.waiting.drain(..=end).collect();
            let Ok(value) = serde_json::from_slice::<Value>(&line) else {
                continue;
            };
            if value["event"] == "SHUTDOWN" {
                self.shutdown = value["data"]["reason"].as_str().map(str::to_owned);
            } else if let Some(text) = value["return"].as_str() {
                self.answer = Some(text.to_owned());
            }
        }
    }

    /// QEMU's reason for the machine's end, once it ended: `guest-reset`, `guest-shutdown` and so on.
    pub fn shutdown(&self) -> Option<&str> {
        self.shutdown.as_deref()
    }

    /// Where each processor is now; empty if QEMU does not answer.
    pub fn registers(&mut self, events: &Receiver<Event>) -> Vec<Processor> {
        self.say(r#"{"execute":"human-monitor-command","arguments":{"command-line":"info registers -a"}}"#);
        let deadline = Instant::now() + PATIENCE;
        while self.answer.is_none() {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Monitor(bytes)) => self.hear(&bytes),
                Ok(_) => {}
                Err(_) => return Vec::new(),
            }
        }
        processors(&self.answer.take().unwrap_or_default())
    }
}

/// The lines of `info registers` that hold the instruction pointer, as in
/// `RIP=ffffffff81000000 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1`.
fn processors(text: &str) -> Vec<Processor> {
    let parse = |line: &str| {
        let digits =
            line.trim().strip_prefix("RIP=").or_else(|| line.trim().strip_prefix("EIP="))?.split(' ').next()?;
        Some(Processor { instruction: u64::from_str_radix(digits, 16).ok()?, halted: line.contains("HLT=1") })
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::{Processor, processors};

    #[test]
    fn instruction_pointers_are_found() {
        let text = "CPU#0\r\nRAX=0 RBX=0\r\nRIP=ffffffff81000010 RFL=00000246 [---Z-P-] CPL=0 HLT=1\r\nCPU#1\r\nEIP=0000fff0 EFL=2 HLT=0\r\n";
        let expected = [
            Processor { instruction: 0xffff_ffff_8100_0010, halted: true },
            Processor { instruction: 0xfff0, halted: false },
        ];
        assert_eq!(processors(text), expected);
    }
}
