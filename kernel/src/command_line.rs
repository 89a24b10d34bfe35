//! The kernel's command line (kernel-parameters.txt): words, and what goes to init.
use alloc::string::String;
use alloc::vec::Vec;

/// The words of the command line. Double quotes hold blanks together; words after `--` are init's.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    words: Vec<String>,
    init_arguments: Vec<String>,
}

/// Names that mean something here; words with a dot are for modules and ignored, others go to init, as on Linux.
const KNOWN: &[&str] = &[
    "console",
    "root",
    "rootfstype",
    "rootflags",
    "rw",
    "ro",
    "init",
    "rdinit",
    "quiet",
    "debug",
    "loglevel",
    "nosmp",
    "maxcpus",
    "mem",
    "pti",
    "nopti",
    "nokaslr",
    "panic",
    "tsc_early_khz",
    "tsc",
    "preempt",
    "norandmaps",
    "mitigations",
    "reboot",
    "acpi",
    "noapic",
    "irqaffinity",
    "isolcpus",
    "virtio_mmio.device",
    "random.trust_cpu",
    "earlyprintk",
    "earlycon",
    "pci",
    "nomodule",
    "apparmor",
    "audit",
    "lsm",
    "init_on_alloc",
    "init_on_free",
    "randomize_kstack_offset",
    "BOOT_IMAGE",
    "i8042.noaux",
    "8250.nr_uarts",
];

impl CommandLine {
    /// Parses the loader's bytes; those that are not UTF-8 are left out.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut line = Self::default();
        let mut for_init = false;
        for word in split(bytes) {
            match word.as_str() {
                "--" if !for_init => for_init = true,
                _ if for_init => line.init_arguments.push(word),
                _ => line.words.push(word),
            }
        }
        line
    }

    /// The value of the last `name=…`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether the word `name` is there by itself.
    pub fn has(&self, name: &str) -> bool {
        self.words.iter().any(|word| word == name)
    }

    /// Words that mean nothing to the kernel: without a dot they are init's arguments, or its environment if they have a value.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str).filter(|word| {
            let name = word.split('=').next().unwrap_or(word);
            !KNOWN.contains(&name)
        })
    }

    /// Arguments for init: unknown plain words, then those after `--`.
    pub fn init_arguments(&self) -> impl Iterator<Item = &str> {
        let plain = self.unknown().filter(|word| !word.contains(['=', '.']));
        plain.chain(self.init_arguments.iter().map(String::as_str))
    }

    /// Environment for init: unknown words with a value.
    pub fn init_environment(&self) -> impl Iterator<Item = &str> {
        self.unknown()
            .filter(|word| word.split('=').next().is_some_and(|name| !name.contains('.')) && word.contains('='))
    }
}

fn split(bytes: &[u8]) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), Vec::new(), false, false);
    for &byte in bytes {
        match byte {
            b'"' => (quoted, any) = (!quoted, true),
            b' ' | b'\t' | b'\n' if !quoted => {
                if any {
                    words.push(core::mem::take(&mut word));
                }
                any = false;
            }
            other => {
                word.push(other);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words.into_iter().filter_map(|word| String::from_utf8(word).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_values_and_inits_share() {
        let line =
            CommandLine::parse(b"quiet  panic=-1 title=\"two words\" foo module.parameter=1 panic=5 -- -x \"a b\"");
        assert!(line.has("quiet"));
        assert_eq!(line.value("panic"), Some("5"), "the last one counts");
        assert_eq!(line.init_arguments().collect::<Vec<_>>(), ["foo", "-x", "a b"]);
        assert_eq!(line.init_environment().collect::<Vec<_>>(), ["title=two words"]);
        assert_eq!(CommandLine::parse(b"").unknown().count(), 0);
        assert_eq!(CommandLine::parse(&[0xff, 0xfe, b' ', b'a']).unknown().collect::<Vec<_>>(), ["a"]);
    }
}
