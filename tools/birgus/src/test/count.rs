//! Lines of code: neither blank, nor comment, nor test.

use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// The Rust files of a crate that are not tests, in order.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(&folder.join("src"), &mut found)?;
    let script = folder.join("build.rs");
    if script.exists() {
        found.push(script);
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_test = name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs") || name == "model.rs";
        if entry.file_type()?.is_dir() && !is_test {
            collect(&entry.path(), found)?;
        } else if name.ends_with(".rs") && !is_test {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Lines of code in a file.
pub fn lines(text: &str) -> usize {
    without_tests(&code(text)).lines().filter(|line| !line.trim().is_empty()).count()
}

/// The text with comments and the insides of strings blanked out, line by line.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let end = skipped(bytes, at);
        if end > at {
            // A string counts as code, a comment does not; line breaks stay either way.
            let mark = if bytes[at] == b'/' { ' ' } else { '"' };
            out.push(mark);
            out.extend(
                bytes[at..end].iter().filter(|&&byte| byte == b'\n').map(|_| if mark == '"' { "\n\"" } else { "\n" }),
            );
            at = end;
        } else {
            out.push(if bytes[at].is_ascii() { char::from(bytes[at]) } else { '?' });
            at += 1;
        }
    }
    out
}

/// The end of the comment, string or character that starts here; `at` if none does.
fn skipped(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let find = |needle: &[u8], from: usize| {
        rest[from..]
            .windows(needle.len())
            .position(|window| window == needle)
            .map_or(rest.len(), |found| from + found + needle.len())
    };
    at + match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => nested_comment(rest),
        [b'r', b'"', ..] if !continues_name(bytes, at) => find(b"\"", 2),
        [b'r', b'#', ..] if !continues_name(bytes, at) => {
            let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
            if rest.get(1 + hashes) == Some(&b'"') {
                find(&[b"\"", &b"#".repeat(hashes)[..]].concat(), 2 + hashes)
            } else {
                0
            }
        }
        [b'"', ..] => quoted(rest, b'"'),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        // A character, not a lifetime.
        [b'\'', _, b'\'', ..] => 3,
        _ => 0,
    }
}

fn continues_name(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric() || bytes[before] == b'_')
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

fn nested_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Code without the items marked `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let (mut out, mut rest) = (String::new(), code);
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let length = match item.find(['{', ';']) {
            Some(end) if item.as_bytes()[end] == b'{' => end + block(&item[end..]).len(),
            Some(end) => end + 1,
            None => item.len(),
        };
        rest = &item[length..];
    }
    out + rest
}

/// The text from an opening brace to the one that closes it.
pub fn block(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..=at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn comments_blanks_and_tests_do_not_count() {
        assert_eq!(lines("//! Head\n\nfn a() {} // one\n/* b\n c */\nfn b() {\n}\n"), 3);
        assert_eq!(lines("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { let c = '}'; }\n}\nfn d() {}\n"), 2);
        assert_eq!(lines("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 1);
    }

    #[test]
    fn strings_are_code_whatever_they_hold() {
        assert_eq!(lines("let a = \"// no \\\" comment\";\nlet b = r#\"/* \" \"#;\nlet c = 'x';\n"), 3);
        assert_eq!(lines("let a = \"two\nlines\";\n"), 2);
        assert_eq!(lines("fn a<'a>(b: &'a str) {\n}\n"), 2);
    }
}
