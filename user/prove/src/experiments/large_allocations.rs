//! malloc and the kernel.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "The C library takes large allocations from mmap and small ones from the heap's break, and its threshold adapts.",
    experiment: "Pieces of 1 KiB to 1 MiB are allocated in processes of their own, and it is seen whether each lies below the program's break. Then one of 256 \
        KiB is freed and allocated again. The control is a piece of 64 KiB.",
    expected: "A large piece of its own area can be given back as soon as it is freed; many areas would be dear for small ones. The threshold is 128 KiB at \
        first; freeing a larger piece shows that such pieces come and go, and raises it above that size.",
    observable: Observable::OneProcessor,
    linux: Linux::By("sbrk and the address"),
    run,
};

/// Whether a piece of that size lies in the heap, when it is allocated first, and when it is allocated again after it was freed.
fn in_heap(size: usize) -> Result<(bool, bool), Trouble> {
    let seen = run_in_child(|| unsafe {
        let start = libc::sbrk(0) as usize;
        // The heap is there.
        libc::free(libc::malloc(1));
        let lies = |piece: *mut libc::c_void| {
            let (place, end) = (piece as usize, libc::sbrk(0) as usize);
            place < end && place + (64 << 20) > start
        };
        let first = libc::malloc(size);
        let before = lies(first);
        libc::free(first);
        let second = libc::malloc(size);
        (before, lies(second))
    })?;
    seen.ok_or_else(|| Trouble::failed("a child was lost"))
}

fn place(in_heap: bool) -> &'static str {
    if in_heap { "the heap" } else { "a mapping" }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    for kibibytes in [160, 256, 1024] {
        let (large, _) = lab.pair(|| in_heap(kibibytes << 10), || in_heap(64 << 10))?;
        lab.mechanism(format!("{kibibytes} KiB come from"), place(large.0), "")
            .equals("a mapping", "above the threshold");
        lab.mechanism(format!("{kibibytes} KiB freed and allocated again"), place(large.1), "")
            .equals("the heap", "the threshold has risen");
    }
    for kibibytes in [1, 16, 64] {
        let (_, small) = lab.pair(|| in_heap(256 << 10), || in_heap(kibibytes << 10))?;
        lab.control(format!("{kibibytes} KiB come from"), place(small.0), "").equals("the heap", "below the threshold");
    }
    Ok(())
}
