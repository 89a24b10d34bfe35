//! The CMOS clock (Motorola MC146818 data sheet).
use crate::date::{Date, seconds_since_epoch};
use arch::Port;
use sync::{InterruptsOff, Rank, SpinLock};

/// Registers behind an index and a data port.
pub trait CmosRegisters: Send {
    fn read(&mut self, index: u8) -> u8;
}

/// The PC's ports. The index port's bit 7 stays clear: it would mask NMIs.
#[derive(Clone, Copy, Debug, Default)]
pub struct CmosPorts;

impl CmosRegisters for CmosPorts {
    fn read(&mut self, index: u8) -> u8 {
        Port::<u8>::new(0x70).write(index & 0x7f);
        Port::<u8>::new(0x71).read()
    }
}

const SECONDS: u8 = 0x00;
const MINUTES: u8 = 0x02;
const HOURS: u8 = 0x04;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATE_IN_PROGRESS: u8 = 1 << 7;
const BINARY: u8 = 1 << 2;
const HOURS_24: u8 = 1 << 1;
const AFTERNOON: u8 = 1 << 7;
/// An update takes 2 ms, and a look at it not less than about 1 µs.
const PATIENCE: u32 = 10_000;
/// Two readings agree at the second try unless a second has just passed; at the third at the latest.
const TRIES: u32 = 5;

/// The clock that runs while the machine is off.
pub struct CmosClock<R = CmosPorts> {
    registers: SpinLock<R, InterruptsOff>,
    /// The register that holds the century, or 0.
    century: u8,
}

impl<R: CmosRegisters> CmosClock<R> {
    /// `century` is the number of the register that holds the century, or 0 where there is none (the FADT says).
    pub const fn new(registers: R, century: u8) -> Self {
        Self { registers: SpinLock::new(Rank::Leaf, registers), century }
    }

    /// The seconds register as it is, for [`crate::measure_by_seconds`].
    pub fn second(&self) -> u8 {
        self.registers.lock().read(SECONDS)
    }

    /// Seconds since 1970, UTC; `None` where there is no clock or its date is none. Waits up to 2 ms for an update to end.
    pub fn read(&self) -> Option<i64> {
        let mut last = None;
        for _ in 0..TRIES {
            let fields = self.fields()?;
            if last == Some(fields) {
                return seconds_since_epoch(&self.decode(fields)?);
            }
            last = Some(fields);
        }
        None
    }

    /// Seconds to years, century, and status B, read while no update is in progress.
    fn fields(&self) -> Option<[u8; 8]> {
        let quiet = (0..PATIENCE).any(|_| self.registers.lock().read(STATUS_A) & UPDATE_IN_PROGRESS == 0);
        if !quiet {
            return None;
        }
        let century = if self.century == 0 { SECONDS } else { self.century };
        let mut registers = self.registers.lock();
        Some([SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, century, STATUS_B].map(|index| registers.read(index)))
    }

    fn decode(&self, fields: [u8; 8]) -> Option<Date> {
        let [second, minute, hour, day, month, year, century, status] = fields;
        let number = |value: u8| {
            let value = u32::from(value);
            if status & BINARY != 0 { value } else { (value >> 4) * 10 + (value & 0xf) }
        };
        let mut hours = number(hour);
        if status & HOURS_24 == 0 {
            let afternoon = hour & AFTERNOON != 0;
            hours = number(hour & !AFTERNOON) % 12 + if afternoon { 12 } else { 0 };
        }
        let year = number(year);
        let century = match number(century) {
            known @ 19..=99 if self.century != 0 => known,
            // Without a century the years 70 to 99 are of the last one.
            _ if year >= 70 => 19,
            _ => 20,
        };
        if year > 99 {
            return None;
        }
        let (day, month) = (number(day), number(month));
        Some(Date {
            year: century * 100 + year,
            month,
            day,
            hour: hours,
            minute: number(minute),
            second: number(second),
        })
    }
}
