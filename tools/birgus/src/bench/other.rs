//! With what to compare: what `--vs` names.

use super::commit;
use super::report;
use super::results::Results;
use crate::paths::Paths;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Debian's Linux, measured once; its head says where.
pub const RECORDED: &str = include_str!("linux-6.1.txt");

/// With what to compare.
#[derive(Debug)]
pub enum Other {
    Nothing,
    /// Results of an earlier run.
    Results(Results),
    /// A kernel to be measured beside ours: a file, or `linux` for Debian's.
    Kernel(PathBuf),
}

/// Finds it; an earlier Birgus is built.
pub fn find(paths: &Paths, name: &str) -> Result<Other> {
    let path = Path::new(name);
    match name {
        "none" => Ok(Other::Nothing),
        "recorded" => Ok(Other::Results(Results::parse(RECORDED))),
        "linux" => Ok(Other::Kernel(path.to_owned())),
        _ if name.ends_with(".json") => Ok(Other::Results(report::read(path)?)),
        _ if path.is_file() => Ok(Other::Kernel(path.to_owned())),
        _ => match commit::find(paths, name) {
            Some(commit) => Ok(Other::Kernel(commit::kernel(paths, &commit)?)),
            None => bail!(
                "{name} is neither a file nor a commit of {}; --vs also takes recorded, linux, none, or results kept by --json",
                paths.source.display()
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Other, find};
    use crate::paths::Paths;

    #[test]
    fn names() {
        let paths = Paths::find().unwrap();
        assert!(matches!(find(&paths, "none"), Ok(Other::Nothing)));
        assert!(matches!(find(&paths, "recorded"), Ok(Other::Results(results)) if results.rows.len() > 50));
        assert!(matches!(find(&paths, "/bin/sh"), Ok(Other::Kernel(_))));
        for wrong in ["no-such-thing", "", "--help", "/no/such/file", "."] {
            let said = find(&paths, wrong).unwrap_err().to_string();
            assert!(said.contains("neither a file nor a commit"), "{said}");
        }
        assert!(find(&paths, "none.json").unwrap_err().to_string().contains("cannot read none.json"));
    }
}
