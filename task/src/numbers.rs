//! Things by their numbers: two steps to each, however many there are.
//!
//! Leaves hold 64 numbers in order, with a mask of those that are there. The one that was emptied last is kept for the next, since
//! most processes end before another begins.
use crate::tree::Pid;
use alloc::boxed::Box;
use alloc::vec::Vec;

const WAYS: usize = 64;

/// Places for leaves from the beginning: those of all numbers below Linux's usual `kernel.pid_max`. A page, which need not grow in the
/// midst of things.
const FIRST_LEAVES: usize = 32768 / WAYS;

struct Leaf<T> {
    /// A bit for each number that is there.
    present: u64,
    values: [Option<T>; WAYS],
}

impl<T> Leaf<T> {
    fn new() -> Box<Self> {
        Box::new(Self { present: 0, values: [const { None }; WAYS] })
    }
}

/// A map from numbers of tasks to `T`, in order.
pub(crate) struct Numbers<T> {
    leaves: Vec<Option<Box<Leaf<T>>>>,
    /// A bit for each leaf that is there.
    present: Vec<u64>,
    spare: Option<Box<Leaf<T>>>,
    count: usize,
}

fn split(number: Pid) -> (usize, usize) {
    (number as usize / WAYS, number as usize % WAYS)
}

impl<T> Numbers<T> {
    pub const fn new() -> Self {
        Self { leaves: Vec::new(), present: Vec::new(), spare: None, count: 0 }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub fn get(&self, number: Pid) -> Option<&T> {
        let (leaf, place) = split(number);
        self.leaves.get(leaf)?.as_ref()?.values[place].as_ref()
    }

    #[inline]
    pub fn get_mut(&mut self, number: Pid) -> Option<&mut T> {
        let (leaf, place) = split(number);
        self.leaves.get_mut(leaf)?.as_mut()?.values[place].as_mut()
    }

    pub fn contains(&self, number: Pid) -> bool {
        self.get(number).is_some()
    }

    /// Puts a value in, in place of one that was there.
    pub fn insert(&mut self, number: Pid, value: T) {
        let (leaf, place) = split(number);
        if leaf >= self.leaves.len() {
            let leaves = (leaf + 1).max(FIRST_LEAVES);
            self.leaves.resize_with(leaves, || None);
            self.present.resize(leaves.div_ceil(WAYS), 0);
        }
        let spare = &mut self.spare;
        let entries = self.leaves[leaf].get_or_insert_with(|| spare.take().unwrap_or_else(Leaf::new));
        entries.present |= 1 << place;
        self.count += usize::from(entries.values[place].replace(value).is_none());
        self.present[leaf / WAYS] |= 1 << (leaf % WAYS);
    }

    pub fn remove(&mut self, number: Pid) -> Option<T> {
        let (leaf, place) = split(number);
        let slot = self.leaves.get_mut(leaf)?;
        let entries = slot.as_mut()?;
        let removed = entries.values[place].take()?;
        entries.present &= !(1 << place);
        if entries.present == 0 {
            self.spare = slot.take();
            self.present[leaf / WAYS] &= !(1 << (leaf % WAYS));
        }
        self.count -= 1;
        Some(removed)
    }

    /// Gives back what is kept for numbers to come.
    pub fn give_back(&mut self) {
        self.spare = None;
    }

    /// The first number of at least `from` that has a value, and that.
    pub fn first_from(&self, from: Pid) -> Option<(Pid, &T)> {
        let (leaf, place) = split(from);
        self.first_in(leaf, place).or_else(|| self.first_in(self.next_leaf(leaf + 1)?, 0))
    }

    /// The first value of a leaf from a place on.
    fn first_in(&self, leaf: usize, from: usize) -> Option<(Pid, &T)> {
        let entries = self.leaves.get(leaf)?.as_ref()?;
        let place = (entries.present & u64::MAX << from).trailing_zeros() as usize;
        let value = entries.values.get(place)?.as_ref()?;
        Some(((leaf * WAYS + place) as Pid, value))
    }

    /// The first leaf from `from` on that is there.
    fn next_leaf(&self, from: usize) -> Option<usize> {
        let (first, bit) = (from / WAYS, from % WAYS);
        let words = self.present.get(first..)?.iter().zip(first..);
        words
            .map(|(&word, index)| (if index == first { word & u64::MAX << bit } else { word }, index))
            .find(|&(word, _)| word != 0)
            .map(|(word, index)| index * WAYS + word.trailing_zeros() as usize)
    }

    /// All values, by number.
    pub fn values(&self) -> impl Iterator<Item = &T> + '_ {
        let mut from = Some(0);
        core::iter::from_fn(move || {
            let (number, value) = self.first_from(from?)?;
            from = number.checked_add(1);
            Some(value)
        })
    }
}

impl<T> core::fmt::Debug for Numbers<T> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{} numbers", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32),
        Remove(u32),
        GiveBack,
    }

    fn step() -> impl Strategy<Value = Step> {
        // Few leaves, so that they are emptied, and numbers at their edges.
        let number = || prop_oneof![0..200u32, 4090..4100u32, Just(32767), Just(70000)];
        prop_oneof![4 => number().prop_map(Step::Insert), 4 => number().prop_map(Step::Remove), 1 => Just(Step::GiveBack)]
    }

    proptest! {
        #[test]
        fn as_a_tree_would(steps in proptest::collection::vec(step(), 0..300), from in 0..5000u32) {
            let (mut numbers, mut model) = (Numbers::new(), BTreeMap::new());
            for (value, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(number) => {
                        numbers.insert(number, value);
                        model.insert(number, value);
                    }
                    Step::Remove(number) => prop_assert_eq!(numbers.remove(number), model.remove(&number)),
                    Step::GiveBack => numbers.give_back(),
                }
                prop_assert_eq!(numbers.len(), model.len());
            }
            prop_assert!(numbers.values().eq(model.values()));
            let first = model.range(from..).next().map(|(&number, value)| (number, value));
            prop_assert_eq!(numbers.first_from(from), first);
            for number in 0..4200 {
                prop_assert_eq!(numbers.get(number), model.get(&number));
            }
        }
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let mut numbers = Numbers::new();
        (0..1000).for_each(|number| numbers.insert(number, number));
        (1..1000).for_each(|number| assert_eq!(numbers.remove(number), Some(number)));
        numbers.give_back();
        assert!(numbers.spare.is_none());
        assert_eq!(numbers.leaves.iter().flatten().count(), 1);
        assert_eq!(numbers.get(0), Some(&0));
        assert_eq!(numbers.remove(999), None, "gone");
        numbers.insert(999, 5);
        assert_eq!(numbers.first_from(1), Some((999, &5)));
    }
}
