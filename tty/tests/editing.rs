//! What is typed, what the terminal shows, what is read.

mod common;

use abi::raw::general as raw;
use common::Terminal;
use tty::{Signal, Termios};

type Change = fn(&mut Termios);

/// (settings, typed, shown, each read until one would wait)
type Case = (&'static str, Change, &'static [u8], &'static [u8], &'static [&'static [u8]]);

fn plain(_: &mut Termios) {}

fn utf8(termios: &mut Termios) {
    termios.input |= raw::IUTF8;
}

fn without(flag: u32) -> impl Fn(&mut Termios) {
    move |termios| termios.local &= !flag
}

const CASES: &[Case] = &[
    ("a line", plain, b"ls\r", b"ls\r\n", &[b"ls\n"]),
    ("two lines, two reads", plain, b"a\nb\n", b"a\r\nb\r\n", &[b"a\n", b"b\n"]),
    ("no line yet", plain, b"abc", b"abc", &[]),
    ("erase", plain, b"ab\x7fc\n", b"ab\x08 \x08c\r\n", &[b"ac\n"]),
    ("erase at the beginning", plain, b"\x7f\x7fa\n", b"a\r\n", &[b"a\n"]),
    ("erase does not reach the line before", plain, b"a\n\x7fb\n", b"a\r\nb\r\n", &[b"a\n", b"b\n"]),
    ("erase of a control character", plain, b"\x01\x7f\n", b"^A\x08 \x08\x08 \x08\r\n", &[b"\n"]),
    ("kill", plain, b"ab\x15c\n", b"ab\x08 \x08\x08 \x08c\r\n", &[b"c\n"]),
    ("kill without ECHOKE", |t| without(raw::ECHOKE)(t), b"ab\x15c\n", b"ab^U\r\nc\r\n", &[b"c\n"]),
    ("kill without ECHOK", |t| without(raw::ECHOK)(t), b"ab\x15c\n", b"ab^Uc\r\n", &[b"c\n"]),
    ("kill without ECHO", |t| without(raw::ECHO)(t), b"ab\x15c\n", b"", &[b"c\n"]),
    ("erase without ECHOE", |t| without(raw::ECHOE)(t), b"ab\x7fc\n", b"ab^?c\r\n", &[b"ac\n"]),
    (
        "word erase",
        plain,
        b"one two  \x17x\n",
        b"one two  \x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08x\r\n",
        &[b"one x\n"],
    ),
    ("word erase stops at punctuation", plain, b"a/b_1\x17\n", b"a/b_1\x08 \x08\x08 \x08\x08 \x08\r\n", &[b"a/\n"]),
    ("word erase without IEXTEN", |t| without(raw::IEXTEN)(t), b"a\x17\n", b"a^W\r\n", &[b"a\x17\n"]),
    ("reprint", plain, b"a\tb\x12c\n", b"a\tb^R\r\na\tbc\r\n", &[b"a\tbc\n"]),
    ("literal next", plain, b"\x16\x03\x16\x7f\n", b"^\x08^C^\x08^?\r\n", &[b"\x03\x7f\n"]),
    ("literal newline does not end a line", plain, b"a\x16\nb\n", b"a^\x08^Jb\r\n", &[b"a\nb\n"]),
    ("end of file ends a line unseen", plain, b"ab\x04c\n", b"abc\r\n", &[b"ab", b"c\n"]),
    ("end of file alone", plain, b"\x04", b"", &[b""]),
    ("two ends of file", plain, b"\x04\x04", b"", &[b"", b""]),
    ("end of file after a line", plain, b"a\n\x04", b"a\r\n", &[b"a\n", b""]),
    ("NUL is a byte", plain, b"a\0b\n", b"a^@b\r\n", &[b"a\0b\n"]),
    ("EOL", |t| t.characters[raw::VEOL as usize] = b';', b"a;b\n", b"a;b\r\n", &[b"a;", b"b\n"]),
    ("EOL2", |t| t.characters[raw::VEOL2 as usize] = b';', b"a;b\n", b"a;b\r\n", &[b"a;", b"b\n"]),
    ("disabled characters are bytes", |t| t.characters[raw::VKILL as usize] = 0, b"a\x15\n", b"a^U\r\n", &[b"a\x15\n"]),
    ("tab", plain, b"a\tb\x7f\x7f\x7f\n", b"a\tb\x08 \x08\x08\x08\x08\x08\x08\x08\x08\x08 \x08\r\n", &[b"\n"]),
    ("tab after tab", plain, b"\t\t\x7f\n", b"\t\t\x08\x08\x08\x08\x08\x08\x08\x08\r\n", &[b"\t\n"]),
    ("tab after ^A", plain, b"\x01\t\x7f\n", b"^A\t\x08\x08\x08\x08\x08\x08\r\n", &[b"\x01\n"]),
    ("UTF-8 erased whole", utf8, "aü€\x7f\x7f\n".as_bytes(), "aü€\x08 \x08\x08 \x08\r\n".as_bytes(), &[b"a\n"]),
    ("UTF-8 unknown", plain, b"\xc3\xbc\x7f\n", b"\xc3\xbc\x08 \x08\r\n", &[b"\xc3\n"]),
    ("UTF-8 rest alone is not erased", utf8, b"\xbc\x7f\n", b"\xbc\r\n", &[b"\xbc\n"]),
    ("ECHOPRT", |t| t.local |= raw::ECHOPRT, b"abc\x7f\x7fd\n", b"abc\\cb/d\r\n", &[b"ad\n"]),
    ("ECHOPRT to the beginning", |t| t.local |= raw::ECHOPRT, b"ab\x7f\x7f", b"ab\\ba/", &[]),
    ("ECHONL", |t| t.local = t.local & !raw::ECHO | raw::ECHONL, b"ab\n", b"\r\n", &[b"ab\n"]),
    ("without ECHOCTL", |t| without(raw::ECHOCTL)(t), b"\x01\x7fa\n", b"\x01a\r\n", &[b"a\n"]),
    ("IGNCR", |t| t.input |= raw::IGNCR, b"a\r\nb\r\n", b"a\r\nb\r\n", &[b"a\n", b"b\n"]),
    ("INLCR", |t| t.input = t.input & !raw::ICRNL | raw::INLCR, b"a\nb", b"a^Mb", &[]),
    ("neither", |t| t.input &= !raw::ICRNL, b"a\rb\n", b"a^Mb\r\n", &[b"a\rb\n"]),
    ("ISTRIP", |t| t.input |= raw::ISTRIP, b"\xe1\x8a", b"a\r\n", &[b"a\n"]),
    ("IUCLC", |t| t.input |= raw::IUCLC, b"AbC\n", b"abc\r\n", &[b"abc\n"]),
    ("OLCUC echoes", |t| t.output |= raw::OLCUC, b"ab\n", b"AB\r\n", &[b"ab\n"]),
    ("no OPOST", |t| t.output = 0, b"ab\n", b"ab\n", &[b"ab\n"]),
    ("raw newline", |t| without(raw::ICANON)(t), b"a\n", b"a^J", &[b"a\n"]),
    ("raw return", |t| without(raw::ICANON)(t), b"a\r", b"a\r\n", &[b"a\n"]),
    ("raw", |t| without(raw::ICANON | raw::ECHO | raw::ISIG)(t), b"\x03\x7f\x04\xff", b"", &[b"\x03\x7f\x04\xff"]),
];

fn signals(terminal: &mut Terminal) -> Vec<Signal> {
    core::mem::take(&mut terminal.effects.signals).iter().collect()
}

#[test]
fn table() {
    for (name, change, typed, shown, reads) in CASES {
        for bounce in [1000, 3] {
            let mut terminal = Terminal::new(change);
            assert_eq!(terminal.type_in(typed), typed.len());
            let seen = terminal.shown();
            assert_eq!(&seen, shown, "{name}: shown {:?}", String::from_utf8_lossy(&seen));
            let mut got = Vec::new();
            while let Some(read) = terminal.read_through(1000, bounce) {
                got.push(read);
            }
            assert_eq!(&got, reads, "{name}, {bounce}");
        }
    }
}

#[test]
fn output_processing() {
    let cases: &[(u32, &[u8], &[u8])] = &[
        (0, b"a\nb\tc", b"a\nb\tc"),
        (raw::OPOST, b"a\n\r", b"a\n\r"),
        (raw::OPOST | raw::ONLCR, b"a\nb", b"a\r\nb"),
        (raw::OPOST | raw::OCRNL, b"a\rb", b"a\nb"),
        (raw::OPOST | raw::ONOCR, b"\ra\r\r", b"a\r"),
        (raw::OPOST | raw::OLCUC, b"aB\n", b"AB\n"),
        (raw::OPOST | raw::XTABS, b"ab\tc\t\td", b"ab      c               d"),
        (raw::OPOST | raw::XTABS | raw::ONLCR, b"ab\n\tc\x08\td", b"ab\r\n        c\x08        d"),
    ];
    for (flags, printed, shown) in cases {
        let mut terminal = Terminal::new(|termios| termios.output = *flags);
        assert_eq!(terminal.print(printed), printed.len());
        assert_eq!(&terminal.shown(), shown, "{flags:o}");
    }
    let mut wide = Terminal::new(|termios| {
        termios.output |= raw::XTABS;
        termios.input |= raw::IUTF8;
    });
    wide.print("ü\t|".as_bytes());
    assert_eq!(wide.shown(), "ü       |".as_bytes());
}

#[test]
fn erasing_a_tab_after_a_prompt_goes_back_to_where_it_began() {
    let mut terminal = Terminal::new(plain);
    terminal.print(b"$ ");
    terminal.type_in(b"a\t\x7f");
    assert_eq!(terminal.shown(), b"$ a\t\x08\x08\x08\x08\x08");
}

#[test]
fn signals_flush_unless_told_not_to() {
    for (byte, signal, caret) in
        [(3, Signal::Interrupt, b"^C"), (28, Signal::Quit, b"^\\"), (26, Signal::Suspend, b"^Z")]
    {
        let mut terminal = Terminal::new(plain);
        terminal.print(b"pending");
        terminal.type_in(&[b'a', b'\n', b'b', byte, b'c', b'\n']);
        assert_eq!(signals(&mut terminal), [signal]);
        assert_eq!(terminal.shown(), [caret, &b"c\r\n"[..]].concat());
        assert_eq!(terminal.read(100), Some(b"c\n".to_vec()));

        let mut keeping = Terminal::new(|termios| termios.local |= raw::NOFLSH);
        keeping.type_in(&[b'a', b'\n', b'b', byte, b'c', b'\n']);
        assert_eq!(signals(&mut keeping), [signal]);
        assert_eq!(keeping.read(100), Some(b"a\n".to_vec()));
        assert_eq!(keeping.read(100), Some(b"bc\n".to_vec()));
    }
    let mut deaf = Terminal::new(without(raw::ISIG));
    deaf.type_in(b"\x03\n");
    assert_eq!((signals(&mut deaf), deaf.read(9)), (vec![], Some(b"\x03\n".to_vec())));
}

#[test]
fn a_line_that_is_too_long_still_ends() {
    let mut terminal = Terminal::new(without(raw::ECHO));
    assert_eq!(terminal.type_in(&[b'x'; 5000]), 5000);
    assert_eq!(terminal.read(100), None);
    assert_eq!(terminal.type_in(b"\ny"), 1);
    let line = terminal.read(10_000).unwrap();
    assert_eq!(line.len(), 4096);
    assert_eq!(line.last(), Some(&b'\n'));
    assert!(core::mem::take(&mut terminal.effects.room));
    assert_eq!(terminal.type_in(b"y\n"), 2);
    assert_eq!(terminal.read(10), Some(b"y\n".to_vec()));
}

#[test]
fn raw_input_that_nobody_reads_is_refused() {
    let mut terminal = Terminal::new(without(raw::ICANON | raw::ECHO));
    assert_eq!(terminal.type_in(&[b'x'; 5000]), 4095);
    assert_eq!(terminal.line.input_queued(), 4095);
    assert!(!terminal.effects.room);
    assert_eq!(terminal.read(5000).map(|read| read.len()), Some(4095));
    assert!(terminal.effects.room);
}

#[test]
fn echoes_have_room_when_programs_fill_the_queue() {
    let mut terminal = Terminal::new(plain);
    let printed = terminal.print(&[b'x'; 9000]);
    assert!(printed >= 2048 && !terminal.line.is_writable());
    terminal.type_in(b"abc\n");
    assert!(terminal.shown().ends_with(b"xabc\r\n"));
    assert!(terminal.effects.writable);
    // Nobody takes output, and someone types on: echoes are dropped in the end, input is not.
    for _ in 0..100 {
        terminal.type_in(&[b'y'; 100]);
        terminal.type_in(b"\n");
        assert!(terminal.read(1000).is_some());
    }
    assert!(terminal.line.output_queued() <= 4096);
}
