//! A terminal at which tests type.

use tty::{Effects, LineDiscipline, Step, Termios};

pub struct Terminal {
    pub line: LineDiscipline,
    pub effects: Effects,
    pub now: u64,
}

impl Terminal {
    pub fn new(change: impl FnOnce(&mut Termios)) -> Self {
        let mut termios = Termios::default();
        change(&mut termios);
        let line = LineDiscipline::try_new(termios, 1).unwrap();
        Self { line, effects: Effects::default(), now: 0 }
    }

    pub fn type_in(&mut self, bytes: &[u8]) -> usize {
        self.line.receive(bytes, &mut self.effects)
    }

    pub fn print(&mut self, bytes: &[u8]) -> usize {
        self.line.write(bytes, &mut self.effects)
    }

    /// What the terminal shows since the last look.
    pub fn shown(&mut self) -> Vec<u8> {
        let mut shown = vec![0; 20_000];
        let count = self.line.take_output(&mut shown, &mut self.effects);
        shown.truncate(count);
        shown
    }

    /// What a read with a buffer of so many bytes returns; `None` if it would wait.
    pub fn read(&mut self, size: usize) -> Option<Vec<u8>> {
        self.read_through(size, size)
    }

    /// The same, through a smaller buffer on the way.
    pub fn read_through(&mut self, size: usize, bounce: usize) -> Option<Vec<u8>> {
        let mut request = self.line.begin_read(self.now);
        let mut got = Vec::new();
        while got.len() < size {
            let mut buffer = vec![0; bounce.min(size - got.len())];
            match request.step(&mut self.line, &mut buffer, self.now, &mut self.effects) {
                Step::Copied { count, done } => {
                    got.extend_from_slice(&buffer[..count]);
                    if done {
                        break;
                    }
                }
                Step::Wait { .. } if got.is_empty() => return None,
                Step::Wait { .. } | Step::TimeUp => break,
            }
        }
        assert_eq!(request.got(), got.len());
        Some(got)
    }
}
