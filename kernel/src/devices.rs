//! Devices: found on their buses, given their interrupts, and handed to their drivers.
use crate::{cpus, interrupts};
use acpi_platform::Platform;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use arch::Mmio;
use irq::{Handler, Source};
use memory::PhysicalAddress;
use pci::{Aperture, Bar, Configuration, Function, Message, MessageTable, Messages, Ports, Window};
use serial::{PortRegisters, SerialPort};
use sync::{Mutex, Once, Rank};
use task::kernel_threads::{self, Role};
use virtio::{MSIX_ENTRY, MmioTransport, PciTransport, Transport, kind};
use virtio_console::{Console, Observer};
use virtio_rng::Entropy;

/// Who is told of ports.
pub type PortObserver = &'static (dyn Observer + Sync);

/// The largest part of a device's memory that is mapped at once.
const LARGEST_WINDOW: usize = 1 << 20;
/// The most that a bus's configuration space takes.
const BUS: u64 = 1 << 20;

/// Finds all devices and starts their drivers; `observer` learns of the ports of console devices. Process context.
pub fn start(platform: &Platform, observer: PortObserver) {
    for window in &platform.virtio_windows {
        let length = usize::try_from(window.length).unwrap_or(usize::MAX).min(LARGEST_WINDOW);
        let registers = memory::map_device(PhysicalAddress(window.address), length);
        let Some(transport) = registers.and_then(MmioTransport::new) else { continue };
        let source = interrupts::line(window.wiring, window.wiring.gsi, true);
        attach(transport.kind(), Arc::new(transport), source, observer);
    }
    if let Some((configuration, mut aperture)) = configuration(platform) {
        pci::scan(&*configuration, 0, &mut |function| start_function(&function, &mut aperture, observer));
    }
}

/// The way to configuration space, and addresses for devices that have none: where there are ports, there was a firmware that
/// gave all of them theirs.
fn configuration(platform: &Platform) -> Option<(Box<dyn Configuration>, Option<Aperture>)> {
    if let Some(ports) = Ports::probe() {
        return Some((Box::new(ports), None));
    }
    let low = platform.pci_apertures.iter().find(|range| range.end <= 1 << 32 && range.start >= 1 << 20);
    let window = *platform.configuration_windows.first()?;
    let map = move |bus: u8| memory::map_device(PhysicalAddress(window.address + u64::from(bus) * BUS), BUS as usize);
    let configuration = Window::new(window.first_bus, window.last_bus, Box::new(map))?;
    Some((Box::new(configuration), low.cloned().map(Aperture::new)))
}

/// Interrupt messages to local APICs (Intel SDM vol. 3, 11.11).
struct ToLocalApics;

impl Messages for ToLocalApics {
    fn compose(&self, vector: u8, cpu: usize) -> Option<Message> {
        let identifier = cpus::apic_id(cpu).filter(|&identifier| identifier <= 0xff)?;
        Some(Message { address: 0xfee0_0000 | u64::from(identifier) << 12, data: u32::from(vector) })
    }

    fn end_of_interrupt(&self) {
        if let Some(local) = interrupts::local() {
            local.end_of_interrupt();
        }
    }
}

/// Part of one of a function's memory windows.
fn window(
    function: &Function<'_>,
    aperture: Option<&mut Aperture>,
    bar: u8,
    offset: u64,
    length: usize,
) -> Option<Mmio> {
    let Bar::Memory { address, length: whole } = function.bar(bar, aperture)? else { return None };
    let inside = offset.checked_add(length as u64).is_some_and(|end| end <= whole);
    (inside && length <= LARGEST_WINDOW)
        .then(|| memory::map_device(PhysicalAddress(address + offset), length))
        .flatten()
}

fn start_function(function: &Function<'_>, aperture: &mut Option<Aperture>, observer: PortObserver) {
    klog::debug!(
        "pci {}: {:04x}:{:04x} class {:06x}",
        function.location,
        function.vendor,
        function.device,
        function.class()
    );
    if PciTransport::probe(function).is_none() {
        return;
    }
    function.enable();
    let mut map = |bar, offset, length| window(function, aperture.as_mut(), bar, offset, length);
    let table = MessageTable::new(function, Arc::new(ToLocalApics), &mut map);
    let Some(transport) = PciTransport::new(function, table.is_some(), &mut map) else {
        klog::warning!("pci {}: not a modern virtio device", function.location);
        return;
    };
    let source = table.map(|table| Source { chip: Arc::new(table), input: MSIX_ENTRY, number: None, shared: false });
    attach(transport.kind(), Arc::new(transport), source, observer);
}

fn attach(device: u32, transport: Arc<dyn Transport>, source: Option<Source>, observer: PortObserver) {
    let Some(source) = source else {
        klog::warning!("virtio: a device of type {device} has no interrupt");
        return;
    };
    let result = match device {
        kind::CONSOLE => start_console(transport, source, observer),
        kind::ENTROPY => start_entropy(transport, source),
        _ => return klog::debug!("virtio: no driver for type {device}"),
    };
    if let Err(error) = result {
        klog::error!("virtio: a device of type {device} did not start: {error:?}");
    }
}

/// Connects a handler for ever.
fn connect(source: Source, handler: Arc<dyn Handler>) {
    match interrupts::lines().map(|lines| lines.request(source, handler)) {
        Some(Ok(registration)) => drop(Box::leak(Box::new(registration))),
        other => klog::error!("no interrupt: {:?}", other.map(|result| result.err())),
    }
}

/// Console devices, in the order in which they were found: the N of /dev/vportNpM.
static CONSOLES: Mutex<Vec<Arc<Console>>> = Mutex::new(Rank::InterruptSetup, Vec::new());
static ENTROPY: Once<Arc<Entropy>> = Once::new();
static SERIAL: Once<Arc<SerialPort<PortRegisters>>> = Once::new();

/// Console device `number`.
pub fn console(number: usize) -> Option<Arc<Console>> {
    CONSOLES.lock().get(number).cloned()
}

/// The host's source of random bytes, if there is one.
pub fn entropy() -> Option<&'static Entropy> {
    ENTROPY.get().map(|entropy| &**entropy)
}

/// The first serial port, once [`start_serial`] has found it.
pub fn serial() -> Option<&'static SerialPort<PortRegisters>> {
    SERIAL.get().map(|port| &**port)
}

fn start_console(transport: Arc<dyn Transport>, source: Source, observer: PortObserver) -> Result<(), virtio::Error> {
    let console = Console::start(transport)?;
    connect(source, console.clone());
    {
        let mut consoles = CONSOLES.lock();
        consoles.try_reserve(1).map_err(|_| virtio::Error::NoMemory)?;
        consoles.push(console.clone());
    }
    console.announce(observer);
    if kernel_threads::spawn(format_args!("virtio-ports"), Role::Free, move || console.serve(observer)).is_none() {
        return Err(virtio::Error::NoMemory);
    }
    Ok(())
}

fn start_entropy(transport: Arc<dyn Transport>, source: Source) -> Result<(), virtio::Error> {
    let entropy = Entropy::start(transport)?;
    connect(source, entropy.clone());
    let _ = ENTROPY.set(entropy);
    Ok(())
}

/// Puts the first serial port under its interrupt, where there is one.
pub fn start_serial(platform: &Platform) {
    let registers = PortRegisters::new(serial::FIRST_PORT);
    if !serial::is_present(&registers) {
        return;
    }
    let wiring = platform.wiring(serial::FIRST_LINE as u8);
    let source = interrupts::line(wiring, serial::FIRST_LINE, false);
    let (Some(source), Some(port)) = (source, SerialPort::new("ttyS0", registers)) else { return };
    let port = Arc::new(port);
    connect(source, port.clone());
    let _ = SERIAL.set(port);
}
