//! What the kernel is, and what is registered with it.
use crate::roots::Sources;
use abi::Errno;
use abi::file::FileType;
use core::fmt::Write;
use procfs::Output;
use task::names;

/// Who built it and with what would stand in the brackets; Birgus says what it is.
pub(crate) fn version(_: &Sources, output: &mut Output) -> Result<(), Errno> {
    writeln!(
        output,
        "{} version {} (Birgus {}) {}",
        names::TYPE,
        names::RELEASE,
        env!("CARGO_PKG_VERSION"),
        names::VERSION
    )?;
    Ok(())
}

pub(crate) fn command_line(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    output.bytes(sources.command_line);
    output.bytes(b"\n");
    Ok(())
}

pub(crate) fn file_systems(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    for kind in sources.vfs.file_system_types() {
        writeln!(output, "{}\t{}", if kind.needs_device() { "" } else { "nodev" }, kind.name())?;
    }
    Ok(())
}

pub(crate) fn devices(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let kinds = [(FileType::CharacterDevice, "Character devices:\n"), (FileType::BlockDevice, "\nBlock devices:\n")];
    for (kind, title) in kinds {
        output.bytes(title.as_bytes());
        for (major, name) in sources.vfs.devices.list(kind) {
            writeln!(output, "{major:3} {name}")?;
        }
    }
    Ok(())
}

/// There is no swap, so there are no rows below the title.
pub(crate) fn swaps(_: &Sources, output: &mut Output) -> Result<(), Errno> {
    output.bytes(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    Ok(())
}

/// Modules, and disks and their parts: there are none.
pub(crate) fn no_rows(_: &Sources, _: &mut Output) -> Result<(), Errno> {
    Ok(())
}
