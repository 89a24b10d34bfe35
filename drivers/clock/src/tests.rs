//! Calibration on a simulated, noisy machine; dates; the CMOS clock.
use super::*;
use proptest::prelude::*;
use std::cell::Cell;

/// A machine whose time passes with each reading, now and then by much.
struct Machine {
    /// Picoseconds.
    time: Cell<u128>,
    seed: Cell<u64>,
    /// Cost of a reading in nanoseconds, and the chance in a thousand of an absence of up to so many milliseconds.
    cost: u64,
    chance: u64,
    absence: u64,
}

impl Machine {
    fn random(&self, below: u64) -> u64 {
        let mut value = self.seed.get();
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
        self.seed.set(value);
        value % below.max(1)
    }

    fn pass(&self) {
        let mut nanoseconds = self.cost / 2 + self.random(self.cost + 1);
        if self.random(1000) < self.chance {
            nanoseconds += self.random(self.absence * 1_000_000 + 1);
        }
        self.time.set(self.time.get() + u128::from(nanoseconds) * 1000 + 1);
    }

    fn count(&self, frequency: u64) -> u64 {
        self.pass();
        let value = (self.time.get() * u128::from(frequency) / 1_000_000_000_000) as u64;
        self.pass();
        value
    }
}

struct Model<'a> {
    machine: &'a Machine,
    frequency: u64,
    mask: u64,
    lies: bool,
}

impl Reference for Model<'_> {
    fn frequency(&self) -> u64 {
        if self.lies { self.frequency * 3 } else { self.frequency }
    }
    fn mask(&self) -> u64 {
        self.mask
    }
    fn read(&self) -> u64 {
        self.machine.count(self.frequency) & self.mask
    }
}

fn machine(seed: u64, cost: u64, chance: u64, absence: u64) -> Machine {
    Machine { time: Cell::new(1_000_000), seed: Cell::new(seed | 1), cost, chance, absence }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the noise, the true frequency lies within the error that is claimed.
    #[test]
    fn bounds_hold(seed: u64, cost in 20u64..3000, chance in 0u64..5, absence in 0u64..40, frequency in 200_000_000u64..5_000_000_000, which in 0usize..3) {
        let machine = machine(seed, cost, chance, absence);
        let (rate, mask) = [(100_000_000, u64::from(u32::MAX)), (3_579_545, 0xff_ffff), (1_193_182, 0xffff)][which];
        let reference = Model { machine: &machine, frequency: rate, mask, lies: false };
        let estimate = measure(|| machine.count(frequency), &reference, 300).unwrap();
        let off = estimate.frequency.abs_diff(frequency);
        prop_assert!(u128::from(off) * 1_000_000 <= u128::from(estimate.error + 1) * u128::from(frequency), "{estimate:?} for {frequency}");
        prop_assert!(estimate.error <= 300, "{estimate:?}");
    }
}

#[test]
fn a_quiet_machine_is_done_soon() {
    let machine = machine(7, 100, 0, 0);
    let reference = Model { machine: &machine, frequency: 100_000_000, mask: u64::from(u32::MAX), lies: false };
    let estimate = measure(|| machine.count(2_400_000_000), &reference, 500).unwrap();
    assert!(estimate.frequency.abs_diff(2_400_000_000) < 1_200_000, "{estimate:?}");
    assert!(machine.time.get() < 3_000_000_000, "within 3 ms, not {} ps", machine.time.get());
}

#[test]
fn references_that_stand_still_or_lie() {
    let machine = machine(3, 100, 0, 0);
    let still = Model { machine: &machine, frequency: 0, mask: 0xffff, lies: false };
    struct Claims<'a>(Model<'a>);
    impl Reference for Claims<'_> {
        fn frequency(&self) -> u64 {
            1_000_000
        }
        fn mask(&self) -> u64 {
            0xffff
        }
        fn read(&self) -> u64 {
            self.0.read()
        }
    }
    let still = Claims(still);
    assert_eq!(measure(|| machine.count(1_000_000_000), &still, 500), None);
    let good = Model { machine: &machine, frequency: 3_579_545, mask: 0xff_ffff, lies: false };
    let estimate = measure_with(|| machine.count(1_000_000_000), &[&still, &good], 500).unwrap();
    assert!(estimate.frequency.abs_diff(1_000_000_000) <= 500_000);
    // Thirty times too fast for any processor.
    let liar = Model { machine: &machine, frequency: 3_579_545, mask: 0xff_ffff, lies: true };
    assert_eq!(measure(|| machine.count(10_000_000_000), &liar, 500), None);
}

#[test]
fn one_counter_measures_another() {
    let machine = machine(5, 10, 0, 0);
    let tsc = CounterReference { frequency: 3_000_000_000, read: || machine.count(3_000_000_000) };
    let estimate = measure(|| machine.count(62_500_000), &tsc, 1000).unwrap();
    assert!(estimate.frequency.abs_diff(62_500_000) <= 62_500);
}

#[test]
fn dates() {
    let date = |year, month, day, hour, minute, second| Date { year, month, day, hour, minute, second };
    assert_eq!(seconds_since_epoch(&date(1970, 1, 1, 0, 0, 0)), Some(0));
    assert_eq!(seconds_since_epoch(&date(2000, 2, 29, 12, 0, 0)), Some(951_825_600));
    assert_eq!(seconds_since_epoch(&date(2038, 1, 19, 3, 14, 8)), Some(1 << 31));
    assert_eq!(seconds_since_epoch(&date(1969, 12, 31, 23, 59, 59)), Some(-1));
    assert_eq!(seconds_since_epoch(&date(2024, 13, 1, 0, 0, 0)), None);
}

/// Days counted one by one.
#[test]
fn dates_against_counting() {
    let mut days = 0;
    for year in 1970..2200 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, length) in
            [31, 28 + u32::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
        {
            for day in 1..=length {
                let date = Date { year, month: month as u32 + 1, day, hour: 0, minute: 0, second: 0 };
                assert_eq!(seconds_since_epoch(&date), Some(days * 86_400));
                days += 1;
            }
        }
    }
}

struct Cmos {
    registers: [u8; 128],
    /// Readings of status A that say "busy" yet.
    busy: u32,
}

impl CmosRegisters for Cmos {
    fn read(&mut self, index: u8) -> u8 {
        if index == 0x0a && self.busy > 0 {
            self.busy -= 1;
            return 0x80;
        }
        self.registers[usize::from(index)]
    }
}

#[test]
fn the_cmos_clock_in_its_formats() {
    let clock = |fields: &[(usize, u8)], busy, century| {
        let mut registers = [0; 128];
        fields.iter().for_each(|&(index, value)| registers[index] = value);
        CmosClock::new(Cmos { registers, busy }, century).read()
    };
    let decimal = [(0, 0x56), (2, 0x34), (4, 0x12), (7, 0x29), (8, 0x02), (9, 0x24), (0x32, 0x20), (0xb, 2)];
    assert_eq!(clock(&decimal, 100, 0x32), Some(1_709_210_096));
    assert_eq!(clock(&decimal, 100, 0), Some(1_709_210_096));
    let binary = [(0, 56), (2, 34), (4, 0x80 | 12), (7, 29), (8, 2), (9, 24), (0xb, 4)];
    assert_eq!(clock(&binary, 0, 0), Some(1_709_210_096), "noon is 12 in the afternoon");
    assert_eq!(clock(&decimal, u32::MAX, 0), None, "an update that never ends");
    assert_eq!(clock(&[(0xb, 6)], 0, 0), None, "no such month");
}
