//! `/sys/kernel/debug/birgus/memory`: whose every page of RAM is, and what is kept for its next use.
//!
//! One row each: `name: value unit`. Rows in `pages` add up to the first, `total`; the others say what is set aside for the
//! kernel itself, how little of that was ever left, and what CPUs keep ready.
use core::fmt::{self, Write};
use memory::{kernel_stack, owners, page_table, slab, vmalloc, zones};
use procfs::Output;

pub(crate) fn show(output: &mut Output) -> fmt::Result {
    writeln!(output, "total: {} pages", owners::ram_pages())?;
    for (name, pages) in owners::count() {
        writeln!(output, "{name}: {pages} pages")?;
    }
    writeln!(output, "reserve: {} frames", zones::reserve())?;
    writeln!(output, "lowest_reserve: {} frames", zones::lowest_reserve())?;
    writeln!(output, "kept_stacks: {} stacks", kernel_stack::kept())?;
    writeln!(output, "kept_tables: {} tables", page_table::kept_tables())?;
    writeln!(output, "kept_ranges: {} ranges", vmalloc::waiting())?;
    let kept: usize = slab::rows().iter().map(|row| row.kept).sum();
    writeln!(output, "kept_objects: {kept} objects")
}
