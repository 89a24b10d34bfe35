//! An earlier Birgus: a commit of this repository, built by its own tool in a folder of the cache.
//!
//! Only the kernel is kept, by the commit's name: what it is built in has gigabytes, and is deleted.

use crate::paths::{Paths, create_folder};
use crate::program::{Program, tail};
use crate::say;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// The full name of the commit that a person calls so.
pub fn find(paths: &Paths, name: &str) -> Option<String> {
    let revision = format!("{name}^{{commit}}");
    let git = Program::new("git").args(["rev-parse", "--verify", "--quiet", "--end-of-options", &revision]);
    let said = git.folder(&paths.source).text().ok()?;
    (!name.is_empty()).then(|| said.trim().to_owned())
}

/// A commit's kernel, its symbols beside it.
pub fn kernel(paths: &Paths, commit: &str) -> Result<PathBuf> {
    let done = paths.cache.join("commits").join(commit);
    let image = done.join("birgus");
    if !image.exists() {
        let folder = paths.cache_folder(&format!("commits/{commit}.{}", std::process::id()))?;
        let built = build(paths, commit, &folder).and_then(|part| {
            // Another run may have been faster.
            if fs::rename(&part, &done).is_err() {
                ensure!(image.exists(), "cannot write {}", done.display());
            }
            Ok(())
        });
        let _ = fs::remove_dir_all(&folder);
        built.with_context(|| format!("commit {commit} does not build, so there is nothing to compare with"))?;
    }
    Ok(image)
}

/// Builds in `folder`; answers the folder there that is to be kept.
fn build(paths: &Paths, commit: &str, folder: &Path) -> Result<PathBuf> {
    let _step = say::step(format!("building the kernel of commit {}", &commit[..commit.len().min(12)]));
    let (source, archive, part) = (folder.join("source"), folder.join("source.tar"), folder.join("part"));
    create_folder(&source)?;
    create_folder(&part)?;
    let git = Program::new("git").args(["archive", "--format=tar", commit, "-o"]).arg(&archive);
    git.folder(&paths.source).quietly()?;
    tar::Archive::new(fs::File::open(&archive)?).unpack(&source)?;
    let output = Program::new("./birgus")
        .arg("build")
        .folder(&source)
        .variable("CARGO_TARGET_DIR", folder.join("target"))
        .without_variable("BIRGUS_SOURCE")
        .output()?;
    ensure!(output.status.success(), "its `birgus build` says:\n{}", tail(&output.stderr, 12));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = said.lines();
    let image = lines.next().filter(|line| !line.is_empty()).context("its `birgus build` names no kernel")?;
    fs::copy(image, part.join("birgus")).with_context(|| format!("cannot keep {image}"))?;
    if let Some(symbols) = lines.next() {
        fs::copy(symbols, part.join("birgus.symbols")).with_context(|| format!("cannot keep {symbols}"))?;
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::{find, kernel};
    use crate::paths::Paths;
    use crate::program::Program;

    /// A repository of its own with two commits: one has no tool, one a tool that "builds".
    fn repository(folder: &std::path::Path) -> Paths {
        let source = folder.join("source");
        std::fs::create_dir_all(&source).unwrap();
        let git = |words: &[&str]| {
            let program = Program::new("git").args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(words);
            program.folder(&source).quietly().unwrap();
        };
        git(&["init", "-q", "-b", "trunk"]);
        git(&["commit", "-q", "--allow-empty", "-m", "empty"]);
        git(&["tag", "broken"]);
        let tool =
            "#!/bin/sh\nmkdir -p $CARGO_TARGET_DIR\necho kernel > $CARGO_TARGET_DIR/k\necho $CARGO_TARGET_DIR/k\n";
        std::fs::write(source.join("birgus"), tool).unwrap();
        Program::new("chmod").args(["+x", "birgus"]).folder(&source).quietly().unwrap();
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "tool"]);
        Paths { target: source.join("target"), cache: folder.join("cache"), source }
    }

    #[test]
    fn a_commit_is_built_once_and_kept() {
        let folder = std::env::temp_dir().join(format!("birgus-commit.{}", std::process::id()));
        let paths = repository(&folder);
        assert_eq!(find(&paths, "no-such"), None);
        let (good, broken) = (find(&paths, "trunk").unwrap(), find(&paths, "trunk~1").unwrap());
        assert_eq!(find(&paths, "broken"), Some(broken.clone()));
        let image = kernel(&paths, &good).unwrap();
        assert_eq!(std::fs::read_to_string(&image).unwrap(), "kernel\n");
        std::fs::write(&image, "from the cache").unwrap();
        assert_eq!(std::fs::read_to_string(kernel(&paths, &good).unwrap()).unwrap(), "from the cache");
        let said = format!("{:#}", kernel(&paths, &broken).unwrap_err());
        assert!(said.contains("does not build"), "{said}");
        let kept: Vec<_> = std::fs::read_dir(paths.cache.join("commits")).unwrap().flatten().collect();
        assert_eq!(kept.len(), 1, "what it was built in is gone");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
