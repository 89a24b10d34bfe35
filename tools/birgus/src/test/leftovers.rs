//! What all machines of a run say at their end: what was asked for that is not there, and what tests left behind.
//!
//! A machine is asked before its first case and after its last one, with caches dropped. The differences are told and not judged:
//! cases may leave files, and much is made once. What has to come back exactly is judged by the cases of `tests/guest/stress.toml`.

use super::guest::Guest;
use anyhow::Result;
use std::collections::BTreeMap;

/// Seconds for one look.
const TIMEOUT: u64 = 60;

/// Figures, each behind its name, and the marks between them. What processes that were killed held goes back a moment later: when as many
/// files are open as a tenth of a second ago.
const LOOK: &str = "now=; while [ \"$now\" != \"$before\" ] || [ -z \"$now\" ]; do
    before=$now; sleep 0.1; read now rest < /proc/sys/fs/file-nr; done; echo 4 > /proc/sys/vm/drop_caches; echo 3 > /proc/sys/vm/drop_caches
cd /sys/kernel/debug/birgus && cat memory && echo '# stubs' && cat stubs && echo '# files' && cat /proc/sys/fs/file-nr &&
echo '# slabs' && cat /proc/slabinfo && echo '# tasks' && cat /proc/loadavg";

/// Rows of the memory's account that cases may leave as they found it. Those left out are others' sum, or for the moment.
const OWNERS: [&str; 7] = ["heap_blocks", "page_tables", "program", "files", "pipes", "devices", "vmalloc"];

/// One look at a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// In pages, objects, open files, tasks.
    amounts: BTreeMap<String, i64>,
    stubs: BTreeMap<String, u64>,
}

impl Figures {
    /// Asks a machine; `None` where it does not say (another kernel, a root without a shell, the end of the machine).
    pub fn ask(guest: &mut Guest) -> Result<Option<Self>> {
        let command = ["sh", "-c", LOOK].map(str::to_owned);
        let answer = guest.run(&command, "", TIMEOUT)?;
        let told = answer.ok().filter(|answer| answer.status == 0);
        Ok(told.map(|answer| Self::read(&String::from_utf8_lossy(&answer.stdout))))
    }

    fn read(text: &str) -> Self {
        let mut figures = Self::default();
        let mut part = "memory";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("# ").filter(|name| !name.contains(' ')) {
                part = name;
            } else {
                figures.read_line(part, line);
            }
        }
        figures
    }

    fn read_line(&mut self, part: &str, line: &str) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |place: usize| words.get(place).and_then(|word| word.parse::<i64>().ok());
        match part {
            "memory" => {
                let owner = line.split(':').next().filter(|name| OWNERS.contains(name));
                if let (Some(owner), Some(pages)) = (owner, number(1)) {
                    self.amounts.insert(format!("{owner} pages"), pages);
                }
            }
            "files" => _ = number(0).map(|count| self.amounts.insert("open files".to_owned(), count)),
            "slabs" => {
                if let Some(count) = number(1) {
                    *self.amounts.entry("heap objects".to_owned()).or_default() += count;
                }
            }
            // Runnable and all tasks: `1/23`.
            "tasks" => {
                let tasks = words.get(3).and_then(|word| word.split('/').nth(1)?.parse().ok());
                let _ = tasks.map(|count| self.amounts.insert("tasks".to_owned(), count));
            }
            _ => {
                if let Some((what, count)) = line.rsplit_once(' ')
                    && let Ok(count) = count.parse::<u64>()
                {
                    *self.stubs.entry(what.to_owned()).or_default() += count;
                }
            }
        }
    }
}

/// The sums over machines.
#[derive(Debug, Default)]
pub struct Leftovers {
    machines: usize,
    amounts: BTreeMap<String, i64>,
    stubs: BTreeMap<String, u64>,
}

impl Leftovers {
    /// Adds what a machine has more at its end than it had before.
    pub fn add(&mut self, before: &Figures, after: Figures) {
        self.machines += 1;
        for (name, amount) in after.amounts {
            let had = before.amounts.get(&name).copied().unwrap_or_default();
            *self.amounts.entry(name).or_default() += amount - had;
        }
        for (what, count) in after.stubs {
            *self.stubs.entry(what).or_default() += count;
        }
    }

    /// Says it; nothing where no machine said anything.
    pub fn print(&self) {
        if self.machines == 0 {
            return;
        }
        println!("asked for and not there, by {} machines:", self.machines);
        self.stubs.iter().for_each(|(what, count)| println!("    {count:8} {what}"));
        println!("more at their ends than at their beginnings, files that tests left included:");
        self.amounts.iter().for_each(|(name, amount)| println!("    {amount:+8} {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "total: 100 pages\nfiles: 7 pages\npipes: 0 pages\nkept_stacks: 3 stacks\n# stubs\nclone: NEWNS 3\n# files\n12\t0\t99\n\
        # slabs\nslabinfo - version: 2.1\n# name <active_objs> x\nkmalloc-16 5 9 16\nkmalloc-32 6 9 32\n# tasks\n0.00 0.01 0.05 1/23 99\n";

    #[test]
    fn differences_are_summed() {
        let before = Figures::read(TEXT);
        assert_eq!(before.stubs, [("clone: NEWNS".to_owned(), 3)].into());
        let all = [("files pages", 7), ("pipes pages", 0), ("open files", 12), ("heap objects", 11), ("tasks", 23)];
        assert_eq!(before.amounts, all.map(|(name, amount)| (name.to_owned(), amount)).into());
        let after = Figures::read(&TEXT.replace("12\t0", "14\t0").replace("pipes: 0", "pipes: 2"));
        let mut leftovers = Leftovers::default();
        leftovers.add(&before, after.clone());
        leftovers.add(&before, after);
        assert_eq!((leftovers.amounts["open files"], leftovers.amounts["pipes pages"]), (4, 4));
        assert_eq!((leftovers.stubs["clone: NEWNS"], leftovers.machines), (6, 2));
    }
}
