//! Ports of virtio consoles as files: /dev/vportNpM.
use crate::{devices, system_tree};
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags, PollEvents};
use alloc::format;
use alloc::sync::Arc;
use core::fmt::Write;
use devfs::{DevFs, Node};
use memory::{Reader, Writer};
use sync::{Once, Registrations};
use vfs::{DeviceFile, FileOperations, OpenFile};
use virtio_console::{Console, Observer, Port};

/// Linux gives the ports the first free major; programs find it in sysfs.
const MAJOR: u32 = 242;

/// Their class in sysfs.
const CLASS: &str = "virtio-ports";

static DEVICES: Once<Arc<DevFs>> = Once::new();

/// Makes nodes as ports come and go.
pub struct PortNodes;

pub static OBSERVER: PortNodes = PortNodes;

impl PortNodes {
    fn name(port: &Port) -> alloc::string::String {
        format!("vport0p{}", port.number())
    }
}

impl Observer for PortNodes {
    fn port_added(&self, port: &Arc<Port>) {
        if let Some(devices) = DEVICES.get() {
            let number = DeviceNumber::new(MAJOR, port.number());
            let node = Node { name: &Self::name(port), kind: FileType::CharacterDevice, number, permissions: 0o600 };
            let made =
                devices.make_node(&node).and_then(|()| system_tree::add_device(CLASS, &Self::name(port), number));
            if let Err(errno) = made {
                klog::warning!("{}: {errno:?}", Self::name(port));
            }
        }
    }

    fn port_removed(&self, port: &Arc<Port>) {
        if let Some(devices) = DEVICES.get() {
            system_tree::remove_device(CLASS, &Self::name(port), DeviceNumber::new(MAJOR, port.number()));
            let _ = devices.remove_node(&Self::name(port));
        }
    }

    /// Programs find the port by the name that sysfs shows.
    fn port_named(&self, port: &Arc<Port>) {
        let named = port.clone();
        let node = procfs::attribute(move |output| {
            named.with_name(|name| output.bytes(name));
            output.write_str("\n")
        });
        let _ = system_tree::add_attribute(CLASS, &Self::name(port), "name", node);
    }

    fn console_port(&self, _: &Arc<Port>) {}
}

/// Registers the ports' numbers. Before the devices are started.
///
/// # Errors
/// EBUSY.
pub fn register(devices: Arc<DevFs>) -> Result<(), Errno> {
    let numbers = DeviceNumber::new(MAJOR, 0);
    devices.superblock().vfs().devices.register(
        FileType::CharacterDevice,
        numbers,
        256,
        "virtio-portsdev",
        Arc::new(PortDevice),
    )?;
    let _ = DEVICES.set(devices);
    Ok(())
}

struct PortDevice;

struct Opened {
    console: Arc<Console>,
    port: Arc<Port>,
}

impl DeviceFile for PortDevice {
    fn open(&self, number: DeviceNumber, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let console = devices::console(0).ok_or(Errno::ENXIO)?;
        let port = console.ports().iter().find(|port| port.number() == number.minor).cloned().ok_or(Errno::ENXIO)?;
        console.open(&port)?;
        Ok(Arc::new(Opened { console, port }))
    }
}

fn may_wait(file: &OpenFile) -> bool {
    !file.flags().contains(OpenFlags::NON_BLOCKING)
}

impl FileOperations for Opened {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        self.port.read(into, may_wait(file))
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        self.port.write(from, may_wait(file))
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        if let Some(registrations) = registrations
            && !(registrations.add(self.port.readers()) && registrations.add(self.port.writers()))
        {
            return PollEvents::ERROR;
        }
        let ready = self.port.readiness();
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN | PollEvents::READ_NORMAL, ready.readable);
        events.set(PollEvents::OUT | PollEvents::WRITE_NORMAL, ready.writable);
        events.set(PollEvents::HANG_UP, ready.hung_up);
        events
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.console.close(&self.port);
    }
}
