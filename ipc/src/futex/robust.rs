//! Locks whose owner died (`get_robust_list(2)`).
use super::Fault;
use abi::raw::general::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// Entries that are looked at: a list can be a circle.
const LIMIT: usize = 2048;

/// The dying thread's memory.
pub trait RobustMemory {
    /// A pointer or offset of the program's: 8 bytes (4, extended, for an i386 program). May sleep.
    fn read_word(&mut self, address: u64) -> Result<u64, Fault>;
    /// A futex. May sleep.
    fn read_futex(&mut self, address: u64) -> Result<u32, Fault>;
    /// Puts `new` where `old` is; answers what was there. May sleep.
    fn exchange_futex(&mut self, address: u64, old: u32, new: u32) -> Result<u32, Fault>;
    /// Wakes one waiter of the futex there. May sleep.
    fn wake_one(&mut self, address: u64);
    /// Bytes in a pointer of the program's.
    fn pointer_size(&self) -> u64 {
        8
    }
}

/// Marks every lock on the list at `head` that `thread` owns as orphaned, and wakes a waiter of each. Ends at the first
/// fault: the list is the program's, and so is the damage.
pub fn walk_robust_list(memory: &mut impl RobustMemory, head: u64, thread: u32) -> Result<(), Fault> {
    let pointer = memory.pointer_size();
    let first = memory.read_word(head)?;
    let offset = memory.read_word(head.wrapping_add(pointer))?;
    let pending = memory.read_word(head.wrapping_add(2 * pointer))?;
    // The lowest bit marks a priority-inheriting lock.
    let (pending_entry, pending_inherits) = (pending & !1, pending & 1 != 0);
    let mut entry = first;
    for _ in 0..LIMIT {
        if entry & !1 == head {
            break;
        }
        // Fetched before the lock is given away: its new owner may take the entry out of this list.
        let next = memory.read_word(entry & !1);
        if entry & !1 != pending_entry {
            orphan(memory, (entry & !1).wrapping_add(offset), thread, entry & 1 != 0, false)?;
        }
        entry = next?;
    }
    if pending_entry != 0 {
        orphan(memory, pending_entry.wrapping_add(offset), thread, pending_inherits, true)?;
    }
    Ok(())
}

fn orphan(
    memory: &mut impl RobustMemory,
    address: u64,
    thread: u32,
    inherits: bool,
    pending: bool,
) -> Result<(), Fault> {
    if !address.is_multiple_of(4) {
        return Err(Fault);
    }
    let mut old = memory.read_futex(address)?;
    // Died between giving the lock up and waking its next owner.
    if pending && !inherits && old == 0 {
        memory.wake_one(address);
        return Ok(());
    }
    while old & FUTEX_TID_MASK == thread & FUTEX_TID_MASK {
        let found = memory.exchange_futex(address, old, old & FUTEX_WAITERS | FUTEX_OWNER_DIED)?;
        if found == old {
            if !inherits && old & FUTEX_WAITERS != 0 {
                memory.wake_one(address);
            }
            break;
        }
        old = found;
    }
    Ok(())
}
