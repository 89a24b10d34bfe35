//! In which context code runs, read off the preempt word (Linux's include/linux/preempt.h).
//!
//! | | task | softirqs off | softirq | hard interrupt | NMI |
//! |---|---|---|---|---|---|
//! | `in_task` | yes | yes | | | |
//! | `in_softirq` | | yes | yes | | |
//! | `in_serving_softirq` | | | yes | | |
//! | `in_hardirq` | | | | yes | |
//! | `in_nmi` | | | | | yes |
//! | `in_interrupt` | | yes | yes | yes | yes |
//!
//! A context above others answers for them too: the word counts all that it interrupted.

/// Who serves a softirq has one of these; whoever holds softirqs off, two for each section.
pub const SOFTIRQ_ONE: u32 = 1 << 8;
pub const SOFTIRQ_OFF: u32 = 2 << 8;
pub const SOFTIRQ_MASK: u32 = 0xff << 8;
pub const HARDIRQ_MASK: u32 = 0xf << 16;
pub const NMI_MASK: u32 = 0xf << 20;

/// The preempt word, as what it says of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(u32);

impl Context {
    pub const fn of(preempt_word: u32) -> Self {
        Self(preempt_word)
    }

    pub const fn word(self) -> u32 {
        self.0
    }

    /// A program's or a kernel thread's own code, whatever it holds off.
    pub const fn in_task(self) -> bool {
        self.0 & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_ONE) == 0
    }

    /// A softirq is being served, or softirqs are off.
    pub const fn in_softirq(self) -> bool {
        self.0 & SOFTIRQ_MASK != 0
    }

    pub const fn in_serving_softirq(self) -> bool {
        self.0 & SOFTIRQ_ONE != 0
    }

    pub const fn in_hardirq(self) -> bool {
        self.0 & HARDIRQ_MASK != 0
    }

    pub const fn in_nmi(self) -> bool {
        self.0 & NMI_MASK != 0
    }

    /// Any of the last four, or softirqs are off: Linux counts that too.
    pub const fn in_interrupt(self) -> bool {
        self.0 & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_MASK) != 0
    }

    /// The topmost.
    pub const fn name(self) -> &'static str {
        match self {
            context if context.in_nmi() => "NMI",
            context if context.in_hardirq() => "hard interrupt",
            context if context.in_serving_softirq() => "softirq",
            _ => "process",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// task, softirq, serving, hardirq, nmi, interrupt
    fn answers(word: u32) -> [bool; 6] {
        let context = Context::of(word);
        [
            context.in_task(),
            context.in_softirq(),
            context.in_serving_softirq(),
            context.in_hardirq(),
            context.in_nmi(),
            context.in_interrupt(),
        ]
    }

    #[test]
    fn each_context_answers_as_linux_does() {
        const NO_RESCHEDULE: u32 = 1 << 31;
        for more in [0, 1, NO_RESCHEDULE, NO_RESCHEDULE | 0x7f] {
            assert_eq!(answers(more), [true, false, false, false, false, false]);
            assert_eq!(answers(more | SOFTIRQ_OFF), [true, true, false, false, false, true]);
            assert_eq!(answers(more | SOFTIRQ_ONE), [false, true, true, false, false, true]);
            assert_eq!(answers(more | SOFTIRQ_ONE | SOFTIRQ_OFF), [false, true, true, false, false, true]);
            assert_eq!(answers(more | 1 << 16), [false, false, false, true, false, true]);
            assert_eq!(answers(more | 1 << 20), [false, false, false, false, true, true]);
        }
    }

    #[test]
    fn an_interrupt_of_a_softirq_is_in_both() {
        let context = Context::of(SOFTIRQ_ONE | 1 << 16);
        assert!(context.in_softirq() && context.in_hardirq() && !context.in_task());
        assert_eq!(context.name(), "hard interrupt");
        assert_eq!(Context::of(SOFTIRQ_OFF).name(), "process");
    }
}
