//! What a guard holds off, as types.
use crate::ambient;
use core::marker::PhantomData;

/// A context that a lock or per-CPU value is used in.
pub trait Context {
    fn enter();
    fn leave();
}

/// Preemption is held off: no other thread runs on this CPU.
#[derive(Debug)]
pub struct Preempt;
/// Softirqs are held off too.
#[derive(Debug)]
pub struct SoftirqsOff;
/// Interrupts are held off too.
#[derive(Debug)]
pub struct InterruptsOff;

impl Context for Preempt {
    #[inline(always)]
    fn enter() {
        ambient::preempt_disable();
    }
    #[inline(always)]
    fn leave() {
        ambient::preempt_enable();
    }
}

impl Context for SoftirqsOff {
    #[inline(always)]
    fn enter() {
        ambient::softirqs_disable();
    }
    #[inline(always)]
    fn leave() {
        ambient::softirqs_enable();
    }
}

impl Context for InterruptsOff {
    #[inline(always)]
    fn enter() {
        ambient::interrupts_disable();
        ambient::preempt_disable();
    }
    #[inline(always)]
    fn leave() {
        // Interrupts first, so that a reschedule that became due meanwhile happens here and not at the next tick.
        ambient::interrupts_enable();
        ambient::preempt_enable();
    }
}

/// Holds a context for a scope, without a lock; also the witness that code which needs it asks for.
#[must_use]
#[derive(Debug)]
pub struct Held<C: Context>(PhantomData<(C, *const ())>);

impl<C: Context> Held<C> {
    #[inline(always)]
    pub fn new() -> Self {
        C::enter();
        Self(PhantomData)
    }
}

impl<C: Context> Default for Held<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Context> Drop for Held<C> {
    #[inline(always)]
    fn drop(&mut self) {
        C::leave();
    }
}
