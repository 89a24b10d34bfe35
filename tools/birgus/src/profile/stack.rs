//! Who called whom, from nothing but the order of addresses.
//!
//! A call pushes its return address and a return pops to it. A return to an address that the stack does not hold is a switch to
//! another thread: its stack is looked for among those that were left so, from the last one, and one that was never seen begins
//! empty. A thread's stack survives its time in user mode: Birgus *returns* from there. An exception or interrupt in kernel
//! mode is a break in the order that no instruction explains; the return from it pops back to there.
//!
//! Two threads that were left in the same function look alike until they return to different places; what is counted wrongly
//! until then is what both would have done in the same functions.

use super::trace::{Flow, Step};
use std::collections::HashMap;

/// A chain of calls, by the addresses of the calls; 0 is the empty one.
pub type Chain = u32;

/// A call that did not return yet.
#[derive(Clone, Copy, Debug)]
struct Frame {
    back: u64,
    /// The chain without this call.
    below: Chain,
    /// No call, but an exception in kernel mode.
    is_exception: bool,
}

/// How often each address was executed, by the calls that led there.
#[derive(Debug, Default)]
pub struct Counts {
    /// Of each chain: the chain below, and the address of its last call.
    chains: Vec<(Chain, u64)>,
    pub counts: HashMap<(Chain, u64), u64>,
    /// Instructions in user mode.
    pub user: u64,
}

impl Counts {
    /// The addresses of a chain's calls, the outermost first.
    pub fn calls(&self, mut chain: Chain) -> Vec<u64> {
        let mut calls = Vec::new();
        while let Some(&(below, call)) = chain.checked_sub(1).and_then(|index| self.chains.get(index as usize)) {
            calls.push(call);
            chain = below;
        }
        calls.reverse();
        calls
    }
}

#[derive(Debug, Default)]
pub struct Stacks {
    counts: Counts,
    known: HashMap<(Chain, u64), Chain>,
    stack: Vec<Frame>,
    chain: Chain,
    others: Vec<(Vec<Frame>, Chain)>,
    previous: Option<Step>,
}

impl Stacks {
    /// Takes the next instruction.
    pub fn step(&mut self, step: Step) {
        if let Some(previous) = self.previous.replace(step)
            && previous.is_kernel()
        {
            self.follow(previous, step);
        }
        if step.is_kernel() {
            *self.counts.counts.entry((self.chain, step.address)).or_default() += 1;
        } else {
            self.counts.user += 1;
        }
    }

    /// What was counted.
    pub fn finish(self) -> Counts {
        self.counts
    }

    fn follow(&mut self, from: Step, to: Step) {
        let is_repeated = to.address == from.address;
        match from.flow {
            Flow::Call => self.push(from.address, from.next(), false),
            Flow::Return => self.pop(to.address),
            Flow::Leave if to.is_kernel() => self.pop_exception(),
            Flow::Nothing if to.is_kernel() && to.address != from.next() && !is_repeated => {
                self.push(from.address, from.next(), true);
            }
            _ => {}
        }
    }

    fn push(&mut self, call: u64, back: u64, is_exception: bool) {
        let chains = &mut self.counts.chains;
        self.stack.push(Frame { back, below: self.chain, is_exception });
        self.chain = *self.known.entry((self.chain, call)).or_insert_with(|| {
            chains.push((self.stack.last().map_or(0, |frame| frame.below), call));
            chains.len() as Chain
        });
    }

    fn pop(&mut self, to: u64) {
        if let Some(at) = position(&self.stack, to) {
            self.cut(at);
            return;
        }
        let found =
            self.others.iter().enumerate().rev().find_map(|(index, (stack, _))| Some((index, position(stack, to)?)));
        let (stack, chain) = found.map_or_else(Default::default, |(index, _)| self.others.remove(index));
        let left = (std::mem::replace(&mut self.stack, stack), std::mem::replace(&mut self.chain, chain));
        // Below its bottom there is nothing to come back to.
        if !left.0.is_empty() {
            self.others.push(left);
        }
        if let Some((_, at)) = found {
            self.cut(at);
        }
    }

    fn pop_exception(&mut self) {
        if let Some(at) = self.stack.iter().rposition(|frame| frame.is_exception) {
            self.cut(at);
        }
    }

    /// Takes the frame and those above it away.
    fn cut(&mut self, at: usize) {
        self.chain = self.stack[at].below;
        self.stack.truncate(at);
    }
}

fn position(stack: &[Frame], back: u64) -> Option<usize> {
    stack.iter().rposition(|frame| frame.back == back && !frame.is_exception)
}

#[cfg(test)]
mod tests {
    use super::super::trace::{Flow, Step};
    use super::{Counts, Stacks};

    const KERNEL: u64 = 1 << 63;

    /// One instruction of one byte each: `(address, flow)`; addresses below 1000 are the kernel's.
    fn fold(steps: &[(u64, Flow)]) -> Counts {
        let mut stacks = Stacks::default();
        for &(address, flow) in steps {
            let address = if address < 1000 { KERNEL | address } else { address };
            stacks.step(Step { address, length: 1, flow });
        }
        stacks.finish()
    }

    /// The calls that lead to an address; it must have been executed so in one way only.
    fn path(counts: &Counts, address: u64) -> Vec<u64> {
        let chains: Vec<_> = counts.counts.keys().filter(|(_, at)| *at == KERNEL | address).collect();
        assert_eq!(chains.len(), 1, "{address}: {chains:?}");
        counts.calls(chains[0].0).iter().map(|call| call & !KERNEL).collect()
    }

    use Flow::{Call, Enter, Leave, Nothing, Return};

    #[test]
    fn calls_and_returns() {
        let counts = fold(&[(1, Call), (10, Nothing), (11, Call), (20, Return), (12, Return), (2, Nothing)]);
        assert_eq!(path(&counts, 20), [1, 11]);
        assert_eq!(path(&counts, 12), [1]);
        assert_eq!(path(&counts, 2), [0_u64; 0]);
    }

    #[test]
    fn repeated_instructions_are_no_exception() {
        let counts = fold(&[(1, Nothing), (1, Nothing), (1, Nothing), (2, Nothing)]);
        assert_eq!(counts.counts[&(0, KERNEL | 1)], 3);
        assert!(path(&counts, 2).is_empty());
    }

    #[test]
    fn exceptions_return_to_where_they_came_from() {
        let steps = [
            (1, Call),
            (10, Nothing),
            (50, Call),
            (60, Return),
            (51, Leave),
            (10, Nothing),
            (11, Return),
            (2, Nothing),
        ];
        let counts = fold(&steps);
        assert_eq!(path(&counts, 60), [1, 10, 50]);
        assert_eq!(path(&counts, 11), [1]);
        assert!(path(&counts, 2).is_empty());
    }

    #[test]
    fn a_stack_survives_user_mode_and_its_calls() {
        let counts =
            fold(&[(1, Call), (10, Leave), (1000, Call), (1500, Return), (1001, Enter), (30, Return), (2, Nothing)]);
        assert_eq!(path(&counts, 30), [1]);
        assert!(path(&counts, 2).is_empty());
        assert_eq!(counts.user, 3);
    }

    #[test]
    fn threads_find_their_stacks_again() {
        // A calls at 1 and 10; B begins, calls at 100, switches back; A goes on.
        let steps = [
            (1, Call),
            (10, Call),
            (20, Return),
            (99, Nothing),
            (100, Call),
            (20, Return),
            (11, Return),
            (2, Call),
            (20, Return),
            (101, Nothing),
        ];
        let counts = fold(&steps);
        assert_eq!(path(&counts, 11), [1]);
        assert!(path(&counts, 101).is_empty());
        assert!(path(&counts, 99).is_empty());
    }
}
