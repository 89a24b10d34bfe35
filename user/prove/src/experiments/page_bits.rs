//! What the bits of a page's entry do.

use crate::experiment::Linux;
use crate::observe::faults::{caught, text};
use crate::observe::inside::walk;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, map_small};
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "The bits of a page's entry do what they say: present, writable, user, no-execute, dirty.",
    experiment: "A page is brought into the state where one bit forbids an access, which a process then makes; where the kernel shows entries, the bit is \
        read beside it. The control gives the right and makes the same access. A page that was only read is compared with one that was written to.",
    expected: "The processor looks at the bits at each access and refuses by a page fault, SIGSEGV for the program. The kernel clears and sets them for \
        mprotect, and its own half lacks the user bit. Dirty is there once the page was written to, and not before.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signals; not the bits, which no interface shows"),
    run,
};

const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const EXECUTE: i32 = libc::PROT_READ | libc::PROT_EXEC;
/// Where Linux and Birgus have the direct map: no program's.
const KERNEL: u64 = 0xffff_8880_0010_0000;

/// A page that was written to, with these rights; its first byte is a return.
fn page(rights: i32) -> Result<u64, Trouble> {
    let page = map_small(4096)?;
    unsafe { page.write_volatile(0xc3) };
    if unsafe { libc::mprotect(page.cast(), 4096, rights) } != 0 {
        return Err(last_error().into());
    }
    Ok(page as u64)
}

type Deed = fn(u64);

fn read(place: u64) {
    unsafe { asm!("mov al, [{0}]", in(reg) place, out("al") _) };
}

fn write(place: u64) {
    unsafe { asm!("mov byte ptr [{0}], 0xc3", in(reg) place) };
}

fn execute(place: u64) {
    unsafe { asm!("call {0}", in(reg) place, clobber_abi("C")) };
}

/// Whether the entry at an address has a bit, where that is shown: `set`, `clear`.
fn bit(place: u64, flag: &str) -> Result<Option<&'static str>, Trouble> {
    match walk(place) {
        Ok(walk) => {
            let set = walk.steps.last().is_some_and(|step| step.has(flag));
            Ok(Some(if set { "set" } else { "clear" }))
        }
        Err(Trouble::NotObservable(_)) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// The signal of a deed, and the bit.
type Tried = (String, Option<&'static str>);

fn tried(place: u64, flag: &str, deed: Deed) -> Result<Tried, Trouble> {
    let bit = bit(place, flag)?;
    let signal = text(caught(|| deed(place))?);
    Ok((signal.split(' ').next().unwrap_or_default().to_owned(), bit))
}

fn touched(deed: Deed) -> Result<Option<&'static str>, Trouble> {
    let page = map_small(4096)? as u64;
    deed(page);
    bit(page, "dirty")
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let own = page(WRITE)?;
    // The bit, how it stands where it forbids, the page that it forbids, the page that allows, the deed.
    let rows: [(&str, &str, u64, u64, Deed); 4] = [
        ("present", "clear", page(libc::PROT_NONE)?, page(READ)?, read),
        ("writable", "clear", page(READ)?, page(WRITE)?, write),
        ("no-execute", "set", page(WRITE)?, page(EXECUTE)?, execute),
        ("user", "clear", KERNEL, own, read),
    ];
    let mut shown = true;
    for (flag, state, forbidden, allowed, deed) in rows {
        let (refused, granted) = lab.pair(|| tried(forbidden, flag, deed), || tried(allowed, flag, deed))?;
        let text = if state == "set" { format!("with {flag}") } else { format!("without {flag}") };
        lab.mechanism(text, refused.0, "").equals("SIGSEGV", "the processor refuses the access");
        lab.control(format!("{flag} the other way"), granted.0, "").equals("no", "it lets the access pass");
        if let (Some(refused), Some(granted)) = (refused.1, granted.1) {
            lab.mechanism(format!("the bit {flag} then"), refused, "").equals(state, "that is what forbids");
            lab.control(format!("the bit {flag} the other way"), granted, "").differs(state, "that is what allows");
        } else {
            shown = false;
        }
    }
    let (written, only_read) = lab.pair(|| touched(write), || touched(read))?;
    if let (true, Some(written), Some(only_read)) = (shown, written, only_read) {
        lab.mechanism("dirty, of a page written to", written, "").equals("set", "whoever writes it back has to know");
        lab.control("dirty, of a page only read", only_read, "").equals("clear", "nothing is to be written back");
    } else {
        lab.unobserved("the bits themselves: this kernel does not show entries");
    }
    Ok(())
}
