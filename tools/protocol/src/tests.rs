//! Every message survives the wire, in pieces too; noise never panics.
extern crate std;

use crate::{Connection, Decoded, Exit, HEADER, LONGEST, Malformed, Message, Mode, Run, decode, encode};
use proptest::prelude::*;
use std::{vec, vec::Vec};

fn wire(message: &Message<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let length = encode(message, &mut buffer).expect("fits");
    buffer.truncate(length);
    buffer
}

fn run(strings: &[u8], arguments: u32, environment: u32) -> Run<'_> {
    Run { mode: Mode::Terminal, rows: 25, columns: 80, heartbeat: 5, arguments, environment, strings }
}

#[test]
fn each_message_survives() {
    let messages = [
        Message::Run(run(b"/\0sh\0-c\0\xff\xfe\0A=b\0", 3, 1)),
        Message::InputEnd(u64::MAX),
        Message::WindowSize(24, 80),
        Message::PowerOff,
        Message::Hello(1),
        Message::Started(Connection::PseudoTerminal),
        Message::Failed(2),
        Message::Alive,
        Message::Exit(Exit { wait_status: 0x300, output: 1, error: 2 }),
    ];
    for message in messages {
        let bytes = wire(&message);
        assert_eq!(decode(&bytes), Ok(Decoded::Message(message, bytes.len())));
        for cut in 0..bytes.len() {
            let needed = if cut < HEADER { HEADER } else { bytes.len() };
            assert_eq!(decode(&bytes[..cut]), Ok(Decoded::Incomplete(needed)));
        }
    }
}

#[test]
fn counts_must_agree_with_the_strings() {
    let bytes = wire(&Message::Run(run(b"/\0sh\0", 2, 0)));
    assert_eq!(decode(&bytes), Err(Malformed));
    let bytes = wire(&Message::Run(run(b"/\0sh", 0, 0)));
    assert_eq!(decode(&bytes), Err(Malformed));
}

#[test]
fn too_long_is_refused_before_it_is_awaited() {
    let mut bytes = wire(&Message::Alive);
    bytes[1..5].copy_from_slice(&u32::try_from(LONGEST + 1).unwrap().to_le_bytes());
    assert_eq!(decode(&bytes), Err(Malformed));
}

#[test]
fn a_small_buffer_is_an_error() {
    assert_eq!(encode(&Message::InputEnd(1), &mut [0; 12]), None);
    assert_eq!(encode(&Message::PowerOff, &mut [0; 4]), None);
}

proptest! {
    #[test]
    fn noise_does_not_panic(noise in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(Decoded::Message(message, used)) = decode(&noise) {
            prop_assert!(used <= noise.len());
            let bytes = wire(&message);
            prop_assert_eq!(decode(&bytes), Ok(Decoded::Message(message, used)));
        }
    }
}
