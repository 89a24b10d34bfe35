//! Another program's memory: /proc/PID/mem, process_vm_readv(2), arguments for /proc/PID/cmdline, exec's first stack.
use crate::pages::Pages;
use crate::{Access, AddressSpace, FaultError, page_of};
use abi::{Errno, PAGE_SIZE};
use memory::page_table::Found;
use memory::{Frame, Reader, Writer};

/// How often a page may be taken away between being brought in and being looked at.
const ATTEMPTS: usize = 16;

impl<P: Pages> AddressSpace<P> {
    /// The frame behind a page, brought in for `access` as the program itself could have it. EFAULT; ENOMEM.
    fn pin(&self, page: usize, access: Access) -> Result<Frame, Errno> {
        for _ in 0..ATTEMPTS {
            let map = self.map.read();
            let (range, area) = map.areas.get(page).ok_or(Errno::EFAULT)?;
            if area.allows(access)
                && let Found::Allowed(frame) = self.pages().resolve(page, access == Access::Write)
            {
                return Ok(frame);
            }
            self.fault_in(&range, area, page, access).map_err(|error| match error {
                FaultError::OutOfMemory => Errno::ENOMEM,
                _ => Errno::EFAULT,
            })?;
        }
        Err(Errno::EFAULT)
    }

    /// Hands the pages of a range to `body` as (frame, offset, length), until it takes less than it was offered. Answers how
    /// many bytes were taken; EFAULT where the first page is not there. Neither lock is held while `body` runs, so it may
    /// copy to or from the current program's memory. A fork of this space that happens meanwhile may see a write or not.
    pub fn access_remote(
        &self,
        address: usize,
        length: usize,
        access: Access,
        mut body: impl FnMut(&Frame, usize, usize) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        let mut done: usize = 0;
        while done < length {
            let at = address.checked_add(done).ok_or(Errno::EFAULT)?;
            let offset = at & (PAGE_SIZE.wrapping_sub(1));
            let wanted = PAGE_SIZE.wrapping_sub(offset).min(length.wrapping_sub(done));
            let taken = self.pin(page_of(at), access).and_then(|frame| body(&frame, offset, wanted));
            match taken {
                Ok(taken) => {
                    done = done.wrapping_add(taken);
                    if taken < wanted {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Copies from this space to wherever `writer` goes.
    pub fn read_remote(&self, address: usize, writer: &mut Writer<'_>) -> Result<usize, Errno> {
        let length = writer.remaining();
        self.access_remote(address, length, Access::Read, |frame, offset, length| {
            writer.write_from_frame(frame, offset, length)
        })
    }

    /// Copies into this space from wherever `reader` comes from.
    pub fn write_remote(&self, address: usize, reader: &mut Reader<'_>) -> Result<usize, Errno> {
        let length = reader.remaining();
        self.access_remote(address, length, Access::Write, |frame, offset, length| {
            reader.read_to_frame(frame, offset, length)
        })
    }
}
