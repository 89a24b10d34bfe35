//! The port against a model of a 16550A.
use crate::registers::*;
use crate::{Line, Parity, SerialPort, Sink, is_present, write_polled};
use irq::{Handled, Handler};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Model {
    enable: u8,
    line_control: u8,
    divisor: [u8; 2],
    modem_control: u8,
    fifo: bool,
    scratch: u8,
    received: VecDeque<(u8, u8)>,
    /// In the transmit FIFO, and on the wire.
    sending: Vec<u8>,
    sent: Vec<u8>,
    /// The "transmitter empty" interrupt: raised when it becomes empty or is enabled, cleared when the cause is read.
    empty_event: bool,
    dead: bool,
    /// The wire takes each byte at once, as that of an emulator does.
    instant: bool,
    /// The interrupt line, and how often it has risen.
    line: bool,
    edges: u32,
}

impl Model {
    /// After each change.
    fn settle(&mut self) {
        if self.instant && !self.sending.is_empty() {
            self.flush();
        }
        let line = self.cause() & CAUSE_NONE == 0;
        self.edges += u32::from(line && !self.line);
        self.line = line;
    }

    fn cause(&self) -> u8 {
        let fifo = if self.fifo { CAUSE_FIFO } else { 0 };
        let errors = self.received.front().is_some_and(|byte| byte.1 != 0);
        if errors && self.enable & WANT_LINE_STATUS != 0 {
            fifo | 6
        } else if !self.received.is_empty() && self.enable & WANT_RECEIVE != 0 {
            fifo | 4
        } else if self.empty_event && self.enable & WANT_TRANSMIT != 0 {
            fifo | 2
        } else {
            fifo | CAUSE_NONE
        }
    }

    /// The wire takes all that the FIFO holds.
    fn flush(&mut self) {
        self.sent.append(&mut self.sending);
        self.empty_event = true;
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Model>>);

impl Registers for Shared {
    fn read(&self, register: u8) -> u8 {
        let mut model = self.0.lock().unwrap();
        if model.dead {
            return 0xff;
        }
        match register {
            DATA => {
                let byte = model.received.pop_front().map_or(0, |byte| byte.0);
                model.settle();
                byte
            }
            INTERRUPT_ENABLE => model.enable,
            INTERRUPT_CAUSE => {
                let cause = model.cause();
                if cause & 0xf == 2 {
                    model.empty_event = false;
                    model.settle();
                }
                cause
            }
            LINE_STATUS => {
                let ready = model.received.front().map_or(0, |byte| byte.1 | DATA_READY);
                ready | if model.sending.is_empty() { TRANSMIT_EMPTY } else { 0 }
            }
            SCRATCH => model.scratch,
            _ => 0,
        }
    }

    fn write(&self, register: u8, value: u8) {
        let mut model = self.0.lock().unwrap();
        if model.dead {
            return;
        }
        let latched = model.line_control & LATCH != 0;
        match register {
            DATA | INTERRUPT_ENABLE if latched => model.divisor[usize::from(register)] = value,
            DATA => {
                assert!(model.sending.len() < if model.fifo { 16 } else { 1 }, "written into a full FIFO");
                model.sending.push(value);
                model.empty_event = false;
            }
            INTERRUPT_ENABLE => {
                if value & !model.enable & WANT_TRANSMIT != 0 && model.sending.is_empty() {
                    model.empty_event = true;
                }
                model.enable = value;
            }
            FIFO_CONTROL => model.fifo = value & FIFO_ENABLE != 0,
            LINE_CONTROL => model.line_control = value,
            MODEM_CONTROL => model.modem_control = value,
            SCRATCH => model.scratch = value,
            _ => {}
        }
        model.settle();
    }
}

#[derive(Default)]
struct Terminal {
    bytes: Mutex<Vec<u8>>,
    breaks: Mutex<u32>,
}

impl Sink for Terminal {
    fn receive(&self, bytes: &[u8]) {
        self.bytes.lock().unwrap().extend(bytes);
    }
    fn break_received(&self) {
        *self.breaks.lock().unwrap() += 1;
    }
}

const QUEUE_LENGTH: usize = 4000;

fn world() -> (Shared, SerialPort<Shared>, &'static Terminal) {
    let model = Shared::default();
    let port = SerialPort::new("ttyS0", model.clone()).unwrap();
    let terminal: &'static Terminal = Box::leak(Box::default());
    port.set_sink(terminal);
    (model, port, terminal)
}

/// Interrupts until the line is low, the wire taking a FIFO's worth in between.
fn run(model: &Shared, port: &SerialPort<Shared>) {
    loop {
        model.0.lock().unwrap().flush();
        if model.0.lock().unwrap().cause() & CAUSE_NONE != 0 {
            return;
        }
        assert_eq!(port.handle(), Handled::Mine);
    }
}

#[test]
fn everything_is_sent_in_order() {
    let (model, port, _) = world();
    let text: Vec<u8> = (0..10_000u32).map(|index| index as u8).collect();
    let mut rest = text.as_slice();
    while !rest.is_empty() {
        let taken = port.write(rest);
        assert!(taken > 0 && (taken == rest.len() || port.room() == 0));
        rest = &rest[taken..];
        run(&model, &port);
    }
    assert_eq!(model.0.lock().unwrap().sent, text);
    assert_eq!(port.waiting(), 0);
    assert_eq!(model.0.lock().unwrap().enable & WANT_TRANSMIT, 0, "an idle transmitter does not interrupt");
    assert_eq!(port.handle(), Handled::NotMine);
}

/// With nothing but edges to go by, however many bytes one interrupt brings.
#[test]
fn edges_are_enough() {
    let (model, port, terminal) = world();
    model.0.lock().unwrap().instant = true;
    let input: Vec<u8> = (0..5000u32).map(|index| index as u8).collect();
    {
        let mut model = model.0.lock().unwrap();
        model.received.extend(input.iter().map(|&byte| (byte, 0)));
        model.settle();
    }
    let output: Vec<u8> = (0..QUEUE_LENGTH).map(|index| (index / 3) as u8).collect();
    assert_eq!(port.write(&output), QUEUE_LENGTH);
    let mut served = 0;
    while served < model.0.lock().unwrap().edges {
        served += 1;
        port.handle();
    }
    assert_eq!(*terminal.bytes.lock().unwrap(), input);
    assert_eq!(model.0.lock().unwrap().sent, output);
}

#[test]
fn received_bytes_reach_the_sink_and_breaks_are_told_apart() {
    let (model, port, terminal) = world();
    let bytes: Vec<u8> = (0..200).collect();
    {
        let mut model = model.0.lock().unwrap();
        model.received.extend(bytes[..100].iter().map(|&byte| (byte, 0)));
        model.received.push_back((0, BREAK | FRAMING_ERROR));
        model.received.extend(bytes[100..].iter().map(|&byte| (byte, 0)));
    }
    assert_eq!(port.handle(), Handled::Mine);
    assert_eq!(*terminal.bytes.lock().unwrap(), bytes);
    assert_eq!(*terminal.breaks.lock().unwrap(), 1);
}

#[test]
fn line_parameters() {
    let (model, port, _) = world();
    port.set_line(Line { baud: 9600, data_bits: 7, two_stop_bits: true, parity: Parity::Even });
    let model = model.0.lock().unwrap();
    assert_eq!(model.divisor, [12, 0]);
    assert_eq!(model.line_control, 0b0001_1110);
    assert_eq!(model.enable, WANT_RECEIVE | WANT_LINE_STATUS, "interrupts survive a change");
    assert_ne!(model.modem_control & OUT2, 0);
}

#[test]
fn a_chip_that_is_gone_costs_a_bounded_time() {
    let (model, port, terminal) = world();
    assert!(is_present(&model));
    model.0.lock().unwrap().dead = true;
    assert!(!is_present(&model));
    assert_eq!(port.handle(), Handled::NotMine);
    write_polled(&model, b"nobody hears this\n");
    assert!(terminal.bytes.lock().unwrap().is_empty());
}

#[test]
fn polled_writes_add_carriage_returns() {
    let model = Shared::default();
    model.write(FIFO_CONTROL, FIFO_ENABLE);
    write_polled(&model, b"a");
    model.0.lock().unwrap().flush();
    write_polled(&model, b"\n");
    // The model's FIFO never drains by itself: the newline is given up after a bounded wait.
    model.0.lock().unwrap().flush();
    assert_eq!(model.0.lock().unwrap().sent, b"a\r");
}
