//! The 8259 pair: out of the way, and silent.
use arch::Port;

/// I/O ports by number, so that a model can stand in.
pub trait Ports {
    fn read(&self, port: u16) -> u8;
    fn write(&self, port: u16, value: u8);
}

/// The machine's ports.
#[derive(Clone, Copy, Debug, Default)]
pub struct LegacyPorts;

impl Ports for LegacyPorts {
    fn read(&self, port: u16) -> u8 {
        Port::<u8>::new(port).read()
    }

    fn write(&self, port: u16, value: u8) {
        Port::<u8>::new(port).write(value);
    }
}

/// Command and data ports of the two chips.
const CHIPS: [(u16, u16); 2] = [(0x20, 0x21), (0xa0, 0xa1)];
/// Edge-triggered, cascaded, four initialisation words.
const INITIALISE: u8 = 0x11;
/// The second chip hangs on line 2 of the first.
const CASCADE: [u8; 2] = [1 << 2, 2];
const MODE_8086: u8 = 1;

/// Moves the pair's sixteen lines to vectors from `base` on (a multiple of 8), away from the exceptions, and masks them all. What
/// is spurious still comes, as lines 7 and 15. Harmless where there is no such pair.
pub fn silence_legacy(ports: &impl Ports, base: u8) {
    for (index, (command, data)) in CHIPS.into_iter().enumerate() {
        let words = [base.wrapping_add(index as u8 * 8), CASCADE[index], MODE_8086, 0xff];
        ports.write(command, INITIALISE);
        words.into_iter().for_each(|word| ports.write(data, word));
    }
}
