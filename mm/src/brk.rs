//! brk(2).
use crate::area::{Area, AreaFlags, Backing};
use crate::pages::Pages;
use crate::{AddressSpace, Limits, page_up};
use abi::{Errno, PAGE_SIZE};
use memory::USER_END;
use memory::page_table::Rights;

impl<P: Pages> AddressSpace<P> {
    /// Puts the empty heap at `start`, behind the program that was just loaded.
    pub fn set_heap_start(&self, start: usize) {
        let mut map = self.map.write();
        map.heap = start..start;
    }

    /// brk(2): moves the heap's end to `end` if that is possible; answers where it is then, as the system call does.
    pub fn brk(&self, end: usize, limits: &Limits) -> usize {
        self.move_break(end, limits).unwrap_or_else(|_| self.map.read().heap.end)
    }

    fn move_break(&self, end: usize, limits: &Limits) -> Result<usize, Errno> {
        let mut map = self.map.write();
        let heap = map.heap.clone();
        if end < heap.start || end.saturating_sub(heap.start) as u64 > limits.data {
            return Err(Errno::ENOMEM);
        }
        let old = page_up(heap.end).ok_or(Errno::ENOMEM)?;
        let new = page_up(end).filter(|&new| new <= USER_END).ok_or(Errno::ENOMEM)?;
        let mut locked = false;
        if new < old {
            self.remove(&mut map, &(new..old))?;
        } else if new > old {
            // A page stays free above, so that the heap does not run into a neighbour unnoticed.
            if !map.is_free(&(old..new.saturating_add(PAGE_SIZE))) {
                return Err(Errno::ENOMEM);
            }
            let area = Area {
                rights: Rights::READ | Rights::WRITE,
                may: Rights::all(),
                flags: map.future,
                backing: Backing::Anonymous,
            };
            locked = area.flags.contains(AreaFlags::LOCKED);
            self.enter(&mut map, &(old..new), area, limits)?;
        }
        map.heap.end = end;
        drop(map);
        if locked {
            self.populate(&(old..new));
        }
        Ok(end)
    }
}
