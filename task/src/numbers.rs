//! Things by their numbers: a radix tree, so that finding one among thousands costs what it costs among ten.
use crate::tree::Pid;
use cache::radix::{Radix, Refused, Spare, Tag};

/// A map from numbers of tasks to `T`, in order.
pub(crate) struct Numbers<T> {
    tree: Radix<T>,
    spare: Spare<T>,
}

impl<T> Numbers<T> {
    pub const fn new() -> Self {
        Self { tree: Radix::new(), spare: Spare::new() }
    }

    pub fn len(&self) -> usize {
        self.tree.len() as usize
    }

    #[inline]
    pub fn get(&self, number: Pid) -> Option<&T> {
        self.tree.get(number.into())
    }

    #[inline]
    pub fn get_mut(&mut self, number: Pid) -> Option<&mut T> {
        self.tree.get_mut(number.into())
    }

    pub fn contains(&self, number: Pid) -> bool {
        self.get(number).is_some()
    }

    /// Puts a value in place of one that was there.
    pub fn insert(&mut self, number: Pid, value: T) {
        let mut value = value;
        loop {
            match self.tree.insert(number.into(), value, &mut self.spare) {
                Ok(()) => return,
                Err(Refused::NeedsNodes(back)) => {
                    self.spare.fill();
                    value = back;
                }
                Err(Refused::Occupied(back)) => {
                    self.tree.remove(number.into());
                    value = back;
                }
            }
        }
    }

    pub fn remove(&mut self, number: Pid) -> Option<T> {
        self.tree.remove(number.into())
    }

    /// The first number of at least `from` that has a value, and that.
    pub fn first_from(&self, from: Pid) -> Option<(Pid, &T)> {
        let number = self.tree.next(from.into(), Tag::Present)? as Pid;
        Some((number, self.get(number)?))
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
        write!(formatter, "{} numbers", self.len())
    }
}
