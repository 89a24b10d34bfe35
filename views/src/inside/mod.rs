//! `/sys/kernel/debug/birgus`: looking inside. What each file says is in `docs/inside.md`; most are
//! root's alone.
//!
//! **Why here.** The formats of /proc and /sys are Linux's and say what Linux's say. What courses and experiments want beyond that
//! (the walk through the page tables, the counts of exceptions, what each stack looks like, the order of events on a CPU) has no place
//! there, and would be a guess at a format. These files are ours, and promise what their page says.
mod exceptions;
mod page_walk;
mod stacks;
mod trace_files;

use abi::Errno;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use procfs::{Listing, attribute};

pub(crate) fn register(sys: &Arc<Listing>) -> Result<(), Errno> {
    let folder = sys.below("kernel/debug/birgus")?;
    folder.add("memory", attribute(crate::accounts::show))?;
    folder.add("stubs", attribute(stubs))?;
    folder.add("exceptions", attribute(exceptions::exceptions).with_permissions(0o400))?;
    folder.add("pagewalk", page_walk::node())?;
    folder.add("stacks", stacks::node())?;
    trace_files::register(&*folder.below("trace")?)
}

/// What programs asked for that is not there, with how often.
fn stubs(output: &mut procfs::Output) -> fmt::Result {
    task::stubs().iter().try_for_each(|(name, count)| writeln!(output, "{name} {count}"))
}

/// A name as one word: whatever is not a plain character of a word, as `\x` and two digits.
struct Word<'a>(&'a [u8]);

impl fmt::Display for Word<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        for &byte in name {
            match byte {
                b'!'..=b'~' if !matches!(byte, b'\\' | b'=') => formatter.write_char(char::from(byte))?,
                _ => write!(formatter, "\\x{byte:02x}")?,
            }
        }
        if name.is_empty() { formatter.write_char('-') } else { Ok(()) }
    }
}
