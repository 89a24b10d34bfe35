//! The kernel's command line (kernel-parameters.txt): words, and what goes to init.
//!
//! Every word is taken in one of four ways, decided by its name alone ([`names`]): the kernel heeds it; the kernel takes it and does
//! nothing, and says so; it is a module's, and nobody's meanwhile; or it is unknown, and then it goes to init: as an argument, or
//! with a value into its environment. Malformed values of known names are ignored as on Linux.
mod names;
mod words;

use alloc::string::String;
use alloc::vec::Vec;
use names::Meaning;
use words::Word;

/// Arguments (its own name among them) and variables that init can have (MAX_INIT_ARGS, MAX_INIT_ENVS).
const MOST: usize = 32;

/// The words of the command line. Words after `--` are init's.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    words: Vec<Word>,
    /// Unknown words without a value since the last `init=` or `rdinit=`.
    plain: Vec<Vec<u8>>,
    after_dashes: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
}

/// More words for init than it can have: the kind of word, and the one that was too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooMany {
    pub kind: &'static str,
    pub word: String,
}

impl CommandLine {
    /// Parses the loader's bytes.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut words = words::split(bytes);
        let mut line = Self { environment: ["HOME=/", "TERM=linux"].map(Vec::from).to_vec(), ..Self::default() };
        if let Some(dashes) = words.iter().position(|word| word.name == b"--" && word.value.is_none()) {
            line.after_dashes = words.drain(dashes..).skip(1).map(|word| word.whole()).collect();
        }
        for word in &words {
            line.sort(word);
        }
        line.words = words;
        line
    }

    fn sort(&mut self, word: &Word) {
        match names::meaning(&word.name, word.value.is_some()) {
            // Words that a boot loader put before the user's `init=` are not meant for the user's program.
            Meaning::Heeded if word.name == b"init" || word.name == b"rdinit" => self.plain.clear(),
            Meaning::Unknown if word.value.is_none() => self.plain.push(word.whole()),
            Meaning::Unknown => {
                let of_that_name =
                    |old: &&mut Vec<u8>| old.strip_prefix(&word.name[..]).is_some_and(|rest| rest.starts_with(b"="));
                match self.environment.iter_mut().find(of_that_name) {
                    Some(old) => *old = word.whole(),
                    None => self.environment.push(word.whole()),
                }
            }
            _ => {}
        }
    }

    /// The value of the last `name=…`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let named = self.words.iter().rev().filter(|word| names::same(&word.name, name.as_bytes()));
        named.filter_map(|word| word.value.as_deref()).find_map(|value| core::str::from_utf8(value).ok())
    }

    /// The number in the last `name=…`, if it is one.
    pub fn number<T: core::str::FromStr>(&self, name: &str) -> Option<T> {
        self.value(name)?.parse().ok()
    }

    /// Whether the word `name` is there, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        self.words.iter().any(|word| names::same(&word.name, name.as_bytes()))
    }

    /// Words that mean nothing to the kernel and are not init's by `--`, in Linux's order: arguments, then variables.
    pub fn unknown(&self) -> impl Iterator<Item = &[u8]> {
        self.plain.iter().chain(self.environment.iter().skip(2)).map(Vec::as_slice)
    }

    /// Words that the kernel takes and does nothing about.
    pub fn without_effect(&self) -> impl Iterator<Item = Vec<u8>> {
        let taken = |word: &&Word| names::meaning(&word.name, word.value.is_some()) == Meaning::WithoutEffect;
        self.words.iter().filter(taken).map(Word::whole)
    }

    /// Arguments for init: unknown plain words, then those after `--`.
    pub fn init_arguments(&self) -> impl Iterator<Item = &[u8]> {
        self.plain.iter().chain(&self.after_dashes).map(Vec::as_slice)
    }

    /// Environment for init: HOME and TERM, which a word may change, and unknown words with a value.
    pub fn init_environment(&self) -> impl Iterator<Item = &[u8]> {
        self.environment.iter().map(Vec::as_slice)
    }

    /// What does not fit: Linux panics then.
    pub fn too_many(&self) -> Option<TooMany> {
        let text =
            |word: &[u8]| String::from_utf8_lossy(word.split(|&byte| byte == b'=').next().unwrap_or(word)).into();
        let argument = self.init_arguments().nth(MOST - 1).map(|word| TooMany { kind: "init", word: text(word) });
        argument.or_else(|| self.init_environment().nth(MOST).map(|word| TooMany { kind: "env", word: text(word) }))
    }
}

/// Words for the log, between blanks; what is not UTF-8 is shown as such.
pub fn shown<W: AsRef<[u8]>>(words: impl Iterator<Item = W>) -> String {
    let texts: Vec<String> = words.map(|word| String::from_utf8_lossy(word.as_ref()).into_owned()).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests;
