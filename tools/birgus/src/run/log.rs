//! The machine's serial line: kept for a report, shown or saved on request.

use super::options::Request;
use super::streams::{Target, write_to};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;

/// What is kept; older bytes are dropped.
const KEPT: usize = 1 << 20;

pub struct Log {
    bytes: Vec<u8>,
    verbose: bool,
    file: Option<File>,
}

impl Log {
    pub fn new(request: &Request) -> Result<Self> {
        let create = |path| File::create(path).with_context(|| format!("cannot write the log {path:?}"));
        Ok(Self { bytes: Vec::new(), verbose: request.verbose, file: request.log.as_ref().map(create).transpose()? })
    }

    /// Takes bytes of the line; `is_terminal` when it is where the command writes.
    pub fn add(&mut self, bytes: &[u8], is_terminal: bool) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes).context("cannot write the log")?;
        }
        if is_terminal {
            let _ = write_to(Target::Output, bytes);
        } else if self.verbose {
            let _ = write_to(Target::Error, bytes);
        }
        Ok(())
    }

    /// All that is kept, as lines.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).replace('\r', "")
    }

    /// The wait status that init reports on a console without ports.
    pub fn console_status(&self) -> Option<u32> {
        let text = self.text();
        let (_, after) = text.rsplit_once("init: wait status ")?;
        after.lines().next()?.trim().parse().ok()
    }
}
