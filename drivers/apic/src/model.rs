//! Controllers against register-level models.
use crate::access::*;
use crate::*;
use irq::Chip;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Local {
    registers: Vec<u32>,
    commands: Vec<(Option<u32>, u32)>,
    in_service: Vec<u8>,
    deadline: Option<u64>,
    latched_errors: u32,
    extended: bool,
}

#[derive(Clone, Default)]
struct Model(Arc<Mutex<Local>>);

impl Model {
    fn new() -> Self {
        let model = Self::default();
        {
            let mut local = model.0.lock().unwrap();
            local.registers = vec![0; 256];
            local.registers[VERSION as usize] = 5 << 16 | 0x14;
            local.registers[ID as usize] = 3 << 24;
            local.in_service = vec![0x31, 0x55];
            local.latched_errors = 1 << 6;
        }
        model
    }

    fn register(&self, index: u32) -> u32 {
        self.0.lock().unwrap().registers[index as usize]
    }
}

impl Registers for Model {
    fn enable(&self) {}

    fn read(&self, index: u32) -> u32 {
        let local = self.0.lock().unwrap();
        match index {
            IN_SERVICE..=0x17 => {
                let of_word = |vector: &&u8| u32::from(**vector) / 32 == index - IN_SERVICE;
                local.in_service.iter().filter(of_word).map(|vector| 1 << (vector % 32)).sum()
            }
            _ => local.registers[index as usize],
        }
    }

    fn write(&self, index: u32, value: u32) {
        let mut local = self.0.lock().unwrap();
        match index {
            END_OF_INTERRUPT => {
                let highest = local.in_service.iter().max().copied();
                local.in_service.retain(|&vector| Some(vector) != highest);
            }
            ERROR_STATUS => {
                let latched = std::mem::take(&mut local.latched_errors);
                local.registers[index as usize] = latched;
            }
            COMMAND => {
                let destination = (value >> 18 & 3 == 0).then(|| local.registers[COMMAND_DESTINATION as usize] >> 24);
                local.commands.push((destination, value));
            }
            _ => local.registers[index as usize] = value,
        }
    }

    fn command(&self, destination: Option<u32>, low: u32) {
        if self.0.lock().unwrap().extended {
            self.0.lock().unwrap().commands.push((destination, low));
        } else {
            memory_command(self, destination, low);
        }
    }

    fn identifier(&self) -> u32 {
        self.read(ID) >> 24
    }

    fn arm_deadline(&self, ticks: u64) {
        self.0.lock().unwrap().deadline = Some(ticks);
    }
}

#[test]
fn a_known_state() {
    let model = Model::new();
    let apic = Apic::new(model.clone());
    apic.initialise(0xfe);
    assert_eq!(model.register(SPURIOUS), 0x1ff);
    assert_eq!(model.register(LINE_0) & 1 << 16, 1 << 16);
    assert_eq!(model.register(LINE_1), 0x400);
    assert_eq!(model.register(ERROR), 0xfe);
    assert!(model.0.lock().unwrap().in_service.is_empty(), "leftovers are ended");
    assert_eq!(apic.errors(), 0, "old errors are forgotten");
    assert_eq!(apic.identifier(), 3);
}

#[test]
fn messages() {
    for extended in [false, true] {
        let model = Model::new();
        model.0.lock().unwrap().extended = extended;
        let apic = Apic::new(model.clone());
        apic.send(Target::One(7), 0xf3);
        apic.send(Target::AllButSelf, 0xf4);
        apic.send_nmi(Target::AllButSelf);
        apic.send_init(Target::One(7));
        apic.send_start_up(Target::One(7), 0x9a);
        let commands = model.0.lock().unwrap().commands.clone();
        let expected = [
            (Some(7), 0x40f3),
            (None, 0xc_40f4),
            (None, 0xc_4400),
            (Some(7), 0xc500),
            (Some(7), 0x8500),
            (Some(7), 0x469a),
        ];
        assert_eq!(commands, expected);
    }
}

#[test]
fn timers() {
    let model = Model::new();
    let apic = Apic::new(model.clone());
    apic.arm(5);
    assert_eq!(model.register(INITIAL_COUNT), 0, "nothing is armed before the rate is known");
    assert!(!apic.use_counter(0));
    assert!(apic.use_counter(62_500_000));
    apic.start_timer(0xef);
    assert_eq!(model.register(TIMER), 0xef);
    apic.arm(16_000);
    assert_eq!(model.register(INITIAL_COUNT), 1000);
    apic.arm(0);
    assert_eq!(model.register(INITIAL_COUNT), 1, "zero would stop the timer");
    apic.arm(u64::MAX);
    assert_eq!(model.register(INITIAL_COUNT), u32::MAX);

    let model = Model::new();
    let apic = Apic::new(model.clone());
    assert!(apic.use_deadline(3_000_000_000));
    apic.start_timer(0xef);
    assert_eq!(model.register(TIMER), 0xef | 1 << 18);
    apic.arm(1000);
    assert_eq!(model.0.lock().unwrap().deadline, Some(3000));
}

#[derive(Clone, Default)]
struct IoModel(Arc<Mutex<IoState>>);

#[derive(Default)]
struct IoState {
    registers: Vec<u32>,
    unmasked_while_changing: bool,
}

impl IoModel {
    fn new() -> Self {
        let model = Self::default();
        model.0.lock().unwrap().registers = vec![0; 256];
        model.0.lock().unwrap().registers[1] = 23 << 16 | 0x20;
        model
    }

    fn entry(&self, line: usize) -> u64 {
        let state = self.0.lock().unwrap();
        u64::from(state.registers[0x10 + 2 * line]) | u64::from(state.registers[0x11 + 2 * line]) << 32
    }
}

impl IndirectRegisters for IoModel {
    fn read(&mut self, index: u8) -> u32 {
        self.0.lock().unwrap().registers[usize::from(index)]
    }

    fn write(&mut self, index: u8, value: u32) {
        let mut state = self.0.lock().unwrap();
        let index = usize::from(index);
        if index > 0x10 && index % 2 == 1 {
            state.unmasked_while_changing |= state.registers[index - 1] & 1 << 16 == 0;
        }
        state.registers[index] = value;
    }
}

#[test]
fn lines_of_two_io_apics() {
    let models = [IoModel::new(), IoModel::new()];
    let units = vec![IoApic::new(models[0].clone(), 0).unwrap(), IoApic::new(models[1].clone(), 24).unwrap()];
    let local = Model::new();
    let apic: &'static Apic<Model> = Box::leak(Box::new(Apic::new(local.clone())));
    let chip = IoApics::new(units, apic, vec![0, 5, 0x100]);
    assert_eq!(chip.lines(), 48);
    assert!((0..24).all(|line| models[0].entry(line) == 1 << 16), "all masked");
    assert!(chip.configure(30, Trigger::Level, Polarity::Low));
    assert!(chip.connect(30, 0x41, 1));
    chip.unmask(30);
    assert_eq!(models[1].entry(6), 5 << 56 | 1 << 15 | 1 << 13 | 0x41);
    assert!(chip.connect(30, 0x41, 0));
    assert_eq!(models[1].entry(6), 1 << 15 | 1 << 13 | 0x41);
    assert!(!models[1].0.lock().unwrap().unmasked_while_changing);
    chip.mask(30);
    assert_eq!(models[1].entry(6) & 1 << 16, 1 << 16);
    assert_eq!((chip.flow(30), chip.flow(4)), ("fasteoi", "edge"));
    assert!(!chip.connect(48, 0x41, 0), "no such line");
    assert!(!chip.connect(3, 0x41, 2), "an identifier that entries have no room for");
    assert!(!chip.connect(3, 0x41, 9));
    chip.acknowledge(30);
    assert_eq!(local.0.lock().unwrap().in_service, [0x31]);
}

#[derive(Default)]
struct Recorder(Mutex<Vec<(u16, u8)>>);

impl Ports for Recorder {
    fn read(&self, _: u16) -> u8 {
        0
    }
    fn write(&self, port: u16, value: u8) {
        self.0.lock().unwrap().push((port, value));
    }
}

#[test]
fn the_old_pair_is_silenced() {
    let ports = Recorder::default();
    silence_legacy(&ports, 0x20);
    let first = [(0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1), (0x21, 0xff)];
    let second = [(0xa0, 0x11), (0xa1, 0x28), (0xa1, 2), (0xa1, 1), (0xa1, 0xff)];
    assert_eq!(*ports.0.lock().unwrap(), [first, second].concat());
}
