//! Mapped files.

use crate::experiment::Linux;
use crate::observe::faults::{caught, text};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, last_error};
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "What is written to a private mapping of a file stays with the process, and there is no page behind the file's end.",
    experiment: "A byte is written to a mapping of a one-page file, private or shared, and read back through the file. Then the mapping's second page is \
        read, where the file has no content; and where it has, after it was made longer.",
    expected: "A shared mapping is the page cache's own page, so that the file shows the byte; a private one is copied when it is written to. The area may \
        be longer than the file, but an access beyond it has no page to be filled from: SIGBUS, not SIGSEGV, for the address is mapped.",
    observable: Observable::OneProcessor,
    linux: Linux::By("pread and the signal"),
    run,
};

const PAGE: usize = 4096;

/// A file of so many bytes, and two pages of it mapped.
fn mapped(length: i64, flags: i32) -> Result<(i32, *mut u8), Trouble> {
    let path = c"/tmp/prove-mapped";
    unsafe {
        libc::mkdir(c"/tmp".as_ptr(), 0o777);
        let file = check(libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o600))?;
        libc::unlink(path.as_ptr());
        check(libc::ftruncate(file, length))?;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let place = libc::mmap(std::ptr::null_mut(), 2 * PAGE, rights, flags, file, 0);
        if place == libc::MAP_FAILED { Err(last_error().into()) } else { Ok((file, place.cast())) }
    }
}

/// What the file holds after a byte was written to the mapping.
fn seen_in_file(flags: i32) -> Result<u8, Trouble> {
    let (file, place) = mapped(PAGE as i64, flags)?;
    let mut byte = 0_u8;
    unsafe {
        place.write_volatile(7);
        check(libc::pread(file, (&raw mut byte).cast(), 1, 0) as i64)?;
        libc::close(file);
    }
    Ok(byte)
}

/// What reading the second page earns.
fn second_page(length: i64) -> Result<String, Trouble> {
    let (file, place) = mapped(length, libc::MAP_SHARED)?;
    let fault = caught(|| unsafe { asm!("mov al, [{0}]", in(reg) place.add(PAGE), out("al") _) })?;
    unsafe { libc::close(file) };
    Ok(text(fault))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (private, shared) = lab.pair(|| seen_in_file(libc::MAP_PRIVATE), || seen_in_file(libc::MAP_SHARED))?;
    lab.mechanism("the file's byte after a private write", i32::from(private), "").equals(0, "the page was copied");
    lab.control("after a shared write", i32::from(shared), "").equals(7, "it is the file's page");
    let (beyond, within) = lab.pair(|| second_page(PAGE as i64), || second_page(2 * PAGE as i64))?;
    lab.mechanism("reading behind the end", beyond, "")
        .equals("SIGBUS BUS_ADRERR", "mapped, and nothing to fill it from");
    lab.control("reading there in a longer file", within, "").equals("no signal", "there is content");
    Ok(())
}
