//! Memory: what is mapped where, for whom, and what becomes of it.
use crate::call::{errno, must};
use crate::child::{End, Fault, PAGE, close, fault, fork, map, map_as, run, shared, wait};
use crate::sys;
use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE};
use std::os::fd::AsRawFd;

crate::tests!(
    fresh_memory_is_zero,
    mmap_rejects_nonsense,
    fixed_replaces,
    fixed_no_replace,
    hint_is_taken_where_free,
    munmap_of_a_middle,
    munmap_rejects_nonsense,
    mprotect_splits_and_joins,
    mprotect_over_a_hole,
    mprotect_rejects_nonsense,
    mremap_grows_and_moves,
    mremap_shrinks,
    mremap_fixed,
    mremap_rejects_nonsense,
    brk_grows_and_shrinks,
    brk_beyond_the_limit,
    dont_need_gives_zeros,
    dont_need_of_a_file_gives_the_file,
    madvise_answers,
    mincore_tells_what_is_there,
    fork_shares_shared_memory,
    fork_isolates_private_memory,
    private_file_mapping_is_isolated,
    private_file_mapping_sees_the_file,
    shared_file_mapping_is_the_file,
    shared_file_mapping_needs_the_right_to_write,
    mapping_outlives_the_descriptor,
    mapping_outlives_the_name,
    file_offset_of_a_mapping,
    truncation_under_a_mapping,
    msync_answers,
    stack_grows,
    stack_stops_at_its_limit,
    grows_down_mapping,
    address_space_limit,
    overcommit_refuses_the_absurd,
    overcommit_grants_the_large,
    locked_memory,
    code_is_executed_after_mprotect,
    write_only_memory_is_read,
    maps_lists_areas,
    maps_names_the_usual,
    many_areas,
    memory_file,
    read_into_fresh_memory,
    write_into_read_only_memory,
    half_a_buffer,
    one_thread_unmaps_while_another_reads,
    unmapped_memory_is_given_back,
    vfork_and_memory,
    null_page_cannot_be_mapped_by_users,
);

const PRIVATE: i32 = MAP_PRIVATE | MAP_ANONYMOUS;
const BOTH: i32 = PROT_READ | PROT_WRITE;

fn get(address: *mut u8, page: usize) -> u8 {
    unsafe { address.add(page * PAGE).read_volatile() }
}

fn put(address: *mut u8, page: usize, value: u8) {
    unsafe { address.add(page * PAGE).write_volatile(value) };
}

/// Whether a byte can be read, and else why not.
fn reads(address: usize) -> Option<Fault> {
    fault(|| {
        std::hint::black_box(unsafe { (address as *const u8).read_volatile() });
    })
}

fn writes(address: usize) -> Option<Fault> {
    fault(|| unsafe { (address as *mut u8).write_volatile(1) })
}

fn unmapped(address: usize) -> Option<Fault> {
    Some(Fault { signal: libc::SIGSEGV, code: 1, address })
}

fn forbidden(address: usize) -> Option<Fault> {
    Some(Fault { signal: libc::SIGSEGV, code: 2, address })
}

fn mmap(address: usize, length: usize, protection: i32, flags: i32, file: i32, offset: usize) -> Result<usize, i32> {
    sys!(libc::SYS_mmap, address, length, protection, flags, file, offset)
}

fn fresh_memory_is_zero() {
    let area = map(300 * PAGE);
    assert!((0..300 * PAGE).all(|at| unsafe { *area.add(at) } == 0));
    assert_eq!(area as usize % PAGE, 0);
}

fn mmap_rejects_nonsense() {
    assert_eq!(mmap(0, 0, BOTH, PRIVATE, -1, 0), Err(libc::EINVAL));
    assert_eq!(mmap(0, PAGE, BOTH, MAP_ANONYMOUS, -1, 0), Err(libc::EINVAL), "neither private nor shared");
    assert_eq!(mmap(0, PAGE, BOTH, PRIVATE, -1, 100), Err(libc::EINVAL));
    assert_eq!(mmap(PAGE / 2, PAGE, BOTH, PRIVATE | MAP_FIXED, -1, 0), Err(libc::EINVAL));
    assert_eq!(mmap(0, PAGE, BOTH, MAP_PRIVATE, -1, 0), Err(libc::EBADF));
    assert_eq!(mmap(0, usize::MAX, BOTH, PRIVATE, -1, 0), Err(libc::ENOMEM));
    assert_eq!(mmap(0, 1 << 60, BOTH, PRIVATE, -1, 0), Err(libc::ENOMEM));
    assert_eq!(mmap(0xffff_8000_0000_0000, PAGE, BOTH, PRIVATE | MAP_FIXED, -1, 0), Err(libc::ENOMEM));
    let folder = must(unsafe { libc::open(c".".as_ptr(), libc::O_RDONLY) });
    assert_eq!(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, folder, 0), Err(libc::ENODEV));
}

fn fixed_replaces() {
    let area = map(3 * PAGE);
    (0..3).for_each(|page| put(area, page, 7));
    let middle = area as usize + PAGE;
    assert_eq!(mmap(middle, PAGE, BOTH, PRIVATE | MAP_FIXED, -1, 0), Ok(middle));
    assert_eq!([get(area, 0), get(area, 1), get(area, 2)], [7, 0, 7]);
}

fn fixed_no_replace() {
    let area = map(PAGE) as usize;
    let flags = PRIVATE | libc::MAP_FIXED_NOREPLACE;
    assert_eq!(mmap(area, PAGE, BOTH, flags, -1, 0), Err(libc::EEXIST));
    must(unsafe { libc::munmap(area as *mut _, PAGE) });
    assert_eq!(mmap(area, PAGE, BOTH, flags, -1, 0), Ok(area));
}

fn hint_is_taken_where_free() {
    let area = map(PAGE) as usize;
    must(unsafe { libc::munmap(area as *mut _, PAGE) });
    assert_eq!(mmap(area, PAGE, BOTH, PRIVATE, -1, 0), Ok(area));
    assert_ne!(mmap(area, PAGE, BOTH, PRIVATE, -1, 0), Ok(area));
}

fn munmap_of_a_middle() {
    let area = map(5 * PAGE);
    (0..5).for_each(|page| put(area, page, page as u8 + 1));
    must(unsafe { libc::munmap(area.add(2 * PAGE).cast(), PAGE) });
    let hole = area as usize + 2 * PAGE;
    assert_eq!(reads(hole), unmapped(hole));
    assert_eq!([get(area, 0), get(area, 1), get(area, 3), get(area, 4)], [1, 2, 4, 5]);
    must(unsafe { libc::munmap(area.cast(), 5 * PAGE) });
    assert_eq!(reads(area as usize), unmapped(area as usize));
}

fn munmap_rejects_nonsense() {
    let area = map(PAGE) as usize;
    assert_eq!(sys!(libc::SYS_munmap, area + 1, PAGE), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_munmap, area, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_munmap, 0xffff_8000_0000_0000usize, PAGE), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_munmap, area, usize::MAX - PAGE), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_munmap, area, 1), Ok(0), "rounded up to a page");
    assert_eq!(sys!(libc::SYS_munmap, area, PAGE), Ok(0), "nothing there is no error");
}

fn mprotect_splits_and_joins() {
    let area = map(4 * PAGE);
    (0..4).for_each(|page| put(area, page, 9));
    must(unsafe { libc::mprotect(area.add(PAGE).cast(), PAGE, PROT_READ) });
    must(unsafe { libc::mprotect(area.add(2 * PAGE).cast(), PAGE, PROT_NONE) });
    let start = area as usize;
    assert_eq!(writes(start + PAGE), forbidden(start + PAGE));
    assert_eq!(reads(start + 2 * PAGE), forbidden(start + 2 * PAGE));
    assert_eq!((writes(start), writes(start + 3 * PAGE)), (None, None));
    must(unsafe { libc::mprotect(area.cast(), 4 * PAGE, BOTH) });
    assert!((0..4).all(|page| get(area, page) == 9));
    put(area, 2, 1);
}

fn mprotect_over_a_hole() {
    let area = map(3 * PAGE);
    must(unsafe { libc::munmap(area.add(PAGE).cast(), PAGE) });
    assert_eq!(errno(unsafe { libc::mprotect(area.cast(), 3 * PAGE, PROT_READ) }), libc::ENOMEM);
    assert_eq!(writes(area as usize), forbidden(area as usize), "what came before the hole was changed");
}

fn mprotect_rejects_nonsense() {
    let area = map(PAGE) as usize;
    assert_eq!(sys!(libc::SYS_mprotect, area + 1, PAGE, PROT_READ), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_mprotect, area, PAGE, 0x100), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_mprotect, area, 0, PROT_READ), Ok(0));
    assert_eq!(sys!(libc::SYS_mprotect, 0, PAGE, PROT_READ), Err(libc::ENOMEM));
    std::fs::write("file", [0; PAGE]).unwrap();
    let file = std::fs::File::open("file").unwrap();
    let mapped = mmap(0, PAGE, PROT_READ, MAP_SHARED, file.as_raw_fd(), 0).unwrap();
    assert_eq!(sys!(libc::SYS_mprotect, mapped, PAGE, BOTH), Err(libc::EACCES), "opened for reading only");
}

fn mremap_grows_and_moves() {
    let area = map(2 * PAGE);
    put(area, 0, 1);
    put(area, 1, 2);
    // A neighbour, so that it cannot grow in place.
    mmap(area as usize + 2 * PAGE, PAGE, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0).unwrap();
    assert_eq!(sys!(libc::SYS_mremap, area, 2 * PAGE, 3 * PAGE, 0, 0), Err(libc::ENOMEM));
    let moved = sys!(libc::SYS_mremap, area, 2 * PAGE, 8 * PAGE, libc::MREMAP_MAYMOVE, 0).unwrap() as *mut u8;
    assert_ne!(moved, area);
    assert_eq!([get(moved, 0), get(moved, 1), get(moved, 7)], [1, 2, 0]);
    assert_eq!(reads(area as usize), unmapped(area as usize));
}

fn mremap_shrinks() {
    let area = map(4 * PAGE);
    assert_eq!(sys!(libc::SYS_mremap, area, 4 * PAGE, PAGE, 0, 0), Ok(area as usize));
    assert_eq!(reads(area as usize), None);
    assert_eq!(reads(area as usize + PAGE), unmapped(area as usize + PAGE));
}

fn mremap_fixed() {
    let (from, to) = (map(2 * PAGE), map(2 * PAGE));
    put(from, 0, 5);
    put(to, 0, 6);
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    assert_eq!(sys!(libc::SYS_mremap, from, 2 * PAGE, 2 * PAGE, flags, to), Ok(to as usize));
    assert_eq!(get(to, 0), 5);
    assert_eq!(reads(from as usize), unmapped(from as usize));
    assert_eq!(sys!(libc::SYS_mremap, to, 2 * PAGE, 2 * PAGE, flags, to), Err(libc::EINVAL), "onto itself");
}

fn mremap_rejects_nonsense() {
    let area = map(PAGE) as usize;
    assert_eq!(sys!(libc::SYS_mremap, area + 1, PAGE, PAGE, 0, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_mremap, area, PAGE, 0, 0, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_mremap, area, PAGE, PAGE, 0x100, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_mremap, 0x1000, PAGE, 2 * PAGE, 1, 0), Err(libc::EFAULT));
    assert_eq!(sys!(libc::SYS_mremap, area, PAGE, PAGE, libc::MREMAP_FIXED, area + PAGE), Err(libc::EINVAL));
}

fn brk_grows_and_shrinks() {
    let start = sys!(libc::SYS_brk, 0).unwrap();
    assert_eq!(sys!(libc::SYS_brk, start + 10 * PAGE), Ok(start + 10 * PAGE));
    let first = (start + PAGE - 1) & !(PAGE - 1);
    assert!((0..9 * PAGE).step_by(64).all(|at| unsafe { *((first + at) as *const u8) } == 0));
    unsafe { (first as *mut u8).write_volatile(3) };
    assert_eq!(sys!(libc::SYS_brk, start), Ok(start));
    assert_eq!(reads(first + PAGE), unmapped(first + PAGE));
    assert_eq!(sys!(libc::SYS_brk, start + 2 * PAGE), Ok(start + 2 * PAGE));
    assert_eq!(unsafe { *(first as *const u8) }, 0, "fresh again");
    assert_eq!(sys!(libc::SYS_brk, start), Ok(start));
}

fn brk_beyond_the_limit() {
    let start = sys!(libc::SYS_brk, 0).unwrap();
    assert_eq!(sys!(libc::SYS_brk, 1), Ok(start), "below the start nothing changes");
    assert_eq!(sys!(libc::SYS_brk, 0xffff_8000_0000_0000usize), Ok(start));
    must(unsafe { libc::setrlimit(libc::RLIMIT_DATA, &libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 }) });
    assert_eq!(sys!(libc::SYS_brk, start + (64 << 20)), Ok(start));
}

fn dont_need_gives_zeros() {
    let area = map(3 * PAGE);
    (0..3).for_each(|page| put(area, page, 4));
    must(unsafe { libc::madvise(area.add(PAGE).cast(), PAGE, libc::MADV_DONTNEED) });
    assert_eq!([get(area, 0), get(area, 1), get(area, 2)], [4, 0, 4]);
}

fn dont_need_of_a_file_gives_the_file() {
    std::fs::write("file", [8; PAGE]).unwrap();
    let file = std::fs::File::open("file").unwrap();
    let area = mmap(0, PAGE, BOTH, MAP_PRIVATE, file.as_raw_fd(), 0).unwrap() as *mut u8;
    put(area, 0, 1);
    must(unsafe { libc::madvise(area.cast(), PAGE, libc::MADV_DONTNEED) });
    assert_eq!(get(area, 0), 8);
}

fn madvise_answers() {
    let area = map(3 * PAGE) as usize;
    for advice in [libc::MADV_NORMAL, libc::MADV_SEQUENTIAL, libc::MADV_RANDOM, libc::MADV_WILLNEED, libc::MADV_FREE] {
        assert_eq!(sys!(libc::SYS_madvise, area, PAGE, advice), Ok(0), "{advice}");
    }
    assert_eq!(sys!(libc::SYS_madvise, area, PAGE, 7777), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_madvise, area + 1, PAGE, 0), Err(libc::EINVAL));
    must(unsafe { libc::munmap((area + PAGE) as *mut _, PAGE) });
    assert_eq!(sys!(libc::SYS_madvise, area, 3 * PAGE, libc::MADV_DONTNEED), Err(libc::ENOMEM));
}

fn mincore_tells_what_is_there() {
    let area = map(4 * PAGE);
    put(area, 1, 1);
    put(area, 3, 1);
    let mut there = [0xffu8; 4];
    assert_eq!(sys!(libc::SYS_mincore, area, 4 * PAGE, there.as_mut_ptr()), Ok(0));
    assert_eq!(there.map(|byte| byte & 1), [0, 1, 0, 1]);
    assert_eq!(sys!(libc::SYS_mincore, area as usize + 1, PAGE, there.as_mut_ptr()), Err(libc::EINVAL));
    must(unsafe { libc::munmap(area.add(PAGE).cast(), PAGE) });
    assert_eq!(sys!(libc::SYS_mincore, area, 4 * PAGE, there.as_mut_ptr()), Err(libc::ENOMEM));
}

fn fork_shares_shared_memory() {
    let area = shared(2 * PAGE);
    put(area, 0, 1);
    let end = run(|| {
        put(area, 1, 2);
        i32::from(get(area, 0))
    });
    assert_eq!((end, get(area, 1)), (End::Exit(1), 2));
    let grandchild = fork(|| {
        run(|| {
            put(area, 0, 77);
            0
        });
        0
    });
    wait(grandchild);
    assert_eq!(get(area, 0), 77);
}

/// Three generations write to the same pages, each in its own copy.
fn fork_isolates_private_memory() {
    let area = map(20 * PAGE);
    let fill = |value: u8| (0..20).for_each(|page| put(area, page, value));
    let all = |value: u8| (0..20).all(|page| get(area, page) == value);
    fill(1);
    let end = run(|| {
        let end = run(|| {
            let before = all(1);
            fill(3);
            i32::from(!(before && all(3)))
        });
        let before = all(1);
        fill(2);
        i32::from(!(before && all(2) && end == End::Exit(0)))
    });
    assert_eq!(end, End::Exit(0));
    assert!(all(1));
}

fn file_of(pages: usize) -> std::fs::File {
    let bytes: Vec<u8> = (0..pages * PAGE).map(|at| (at / PAGE) as u8 + 1).collect();
    std::fs::write("file", bytes).unwrap();
    std::fs::File::options().read(true).write(true).open("file").unwrap()
}

fn private_file_mapping_is_isolated() {
    let file = file_of(3);
    let area = mmap(0, 3 * PAGE, BOTH, MAP_PRIVATE, file.as_raw_fd(), 0).unwrap() as *mut u8;
    put(area, 1, 99);
    assert_eq!([get(area, 0), get(area, 1), get(area, 2)], [1, 99, 3]);
    assert_eq!(std::fs::read("file").unwrap()[PAGE], 2);
    let end = run(|| {
        put(area, 2, 50);
        i32::from(get(area, 1))
    });
    assert_eq!((end, get(area, 2)), (End::Exit(99), 3));
}

fn private_file_mapping_sees_the_file() {
    let file = file_of(2);
    let area = mmap(0, 2 * PAGE, BOTH, MAP_PRIVATE, file.as_raw_fd(), 0).unwrap() as *mut u8;
    put(area, 1, 9);
    std::os::unix::fs::FileExt::write_all_at(&file, &[42], 0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[43], PAGE as u64).unwrap();
    assert_eq!([get(area, 0), get(area, 1)], [42, 9], "a page of one's own no longer follows");
}

fn shared_file_mapping_is_the_file() {
    let file = file_of(2);
    let map_it = || mmap(0, 2 * PAGE, BOTH, MAP_SHARED, file.as_raw_fd(), 0).unwrap() as *mut u8;
    let (first, second) = (map_it(), map_it());
    put(first, 0, 55);
    assert_eq!(get(second, 0), 55);
    assert_eq!(std::fs::read("file").unwrap()[0], 55);
    std::os::unix::fs::FileExt::write_all_at(&file, &[66], PAGE as u64).unwrap();
    assert_eq!((get(first, 1), get(second, 1)), (66, 66));
    run(|| {
        put(first, 1, 77);
        0
    });
    assert_eq!(get(second, 1), 77);
}

fn shared_file_mapping_needs_the_right_to_write() {
    file_of(1);
    let file = std::fs::File::open("file").unwrap();
    assert_eq!(mmap(0, PAGE, BOTH, MAP_SHARED, file.as_raw_fd(), 0), Err(libc::EACCES));
    assert!(mmap(0, PAGE, BOTH, MAP_PRIVATE, file.as_raw_fd(), 0).is_ok());
    let file = std::fs::File::options().write(true).open("file").unwrap();
    assert_eq!(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), 0), Err(libc::EACCES));
}

fn mapping_outlives_the_descriptor() {
    let file = file_of(2);
    let area = mmap(0, 2 * PAGE, BOTH, MAP_SHARED, file.as_raw_fd(), 0).unwrap() as *mut u8;
    drop(file);
    assert_eq!((get(area, 0), get(area, 1)), (1, 2));
    put(area, 0, 5);
    assert_eq!(std::fs::read("file").unwrap()[0], 5);
}

fn mapping_outlives_the_name() {
    let file = file_of(2);
    let area = mmap(0, 2 * PAGE, BOTH, MAP_SHARED, file.as_raw_fd(), 0).unwrap() as *mut u8;
    std::fs::remove_file("file").unwrap();
    drop(file);
    put(area, 1, 5);
    assert_eq!((get(area, 0), get(area, 1)), (1, 5));
}

fn file_offset_of_a_mapping() {
    let file = file_of(4);
    let area = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), 2 * PAGE).unwrap() as *mut u8;
    assert_eq!(get(area, 0), 3);
    assert_eq!(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), 100), Err(libc::EINVAL));
    assert_eq!(mmap(0, 2 * PAGE, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), !(PAGE - 1)), Err(libc::EOVERFLOW));
}

fn truncation_under_a_mapping() {
    let file = file_of(3);
    let shared = mmap(0, 3 * PAGE, BOTH, MAP_SHARED, file.as_raw_fd(), 0).unwrap();
    let private = mmap(0, 3 * PAGE, BOTH, MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    put(shared as *mut u8, 2, 7);
    put(private as *mut u8, 2, 7);
    file.set_len(PAGE as u64 + 10).unwrap();
    for area in [shared, private] {
        let gone = Some(Fault { signal: libc::SIGBUS, code: 2, address: area + 2 * PAGE });
        assert_eq!(reads(area + 2 * PAGE), gone);
        assert_eq!(unsafe { *((area + PAGE) as *const u8) }, 2);
        assert_eq!(unsafe { *((area + PAGE + 10) as *const u8) }, 0, "cut to zero behind the new end");
    }
    file.set_len(3 * PAGE as u64).unwrap();
    assert_eq!(get(shared as *mut u8, 2), 0);
}

fn msync_answers() {
    let file = file_of(2);
    let area = mmap(0, 2 * PAGE, BOTH, MAP_SHARED, file.as_raw_fd(), 0).unwrap();
    put(area as *mut u8, 0, 1);
    assert_eq!(sys!(libc::SYS_msync, area, 2 * PAGE, libc::MS_SYNC), Ok(0));
    assert_eq!(sys!(libc::SYS_msync, area, PAGE, libc::MS_SYNC | libc::MS_ASYNC), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_msync, area + 1, PAGE, libc::MS_SYNC), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_msync, 0x1000, PAGE, libc::MS_SYNC), Err(libc::ENOMEM));
}

#[inline(never)]
fn use_stack(kibibytes: usize) -> u8 {
    let block = std::hint::black_box([kibibytes as u8; 1024]);
    if kibibytes <= 1 { block[7] } else { use_stack(kibibytes - 1).wrapping_add(std::hint::black_box(&block)[500]) }
}

fn stack_grows() {
    std::hint::black_box(use_stack(4000));
}

fn stack_stops_at_its_limit() {
    assert_eq!(run(|| i32::from(use_stack(20_000))), End::Signal(libc::SIGSEGV));
    let end = run(|| {
        must(unsafe { libc::setrlimit(libc::RLIMIT_STACK, &libc::rlimit { rlim_cur: 1 << 20, rlim_max: 8 << 20 }) });
        i32::from(use_stack(2000))
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

fn grows_down_mapping() {
    let area = map_as(64 * PAGE, BOTH, PRIVATE) as usize;
    must(unsafe { libc::munmap(area as *mut _, 64 * PAGE) });
    let top = area + 48 * PAGE;
    mmap(top, PAGE, BOTH, PRIVATE | libc::MAP_GROWSDOWN | MAP_FIXED, -1, 0).unwrap();
    for page in 1..8 {
        put((top - page * PAGE) as *mut u8, 0, page as u8);
    }
    assert_eq!(get((top - 7 * PAGE) as *mut u8, 0), 7);
}

fn address_space_limit() {
    must(unsafe { libc::setrlimit(libc::RLIMIT_AS, &libc::rlimit { rlim_cur: 256 << 20, rlim_max: 256 << 20 }) });
    assert_eq!(mmap(0, 512 << 20, BOTH, PRIVATE, -1, 0), Err(libc::ENOMEM));
    assert!(mmap(0, 16 << 20, BOTH, PRIVATE, -1, 0).is_ok());
}

fn overcommit_refuses_the_absurd() {
    assert_eq!(std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap(), "0\n");
    assert_eq!(mmap(0, 1 << 46, BOTH, PRIVATE, -1, 0), Err(libc::ENOMEM), "64 TiB");
    assert!(mmap(0, 1 << 46, PROT_NONE, PRIVATE, -1, 0).is_ok(), "but address space is free");
    assert!(mmap(0, 1 << 40, BOTH, PRIVATE | libc::MAP_NORESERVE, -1, 0).is_ok());
}

fn overcommit_grants_the_large() {
    let area = map(128 << 20);
    (0..128).for_each(|index| put(area, index * 256, 1));
    must(unsafe { libc::munmap(area.cast(), 128 << 20) });
}

fn locked_memory() {
    let area = map(4 * PAGE) as usize;
    assert_eq!(sys!(libc::SYS_mlock, area, 2 * PAGE), Ok(0));
    let mut there = [0u8; 2];
    assert_eq!(sys!(libc::SYS_mincore, area, 2 * PAGE, there.as_mut_ptr()), Ok(0));
    assert_eq!(there, [1, 1], "locking brings pages in");
    assert_eq!(sys!(libc::SYS_munlock, area, 4 * PAGE), Ok(0));
    assert_eq!(sys!(libc::SYS_mlock, 0x1000, PAGE), Err(libc::ENOMEM));
    let populated = mmap(0, 2 * PAGE, BOTH, PRIVATE | libc::MAP_POPULATE, -1, 0).unwrap();
    assert_eq!(sys!(libc::SYS_mincore, populated, 2 * PAGE, there.as_mut_ptr()), Ok(0));
    assert_eq!(there, [1, 1]);
}

fn code_is_executed_after_mprotect() {
    let area = map(PAGE);
    // mov eax, 42; ret
    unsafe { std::ptr::copy_nonoverlapping([0xb8u8, 42, 0, 0, 0, 0xc3].as_ptr(), area, 6) };
    must(unsafe { libc::mprotect(area.cast(), PAGE, PROT_READ | PROT_EXEC) });
    let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(area) };
    assert_eq!(function(), 42);
}

fn write_only_memory_is_read() {
    let file = file_of(2);
    let kinds = [
        (PRIVATE, -1, 0),
        (MAP_SHARED | MAP_ANONYMOUS, -1, 0),
        (MAP_PRIVATE, file.as_raw_fd(), 1),
        (MAP_SHARED, file.as_raw_fd(), 1),
    ];
    for (flags, descriptor, page) in kinds {
        let area = mmap(0, PAGE, PROT_WRITE, flags, descriptor, page * PAGE).unwrap();
        assert_eq!(reads(area), None, "the processor has no such page: {flags:#x}");
        put(area as *mut u8, 0, 7);
        assert_eq!(get(area as *mut u8, 0), 7);
        must(unsafe { libc::munmap(area as *mut libc::c_void, PAGE) });
    }
}

fn maps() -> String {
    std::fs::read_to_string("/proc/self/maps").unwrap()
}

fn maps_lists_areas() {
    let area = map(3 * PAGE);
    must(unsafe { libc::mprotect(area.add(PAGE).cast(), PAGE, PROT_READ | PROT_EXEC) });
    let start = area as usize;
    let expected = format!("{:x}-{:x} r-xp 00000000 00:00 0", start + PAGE, start + 2 * PAGE);
    assert!(maps().lines().any(|line| line.trim() == expected), "{expected}\n{}", maps());
    let file = file_of(2);
    let mapped = mmap(0, PAGE, PROT_READ, MAP_SHARED, file.as_raw_fd(), PAGE).unwrap();
    let line = maps().lines().find(|line| line.starts_with(&format!("{mapped:x}-"))).unwrap().to_owned();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[1], words[2]), ("r--s", "00001000"));
    assert_eq!(words[5], std::env::current_dir().unwrap().join("file").to_str().unwrap());
}

fn maps_names_the_usual() {
    sys!(libc::SYS_brk, sys!(libc::SYS_brk, 0).unwrap() + PAGE).unwrap();
    let maps = maps();
    for name in ["[stack]", "[heap]", "[vdso]", &crate::processes::own_path()] {
        assert!(maps.lines().any(|line| line.ends_with(name)), "{name}\n{maps}");
    }
    let starts: Vec<usize> =
        maps.lines().map(|line| usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()).collect();
    assert!(starts.is_sorted());
}

fn many_areas() {
    let area = map_as(20_000 * PAGE, PROT_NONE, PRIVATE);
    for page in (0..20_000).step_by(2) {
        must(unsafe { libc::mprotect(area.add(page * PAGE).cast(), PAGE, BOTH) });
    }
    (0..20_000).step_by(2).for_each(|page| put(area, page, 1));
    must(unsafe { libc::munmap(area.cast(), 20_000 * PAGE) });
}

fn memory_file() {
    let file = must(unsafe { libc::memfd_create(c"name".as_ptr(), libc::MFD_CLOEXEC) });
    must(unsafe { libc::ftruncate(file, 2 * PAGE as i64) });
    let area = mmap(0, 2 * PAGE, BOTH, MAP_SHARED, file, 0).unwrap() as *mut u8;
    put(area, 1, 9);
    let mut byte = 0u8;
    assert_eq!(unsafe { libc::pread(file, (&raw mut byte).cast(), 1, PAGE as i64) }, 1);
    assert_eq!(byte, 9);
    let name = std::fs::read_link(format!("/proc/self/fd/{file}")).unwrap();
    assert_eq!(name.to_str(), Some("/memfd:name (deleted)"));
    assert_eq!(sys!(libc::SYS_memfd_create, c"x".as_ptr(), 0x8000), Err(libc::EINVAL));
    close(file);
    assert_eq!(get(area, 1), 9);
}

/// The kernel's own copies take the same faults as the program's.
fn read_into_fresh_memory() {
    std::fs::write("file", vec![5; 10 * PAGE]).unwrap();
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDONLY) });
    let area = map(10 * PAGE);
    assert_eq!(sys!(libc::SYS_read, file, area, 10 * PAGE), Ok(10 * PAGE));
    assert!((0..10).all(|page| get(area, page) == 5));
    let private = mmap(0, 10 * PAGE, BOTH, MAP_PRIVATE, file, 0).unwrap();
    let zero = must(unsafe { libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY) });
    assert_eq!(sys!(libc::SYS_read, zero, private, 10 * PAGE), Ok(10 * PAGE));
    assert_eq!(std::fs::read("file").unwrap(), vec![5; 10 * PAGE], "into a copy, not into the file");
}

fn write_into_read_only_memory() {
    let area = map_as(PAGE, PROT_READ, PRIVATE);
    let zero = must(unsafe { libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY) });
    assert_eq!(sys!(libc::SYS_read, zero, area, 10), Err(libc::EFAULT));
    let text = half_a_buffer as *const () as usize;
    assert_eq!(sys!(libc::SYS_read, zero, text, 10), Err(libc::EFAULT));
}

fn half_a_buffer() {
    let area = map(2 * PAGE) as usize;
    must(unsafe { libc::munmap((area + PAGE) as *mut _, PAGE) });
    let (source, sink) = crate::child::pipe();
    let count = sys!(libc::SYS_write, sink, area + PAGE - 10, 20);
    assert_eq!(count, Err(libc::EFAULT), "a pipe takes a page whole or not at all");
    assert_eq!(sys!(libc::SYS_write, sink, area + PAGE - 10, 10), Ok(10));
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600) });
    assert_eq!(sys!(libc::SYS_write, file, area + PAGE - 10, 20), Ok(10), "a file takes what is there");
    assert_eq!(sys!(libc::SYS_write, file, area + PAGE, 20), Err(libc::EFAULT));
    assert_eq!(sys!(libc::SYS_pread64, file, area + PAGE - 5, 10, 0), Ok(5));
    assert_eq!(sys!(libc::SYS_read, source, area, 10), Ok(10));
}

/// Either the old contents are seen or a fault comes, and never another page's contents.
fn one_thread_unmaps_while_another_reads() {
    let end = run(|| {
        extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
            // Steps over the three bytes of the load below.
            let context = context.cast::<libc::ucontext_t>();
            unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] += 3 };
        }
        crate::child::handle(libc::SIGSEGV, handler as *const () as usize, libc::SA_SIGINFO | libc::SA_NODEFER);
        let area = map(8 * PAGE) as usize;
        let elsewhere = map_as(8 * PAGE, PROT_NONE, PRIVATE) as usize;
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..2000usize {
                    mmap(area, 8 * PAGE, BOTH, PRIVATE | MAP_FIXED, -1, 0).unwrap();
                    (0..8).for_each(|page| put(area as *mut u8, page, 0x5a));
                    if round % 2 == 0 {
                        sys!(libc::SYS_munmap, area, 8 * PAGE).unwrap();
                    } else {
                        sys!(libc::SYS_mprotect, area, 8 * PAGE, PROT_NONE).unwrap();
                    }
                    // Others' pages, with other contents.
                    let other = mmap(elsewhere, 8 * PAGE, BOTH, PRIVATE | MAP_FIXED, -1, 0).unwrap() as *mut u8;
                    (0..8).for_each(|page| put(other, page, 0xa5));
                    mmap(elsewhere, 8 * PAGE, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0).unwrap();
                }
                stop.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            let mut wrong = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                for page in 0..8 {
                    let value: u64;
                    unsafe {
                        std::arch::asm!("xor eax, eax", ".byte 0x8a, 0x42, 0x00", in("rdx") area + page * PAGE, out("rax") value);
                    }
                    wrong += i32::from(value != 0 && value != 0x5a);
                }
            }
            i32::from(wrong != 0)
        })
    });
    assert_eq!(end, End::Exit(0));
}

fn unmapped_memory_is_given_back() {
    for _ in 0..40 {
        let area = map(32 << 20);
        (0..32 << 8).for_each(|page| put(area, page, 1));
        must(unsafe { libc::munmap(area.cast(), 32 << 20) });
    }
}

fn vfork_and_memory() {
    for _ in 0..20 {
        let status = std::process::Command::new(crate::processes::own_path()).args(["child", "exit", "4"]).status();
        assert_eq!(status.unwrap().code(), Some(4));
    }
}

fn null_page_cannot_be_mapped_by_users() {
    let end = run(|| unsafe {
        libc::setuid(1000);
        i32::from(mmap(0, PAGE, BOTH, PRIVATE | MAP_FIXED, -1, 0) != Err(libc::EPERM))
    });
    assert_eq!(end, End::Exit(0));
    assert_ne!(mmap(1, PAGE, BOTH, PRIVATE, -1, 0), Ok(0), "a low hint is moved up");
}
