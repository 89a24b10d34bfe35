//! One value for each CPU.
use crate::ambient;
use crate::atomic_context::{Context, Held, Preempt};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Deref;

/// Keeps values of different CPUs out of each other's cache lines.
#[repr(align(64))]
struct Padded<T>(T);

/// A value per CPU, reached on its own CPU with context `C` held. Values of other CPUs can be read too, so `T` is `Sync`.
pub struct PerCpu<T, C: Context = Preempt> {
    slots: Box<[Padded<T>]>,
    context: PhantomData<fn() -> C>,
}

impl<T: Sync, C: Context> PerCpu<T, C> {
    /// Makes `count` values; `None` without memory.
    pub fn new(count: usize, mut make: impl FnMut(usize) -> T) -> Option<Self> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).ok()?;
        slots.extend((0..count).map(|cpu| Padded(make(cpu))));
        Some(Self { slots: slots.into_boxed_slice(), context: PhantomData })
    }

    /// This CPU's value, staying on this CPU while the guard lives.
    #[inline(always)]
    pub fn this(&self) -> Local<'_, T, C> {
        let held = Held::new();
        Local { value: &self.slots[ambient::cpu()].0, _held: held }
    }

    /// The value of CPU `cpu`.
    pub fn of(&self, cpu: usize) -> Option<&T> {
        self.slots.get(cpu).map(|slot| &slot.0)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|slot| &slot.0)
    }
}

/// This CPU's value while the context is held.
pub struct Local<'a, T, C: Context> {
    value: &'a T,
    _held: Held<C>,
}

impl<T, C: Context> Deref for Local<'_, T, C> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        self.value
    }
}
