//! Writing a table: on the host only.

use crate::{ENTRY, HEADER, LONGEST_NAME, MAGIC};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its first instruction.
    pub address: u64,
    /// Its bytes; 0 if unknown.
    pub size: u64,
    /// Its name, readable.
    pub name: String,
}

/// The bytes of a table of `symbols` (in any order; of several at one address the first by name counts).
///
/// # Errors
/// The span of the addresses when it exceeds 4 GiB.
pub fn write(symbols: &[Symbol]) -> Result<Vec<u8>, u64> {
    let mut starts: BTreeMap<u64, (&str, u64)> = BTreeMap::new();
    for symbol in symbols {
        let entry = starts.entry(symbol.address).or_insert((&symbol.name, symbol.size));
        if symbol.name.as_str() < entry.0 {
            *entry = (&symbol.name, symbol.size.max(entry.1));
        }
    }
    let base = starts.keys().next().copied().unwrap_or(0);
    let mut table = Table { entries: Vec::new(), names: Vec::new(), positions: BTreeMap::new(), base };
    let mut after = starts.keys().copied().skip(1);
    for (&address, &(name, size)) in &starts {
        table.add(address, name)?;
        let next = after.next();
        let end = address.saturating_add(size);
        if size > 0 && next.is_none_or(|next| end < next) {
            table.add(end, "")?;
        }
    }
    Ok(table.finish())
}

struct Table {
    entries: Vec<u8>,
    names: Vec<u8>,
    positions: BTreeMap<String, u32>,
    base: u64,
}

impl Table {
    fn add(&mut self, address: u64, name: &str) -> Result<(), u64> {
        let span = address - self.base;
        let offset = u32::try_from(span).map_err(|_| span)?;
        let name = shorten(name);
        let position = match self.positions.get(&name) {
            Some(&position) => position,
            None => {
                let position = u32::try_from(self.names.len()).map_err(|_| span)?;
                self.names.push(u8::try_from(name.len()).unwrap_or(0));
                self.names.extend_from_slice(name.as_bytes());
                self.positions.insert(name, position);
                position
            }
        };
        self.entries.extend_from_slice(&offset.to_le_bytes());
        self.entries.extend_from_slice(&position.to_le_bytes());
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.entries.len() + self.names.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.base.to_le_bytes());
        for length in [self.entries.len() / ENTRY, self.names.len()] {
            bytes.extend_from_slice(&u32::try_from(length).unwrap_or(0).to_le_bytes());
        }
        bytes.extend_from_slice(&self.entries);
        bytes.extend_from_slice(&self.names);
        bytes
    }
}

/// The name with its middle left out if it is too long: where a function lives and what it is called stand at the ends.
fn shorten(name: &str) -> String {
    if name.len() <= LONGEST_NAME {
        return String::from(name);
    }
    let half = (LONGEST_NAME - 4) / 2;
    let head = name.floor_char_boundary(half);
    let tail = name.len() - half;
    let tail = (tail..=name.len()).find(|&at| name.is_char_boundary(at)).unwrap_or(name.len());
    let mut short = String::from(name.get(..head).unwrap_or(""));
    short.push('…');
    short.push_str(name.get(tail..).unwrap_or(""));
    short
}
