//! Cutting the command line into words.
use alloc::vec::Vec;

/// `name` or `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub name: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl Word {
    /// The word as it is passed on: without the quotes around its value.
    pub fn whole(&self) -> Vec<u8> {
        let mut whole = self.name.clone();
        if let Some(value) = &self.value {
            whole.push(b'=');
            whole.extend_from_slice(value);
        }
        whole
    }
}

/// The words of `line`, by the rules of Linux's next_arg (lib/cmdline.c): blanks inside double quotes do not end a word, and
/// quotes are taken off where they enclose the whole word or the whole value. A `=` at the very start separates nothing.
pub fn split(line: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let end = end_of_word(rest);
        words.push(word(&rest[..end]));
        rest = rest[end..].trim_ascii_start();
    }
    words
}

fn end_of_word(text: &[u8]) -> usize {
    let mut quoted = false;
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            byte if byte.is_ascii_whitespace() && !quoted => return index,
            _ => {}
        }
    }
    text.len()
}

fn word(text: &[u8]) -> Word {
    let (text, quoted) = match text.strip_prefix(b"\"") {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let close = |text: &[u8], quoted: bool| match text.strip_suffix(b"\"") {
        Some(inner) if quoted => inner.to_vec(),
        _ => text.to_vec(),
    };
    match text.iter().position(|&byte| byte == b'=') {
        None | Some(0) => Word { name: close(text, quoted), value: None },
        Some(at) => {
            let (value, inner) = match text[at + 1..].strip_prefix(b"\"") {
                Some(inner) => (inner, true),
                None => (&text[at + 1..], false),
            };
            Word { name: text[..at].to_vec(), value: Some(close(value, quoted || inner)) }
        }
    }
}
