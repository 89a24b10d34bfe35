//! What reads return and wait for, and what changing the settings does to them.

mod common;

use abi::raw::general as raw;
use common::Terminal;
use tty::{Effects, Flow, Flush, Signal, Step, Termios, WindowSize};

fn raw_mode(minimum: u8, tenths: u8) -> impl Fn(&mut Termios) {
    move |termios| {
        termios.local &= !(raw::ICANON | raw::ECHO | raw::ISIG);
        termios.input = 0;
        termios.characters[raw::VMIN as usize] = minimum;
        termios.characters[raw::VTIME as usize] = tenths;
    }
}

const TENTH: u64 = 100_000_000;

/// A read with a large buffer, step by step.
fn step(terminal: &mut Terminal, request: &mut tty::ReadRequest, now: u64) -> Step {
    request.step(&mut terminal.line, &mut [0; 100], now, &mut Effects::default())
}

fn signals(terminal: &mut Terminal) -> Vec<Signal> {
    core::mem::take(&mut terminal.effects.signals).iter().collect()
}

#[test]
fn a_minimum_and_no_time() {
    let mut terminal = Terminal::new(raw_mode(3, 0));
    let mut request = terminal.line.begin_read(0);
    assert_eq!(step(&mut terminal, &mut request, 0), Step::Wait { until: None });
    terminal.type_in(b"ab");
    assert!(!terminal.line.is_readable());
    assert_eq!(step(&mut terminal, &mut request, 0), Step::Copied { count: 2, done: false });
    assert_eq!(step(&mut terminal, &mut request, u64::MAX), Step::Wait { until: None });
    terminal.type_in(b"cd");
    assert_eq!(step(&mut terminal, &mut request, 0), Step::Copied { count: 2, done: true });
}

#[test]
fn a_minimum_and_time_between_bytes() {
    let mut terminal = Terminal::new(raw_mode(3, 2));
    let mut request = terminal.line.begin_read(0);
    assert_eq!(step(&mut terminal, &mut request, 99 * TENTH), Step::Wait { until: None });
    terminal.type_in(b"a");
    assert!(terminal.line.is_readable());
    assert_eq!(step(&mut terminal, &mut request, 100 * TENTH), Step::Copied { count: 1, done: false });
    assert_eq!(step(&mut terminal, &mut request, 101 * TENTH), Step::Wait { until: Some(102 * TENTH) });
    terminal.type_in(b"b");
    assert_eq!(step(&mut terminal, &mut request, 101 * TENTH), Step::Copied { count: 1, done: false });
    assert_eq!(step(&mut terminal, &mut request, 102 * TENTH), Step::Wait { until: Some(103 * TENTH) });
    assert_eq!(step(&mut terminal, &mut request, 103 * TENTH), Step::TimeUp);
    assert_eq!(request.got(), 2);
}

#[test]
fn no_minimum_but_time() {
    let mut terminal = Terminal::new(raw_mode(0, 5));
    let mut request = terminal.line.begin_read(TENTH);
    assert_eq!(step(&mut terminal, &mut request, TENTH), Step::Wait { until: Some(6 * TENTH) });
    assert_eq!(step(&mut terminal, &mut request, 6 * TENTH), Step::TimeUp);
    let mut request = terminal.line.begin_read(0);
    terminal.type_in(b"ab");
    assert_eq!(step(&mut terminal, &mut request, 0), Step::Copied { count: 2, done: true });
}

#[test]
fn neither_minimum_nor_time() {
    let mut terminal = Terminal::new(raw_mode(0, 0));
    assert_eq!(terminal.read(10), Some(vec![]));
    terminal.type_in(b"ab");
    assert_eq!(terminal.read(10), Some(b"ab".to_vec()));
}

#[test]
fn a_small_buffer_takes_a_line_in_pieces() {
    let mut terminal = Terminal::new(|_| ());
    terminal.type_in(b"abcde\nfg\n");
    assert_eq!(terminal.line.input_queued(), 9);
    for piece in [&b"abc"[..], b"de\n", b"fg\n"] {
        assert_eq!(terminal.read(3).as_deref(), Some(piece));
    }
    assert_eq!(terminal.read(3), None);
}

#[test]
fn an_end_of_file_after_a_full_buffer_is_read_with_it() {
    let mut terminal = Terminal::new(|_| ());
    terminal.type_in(b"abc\x04de\x04");
    assert_eq!(terminal.line.input_queued(), 5);
    assert_eq!(terminal.read(3), Some(b"abc".to_vec()));
    assert_eq!(terminal.read(3), Some(b"de".to_vec()));
    assert_eq!(terminal.read(3), None);
}

#[test]
fn changing_the_mode_keeps_what_was_typed() {
    let mut terminal = Terminal::new(|_| ());
    let (cooked, mut uncooked) = (*terminal.line.termios(), *terminal.line.termios());
    raw_mode(1, 0)(&mut uncooked);
    terminal.type_in(b"ab");
    assert!(!terminal.line.is_readable());
    terminal.line.set_termios(uncooked, &mut terminal.effects);
    assert!(terminal.line.is_readable() && terminal.effects.readable);
    terminal.type_in(b"c\0");
    terminal.line.set_termios(cooked, &mut terminal.effects);
    terminal.type_in(b"d\n");
    assert_eq!(terminal.read(10), Some(b"abc".to_vec()));
    assert_eq!(terminal.read(10), Some(b"d\n".to_vec()));
    terminal.line.set_termios(uncooked, &mut terminal.effects);
    terminal.line.set_termios(cooked, &mut terminal.effects);
    assert_eq!(terminal.read(10), None);
}

#[test]
fn flushing() {
    for (what, input, output) in [(Flush::Input, None, 5), (Flush::Output, Some(3), 0), (Flush::Both, None, 0)] {
        let mut terminal = Terminal::new(|termios| termios.local &= !raw::ECHO);
        terminal.type_in(b"ab\n");
        terminal.print(b"hello");
        terminal.line.flush(what, &mut terminal.effects);
        assert_eq!(terminal.shown().len(), output);
        assert_eq!(terminal.read(9).map(|read| read.len()), input);
    }
    assert_eq!(Flush::from_argument(3), None);
    assert_eq!(Flush::from_argument(raw::TCIOFLUSH), Some(Flush::Both));
}

#[test]
fn stopped_output_waits_and_what_came_before_does_not() {
    let mut terminal = Terminal::new(|_| ());
    terminal.print(b"before");
    terminal.type_in(b"\x13");
    assert!(terminal.line.is_stopped() && !terminal.line.is_writable());
    assert_eq!(terminal.print(b"more"), 0);
    terminal.type_in(b"echo");
    assert_eq!(terminal.shown(), b"before");
    assert_eq!(terminal.shown(), b"");
    terminal.effects = Effects::default();
    terminal.type_in(b"\x11");
    assert!(terminal.effects.output && terminal.effects.writable);
    assert_eq!(terminal.shown(), b"echo");
    assert_eq!(terminal.print(b"more"), 4);
}

#[test]
fn who_stopped_output_must_start_it() {
    let mut terminal = Terminal::new(|termios| termios.input |= raw::IXANY);
    terminal.line.flow(Flow::StopOutput, &mut terminal.effects);
    terminal.type_in(b"\x11a");
    assert!(terminal.line.is_stopped());
    terminal.line.flow(Flow::StartOutput, &mut terminal.effects);
    assert_eq!(terminal.shown(), b"a");
    // Stopped by a character: a call that has not stopped it does not start it, any character does.
    terminal.type_in(b"\x13");
    terminal.line.flow(Flow::StartOutput, &mut terminal.effects);
    assert!(terminal.line.is_stopped());
    terminal.type_in(b"b");
    assert_eq!(terminal.shown(), b"b");
    // Taking IXON away starts it too, and so does an interrupt.
    terminal.type_in(b"\x13");
    let without = Termios { input: 0, ..*terminal.line.termios() };
    terminal.line.set_termios(without, &mut terminal.effects);
    assert!(!terminal.line.is_stopped());
    terminal.line.flow(Flow::StopInput, &mut terminal.effects);
    terminal.line.flow(Flow::StartInput, &mut terminal.effects);
    assert_eq!(terminal.shown(), b"\x13\x11");
}

#[test]
fn an_interrupt_starts_stopped_output() {
    let mut terminal = Terminal::new(|_| ());
    terminal.type_in(b"\x13");
    terminal.type_in(b"\x03");
    assert!(!terminal.line.is_stopped());
    assert_eq!(terminal.shown(), b"^C");
}

#[test]
fn only_a_new_size_is_news() {
    let mut terminal = Terminal::new(|_| ());
    let size = WindowSize { rows: 24, columns: 80, ..WindowSize::default() };
    terminal.line.set_window(size, &mut terminal.effects);
    assert_eq!(signals(&mut terminal), [Signal::WindowChanged]);
    terminal.line.set_window(size, &mut terminal.effects);
    assert_eq!((signals(&mut terminal), terminal.line.window()), (vec![], size));
}

#[test]
fn speeds_follow_the_control_bits() {
    let set = |control, input_speed, output_speed| {
        let termios = Termios { control, input_speed, output_speed, ..Termios::default() }.with_speeds();
        (termios.input_speed, termios.output_speed)
    };
    assert_eq!(set(raw::B9600, 1, 2), (9600, 9600));
    assert_eq!(set(raw::B115200 | raw::B300 << raw::IBSHIFT, 1, 2), (300, 115_200));
    assert_eq!(set(raw::BOTHER | raw::BOTHER << raw::IBSHIFT, 31_250, 250_000), (31_250, 250_000));
}

#[test]
fn the_consoles_options() {
    let of = |options: &str| {
        let termios = Termios::for_serial_console(options);
        let shape = raw::CSIZE | raw::PARENB | raw::PARODD | raw::CRTSCTS;
        (termios.output_speed, termios.input_speed, termios.control & shape)
    };
    assert_eq!(of(""), (9600, 9600, raw::CS8));
    assert_eq!(of("115200n8"), (115_200, 115_200, raw::CS8));
    assert_eq!(of("1200e7r"), (1200, 1200, raw::CS7 | raw::PARENB | raw::CRTSCTS));
    assert_eq!(of("38400o"), (38400, 38400, raw::CS8 | raw::PARENB | raw::PARODD));
    assert_eq!(of("12345"), (9600, 9600, raw::CS8), "a speed that has no name");
}
