//! Random bytes from the host (virtio 1.2, 5.4).
//!
//! One buffer is always with the host, so that the bytes for the next caller are usually there already: at boot, where nothing
//! can wait, [`Entropy::take`] is asked once after other start-up work has been done. Bytes are given out once, and wiped.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::sync::Arc;
use dma::{Buffer, Buffers};
use irq::{Handled, Handler};
use memory::Frame;
use memory::frame::Use;
use sync::{InterruptsOff, Rank, Sleep, SpinLock, WaitError, WaitQueue};
use virtio::{Device, Error, Queue, Transport};

/// Bytes asked for at a time: enough to seed a generator of 256 bits twice.
const REQUEST: usize = 64;

/// Bytes from the host that nobody has had.
struct Fresh {
    buffer: Buffer,
    start: usize,
    end: usize,
}

struct State {
    queue: Queue<()>,
    fresh: Option<Fresh>,
}

/// A source of random bytes.
pub struct Entropy {
    device: Device,
    state: SpinLock<State, InterruptsOff>,
    waiters: WaitQueue,
}

impl Entropy {
    /// Starts the device, and asks for the first bytes.
    pub fn start(transport: Arc<dyn Transport>) -> Result<Arc<Self>, Error> {
        let device = Device::start(transport, 0)?;
        let queue = device.queue(0, 8);
        let buffer = Frame::allocate_zeroed_for(Use::Devices).and_then(|frame| Buffer::new(frame, 0, REQUEST, true));
        let (Ok(queue), Some(buffer)) = (queue, buffer) else {
            device.fail();
            return Err(Error::Queue);
        };
        device.run();
        let mut state = State { queue, fresh: None };
        state.ask(buffer);
        let state = SpinLock::new(Rank::Device, state);
        Ok(Arc::new(Self { device, state, waiters: WaitQueue::new() }))
    }

    /// Copies what bytes are there, and answers how many. Does not sleep; any context but NMI.
    pub fn take(&self, bytes: &mut [u8]) -> usize {
        self.state.lock().take(bytes)
    }

    /// Fills `bytes`; sleeps until the host has given enough. `deadline` is in nanoseconds of `sync::now`.
    pub fn fill(&self, bytes: &mut [u8], deadline: Option<u64>) -> Result<(), WaitError> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &mut bytes[done..];
            let more = |rest: &mut [u8]| Some(self.take(rest)).filter(|&count| count > 0);
            done += self.waiters.wait(Sleep::Interruptible, deadline, || more(rest))?;
        }
        Ok(())
    }
}

impl State {
    fn ask(&mut self, buffer: Buffer) {
        // A broken queue keeps nothing, and then gives nothing.
        if self.queue.add(Buffers::from_iter([buffer]), ()).is_ok() {
            self.queue.enable_interrupts();
            self.queue.kick();
        }
    }

    fn take(&mut self, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let Some(mut fresh) = self.fresh.take().or_else(|| self.complete()) else { break };
            let length = (bytes.len() - done).min(fresh.end - fresh.start);
            let copied = fresh.buffer.read(fresh.start, &mut bytes[done..done + length]);
            fresh.buffer.write(fresh.start, &[0; REQUEST][..copied.min(REQUEST)]);
            fresh.start += copied;
            done += copied;
            if fresh.start < fresh.end && copied > 0 {
                self.fresh = Some(fresh);
            } else {
                self.ask(fresh.buffer);
            }
        }
        done
    }

    fn complete(&mut self) -> Option<Fresh> {
        let mut done = self.queue.take().ok()??;
        let buffer = done.buffers.pop()?;
        if done.written == 0 {
            // A host that gives nothing is not asked again at once: it would be asked for ever.
            return None;
        }
        let end = done.written.min(buffer.length());
        Some(Fresh { buffer, start: 0, end })
    }
}

impl Handler for Entropy {
    fn handle(&self) -> Handled {
        let cause = self.device.take_interrupt();
        if !cause.queues && !cause.configuration {
            return Handled::NotMine;
        }
        let news = self.state.lock().queue.has_news();
        if news {
            self.waiters.wake_all();
        }
        Handled::Mine
    }

    fn name(&self) -> &str {
        "virtio-rng"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dma::device_side::DeviceRing;
    use virtio::model::Model;
    use virtio::{InterruptCause, feature};

    fn give(model: &Model, ring: &mut DeviceRing, bytes: &[u8]) -> bool {
        let Some(request) = ring.receive() else { return false };
        let length = request.reply(bytes);
        if ring.complete(u32::from(request.head), length) {
            model.interrupt(InterruptCause { queues: true, configuration: false });
        }
        true
    }

    #[test]
    fn bytes_are_given_out_once() {
        let model = Arc::new(Model::new(1 << feature::VERSION_1, vec![8], vec![]));
        let entropy = Entropy::start(model.clone()).unwrap();
        assert_eq!(model.take_bells(), [0]);
        let mut ring = model.ring(0).unwrap();
        let mut bytes = [0; 40];
        assert_eq!(entropy.take(&mut bytes), 0);
        assert!(give(&model, &mut ring, &(0..60).collect::<Vec<u8>>()));
        assert_eq!(entropy.handle(), Handled::Mine);
        assert_eq!(entropy.take(&mut bytes), 40);
        assert_eq!(bytes.to_vec(), (0..40).collect::<Vec<u8>>());
        assert!(!give(&model, &mut ring, &[1]), "nothing is asked for while there is something left");
        assert_eq!(entropy.take(&mut bytes), 20);
        assert_eq!(bytes[..20].to_vec(), (40..60).collect::<Vec<u8>>());
        assert_eq!(model.take_bells(), [0]);
        assert!(give(&model, &mut ring, &[9; 64]));
        entropy.fill(&mut bytes, Some(sync::now() + 1_000_000)).unwrap();
        assert_eq!(bytes, [9; 40]);
        assert_eq!(entropy.fill(&mut bytes, Some(sync::now() + 1_000_000)), Err(WaitError::TimedOut));
        assert_eq!(entropy.handle(), Handled::Mine);
        assert_eq!(entropy.handle(), Handled::NotMine);
    }

    #[test]
    fn hosts_that_give_nothing_or_lie() {
        let model = Arc::new(Model::new(1 << feature::VERSION_1, vec![8], vec![]));
        let entropy = Entropy::start(model.clone()).unwrap();
        let mut ring = model.ring(0).unwrap();
        assert!(give(&model, &mut ring, &[]));
        assert_eq!(entropy.take(&mut [0; 8]), 0);
        ring.complete(0, 65);
        assert_eq!(entropy.take(&mut [0; 8]), 0);
    }
}
