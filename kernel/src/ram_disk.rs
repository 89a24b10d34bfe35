//! The initial RAM disk: its archives unpacked into the root, its pages given back.
//!
//! That happens on a thread of its own, for its stack: decompressors keep several kilobytes of tables in theirs.
use crate::rootfs::Root;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use boot::Information;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use memory::PAGE_SIZE;
use memory::kernel_stack::LargeStack;
use sync::{Thread, WaitQueue};

/// Bytes of the unpacker's stack: four times what xz's decompressor was seen to use.
const STACK: usize = 64 << 10;

/// The initial RAM disk, read a page at a time; a page that has been read belongs to the zones again.
struct RamDisk {
    position: u64,
    end: u64,
    /// Where the first page starts that is the disk's alone.
    whole_from: u64,
    page: Box<[u8; PAGE_SIZE]>,
}

impl RamDisk {
    fn new(range: Range<u64>) -> Self {
        let mut disk = Self {
            position: range.start,
            end: range.end,
            whole_from: range.start.next_multiple_of(PAGE_SIZE as u64),
            page: Box::new([0; PAGE_SIZE]),
        };
        disk.load();
        disk
    }

    /// Bytes from the position to the end of its page.
    fn length(&self) -> usize {
        let page_end = (self.position | (PAGE_SIZE as u64 - 1)) + 1;
        (page_end.min(self.end) - self.position) as usize
    }

    fn load(&mut self) {
        if self.position < self.end {
            let length = self.length();
            if !firmware::read(self.position, &mut self.page[..length]) {
                self.end = self.position;
            }
        }
    }
}

impl initramfs::Source for RamDisk {
    fn peek(&mut self) -> Result<&[u8], initramfs::Reason> {
        let length = if self.position < self.end { self.length() } else { 0 };
        Ok(&self.page[..length])
    }

    fn consume(&mut self, count: usize) {
        let length = self.length();
        self.position += count as u64;
        if count < length {
            self.page.copy_within(count..length, 0);
            return;
        }
        // Only whole pages of the disk are nobody else's.
        let page = (self.position - 1) / PAGE_SIZE as u64;
        if self.position.is_multiple_of(PAGE_SIZE as u64) && self.whole_from <= page * PAGE_SIZE as u64 {
            memory::zones::release(page as u32..page as u32 + 1);
        }
        self.load();
    }
}

static UNPACKED: AtomicBool = AtomicBool::new(false);
static WAITING: WaitQueue = WaitQueue::new();

/// Unpacks the initial RAM disk, where there is one, and gives its pages back to the zones.
///
/// # Errors
/// ENOMEM.
pub fn unpack(root: &Root, information: &Information) -> Result<(), Errno> {
    if let Some(range) = information.initial_ram_disk.clone() {
        let root = root.clone();
        let main = move || {
            unpack_all(&root, range);
            UNPACKED.store(true, Ordering::Release);
            WAITING.wake_all();
        };
        let stack = LargeStack::new(STACK / PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        let thread = Arc::new(Thread::new(Box::new(stack), 0, Box::new(main)));
        scheduler::start(thread, sched::Nice::clamped(0), sched::Policy::Normal);
        WAITING.wait_until(|| UNPACKED.load(Ordering::Acquire));
    }
    memory::heap::refuse_large();
    Ok(())
}

fn unpack_all(root: &Root, range: Range<u64>) {
    klog::info!("Unpacking initramfs...");
    let mut warn = |name: &[u8], errno: Errno| {
        klog::warning!("initramfs: {}: {errno:?}", core::str::from_utf8(name).unwrap_or("?"))
    };
    if let Err(failure) = initramfs::unpack(&mut RamDisk::new(range), &root.origin(), &mut warn) {
        klog::error!("Initramfs unpacking failed: {failure}");
    }
}
