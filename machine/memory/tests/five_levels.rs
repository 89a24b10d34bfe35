//! Five levels: one more table, and nothing else is different. A process of its own, since the number of levels is global.
use memory::page_table::{Counts, Mapping, PageKind, Rights, set_levels};
use memory::{Frame, PageTable};

#[test]
fn one_more_level() {
    set_levels(5);
    let before: usize = memory::statistics().iter().map(|zone| zone.free).sum();
    let table = PageTable::new().unwrap();
    let mapping = Mapping { rights: Rights::READ, kind: PageKind::Anonymous };
    for address in [0x1000, 0x7fff_ffff_e000, 0x55_5555_5555_5000] {
        table.map(address, &mut [Frame::allocate()], mapping).unwrap();
    }
    assert_eq!(table.walk(0x55_5555_5555_5000).to_string().lines().count(), 5);
    assert_eq!(table.table_pages(), 1 + 4 + 3 + 4);
    assert_eq!(table.unmap(0..1 << 56), Counts { anonymous: 3, file: 0 });
    assert_eq!(table.table_pages(), 1);
    drop(table);
    let after: usize = memory::statistics().iter().map(|zone| zone.free).sum();
    assert_eq!(after, before);
}
