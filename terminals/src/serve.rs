//! The thread of a device's line.
use crate::driver::Arrival;
use crate::terminal::{Device, Terminal};
use alloc::sync::Arc;
use sync::Registrations;
use task::kernel_threads::{self, Role};
use tty::Effects;

/// Starts it. False without memory.
pub fn start(terminal: Arc<Terminal>) -> bool {
    let served = terminal.clone();
    kernel_threads::spawn(format_args!("{}", terminal.name()), Role::Free, move || {
        if let Some(device) = &served.device {
            serve(&served, device);
        }
    })
    .is_some()
}

fn serve(terminal: &Terminal, device: &Device) {
    let Some(mut registrations) = Registrations::for_current(2) else { return };
    if !(registrations.add(device.received.arrived()) && registrations.add(device.driver.moved())) {
        return;
    }
    loop {
        let input = || device.received.first().is_some() && terminal.look(|state| state.discipline().accepts_input());
        let _ = registrations.wait(None, || (input() || terminal.could_pass_on()).then_some(()));
        receive(terminal, device);
        if terminal.could_pass_on() {
            let mut effects = Effects::default();
            terminal.pass_on(&mut effects);
            if effects.writable {
                terminal.own.writers.wake_all();
            }
        }
    }
}

/// Takes what came in through the line discipline, as far as it takes it.
fn receive(terminal: &Terminal, device: &Device) {
    let mut piece = [0; 256];
    while let Some(first) = device.received.first() {
        let taken = terminal.act(|state, effects| {
            let discipline = state.discipline();
            match first {
                Arrival::Byte(_) => {
                    let length = device.received.peek(&mut piece);
                    return discipline.receive(&piece[..length], effects);
                }
                Arrival::Damaged(byte) => discipline.receive_damaged(byte, effects),
                Arrival::Break => discipline.receive_break(effects),
            }
            1
        });
        device.received.remove(taken);
        if taken == 0 {
            return;
        }
    }
}
