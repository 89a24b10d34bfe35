//! Linux's answers as text.

use anyhow::{Context, Result};
use regex_lite::Regex;
use std::fmt::Write;
use std::path::Path;

/// What a command answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u8,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Answer {
    /// The answer as text, with what differs from run to run replaced.
    pub fn text(&self, normalise: &[[String; 2]]) -> Result<String> {
        let mut text = format!("status {}\n", self.status);
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let mut stream = readable(bytes);
            for [pattern, replacement] in normalise {
                let pattern =
                    Regex::new(&format!("(?m){pattern}")).with_context(|| format!("the expression {pattern}"))?;
                stream = pattern.replace_all(&stream, replacement.as_str()).into_owned();
            }
            let ending = if stream.is_empty() || stream.ends_with('\n') { "" } else { "\n(no line end)\n" };
            let _ = write!(text, "--- {name}\n{stream}{ending}");
        }
        Ok(text)
    }
}

/// Bytes as text; what is not UTF-8 or not printable by its number.
pub fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() && letter != '\n' && letter != '\t' {
                let _ = write!(text, "\\x{:02x}", u32::from(letter));
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Reads what Linux answered.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .with_context(|| format!("no answer of Linux in {}: `birgus test --record` asks it", file.display()))
}

/// Writes down what Linux answered.
pub fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().context("no folder")?;
    crate::paths::create_folder(folder)?;
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The lines in which two texts differ, a few at most.
pub fn difference(expected: &str, found: &str) -> String {
    const MOST: usize = 12;
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let mut text = format!("from line {}:\n", same + 1);
    for (mark, lines) in [('-', &old), ('+', &new)] {
        for line in lines.iter().skip(same).take(MOST) {
            let _ = writeln!(text, "{mark} {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Answer, difference};

    #[test]
    fn answers_as_text() {
        let answer = Answer { status: 3, stdout: b"pid 123\n\xff\x1b[0m".to_vec(), stderr: Vec::new() };
        let normalise = [["pid [0-9]+".to_owned(), "pid N".to_owned()]];
        let text = answer.text(&normalise).unwrap();
        assert_eq!(text, "status 3\n--- stdout\npid N\n\\xff\\x1b[0m\n(no line end)\n--- stderr\n");
    }

    #[test]
    fn differences_show_both_sides() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "from line 2:\n- b\n+ c\n");
    }
}
