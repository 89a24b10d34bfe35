//! Mount options (`tmpfs(5)`).
use abi::{Errno, PAGE_SIZE};

/// How much a file system may hold; `None` for as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub pages: Option<u64>,
    pub inodes: Option<u64>,
}

/// All options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub limits: Limits,
    /// Of the root folder.
    pub permissions: u32,
    pub user: u32,
    pub group: u32,
}

/// A number with Linux's suffixes for powers of 1024.
fn number(text: &str) -> Result<u64, Errno> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return Err(Errno::EINVAL),
    };
    let value: u64 = match digits.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    }
    .map_err(|_| Errno::EINVAL)?;
    value.checked_mul(1 << shift).ok_or(Errno::EINVAL)
}

/// Zero means no limit.
fn limit(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}

impl Options {
    /// Half of `memory` pages for contents, and as many inodes.
    pub fn defaults(memory: u64) -> Self {
        let half = Some((memory / 2).max(1));
        Self { limits: Limits { pages: half, inodes: half }, permissions: 0o1777, user: 0, group: 0 }
    }

    /// Applies the comma-separated options of `mount(2)`. EINVAL for an unknown one.
    pub fn parse(mut self, data: &[u8], memory: u64) -> Result<Self, Errno> {
        let data = core::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
        for option in data.split(',').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "size" => self.limits.pages = limit(Self::size(value, memory)?),
                "nr_blocks" => self.limits.pages = limit(number(value)?),
                "nr_inodes" => self.limits.inodes = limit(number(value)?),
                "mode" => {
                    let mode = u32::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)?;
                    self.permissions = mode & abi::file::mode::PERMISSIONS;
                }
                "uid" => self.user = value.parse().map_err(|_| Errno::EINVAL)?,
                "gid" => self.group = value.parse().map_err(|_| Errno::EINVAL)?,
                // Placement, which there is no choice of.
                "huge" | "mpol" | "inode64" | "noswap" => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(self)
    }

    /// In pages: bytes, or a share of memory.
    fn size(value: &str, memory: u64) -> Result<u64, Errno> {
        if let Some(percent) = value.strip_suffix('%') {
            let percent: u64 = percent.parse().map_err(|_| Errno::EINVAL)?;
            return percent.checked_mul(memory).map(|pages| pages / 100).ok_or(Errno::EINVAL);
        }
        Ok(number(value)?.div_ceil(PAGE_SIZE as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_linuxes() {
        let options = Options::defaults(1000);
        let parse = |text: &str| options.parse(text.as_bytes(), 1000);
        assert_eq!(parse("size=1m").unwrap().limits.pages, Some(256));
        assert_eq!(parse("size=10%,mode=755").unwrap().limits.pages, Some(100));
        assert_eq!(parse("size=10%,mode=755").unwrap().permissions, 0o755);
        assert_eq!(parse("nr_inodes=0").unwrap().limits.inodes, None);
        assert_eq!(parse("").unwrap(), options);
        for wrong in ["size=", "size=1x", "colour=red", "mode=9", "size=99999999999g"] {
            assert_eq!(parse(wrong), Err(Errno::EINVAL), "{wrong}");
        }
    }
}
