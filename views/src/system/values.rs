//! Kinds of settings.
use abi::Errno;
use alloc::sync::Arc;
use core::fmt::Write;
use procfs::{Node, NodeContent, Output, Text, number, text};
use task::names::{self, Which};

/// A number that is what it is: any other is refused.
pub(crate) fn fixed(value: i64) -> Node {
    number(value..=value, move || value, |_| Ok(()))
}

/// A number to be read.
pub(crate) fn read_only(get: impl Fn() -> i64 + Send + Sync + 'static) -> Node {
    Node::text(text(move |output| writeln!(output, "{}", get())))
}

/// A text to be read.
pub(crate) fn constant(value: &'static str) -> Node {
    Node::text(text(move |output| writeln!(output, "{value}")))
}

/// The host's or domain's name.
pub(crate) struct Name(pub Which);

impl Name {
    pub fn node(which: Which) -> Node {
        Node::new(NodeContent::Text(Arc::new(Self(which))), 0o644)
    }
}

impl Text for Name {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let name = names::get(self.0);
        output.bytes(name.split(|&byte| byte == 0).next().unwrap_or_default());
        output.bytes(b"\n");
        Ok(())
    }

    /// Up to a newline or NUL; what is too long is cut, as by sysctl(8) on Linux.
    fn write(&self, bytes: &[u8], position: u64) -> Result<usize, Errno> {
        if position == 0 {
            let end = bytes.iter().position(|byte| matches!(byte, 0 | b'\n')).unwrap_or(bytes.len());
            names::set(self.0, names::padded(&bytes[..end.min(names::LONGEST)]));
        }
        Ok(bytes.len())
    }
}

/// Console levels: what reaches the console, and three that nothing here takes (4, 1 and 7, as on Linux).
pub(crate) struct ConsoleLevels;

const OTHER_LEVELS: [u8; 3] = [4, 1, 7];

impl Text for ConsoleLevels {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let [default, lowest, at_boot] = OTHER_LEVELS;
        writeln!(output, "{}\t{default}\t{lowest}\t{at_boot}", klog::console_level())?;
        Ok(())
    }

    /// EINVAL for other values of the last three.
    fn write(&self, bytes: &[u8], position: u64) -> Result<usize, Errno> {
        let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<u8>);
        let Some(first) = numbers.next().filter(|_| position == 0) else { return Ok(bytes.len()) };
        let level = first.map_err(|_| Errno::EINVAL)?;
        if !numbers.zip(OTHER_LEVELS).all(|(number, is)| number == Ok(is)) {
            return Err(Errno::EINVAL);
        }
        klog::set_console_level(level);
        Ok(bytes.len())
    }
}
