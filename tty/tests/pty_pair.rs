//! The two sides of a pseudo-terminal.

use abi::raw::general as raw;
use tty::{Effects, Flush, PtyPair, PtyRead, Signal, Step};

fn read_master(pair: &mut PtyPair) -> Result<Vec<u8>, PtyRead> {
    let mut buffer = vec![0; 20_000];
    match pair.read_master(&mut buffer, &mut Effects::default()) {
        PtyRead::Data(count) => Ok(buffer[..count].to_vec()),
        other => Err(other),
    }
}

#[test]
fn bytes_go_both_ways() {
    let mut pair = PtyPair::try_new().unwrap();
    assert!(pair.is_locked() && !pair.open_slave());
    pair.set_locked(false);
    assert!(pair.open_slave());
    let mut effects = Effects::default();
    assert_eq!(pair.write_master(b"hi\n", &mut effects), 3);
    assert!(effects.readable && effects.output && pair.is_master_readable());
    assert_eq!(read_master(&mut pair), Ok(b"hi\r\n".to_vec()));
    assert_eq!(read_master(&mut pair), Err(PtyRead::Wait));
    let mut request = pair.slave.begin_read(0);
    let step = request.step(&mut pair.slave, &mut [0; 10], 0, &mut effects);
    assert_eq!(step, Step::Copied { count: 3, done: true });
    assert_eq!(pair.slave.write(b"out\n", &mut effects), 4);
    assert_eq!(read_master(&mut pair), Ok(b"out\r\n".to_vec()));
    pair.write_master(b"\x03", &mut effects);
    assert!(effects.signals.contains(Signal::Interrupt));
}

#[test]
fn the_master_reads_what_is_left_when_the_slave_closes() {
    let mut pair = PtyPair::try_new().unwrap();
    pair.set_locked(false);
    assert_eq!(read_master(&mut pair), Err(PtyRead::Wait));
    assert!(pair.open_slave() && pair.open_slave());
    let mut effects = Effects::default();
    pair.slave.write(b"bye", &mut effects);
    pair.close_slave(&mut effects);
    assert!(!pair.is_slave_closed());
    pair.close_slave(&mut effects);
    assert!(pair.is_slave_closed() && pair.is_master_readable());
    assert_eq!(read_master(&mut pair), Ok(b"bye".to_vec()));
    assert!(!pair.is_master_readable(), "poll(2) says POLLHUP, not POLLIN");
    assert_eq!(read_master(&mut pair), Err(PtyRead::Closed));
    assert!(pair.open_slave());
    assert_eq!(read_master(&mut pair), Err(PtyRead::Wait));
}

#[test]
fn the_slave_is_hung_up_when_the_master_closes() {
    let mut pair = PtyPair::try_new().unwrap();
    pair.set_locked(false);
    assert!(pair.open_slave());
    let mut effects = Effects::default();
    pair.write_master(b"lost\n", &mut effects);
    effects = Effects::default();
    pair.close_master(&mut effects);
    assert!(pair.is_hung_up() && effects.readable && effects.writable);
    assert_eq!(pair.slave.input_queued(), 0);
    assert!(!pair.open_slave());
}

#[test]
fn a_master_that_types_too_much_must_wait() {
    let mut pair = PtyPair::try_new().unwrap();
    let mut termios = *pair.slave.termios();
    termios.local = 0;
    termios.control = raw::CS7 | raw::PARENB;
    pair.set_termios(termios, &mut Effects::default());
    assert_eq!(pair.slave.termios().control & (raw::CSIZE | raw::PARENB), raw::CS8);
    let mut effects = Effects::default();
    assert!(pair.write_master(&[b'x'; 5000], &mut effects) < 5000);
    assert!(!pair.is_master_writable());
    let mut request = pair.slave.begin_read(0);
    let _ = request.step(&mut pair.slave, &mut [0; 10], 0, &mut effects);
    assert!(effects.room && pair.is_master_writable());
}

/// ioctl_tty(2), TIOCPKT: each read is one byte of events, or a zero and data.
#[test]
fn packets_tell_the_master_of_flushes_and_flow_control() {
    let mut pair = PtyPair::try_new().unwrap();
    pair.set_locked(false);
    assert!(pair.open_slave());
    pair.set_packet_mode(true);
    let mut effects = Effects::default();
    pair.slave.write(b"data", &mut effects);
    assert_eq!(read_master(&mut pair), Ok(b"\0data".to_vec()));
    pair.slave.write(b"lost", &mut effects);
    effects = Effects::default();
    pair.slave.flush(Flush::Both, &mut effects);
    assert!(effects.output && pair.has_packet_event() && pair.is_master_readable());
    let flushed = raw::TIOCPKT_FLUSHREAD | raw::TIOCPKT_FLUSHWRITE;
    assert_eq!(read_master(&mut pair), Ok(vec![flushed as u8]));
    assert_eq!(read_master(&mut pair), Err(PtyRead::Wait));
    pair.write_master(b"\x13", &mut effects);
    assert_eq!(read_master(&mut pair), Ok(vec![raw::TIOCPKT_STOP as u8]));
    pair.write_master(b"\x13\x11", &mut effects);
    assert_eq!(read_master(&mut pair), Ok(vec![raw::TIOCPKT_START as u8]));
    let mut termios = *pair.slave.termios();
    termios.input &= !raw::IXON;
    pair.set_termios(termios, &mut effects);
    assert_eq!(read_master(&mut pair), Ok(vec![raw::TIOCPKT_NOSTOP as u8]));
    pair.set_packet_mode(false);
    pair.slave.write(b"plain", &mut effects);
    assert_eq!(read_master(&mut pair), Ok(b"plain".to_vec()));
}
