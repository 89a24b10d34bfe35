//! Collects the experiments: each file of `src/experiments` is one, and its name is the experiment's.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let folder = Path::new(&here).join("src/experiments");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut stems = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            stems.push(stem.to_owned());
        }
    }
    stems.sort();
    let (mut modules, mut rows) = (String::new(), String::new());
    for stem in stems {
        let path = folder.join(format!("{stem}.rs"));
        let _ = writeln!(modules, "#[path = {:?}]\nmod {stem};", path.display().to_string());
        let _ = writeln!(rows, "    ({:?}, &{stem}::EXPERIMENT),", stem.replace('_', "-"));
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let text = format!("{modules}\npub const ALL: &[(&str, &crate::Experiment)] = &[\n{rows}];\n");
    fs::write(Path::new(&out).join("experiments.rs"), text)
}
