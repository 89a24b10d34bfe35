//! The kernel's half of the address space.

use crate::experiment::Linux;
use crate::observe::faults::{Fault, caught, text};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, map, pipe};
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "A kernel address cannot be read or written from user mode, mapped or not, by the program or by a call on its behalf.",
    experiment: "A program reads and writes at addresses of the upper half: where the kernel's text is, in the direct map, and where \
        nothing is. It also hands such an address to write(2) as the buffer. The same is done at an address of its own.",
    expected: "The kernel is mapped in every address space, but its entries lack the user bit. So the processor faults, with \
        the error code's bit for user mode (4) set, and the kernel answers SIGSEGV without saying whether anything is there: \
        always SEGV_MAPERR. write answers EFAULT.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal and its context (REG_ERR)"),
    run,
};

/// Where both kernels have their text; the start of the direct map without randomisation, as Linux documents it; an empty place.
const ADDRESSES: [(&str, usize); 3] = [
    ("the kernel's text", 0xffff_ffff_8100_0000),
    ("the direct map", 0xffff_8880_0010_0000),
    ("an empty place", 0xffff_c000_0000_0000),
];

fn read(address: usize) -> Result<Option<Fault>, Trouble> {
    caught(|| unsafe { asm!("mov al, [{0}]", in(reg) address, out("al") _) })
}

fn written(address: usize) -> Result<Option<Fault>, Trouble> {
    caught(|| unsafe { asm!("mov byte ptr [{0}], 0", in(reg) address) })
}

/// The error number of a write of a byte from there; 0 for none.
fn handed_over(address: usize) -> Result<i32, Trouble> {
    let (source, sink) = pipe()?;
    let answer = unsafe { libc::write(sink, address as *const libc::c_void, 1) };
    let errno = if answer == 1 { 0 } else { last_error().0 };
    unsafe { (libc::close(source), libc::close(sink)) };
    Ok(errno)
}

/// What reading, writing and handing over earn.
fn all(address: usize) -> Result<(Option<Fault>, Option<Fault>, i32), Trouble> {
    Ok((read(address)?, written(address)?, handed_over(address)?))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let own = map(4096)? as usize;
    let mut last = None;
    for (name, address) in ADDRESSES {
        let ((read, written, handed), control) = lab.pair(|| all(address), || all(own))?;
        let right = |fault: Option<Fault>| fault.is_some_and(|fault| fault.address == address as u64);
        lab.mechanism(format!("reading {name}"), text(read), "")
            .equals("SIGSEGV SEGV_MAPERR", "it is not the program's");
        let error = |fault: Option<Fault>| fault.map_or(0, |fault| fault.error & !1);
        let why = "user mode, reading (whether something is there, bit 0, is left out: some kernels hide it)";
        lab.mechanism(format!("reading {name}: error code"), error(read), "").equals(4, why);
        lab.mechanism(format!("writing {name}: error code"), error(written), "").equals(6, "user mode, writing");
        let told = i32::from(right(read) && right(written));
        lab.mechanism(format!("{name}: the fault names the address"), told, "").equals(1, "CR2 goes into si_addr");
        lab.mechanism(format!("write(2) from {name}"), handed, "errno")
            .equals(libc::EFAULT, "the kernel checks pointers");
        last = Some(control);
    }
    if let Some((read, written, handed)) = last {
        lab.control("reading an address of its own", text(read), "").equals("no signal", "it is the program's");
        lab.control("writing there", text(written), "").equals("no signal", "it is the program's");
        lab.control("write(2) from there", handed, "errno").equals(0, "it is the program's");
    }
    Ok(())
}
