use super::*;
use crate::Failure;
use abi::raw::general::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use memory::{Reader, Writer};
use std::thread;
use std::time::Duration;
use sync::Registrations;

const BLOCKING: Flow = Flow { nonblocking: false, packets: false };
const NONBLOCKING: Flow = Flow { nonblocking: true, packets: false };

fn put(end: &PipeEnd, bytes: &[u8], flow: Flow) -> Written {
    end.write(&mut Reader::kernel(bytes), flow)
}

fn take(end: &PipeEnd, length: usize, flow: Flow) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; length];
    let count = end.read(&mut Writer::kernel(&mut bytes), flow)?;
    bytes.truncate(count);
    Ok(bytes)
}

const AGAIN: Failure = Failure::Error(Errno::EAGAIN);

#[test]
fn ends_of_file_and_of_readers() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    assert_eq!(take(&reader, 10, NONBLOCKING), Err(AGAIN));
    assert_eq!(put(&writer, b"hello", BLOCKING).result(), Ok(5));
    assert_eq!(put(&reader, b"x", BLOCKING).result(), Err(Failure::Error(Errno::EBADF)));
    drop(writer);
    assert_eq!(take(&reader, 10, BLOCKING).unwrap(), b"hello");
    assert_eq!(take(&reader, 10, BLOCKING).unwrap(), b"");
    let (reader, writer) = PipeEnd::pair().unwrap();
    drop(reader);
    let written = put(&writer, b"x", BLOCKING);
    assert!(written.is_broken());
    assert_eq!(written.result(), Err(Failure::Error(Errno::EPIPE)));
}

#[test]
fn a_full_pipe_takes_no_more() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    let written = put(&writer, &[7; 70_000], NONBLOCKING);
    assert_eq!(written, Written { bytes: 65536, failure: Some(AGAIN) });
    assert_eq!(written.result(), Ok(65536));
    assert_eq!(put(&writer, b"x", NONBLOCKING).result(), Err(AGAIN));
    assert_eq!(writer.readiness(), 0);
    assert_eq!(take(&reader, 4095, BLOCKING).unwrap().len(), 4095);
    assert_eq!(writer.readiness(), 0, "a page is free only as a whole");
    assert_eq!(take(&reader, 1, BLOCKING).unwrap().len(), 1);
    assert_eq!(writer.readiness(), POLLOUT | POLLWRNORM);
    assert_eq!(reader.pipe().bytes(), 61440);
}

#[test]
fn polls() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    assert_eq!(reader.readiness(), 0);
    assert_eq!(put(&writer, b"x", BLOCKING).result(), Ok(1));
    assert_eq!(reader.readiness(), POLLIN | POLLRDNORM);
    drop(writer);
    assert_eq!(reader.readiness(), POLLIN | POLLRDNORM | POLLHUP);
    let (reader, writer) = PipeEnd::pair().unwrap();
    drop(reader);
    assert_eq!(writer.readiness(), POLLOUT | POLLWRNORM | POLLERR);
}

#[test]
fn a_poller_is_woken_beside_a_reader() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    let reader = Arc::new(reader);
    let poller = thread::spawn({
        let reader = reader.clone();
        move || {
            let mut registrations = Registrations::for_current(1).unwrap();
            reader.register(&mut registrations).unwrap();
            registrations.wait(None, || Some(reader.readiness()).filter(|mask| mask & POLLHUP != 0)).unwrap()
        }
    });
    let other = thread::spawn({
        let reader = reader.clone();
        move || take(&reader, 1, BLOCKING).unwrap()
    });
    thread::sleep(Duration::from_millis(20));
    assert_eq!(put(&writer, b"x", BLOCKING).result(), Ok(1));
    assert_eq!(other.join().unwrap(), b"x");
    drop(writer);
    assert_eq!(poller.join().unwrap() & POLLHUP, POLLHUP);
}

#[test]
fn capacity_changes() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    let pipe = reader.pipe();
    assert_eq!(pipe.capacity(), DEFAULT_CAPACITY);
    assert_eq!(pipe.set_capacity(5000, false), Ok(8192));
    assert_eq!(put(&writer, &[1; 9000], NONBLOCKING).result(), Ok(8192));
    assert_eq!(pipe.set_capacity(1, false), Err(Errno::EBUSY));
    assert_eq!(pipe.set_capacity(2 << 20, false), Err(Errno::EPERM));
    assert_eq!(pipe.set_capacity(2 << 20, true), Ok(2 << 20));
    assert_eq!(pipe.set_capacity((1 << 31) + 1, true), Err(Errno::EINVAL));
    assert_eq!(take(&reader, 9000, BLOCKING).unwrap(), [1; 8192]);
    assert_eq!(pipe.set_capacity(0, false), Ok(4096));
}

#[test]
fn many_writers_and_readers_lose_nothing_and_mix_nothing() {
    const MESSAGES: usize = 3000;
    let (reader, writer) = PipeEnd::pair().unwrap();
    reader.pipe().set_capacity(8192, false).unwrap();
    let (reader, writer) = (Arc::new(reader), Arc::new(writer));
    let writers: Vec<_> = (0..3u8)
        .map(|number| {
            let writer = writer.clone();
            thread::spawn(move || {
                for _ in 0..MESSAGES {
                    assert_eq!(put(&writer, &[number; 64], BLOCKING).result(), Ok(64));
                }
            })
        })
        .collect();
    drop(writer);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let reader = reader.clone();
            thread::spawn(move || {
                let mut messages = [0; 3];
                loop {
                    let message = take(&reader, 64, BLOCKING).unwrap();
                    let Some(first) = message.first() else { return messages };
                    assert!(message.len() == 64 && message.iter().all(|byte| byte == first));
                    messages[usize::from(*first)] += 1;
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let counts =
        readers.into_iter().map(|reader| reader.join().unwrap()).fold([0; 3], |mut sum: [usize; 3], counts| {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            sum
        });
    assert_eq!(counts, [MESSAGES; 3]);
}

#[test]
fn a_megabyte_in_one_write() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    let bytes: Vec<u8> = (0..1 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sent = bytes.clone();
    let writer = thread::spawn(move || assert_eq!(put(&writer, &sent, BLOCKING).result(), Ok(1 << 20)));
    let mut received = Vec::new();
    loop {
        let part = take(&reader, 10_007, BLOCKING).unwrap();
        if part.is_empty() {
            break;
        }
        received.extend(part);
    }
    writer.join().unwrap();
    assert!(received == bytes);
}

#[test]
fn the_last_reader_ends_a_waiting_write() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    let writer = thread::spawn(move || put(&writer, &[0; 100_000], BLOCKING));
    thread::sleep(Duration::from_millis(20));
    drop(reader);
    let written = writer.join().unwrap();
    assert!(written.is_broken());
    assert_eq!(written.result(), Ok(65536));
}

#[test]
fn a_pipe_is_opened_again_without_waiting() {
    let (reader, writer) = PipeEnd::pair().unwrap();
    let pipe_of_two = reader.pipe().clone();
    drop(writer);
    drop(PipeEnd::open(&pipe_of_two, Access::Read, false).expect("a pipe opened again waits for nobody"));
    drop(reader);
    drop(PipeEnd::open(&pipe_of_two, Access::Write, true).expect("nor does it refuse"));
}

#[test]
fn fifo_openings_meet() {
    let pipe = Pipe::new().unwrap();
    assert!(matches!(PipeEnd::open(&pipe, Access::Write, true), Err(Failure::Error(Errno::ENXIO))));
    let reader = PipeEnd::open(&pipe, Access::Read, true).unwrap();
    assert_eq!(reader.readiness(), 0, "no hang-up before a first writer");
    let writer = PipeEnd::open(&pipe, Access::Write, true).unwrap();
    drop(writer);
    assert_eq!(reader.readiness(), POLLHUP);
    drop(reader);

    let opener = thread::spawn({
        let pipe = pipe.clone();
        move || PipeEnd::open(&pipe, Access::Read, false).unwrap()
    });
    thread::sleep(Duration::from_millis(20));
    let writer = PipeEnd::open(&pipe, Access::Write, false).unwrap();
    assert_eq!(put(&writer, b"hi", BLOCKING).result(), Ok(2));
    let reader = opener.join().unwrap();
    drop(writer);
    assert_eq!(take(&reader, 2, BLOCKING).unwrap(), b"hi");
    let both = PipeEnd::open(&pipe, Access::ReadWrite, false).unwrap();
    assert_eq!(put(&both, b"left", BLOCKING).result(), Ok(4));
    drop((both, reader));
    assert_eq!(pipe.bytes(), 0, "what was left is gone with the last end");
}
