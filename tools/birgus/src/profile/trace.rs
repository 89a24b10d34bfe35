//! The plugin's file: one word for each instruction.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What an instruction does to the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Nothing,
    Jump,
    Call,
    Return,
    Enter,
    Leave,
}

/// An instruction that was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub address: u64,
    pub length: u64,
    pub flow: Flow,
}

impl Step {
    /// Reads a word.
    pub const fn decode(word: u64) -> Self {
        // The upper bits are copies of the highest that was kept.
        let address = ((word << 16) as i64 >> 16) as u64;
        let flow = match word >> 48 & 0xf {
            1 => Flow::Jump,
            2 => Flow::Call,
            3 => Flow::Return,
            4 => Flow::Enter,
            5 => Flow::Leave,
            _ => Flow::Nothing,
        };
        Self { address, length: word >> 52 & 0xf, flow }
    }

    /// Whether it is the kernel's.
    pub const fn is_kernel(self) -> bool {
        self.address >> 63 == 1
    }

    /// The address behind it.
    pub const fn next(self) -> u64 {
        self.address.wrapping_add(self.length)
    }
}

/// Hands over each instruction of a file; a torn word at its end is left out.
pub fn read(file: &Path, mut each: impl FnMut(Step)) -> Result<()> {
    let mut file = File::open(file).context("QEMU recorded nothing (does it support plugins?)")?;
    let mut buffer = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        let length = file.read(&mut buffer[kept..])? + kept;
        let (words, rest) = buffer[..length].as_chunks::<8>();
        words.iter().for_each(|word| each(Step::decode(u64::from_le_bytes(*word))));
        let (whole, torn) = (length - rest.len(), rest.len());
        if whole == 0 {
            return Ok(());
        }
        buffer.copy_within(whole..length, 0);
        kept = torn;
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Step};

    #[test]
    fn words() {
        let step = Step::decode(0x0052_ffff_8000_1234);
        assert_eq!(step, Step { address: 0xffff_ffff_8000_1234, length: 5, flow: Flow::Call });
        assert!(step.is_kernel());
        assert_eq!(step.next(), 0xffff_ffff_8000_1239);
        assert!(!Step::decode(0x0030_0000_0040_0000).is_kernel());
    }
}
