//! File and line of an address, from the DWARF that the loaded image no longer has.

use anyhow::{Result, anyhow};
use std::path::Path;

pub struct Lines(addr2line::Loader);

impl Lines {
    /// Opens the ELF file with debugging information.
    pub fn open(file: &Path) -> Result<Self> {
        addr2line::Loader::new(file).map(Self).map_err(|error| anyhow!("{}: {error}", file.display()))
    }

    /// The function, file and line at an address, innermost first where calls were inlined.
    pub fn place(&self, address: u64) -> Option<String> {
        let mut places = Vec::new();
        let mut frames = self.0.find_frames(address).ok()?;
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.and_then(|function| function.demangle().ok().map(|name| name.into_owned()));
            let location = frame.location.and_then(|location| Some(format!("{}:{}", location.file?, location.line?)));
            if let (name, Some(location)) = (name.unwrap_or_default(), location) {
                places.push(format!("{name} {location}").trim().to_owned());
            }
        }
        if places.is_empty() {
            places.push(self.0.find_symbol(address)?.to_owned());
        }
        Some(places.join(" < "))
    }
}
