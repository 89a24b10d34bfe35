use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Read(usize),
    Resize(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1usize..9000).prop_map(Step::Write),
        3 => (1usize..60).prop_map(Step::Write),
        4 => (1usize..9000).prop_map(Step::Read),
        1 => (0u32..4).prop_map(Step::Resize),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn behaves_as_a_queue_of_bytes(steps in steps()) {
        let mut ring = Ring::new(4).unwrap();
        let mut model = VecDeque::new();
        let mut next = 0u32;
        for step in steps {
            match step {
                Step::Write(length) => {
                    let bytes: Vec<u8> = (0..length).map(|_| { next = next.wrapping_mul(97) + 11; (next >> 8) as u8 }).collect();
                    let mut from = Reader::kernel(&bytes);
                    let mut written = ring.merge(&mut from).unwrap();
                    while !ring.is_full() && !from.is_empty() {
                        written += ring.append(&mut from, false).unwrap();
                    }
                    prop_assert_eq!(written, length - from.remaining());
                    model.extend(&bytes[..written]);
                }
                Step::Read(length) => {
                    let mut bytes = vec![0; length];
                    let count = ring.read(&mut Writer::kernel(&mut bytes)).unwrap();
                    prop_assert_eq!(count, length.min(model.len()));
                    let expected: Vec<u8> = model.drain(..count).collect();
                    prop_assert_eq!(&bytes[..count], &expected[..]);
                }
                Step::Resize(order) => {
                    let used = ring.used;
                    prop_assert_eq!(ring.resize(1 << order).is_ok(), used <= 1 << order);
                }
            }
            prop_assert_eq!(ring.bytes(), model.len());
            prop_assert_eq!(ring.is_empty(), model.is_empty());
            prop_assert!(ring.used <= ring.slots());
        }
    }
}

#[test]
fn small_writes_share_a_page_unless_somebody_else_has_it() {
    let mut ring = Ring::new(2).unwrap();
    ring.append(&mut Reader::kernel(b"one"), false).unwrap();
    assert_eq!(ring.merge(&mut Reader::kernel(b"two")), Ok(3));
    assert_eq!(ring.used, 1);
    let shared = ring.chunk_mut(0).unwrap().frame.clone();
    assert_eq!(ring.merge(&mut Reader::kernel(b"three")), Ok(0));
    drop(shared);
    assert_eq!(ring.merge(&mut Reader::kernel(&[0; 4090])), Ok(4090));
    assert_eq!(ring.merge(&mut Reader::kernel(b"!")), Ok(0), "the page is full");
}

#[test]
fn an_emptied_page_is_used_again() {
    let mut ring = Ring::new(2).unwrap();
    ring.append(&mut Reader::kernel(b"one"), false).unwrap();
    let number = ring.chunk_mut(0).unwrap().frame.number();
    ring.read(&mut Writer::kernel(&mut [0; 3])).unwrap();
    ring.append(&mut Reader::kernel(b"two"), false).unwrap();
    assert_eq!(ring.chunk_mut(0).unwrap().frame.number(), number);
}

#[test]
fn packets_are_read_alone_and_cut() {
    let mut ring = Ring::new(4).unwrap();
    ring.append(&mut Reader::kernel(b"first"), true).unwrap();
    assert_eq!(ring.merge(&mut Reader::kernel(b"second")), Ok(0));
    ring.append(&mut Reader::kernel(b"second"), true).unwrap();
    let mut bytes = [0; 3];
    assert_eq!(ring.read(&mut Writer::kernel(&mut bytes)), Ok(3));
    assert_eq!(&bytes, b"fir");
    let mut bytes = [0; 100];
    assert_eq!(ring.read(&mut Writer::kernel(&mut bytes)), Ok(6));
    assert!(ring.is_empty());
}
