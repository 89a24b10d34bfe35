//! Paths, folders, descriptors, and the contents of files.

use crate::system::{Errno, c, check, descriptors, file, last_error, pipe, repeat, scratch, time};
use crate::{Batch, Operation};
use std::ffi::CString;
use std::mem::zeroed;
use std::ptr::null_mut;

const KIB_64: usize = 64 << 10;

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "stat_deep", sizes: &[], most: u64::MAX, prepare: stat_deep },
    Operation { name: "fstat", sizes: &[], most: u64::MAX, prepare: stat_open },
    Operation { name: "open_close", sizes: &[], most: u64::MAX, prepare: open_close },
    Operation { name: "getdents_100", sizes: &[], most: u64::MAX, prepare: list_folder },
    Operation { name: "select_100", sizes: &[], most: u64::MAX, prepare: select_100 },
    Operation { name: "poll_100", sizes: &[], most: u64::MAX, prepare: |_| poll(100) },
    Operation { name: "epoll_100", sizes: &[], most: u64::MAX, prepare: |_| epoll(100) },
    Operation { name: "create_tmpfs_0K", sizes: &[], most: 1000, prepare: |_| create(Place::Tmpfs, 0) },
    Operation { name: "delete_tmpfs_0K", sizes: &[], most: 1000, prepare: |_| delete(Place::Tmpfs, 0) },
    Operation { name: "create_tmpfs_10K", sizes: &[], most: 1000, prepare: |_| create(Place::Tmpfs, 10 << 10) },
    Operation { name: "delete_tmpfs_10K", sizes: &[], most: 1000, prepare: |_| delete(Place::Tmpfs, 10 << 10) },
    Operation { name: "create_ext_0K", sizes: &[], most: 1000, prepare: |_| create(Place::Ext4, 0) },
    Operation { name: "delete_ext_0K", sizes: &[], most: 1000, prepare: |_| delete(Place::Ext4, 0) },
    Operation { name: "create_ext_10K", sizes: &[], most: 1000, prepare: |_| create(Place::Ext4, 10 << 10) },
    Operation { name: "delete_ext_10K", sizes: &[], most: 1000, prepare: |_| delete(Place::Ext4, 10 << 10) },
    Operation { name: "reread_ext_64K", sizes: &[], most: u64::MAX, prepare: |_| reread(Place::Ext4) },
    Operation { name: "reread_tmpfs_64K", sizes: &[], most: u64::MAX, prepare: |_| reread(Place::Tmpfs) },
    Operation { name: "reread_mmap_64K", sizes: &[], most: u64::MAX, prepare: reread_mapping },
    Operation { name: "pread_4K", sizes: &[], most: u64::MAX, prepare: read_page },
    Operation { name: "pwrite_4K_tmpfs", sizes: &[], most: u64::MAX, prepare: write_page },
];

/// Where files are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Tmpfs,
    /// The first disk.
    Ext4,
}

impl Place {
    fn enter(self) -> Result<(), Errno> {
        scratch()?;
        if self == Self::Ext4 {
            unsafe {
                check(libc::mkdir(c"disk".as_ptr(), 0o700))?;
                let (disk, kind) = (c"/dev/vda".as_ptr(), c"ext4".as_ptr());
                check(libc::mount(disk, c"disk".as_ptr(), kind, 0, std::ptr::null()))?;
                check(libc::chdir(c"disk".as_ptr()))?;
            }
        }
        Ok(())
    }
}

/// A path below so many folders, all of them there.
pub fn deep(depth: u64) -> Result<CString, Errno> {
    scratch()?;
    let mut path = String::new();
    for _ in 0..depth {
        path.push_str("folder");
        check(unsafe { libc::mkdir(c(&path)?.as_ptr(), 0o755) })?;
        path.push('/');
    }
    path.push_str("file");
    file(&path, 1)?;
    c(&path)
}

pub fn stat(path: CString) -> Result<Batch, Errno> {
    let mut answer: libc::stat = unsafe { zeroed() };
    repeat(move || check(unsafe { libc::stat(path.as_ptr(), &mut answer) }).map(drop))
}

fn stat_deep(_: u64) -> Result<Batch, Errno> {
    stat(deep(10)?)
}

fn stat_open(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    let file = file("file", 1)?;
    let mut answer: libc::stat = unsafe { zeroed() };
    repeat(move || check(unsafe { libc::fstat(file, &mut answer) }).map(drop))
}

fn open_close(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    file("file", 1)?;
    repeat(|| unsafe {
        let file = check(libc::open(c"file".as_ptr(), libc::O_RDONLY))?;
        check(libc::close(file)).map(drop)
    })
}

fn list_folder(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    for number in 0..100 {
        unsafe { libc::close(file(&format!("entry-{number}"), 0)?) };
    }
    let folder = check(unsafe { libc::open(c".".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY) })?;
    let mut buffer = vec![0_u64; 4096];
    repeat(move || unsafe {
        check(libc::lseek(folder, 0, libc::SEEK_SET))?;
        while check(libc::syscall(libc::SYS_getdents64, folder, buffer.as_mut_ptr(), buffer.len() * 8))? > 0 {}
        Ok(())
    })
}

/// The reading ends of so many silent pipes.
fn silent(count: u64) -> Result<Vec<i32>, Errno> {
    descriptors(2 * count)?;
    (0..count).map(|_| pipe().map(|(source, _)| source)).collect()
}

fn select_100(_: u64) -> Result<Batch, Errno> {
    let sources = silent(100)?;
    let highest = sources.iter().max().copied().unwrap_or(0);
    repeat(move || unsafe {
        let mut set: libc::fd_set = zeroed();
        sources.iter().for_each(|&source| libc::FD_SET(source, &mut set));
        let mut none: libc::timeval = zeroed();
        check(libc::select(highest + 1, &mut set, null_mut(), null_mut(), &mut none)).map(drop)
    })
}

pub fn poll(count: u64) -> Result<Batch, Errno> {
    let wanted = |&fd: &i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut polled: Vec<libc::pollfd> = silent(count)?.iter().map(wanted).collect();
    repeat(move || check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as u64, 0) }).map(drop))
}

pub fn epoll(count: u64) -> Result<Batch, Errno> {
    let set = check(unsafe { libc::epoll_create1(0) })?;
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    for source in silent(count - 1)? {
        check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, source, &mut event) })?;
    }
    let (source, sink) = pipe()?;
    check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, source, &mut event) })?;
    check(unsafe { libc::write(sink, c"x".as_ptr().cast(), 1) } as i64)?;
    let mut events: [libc::epoll_event; 16] = unsafe { zeroed() };
    repeat(move || check(unsafe { libc::epoll_wait(set, events.as_mut_ptr(), 16, 0) }).map(drop))
}

fn names() -> Result<Vec<CString>, Errno> {
    (0..1000).map(|number| c(&format!("file-{number}"))).collect()
}

fn make(names: &[CString], content: &[u8]) -> Result<(), Errno> {
    for name in names {
        unsafe {
            let file = check(libc::open(name.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o644))?;
            if !content.is_empty() {
                check(libc::write(file, content.as_ptr().cast(), content.len()) as i64)?;
            }
            libc::close(file);
        }
    }
    Ok(())
}

fn remove(names: &[CString]) -> Result<(), Errno> {
    names.iter().try_for_each(|name| check(unsafe { libc::unlink(name.as_ptr()) }).map(drop))
}

fn create(place: Place, length: usize) -> Result<Batch, Errno> {
    place.enter()?;
    let (names, content) = (names()?, vec![1_u8; length]);
    Ok(Box::new(move |count| {
        let names = &names[..count as usize];
        let spent = time(|| make(names, &content))?;
        remove(names)?;
        Ok(spent)
    }))
}

fn delete(place: Place, length: usize) -> Result<Batch, Errno> {
    place.enter()?;
    let (names, content) = (names()?, vec![1_u8; length]);
    Ok(Box::new(move |count| {
        let names = &names[..count as usize];
        make(names, &content)?;
        time(|| remove(names))
    }))
}

fn reread(place: Place) -> Result<Batch, Errno> {
    place.enter()?;
    let file = file("file", KIB_64)?;
    let mut buffer = vec![0_u8; KIB_64];
    repeat(move || check(unsafe { libc::pread(file, buffer.as_mut_ptr().cast(), KIB_64, 0) } as i64).map(drop))
}

/// Word by word, as a program would sum them up.
fn reread_mapping(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    let file = file("file", KIB_64)?;
    repeat(move || unsafe {
        let memory = libc::mmap(null_mut(), KIB_64, libc::PROT_READ, libc::MAP_SHARED, file, 0);
        if memory == libc::MAP_FAILED {
            return Err(last_error());
        }
        for word in 0..KIB_64 / 8 {
            memory.cast::<u64>().add(word).read_volatile();
        }
        check(libc::munmap(memory, KIB_64)).map(drop)
    })
}

fn read_page(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    let file = file("file", KIB_64)?;
    let mut buffer = vec![0_u8; 4096];
    repeat(move || check(unsafe { libc::pread(file, buffer.as_mut_ptr().cast(), 4096, 8192) } as i64).map(drop))
}

fn write_page(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    let file = file("file", KIB_64)?;
    let buffer = vec![0_u8; 4096];
    repeat(move || check(unsafe { libc::pwrite(file, buffer.as_ptr().cast(), 4096, 8192) } as i64).map(drop))
}
