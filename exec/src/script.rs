//! The first line of a script.
use abi::Errno;

/// Bytes of a file in which Linux looks for its format (`BINPRM_BUF_SIZE`).
pub const HEADER_SIZE: usize = 256;

/// Interpreters of interpreters that `execve` follows before ELOOP.
pub const MAX_DEPTH: usize = 5;

/// What a `#!` line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// Empty for a file that is just `#!` (Linux opens the empty path, and answers EACCES).
    pub interpreter: &'a [u8],
    /// The rest of the line, blanks inside it included.
    pub argument: Option<&'a [u8]>,
}

/// The line, with zeros beyond the end of the file.
struct Line<'a>(&'a [u8]);

impl<'a> Line<'a> {
    fn byte(&self, index: usize) -> u8 {
        self.0.get(index).copied().unwrap_or(0)
    }

    fn is_blank(&self, index: usize) -> bool {
        matches!(self.byte(index), b' ' | b'\t')
    }

    /// First byte from `first` to `last`, both included, that is not a blank.
    fn skip_blanks(&self, first: usize, last: usize) -> Option<usize> {
        (first..=last).find(|&index| !self.is_blank(index))
    }

    /// First blank or NUL from `first` to `last`, both included.
    fn find_terminator(&self, first: usize, last: usize) -> Option<usize> {
        (first..=last).find(|&index| self.is_blank(index) || self.byte(index) == 0)
    }

    /// A C string that ends before `end`.
    fn string(&self, start: usize, end: usize) -> &'a [u8] {
        let bytes = self.0.get(start..end.min(self.0.len())).unwrap_or(&[]);
        let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        bytes.get(..length).unwrap_or(bytes)
    }
}

/// Reads the `#!` line at the start of a file, of which only the first [`HEADER_SIZE`] bytes are looked at.
///
/// ENOEXEC: no script, no interpreter, or one whose name may go on beyond what was read (`fs/binfmt_script.c`'s rules).
pub fn parse_script(head: &[u8]) -> Result<Script<'_>, Errno> {
    let line = Line(head.get(..HEADER_SIZE).unwrap_or(head));
    if !line.0.starts_with(b"#!") {
        return Err(Errno::ENOEXEC);
    }
    let last = HEADER_SIZE - 1;
    // A NUL ends the search too.
    let newline = (0..HEADER_SIZE).find(|&index| matches!(line.byte(index), b'\n' | 0));
    let mut end = match newline {
        Some(index) if line.byte(index) == b'\n' => index,
        _ => {
            let name = line.skip_blanks(2, last).ok_or(Errno::ENOEXEC)?;
            // Nothing after the name: it may be cut off.
            line.find_terminator(name, last).ok_or(Errno::ENOEXEC)?;
            last
        }
    };
    while line.is_blank(end - 1) {
        end -= 1;
    }
    let name = line.skip_blanks(2, end).filter(|&name| name != end).ok_or(Errno::ENOEXEC)?;
    let separator = line.find_terminator(name, end);
    let argument = separator.filter(|&at| line.byte(at) != 0).and_then(|at| line.skip_blanks(at, end));
    Ok(Script {
        interpreter: line.string(name, separator.unwrap_or(end)),
        argument: argument.map(|start| line.string(start, end)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<(&[u8], Option<&[u8]>), Errno> {
        parse_script(text).map(|script| (script.interpreter, script.argument))
    }

    #[test]
    fn lines_mean_what_they_mean_on_linux() {
        assert_eq!(parse(b"#!/bin/sh\necho"), Ok((b"/bin/sh".as_slice(), None)));
        assert_eq!(parse(b"#! \t/bin/sh -e  x \t\n"), Ok((b"/bin/sh".as_slice(), Some(b"-e  x".as_slice()))));
        assert_eq!(parse(b"#!/bin/sh  \n"), Ok((b"/bin/sh".as_slice(), None)));
        assert_eq!(parse(b"#!/bin/sh"), Ok((b"/bin/sh".as_slice(), None)));
        assert_eq!(parse(b"#!/bin/echo\0 x"), Ok((b"/bin/echo".as_slice(), None)));
        assert_eq!(parse(b"#!/bin/echo\0 x\n"), Ok((b"/bin/echo".as_slice(), None)));
        assert_eq!(parse(b"#!/bin/sh a\r\n"), Ok((b"/bin/sh".as_slice(), Some(b"a\r".as_slice()))));
        assert_eq!(parse(b"#!"), Ok((b"".as_slice(), None)));
    }

    #[test]
    fn what_is_no_script() {
        for text in [b"".as_slice(), b"#", b"# !/bin/sh\n", b"#!\n", b"#! \t\n", b"\x7fELF"] {
            assert_eq!(parse(text), Err(Errno::ENOEXEC), "{text:?}");
        }
        assert_eq!(parse(&[b"#!".as_slice(), &[b' '; 300]].concat()), Err(Errno::ENOEXEC));
    }

    #[test]
    fn a_long_line_may_cut_the_argument_but_not_the_name() {
        let name = [b"#!/".as_slice(), &[b'x'; 252]].concat();
        assert_eq!(parse(&[name.as_slice(), b"x"].concat()), Err(Errno::ENOEXEC));
        assert_eq!(parse(&[name.as_slice(), b" "].concat()), Ok((&name[2..], None)));
        let long = [b"#!/bin/echo ".as_slice(), &[b'y'; 400]].concat();
        // Byte 255 gives way to the NUL.
        assert_eq!(parse(&long), Ok((b"/bin/echo".as_slice(), Some([b'y'; 243].as_slice()))));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_panic(
            text in proptest::collection::vec(proptest::sample::select(b" \t\n\0ab/".to_vec()), 0..300)
        ) {
            let text = [b"#!".as_slice(), &text].concat();
            if let Ok(script) = parse_script(&text) {
                for string in [script.interpreter, script.argument.unwrap_or(b"x")] {
                    proptest::prop_assert!(string.len() < HEADER_SIZE && !string.contains(&0));
                }
            }
        }
    }
}
