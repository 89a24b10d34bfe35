//! One direction of dependency: `cargo metadata` against the table in `tools/edges.toml`.

use super::{Context, Tally};
use crate::paths::Paths;
use crate::program::Program;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The table.
#[derive(Debug, Deserialize)]
struct Table {
    /// Crates from outside, and why.
    outside: BTreeMap<String, String>,
    /// Crates of ours, and what each may name; `*` for all.
    edges: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
    /// `dev`, `build`, or nothing.
    kind: Option<String>,
}

/// The stage.
pub fn check(context: &Context<'_>) -> Result<Tally> {
    let file = context.paths.source.join("tools/edges.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let table: Table = toml::from_str(&text).with_context(|| file.display().to_string())?;
    Ok(Tally::of_faults(&faults(&table, &metadata(context.paths)?, &context.paths.source)))
}

/// The folders of the crates that the kernel is made of, by name.
pub fn kernel_folders(paths: &Paths) -> Result<BTreeMap<String, PathBuf>> {
    let packages = metadata(paths)?.packages.into_iter();
    let inside = packages.filter(|package| is_kernel(&package.manifest_path, &paths.source));
    Ok(inside.filter_map(|package| Some((package.name, package.manifest_path.parent()?.to_owned()))).collect())
}

/// The names of the crates that the kernel is made of.
pub fn kernel_crates(paths: &Paths) -> Result<Vec<String>> {
    Ok(kernel_folders(paths)?.into_keys().collect())
}

fn metadata(paths: &Paths) -> Result<Metadata> {
    let program = Program::new("cargo").args(["metadata", "--format-version=1", "--no-deps"]).folder(&paths.source);
    serde_json::from_str(&program.text()?).context("cargo metadata")
}

/// Everything but the guest's programs and the host's side; of the latter, the format that the kernel reads.
fn is_kernel(manifest: &Path, source: &Path) -> bool {
    let inside = manifest.strip_prefix(source).unwrap_or(manifest);
    !(inside.starts_with("user") || inside.starts_with("tools")) || inside.starts_with("tools/ksyms-format")
}

fn faults(table: &Table, metadata: &Metadata, source: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for package in &metadata.packages {
        let Some(allowed) = table.edges.get(&package.name) else {
            faults.push(format!("{} is not in tools/edges.toml", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let (from, to) = (&package.name, &dependency.name);
            if dependency.path.is_some() {
                // Host tests may stand a crate beside its neighbours; what is built does not.
                if dependency.kind.as_deref() == Some("dev") {
                    continue;
                }
                if !allowed.contains("*") && !allowed.contains(to) && from != to {
                    faults.push(format!("{from} must not name {to}: no such edge in tools/edges.toml"));
                }
            } else if is_kernel(&package.manifest_path, source) && !table.outside.contains_key(to) {
                faults
                    .push(format!("{from} names {to}, which is not among the crates from outside in tools/edges.toml"));
            }
        }
    }
    let names: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let unknown = |name: &&String| *name != "*" && !names.contains(name.as_str());
    let mentioned = table.edges.keys().chain(table.edges.values().flatten()).collect::<BTreeSet<_>>();
    faults.extend(
        mentioned
            .into_iter()
            .filter(unknown)
            .map(|name| format!("tools/edges.toml names {name}, which does not exist")),
    );
    faults.extend(cycle(table).map(|name| format!("tools/edges.toml: {name} stands above itself")));
    faults
}

/// A crate that the table allows to reach itself.
fn cycle(table: &Table) -> Option<&str> {
    table.edges.keys().map(String::as_str).find(|&start| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(name) = next.pop() {
            for below in table.edges.get(name).into_iter().flatten() {
                if below == start {
                    return true;
                }
                if seen.insert(below.as_str()) {
                    next.push(below);
                }
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::{Metadata, Table, faults};
    use std::path::Path;

    const TABLE: &str = "outside = { bitflags = \"flags\" }\n[edges]\nabi = []\nmm = [\"abi\"]\nbirgus = []\n";

    fn found(table: &str, packages: &str) -> Vec<String> {
        let table: Table = toml::from_str(table).unwrap();
        let metadata: Metadata = serde_json::from_str(&format!("{{\"packages\":[{packages}]}}")).unwrap();
        faults(&table, &metadata, Path::new("/s"))
    }

    fn package(name: &str, folder: &str, dependencies: &str) -> String {
        format!(r#"{{"name":"{name}","manifest_path":"/s/{folder}/Cargo.toml","dependencies":[{dependencies}]}}"#)
    }

    fn all(abi: &str, mm: &str, birgus: &str) -> String {
        [package("abi", "abi", abi), package("mm", "mm", mm), package("birgus", "tools/birgus", birgus)].join(",")
    }

    const ABI: &str = r#"{"name":"abi","path":"/s/abi"}"#;
    const MM: &str = r#"{"name":"mm","path":"/s/mm"}"#;
    const CLAP: &str = r#"{"name":"clap","path":null}"#;

    #[test]
    fn allowed_edges_pass() {
        assert_eq!(found(TABLE, &all(r#"{"name":"bitflags","path":null}"#, ABI, CLAP)), Vec::<String>::new());
    }

    #[test]
    fn upward_edges_are_found() {
        let faults = found(TABLE, &all(MM, ABI, ""));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("abi must not name mm"), "{faults:?}");
    }

    #[test]
    fn strangers_are_found() {
        assert!(found(TABLE, &all(CLAP, "", ""))[0].contains("abi names clap"));
        assert!(found(TABLE, &[all("", "", ""), package("new", "new", "")].join(","))[0].contains("new is not in"));
        assert!(found(&format!("{TABLE}gone = []"), &all("", "", ""))[0].contains("gone, which does not exist"));
    }

    #[test]
    fn a_circle_in_the_table_is_found() {
        let table = "outside = {}\n[edges]\nabi = [\"mm\"]\nmm = [\"abi\"]\nbirgus = []\n";
        assert!(found(table, &all("", "", "")).iter().any(|fault| fault.contains("above itself")));
    }
}
