//! The first Rust code.
use crate::information::{Information, MAX_REGIONS, Region, RegionKind};
use crate::layout;
use crate::paging::Builder;
use core::ops::Range;
use memory::PhysicalAddress;
use memory::descriptor::Descriptor;
use memory::owners::{self, Boot};
use memory::physical::to_virtual;
use sync::{Once, Thread};
use trap::CpuTables;

const GIBIBYTE: u64 = 1 << 30;
/// "xEn3", with its top bit set: `XEN_HVM_START_MAGIC_VALUE`.
const PVH_MAGIC: u32 = 0x336e_c578;
/// Offsets in Linux's zero page (x86 boot protocol).
const ZERO_E820_COUNT: u64 = 0x1e8;
const ZERO_E820: u64 = 0x2d0;
const ZERO_RSDP: u64 = 0x70;
const ZERO_RAMDISK: u64 = 0x218;
const ZERO_COMMAND_LINE: u64 = 0x228;

struct BootCpu(core::cell::UnsafeCell<CpuTables>);
// SAFETY: touched by the first CPU only.
unsafe impl Sync for BootCpu {}
static BOOT_CPU: BootCpu = BootCpu(core::cell::UnsafeCell::new(CpuTables::new()));
static BOOT_THREAD: Thread = Thread::boot();

type Main = fn(Information) -> !;
static MAIN: Once<Main> = Once::new();

unsafe extern "Rust" {
    /// The image's root hands the kernel's main function over here, before anything else runs.
    safe fn birgus_main() -> Main;
}

/// A value that the loader left at a physical address below 1 GiB; zeros beyond it.
fn peek<T: Copy>(address: u64) -> Option<T> {
    if address.checked_add(size_of::<T>() as u64)? > GIBIBYTE {
        return None;
    }
    // SAFETY: the start-up mapping covers it; only plain numbers are read, which any bytes are.
    Some(unsafe { to_virtual(PhysicalAddress(address)).cast::<T>().read_unaligned() })
}

/// Bytes up to a NUL at a physical address below 1 GiB.
fn string(address: u64) -> &'static [u8] {
    if address == 0 || address >= GIBIBYTE {
        return &[];
    }
    let limit = (GIBIBYTE - address).min(65536) as usize;
    let start = to_virtual(PhysicalAddress(address));
    // SAFETY: mapped, and kept out of the zones, so it stays as it is.
    let bytes = unsafe { core::slice::from_raw_parts(start, limit) };
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(limit);
    &bytes[..end]
}

/// PVH's `hvm_start_info` (xen/include/public/arch-x86/hvm/start_info.h).
fn from_pvh(address: u64, information: &mut Information) -> Option<()> {
    if peek::<u32>(address)? != PVH_MAGIC {
        return None;
    }
    let version: u32 = peek(address + 4)?;
    let (modules, list): (u32, u64) = (peek(address + 12)?, peek(address + 16)?);
    information.taken.push(address..address + 64);
    if modules > 0 {
        let (start, size): (u64, u64) = (peek(list)?, peek(list + 8)?);
        information.initial_ram_disk = (size > 0).then_some(start..start.checked_add(size)?);
    }
    command_line(peek(address + 24)?, information);
    information.rsdp = Some(peek::<u64>(address + 32)?).filter(|&rsdp| rsdp != 0);
    if version >= 1 {
        let (map, entries): (u64, u32) = (peek(address + 40)?, peek(address + 48)?);
        for index in 0..u64::from(entries).min(MAX_REGIONS as u64) {
            let at = map + index * 24;
            region(peek(at)?, peek(at + 8)?, peek(at + 16)?, information);
        }
    }
    Some(())
}

/// Linux's zero page, from a loader of the 64-bit boot protocol.
fn from_zero_page(address: u64, information: &mut Information) -> Option<()> {
    information.taken.push(address..address + 4096);
    let (start, size): (u32, u32) = (peek(address + ZERO_RAMDISK)?, peek(address + ZERO_RAMDISK + 4)?);
    information.initial_ram_disk = (size > 0).then(|| u64::from(start)..u64::from(start) + u64::from(size));
    command_line(u64::from(peek::<u32>(address + ZERO_COMMAND_LINE)?), information);
    information.rsdp = Some(peek::<u64>(address + ZERO_RSDP)?).filter(|&rsdp| rsdp != 0);
    for index in 0..u64::from(peek::<u8>(address + ZERO_E820_COUNT)?) {
        let at = address + ZERO_E820 + index * 20;
        region(peek(at)?, peek(at + 8)?, peek(at + 16)?, information);
    }
    Some(())
}

fn command_line(address: u64, information: &mut Information) {
    information.command_line = string(address);
    information.taken.push(address..address + information.command_line.len() as u64 + 1);
}

fn region(start: u64, size: u64, kind: u32, information: &mut Information) {
    if let Some(end) = start.checked_add(size)
        && information.regions.len() < crate::information::MAX_REGIONS
    {
        information.regions.push(Region { range: start..end, kind: RegionKind::from_number(kind) });
    }
}

/// Called by the start-up code: `kind` is 0 for PVH and 1 for the 64-bit boot protocol.
pub(crate) extern "sysv64" fn entered(kind: u64, address: u64) -> ! {
    arch::features::detect();
    // SAFETY: the first CPU, once, interrupts off; its tables are used nowhere else.
    unsafe {
        trap::initialise_cpu(BOOT_CPU.0.get(), 0, 0);
    }
    arch::cpu::set_current(&raw const BOOT_THREAD as usize);
    let _ = MAIN.set(birgus_main());
    // SAFETY: written by the start-up code, before Rust ran.
    let entry_tsc = unsafe { (&raw const layout::boot_entry_tsc).read_volatile() };
    let mut information = Information { entry_tsc, ..Information::default() };
    let found = if kind == 0 { from_pvh(address, &mut information) } else { from_zero_page(address, &mut information) };
    assert!(found.is_some(), "the loader's information at {address:#x} is damaged");
    start(information)
}

/// Sets memory up and goes on to the kernel's main function.
pub fn start(mut information: Information) -> ! {
    information.taken.push(layout::image_range());
    // The first page holds the BIOS's data; frame 0 is never handed out.
    information.taken.push(0..0x1000);
    if let Some(disk) = information.initial_ram_disk.clone() {
        information.taken.push(disk);
    }
    information.low_page = information.take_low_page();
    limit_memory(&mut information);
    let end = information.ram().map(|range| range.end).max().unwrap_or(0);
    let frames = (end / 4096) as usize;
    let table = information.take((frames * size_of::<Descriptor>()) as u64, 4096, u64::MAX);
    let table = table.expect("no room for the descriptors of all frames");
    // Tables right behind the descriptors stand in one entry with them.
    let last = information.taken.len() - 1;
    let top = page_tables(&mut information).expect("no room for page tables below 1 GiB");
    // SAFETY: the new tables map the image, the stack inside it, and all RAM, just as the start-up tables did.
    unsafe { arch::instructions::write_cr3(top) };
    let descriptors = descriptors(table, frames);
    let ram: smallvec::SmallVec<[Range<u64>; MAX_REGIONS]> = information.ram().collect();
    memory::zones::initialise(descriptors, &ram, &information.taken);
    information.taken[last..].iter().for_each(|tables| owners::mark(tables, Boot::Tables));
    owners::mark(&(table..table + size_of_val(descriptors) as u64), Boot::Descriptors);
    owners::mark(&layout::image_range(), Boot::Image);
    memory::zones::set_reserve();
    match MAIN.get() {
        Some(main) => main(information),
        None => unreachable!("set before"),
    }
}

fn page_tables(information: &mut Information) -> Option<u64> {
    let fine = layout::image_range();
    let read_only = layout::text_range().start..layout::constants_range().end;
    let ram: smallvec::SmallVec<[Range<u64>; MAX_REGIONS]> = information.ram().collect();
    let mut builder = Builder::new(information)?;
    builder.direct(0..0x10_0000, &fine, &read_only)?;
    for range in ram {
        builder.direct(range, &fine, &read_only)?;
    }
    builder.image()?;
    builder.finish()
}

fn descriptors(address: u64, count: usize) -> &'static [Descriptor] {
    let start = to_virtual(PhysicalAddress(address));
    // SAFETY: taken above for this; zeros are a valid `Descriptor` (reserved, on no list), and nobody else uses the bytes.
    unsafe {
        start.write_bytes(0, count * size_of::<Descriptor>());
        core::slice::from_raw_parts(start.cast(), count)
    }
}

/// `mem=SIZE` cuts RAM off.
fn limit_memory(information: &mut Information) {
    let Some(limit) = crate::information::memory_limit(information.command_line) else { return };
    for region in &mut information.regions {
        if region.kind == RegionKind::Ram {
            region.range.end = region.range.end.min(limit).max(region.range.start);
        }
    }
}
