//! Unsafe code stays where it is read twice: `machine/` and `sync/`.
//!
//! Every other crate of the kernel forbids it at its root, which the compiler enforces; here it is checked that the root does so, and
//! that no macro which the former export expands to `unsafe` in the latter (`forbid` does not look into macros of other crates
//! when they mark their output so).

use super::{Context, Tally, count, edges};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The share of lines, in percent, that may stand in crates without the prohibition.
const MOST: usize = 25;

/// The stage.
pub fn check(context: &Context<'_>) -> Result<Tally> {
    let (mut faults, mut confined, mut free) = (Vec::new(), 0, 0);
    for (name, folder) in edges::kernel_folders(context.paths)? {
        let root = root_file(&folder).with_context(|| format!("{name} has no src/lib.rs and no src/main.rs"))?;
        let text = read(&root)?;
        let forbids = count::code(&text).contains("#![forbid(unsafe_code)]");
        let inside = folder.strip_prefix(&context.paths.source).unwrap_or(&folder);
        let may = inside.starts_with("machine") || inside.starts_with("sync");
        if !forbids && !may {
            faults.push(format!("{}: no #![forbid(unsafe_code)]", root.display()));
        }
        let mut lines = 0;
        for file in count::sources(&folder)? {
            let text = read(&file)?;
            lines += count::lines(&text);
            if may {
                faults.extend(macro_faults(&text).into_iter().map(|fault| format!("{}: {fault}", file.display())));
            }
        }
        *if forbids { &mut confined } else { &mut free } += lines;
    }
    let share = free * 100 / (confined + free).max(1);
    println!("    lines: {} without unsafe code, {free} in crates that may hold it ({share} %)", confined);
    if share > MOST && super::stages::kernel_exists(context.paths) {
        faults.push(format!(
            "{share} % of the lines are in crates that may hold unsafe code; at most {MOST} % are allowed"
        ));
    }
    Ok(Tally::of_faults(&faults))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn root_file(folder: &Path) -> Option<PathBuf> {
    ["src/lib.rs", "src/main.rs"].iter().map(|name| folder.join(name)).find(|file| file.exists())
}

/// Exported macros whose text holds `unsafe`.
fn macro_faults(text: &str) -> Vec<String> {
    let code = count::code(text);
    let mut faults = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("#[macro_export]") {
        rest = &rest[at..];
        let Some(body) = rest.find('{').map(|start| count::block(&rest[start..])) else {
            break;
        };
        let name =
            rest.split("macro_rules!").nth(1).and_then(|after| after.split_whitespace().next()).unwrap_or("a macro");
        if body.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == "unsafe") {
            faults.push(format!("the exported macro {name} expands to unsafe code"));
        }
        rest = &rest["#[macro_export]".len()..];
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::macro_faults;

    #[test]
    fn macros_with_unsafe_are_found() {
        let bad = "#[macro_export]\nmacro_rules! bad { () => { unsafe { f() } } }\n";
        assert_eq!(macro_faults(bad), ["the exported macro bad expands to unsafe code"]);
        let attribute = "#[macro_export]\nmacro_rules! bad { () => { #[unsafe(no_mangle)] fn f() {} } }\n";
        assert_eq!(macro_faults(attribute).len(), 1);
        let good =
            "#[macro_export]\nmacro_rules! good { () => { f(\"unsafe\") /* unsafe */ } }\nfn g() { unsafe { f() } }\n";
        assert_eq!(macro_faults(good), Vec::<String>::new());
    }
}
