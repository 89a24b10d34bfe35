//! The console against a model of the host.
use super::*;
use abi::Errno;
use dma::device_side::{DeviceRing, Request};
use irq::{Handled, Handler};
use memory::{Reader, Writer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use virtio::model::Model;
use virtio::{InterruptCause, feature};

/// The host's side of a device.
struct Host {
    model: Arc<Model>,
    rings: BTreeMap<u16, DeviceRing>,
    /// Memory that ports lent, and messages from the driver.
    lent: BTreeMap<u16, VecDeque<Request>>,
    messages: Vec<(u32, u16, u16)>,
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, what: &str, port: &Port) {
        let name = port.with_name(|name| String::from_utf8_lossy(name).into_owned());
        self.0.lock().unwrap().push(format!("{what} {} {name}", port.number()));
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn port_added(&self, port: &Arc<Port>) {
        self.add("added", port);
    }
    fn port_removed(&self, port: &Arc<Port>) {
        self.add("removed", port);
    }
    fn port_named(&self, port: &Arc<Port>) {
        self.add("named", port);
    }
    fn console_port(&self, port: &Arc<Port>) {
        self.add("console", port);
    }
}

impl Host {
    fn new(ports: u32, multiport: bool) -> Self {
        let features = 1 << feature::VERSION_1 | 1 << feature::EVENT_INDEX | 1 | u64::from(multiport) << 1;
        let mut configuration = vec![80, 0, 25, 0];
        configuration.extend(ports.to_le_bytes());
        let limits = vec![128; 2 * ports as usize + 2];
        let model = Arc::new(Model::new(features, limits, configuration));
        Self { model, rings: BTreeMap::new(), lent: BTreeMap::new(), messages: Vec::new() }
    }

    /// Looks at all queues; queues that nobody rings for are not looked at.
    fn work(&mut self) {
        for bell in self.model.take_bells() {
            let model = &self.model;
            let ring = self.rings.entry(bell).or_insert_with(|| model.ring(bell).unwrap());
            while let Some(request) = ring.receive() {
                if bell == 3 {
                    let bytes = request.sent();
                    let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
                    self.messages.push((u32::from(word(0)), word(4), word(6)));
                    ring.complete(u32::from(request.head), 0);
                } else {
                    self.lent.entry(bell).or_default().push_back(request);
                }
            }
        }
    }

    /// Sends bytes on a queue in; false where the driver has lent nothing.
    fn send(&mut self, queue: u16, bytes: &[u8]) -> bool {
        self.work();
        let Some(request) = self.lent.get_mut(&queue).and_then(VecDeque::pop_front) else { return false };
        let length = request.reply(bytes);
        if self.rings.get_mut(&queue).unwrap().complete(u32::from(request.head), length) {
            self.model.interrupt(InterruptCause { queues: true, configuration: false });
        }
        true
    }

    fn say(&mut self, port: u32, event: u16, value: u16, payload: &[u8]) {
        let message = [&port.to_le_bytes()[..], &event.to_le_bytes(), &value.to_le_bytes(), payload].concat();
        assert!(self.send(2, &message));
    }

    /// Takes what came on a queue out.
    fn hear(&mut self, queue: u16, most: usize) -> Vec<u8> {
        self.work();
        let mut all = Vec::new();
        for _ in 0..most {
            let Some(request) = self.lent.get_mut(&queue).and_then(VecDeque::pop_front) else { break };
            all.extend(request.sent());
            if self.rings.get_mut(&queue).unwrap().complete(u32::from(request.head), 0) {
                self.model.interrupt(InterruptCause { queues: true, configuration: false });
            }
        }
        all
    }
}

/// A device whose ports 1 and 2 are streams, with port 1 open on both sides.
fn streams() -> (Host, Arc<Console>, Log) {
    let mut host = Host::new(3, true);
    let console = Console::start(host.model.clone()).unwrap();
    let log = Log::default();
    assert!(console.announce(&log));
    host.work();
    assert_eq!(std::mem::take(&mut host.messages), [(0, control::DEVICE_READY, 1)]);
    for port in [1, 2] {
        host.say(port, control::PORT_ADD, 0, &[]);
        host.say(port, control::PORT_NAME, 1, format!("org.birgus.{port}\0").as_bytes());
    }
    host.say(1, control::PORT_OPEN, 1, &[]);
    assert_eq!(console.handle_messages(&log), 5);
    host.work();
    assert_eq!(std::mem::take(&mut host.messages), [(1, control::PORT_READY, 1), (2, control::PORT_READY, 1)]);
    console.open(&console.ports()[1]).unwrap();
    host.work();
    assert_eq!(std::mem::take(&mut host.messages), [(1, control::PORT_OPEN, 1)]);
    (host, console, log)
}

fn read(port: &Port, length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; length];
    let count = port.read(&mut Writer::kernel(&mut bytes), false)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn write(port: &Port, bytes: &[u8]) -> Result<usize, Errno> {
    port.write(&mut Reader::kernel(bytes), false)
}

#[test]
fn ports_come_and_go() {
    let (mut host, console, log) = streams();
    assert_eq!(log.take(), ["added 1 ", "named 1 org.birgus.1", "added 2 ", "named 2 org.birgus.2"]);
    let port = console.ports()[1].clone();
    assert_eq!(console.open(&port), Err(Errno::EBUSY));
    assert_eq!(console.open(&console.ports()[0]), Err(Errno::ENODEV));
    host.say(1, control::PORT_REMOVE, 0, &[]);
    host.say(77, control::PORT_ADD, 0, &[]);
    console.handle_messages(&log);
    assert_eq!(log.take(), ["removed 1 org.birgus.1"]);
    assert_eq!(read(&port, 1), Err(Errno::ENODEV));
    assert_eq!(write(&port, b"x"), Err(Errno::ENODEV));
    assert!(port.readiness().hung_up);
    host.work();
    assert_eq!(host.messages, [(77, control::PORT_READY, 0)], "a port that there is no room for");
}

#[test]
fn reading() {
    let (mut host, console, _) = streams();
    let port = &console.ports()[1];
    assert_eq!(read(port, 10), Err(Errno::EAGAIN));
    assert!(!port.readiness().readable);
    assert!(host.send(4, b"hello, world"));
    assert_eq!(console.handle(), Handled::Mine);
    assert!(port.readiness().readable);
    assert_eq!(read(port, 5).unwrap(), b"hello");
    assert_eq!(read(port, 50).unwrap(), b", world");
    assert_eq!(read(port, 5), Err(Errno::EAGAIN));
    // The host may fill eight pages and no more until they are read.
    let pages = (0..).take_while(|&turn| host.send(4, &[turn as u8; 4096])).count();
    assert_eq!(pages, 8);
    for turn in 0..8 {
        assert_eq!(read(port, 5000).unwrap(), [turn; 4096], "one page at a time, in order");
    }
    assert!(host.send(4, b"again"));
    host.say(1, control::PORT_OPEN, 0, &[]);
    console.handle_messages(&Log::default());
    assert_eq!(read(port, 10).unwrap(), b"again", "what came before the end is still there");
    assert_eq!(read(port, 10).unwrap(), b"");
    assert!(port.readiness().hung_up && port.readiness().readable);
    assert_eq!(write(port, b"x"), Err(Errno::EAGAIN), "nobody is there");
}

#[test]
fn writing() {
    let (mut host, console, _) = streams();
    let port = &console.ports()[1];
    let text: Vec<u8> = (0..200_000u32).map(|index| (index / 7) as u8).collect();
    let (mut sent, mut heard) = (0, Vec::new());
    while sent < text.len() {
        match write(port, &text[sent..]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error, Errno::EAGAIN);
                assert!(!port.readiness().writable);
                let more = host.hear(5, 1);
                assert!(!more.is_empty());
                heard.extend(more);
                assert_eq!(console.handle(), Handled::Mine, "room is told of");
            }
        }
    }
    heard.extend(host.hear(5, usize::MAX));
    assert_eq!(heard, text);
    assert_eq!(write(port, b""), Ok(0));
}

#[test]
fn closing_forgets() {
    let (mut host, console, _) = streams();
    let port = &console.ports()[1];
    assert!(host.send(4, b"nobody reads this"));
    console.close(port);
    host.work();
    assert_eq!(host.messages, [(1, control::PORT_OPEN, 0)]);
    console.open(port).unwrap();
    assert_eq!(read(port, 10), Err(Errno::EAGAIN));
}

#[derive(Default)]
struct Terminal {
    bytes: Mutex<Vec<u8>>,
    sizes: Mutex<Vec<(u16, u16)>>,
}

impl Sink for Terminal {
    fn receive(&self, bytes: &[u8]) {
        self.bytes.lock().unwrap().extend(bytes);
    }
    fn resized(&self, columns: u16, rows: u16) {
        self.sizes.lock().unwrap().push((columns, rows));
    }
}

#[test]
fn a_terminal_on_a_plain_device() {
    let mut host = Host::new(1, false);
    let console = Console::start(host.model.clone()).unwrap();
    let log = Log::default();
    assert!(console.announce(&log));
    assert_eq!(log.take(), ["added 0 ", "console 0 "]);
    let port = &console.ports()[0];
    assert_eq!(port.size(), (80, 25));
    assert_eq!(console.open(port), Err(Errno::ENXIO));
    let terminal: &'static Terminal = Box::leak(Box::default());
    port.set_sink(terminal);
    for turn in 0..50u8 {
        assert!(host.send(0, &[turn; 700]));
        assert_eq!(console.handle(), Handled::Mine);
    }
    let expected: Vec<u8> = (0..50).flat_map(|turn| [turn; 700]).collect();
    assert_eq!(*terminal.bytes.lock().unwrap(), expected);
    assert_eq!(port.send(b"output"), 6);
    assert_eq!(host.hear(1, 9), b"output");
    host.model.state.lock().configuration[0] = 132;
    host.model.interrupt(InterruptCause { queues: false, configuration: true });
    assert_eq!(console.handle(), Handled::Mine);
    assert_eq!(*terminal.sizes.lock().unwrap(), [(132, 25)]);
    assert_eq!(console.handle(), Handled::NotMine);
}

#[test]
fn a_console_port_among_others() {
    let (mut host, console, log) = streams();
    log.take();
    host.say(2, control::CONSOLE_PORT, 1, &[]);
    host.say(2, control::RESIZE, 0, &[100, 0, 40, 0]);
    host.say(2, control::RESIZE, 0, &[1]);
    console.handle_messages(&log);
    assert_eq!(log.take(), ["console 2 org.birgus.2"]);
    assert_eq!(console.ports()[2].size(), (100, 40));
    host.work();
    assert_eq!(host.messages, [(2, control::PORT_OPEN, 1)]);
    // The host has the memory for 8 pages of 4096 bytes, and takes 16 pages at the most without hearing them.
    assert_eq!(console.ports()[2].send(&[7; 100_000]), 16 * 4096);
}

#[test]
fn a_reader_sleeps_until_bytes_come() {
    let (mut host, console, _) = streams();
    let reader = {
        let port = console.ports()[1].clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 16];
            let count = port.read(&mut Writer::kernel(&mut bytes), true).unwrap();
            bytes[..count].to_vec()
        })
    };
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(host.send(4, b"wake up"));
    assert_eq!(console.handle(), Handled::Mine);
    assert_eq!(reader.join().unwrap(), b"wake up");
}

#[test]
fn a_hostile_host() {
    let (mut host, console, log) = streams();
    let port = &console.ports()[1];
    for (event, payload) in
        [(99, &b""[..]), (control::PORT_NAME, &[0xff; 200]), (control::PORT_ADD, &[]), (control::RESIZE, &[])]
    {
        host.say(1, event, 0, payload);
    }
    assert!(host.send(2, b"short"));
    console.handle_messages(&log);
    port.with_name(|name| assert_eq!(name.len(), 200));
    host.work();
    host.rings.get_mut(&4).unwrap().complete(1000, 5);
    assert_eq!(read(port, 5), Err(Errno::EIO));
    host.rings.get_mut(&2).unwrap().complete(1000, 5);
    console.serve(&log);
}
