//! Finding the host's four ports by name.
//!
//! Linux lists them in sysfs, each with its name; a kernel without that folder may have named links in /dev/virtio-ports, or
//! only the bare devices, whose numbers the tool keeps in the order of `protocol::PORTS`, from 1. The device may still be
//! probing when init starts, so there are several tries, with sleep between them.

use core::ffi::CStr;
use protocol::PORTS;
use runtime::{Descriptor, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, Text, close, list_folder, open, read, sleep};

/// Tries, and milliseconds between two of them: ten seconds in all.
const TRIES: u32 = 2000;
const PAUSE: u64 = 5;

/// The open ports; none of them blocks.
pub struct Ports {
    pub control: Descriptor,
    pub input: Descriptor,
    pub output: Descriptor,
    pub error: Descriptor,
}

/// The ports, when the machine has them.
pub fn find() -> Option<Ports> {
    let mut found = [None; PORTS.len()];
    for _ in 0..TRIES {
        if try_all(&mut found) {
            let [control, input, output, error] = found;
            return Some(Ports { control: control?, input: input?, output: output?, error: error? });
        }
        sleep(PAUSE);
    }
    None
}

fn try_all(found: &mut [Option<Descriptor>; PORTS.len()]) -> bool {
    let by_name = |name: &CStr| {
        try_named(name, found);
        true
    };
    if list_folder(c"/sys/class/virtio-ports", by_name).is_err() {
        try_fixed(found);
    }
    found.iter().all(Option::is_some)
}

/// Opens the port `vportNpM` if its `name` file names one of ours.
fn try_named(device: &CStr, found: &mut [Option<Descriptor>; PORTS.len()]) {
    let mut path = Text::<128>::new();
    path.put(b"/sys/class/virtio-ports/").put(device.to_bytes()).put(b"/name");
    let Some(Ok(file)) = path.path().map(|path| open(path, O_RDONLY | O_CLOEXEC)) else {
        return;
    };
    let mut buffer = [0_u8; 64];
    let length = read(file, &mut buffer).unwrap_or(0);
    close(file);
    let name = buffer.get(..length).unwrap_or(&[]).trim_ascii_end();
    for (wanted, slot) in PORTS.iter().zip(found) {
        if slot.is_none() && wanted.as_bytes() == name {
            *slot = open_device(b"/dev/", device.to_bytes());
        }
    }
}

/// Opens the ports where their names or numbers put them.
fn try_fixed(found: &mut [Option<Descriptor>; PORTS.len()]) {
    for ((number, wanted), slot) in PORTS.iter().enumerate().zip(found) {
        if slot.is_none() {
            let number = [b'0' + number as u8 + 1];
            *slot =
                open_device(b"/dev/virtio-ports/", wanted.as_bytes()).or_else(|| open_device(b"/dev/vport0p", &number));
        }
    }
}

fn open_device(folder: &[u8], name: &[u8]) -> Option<Descriptor> {
    let mut path = Text::<128>::new();
    path.put(folder).put(name);
    open(path.path()?, O_RDWR | O_CLOEXEC | O_NONBLOCK).ok()
}
