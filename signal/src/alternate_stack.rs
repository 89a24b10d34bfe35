//! The alternate stack of a thread (`sigaltstack(2)`).
use abi::Errno;
use abi::raw::general as raw;
use abi::signal::SignalStack;

/// Smallest stack that may be set (`MINSIGSTKSZ`).
pub const MINIMUM_SIZE: u64 = 2048;

/// Where handlers with SA_ONSTACK run; none when its size is zero. fork and vfork copy it; exec, and `clone` with CLONE_VM
/// but without CLONE_VFORK, start with none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlternateStack {
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// As set: `SS_AUTODISARM`, `SS_DISABLE`.
    flags: u32,
}

impl Default for AlternateStack {
    fn default() -> Self {
        Self { address: 0, size: 0, flags: raw::SS_DISABLE }
    }
}

impl AlternateStack {
    /// What `sigaltstack` reports to a thread whose stack pointer is `rsp`.
    pub fn report(&self, rsp: u64) -> SignalStack {
        SignalStack {
            address: self.address,
            flags: self.state(rsp) | self.flags & raw::SS_AUTODISARM,
            padding: 0,
            size: self.size,
        }
    }

    /// What a signal frame records, and `rt_sigreturn` sets again.
    pub fn saved(&self) -> SignalStack {
        SignalStack { address: self.address, flags: self.flags, padding: 0, size: self.size }
    }

    /// Sets it. EPERM while it is in use; EINVAL for unknown flags; ENOMEM when too small. `rt_sigreturn` ignores these.
    pub fn set(&mut self, rsp: u64, new: &SignalStack) -> Result<(), Errno> {
        if self.in_use(rsp) {
            return Err(Errno::EPERM);
        }
        let mode = new.flags & !raw::SS_AUTODISARM;
        let (address, size) = match mode {
            raw::SS_DISABLE => (0, 0),
            0 | raw::SS_ONSTACK => (new.address, new.size),
            _ => return Err(Errno::EINVAL),
        };
        if mode != raw::SS_DISABLE && size < MINIMUM_SIZE {
            return Err(Errno::ENOMEM);
        }
        *self = Self { address, size, flags: new.flags };
        Ok(())
    }

    /// After a frame was built: `SS_AUTODISARM` takes the stack away until the handler returns.
    pub fn delivered(&mut self) {
        if self.disarms() {
            *self = Self::default();
        }
    }

    /// Whether it was set with `SS_AUTODISARM`.
    pub fn disarms(&self) -> bool {
        self.flags & raw::SS_AUTODISARM != 0
    }

    /// SS_DISABLE, SS_ONSTACK, or 0 when ready for use.
    pub(crate) fn state(&self, rsp: u64) -> u32 {
        if self.size == 0 {
            raw::SS_DISABLE
        } else if self.in_use(rsp) {
            raw::SS_ONSTACK
        } else {
            0
        }
    }

    /// Whether a handler runs on it. One that disarms itself is never in use.
    pub(crate) fn in_use(&self, rsp: u64) -> bool {
        !self.disarms() && self.contains(rsp)
    }

    /// Whether a stack pointer lies on it. The end belongs to it, the start does not: stacks grow down.
    pub(crate) fn contains(&self, rsp: u64) -> bool {
        rsp > self.address && rsp - self.address <= self.size
    }
}
