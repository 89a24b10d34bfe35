//! The local APIC of the CPU that runs this.
use crate::access::*;
use crate::rate::Rate;
use sync::Once;

/// Where interrupts go that were taken back before they were served; they are not ended. Its low four bits must be ones.
pub const SPURIOUS_VECTOR: u8 = 0xff;

const SOFTWARE_ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const MODE_NMI: u32 = 0b100 << 8;
const MODE_INIT: u32 = 0b101 << 8;
const MODE_START: u32 = 0b110 << 8;
const ASSERT: u32 = 1 << 14;
const LEVEL: u32 = 1 << 15;
const ALL_BUT_SELF: u32 = 0b11 << 18;
const TIMER_DEADLINE: u32 = 0b10 << 17;
/// The timer counts once per bus clock.
const DIVIDE_BY_1: u32 = 0b1011;

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The APIC with this identifier.
    One(u32),
    /// Every CPU but this, started or not.
    AllButSelf,
}

enum Timer {
    Counter(Rate),
    Deadline(Rate),
}

/// Local APICs, reached through `R`.
pub struct Apic<R> {
    registers: R,
    timer: Once<Timer>,
}

/// The machine's local APICs.
pub type LocalApic = Apic<Access>;

impl<R: Registers> Apic<R> {
    pub const fn new(registers: R) -> Self {
        Self { registers, timer: Once::new() }
    }

    /// Brings this CPU's APIC into a known state: on, every source masked but the NMI line, errors at `error_vector`.
    /// Once per CPU, interrupts off.
    pub fn initialise(&self, error_vector: u8) {
        let registers = &self.registers;
        registers.enable();
        registers.write(TASK_PRIORITY, 0);
        registers.write(SPURIOUS, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
        for source in [TIMER, LINE_0] {
            registers.write(source, MASKED);
        }
        // How many sources there are is in the version register (SDM vol. 3, 11.4.8).
        let highest = registers.read(VERSION) >> 16 & 0xff;
        for (index, source) in [(4, PERFORMANCE), (5, THERMAL)] {
            if highest >= index {
                registers.write(source, MASKED);
            }
        }
        registers.write(LINE_1, MODE_NMI);
        registers.write(ERROR, u32::from(error_vector));
        registers.write(DIVIDE, DIVIDE_BY_1);
        self.errors();
        self.end_leftovers();
    }

    /// Ends whatever the firmware left in service.
    fn end_leftovers(&self) {
        for _ in 0..256 {
            if (0..8).all(|index| self.registers.read(IN_SERVICE + index) == 0) {
                return;
            }
            self.end_of_interrupt();
        }
    }

    /// This CPU's identifier, as messages name it.
    pub fn identifier(&self) -> u32 {
        self.registers.identifier()
    }

    /// The version register.
    pub fn version(&self) -> u32 {
        self.registers.read(VERSION)
    }

    /// Ends the interrupt in service with the highest priority.
    #[inline]
    pub fn end_of_interrupt(&self) {
        self.registers.write(END_OF_INTERRUPT, 0);
    }

    /// Takes the errors since the last call (SDM vol. 3, 11.5.3): bit 5 a vector below 16 sent, bit 6 one received, bit 7 a
    /// register that is not there.
    pub fn errors(&self) -> u32 {
        self.registers.write(ERROR_STATUS, 0);
        self.registers.read(ERROR_STATUS)
    }

    fn message(&self, target: Target, low: u32) {
        match target {
            Target::One(identifier) => self.registers.command(Some(identifier), low),
            Target::AllButSelf => self.registers.command(None, low | ALL_BUT_SELF),
        }
    }

    /// Interrupts other CPUs with `vector`. Any context; from an NMI only to [`Target::AllButSelf`]. So are the others.
    #[inline]
    pub fn send(&self, target: Target, vector: u8) {
        self.message(target, u32::from(vector) | ASSERT);
    }

    /// Sends an NMI.
    pub fn send_nmi(&self, target: Target) {
        self.message(target, MODE_NMI | ASSERT);
    }

    /// Resets a CPU, which then waits for [`Apic::send_start_up`]: wait 10 ms in between (SDM vol. 3, 9.4.4.1).
    pub fn send_init(&self, target: Target) {
        self.message(target, MODE_INIT | ASSERT | LEVEL);
        self.message(target, MODE_INIT | LEVEL);
    }

    /// Has a reset CPU begin in real mode at the physical address `page << 12`. Sent twice, 200 µs apart; a CPU that already
    /// runs ignores the second.
    pub fn send_start_up(&self, target: Target, page: u8) {
        self.message(target, MODE_START | ASSERT | u32::from(page));
    }

    /// For calibration: counts down from the largest number, without interrupts. Read with [`Apic::elapsed_count`].
    pub fn start_count(&self) {
        self.registers.write(TIMER, MASKED);
        self.registers.write(INITIAL_COUNT, u32::MAX);
    }

    /// How far the count has come.
    pub fn elapsed_count(&self) -> u32 {
        u32::MAX - self.registers.read(CURRENT_COUNT)
    }

    /// Says how timers are armed from now on, on all CPUs: by the APIC's own counter of `frequency` Hz. The first call of
    /// either counts; false for a frequency that no timer has.
    pub fn use_counter(&self, frequency: u64) -> bool {
        Rate::new(frequency).is_some_and(|rate| self.timer.set(Timer::Counter(rate)).is_ok())
    }

    /// As [`Apic::use_counter`], but by deadlines of a TSC of `frequency` Hz. The CPU has the feature.
    pub fn use_deadline(&self, frequency: u64) -> bool {
        Rate::new(frequency).is_some_and(|rate| self.timer.set(Timer::Deadline(rate)).is_ok())
    }

    /// Lets this CPU's timer interrupt at `vector`, once armed. Once per CPU, after the way of arming is known.
    pub fn start_timer(&self, vector: u8) {
        let mode = if matches!(self.timer.get(), Some(Timer::Deadline(_))) { TIMER_DEADLINE } else { 0 };
        self.registers.write(INITIAL_COUNT, 0);
        self.registers.write(TIMER, u32::from(vector) | mode);
        // A deadline written right after the mode might overtake it (SDM vol. 3, 11.5.4.1): read back.
        self.registers.read(TIMER);
    }

    /// Has this CPU's timer interrupt come `nanoseconds` from now, in place of any earlier wish; a time beyond the counter's
    /// range interrupts early. Interrupts are off.
    #[inline]
    pub fn arm(&self, nanoseconds: u64) {
        match self.timer.get() {
            Some(Timer::Counter(rate)) => {
                let count = rate.ticks(nanoseconds).min(u64::from(u32::MAX)) as u32;
                self.registers.write(INITIAL_COUNT, count);
            }
            Some(Timer::Deadline(rate)) => self.registers.arm_deadline(rate.ticks(nanoseconds)),
            None => {}
        }
    }

    /// Accepts every message that names this CPU in logical mode: one bit per CPU. For destinations that are sets.
    pub fn set_logical_identifier(&self, bits: u8) {
        self.registers.write(DESTINATION_FORMAT, u32::MAX);
        self.registers.write(LOGICAL_DESTINATION, u32::from(bits) << 24);
    }
}
