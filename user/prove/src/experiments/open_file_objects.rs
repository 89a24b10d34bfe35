//! Descriptors and what they lead to.

use crate::experiment::Linux;
use crate::observe::fork;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, wait};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Files,
    claim: "fork and dup share the open file with its offset; a second open makes another.",
    experiment: "A file is read ten bytes forward: by a child through the descriptor that it got from fork, or through a dup of it. Then the \
        offset of the first descriptor is asked. The control reads through a second open of the same path.",
    expected: "A descriptor is an index into a table of references to open file objects, and the offset is in the object. fork and dup copy \
        references; open makes an object of its own for the same inode.",
    observable: Observable::OneProcessor,
    linux: Linux::By("lseek"),
    run,
};

#[derive(Clone, Copy)]
enum Way {
    Fork,
    Dup,
    Open,
}

const FILE: &std::ffi::CStr = c"/proc/self/exe";

fn read_ten(descriptor: i32) -> i32 {
    let mut bytes = [0_u8; 10];
    i32::from(unsafe { libc::read(descriptor, bytes.as_mut_ptr().cast(), 10) } != 10)
}

/// The first descriptor's offset after ten bytes were read this way.
fn offset(way: Way) -> Result<i64, Trouble> {
    let open = || check(unsafe { libc::open(FILE.as_ptr(), libc::O_RDONLY) });
    let first = open()?;
    let failed = match way {
        Way::Fork => wait(fork(|| read_ten(first))?)?,
        Way::Dup => read_ten(check(unsafe { libc::dup(first) })?),
        Way::Open => read_ten(open()?),
    };
    if failed != 0 {
        return Err(Trouble::failed("the file could not be read"));
    }
    let offset = unsafe { libc::lseek(first, 0, libc::SEEK_CUR) };
    unsafe { libc::close(first) };
    Ok(offset)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (forked, _) = lab.pair(|| offset(Way::Fork), || offset(Way::Open))?;
    let (dupped, opened) = lab.pair(|| offset(Way::Dup), || offset(Way::Open))?;
    lab.mechanism("offset after the child read", forked, "bytes").equals(10, "there is one offset for both");
    lab.mechanism("offset after reading through a dup", dupped, "bytes").equals(10, "there is one offset for both");
    lab.control("offset after reading through a second open", opened, "bytes").equals(0, "it has an offset of its own");
    Ok(())
}
