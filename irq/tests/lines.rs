//! Lines against a model of a chip.
use irq::{Chip, Dispatched, Handled, Handler, Interrupts, RequestError, Source};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Model {
    /// Vector, CPU and mask of each input.
    inputs: Mutex<HashMap<u32, (u8, usize, bool)>>,
    ended: AtomicU32,
}

impl Model {
    fn of(&self, input: u32) -> (u8, usize, bool) {
        self.inputs.lock().unwrap()[&input]
    }
}

impl Chip for Model {
    fn name(&self) -> &'static str {
        "MODEL"
    }
    fn flow(&self, _: u32) -> &'static str {
        "edge"
    }
    fn connect(&self, input: u32, vector: u8, cpu: usize) -> bool {
        let mut inputs = self.inputs.lock().unwrap();
        let masked = inputs.get(&input).is_none_or(|input| input.2);
        inputs.insert(input, (vector, cpu, masked));
        input < 1000 && cpu < 2
    }
    fn mask(&self, input: u32) {
        self.inputs.lock().unwrap().entry(input).or_insert((0, 0, true)).2 = true;
    }
    fn unmask(&self, input: u32) {
        self.inputs.lock().unwrap().get_mut(&input).unwrap().2 = false;
    }
    fn acknowledge(&self, _: u32) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

struct Device {
    raised: AtomicBool,
    served: AtomicU32,
}

impl Device {
    fn new() -> Arc<Self> {
        Arc::new(Self { raised: AtomicBool::new(false), served: AtomicU32::new(0) })
    }
}

impl Handler for Device {
    fn handle(&self) -> Handled {
        if !self.raised.swap(false, Ordering::Relaxed) {
            return Handled::NotMine;
        }
        self.served.fetch_add(1, Ordering::Relaxed);
        Handled::Mine
    }
    fn name(&self) -> &str {
        "device"
    }
}

fn world() -> (&'static Interrupts, Arc<Model>) {
    (Box::leak(Box::new(Interrupts::new(1, 24).unwrap())), Arc::new(Model::default()))
}

fn source(chip: &Arc<Model>, input: u32, shared: bool) -> Source {
    Source { chip: chip.clone(), input, number: None, shared }
}

#[test]
fn shared_lines_ask_everybody() {
    let (interrupts, chip) = world();
    let (first, second) = (Device::new(), Device::new());
    let registrations =
        [first.clone(), second.clone()].map(|device| interrupts.request(source(&chip, 5, true), device).unwrap());
    let (vector, _, masked) = chip.of(5);
    assert!(!masked && registrations.iter().all(|registration| registration.vector() == vector));
    second.raised.store(true, Ordering::Relaxed);
    assert_eq!(interrupts.dispatch(vector), Dispatched::Served);
    assert_eq!((first.served.load(Ordering::Relaxed), second.served.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(interrupts.dispatch(vector), Dispatched::Unhandled);
    assert_eq!(interrupts.counts().of(vector, 0), 2);
    assert_eq!(chip.ended.load(Ordering::Relaxed), 2, "every interrupt is ended");
    assert_eq!(interrupts.request(source(&chip, 5, false), Device::new()).err(), Some(RequestError::Busy));
    let mut seen = Vec::new();
    interrupts.for_each(|row| seen.push((row.number, row.devices().count())));
    assert_eq!(seen, [(24, 2)]);
    drop(registrations);
    assert!(chip.of(5).2, "the last handler masks its line");
    assert_eq!(Arc::strong_count(&first), 1);
    assert_eq!(interrupts.dispatch(vector), Dispatched::Unknown);
}

#[test]
fn a_storm_is_shut_and_a_busy_line_is_not() {
    let (interrupts, chip) = world();
    let device = Device::new();
    let registration = interrupts.request(source(&chip, 1, false), device.clone()).unwrap();
    for turn in 0..100_000 {
        device.raised.store(turn % 500 == 0, Ordering::Relaxed);
        assert!(!matches!(interrupts.dispatch(registration.vector()), Dispatched::Shut { .. }));
    }
    let shut =
        (0..100_000).find(|_| matches!(interrupts.dispatch(registration.vector()), Dispatched::Shut { number: 24 }));
    assert_eq!(shut, Some(99_999));
    assert!(chip.of(1).2);
}

#[test]
fn vectors_run_out_and_come_back() {
    let (interrupts, chip) = world();
    let mut all: Vec<_> =
        (0..191).map(|input| interrupts.request(source(&chip, input, false), Device::new()).unwrap()).collect();
    let mut vectors: Vec<_> = all.iter().map(|registration| registration.vector()).collect();
    vectors.sort_unstable();
    vectors.dedup();
    assert_eq!(vectors.len(), 191);
    assert!(!vectors.contains(&0x80), "the system call's");
    assert_eq!(interrupts.request(source(&chip, 500, false), Device::new()).err(), Some(RequestError::NoVector));
    let vector = all.remove(7).vector();
    assert_eq!(interrupts.request(source(&chip, 500, false), Device::new()).unwrap().vector(), vector);
    assert_eq!(interrupts.request(source(&chip, 5000, false), Device::new()).err(), Some(RequestError::NoInput));
}

#[test]
fn affinity_moves_a_line() {
    let (interrupts, chip) = world();
    let registration = interrupts.request(source(&chip, 9, false), Device::new()).unwrap();
    assert!(interrupts.set_affinity(24, 1));
    assert_eq!(chip.of(9), (registration.vector(), 1, false));
    assert!(!interrupts.set_affinity(24, 7));
    assert!(!interrupts.set_affinity(25, 0));
}
