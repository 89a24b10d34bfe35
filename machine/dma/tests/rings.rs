//! Rings against a model of a device, honest and hostile.
use dma::device_side::{DeviceRing, Request};
use dma::{Buffer, Buffers, Quiesced, Ring, RingError};
use memory::Frame;
use proptest::prelude::*;
use std::collections::HashMap;

fn request(sizes: &[(u16, bool)]) -> Buffers {
    let buffer = |&(length, writable): &(u16, bool)| {
        Buffer::new(Frame::allocate_zeroed().unwrap(), 8, usize::from(length), writable).unwrap()
    };
    sizes.iter().map(buffer).collect()
}

#[test]
fn an_echo() {
    for event_index in [false, true] {
        let mut ring = Ring::new(8, event_index).unwrap();
        let mut device = DeviceRing::new(ring.addresses(), event_index);
        for turn in 0..1000u32 {
            let buffers = request(&[(5, false), (3, true), (9, true)]);
            buffers[0].write(0, &turn.to_le_bytes());
            ring.add(buffers, turn).unwrap();
            assert!(ring.wants_notification());
            assert!(!ring.wants_notification(), "once is enough");
            let heard = device.receive().unwrap();
            assert!(device.receive().is_none());
            let length = heard.reply(&heard.sent());
            ring.enable_interrupts();
            assert!(device.complete(u32::from(heard.head), length), "an interrupt is wanted");
            let done = ring.take().unwrap().unwrap();
            assert_eq!((done.token, done.written), (turn, 5));
            let (mut start, mut end) = ([0; 3], [0; 2]);
            done.buffers[1].read(0, &mut start);
            done.buffers[2].read(0, &mut end);
            assert_eq!([&start[..], &end[..]].concat(), [turn.to_le_bytes().as_slice(), &[0]].concat());
            assert!(ring.take().unwrap().is_none());
        }
        assert_eq!((ring.free(), ring.in_flight()), (8, 0));
        assert_eq!(ring.retire(&Quiesced::after_reset()).count(), 0);
    }
}

#[test]
fn malformed_and_too_much() {
    let mut ring = Ring::new(2, false).unwrap();
    for buffers in [request(&[]), request(&[(1, true), (1, false)]), request(&[(1, false); 3])] {
        assert_eq!(ring.add(buffers, ()).unwrap_err().error, RingError::Malformed);
    }
    ring.add(request(&[(1, false)]), ()).unwrap();
    let rejected = ring.add(request(&[(1, false), (1, true)]), ()).unwrap_err();
    assert_eq!((rejected.error, rejected.buffers.len()), (RingError::Full, 2));
    assert!(
        Ring::<()>::new(3, false).is_none()
            && Ring::<()>::new(256, false).is_none()
            && Ring::<()>::new(0, false).is_none()
    );
    let frame = || Frame::allocate().unwrap();
    assert!(Buffer::new(frame(), 4096, 1, false).is_none() && Buffer::new(frame(), 0, 0, false).is_none());
    assert!(Buffer::new(frame(), 4000, 96, false).is_some() && Buffer::new(frame(), 4000, 97, false).is_none());
}

type Lie<'a> = &'a dyn Fn(&mut DeviceRing, &Request);

#[test]
fn hostile_devices_break_their_ring_only() {
    let lies: [Lie; 5] = [
        &|device, _| {
            device.complete(77, 0);
        },
        &|device, _| {
            device.complete(u32::MAX, 0);
        },
        // Not a head.
        &|device, request| {
            device.complete(u32::from(request.head) + 1, 0);
        },
        &|device, request| {
            device.complete(u32::from(request.head), 11);
        },
        &|device, _| device.set_used_index(9),
    ];
    for lie in lies {
        let mut ring = Ring::new(8, false).unwrap();
        let mut device = DeviceRing::new(ring.addresses(), false);
        let buffers = request(&[(4, false), (10, true)]);
        let frame = buffers[1].frame().clone();
        ring.add(buffers, ()).unwrap();
        let heard = device.receive().unwrap();
        lie(&mut device, &heard);
        assert_eq!(ring.take().unwrap_err(), RingError::Broken);
        assert_eq!(ring.add(request(&[(1, false)]), ()).unwrap_err().error, RingError::Broken);
        assert_eq!(frame.references(), 2, "what the device may still write stays allocated");
        assert_eq!(ring.retire(&Quiesced::after_reset()).count(), 1);
        assert_eq!(frame.references(), 1);
    }
}

#[test]
fn a_request_completed_twice() {
    let mut ring = Ring::new(4, false).unwrap();
    let mut device = DeviceRing::new(ring.addresses(), false);
    ring.add(request(&[(1, false)]), 1).unwrap();
    ring.add(request(&[(1, false)]), 2).unwrap();
    let first = device.receive().unwrap();
    device.complete(u32::from(first.head), 0);
    device.complete(u32::from(first.head), 0);
    assert_eq!(ring.take().unwrap().unwrap().token, 1);
    assert_eq!(ring.take().unwrap_err(), RingError::Broken);
}

#[test]
fn a_dropped_ring_leaks_rather_than_being_overwritten() {
    let mut ring = Ring::new(4, false).unwrap();
    let buffers = request(&[(1, true)]);
    let frame = buffers[0].frame().clone();
    ring.add(buffers, ()).unwrap();
    drop(ring);
    assert_eq!(frame.references(), 2);
}

#[test]
fn quiet_devices_are_not_notified() {
    let mut ring = Ring::new(4, false).unwrap();
    let mut device = DeviceRing::new(ring.addresses(), false);
    device.set_quiet(true);
    ring.add(request(&[(1, false)]), ()).unwrap();
    assert!(!ring.wants_notification());
    ring.disable_interrupts();
    let heard = device.receive().unwrap();
    assert!(!device.complete(u32::from(heard.head), 0), "no interrupt");
    assert!(ring.enable_interrupts(), "but it is seen when interrupts are wanted again");
}

proptest! {
    /// Requests of all shapes, completed in any order, against a map of what is in flight.
    #[test]
    fn nothing_is_lost(steps in prop::collection::vec((any::<bool>(), 1usize..4, 0usize..4, any::<prop::sample::Index>()), 1..200), event_index: bool) {
        let mut ring = Ring::new(16, event_index).unwrap();
        let mut device = DeviceRing::new(ring.addresses(), event_index);
        let (mut heard, mut model, mut next) = (Vec::<Request>::new(), HashMap::new(), 0u32);
        for (add, readable, writable, which) in steps {
            if add {
                let mut sizes = vec![(4, false); readable];
                sizes.extend(vec![(4, true); writable]);
                let buffers = request(&sizes);
                buffers[0].write(0, &next.to_le_bytes());
                match ring.add(buffers, next) {
                    Ok(()) => { model.insert(next, writable * 4); }
                    Err(rejected) => prop_assert!(rejected.error == RingError::Full && ring.free() < sizes.len()),
                }
                next += 1;
                while let Some(request) = device.receive() { heard.push(request); }
            } else if !heard.is_empty() {
                let request = heard.swap_remove(which.index(heard.len()));
                let token = u32::from_le_bytes(request.sent()[..4].try_into().unwrap());
                let length = request.reply(&[7; 64]);
                device.complete(u32::from(request.head), length);
                let done = ring.take().unwrap().unwrap();
                prop_assert_eq!(done.token, token);
                prop_assert_eq!(model.remove(&token), Some(done.written));
            }
            prop_assert_eq!(ring.in_flight(), model.len());
        }
    }
}
