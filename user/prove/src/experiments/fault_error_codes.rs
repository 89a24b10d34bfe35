//! What a page fault tells.

use crate::experiment::Linux;
use crate::observe::faults::{Fault, caught};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, touch};
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "A page fault tells whether a page was there, whether it was written to, whether by user mode, and whether it was to be executed.",
    experiment: "A program reads where nothing is mapped, writes to a page that may only be read, reads one that may not, and executes one that is \
        data; for each the error code and the address are taken from the signal's context. Then each page is given the right that was missing.",
    expected: "The processor pushes an error code: bit 0 for a page that was there, bit 1 for a write, bit 2 for user mode, bit 4 for a fetch; CR2 holds \
        the address. The kernel hands on both. With the right that was missing nothing faults.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal's context (REG_ERR, si_addr)"),
    run,
};

const PAGE: usize = 4096;
const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const EXECUTE: i32 = libc::PROT_READ | libc::PROT_EXEC;

#[derive(Clone, Copy)]
enum Deed {
    Read,
    Write,
    Execute,
}

/// A touched page with these rights, whose first byte is a return.
fn page(rights: i32) -> Result<*mut u8, Trouble> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, WRITE, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(last_error().into());
    }
    touch(page.cast(), PAGE);
    unsafe {
        page.cast::<u8>().write(0xc3);
        libc::mprotect(page, PAGE, rights);
    }
    Ok(page.cast())
}

fn done(deed: Deed, rights: Option<i32>) -> Result<Option<(Fault, bool)>, Trouble> {
    let place = match rights {
        Some(rights) => page(rights)? as usize,
        // Below any mapping, and above the first page.
        None => 0x9000,
    };
    let fault = match deed {
        Deed::Read => caught(|| unsafe { asm!("mov al, [{0}]", in(reg) place, out("al") _) }),
        Deed::Write => caught(|| unsafe { asm!("mov byte ptr [{0}], 0xc3", in(reg) place) }),
        Deed::Execute => caught(|| unsafe { asm!("call {0}", in(reg) place, clobber_abi("C")) }),
    }?;
    Ok(fault.map(|fault| (fault, fault.address == place as u64)))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    // What is done, the wrong rights, the right ones, and the error code that is expected; without the fetch bit, which a processor
    // sets only where it knows no-execute.
    let deeds = [
        ("reading where nothing is", Deed::Read, None, READ, 4, "SEGV_MAPERR"),
        ("writing where nothing is", Deed::Write, None, WRITE, 6, "SEGV_MAPERR"),
        ("writing to a read-only page", Deed::Write, Some(READ), WRITE, 7, "SEGV_ACCERR"),
        ("executing data", Deed::Execute, Some(WRITE), EXECUTE, 0x15, "SEGV_ACCERR"),
    ];
    for (name, deed, wrong, right, error, code) in deeds {
        let (refused, allowed) = lab.pair(|| done(deed, wrong), || done(deed, Some(right)))?;
        let told = |done: Option<(Fault, bool)>| match done {
            Some((fault, true)) => format!("{fault}, error {:#x}", fault.error),
            Some((fault, false)) => {
                format!("{fault}, error {:#x}, of another address {:#x}", fault.error, fault.address)
            }
            None => "no signal".to_owned(),
        };
        lab.mechanism(name, told(refused), "")
            .equals(format!("SIGSEGV {code}, error {error:#x}"), "the bits say what was done");
        lab.control(format!("{name}, with the right to"), told(allowed), "").equals("no signal", "nothing is missing");
    }
    Ok(())
}
