//! Settings: numbers that can be read and set, under `/proc/sys`.
use crate::node::{Node, NodeContent};
use crate::text::{Output, Text};
use abi::Errno;
use alloc::sync::Arc;
use core::fmt::Write;
use core::ops::RangeInclusive;

/// A number behind two functions.
pub struct Number<G, S> {
    get: G,
    set: S,
    range: RangeInclusive<i64>,
}

/// A node for a number in `range`: `get` reads it, `set` changes it (and may refuse).
pub fn number(
    range: RangeInclusive<i64>,
    get: impl Fn() -> i64 + Send + Sync + 'static,
    set: impl Fn(i64) -> Result<(), Errno> + Send + Sync + 'static,
) -> Node {
    Node::new(NodeContent::Text(Arc::new(Number { get, set, range })), 0o644)
}

impl<G, S> Text for Number<G, S>
where
    G: Fn() -> i64 + Send + Sync,
    S: Fn(i64) -> Result<(), Errno> + Send + Sync,
{
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let _ = writeln!(output, "{}", (self.get)());
        Ok(())
    }

    /// A decimal number (or hexadecimal behind 0x), white space around it. EINVAL. Only at the start of the file, as Linux.
    fn write(&self, bytes: &[u8], position: u64) -> Result<usize, Errno> {
        if position != 0 {
            return Ok(bytes.len());
        }
        let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
        let text = text.trim_matches(|end: char| end.is_ascii_whitespace() || end == '\0');
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Errno::EINVAL);
        }
        let value = match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => digits.parse::<u64>(),
        };
        let value = value.ok().and_then(|value| i64::try_from(value).ok()).ok_or(Errno::EINVAL)?;
        let value = if negative { -value } else { value };
        if !self.range.contains(&value) {
            return Err(Errno::EINVAL);
        }
        (self.set)(value)?;
        Ok(bytes.len())
    }
}
