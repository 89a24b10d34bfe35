//! Any bytes at any settings; and the basic editing characters against a slow model.

mod common;

use abi::raw::general as raw;
use common::Terminal;
use proptest::prelude::*;
use tty::{Flow, Flush, Termios};

fn any_termios() -> impl Strategy<Value = Termios> {
    (any::<[u32; 4]>(), any::<[u8; 19]>(), any::<bool>()).prop_map(|([input, output, control, local], bytes, usual)| {
        let default = Termios::default();
        let characters = if usual { default.characters } else { bytes };
        Termios { input, output, control, local, characters, ..default }.with_speeds()
    })
}

/// Bytes of which many are special.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(b"\x7f\x15\x17\x12\x16\x04\n\r\t\x03\x1a\x1c\x13\x11\x08\xc3\xbc".to_vec());
    prop::collection::vec(prop_oneof![special, any::<u8>(), b'a'..=b'z'], 0..200)
}

/// Lines as someone would edit them who keeps whole screens: what is shown on the line, and what has been entered.
#[derive(Default)]
struct Editor {
    line: Vec<u8>,
    reads: Vec<Vec<u8>>,
    screen: Vec<u8>,
}

impl Editor {
    fn key(&mut self, byte: u8) {
        match byte {
            0x7F => {
                self.line.pop();
            }
            0x15 => self.line.clear(),
            0x17 => {
                while self.line.last().is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
                    self.line.pop();
                }
                while self.line.last().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
                    self.line.pop();
                }
            }
            0x04 => {
                self.screen.extend(&self.line);
                self.reads.push(core::mem::take(&mut self.line));
            }
            b'\n' => {
                self.line.push(b'\n');
                self.screen.extend(&self.line);
                self.reads.push(core::mem::take(&mut self.line));
            }
            byte => self.line.push(byte),
        }
    }
}

/// What a screen shows of a stream of output: backspaces move, characters overwrite, blanks at the end do not show.
fn render(output: &[u8]) -> Vec<u8> {
    let (mut lines, mut line, mut column) = (Vec::new(), Vec::new(), 0_usize);
    for &byte in output {
        match byte {
            b'\x08' => column = column.saturating_sub(1),
            b'\r' => column = 0,
            b'\n' => {
                while line.last() == Some(&b' ') {
                    line.pop();
                }
                lines.append(&mut line);
                lines.push(b'\n');
            }
            byte => {
                line.resize(line.len().max(column + 1), b' ');
                line[column] = byte;
                column += 1;
            }
        }
    }
    while line.last() == Some(&b' ') {
        line.pop();
    }
    lines.append(&mut line);
    lines
}

proptest! {
    #[test]
    fn nothing_panics(
        termios in any_termios(),
        others in prop::collection::vec((any_termios(), keys(), 0u8..8, 0usize..5000), 1..12),
    ) {
        let mut terminal = Terminal::new(|start| *start = termios);
        for (next, keys, action, size) in others {
            let taken = terminal.type_in(&keys);
            prop_assert!(taken <= keys.len());
            prop_assert!(terminal.print(&keys) <= keys.len());
            match action {
                0 => terminal.line.set_termios(next, &mut terminal.effects),
                1 => terminal.line.flush(Flush::Both, &mut terminal.effects),
                2 => terminal.line.flow(Flow::StopOutput, &mut terminal.effects),
                3 => terminal.line.flow(Flow::StartOutput, &mut terminal.effects),
                4 => {
                    terminal.type_in(&vec![b'x'; size]);
                }
                5 => {
                    terminal.print(&vec![b'\t'; size]);
                }
                6 => {
                    terminal.shown();
                }
                _ => {
                    let queued = terminal.line.input_queued();
                    if let Some(read) = terminal.read_through(size + 1, 7) {
                        prop_assert!(read.len() <= queued);
                    }
                }
            }
            prop_assert!(terminal.line.output_queued() <= 4096);
            prop_assert!(terminal.line.input_queued() <= 4096);
        }
    }

    #[test]
    fn editing_agrees_with_the_model(
        keys in prop::collection::vec(
            prop_oneof![b'a'..b'f', prop::sample::select(b" \x7f\x7f\x15\x17\x04\n".to_vec())],
            0..300,
        ),
    ) {
        let mut terminal = Terminal::new(|_| ());
        let mut editor = Editor::default();
        prop_assert_eq!(terminal.type_in(&keys), keys.len());
        keys.iter().for_each(|&key| editor.key(key));
        // Ends of file leave the cursor where it is: then lines run on, and the screen is compared without them.
        let shown = terminal.shown();
        if !keys.contains(&4) {
            editor.screen.extend(&editor.line);
            let expected = editor.screen.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec());
            let expected = expected.collect::<Vec<_>>().join(&b'\n');
            prop_assert_eq!(render(&shown), expected);
        }
        for expected in &editor.reads {
            let read = terminal.read(1000);
            prop_assert_eq!(read.as_ref(), Some(expected));
        }
        prop_assert_eq!(terminal.read(1000), None);
    }

    #[test]
    fn raw_bytes_pass_unchanged(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..20)) {
        let mut terminal = Terminal::new(|termios| {
            termios.local = 0;
            termios.input = 0;
            termios.output &= !raw::OPOST;
        });
        let (mut typed, mut read, mut printed, mut shown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, chunk) in chunks.iter().enumerate() {
            let taken = terminal.type_in(chunk);
            typed.extend(&chunk[..taken]);
            let taken = terminal.print(chunk);
            printed.extend(&chunk[..taken]);
            if index % 3 == 2 {
                read.extend(terminal.read_through(700, 99).unwrap_or_default());
                shown.extend(terminal.shown());
            }
        }
        while let Some(more) = terminal.read(999) {
            read.extend(more);
        }
        shown.extend(terminal.shown());
        prop_assert_eq!((typed, printed), (read, shown));
    }
}
