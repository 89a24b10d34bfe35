//! Names for addresses.

use anyhow::{Context, Result, anyhow};
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;

/// A function's name, known by its number.
pub type Name = u32;

/// Functions by address, with the inlined ones where there is debugging information.
#[derive(Default)]
pub struct Symbols {
    starts: BTreeMap<u64, Name>,
    lines: Option<addr2line::Loader>,
    names: Vec<String>,
    numbers: HashMap<String, Name>,
    seen: HashMap<u64, Rc<[Name]>>,
}

impl Symbols {
    /// Of an ELF file.
    pub fn of_file(file: &Path, inlined: bool) -> Result<Self> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let elf = object::File::parse(&*bytes).with_context(|| format!("{} is not an ELF file", file.display()))?;
        let mut symbols = Self::default();
        for symbol in elf.symbols().filter(|symbol| !symbol.is_undefined() && symbol.address() >> 63 == 1) {
            if matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown) {
                let name = format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or_default()));
                symbols.add(symbol.address(), &name, symbol.kind() == SymbolKind::Text);
            }
        }
        if inlined {
            let loader = addr2line::Loader::new(file).map_err(|error| anyhow!("{}: {error}", file.display()))?;
            symbols.lines = Some(loader);
        }
        Ok(symbols)
    }

    /// Of /proc/kallsyms.
    pub fn of_list(text: &str) -> Self {
        let mut symbols = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
                && matches!(kind, "t" | "T" | "w" | "W")
                && let Ok(address) = u64::from_str_radix(address, 16)
            {
                symbols.add(address, name, true);
            }
        }
        symbols
    }

    fn add(&mut self, address: u64, name: &str, is_better: bool) {
        if !name.is_empty() && (is_better || !self.starts.contains_key(&address)) {
            let name = self.number(name);
            self.starts.insert(address, name);
        }
    }

    /// The name's number.
    pub fn number(&mut self, name: &str) -> Name {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as Name;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The number's name.
    pub fn name(&self, number: Name) -> &str {
        &self.names[number as usize]
    }

    /// The functions that hold an address: the one with a symbol, then those inlined there, the innermost last.
    pub fn functions(&mut self, address: u64) -> Rc<[Name]> {
        if let Some(functions) = self.seen.get(&address) {
            return Rc::clone(functions);
        }
        let symbol = self.starts.range(..=address).next_back().map(|(_, &name)| name);
        let mut functions = vec![symbol.unwrap_or_else(|| self.number("?"))];
        for name in self.inlined(address) {
            functions.push(self.number(&name));
        }
        let functions: Rc<[Name]> = functions.into();
        self.seen.insert(address, Rc::clone(&functions));
        functions
    }

    /// Outermost first, without the function that holds them all.
    fn inlined(&self, address: u64) -> Vec<String> {
        let mut names = Vec::new();
        let Some(Ok(mut frames)) = self.lines.as_ref().map(|lines| lines.find_frames(address)) else {
            return names;
        };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.and_then(|function| function.raw_name().ok().map(|name| name.into_owned()));
            let name = name.map_or_else(|| "?".to_owned(), |name| format!("{:#}", rustc_demangle::demangle(&name)));
            // Line tables give bare names: the file says whose.
            let file = frame.location.and_then(|location| location.file).unwrap_or_default();
            names.push(format!("{name} ({})", place(file)));
        }
        names.pop();
        names.reverse();
        names
    }
}

/// A source file's path without where the sources are: from the folder above `src` on.
fn place(file: &str) -> String {
    let parts: Vec<&str> = file.rsplit('/').take(4).collect();
    let at = parts.iter().position(|part| *part == "src").map_or(1, |at| at + 1);
    let mut kept: Vec<&str> = parts.into_iter().take(at + 1).filter(|part| *part != "src").collect();
    kept.reverse();
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::{Symbols, place};

    #[test]
    fn places_of_sources() {
        assert_eq!(place("/work/birgus/syscall/src/dispatch.rs"), "syscall/dispatch.rs");
        assert_eq!(place("mm/src/space/fault.rs"), "mm/space/fault.rs");
        assert_eq!(place("/rustc/1/library/core/src/ptr/mut_ptr.rs"), "core/ptr/mut_ptr.rs");
        assert_eq!(place("file.rs"), "file.rs");
    }

    #[test]
    fn a_list_of_symbols() {
        let text = "ffffffff81000000 T start\nffffffff81000010 t middle\nffffffff81000018 d data\nffffffff81000020 T end\t[module]\n";
        let mut symbols = Symbols::of_list(text);
        let mut name = |address| {
            let functions = symbols.functions(address);
            assert_eq!(functions.len(), 1);
            symbols.name(functions[0]).to_owned()
        };
        assert_eq!(name(0xffff_ffff_8100_0000), "start");
        assert_eq!(name(0xffff_ffff_8100_001f), "middle");
        assert_eq!(name(0xffff_ffff_8100_0fff), "end");
        assert_eq!(name(0xffff_0000_0000_0000), "?");
    }
}
