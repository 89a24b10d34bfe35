//! The strings of `execve`, within its limits.
use crate::script::Script;
use crate::strings::Rope;
use abi::Errno;
use alloc::vec::Vec;

/// Longest string, its NUL included (`MAX_ARG_STRLEN`).
pub const MAX_STRING: usize = 32 * abi::PAGE_SIZE;

/// Three quarters of 8 MiB, however large the stack may grow (`_STK_LIM`).
const MOST: u64 = 8 * 1024 * 1024 / 4 * 3;
/// What there always is room for (`ARG_MAX`).
const LEAST: u64 = 131072;

/// One of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    Arguments,
    Environment,
}

/// File name, arguments and environment of the program to be.
///
/// The strings of a list are pushed from the first to the last; scripts then put their interpreter in front.
#[derive(Debug)]
pub struct Arguments {
    /// Bytes that may still be added.
    budget: u64,
    /// Length of the string that is being written.
    unfinished: usize,
    pub(crate) file_name: Vec<u8>,
    /// Arguments that scripts put in front, the first of all last; each with its NUL.
    front: Vec<Vec<u8>>,
    arguments: Rope,
    /// Bytes of `arguments` that scripts took away: the program's own first argument.
    skipped: usize,
    environment: Rope,
}

impl Arguments {
    /// `stack_limit` is the soft RLIMIT_STACK in bytes; the counts are those of the caller's arrays. Without arguments there is
    /// one, the empty string. `file_name` becomes AT_EXECFN. E2BIG; ENOMEM.
    pub fn new(
        stack_limit: u64,
        argument_count: usize,
        environment_count: usize,
        file_name: &[u8],
    ) -> Result<Self, Errno> {
        let limit = (stack_limit / 4).clamp(LEAST, MOST);
        let pointers = (argument_count.max(1) as u64)
            .checked_add(environment_count as u64)
            .and_then(|count| count.checked_mul(8))
            .ok_or(Errno::E2BIG)?;
        let mut arguments = Self {
            budget: limit.checked_sub(pointers).filter(|&left| left != 0).ok_or(Errno::E2BIG)?,
            unfinished: 0,
            file_name: Vec::new(),
            front: Vec::new(),
            arguments: Rope::default(),
            skipped: 0,
            environment: Rope::default(),
        };
        arguments.file_name = arguments.own(file_name)?;
        if argument_count == 0 {
            arguments.push(Strings::Arguments, b"")?;
        }
        Ok(arguments)
    }

    /// Adds a whole string, which has no NUL. E2BIG; ENOMEM.
    pub fn push(&mut self, list: Strings, string: &[u8]) -> Result<(), Errno> {
        self.append(list, string)?;
        self.finish(list)
    }

    /// Adds to the string that is being written, for strings that are read from user space bit by bit. No NUL. E2BIG; ENOMEM.
    pub fn append(&mut self, list: Strings, bytes: &[u8]) -> Result<(), Errno> {
        self.unfinished = self.unfinished.saturating_add(bytes.len());
        if self.unfinished >= MAX_STRING {
            return Err(Errno::E2BIG);
        }
        self.spend(bytes.len())?;
        self.rope(list).append(bytes)
    }

    /// Ends the string that was appended to; at once for an empty one. E2BIG; ENOMEM.
    pub fn finish(&mut self, list: Strings) -> Result<(), Errno> {
        self.unfinished = 0;
        self.spend(1)?;
        self.rope(list).finish()
    }

    /// Replaces the first argument by interpreter, its argument and `path`, the script as opened. E2BIG; ENOMEM.
    pub fn interpret(&mut self, script: &Script<'_>, path: &[u8]) -> Result<(), Errno> {
        self.remove_first();
        let strings = [Some(path), script.argument, Some(script.interpreter)];
        for string in strings.into_iter().flatten() {
            let string = self.own(string)?;
            self.front.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.front.push(string);
        }
        Ok(())
    }

    fn remove_first(&mut self) {
        let freed = match self.front.pop() {
            Some(string) => string.len() as u64,
            None => {
                let length = self.arguments.lengths(self.skipped).next().unwrap_or(0);
                self.skipped += length as usize;
                length
            }
        };
        self.budget = self.budget.saturating_add(freed);
    }

    fn own(&mut self, string: &[u8]) -> Result<Vec<u8>, Errno> {
        if string.len() >= MAX_STRING {
            return Err(Errno::E2BIG);
        }
        self.spend(string.len() + 1)?;
        let mut owned = Vec::new();
        owned.try_reserve_exact(string.len() + 1).map_err(|_| Errno::ENOMEM)?;
        owned.extend_from_slice(string);
        owned.push(0);
        Ok(owned)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Errno> {
        self.budget = self.budget.checked_sub(bytes as u64).ok_or(Errno::E2BIG)?;
        Ok(())
    }

    fn rope(&mut self, list: Strings) -> &mut Rope {
        match list {
            Strings::Arguments => &mut self.arguments,
            Strings::Environment => &mut self.environment,
        }
    }

    /// Bytes of the list in memory.
    pub(crate) fn length(&self, list: Strings) -> u64 {
        match list {
            Strings::Arguments => {
                let front: usize = self.front.iter().map(Vec::len).sum();
                (self.arguments.length() - self.skipped as u64) + front as u64
            }
            Strings::Environment => self.environment.length(),
        }
    }

    /// Strings in the list (`argc`).
    pub fn count(&self, list: Strings) -> u64 {
        match list {
            Strings::Arguments => {
                let removed = u64::from(self.skipped != 0);
                self.arguments.count().saturating_sub(removed) + self.front.len() as u64
            }
            Strings::Environment => self.environment.count(),
        }
    }

    /// The list's bytes, in pieces.
    pub(crate) fn bytes(&self, list: Strings) -> impl Iterator<Item = &[u8]> {
        let (front, rope, skip) = self.parts(list);
        front.iter().rev().map(Vec::as_slice).chain(rope.bytes(skip))
    }

    /// Lengths of the list's strings, their NULs included.
    pub(crate) fn lengths(&self, list: Strings) -> impl Iterator<Item = u64> {
        let (front, rope, skip) = self.parts(list);
        front.iter().rev().map(|string| string.len() as u64).chain(rope.lengths(skip))
    }

    fn parts(&self, list: Strings) -> (&[Vec<u8>], &Rope, usize) {
        match list {
            Strings::Arguments => (&self.front, &self.arguments, self.skipped),
            Strings::Environment => (&[], &self.environment, 0),
        }
    }
}
