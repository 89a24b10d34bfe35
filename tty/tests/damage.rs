//! Breaks and damaged bytes.

use abi::raw::general as raw;
use tty::{Effects, LineDiscipline, Signal, Step, Termios};

fn terminal(input: u32) -> LineDiscipline {
    let mut termios = Termios { input, local: 0, ..Termios::default() };
    termios.characters[raw::VMIN as usize] = 0;
    LineDiscipline::try_new(termios, 1).unwrap()
}

fn read(terminal: &mut LineDiscipline) -> Vec<u8> {
    let mut bytes = [0; 100];
    match terminal.begin_read(0).step(terminal, &mut bytes, 0, &mut Effects::default()) {
        Step::Copied { count, .. } => bytes[..count].to_vec(),
        _ => Vec::new(),
    }
}

/// The flags, what a break gives, and what a damaged `x` gives.
const CASES: [(u32, &[u8], &[u8]); 6] = [
    (0, &[0], b"x"),
    (raw::IGNBRK, b"", b"x"),
    (raw::INPCK, &[0], &[0]),
    (raw::INPCK | raw::IGNPAR, &[0], b""),
    (raw::INPCK | raw::PARMRK, &[0xFF, 0, 0], &[0xFF, 0, b'x']),
    (raw::BRKINT | raw::PARMRK, b"", b"x"),
];

#[test]
fn flags_say_what_becomes_of_them() {
    for (flags, from_break, from_damaged) in CASES {
        let mut terminal = terminal(flags);
        let mut effects = Effects::default();
        terminal.receive_break(&mut effects);
        assert_eq!(read(&mut terminal), from_break, "{flags:o}");
        assert_eq!(effects.signals.contains(Signal::Interrupt), flags & raw::BRKINT != 0);
        terminal.receive_damaged(b'x', &mut effects);
        assert_eq!(read(&mut terminal), from_damaged, "{flags:o}");
    }
}

#[test]
fn good_bytes_are_not_taken_for_marks() {
    let mut terminal = terminal(raw::PARMRK);
    terminal.receive(&[1, 0xFF, 2], &mut Effects::default());
    assert_eq!(read(&mut terminal), [1, 0xFF, 0xFF, 2]);
}
