//! read, write and mmap.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, last_error};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Files,
    claim: "read, write and mmap of a file see one cache: what one changes the others have at once.",
    experiment: "A file is mapped as shared. A byte is written by write and looked for in the mapping; then one is stored in the mapping and read by read, without \
        msync. The control's mapping is private, and its page was written to before.",
    expected: "The kernel keeps a page of a file once, whoever wants it: the mapping's entries point to the very frame that read copies from. A private page \
        that was written to is a copy, and hears of nothing.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what the program reads"),
    run,
};

/// What the mapping showed of a write, and what read showed of a store to the mapping.
fn seen(flags: i32) -> Result<(i32, i32), Trouble> {
    let path = c"/tmp/prove-cache";
    unsafe {
        libc::mkdir(c"/tmp".as_ptr(), 0o777);
        let file = check(libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o600))?;
        libc::unlink(path.as_ptr());
        check(libc::ftruncate(file, 4096))?;
        let place = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_WRITE, flags, file, 0);
        if place == libc::MAP_FAILED {
            return Err(last_error().into());
        }
        let place: *mut u8 = place.cast();
        place.add(2).write_volatile(9);
        check(libc::pwrite(file, c"\x05".as_ptr().cast(), 1, 0) as i64)?;
        let in_mapping = i32::from(place.read_volatile());
        place.add(1).write_volatile(6);
        let mut byte = 0_u8;
        check(libc::pread(file, (&raw mut byte).cast(), 1, 1) as i64)?;
        libc::munmap(place.cast(), 4096);
        libc::close(file);
        Ok((in_mapping, i32::from(byte)))
    }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (shared, private) = lab.pair(|| seen(libc::MAP_SHARED), || seen(libc::MAP_PRIVATE))?;
    lab.mechanism("the mapping shows what was written", shared.0, "").equals(5, "it is the same frame");
    lab.mechanism("read shows what was stored", shared.1, "").equals(6, "it is the same frame");
    lab.control("a copied page shows of a write", private.0, "").equals(0, "it is another frame");
    lab.control("read shows of a store to that", private.1, "").equals(0, "it is another frame");
    Ok(())
}
