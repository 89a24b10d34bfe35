//! Running other programs, with errors that name them and say what to do.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A program that is run to its end.
pub struct Program {
    name: String,
    command: Command,
}

impl Program {
    /// A program found through PATH (or in the folders of the superuser's programs).
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), command: Command::new(name) }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets the working folder.
    pub fn folder(mut self, folder: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn without_variable(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs it in silence; what it wrote, whatever its status.
    pub fn output(mut self) -> Result<Output> {
        self.command.stdin(Stdio::null());
        self.command
            .output()
            .map_err(|error| missing(&self.name, &error))
            .with_context(|| format!("cannot run {}", self.name))
    }

    /// Runs it in silence; its standard output. On failure the error holds the end of what it said.
    pub fn text(self) -> Result<String> {
        let name = self.name.clone();
        let output = self.output()?;
        if !output.status.success() {
            bail!("{name} failed ({}):\n{}", output.status, tail(&output.stderr, 20));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it in silence.
    pub fn quietly(self) -> Result<()> {
        self.text().map(drop)
    }

    /// Runs it in silence, with files as its standard input and output.
    pub fn filter(mut self, from: &Path, to: &Path) -> Result<()> {
        let input = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
        let file = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
        self.command.stdin(input).stdout(file).stderr(Stdio::piped());
        let child = self.command.spawn().map_err(|error| missing(&self.name, &error))?;
        let output = child.wait_with_output().with_context(|| format!("cannot run {}", self.name))?;
        if !output.status.success() {
            bail!("{} failed ({}): {}", self.name, output.status, tail(&output.stderr, 20));
        }
        Ok(())
    }

    /// Runs it with the tool's own terminal; whether it succeeded.
    pub fn openly(mut self) -> Result<bool> {
        self.command.stdin(Stdio::null());
        let status = self.command.status().map_err(|error| missing(&self.name, &error))?;
        Ok(status.success())
    }
}

fn missing(name: &str, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        anyhow::anyhow!("{name} is not installed: `birgus doctor` prints the command that installs it")
    } else {
        anyhow::anyhow!("{name}: {error}")
    }
}

/// The last lines of what a program said.
pub fn tail(bytes: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Whether a program can be found.
pub fn exists(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
