//! What all buses offer.
use dma::Addresses;

/// What an interrupt may have been about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterruptCause {
    /// A queue has completions.
    pub queues: bool,
    /// The configuration has changed.
    pub configuration: bool,
}

/// A device, seen through its bus. No method sleeps; all may be called from any context but NMI.
pub trait Transport: Send + Sync {
    /// The status register (2.1).
    fn status(&self) -> u8;
    fn set_status(&self, status: u8);
    /// The features that the device offers.
    fn features(&self) -> u64;
    /// Tells the device which of them are used.
    fn accept_features(&self, features: u64);
    /// The most descriptors that queue `index` may have; 0 where there is no such queue.
    fn queue_limit(&self, index: u16) -> u16;
    /// Gives queue `index` its memory, and starts it. False where the device will not.
    fn start_queue(&self, index: u16, at: &Addresses) -> bool;
    /// Tells the device to look at queue `index`.
    fn notify(&self, index: u16);
    /// Copies from the device's configuration; what lies beyond it reads as zeros.
    fn read_configuration(&self, offset: usize, bytes: &mut [u8]);
    /// Changes with the configuration (2.5.3).
    fn generation(&self) -> u32;
    /// Acknowledges the interrupt, and says what it was about; nothing where it was another device's.
    fn take_interrupt(&self) -> InterruptCause;
}
