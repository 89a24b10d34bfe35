//! Finding all functions.
use crate::configuration::{Configuration, Location};
use crate::function::Function;

const BUSES: u8 = 0x18;
/// Deepest nesting of bridges that is followed.
const DEEPEST: u32 = 16;

/// Shows every function of `first` bus and behind its bridges to `found`, bridges included. Bridges without bus numbers get them.
pub fn scan<'a>(configuration: &'a dyn Configuration, first: u8, found: &mut dyn FnMut(Function<'a>)) {
    let mut last = first;
    bus(configuration, first, &mut last, DEEPEST, found);
}

fn bus<'a>(
    configuration: &'a dyn Configuration,
    number: u8,
    last: &mut u8,
    depth: u32,
    found: &mut dyn FnMut(Function<'a>),
) {
    for device in 0..32 {
        let at = |function| Function::at(configuration, Location { bus: number, device, function });
        let Some(first) = at(0) else { continue };
        let functions = if first.header().1 { 8 } else { 1 };
        for function in (0..functions).filter_map(at) {
            found(function);
            if function.is_bridge() && depth > 0 {
                bridge(&function, last, depth - 1, found);
            }
        }
    }
}

fn bridge<'a>(bridge: &Function<'a>, last: &mut u8, depth: u32, found: &mut dyn FnMut(Function<'a>)) {
    let numbers = bridge.read32(BUSES);
    let mut secondary = (numbers >> 8) as u8;
    let unnumbered = secondary == 0;
    if unnumbered {
        let Some(next) = last.checked_add(1) else { return };
        secondary = next;
        // Everything goes down there until it is known what there is.
        number(bridge, secondary, 0xff);
    }
    // A number that was seen before is a loop.
    if secondary <= *last && !unnumbered {
        return;
    }
    *last = secondary;
    bus(bridge.configuration, secondary, last, depth, found);
    if unnumbered {
        number(bridge, secondary, *last);
    }
}

/// Writes a bridge's primary, secondary and last bus.
fn number(bridge: &Function<'_>, secondary: u8, subordinate: u8) {
    let latency = bridge.read32(BUSES) & 0xff00_0000;
    let numbers = u32::from(bridge.location.bus) | u32::from(secondary) << 8 | u32::from(subordinate) << 16;
    bridge.write32(BUSES, latency | numbers);
}
