//! A program's new address space: segments, interpreter, stack, vDSO.
//!
//! It is built whole, beside the old one, before anything of the old program is given up: whatever fails, the caller lives.
use abi::Errno;
use abi::raw::general::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK};
use alloc::sync::Arc;
use core::ops::Range;
use exec::{Arguments, AuxiliaryValues, Image, Kind, Program, Protection, StackImage, StackLayout};
use memory::{PAGE_SIZE, Reader};
use mm::{Area, AreaFlags, Backing, Layout, Limits, MapRequest, MappedFile, Place, Rights, Special};
use platform::AddressSpace;
use sync::Once;
use vfs::Credentials;

/// Bytes of stack that are mapped at first; it grows from there.
const FIRST_STACK: usize = 132 << 10;

/// A file that may be executed: what its headers are read from, and what is mapped.
pub trait Executable: Image {
    fn mapped(&self) -> Arc<dyn MappedFile>;
    /// The file itself, for /proc/PID/exe.
    fn opened(&self) -> Arc<vfs::ExecutedFile>;
}

/// The pages that every program gets: the vDSO, preceded by its data.
pub struct SharedPages {
    pub data: Arc<Special>,
    pub code: Arc<Special>,
}

static SHARED: Once<SharedPages> = Once::new();

/// Gives programs a vDSO. Once, before the first program.
pub fn set_shared_pages(pages: SharedPages) {
    let _ = SHARED.set(pages);
}

/// What a new program starts with.
pub struct Loaded {
    pub space: Arc<AddressSpace>,
    pub entry: u64,
    pub stack: StackLayout,
    pub auxiliary_vector: alloc::vec::Vec<u64>,
    /// Code and initialised data.
    pub code: Range<u64>,
    pub data: Range<u64>,
}

/// What the image is to be like.
pub struct Wish<'a> {
    pub program: &'a Program,
    pub file: &'a dyn Executable,
    pub interpreter: Option<(&'a Program, &'a dyn Executable)>,
    pub arguments: &'a Arguments,
    pub credentials: &'a Credentials,
    pub limits: Limits,
    /// For addresses, or none under `norandmaps`.
    pub entropy: Option<[u64; 4]>,
    pub random: [u8; 16],
    pub secure: bool,
}

/// Limits in the form in which mm takes them.
pub fn limits_of(task: &crate::Task) -> Limits {
    let limits = task.process.limits.lock();
    Limits {
        address_space: limits.soft(RLIMIT_AS),
        data: limits.soft(RLIMIT_DATA),
        stack: limits.soft(RLIMIT_STACK),
        locked: limits.soft(RLIMIT_MEMLOCK),
    }
}

/// Builds the address space. ENOMEM; what the file's pages answer; EINVAL and the like for segments that make no sense.
pub fn load(wish: &Wish<'_>) -> Result<Loaded, Errno> {
    let layout = Layout::new(&wish.limits, wish.entropy);
    let space = AddressSpace::new(layout)?;
    let program = wish.program.layout()?;
    let base = if wish.program.kind == Kind::Fixed {
        0
    } else if wish.interpreter.is_some() {
        align_down(layout.program_base as u64, wish.program.alignment)
    } else {
        // A program without an interpreter is one itself (ld.so called by name): it leaves the program's place free.
        reserve(&space, program.span, wish.program.alignment, &wish.limits)?
    };
    let bias = program.bias(base);
    map_segments(&space, &program, bias, wish.file, &wish.limits)?;
    let entry = program.entry(bias)?;
    let mut values = auxiliary_values(wish, program.program_headers(bias), entry);
    let mut start = entry;
    if let Some((interpreter, file)) = wish.interpreter {
        let layout = interpreter.layout()?;
        let base = reserve(&space, layout.span, interpreter.alignment, &wish.limits)?;
        let bias = layout.bias(base);
        map_segments(&space, &layout, bias, file, &wish.limits)?;
        start = layout.entry(bias)?;
        values.interpreter_base = bias;
    }
    let brk = program.brk.wrapping_add(bias) as usize + layout.break_offset;
    space.set_heap_start(brk.next_multiple_of(PAGE_SIZE));
    values.vdso = map_shared(&space, &wish.limits)?;
    map_stack(&space, &layout, wish)?;
    let jitter = wish.entropy.map_or(0, |entropy| entropy[0] >> 32 & 8191);
    let stack = StackImage::new(wish.arguments, &values, wish.random, layout.stack_top as u64, jitter)?;
    stack.write_to(|address, bytes| write(&space, address, bytes))?;
    let auxiliary_vector = stack.auxiliary_vector().to_vec();
    let at = |range: &Range<u64>| range.start.wrapping_add(bias)..range.end.wrapping_add(bias);
    let (code, data) = (at(&program.code), at(&program.data));
    Ok(Loaded { space, entry: start, stack: stack.layout(), auxiliary_vector, code, data })
}

fn align_down(address: u64, alignment: u64) -> u64 {
    address & !(alignment.max(PAGE_SIZE as u64) - 1)
}

fn write(space: &Arc<AddressSpace>, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let written = space.write_remote(address as usize, &mut Reader::kernel(bytes))?;
    if written == bytes.len() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Finds room for `span` bytes at a multiple of `alignment`, and leaves it free again.
fn reserve(space: &Arc<AddressSpace>, span: u64, alignment: u64, limits: &Limits) -> Result<u64, Errno> {
    let slack = alignment.max(PAGE_SIZE as u64) - PAGE_SIZE as u64;
    let length = span.checked_add(slack).and_then(|length| usize::try_from(length).ok()).ok_or(Errno::ENOMEM)?;
    let mut request = MapRequest::anonymous(length.max(PAGE_SIZE), Rights::empty());
    request.area.flags |= AreaFlags::NO_RESERVE;
    let address = space.mmap(request, limits)?;
    space.munmap(address, length.max(PAGE_SIZE))?;
    Ok((address as u64).next_multiple_of(alignment.max(PAGE_SIZE as u64)))
}

fn rights(protection: Protection) -> Rights {
    let mut rights = Rights::empty();
    rights.set(Rights::READ, protection.contains(Protection::READ));
    rights.set(Rights::WRITE, protection.contains(Protection::WRITE));
    rights.set(Rights::EXECUTE, protection.contains(Protection::EXECUTE));
    rights
}

fn map_segments(
    space: &Arc<AddressSpace>,
    layout: &exec::Layout<'_>,
    bias: u64,
    file: &dyn Executable,
    limits: &Limits,
) -> Result<(), Errno> {
    let mapped = Backing::file(file.mapped(), 0);
    for mapping in layout.mappings(bias) {
        if let Some(part) = &mapping.file {
            let backing = match &mapped {
                Backing::File { file, .. } => {
                    Backing::File { file: file.clone(), page: part.offset / PAGE_SIZE as u64 }
                }
                other => other.clone(),
            };
            map(space, part.addresses.clone(), rights(mapping.protection), backing, limits)?;
        }
        if let Some(range) = &mapping.anonymous {
            map(space, range.clone(), rights(mapping.anonymous_protection()), Backing::Anonymous, limits)?;
        }
        if let Some(range) = &mapping.clear {
            clear(space, range.clone());
        }
    }
    Ok(())
}

fn map(
    space: &Arc<AddressSpace>,
    range: Range<u64>,
    rights: Rights,
    backing: Backing,
    limits: &Limits,
) -> Result<(), Errno> {
    let request = MapRequest {
        place: Place::Fixed(range.start as usize),
        length: (range.end - range.start) as usize,
        area: Area { rights, may: Rights::all(), flags: AreaFlags::empty(), backing },
        populate: false,
        low: false,
    };
    space.mmap(request, limits).map(|_| ())
}

/// Clears the rest of a segment's last page. A segment that cannot be written stays as it is, as on Linux.
fn clear(space: &Arc<AddressSpace>, range: Range<u64>) {
    const ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
    let length = ((range.end - range.start) as usize).min(PAGE_SIZE);
    let _ = space.write_remote(range.start as usize, &mut Reader::kernel(&ZEROS[..length]));
}

fn map_stack(space: &Arc<AddressSpace>, layout: &Layout, wish: &Wish<'_>) -> Result<(), Errno> {
    let mut stack = Rights::READ | Rights::WRITE;
    stack.set(Rights::EXECUTE, wish.program.executable_stack);
    let request = MapRequest {
        place: Place::Fixed(layout.stack_top - FIRST_STACK),
        length: FIRST_STACK,
        area: Area { rights: stack, may: Rights::all(), flags: AreaFlags::GROWS_DOWN, backing: Backing::Anonymous },
        populate: false,
        low: false,
    };
    space.mmap(request, &Limits { stack: wish.limits.stack.max(FIRST_STACK as u64), ..wish.limits }).map(|_| ())
}

/// Maps the vDSO and the data before it; answers where the vDSO starts.
fn map_shared(space: &Arc<AddressSpace>, limits: &Limits) -> Result<Option<u64>, Errno> {
    let Some(pages) = SHARED.get() else { return Ok(None) };
    let (data, code) = (pages.data.frames.len() * PAGE_SIZE, pages.code.frames.len() * PAGE_SIZE);
    let base = reserve(space, (data + code) as u64, PAGE_SIZE as u64, limits)? as usize;
    let parts =
        [(base, data, Rights::READ, &pages.data), (base + data, code, Rights::READ | Rights::EXECUTE, &pages.code)];
    for (address, length, rights, special) in parts {
        let area = Area {
            rights,
            may: rights,
            flags: AreaFlags::SPECIAL,
            backing: Backing::Special { special: special.clone(), page: 0 },
        };
        space.mmap(MapRequest { place: Place::Fixed(address), length, area, populate: false, low: false }, limits)?;
    }
    Ok(Some((base + data) as u64))
}

fn auxiliary_values(wish: &Wish<'_>, program_headers: u64, entry: u64) -> AuxiliaryValues {
    let credentials = wish.credentials;
    AuxiliaryValues {
        program_headers,
        program_header_count: wish.program.header_count,
        entry,
        user: credentials.user.real,
        effective_user: credentials.user.effective,
        group: credentials.group.real,
        effective_group: credentials.group.effective,
        secure: wish.secure,
        hardware: u64::from(arch::features::hardware_capabilities()),
        hardware2: u64::from(arch::features::has(arch::features::Feature::FsGsBase)) << 1,
        minimum_signal_stack: signal::minimum_stack_size(crate::signals::vector_layout()),
        ..AuxiliaryValues::default()
    }
}

/// Reads the start of a file, up to a page.
pub fn read_head(file: &dyn Image) -> Result<alloc::vec::Vec<u8>, Errno> {
    let mut head = alloc::vec::Vec::new();
    head.try_reserve_exact(PAGE_SIZE).map_err(|_| Errno::ENOMEM)?;
    head.resize(PAGE_SIZE, 0);
    let length = file.read_at(0, &mut head)?;
    head.truncate(length);
    Ok(head)
}
