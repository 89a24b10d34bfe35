//! Names.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::check;
use std::ffi::CStr;
use std::mem::zeroed;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Files,
    claim: "A name leads to an inode, several names to one, and the file lives until the last name and the last descriptor are gone.",
    experiment: "A file gets a second name by link. Both are asked for their inode and count of names; the file is written by one name and read by the other; then both \
        are removed while a descriptor is open. The control's second file is a copy.",
    expected: "What a file is (content, size, owner) is in the inode; a folder only holds pairs of a name and an inode's number. Removing a name counts down, and an open \
        file counts too. A copy is an inode of its own.",
    observable: Observable::OneProcessor,
    linux: Linux::By("stat and read"),
    run,
};

const FIRST: &CStr = c"/tmp/prove-first";
const SECOND: &CStr = c"/tmp/prove-second";

struct Seen {
    same: bool,
    names: u64,
    /// What was written by the first name and read by the second.
    through: i32,
    /// What can be read when no name is left.
    left: i32,
    names_left: u64,
}

fn status(path: &CStr) -> Result<libc::stat, Trouble> {
    let mut status: libc::stat = unsafe { zeroed() };
    check(unsafe { libc::stat(path.as_ptr(), &mut status) })?;
    Ok(status)
}

fn open(path: &CStr) -> Result<i32, Trouble> {
    Ok(check(unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600) })?)
}

fn first_byte(file: i32) -> i32 {
    let mut byte = 0_u8;
    if unsafe { libc::pread(file, (&raw mut byte).cast(), 1, 0) } == 1 { i32::from(byte) } else { 0 }
}

fn seen(linked: bool) -> Result<Seen, Trouble> {
    unsafe {
        libc::mkdir(c"/tmp".as_ptr(), 0o777);
        libc::unlink(FIRST.as_ptr());
        libc::unlink(SECOND.as_ptr());
        let file = open(FIRST)?;
        if linked {
            check(libc::link(FIRST.as_ptr(), SECOND.as_ptr()))?;
        }
        let other = open(SECOND)?;
        check(libc::pwrite(file, c"\x07".as_ptr().cast(), 1, 0) as i64)?;
        let (one, two) = (status(FIRST)?, status(SECOND)?);
        let through = first_byte(other);
        libc::close(file);
        libc::unlink(FIRST.as_ptr());
        libc::unlink(SECOND.as_ptr());
        let left = first_byte(other);
        let mut last: libc::stat = zeroed();
        check(libc::fstat(other, &mut last))?;
        libc::close(other);
        Ok(Seen { same: one.st_ino == two.st_ino, names: two.st_nlink, through, left, names_left: last.st_nlink })
    }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (linked, copied) = lab.pair(|| seen(true), || seen(false))?;
    lab.mechanism("names with the same inode", i32::from(linked.same), "")
        .equals(1, "link makes a name and nothing else");
    lab.mechanism("names that it counts", linked.names, "names").equals(2, "both");
    lab.mechanism("the second name shows what was written by the first", linked.through, "")
        .equals(7, "it is one file");
    lab.mechanism("what can be read when no name is left", linked.left, "").equals(7, "a descriptor is open");
    lab.mechanism("names that it counts then", linked.names_left, "names").equals(0, "only the descriptor holds it");
    lab.control("two files with the same inode", i32::from(copied.same), "").equals(0, "each has its own");
    lab.control("names that each counts", copied.names, "name").equals(1, "its own");
    lab.control("the second file shows of the first", copied.through, "").equals(0, "it is another file");
    Ok(())
}
