//! Mount options (Documentation/filesystems/devpts.rst).
use abi::Errno;
use alloc::string::String;
use core::fmt::Write;

/// As many as there can be: minors (`NR_UNIX98_PTY_MAX`).
const ALL: u32 = 1 << 20;

/// All options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Owner of the slaves; the opener's where not said.
    pub user: Option<u32>,
    pub group: Option<u32>,
    /// Permissions of the slaves.
    pub mode: u32,
    /// Permissions of `ptmx`.
    pub ptmx_mode: u32,
    /// How many there may be.
    pub max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { user: None, group: None, mode: 0o600, ptmx_mode: 0, max: ALL }
    }
}

impl Options {
    /// Applies the comma-separated options of `mount(2)`. EINVAL for an unknown one, and for values out of range.
    pub fn parse(mut self, data: &[u8]) -> Result<Self, Errno> {
        let text = core::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let number = || value.parse::<u32>().map_err(|_| Errno::EINVAL);
            let permissions = || u32::from_str_radix(value, 8).map(|mode| mode & 0o7777).map_err(|_| Errno::EINVAL);
            match name {
                "uid" => self.user = Some(number()?),
                "gid" => self.group = Some(number()?),
                "mode" => self.mode = permissions()?,
                "ptmxmode" => self.ptmx_mode = permissions()?,
                "max" => self.max = Some(number()?).filter(|&max| max <= ALL).ok_or(Errno::EINVAL)?,
                // Every mount is a new instance.
                "newinstance" => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(self)
    }

    /// As in `/proc/mounts`, each with a comma in front.
    pub fn show(&self, output: &mut String) {
        for (name, id) in [("uid", self.user), ("gid", self.group)] {
            if let Some(id) = id {
                let _ = write!(output, ",{name}={id}");
            }
        }
        let _ = write!(output, ",mode={:03o},ptmxmode={:03o}", self.mode, self.ptmx_mode);
        if self.max < ALL {
            let _ = write!(output, ",max={}", self.max);
        }
    }
}
