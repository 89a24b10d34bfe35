//! Looking up against a list searched from end to end.

use crate::{LONGEST_NAME, Symbol, count, lookup, write};
use proptest::prelude::*;

fn symbol(address: u64, size: u64, name: &str) -> Symbol {
    Symbol { address, size, name: name.into() }
}

#[test]
fn addresses_find_their_function() {
    let base = 0xffff_ffff_8000_0000;
    let table =
        write(&[symbol(base + 0x20, 0x10, "b"), symbol(base, 0x10, "a::a"), symbol(base + 0x40, 0, "c")]).unwrap();
    assert_eq!(lookup(&table, base - 1), None);
    assert_eq!(lookup(&table, base), Some(("a::a", 0)));
    assert_eq!(lookup(&table, base + 0xf), Some(("a::a", 0xf)));
    assert_eq!(lookup(&table, base + 0x10), None, "a gap");
    assert_eq!(lookup(&table, base + 0x2f), Some(("b", 0xf)));
    assert_eq!(lookup(&table, base + 0x140), Some(("c", 0x100)), "size unknown");
    assert_eq!(count(&table), 5);
}

#[test]
fn an_empty_section_has_no_symbols() {
    assert_eq!(lookup(&[0; 512], 0), None);
    assert_eq!(lookup(&[], 0), None);
    assert_eq!(lookup(&write(&[]).unwrap(), 0), None);
    assert_eq!(count(&[0; 512]), 0);
}

#[test]
fn long_names_keep_both_ends() {
    let name = format!("start::{}::end", "é".repeat(200));
    let table = write(&[symbol(1, 1, &name)]).unwrap();
    let (short, _) = lookup(&table, 1).unwrap();
    assert!(short.len() <= LONGEST_NAME && short.starts_with("start::") && short.ends_with("::end"), "{short}");
}

#[test]
fn a_span_beyond_four_gigabytes_is_refused() {
    assert_eq!(write(&[symbol(0, 1, "a"), symbol(1 << 32, 1, "b")]), Err(1 << 32));
}

proptest! {
    #[test]
    fn like_a_linear_search(starts in proptest::collection::btree_map(0_u64..500, 0_u64..40, 0..40), address in 0_u64..600) {
        let symbols: Vec<Symbol> = starts.iter().map(|(&start, &size)| symbol(start, size, &format!("f{start}"))).collect();
        let table = write(&symbols).unwrap();
        let model = symbols.iter().rev().find(|symbol| symbol.address <= address);
        let model = model.filter(|symbol| symbol.size == 0 || address < symbol.address + symbol.size);
        let model = model.map(|symbol| (symbol.name.as_str(), address - symbol.address));
        prop_assert_eq!(lookup(&table, address), model);
    }

    #[test]
    fn damage_does_not_panic(at in 0_usize..200, value: u8, cut in 0_usize..200, address in 0_u64..64) {
        let symbols: Vec<Symbol> = (0..8).map(|index| symbol(index * 8, 4, "name")).collect();
        let mut table = write(&symbols).unwrap();
        let length = table.len();
        table[at % length] = value;
        let _ = lookup(&table[..cut.min(length)], address);
        let _ = lookup(&table, address);
    }
}
