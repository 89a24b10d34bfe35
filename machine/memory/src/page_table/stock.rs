//! Tables that went without entries, kept as they are.
//!
//! A table is only freed when its last entry has been cleared, so it is all zeros: exactly what the next one has to be. Each CPU
//! keeps a few; a fork and its exit then clear no tables at all.
use super::table::Table;
use smallvec::SmallVec;
use sync::{InterruptsOff, Once, PerCpu, Rank, SpinLock};

/// Tables that a CPU keeps: those of two small processes.
const KEPT: usize = 16;

type Stock = SpinLock<SmallVec<[Table; KEPT]>, InterruptsOff>;

static STOCKS: Once<PerCpu<Stock, InterruptsOff>> = Once::new();

/// Gives each of `cpus` CPUs a stock. Once, when the heap works and the number is known.
pub fn start_table_stocks(cpus: usize) {
    let stock = |_| SpinLock::new(Rank::TableStock, SmallVec::new_const());
    if let Some(stocks) = PerCpu::new(cpus, stock) {
        let _ = STOCKS.set(stocks);
    }
}

#[inline]
pub(crate) fn take() -> Option<Table> {
    STOCKS.get()?.this().lock().pop()
}

/// Keeps a table of zeros; false where there are enough.
#[inline]
pub(crate) fn keep(table: Table) -> bool {
    let Some(stocks) = STOCKS.get() else { return false };
    let stock = stocks.this();
    let mut stock = stock.lock();
    let room = stock.len() < KEPT;
    if room {
        stock.push(table);
    }
    room
}

/// Tables that CPUs keep.
pub fn kept_tables() -> usize {
    STOCKS.get().into_iter().flat_map(|stocks| stocks.iter()).map(|stock| stock.lock().len()).sum()
}

/// Gives all kept tables back: for counting what is left over, and when memory is short.
pub fn drain_table_stocks() {
    for stock in STOCKS.get().into_iter().flat_map(|stocks| stocks.iter()) {
        let tables = core::mem::take(&mut *stock.lock());
        // SAFETY: nobody uses a table in stock.
        tables.into_iter().for_each(|table| unsafe { table.free() });
    }
}
