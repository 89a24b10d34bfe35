//! The device with its ports.
use crate::control::{self, Incoming, Message};
use crate::port::Port;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use irq::{Handled, Handler};
use sync::{InterruptsOff, Rank, SpinLock, WaitQueue};
use virtio::{Device, Error, Queue, Transport};

const FEATURE_SIZE: u32 = 0;
const FEATURE_MULTIPORT: u32 = 1;
const CONFIGURATION_SIZE: usize = 0;
const CONFIGURATION_PORTS: usize = 4;
/// Ports that are set up at the most, and descriptors of each queue.
const MOST_PORTS: u32 = 64;
const QUEUE_SIZE: u16 = 64;

/// Told of what the host does with ports. From the thread that serves the device: may sleep.
pub trait Observer {
    /// A port is there; its name follows, if it has one.
    fn port_added(&self, port: &Arc<Port>);
    fn port_removed(&self, port: &Arc<Port>);
    fn port_named(&self, port: &Arc<Port>);
    /// The port carries a terminal.
    fn console_port(&self, port: &Arc<Port>);
}

struct Control {
    incoming: SpinLock<Incoming, InterruptsOff>,
    outgoing: SpinLock<Queue<()>, InterruptsOff>,
}

/// The ports with their queues, and the control queues of a device that has them.
type Queues = (Box<[Arc<Port>]>, Option<Control>);

/// A console device.
pub struct Console {
    device: Device,
    ports: Box<[Arc<Port>]>,
    control: Option<Control>,
    /// Who serves the control queue.
    server: WaitQueue,
}

impl Console {
    /// Starts the device. Its interrupt handler must be installed before [`Console::announce`].
    pub fn start(transport: Arc<dyn Transport>) -> Result<Arc<Self>, Error> {
        let device = Device::start(transport, 1 << FEATURE_SIZE | 1 << FEATURE_MULTIPORT)?;
        match Self::set_up(&device) {
            Ok((ports, control)) => {
                device.run();
                Ok(Arc::new(Self { device, ports, control, server: WaitQueue::new() }))
            }
            Err(error) => {
                device.fail();
                Err(error)
            }
        }
    }

    fn set_up(device: &Device) -> Result<Queues, Error> {
        let multiport = device.has(FEATURE_MULTIPORT);
        let most = if multiport { u32::from_le_bytes(device.configuration(CONFIGURATION_PORTS)) } else { 1 };
        let most = most.clamp(1, MOST_PORTS);
        let mut ports = Vec::new();
        ports.try_reserve_exact(most as usize).map_err(|_| Error::NoMemory)?;
        for number in 0..most {
            // Port 0 has the first two queues, then come the control queues, then the other ports' (5.3.2).
            let first = if number == 0 { 0 } else { 2 * number as u16 + 2 };
            let queues = (device.queue(first, QUEUE_SIZE), device.queue(first + 1, QUEUE_SIZE));
            match queues {
                (Ok(incoming), Ok(outgoing)) => ports.push(Arc::new(Port::new(number, incoming, outgoing))),
                (Err(error), _) | (_, Err(error)) if number == 0 => return Err(error),
                // Fewer queues than ports: the rest are out of reach.
                _ => break,
            }
        }
        let control = if multiport {
            let (incoming, outgoing) = (device.queue(2, QUEUE_SIZE)?, device.queue(3, QUEUE_SIZE)?);
            let incoming = SpinLock::new(Rank::Device, Incoming(incoming));
            Some(Control { incoming, outgoing: SpinLock::new(Rank::Device, outgoing) })
        } else {
            None
        };
        Ok((ports.into_boxed_slice(), control))
    }

    /// Tells the host that the driver is ready; from then on it says which ports there are. A device with one port only has
    /// a console port at once. False without memory.
    pub fn announce(&self, observer: &dyn Observer) -> bool {
        let Some(control) = &self.control else {
            if let Some(port) = self.ports.first() {
                port.appear();
                port.become_console();
                self.look_at_size();
                observer.port_added(port);
                observer.console_port(port);
            }
            return true;
        };
        let lent = control.incoming.lock().lend();
        lent && self.tell(0, control::DEVICE_READY, 1)
    }

    /// Handles the host's messages, for ever: the life of a thread. Ends where the device has broken its queue.
    pub fn serve(&self, observer: &dyn Observer) {
        let Some(control) = &self.control else { return };
        loop {
            self.handle_messages(observer);
            let (mut ready, mut broken) = (false, false);
            let _ = self.server.wait_interruptible(|| {
                let mut incoming = control.incoming.lock();
                broken = incoming.0.is_broken();
                ready = broken || incoming.0.enable_interrupts();
                ready
            });
            if broken {
                return;
            }
        }
    }

    /// Handles what messages there are, and answers how many.
    pub fn handle_messages(&self, observer: &dyn Observer) -> usize {
        let Some(control) = &self.control else { return 0 };
        let mut count = 0;
        loop {
            let message = control.incoming.lock().take();
            let Some(message) = message else { return count };
            self.handle_message(&message, observer);
            count += 1;
        }
    }

    fn handle_message(&self, message: &Message, observer: &dyn Observer) {
        let Some(port) = self.ports.get(message.port as usize) else {
            if message.event == control::PORT_ADD {
                self.tell(message.port, control::PORT_READY, 0);
            }
            return;
        };
        if message.event == control::PORT_ADD {
            if !port.is_present() {
                port.appear();
                self.tell(message.port, control::PORT_READY, 1);
                observer.port_added(port);
            }
            return;
        }
        if !port.is_present() {
            return;
        }
        match message.event {
            control::PORT_REMOVE => {
                port.disappear();
                observer.port_removed(port);
            }
            control::CONSOLE_PORT if message.value != 0 && !port.is_console() => {
                port.become_console();
                self.tell(message.port, control::PORT_OPEN, 1);
                observer.console_port(port);
            }
            control::RESIZE => {
                if let Some((columns, rows)) = message.size() {
                    port.set_size(columns, rows);
                }
            }
            control::PORT_OPEN => port.set_host_open(message.value != 0),
            control::PORT_NAME => {
                port.set_name(message.payload());
                observer.port_named(port);
            }
            _ => {}
        }
    }

    fn tell(&self, port: u32, event: u16, value: u16) -> bool {
        let Some(control) = &self.control else { return true };
        control::send(&mut control.outgoing.lock(), port, event, value)
    }

    /// All ports that there can be; [`Port::is_present`] says which there are.
    pub fn ports(&self) -> &[Arc<Port>] {
        &self.ports
    }

    /// Opens a port as a file. EBUSY where somebody has it open, ENXIO for one that carries a terminal, ENODEV for one that is
    /// not there.
    pub fn open(&self, port: &Port) -> Result<(), Errno> {
        if !port.is_present() {
            return Err(Errno::ENODEV);
        }
        if port.is_console() {
            return Err(Errno::ENXIO);
        }
        if port.guest_open.swap(true, Ordering::AcqRel) {
            return Err(Errno::EBUSY);
        }
        port.outgoing.lock().reclaim();
        self.tell(port.number(), control::PORT_OPEN, 1);
        Ok(())
    }

    /// The last descriptor of the opened port is closed: what was not read is lost.
    pub fn close(&self, port: &Port) {
        if port.is_present() {
            self.tell(port.number(), control::PORT_OPEN, 0);
        }
        port.guest_open.store(false, Ordering::Release);
        let _turn = port.reading.lock();
        port.incoming.lock().discard();
    }

    /// Of a device with one port, the terminal's size is in the configuration.
    fn look_at_size(&self) {
        if let (Some(port), true) = (self.ports.first(), self.device.has(FEATURE_SIZE)) {
            let [c0, c1, r0, r1] = self.device.configuration(CONFIGURATION_SIZE);
            port.set_size(u16::from_le_bytes([c0, c1]), u16::from_le_bytes([r0, r1]));
        }
    }
}

impl Handler for Console {
    fn handle(&self) -> Handled {
        let cause = self.device.take_interrupt();
        if !cause.queues && !cause.configuration {
            return Handled::NotMine;
        }
        match &self.control {
            Some(control) => {
                let news = control.incoming.lock().0.has_news();
                if news {
                    self.server.wake_all();
                }
            }
            None if cause.configuration => self.look_at_size(),
            None => {}
        }
        self.ports.iter().filter(|port| port.is_present()).for_each(|port| port.interrupt());
        Handled::Mine
    }

    fn name(&self) -> &str {
        "virtio-console"
    }
}
