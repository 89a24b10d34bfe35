//! What happens to the kernel between the linker and QEMU.

use crate::paths::replace_file;
use crate::program::{Program, exists};
use anyhow::{Context, Result, ensure};
use ksyms_format::{SECTION, Symbol};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::fs;
use std::path::Path;

/// Makes the image (symbol table filled in, debugging information removed) and the symbols file from the linker's output.
pub fn finish(linked: &Path, image: &Path, symbols: &Path) -> Result<()> {
    let bytes = fs::read(linked).with_context(|| format!("cannot read {}", linked.display()))?;
    let filled = fill(bytes).with_context(|| linked.display().to_string())?;
    replace_file(symbols, |part| Ok(fs::write(part, &filled)?))?;
    replace_file(image, |part| {
        fs::write(part, &filled)?;
        if exists("strip") { Program::new("strip").arg("--strip-all").arg(part).quietly() } else { Ok(()) }
    })
}

/// The ELF file with its reserved section filled.
fn fill(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let (table, place) = {
        let elf = object::File::parse(&*bytes).context("not an ELF file")?;
        let symbols: Vec<Symbol> = elf.symbols().filter_map(|symbol| function(&symbol)).collect();
        let table =
            ksyms_format::write(&symbols).map_err(|span| anyhow::anyhow!("its functions span {span:#x} bytes"))?;
        (table, elf.section_by_name(SECTION).and_then(|section| section.file_range()))
    };
    let Some((start, length)) = place else {
        return Ok(bytes);
    };
    let (start, length) = (usize::try_from(start)?, usize::try_from(length)?);
    ensure!(
        table.len() <= length,
        "its {} bytes of symbols do not fit into the {length} of {SECTION}: reserve more in the linker script",
        table.len()
    );
    bytes.get_mut(start..start + table.len()).context("a section outside the file")?.copy_from_slice(&table);
    Ok(bytes)
}

fn function<'a>(symbol: &impl ObjectSymbol<'a>) -> Option<Symbol> {
    // Entry points in assembly often have no type.
    let code = matches!(symbol.kind(), SymbolKind::Text) || symbol.is_global() && symbol.kind() == SymbolKind::Unknown;
    if !code || symbol.is_undefined() || symbol.address() < 1 << 63 {
        return None;
    }
    let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
    (!name.is_empty()).then(|| Symbol { address: symbol.address(), size: symbol.size(), name })
}
