//! Guest tests as data: `tests/guest/*.toml`, and the boot matrix `tests/boot/*.toml`.
//!
//! A file holds `[[case]]` tables; `[defaults]` gives any setting that a case does not. A case with several machines, processor counts,
//! sizes of memory or kernel command lines is run once in each combination. CONTRIBUTING.md lists the settings.

use crate::image::root::Root;
use crate::paths::Paths;
use crate::run::options::MachineKind;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Settings,
    case: Vec<Settings>,
}

/// What a case, or a file's defaults, may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: Option<String>,
    /// The machine.
    root: Option<String>,
    programs: Option<Vec<String>>,
    machines: Option<Vec<String>>,
    smp: Option<Vec<u16>>,
    memory: Option<Vec<u64>>,
    append: Option<Vec<String>>,
    icount: Option<bool>,
    /// A machine of its own.
    fresh: Option<bool>,
    /// The command: its words, or a line for the shell.
    command: Option<Vec<String>>,
    shell: Option<String>,
    stdin: Option<String>,
    timeout: Option<u64>,
    /// What is expected.
    status: Option<u8>,
    stdout: Option<String>,
    stderr: Option<String>,
    loss: Option<String>,
    log: Option<Vec<String>>,
    golden: Option<bool>,
    normalise: Option<Vec<[String; 2]>>,
}

/// The machine that a case needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineNeeds {
    pub root: Root,
    pub programs: Vec<String>,
    pub kind: MachineKind,
    pub smp: u16,
    /// MiB.
    pub memory: Option<u64>,
    pub append: String,
    pub icount: bool,
}

/// What must come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This status; these streams, where given.
    Said { status: u8, stdout: Option<String>, stderr: Option<String> },
    /// What Linux answered, in this file.
    Golden(PathBuf),
    /// The machine ends without a status, the report's first line starts so, and the serial log has matches of these expressions.
    Loss { start: String, log: Vec<String> },
}

/// One command in one machine.
#[derive(Clone, Debug)]
pub struct Case {
    /// `boot` or `guest`.
    pub stage: &'static str,
    name: String,
    pub machine: MachineNeeds,
    pub fresh: bool,
    pub command: Vec<String>,
    pub stdin: String,
    /// Seconds.
    pub timeout: u64,
    pub expected: Expected,
    /// Regular expressions and what to put in their place, in both Linux's and Birgus's output.
    pub normalise: Vec<[String; 2]>,
}

impl Case {
    /// Stage, file and name, and what distinguishes one combination from another.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the name contains one of these.
    pub fn matches(&self, names: &[String]) -> bool {
        names.is_empty() || names.iter().any(|name| self.name.contains(name.as_str()))
    }
}

/// All cases of the repository, in the order of files and lines.
pub fn load(paths: &Paths) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for stage in ["boot", "guest"] {
        let folder = paths.source.join("tests").join(stage);
        let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => continue,
        };
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        for file in files {
            load_file(paths, stage, &file, &mut cases).with_context(|| file.display().to_string())?;
        }
    }
    Ok(cases)
}

fn load_file(paths: &Paths, stage: &'static str, path: &Path, cases: &mut Vec<Case>) -> Result<()> {
    let file: File = toml::from_str(&fs::read_to_string(path)?)?;
    let stem = path.file_stem().context("no name")?.to_string_lossy().into_owned();
    let mut names = std::collections::HashSet::new();
    for case in file.case {
        let name = case.name.clone().context("a case without a name")?;
        ensure!(names.insert(name.clone()), "two cases are called {name}");
        let golden = paths.source.join("tests/golden").join(&stem).join(format!("{name}.txt"));
        let settings = case.over(&file.defaults);
        let whole = format!("{stage}/{stem}/{name}");
        settings.expand(stage, &whole, golden, cases).with_context(|| format!("case {name}"))?;
    }
    Ok(())
}

impl Settings {
    /// These, and `defaults` where nothing is said.
    fn over(self, defaults: &Self) -> Self {
        let d = defaults.clone();
        let has_command = self.command.is_some() || self.shell.is_some();
        Self {
            name: self.name,
            root: self.root.or(d.root),
            programs: self.programs.or(d.programs),
            machines: self.machines.or(d.machines),
            smp: self.smp.or(d.smp),
            memory: self.memory.or(d.memory),
            append: self.append.or(d.append),
            icount: self.icount.or(d.icount),
            fresh: self.fresh.or(d.fresh),
            command: if has_command { self.command } else { d.command },
            shell: if has_command { self.shell } else { d.shell },
            stdin: self.stdin.or(d.stdin),
            timeout: self.timeout.or(d.timeout),
            status: self.status.or(d.status),
            stdout: self.stdout.or(d.stdout),
            stderr: self.stderr.or(d.stderr),
            loss: self.loss.or(d.loss),
            log: self.log.or(d.log),
            golden: self.golden.or(d.golden),
            normalise: self.normalise.or(d.normalise),
        }
    }

    /// One case for each combination.
    fn expand(&self, stage: &'static str, name: &str, golden: PathBuf, cases: &mut Vec<Case>) -> Result<()> {
        let machines = self.machines.clone().unwrap_or_else(|| vec!["microvm".to_owned()]);
        let smp = self.smp.clone().unwrap_or_else(|| vec![1]);
        let memory = match &self.memory {
            Some(sizes) => sizes.iter().copied().map(Some).collect(),
            None => vec![None],
        };
        let append = self.append.clone().unwrap_or_else(|| vec![String::new()]);
        for kind in &machines {
            for (&smp, &memory) in smp.iter().flat_map(|smp| memory.iter().map(move |memory| (smp, memory))) {
                for words in &append {
                    let mut name = name.to_owned();
                    let size = memory.map(|size| format!(",{size}M")).unwrap_or_default();
                    let words_shown = if append.len() > 1 { format!(",{words}") } else { String::new() };
                    if machines.len() * smp_count(self) * memory_count(self) * append.len() > 1 {
                        name.push_str(&format!("@{kind},{smp}{size}{words_shown}"));
                    }
                    let kind = MachineKind::from_str(kind, true)
                        .map_err(|_| anyhow::anyhow!("no machine is called {kind}"))?;
                    let machine = self.machine(kind, smp, memory, words)?;
                    cases.push(self.case(stage, name, machine, golden.clone())?);
                }
            }
        }
        Ok(())
    }

    fn machine(&self, kind: MachineKind, smp: u16, memory: Option<u64>, append: &str) -> Result<MachineNeeds> {
        let root = self.root.as_deref().unwrap_or("busybox").parse().map_err(anyhow::Error::msg)?;
        let (programs, icount) = (self.programs.clone().unwrap_or_default(), self.icount.unwrap_or(false));
        Ok(MachineNeeds { root, programs, kind, smp, memory, append: append.to_owned(), icount })
    }

    fn case(&self, stage: &'static str, name: String, machine: MachineNeeds, golden: PathBuf) -> Result<Case> {
        let command = match (&self.command, &self.shell) {
            (Some(words), None) => words.clone(),
            (None, Some(line)) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
            _ => anyhow::bail!("either `command` or `shell`"),
        };
        let expected = match (&self.loss, self.golden) {
            (Some(loss), _) => Expected::Loss { start: loss.clone(), log: self.log.clone().unwrap_or_default() },
            (None, Some(true)) => Expected::Golden(golden),
            (None, _) => Expected::Said {
                status: self.status.unwrap_or(0),
                stdout: self.stdout.clone(),
                stderr: self.stderr.clone(),
            },
        };
        let (stdin, normalise) = (self.stdin.clone().unwrap_or_default(), self.normalise.clone().unwrap_or_default());
        let fresh = self.fresh.unwrap_or(stage == "boot") || self.loss.is_some();
        Ok(Case {
            stage,
            name,
            machine,
            fresh,
            command,
            stdin,
            timeout: self.timeout.unwrap_or(120),
            expected,
            normalise,
        })
    }
}

fn smp_count(settings: &Settings) -> usize {
    settings.smp.as_ref().map_or(1, Vec::len)
}

fn memory_count(settings: &Settings) -> usize {
    settings.memory.as_ref().map_or(1, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::{Case, Expected, File};

    fn cases(text: &str) -> Vec<Case> {
        let file: File = toml::from_str(text).unwrap();
        let mut cases = Vec::new();
        for case in file.case {
            let name = case.name.clone().unwrap();
            case.over(&file.defaults).expand("guest", &name, "g.txt".into(), &mut cases).unwrap();
        }
        cases
    }

    #[test]
    fn defaults_and_combinations() {
        let text = "[defaults]\nmachines = [\"microvm\", \"q35\"]\nsmp = [1, 2]\n[[case]]\nname = \"a\"\nshell = \"true\"\n[[case]]\nname = \"b\"\ncommand = [\"x\"]\nmachines = [\"q35\"]\nsmp = [1]\ngolden = true\n";
        let cases = cases(text);
        let names: Vec<&str> = cases.iter().map(Case::name).collect();
        assert_eq!(names, ["a@microvm,1", "a@microvm,2", "a@q35,1", "a@q35,2", "b"]);
        assert_eq!(cases[0].command, ["sh", "-c", "true"]);
        assert_eq!(cases[4].expected, Expected::Golden("g.txt".into()));
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(toml::from_str::<File>("[[case]]\nname = \"a\"\nshel = \"true\"\n").is_err());
    }
}
