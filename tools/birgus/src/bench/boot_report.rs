//! Start-up as tables.

use super::boot::{Boots, Figures, MEMORY, OnMachine, Starts};
use super::layout::Table;
use super::wall::Spread;

/// How to read them.
pub const LEGEND: &str = "From the kernel's first instruction to init's: 256 MiB, the busybox root as an initramfs, one processor. \
    Milliseconds are the middle of seven starts, and those between which the middle half lies. Memory gone is all RAM in the map less \
    free pages and less the files of the initramfs, at init's first instruction; what Linux has in its initramfs is its `Cached`.";

/// Phases in the kernel's order; the view has more rows.
pub const PHASES: [&str; 7] = ["memory", "acpi", "cpus", "files", "devices", "initramfs", "exec"];
/// What of the pages is not gone.
const NOT_GONE: [&str; 4] = ["pages_free", "pages_free_of_cpus", "pages_files", "pages_total"];

pub fn tables(boots: &Boots) -> Vec<Table> {
    let mut tables: Vec<Table> = boots.machines.iter().map(times).collect();
    if let Some(machine) = boots.machines.first() {
        tables.push(memory(machine));
    }
    let mut image = Table::new("Image: bytes of its loaded segments", &["", "here", "there"]);
    let there = boots.image_there.map_or_else(|| "-".to_owned(), kibibytes);
    image.rows.push(vec!["KiB".into(), kibibytes(boots.image), there]);
    tables.push(image);
    tables
}

fn kibibytes(bytes: u64) -> String {
    bytes.div_ceil(1024).to_string()
}

fn times(both: &OnMachine) -> Table {
    let head = ["phase", "instructions", "ms", "instructions there", "ms there"];
    let mut table = Table::new(&format!("Entry to init on {}", both.machine), &head);
    let hertz = both.here.timed.iter().find_map(|figures| figures.get("hertz").copied()).unwrap_or(1e9);
    for (index, name) in PHASES.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| PHASES.get(index)).copied();
        let of = |figures: &Figures| {
            Some(figures.get(*name)? - before.map_or(Some(0.0), |name| figures.get(name).copied())?)
        };
        let timed = both.here.timed.iter().filter_map(of).map(|cycles| cycles * 1000.0 / hertz).collect();
        let counted = of(&both.here.counted).map_or_else(String::new, |count| format!("{count:.0}"));
        table.rows.push(vec![
            (*name).to_owned(),
            counted,
            milliseconds(Spread::of(timed)),
            String::new(),
            String::new(),
        ]);
    }
    let total = |starts: Option<&Starts>| match starts {
        Some(starts) => [
            both.instructions(starts).map_or_else(String::new, |count| format!("{count:.0}")),
            milliseconds(both.milliseconds(starts)),
        ],
        None => [String::from("-"), String::from("-")],
    };
    let mut row = vec!["all".to_owned()];
    row.extend(total(Some(&both.here)));
    row.extend(total(both.there.as_ref()));
    table.rows.push(row);
    table
}

fn milliseconds(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |Spread { low, middle, high }| format!("{middle:.1} ({low:.1}–{high:.1})"))
}

fn memory(both: &OnMachine) -> Table {
    let here = &both.here.counted;
    let title = format!("Memory gone at init's first instruction, KiB of {}", MEMORY * 1024);
    let mut table = Table::new(&title, &["owner", "here", "there"]);
    let owners = here.iter().filter_map(|(name, pages)| Some((name.strip_prefix("pages_")?, name, *pages)));
    let mut owners: Vec<_> =
        owners.filter(|(_, name, pages)| !NOT_GONE.contains(&name.as_str()) && *pages > 0.0).collect();
    owners.sort_by(|left, right| right.2.total_cmp(&left.2).then(left.1.cmp(right.1)));
    for (owner, _, pages) in owners {
        table.rows.push(vec![owner.replace('_', " "), format!("{:.0}", pages * 4.0), String::new()]);
    }
    let there = both.there.as_ref().and_then(|there| gone(&there.counted, here));
    let figure = |gone: Option<f64>| gone.map_or_else(|| "-".to_owned(), |kibibytes| format!("{kibibytes:.0}"));
    table.rows.push(vec!["all".to_owned(), figure(gone(here, here)), figure(there)]);
    table
}

/// KiB: by the kernel's account of its pages, or by what it tells programs (then `map` says how much RAM there is).
fn gone(figures: &Figures, map: &Figures) -> Option<f64> {
    if let Some(total) = figures.get("pages_total") {
        let not: f64 = NOT_GONE[..3].iter().filter_map(|name| figures.get(*name)).sum();
        return Some((total - not) * 4.0);
    }
    let total = map.get("pages_total").map_or((MEMORY * 1024) as f64, |pages| pages * 4.0);
    Some(total - figures.get("free_KiB")? - figures.get("Cached").copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::boot::{Boots, Figures, OnMachine, Starts};
    use super::tables;

    fn figures(pairs: &[(&str, f64)]) -> Figures {
        pairs.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    }

    #[test]
    fn phases_owners_and_sums() {
        let here = figures(&[
            ("tsc", 1900.0),
            ("before_entry", 100.0),
            ("memory", 300.0),
            ("acpi", 500.0),
            ("pages_total", 100.0),
            ("pages_free", 60.0),
            ("pages_free_of_cpus", 10.0),
            ("pages_files", 20.0),
            ("pages_slab", 2.0),
            ("pages_image", 8.0),
        ]);
        let there = figures(&[("tsc", 9100.0), ("free_KiB", 200.0), ("Cached", 80.0)]);
        let starts = |counted: Figures| Starts { counted, timed: Vec::new() };
        let machine = OnMachine { machine: "microvm".into(), here: starts(here), there: Some(starts(there)) };
        let boots = Boots { machines: vec![machine], image: 2048, image_there: Some(5000) };
        let text: Vec<String> = tables(&boots).iter().map(|table| table.text()).collect();
        let line = |table: usize, start: &str| {
            let found = text[table].lines().find(|line| line.starts_with(start)).unwrap_or_default();
            found.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line(0, "memory"), "memory 300");
        assert_eq!(line(0, "acpi"), "acpi 200");
        assert_eq!(line(0, "all"), "all 1800 9000", "it has no mark at its end: by init's reading");
        assert_eq!((line(1, "image"), line(1, "slab")), ("image 32".into(), "slab 8".into()));
        assert_eq!(line(1, "all"), "all 40 120", "what is free or of the initramfs is not gone");
        assert!(!text[1].contains("files"));
        assert_eq!(line(2, "KiB"), "KiB 2 5");
    }
}
