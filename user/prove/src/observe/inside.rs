//! Birgus's own files (docs/inside.md). Where they are missing, that is not observable.

use crate::Trouble;
use std::fs::{File, OpenOptions, read_to_string};
use std::io::{ErrorKind, Read, Write};

const FOLDER: &str = "/sys/kernel/debug/birgus";

fn missing(name: &str, error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::NotFound => Trouble::not_observable(format!("this kernel has no {FOLDER}/{name}")),
        _ => Trouble::failed(format!("{name}: {error}")),
    }
}

/// One of the files, as text.
pub fn text(name: &str) -> Result<String, Trouble> {
    read_to_string(format!("{FOLDER}/{name}")).map_err(|error| missing(name, &error))
}

/// How often a vector came, on all processors.
pub fn exceptions(vector: u64) -> Result<u64, Trouble> {
    let table = text("exceptions")?;
    let processors = table.lines().next().unwrap_or_default().split_whitespace().count();
    let row = table.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{vector}:")));
    let counts = row.unwrap_or_default().split_whitespace().take(processors);
    Ok(counts.filter_map(|count| count.parse::<u64>().ok()).sum())
}

/// One table on the way to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub table: u64,
    pub index: u64,
    pub entry: u64,
    /// The names of the bits that are set, each with a space before it.
    pub flags: String,
}

impl Step {
    pub fn has(&self, flag: &str) -> bool {
        self.flags.split(' ').any(|other| other == flag)
    }

    /// The physical address in the entry.
    pub fn target(&self) -> u64 {
        self.entry & 0x000f_ffff_ffff_f000
    }
}

/// The way from an address to its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    pub root: u64,
    pub steps: Vec<Step>,
    /// Where it ends, if it ends at a page.
    pub physical: Option<u64>,
    /// Where the kernel has the same bytes.
    pub direct: u64,
    /// Eight bytes read there.
    pub word: Option<u64>,
}

/// Walks as the hardware would, in the reader's address space.
pub fn walk(address: u64) -> Result<Walk, Trouble> {
    walk_by(&format!("{address:#x}"))
}

/// In another process's.
pub fn walk_of(process: i32, address: u64) -> Result<Walk, Trouble> {
    walk_by(&format!("{process} {address:#x}"))
}

fn walk_by(target: &str) -> Result<Walk, Trouble> {
    let path = format!("{FOLDER}/pagewalk");
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let mut file: File = opened.map_err(|error| missing("pagewalk", &error))?;
    file.write_all(target.as_bytes())?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Walk {
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap_or_default(),
        None => word.parse().unwrap_or_default(),
    };
    let mut walk = Walk::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["cr3", root] => walk.root = number(root),
            ["physical", at] => walk.physical = Some(number(at)),
            ["direct", at] => walk.direct = number(at),
            ["bytes", bytes @ ..] => {
                let bytes = bytes.iter().filter_map(|byte| u8::from_str_radix(byte, 16).ok());
                walk.word = bytes.collect::<Vec<_>>().try_into().ok().map(u64::from_le_bytes);
            }
            ["level", _, "table", table, "index", index, "entry", entry, flags @ ..] => walk.steps.push(Step {
                table: number(table),
                index: number(index),
                entry: number(entry),
                flags: flags.join(" "),
            }),
            _ => {}
        }
    }
    walk
}

#[cfg(test)]
mod tests {
    use super::{Step, parse};

    #[test]
    fn a_walk_is_read() {
        let walk = parse(
            "pid 5\naddress 0x0000000000400000\ncr3 0x000000000fdd1000\nlevel 4 table 0x000000000fdd1000 index 0 entry 0x000000000fdcc027 present user\n\
             page 4096\noffset 0x0\nphysical 0x000000000fcdb000\ndirect 0xffff88800fcdb000\nbytes 7f 45 4c 46 02 01 01 03\n",
        );
        let step = Step { table: 0xfdd1000, index: 0, entry: 0xfdcc027, flags: "present user".to_owned() };
        assert!(step.has("user") && !step.has("writable"));
        assert_eq!(step.target(), 0xfdcc000);
        assert_eq!(walk.steps, [step]);
        assert_eq!((walk.root, walk.physical), (0xfdd1000, Some(0xfcdb000)));
        assert_eq!(walk.word, Some(0x0301_0102_464c_457f));
    }
}
