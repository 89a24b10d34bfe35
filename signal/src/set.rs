//! Sets of signals.
use crate::number::Signal;
use core::fmt;
use core::ops::{BitAnd, BitOr, Not};

/// A set of signals as the ABI has it: bit n - 1 stands for signal n.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    pub const EMPTY: Self = Self(0);
    pub const ALL: Self = Self(u64::MAX);
    /// What no mask may hold.
    pub const KERNEL_ONLY: Self = Self::of(&[Signal::KILL, Signal::STOP]);
    /// Signals that stop by default.
    pub const STOPS: Self = Self::of(&[Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]);
    /// Signals that faulting instructions cause: taken before all others.
    pub const SYNCHRONOUS: Self =
        Self::of(&[Signal::SEGV, Signal::BUS, Signal::ILL, Signal::TRAP, Signal::FPE, Signal::SYS]);

    /// From the ABI's bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// From the ABI's bits, for a mask: without SIGKILL and SIGSTOP.
    pub const fn mask_from_bits(bits: u64) -> Self {
        Self(bits & !Self::KERNEL_ONLY.0)
    }

    pub const fn of(signals: &[Signal]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < signals.len() {
            bits |= 1 << signals[index].index();
            index += 1;
        }
        Self(bits)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    pub const fn contains(self, signal: Signal) -> bool {
        self.0 >> signal.index() & 1 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn insert(&mut self, signal: Signal) {
        self.0 |= 1 << signal.index();
    }

    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !(1 << signal.index());
    }

    /// The lowest number in it.
    pub fn first(self) -> Option<Signal> {
        // 65 for the empty set, which is no signal.
        Signal::new(self.0.trailing_zeros() + 1).ok()
    }

    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let signal = rest.first()?;
            rest.remove(signal);
            Some(signal)
        })
    }
}

impl BitOr for SignalSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for SignalSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for SignalSet {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}
