//! Settings between programs' structures and the line discipline's (`ioctl_tty(2)`).
use crate::caller;
use crate::opening::Opening;
use crate::terminal::Terminal;
use abi::Errno;
use abi::terminal::{Termio, Termios as Old, Termios2};
use memory::UserPtr;
use tty::job_control::Attempt;
use tty::{Apply, Flush, Termios};

/// Which of Linux's three structures.
#[derive(Clone, Copy)]
pub enum Form {
    /// `struct termio`, of System V: TCGETA.
    Short,
    /// `struct termios`: TCGETS.
    Plain,
    /// `struct termios2`, with speeds: TCGETS2.
    WithSpeeds,
}

fn old_form(termios: &Termios) -> Old {
    Old {
        input: termios.input,
        output: termios.output,
        control: termios.control,
        local: termios.local,
        line: termios.line,
        characters: termios.characters,
    }
}

fn with_old(termios: Termios, old: &Old) -> Termios {
    Termios {
        input: old.input,
        output: old.output,
        control: old.control,
        local: old.local,
        line: old.line,
        characters: old.characters,
        ..termios
    }
}

/// Gives a program the settings.
pub fn get(termios: &Termios, form: Form, argument: usize) -> Result<(), Errno> {
    let old = old_form(termios);
    match form {
        Form::Plain => UserPtr::new(argument).write(&old),
        Form::WithSpeeds => {
            let (input_speed, output_speed) = (termios.input_speed, termios.output_speed);
            UserPtr::new(argument).write(&Termios2 { old, input_speed, output_speed })
        }
        Form::Short => {
            let mut short = Termio {
                input: old.input as u16,
                output: old.output as u16,
                control: old.control as u16,
                local: old.local as u16,
                line: old.line,
                ..Termio::default()
            };
            let characters = short.characters.len();
            short.characters.copy_from_slice(&old.characters[..characters]);
            UserPtr::new(argument).write(&short)
        }
    }
}

/// What a program wants in place of `now`. The short form says nothing of the upper halves.
fn wanted(now: Termios, form: Form, argument: usize) -> Result<Termios, Errno> {
    Ok(match form {
        Form::Plain => with_old(now, &UserPtr::new(argument).read()?).with_speeds(),
        Form::WithSpeeds => {
            let new: Termios2 = UserPtr::new(argument).read()?;
            let (input_speed, output_speed) = (new.input_speed, new.output_speed);
            Termios { input_speed, output_speed, ..with_old(now, &new.old) }.with_speeds()
        }
        Form::Short => {
            let short: Termio = UserPtr::new(argument).read()?;
            let half = |old: u32, new: u16| old & 0xffff_0000 | u32::from(new);
            let mut new = Termios {
                input: half(now.input, short.input),
                output: half(now.output, short.output),
                control: half(now.control, short.control),
                local: half(now.local, short.local),
                line: short.line,
                ..now
            };
            new.characters[..short.characters.len()].copy_from_slice(&short.characters);
            new.with_speeds()
        }
    })
}

/// TCSETS and its kin, of a line that is `opening`'s, or a master's (then nothing has to be waited for).
pub fn set(
    terminal: &Terminal,
    opening: Option<&Opening>,
    form: Form,
    apply: Apply,
    argument: usize,
) -> Result<(), Errno> {
    caller::check(terminal, Attempt::Change)?;
    let now = terminal.look(|state| *state.discipline().termios());
    let new = wanted(now, form, argument)?;
    if apply.flushes() {
        terminal.act(|state, effects| state.discipline().flush(Flush::Input, effects));
    }
    if let Some(opening) = opening.filter(|_| apply.waits()) {
        opening.drain()?;
    }
    terminal.act(|state, effects| match state.pair() {
        Some(pair) => pair.set_termios(new, effects),
        None => state.discipline().set_termios(new, effects),
    });
    if let Some(device) = &terminal.device {
        device.driver.configure(&new);
    }
    Ok(())
}
