//! Files and folders.
use crate::call::{c, errno, must};
use crate::child::{End, PAGE, close, fork, map, run, wait};
use crate::sys;
use std::fs;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};

crate::tests!(
    open_flags,
    exclusive_creation,
    append_goes_to_the_end,
    appenders_do_not_overwrite,
    truncation_on_open,
    folder_and_no_follow,
    temporary_files,
    access_modes,
    positions,
    vectors_at_positions,
    sparse_files,
    holes_are_found,
    truncation,
    allocation,
    largest_offsets,
    file_size_limit,
    remove_while_open,
    link_counts,
    links_and_their_errors,
    rename_replaces,
    rename_flags,
    rename_errors,
    folders,
    removal_errors,
    symbolic_links,
    symbolic_link_loops,
    dots_and_slashes,
    long_names,
    any_byte_is_a_name,
    listing_is_complete,
    listing_is_stable,
    listing_positions,
    status_fields,
    extended_status,
    status_of_a_descriptor,
    permissions,
    permissions_of_folders,
    sticky_folders,
    access_checks,
    set_id_bits_are_lost,
    owners,
    mask_of_creation,
    times,
    times_change,
    current_folder,
    removed_current_folder,
    root_folder,
    relative_to_descriptors,
    device_files,
    devices_work,
    copying_in_the_kernel,
    file_system_status,
    deep_trees,
    many_files,
    renames_race,
    truncation_races,
    seeking_past_the_end,
    reading_folders_fails,
    advice_and_synchronisation,
    extended_attributes_answer,
    proc_self_is_me,
);

fn open(path: &str, flags: i32) -> i32 {
    let path = c(path);
    unsafe { libc::open(path.as_ptr(), flags, 0o644) }
}

/// The result of a call with one path, or of several.
macro_rules! on {
    ($call:ident, $($path:literal),+ $(; $($rest:expr),+)?) => {
        unsafe { libc::$call($(c($path).as_ptr(),)+ $($($rest),+)?) }
    };
}

fn open_flags() {
    assert_eq!(errno(open("file", libc::O_RDWR)), libc::ENOENT);
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    assert_eq!(unsafe { libc::write(file, c"abc".as_ptr().cast(), 3) }, 3);
    assert_eq!(errno(open("", libc::O_RDONLY)), libc::ENOENT);
    assert_eq!(errno(open("file/x", libc::O_RDONLY)), libc::ENOTDIR);
    assert_eq!(errno(open("file/", libc::O_RDONLY)), libc::ENOTDIR);
    assert_eq!(errno(open("no/file", libc::O_CREAT | libc::O_RDWR)), libc::ENOENT);
    assert_eq!(errno(open(".", libc::O_RDWR)), libc::EISDIR);
    assert_eq!(errno(open(".", libc::O_CREAT | libc::O_RDONLY)), libc::EISDIR);
    assert_eq!(errno(open("new/", libc::O_CREAT | libc::O_RDWR)), libc::EISDIR);
}

fn exclusive_creation() {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
    must(open("file", flags));
    assert_eq!(errno(open("file", flags)), libc::EEXIST);
    symlink("nowhere", "link").unwrap();
    assert_eq!(errno(open("link", flags)), libc::EEXIST, "a link is not followed");
    must(open("link", libc::O_CREAT | libc::O_RDWR));
    assert!(fs::exists("nowhere").unwrap());
}

fn append_goes_to_the_end() {
    fs::write("file", "start").unwrap();
    let file = must(open("file", libc::O_RDWR | libc::O_APPEND));
    unsafe { libc::lseek(file, 1, libc::SEEK_SET) };
    unsafe { libc::write(file, c"-end".as_ptr().cast(), 4) };
    assert_eq!(unsafe { libc::lseek(file, 0, libc::SEEK_CUR) }, 9);
    assert_eq!(unsafe { libc::pwrite(file, c"!".as_ptr().cast(), 1, 0) }, 1);
    assert_eq!(fs::read("file").unwrap(), b"start-end!", "pwrite appends too, as on Linux");
}

fn appenders_do_not_overwrite() {
    let writers: Vec<i32> = (0..4)
        .map(|number| {
            fork(move || {
                let file = open("file", libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND);
                let line = [b'a' + number; 100];
                i32::from(!(0..200).all(|_| unsafe { libc::write(file, line.as_ptr().cast(), 100) } == 100))
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| assert_eq!(wait(writer), End::Exit(0)));
    let all = fs::read("file").unwrap();
    assert_eq!(all.len(), 80_000);
    assert!(all.chunks(100).all(|line| line.iter().all(|byte| *byte == line[0])));
}

fn truncation_on_open() {
    fs::write("file", "contents").unwrap();
    must(open("file", libc::O_RDONLY));
    assert_eq!(fs::metadata("file").unwrap().len(), 8);
    must(open("file", libc::O_WRONLY | libc::O_TRUNC));
    assert_eq!(fs::metadata("file").unwrap().len(), 0);
}

fn folder_and_no_follow() {
    fs::write("file", "").unwrap();
    symlink("file", "link").unwrap();
    symlink(".", "here").unwrap();
    assert_eq!(errno(open("file", libc::O_DIRECTORY)), libc::ENOTDIR);
    assert_eq!(errno(open("link", libc::O_NOFOLLOW)), libc::ELOOP);
    assert_eq!(errno(open("here", libc::O_NOFOLLOW | libc::O_DIRECTORY)), libc::ENOTDIR);
    must(open("here/link", libc::O_RDONLY));
    must(open("here", libc::O_DIRECTORY));
    let link = must(open("link", libc::O_PATH | libc::O_NOFOLLOW));
    let mut status: libc::stat = unsafe { zeroed() };
    must(unsafe { libc::fstat(link, &mut status) });
    assert_eq!(status.st_mode & libc::S_IFMT, libc::S_IFLNK);
}

fn temporary_files() {
    let file = must(open(".", libc::O_TMPFILE | libc::O_RDWR));
    unsafe { libc::write(file, c"abc".as_ptr().cast(), 3) };
    let mut status: libc::stat = unsafe { zeroed() };
    must(unsafe { libc::fstat(file, &mut status) });
    assert_eq!((status.st_nlink, status.st_size), (0, 3));
    assert_eq!(fs::read_dir(".").unwrap().count(), 0);
    let own = c(&format!("/proc/self/fd/{file}"));
    must(unsafe {
        libc::linkat(libc::AT_FDCWD, own.as_ptr(), libc::AT_FDCWD, c"named".as_ptr(), libc::AT_SYMLINK_FOLLOW)
    });
    assert_eq!(fs::read("named").unwrap(), b"abc");
    assert_eq!(errno(open(".", libc::O_TMPFILE | libc::O_RDONLY)), libc::EINVAL);
}

fn access_modes() {
    fs::write("file", "abc").unwrap();
    let mut byte = 0u8;
    let (reader, writer) = (must(open("file", libc::O_RDONLY)), must(open("file", libc::O_WRONLY)));
    assert_eq!(errno(unsafe { libc::write(reader, c"x".as_ptr().cast(), 1) } as i64), libc::EBADF);
    assert_eq!(errno(unsafe { libc::read(writer, (&raw mut byte).cast(), 1) } as i64), libc::EBADF);
    assert_eq!(errno(unsafe { libc::ftruncate(reader, 0) }), libc::EINVAL);
}

fn positions() {
    fs::write("file", "0123456789").unwrap();
    let file = must(open("file", libc::O_RDWR));
    let mut bytes = [0u8; 4];
    assert_eq!(unsafe { libc::read(file, bytes.as_mut_ptr().cast(), 4) }, 4);
    assert_eq!(unsafe { libc::lseek(file, -2, libc::SEEK_END) }, 8);
    assert_eq!(unsafe { libc::read(file, bytes.as_mut_ptr().cast(), 4) }, 2);
    assert_eq!(&bytes, b"8923");
    assert_eq!(unsafe { libc::read(file, bytes.as_mut_ptr().cast(), 4) }, 0);
    assert_eq!(unsafe { libc::pread(file, bytes.as_mut_ptr().cast(), 4, 3) }, 4);
    assert_eq!((&bytes, unsafe { libc::lseek(file, 0, libc::SEEK_CUR) }), (b"3456", 10));
    assert_eq!(errno(unsafe { libc::pread(file, bytes.as_mut_ptr().cast(), 4, -1) } as i64), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::lseek(file, -11, libc::SEEK_CUR) }), libc::EINVAL);
}

fn vectors_at_positions() {
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    let (mut first, mut second) = (*b"hello", *b"world");
    let parts = [
        libc::iovec { iov_base: first.as_mut_ptr().cast(), iov_len: 5 },
        libc::iovec { iov_base: second.as_mut_ptr().cast(), iov_len: 5 },
    ];
    assert_eq!(unsafe { libc::pwritev(file, parts.as_ptr(), 2, 3) }, 10);
    assert_eq!(fs::read("file").unwrap(), b"\0\0\0helloworld");
    assert_eq!(unsafe { libc::preadv(file, parts.as_ptr(), 2, 5) }, 8);
    assert_eq!((&first, &second), (b"llowo", b"rldld"));
    assert_eq!(sys!(libc::SYS_preadv2, file, parts.as_ptr(), 2, 0, 0, 0x8000), Err(libc::EOPNOTSUPP));
}

fn sparse_files() {
    let file = fs::File::create("file").unwrap();
    file.write_all_at(b"x", 100 << 20).unwrap();
    let status = file.metadata().unwrap();
    assert_eq!(status.len(), (100 << 20) + 1);
    assert!(status.blocks() <= 16, "{} blocks", status.blocks());
    let mut bytes = [1u8; 100];
    fs::File::open("file").unwrap().read_exact_at(&mut bytes, 50 << 20).unwrap();
    assert_eq!(bytes, [0; 100]);
}

fn holes_are_found() {
    let file = fs::File::create("file").unwrap();
    file.write_all_at(&[1; PAGE], 4 * PAGE as u64).unwrap();
    file.set_len(8 * PAGE as u64).unwrap();
    let seek = |from: usize, whence| unsafe { libc::lseek(file.as_raw_fd(), from as i64, whence) };
    assert_eq!(seek(0, libc::SEEK_DATA), 4 * PAGE as i64);
    assert_eq!(seek(4 * PAGE, libc::SEEK_HOLE), 5 * PAGE as i64);
    assert_eq!(seek(0, libc::SEEK_HOLE), 0);
    assert_eq!(errno(seek(6 * PAGE, libc::SEEK_DATA)), libc::ENXIO);
    assert_eq!(errno(seek(9 * PAGE, libc::SEEK_HOLE)), libc::ENXIO);
}

fn truncation() {
    fs::write("file", "0123456789").unwrap();
    must(on!(truncate, "file"; 4));
    assert_eq!(fs::read("file").unwrap(), b"0123");
    must(on!(truncate, "file"; 8));
    assert_eq!(fs::read("file").unwrap(), b"0123\0\0\0\0");
    assert_eq!(errno(on!(truncate, "file"; -1)), libc::EINVAL);
    assert_eq!(errno(on!(truncate, "absent"; 0)), libc::ENOENT);
    assert_eq!(errno(on!(truncate, "."; 0)), libc::EISDIR);
}

fn allocation() {
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    let pages = |count: usize| count * PAGE;
    assert_eq!(sys!(libc::SYS_fallocate, file, 0, 0, pages(4)), Ok(0));
    assert_eq!(fs::metadata("file").unwrap().len(), pages(4) as u64);
    assert_eq!(sys!(libc::SYS_fallocate, file, 1, 0, pages(8)), Ok(0));
    assert_eq!(fs::metadata("file").unwrap().len(), pages(4) as u64, "FALLOC_FL_KEEP_SIZE");
    fs::write("file", vec![7; pages(4)]).unwrap();
    assert_eq!(sys!(libc::SYS_fallocate, file, 3, pages(1), pages(2)), Ok(0));
    let bytes = fs::read("file").unwrap();
    assert_eq!([bytes[0], bytes[PAGE], bytes[3 * PAGE - 1], bytes[3 * PAGE]], [7, 0, 0, 7]);
    assert_eq!(sys!(libc::SYS_fallocate, file, 0, 0, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_fallocate, file, 0x400, 0, 1), Err(libc::EOPNOTSUPP));
}

fn largest_offsets() {
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    assert_eq!(errno(unsafe { libc::pwrite(file, c"x".as_ptr().cast(), 1, i64::MAX) } as i64), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::lseek(file, i64::MIN, libc::SEEK_SET) }), libc::EINVAL);
}

fn file_size_limit() {
    crate::child::handle(libc::SIGXFSZ, libc::SIG_IGN, 0);
    must(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &libc::rlimit { rlim_cur: 1000, rlim_max: 1000 }) });
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    assert_eq!(unsafe { libc::write(file, vec![0u8; 2000].as_ptr().cast(), 2000) }, 1000);
    assert_eq!(errno(unsafe { libc::write(file, c"x".as_ptr().cast(), 1) } as i64), libc::EFBIG);
    assert_eq!(errno(unsafe { libc::ftruncate(file, 1001) }), libc::EFBIG);
    crate::child::handle(libc::SIGXFSZ, libc::SIG_DFL, 0);
    let end = run(|| unsafe { libc::write(file, c"x".as_ptr().cast(), 1) as i32 });
    assert_eq!(end, End::Signal(libc::SIGXFSZ));
}

fn remove_while_open() {
    fs::write("file", "still here").unwrap();
    let file = fs::File::options().read(true).write(true).open("file").unwrap();
    fs::remove_file("file").unwrap();
    assert_eq!(fs::metadata("file").unwrap_err().raw_os_error(), Some(libc::ENOENT));
    let mut bytes = [0; 10];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!((&bytes, file.metadata().unwrap().nlink()), (b"still here", 0));
    fs::write("file", "another").unwrap();
    file.write_all_at(b"STILL", 0).unwrap();
    assert_eq!(fs::read("file").unwrap(), b"another");
}

fn link_counts() {
    fs::write("file", "").unwrap();
    fs::hard_link("file", "second").unwrap();
    let (first, second) = (fs::metadata("file").unwrap(), fs::metadata("second").unwrap());
    assert_eq!((first.nlink(), first.ino(), first.dev()), (2, second.ino(), second.dev()));
    fs::remove_file("file").unwrap();
    assert_eq!(fs::metadata("second").unwrap().nlink(), 1);
    fs::create_dir_all("folder/one").unwrap();
    fs::create_dir("folder/two").unwrap();
    assert_eq!(fs::metadata("folder").unwrap().nlink(), 4);
    fs::remove_dir("folder/one").unwrap();
    assert_eq!(fs::metadata("folder").unwrap().nlink(), 3);
}

fn links_and_their_errors() {
    fs::write("file", "").unwrap();
    fs::create_dir("folder").unwrap();
    symlink("nowhere", "link").unwrap();
    assert_eq!(errno(on!(link, "file", "folder")), libc::EEXIST);
    assert_eq!(errno(on!(link, "folder", "other")), libc::EPERM);
    assert_eq!(errno(on!(link, "absent", "other")), libc::ENOENT);
    assert_eq!(errno(on!(link, "file", "/dev/other")), libc::EXDEV);
    must(on!(link, "link", "same"));
    assert_eq!(fs::read_link("same").unwrap().to_str(), Some("nowhere"), "the link itself");
    let followed = sys!(libc::SYS_linkat, libc::AT_FDCWD, c"link".as_ptr(), libc::AT_FDCWD, c"x".as_ptr(), 0x400);
    assert_eq!(followed, Err(libc::ENOENT));
    assert_eq!(
        sys!(libc::SYS_linkat, libc::AT_FDCWD, c"file".as_ptr(), libc::AT_FDCWD, c"x".as_ptr(), 0x8000),
        Err(libc::EINVAL)
    );
}

fn rename_replaces() {
    fs::write("first", "1").unwrap();
    fs::write("second", "2").unwrap();
    fs::rename("first", "second").unwrap();
    assert_eq!(fs::read("second").unwrap(), b"1");
    assert!(!fs::exists("first").unwrap());
    fs::hard_link("second", "same").unwrap();
    fs::rename("same", "second").unwrap();
    assert!(fs::exists("same").unwrap(), "two names of one file: nothing happens");
    fs::create_dir_all("folder/inside").unwrap();
    fs::create_dir("empty").unwrap();
    fs::rename("folder", "empty").unwrap();
    assert!(fs::exists("empty/inside").unwrap());
}

fn rename_with(from: &str, to: &str, flags: u32) -> Result<usize, i32> {
    let (from, to) = (c(from), c(to));
    sys!(libc::SYS_renameat2, libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags)
}

fn rename_flags() {
    fs::write("first", "1").unwrap();
    fs::write("second", "2").unwrap();
    fs::create_dir("folder").unwrap();
    assert_eq!(rename_with("first", "second", libc::RENAME_NOREPLACE), Err(libc::EEXIST));
    assert_eq!(rename_with("first", "third", libc::RENAME_NOREPLACE), Ok(0));
    assert_eq!(rename_with("third", "second", libc::RENAME_EXCHANGE), Ok(0));
    assert_eq!((fs::read("third").unwrap(), fs::read("second").unwrap()), (b"2".to_vec(), b"1".to_vec()));
    assert_eq!(rename_with("third", "folder", libc::RENAME_EXCHANGE), Ok(0));
    assert!(fs::metadata("third").unwrap().is_dir());
    assert_eq!(rename_with("second", "absent", libc::RENAME_EXCHANGE), Err(libc::ENOENT));
    assert_eq!(rename_with("second", "third", 3), Err(libc::EINVAL));
    assert_eq!(rename_with("second", "third", 0x80), Err(libc::EINVAL));
}

fn rename_errors() {
    fs::write("file", "").unwrap();
    fs::create_dir_all("folder/inside").unwrap();
    fs::create_dir("other").unwrap();
    assert_eq!(rename_with("file", "folder", 0), Err(libc::EISDIR));
    assert_eq!(rename_with("other", "file", 0), Err(libc::ENOTDIR));
    assert_eq!(rename_with("other", "folder", 0), Err(libc::ENOTEMPTY));
    assert_eq!(rename_with("folder", "folder/inside/deeper", 0), Err(libc::EINVAL));
    assert_eq!(rename_with("folder/inside", "folder", 0), Err(libc::ENOTEMPTY));
    assert_eq!(rename_with("absent", "x", 0), Err(libc::ENOENT));
    assert_eq!(rename_with(".", "x", 0), Err(libc::EBUSY));
    assert_eq!(rename_with("folder", "other/..", 0), Err(libc::EBUSY));
    assert_eq!(rename_with("file", "/proc/x", 0), Err(libc::EXDEV));
    assert_eq!(rename_with("file", "x/", 0), Err(libc::ENOTDIR));
}

fn folders() {
    must(on!(mkdir, "folder"; 0o755));
    assert_eq!(errno(on!(mkdir, "folder"; 0o755)), libc::EEXIST);
    assert_eq!(errno(on!(mkdir, "no/folder"; 0o755)), libc::ENOENT);
    must(on!(mkdir, "slash/"; 0o755));
    fs::write("file", "").unwrap();
    assert_eq!(errno(on!(mkdir, "file"; 0o755)), libc::EEXIST);
    assert_eq!(errno(on!(mkdir, "file/x"; 0o755)), libc::ENOTDIR);
    assert_eq!(errno(on!(mkdir, "."; 0o755)), libc::EEXIST);
    assert_eq!(errno(on!(mkdir, "/"; 0o755)), libc::EEXIST);
    symlink("target", "link").unwrap();
    assert_eq!(errno(on!(mkdir, "link"; 0o755)), libc::EEXIST);
}

fn removal_errors() {
    fs::create_dir_all("folder/inside").unwrap();
    fs::write("file", "").unwrap();
    assert_eq!(errno(on!(rmdir, "folder")), libc::ENOTEMPTY);
    assert_eq!(errno(on!(rmdir, "file")), libc::ENOTDIR);
    assert_eq!(errno(on!(rmdir, "absent")), libc::ENOENT);
    assert_eq!(errno(on!(rmdir, ".")), libc::EINVAL);
    assert_eq!(errno(on!(rmdir, "folder/..")), libc::ENOTEMPTY);
    assert_eq!(errno(on!(rmdir, "/")), libc::EBUSY);
    assert_eq!(errno(on!(unlink, "folder")), libc::EISDIR);
    assert_eq!(errno(on!(unlink, "absent")), libc::ENOENT);
    assert_eq!(errno(on!(unlink, "file/")), libc::ENOTDIR);
    assert_eq!(sys!(libc::SYS_unlinkat, libc::AT_FDCWD, c"folder".as_ptr(), 0x80), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_unlinkat, libc::AT_FDCWD, c"folder/inside".as_ptr(), libc::AT_REMOVEDIR), Ok(0));
}

fn symbolic_links() {
    symlink("file", "link").unwrap();
    fs::write("link", "through").unwrap();
    assert_eq!(fs::read("file").unwrap(), b"through");
    let status = fs::symlink_metadata("link").unwrap();
    assert_eq!((status.len(), status.mode()), (4, libc::S_IFLNK | 0o777));
    let mut bytes = [b'.'; 6];
    assert_eq!(on!(readlink, "link"; bytes.as_mut_ptr().cast(), 2), 2);
    assert_eq!(&bytes, b"fi....", "cut, and not terminated");
    assert_eq!(errno(on!(readlink, "file"; bytes.as_mut_ptr().cast(), 6) as i64), libc::EINVAL);
    assert_eq!(sys!(libc::SYS_readlink, c"link".as_ptr(), bytes.as_mut_ptr(), 0), Err(libc::EINVAL));
    assert_eq!(errno(on!(symlink, "", "x")), libc::ENOENT);
    assert_eq!(errno(on!(symlink, "x", "link")), libc::EEXIST);
    fs::remove_file("link").unwrap();
    assert!(fs::exists("file").unwrap());
}

fn symbolic_link_loops() {
    symlink("b", "a").unwrap();
    symlink("a", "b").unwrap();
    assert_eq!(errno(open("a", libc::O_RDONLY)), libc::ELOOP);
    assert_eq!(errno(open("a/x", libc::O_RDONLY)), libc::ELOOP);
    fs::write("l0", "end").unwrap();
    for number in 1..=41 {
        symlink(format!("l{}", number - 1), format!("l{number}")).unwrap();
    }
    assert_eq!(fs::read("l40").unwrap(), b"end");
    assert_eq!(errno(open("l41", libc::O_RDONLY)), libc::ELOOP, "forty are followed");
}

fn dots_and_slashes() {
    fs::create_dir_all("one/two").unwrap();
    fs::write("one/file", "x").unwrap();
    for path in ["one/two/../file", "./one/./file", "one//file", "one///two//..//file", "one/two/../../one/file"] {
        assert_eq!(fs::read(path).unwrap(), b"x", "{path}");
    }
    assert_eq!(errno(open("one/absent/../file", libc::O_RDONLY)), libc::ENOENT);
    assert_eq!(errno(open("one/file/..", libc::O_RDONLY)), libc::ENOTDIR);
    assert_eq!(fs::metadata("/..").unwrap().ino(), fs::metadata("/").unwrap().ino());
    symlink("one/two", "link").unwrap();
    assert_eq!(fs::read("link/../file").unwrap(), b"x", "the parent of where the link leads");
}

fn long_names() {
    let longest = "n".repeat(255);
    fs::write(&longest, "x").unwrap();
    assert_eq!(fs::read(&longest).unwrap(), b"x");
    assert_eq!(errno(open(&"n".repeat(256), libc::O_RDWR | libc::O_CREAT)), libc::ENAMETOOLONG);
    let path = format!("{}{longest}", "./".repeat((4095 - 255) / 2));
    assert_eq!(path.len(), 4095);
    assert_eq!(fs::read(&path).unwrap(), b"x");
    assert_eq!(errno(open(&format!(".//{path}"), libc::O_RDONLY)), libc::ENAMETOOLONG);
}

fn any_byte_is_a_name() {
    use std::os::unix::ffi::OsStrExt;
    for byte in (1..=255u8).filter(|byte| *byte != b'/' && *byte != b'.') {
        fs::write(std::ffi::OsStr::from_bytes(&[byte]), [byte]).unwrap();
    }
    let mut names: Vec<Vec<u8>> =
        fs::read_dir(".").unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect();
    names.sort();
    assert_eq!(names.len(), 253);
    assert!(names.iter().all(|name| fs::read(std::ffi::OsStr::from_bytes(name)).unwrap() == *name));
}

/// Names and types as getdents64 gives them, with a buffer of `size` bytes.
fn entries(folder: i32, size: usize) -> Vec<(String, u8)> {
    let mut found = Vec::new();
    let buffer = map(size.max(PAGE));
    loop {
        let count = sys!(libc::SYS_getdents64, folder, buffer, size).unwrap();
        if count == 0 {
            return found;
        }
        let mut at = 0;
        while at < count {
            unsafe {
                let entry = buffer.add(at);
                let length = entry.add(16).cast::<u16>().read_unaligned();
                let name = std::ffi::CStr::from_ptr(entry.add(19).cast()).to_str().unwrap().to_owned();
                found.push((name, *entry.add(18)));
                at += usize::from(length);
            }
        }
    }
}

fn listing_is_complete() {
    fs::create_dir("folder").unwrap();
    fs::write("file", "").unwrap();
    symlink("x", "link").unwrap();
    must(on!(mkfifo, "fifo"; 0o600));
    let mut found = entries(must(open(".", libc::O_RDONLY)), PAGE);
    found.sort();
    let expected = [(".", 4), ("..", 4), ("fifo", 1), ("file", 8), ("folder", 4), ("link", 10)];
    assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    let folder = must(open(".", libc::O_RDONLY));
    assert_eq!(sys!(libc::SYS_getdents64, folder, map(PAGE), 10), Err(libc::EINVAL), "too small for one entry");
    let file = must(open("file", libc::O_RDONLY));
    assert_eq!(sys!(libc::SYS_getdents64, file, map(PAGE), PAGE), Err(libc::ENOTDIR));
    fs::create_dir("gone").unwrap();
    let gone = must(open("gone", libc::O_RDONLY));
    fs::remove_dir("gone").unwrap();
    assert_eq!(sys!(libc::SYS_getdents64, gone, map(PAGE), PAGE), Err(libc::ENOENT));
}

/// What is there from beginning to end is seen exactly once, whatever else comes and goes.
fn listing_is_stable() {
    for number in 0..300 {
        fs::write(format!("stays{number}"), "").unwrap();
        fs::write(format!("goes{number}"), "").unwrap();
    }
    let folder = must(open(".", libc::O_RDONLY));
    let buffer = map(PAGE);
    let mut names = Vec::new();
    let mut round = 0;
    loop {
        let count = sys!(libc::SYS_getdents64, folder, buffer, 500).unwrap();
        if count == 0 {
            break;
        }
        let mut at = 0;
        while at < count {
            unsafe {
                names.push(std::ffi::CStr::from_ptr(buffer.add(at + 19).cast()).to_str().unwrap().to_owned());
                at += usize::from(buffer.add(at + 16).cast::<u16>().read_unaligned());
            }
        }
        if round < 300 {
            fs::remove_file(format!("goes{round}")).unwrap();
            fs::write(format!("comes{round}"), "").unwrap();
        }
        round += 1;
    }
    let mut stayed: Vec<&String> = names.iter().filter(|name| name.starts_with("stays")).collect();
    stayed.sort();
    let count = stayed.len();
    stayed.dedup();
    assert_eq!((count, stayed.len()), (300, 300));
}

fn listing_positions() {
    (0..20).for_each(|number| fs::write(format!("f{number}"), "").unwrap());
    let folder = must(open(".", libc::O_RDONLY));
    let first = entries(folder, PAGE);
    assert_eq!(first.len(), 22);
    assert_eq!(unsafe { libc::lseek(folder, 0, libc::SEEK_SET) }, 0);
    assert_eq!(entries(folder, 100), first, "the same again, in small pieces");
}

fn status(path: &str) -> libc::stat {
    let path = c(path);
    unsafe {
        let mut status = zeroed();
        must(libc::lstat(path.as_ptr(), &mut status));
        status
    }
}

fn status_fields() {
    unsafe { libc::umask(0o022) };
    fs::write("file", vec![1; 10_000]).unwrap();
    let found = status("file");
    assert_eq!((found.st_mode, found.st_nlink, found.st_uid, found.st_gid), (libc::S_IFREG | 0o644, 1, 0, 0));
    assert_eq!((found.st_size, found.st_blksize, found.st_blocks), (10_000, 4096, 24));
    assert_ne!(found.st_ino, 0);
    fs::create_dir("folder").unwrap();
    assert_eq!(status("folder").st_mode, libc::S_IFDIR | 0o755);
    assert_eq!(status("folder").st_dev, found.st_dev);
    assert_ne!(status("/proc").st_dev, found.st_dev);
}

fn extended_status() {
    fs::write("file", "abc").unwrap();
    let plain = status("file");
    unsafe {
        let mut found: libc::statx = zeroed();
        let all = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
        must(libc::statx(libc::AT_FDCWD, c"file".as_ptr(), 0, all, &mut found));
        assert_eq!(found.stx_mask & libc::STATX_BASIC_STATS, libc::STATX_BASIC_STATS);
        assert_eq!((found.stx_size, found.stx_ino, u32::from(found.stx_mode)), (3, plain.st_ino, plain.st_mode));
        assert_eq!((found.stx_mtime.tv_sec, i64::from(found.stx_mtime.tv_nsec)), (plain.st_mtime, plain.st_mtime_nsec));
        let device = libc::makedev(found.stx_dev_major, found.stx_dev_minor);
        assert_eq!(device, plain.st_dev);
        let file = must(open("file", libc::O_RDONLY));
        must(libc::statx(file, c"".as_ptr(), libc::AT_EMPTY_PATH, all, &mut found));
        assert_eq!(found.stx_ino, plain.st_ino);
        assert_eq!(
            sys!(libc::SYS_statx, libc::AT_FDCWD, c"file".as_ptr(), 0x10, all, &raw mut found),
            Err(libc::EINVAL)
        );
        assert_eq!(
            sys!(libc::SYS_statx, libc::AT_FDCWD, c"file".as_ptr(), 0, 0x8000_0000u32, &raw mut found),
            Err(libc::EINVAL)
        );
    }
}

fn status_of_a_descriptor() {
    fs::write("file", "abc").unwrap();
    let file = must(open("file", libc::O_RDONLY));
    unsafe {
        let mut found: libc::stat = zeroed();
        assert_eq!(sys!(libc::SYS_newfstatat, file, c"".as_ptr(), &raw mut found, libc::AT_EMPTY_PATH), Ok(0));
        assert_eq!(found.st_ino, status("file").st_ino);
        assert_eq!(sys!(libc::SYS_newfstatat, file, c"".as_ptr(), &raw mut found, 0), Err(libc::ENOENT));
        assert_eq!(sys!(libc::SYS_newfstatat, file, c"x".as_ptr(), &raw mut found, 0), Err(libc::ENOTDIR));
        assert_eq!(
            sys!(libc::SYS_newfstatat, libc::AT_FDCWD, c"file".as_ptr(), &raw mut found, 0x10),
            Err(libc::EINVAL)
        );
        must(libc::fstatat(libc::AT_FDCWD, c"".as_ptr(), &mut found, libc::AT_EMPTY_PATH));
        assert_eq!(found.st_ino, status(".").st_ino);
    }
}

/// Runs as an ordinary user.
fn as_user(body: impl FnOnce() -> i32) -> End {
    run(|| unsafe {
        must(libc::setgroups(0, std::ptr::null()));
        must(libc::setresgid(1000, 1000, 1000));
        must(libc::setresuid(1000, 1000, 1000));
        body()
    })
}

fn mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn permissions() {
    mode(".", 0o777);
    for (bits, owner, group) in [(0o600, 0, 0), (0o060, 1, 1), (0o006, 1000, 0), (0o006, 0, 1000)] {
        fs::write("file", "").unwrap();
        mode("file", bits);
        std::os::unix::fs::chown("file", Some(owner), Some(group)).unwrap();
        let end = as_user(|| errno(open("file", libc::O_RDONLY)).max(errno(open("file", libc::O_WRONLY))));
        assert_eq!(end, End::Exit(libc::EACCES), "{bits:o} {owner} {group}");
        must(open("file", libc::O_RDWR));
    }
    for (bits, owner, group) in [(0o400, 1000, 0), (0o040, 0, 1000), (0o004, 0, 0)] {
        mode("file", bits);
        std::os::unix::fs::chown("file", Some(owner), Some(group)).unwrap();
        let end =
            as_user(|| i32::from(open("file", libc::O_RDONLY) < 0) + 2 * i32::from(open("file", libc::O_WRONLY) >= 0));
        assert_eq!(end, End::Exit(0), "{bits:o} {owner} {group}");
    }
}

fn permissions_of_folders() {
    fs::create_dir("folder").unwrap();
    fs::write("folder/file", "").unwrap();
    mode("folder/file", 0o666);
    mode("folder", 0o711);
    let end = as_user(|| {
        must(open("folder/file", libc::O_RDWR));
        assert_eq!(errno(open("folder", libc::O_RDONLY)), libc::EACCES);
        assert_eq!(errno(open("folder/new", libc::O_RDWR | libc::O_CREAT)), libc::EACCES);
        errno(on!(unlink, "folder/file"))
    });
    assert_eq!(end, End::Exit(libc::EACCES));
    mode("folder", 0o744);
    let end = as_user(|| {
        must(open("folder", libc::O_RDONLY));
        errno(open("folder/file", libc::O_RDONLY))
    });
    assert_eq!(end, End::Exit(libc::EACCES), "no right to search");
}

fn sticky_folders() {
    fs::create_dir("folder").unwrap();
    mode("folder", 0o1777);
    fs::write("folder/others", "").unwrap();
    let end = as_user(|| {
        must(open("folder/own", libc::O_CREAT | libc::O_RDWR));
        assert_eq!(errno(on!(unlink, "folder/others")), libc::EPERM);
        assert_eq!(errno(on!(rename, "folder/others", "folder/x")), libc::EPERM);
        on!(unlink, "folder/own")
    });
    assert_eq!(end, End::Exit(0));
}

fn access_checks() {
    fs::write("file", "").unwrap();
    mode("file", 0o640);
    assert_eq!(on!(access, "file"; libc::R_OK | libc::W_OK), 0);
    assert_eq!(errno(on!(access, "file"; libc::X_OK)), libc::EACCES, "not even for root");
    assert_eq!(errno(on!(access, "absent"; libc::F_OK)), libc::ENOENT);
    assert_eq!(errno(on!(access, "file"; 8)), libc::EINVAL);
    mode(".", 0o755);
    assert_eq!(as_user(|| errno(on!(access, "file"; libc::R_OK))), End::Exit(libc::EACCES));
    // The real user counts, and not the effective one.
    mode("file", 0o600);
    let end = run(|| {
        must(unsafe { libc::setresuid(1000, 0, 0) });
        errno(on!(access, "file"; libc::R_OK)) + open("file", libc::O_RDONLY).min(0)
    });
    assert_eq!(end, End::Exit(libc::EACCES));
    const AT_EACCESS: i32 = 0x200;
    let end = run(|| unsafe {
        must(libc::setresuid(1000, 0, 0));
        i32::from(sys!(libc::SYS_faccessat2, libc::AT_FDCWD, c"file".as_ptr(), libc::R_OK, AT_EACCESS) != Ok(0))
    });
    assert_eq!(end, End::Exit(0));
}

fn set_id_bits_are_lost() {
    mode(".", 0o777);
    fs::write("file", "").unwrap();
    mode("file", 0o6777);
    let end = as_user(|| {
        let file = must(open("file", libc::O_WRONLY));
        unsafe { libc::write(file, c"x".as_ptr().cast(), 1) };
        0
    });
    assert_eq!(end, End::Exit(0));
    assert_eq!(status("file").st_mode & 0o7777, 0o777, "by somebody else's write");
    mode("file", 0o6777);
    must(on!(chown, "file"; 5, 5));
    assert_eq!(status("file").st_mode & 0o7777, 0o777, "by a change of owner");
}

fn owners() {
    fs::write("file", "").unwrap();
    mode(".", 0o777);
    must(on!(chown, "file"; 1000, 77));
    assert_eq!((status("file").st_uid, status("file").st_gid), (1000, 77));
    must(on!(chown, "file"; u32::MAX, 1000));
    assert_eq!((status("file").st_uid, status("file").st_gid), (1000, 1000));
    let end = as_user(|| {
        must(on!(chmod, "file"; 0o600));
        must(on!(chown, "file"; 1000, 1000));
        assert_eq!(errno(on!(chown, "file"; 1000, 5)), libc::EPERM);
        errno(on!(chown, "file"; 0, u32::MAX))
    });
    assert_eq!(end, End::Exit(libc::EPERM));
    must(on!(chown, "file"; 0, 0));
    assert_eq!(as_user(|| errno(on!(chmod, "file"; 0o666))), End::Exit(libc::EPERM));
    fs::create_dir("folder").unwrap();
    must(on!(chown, "folder"; 0, 55));
    mode("folder", 0o2777);
    fs::write("folder/file", "").unwrap();
    fs::create_dir("folder/sub").unwrap();
    assert_eq!((status("folder/file").st_gid, status("folder/sub").st_gid), (55, 55), "the folder's group");
    assert_eq!(status("folder/sub").st_mode & libc::S_ISGID, libc::S_ISGID);
}

fn mask_of_creation() {
    unsafe { libc::umask(0o027) };
    close(must(unsafe { libc::open(c"file".as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o666) }));
    must(on!(mkdir, "folder"; 0o777));
    assert_eq!((status("file").st_mode & 0o7777, status("folder").st_mode & 0o7777), (0o640, 0o750));
    assert_eq!(unsafe { libc::umask(0o7777) }, 0o027);
    assert_eq!(unsafe { libc::umask(0) }, 0o777);
    let file = must(unsafe { libc::open(c"closed".as_ptr(), libc::O_CREAT | libc::O_RDWR, 0) });
    assert_eq!(unsafe { libc::write(file, c"x".as_ptr().cast(), 1) }, 1, "the mode counts for later openings");
}

fn times() {
    fs::write("file", "").unwrap();
    let set = |first: (i64, i64), second: (i64, i64)| {
        let times = [first, second].map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
        sys!(libc::SYS_utimensat, libc::AT_FDCWD, c"file".as_ptr(), times.as_ptr(), 0)
    };
    assert_eq!(set((1000, 5), (2000, 7)), Ok(0));
    let found = status("file");
    assert_eq!((found.st_atime, found.st_atime_nsec, found.st_mtime, found.st_mtime_nsec), (1000, 5, 2000, 7));
    assert_eq!(set((0, libc::UTIME_OMIT), (3000, 0)), Ok(0));
    assert_eq!((status("file").st_atime, status("file").st_mtime), (1000, 3000));
    assert_eq!(set((0, libc::UTIME_NOW), (0, libc::UTIME_OMIT)), Ok(0));
    assert!(status("file").st_atime > 1_600_000_000);
    assert_eq!(set((0, 1_000_000_000), (0, 0)), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_utimensat, libc::AT_FDCWD, c"file".as_ptr(), 0, 0x10), Err(libc::EINVAL));
    mode(".", 0o777);
    mode("file", 0o666);
    let end = as_user(|| {
        assert_eq!(set((1, 0), (1, 0)), Err(libc::EPERM));
        i32::from(sys!(libc::SYS_utimensat, libc::AT_FDCWD, c"file".as_ptr(), 0, 0) != Ok(0))
    });
    assert_eq!(end, End::Exit(0), "a writer may set the present");
}

fn times_change() {
    let changed = |before: &libc::stat, after: &libc::stat| {
        let time =
            |status: &libc::stat| ((status.st_mtime, status.st_mtime_nsec), (status.st_ctime, status.st_ctime_nsec));
        let ((modified, changed), (modified_after, changed_after)) = (time(before), time(after));
        (modified != modified_after, changed != changed_after)
    };
    let step = |path: &str, action: &dyn Fn()| {
        let before = status(path);
        crate::child::sleep(15);
        action();
        changed(&before, &status(path))
    };
    fs::write("file", "x").unwrap();
    assert_eq!(step("file", &|| fs::write("file", "y").unwrap()), (true, true));
    assert_eq!(step("file", &|| mode("file", 0o600)), (false, true));
    assert_eq!(step("file", &|| fs::hard_link("file", "link").unwrap()), (false, true));
    assert_eq!(step(".", &|| fs::write("new", "").unwrap()), (true, true));
    assert_eq!(step(".", &|| fs::remove_file("new").unwrap()), (true, true));
    assert_eq!(
        step("file", &|| {
            fs::read("file").unwrap();
        }),
        (false, false)
    );
}

fn current_folder() {
    let start = std::env::current_dir().unwrap();
    fs::create_dir_all("one/two").unwrap();
    must(on!(chdir, "one/two"));
    assert_eq!(std::env::current_dir().unwrap(), start.join("one/two"));
    let folder = must(open("..", libc::O_RDONLY));
    must(unsafe { libc::fchdir(folder) });
    assert_eq!(std::env::current_dir().unwrap(), start.join("one"));
    assert_eq!(fs::read_link("/proc/self/cwd").unwrap(), start.join("one"));
    fs::write("file", "").unwrap();
    assert_eq!(errno(on!(chdir, "file")), libc::ENOTDIR);
    assert_eq!(errno(on!(chdir, "absent")), libc::ENOENT);
    let mut bytes = [0u8; 4096];
    assert_eq!(sys!(libc::SYS_getcwd, bytes.as_mut_ptr(), 3), Err(libc::ERANGE));
    let length = start.join("one").as_os_str().len() + 1;
    assert_eq!(sys!(libc::SYS_getcwd, bytes.as_mut_ptr(), 4096), Ok(length), "with the NUL");
    fs::rename("../one", "../renamed").unwrap();
    assert_eq!(std::env::current_dir().unwrap(), start.join("renamed"));
}

fn removed_current_folder() {
    fs::create_dir("folder").unwrap();
    must(on!(chdir, "folder"));
    fs::remove_dir("../folder").unwrap();
    let mut bytes = [0u8; 4096];
    assert_eq!(sys!(libc::SYS_getcwd, bytes.as_mut_ptr(), 4096), Err(libc::ENOENT));
    assert_eq!(errno(open("file", libc::O_CREAT | libc::O_RDWR)), libc::ENOENT);
    assert!(fs::exists("..").unwrap());
}

fn root_folder() {
    fs::create_dir_all("jail/etc").unwrap();
    fs::write("jail/etc/inside", "").unwrap();
    let end = run(|| {
        must(on!(chroot, "jail"));
        must(on!(chdir, "/"));
        i32::from(!fs::exists("/etc/inside").unwrap()) + 2 * i32::from(fs::exists("/../../../../proc/self").unwrap())
    });
    assert_eq!(end, End::Exit(0));
    mode(".", 0o777);
    assert_eq!(as_user(|| errno(on!(chroot, "jail"))), End::Exit(libc::EPERM));
}

fn relative_to_descriptors() {
    fs::create_dir("folder").unwrap();
    let folder = must(open("folder", libc::O_RDONLY));
    let at = |name: &str, flags: i32| {
        let name = c(name);
        unsafe { libc::openat(folder, name.as_ptr(), flags, 0o600) }
    };
    must(at("file", libc::O_CREAT | libc::O_RDWR));
    assert!(fs::exists("folder/file").unwrap());
    must(unsafe { libc::mkdirat(folder, c"sub".as_ptr(), 0o755) });
    must(unsafe { libc::renameat(folder, c"file".as_ptr(), libc::AT_FDCWD, c"moved".as_ptr()) });
    must(unsafe { libc::symlinkat(c"target".as_ptr(), folder, c"link".as_ptr()) });
    assert!(fs::exists("moved").unwrap() && fs::exists("folder/sub").unwrap());
    must(at("/dev/null", libc::O_RDONLY));
    let file = must(open("moved", libc::O_RDONLY));
    assert_eq!(errno(unsafe { libc::openat(file, c"x".as_ptr(), 0) }), libc::ENOTDIR);
    assert_eq!(errno(unsafe { libc::openat(400, c"x".as_ptr(), 0) }), libc::EBADF);
    must(unsafe { libc::openat(400, c"/dev/null".as_ptr(), 0) });
}

fn device_files() {
    crate::child::own_file_system();
    must(on!(mknod, "null"; libc::S_IFCHR | 0o666, libc::makedev(1, 3)));
    let found = status("null");
    assert_eq!((found.st_mode, found.st_rdev), (libc::S_IFCHR | 0o666 & !0o022, libc::makedev(1, 3)));
    fs::write("null", "gone").unwrap();
    assert_eq!(fs::read("null").unwrap(), b"");
    must(on!(mknod, "absent"; libc::S_IFCHR | 0o666, libc::makedev(240, 99)));
    assert_eq!(errno(open("absent", libc::O_RDWR)), libc::ENXIO);
    must(on!(mknod, "plain"; libc::S_IFREG | 0o600, 0));
    assert!(fs::metadata("plain").unwrap().is_file());
    assert_eq!(errno(on!(mknod, "folder"; libc::S_IFDIR | 0o600, 0)), libc::EPERM);
    mode(".", 0o777);
    let end = as_user(|| errno(on!(mknod, "own"; libc::S_IFCHR | 0o666, libc::makedev(1, 3))));
    assert_eq!(end, End::Exit(libc::EPERM));
}

fn devices_work() {
    let mut bytes = [7u8; 32];
    let file = |path: &str| fs::File::options().read(true).write(true).open(path).unwrap();
    use std::io::{Read, Write};
    assert_eq!(file("/dev/zero").read(&mut bytes).unwrap(), 32);
    assert_eq!(bytes, [0; 32]);
    assert_eq!(file("/dev/null").read(&mut bytes).unwrap(), 0);
    assert_eq!(file("/dev/null").write(&bytes).unwrap(), 32);
    assert_eq!(file("/dev/full").write(&bytes).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(file("/dev/full").read(&mut bytes).unwrap(), 32);
    file("/dev/urandom").read_exact(&mut bytes).unwrap();
    assert_ne!(bytes, [0; 32]);
    let zero = must(open("/dev/zero", libc::O_RDWR));
    let page = sys!(libc::SYS_mmap, 0, PAGE, 3, libc::MAP_PRIVATE, zero, 0).unwrap() as *mut u8;
    unsafe { page.write(1) };
}

fn copying_in_the_kernel() {
    fs::write("from", "0123456789").unwrap();
    let (from, to) = (must(open("from", libc::O_RDONLY)), must(open("to", libc::O_RDWR | libc::O_CREAT)));
    assert_eq!(unsafe { libc::sendfile(to, from, std::ptr::null_mut(), 4) }, 4);
    let mut offset = 8i64;
    assert_eq!(unsafe { libc::sendfile(to, from, &mut offset, 100) }, 2);
    assert_eq!((offset, unsafe { libc::lseek(from, 0, libc::SEEK_CUR) }), (10, 4));
    assert_eq!(fs::read("to").unwrap(), b"012389");
    let none = std::ptr::null_mut();
    assert_eq!(unsafe { libc::copy_file_range(from, none, to, none, 100, 0) }, 6);
    assert_eq!(fs::read("to").unwrap(), b"012389456789");
}

fn file_system_status() {
    unsafe {
        let mut found: libc::statfs = zeroed();
        must(libc::statfs(c"/proc".as_ptr(), &mut found));
        assert_eq!(found.f_type, 0x9fa0);
        must(libc::statfs(c".".as_ptr(), &mut found));
        assert_eq!((found.f_type, found.f_bsize, found.f_namelen), (0x0102_1994, 4096, 255));
        assert!(found.f_blocks >= found.f_bfree);
        let folder = must(open(".", libc::O_RDONLY));
        must(libc::fstatfs(folder, &mut found));
        assert_eq!(found.f_type, 0x0102_1994);
    }
}

fn deep_trees() {
    let start = must(open(".", libc::O_RDONLY));
    for _ in 0..200 {
        must(on!(mkdir, "deep"; 0o755));
        must(on!(chdir, "deep"));
    }
    fs::write("bottom", "x").unwrap();
    for _ in 0..200 {
        must(on!(chdir, ".."));
    }
    assert_eq!(status(".").st_ino, unsafe {
        let mut found: libc::stat = zeroed();
        must(libc::fstat(start, &mut found));
        found.st_ino
    });
    assert_eq!(fs::read(format!("{}bottom", "deep/".repeat(200))).unwrap(), b"x");
}

fn many_files() {
    for number in 0..2000 {
        fs::write(format!("file{number}"), number.to_string()).unwrap();
    }
    assert_eq!(fs::read_dir(".").unwrap().count(), 2000);
    assert!((0..2000).all(|number| fs::read_to_string(format!("file{number}")).unwrap() == number.to_string()));
}

/// Whoever looks finds one of the two, at every moment.
fn renames_race() {
    fs::write("file", "a").unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..2000 {
                fs::write("temporary", if number % 2 == 0 { "a" } else { "b" }).unwrap();
                fs::rename("temporary", "file").unwrap();
            }
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let found = fs::read("file").unwrap();
            assert!(found == b"a" || found == b"b");
        }
    });
}

fn truncation_races() {
    fs::write("file", vec![1; 4 * PAGE]).unwrap();
    let file = fs::File::options().read(true).write(true).open("file").unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1000 {
                file.set_len(10).unwrap();
                file.write_all_at(&[1; 2 * PAGE], 0).unwrap();
            }
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut bytes = [0u8; 2 * PAGE];
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let count = file.read_at(&mut bytes, 0).unwrap();
            assert!(count <= 2 * PAGE && bytes[..count].iter().all(|byte| *byte <= 1));
        }
    });
}

fn seeking_past_the_end() {
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    assert_eq!(unsafe { libc::lseek(file, 1 << 40, libc::SEEK_SET) }, 1 << 40);
    let mut byte = 0u8;
    assert_eq!(unsafe { libc::read(file, (&raw mut byte).cast(), 1) }, 0);
    assert_eq!(status("file").st_size, 0);
    assert_eq!(unsafe { libc::write(file, c"x".as_ptr().cast(), 1) }, 1);
    assert_eq!(status("file").st_size, (1 << 40) + 1);
}

fn reading_folders_fails() {
    let folder = must(open(".", libc::O_RDONLY));
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::read(folder, (&raw mut byte).cast(), 1) } as i64), libc::EISDIR);
    assert_eq!(errno(unsafe { libc::write(folder, c"x".as_ptr().cast(), 1) } as i64), libc::EBADF);
    drop(unsafe { fs::File::from_raw_fd(folder) });
}

fn advice_and_synchronisation() {
    let file = must(open("file", libc::O_RDWR | libc::O_CREAT));
    for number in [libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_syncfs] {
        assert_eq!(sys!(number, file), Ok(0));
    }
    assert_eq!(sys!(libc::SYS_sync), Ok(0));
    assert_eq!(unsafe { libc::posix_fadvise(file, 0, 0, libc::POSIX_FADV_DONTNEED) }, 0);
    assert_eq!(unsafe { libc::posix_fadvise(file, 0, 0, 77) }, libc::EINVAL);
}

/// No attribute is there; a file system may also not know of them.
fn extended_attributes_answer() {
    fs::write("file", "").unwrap();
    let mut value = [0u8; 16];
    let found = sys!(libc::SYS_getxattr, c"file".as_ptr(), c"user.name".as_ptr(), value.as_mut_ptr(), 16);
    assert!(matches!(found, Err(libc::ENODATA | libc::EOPNOTSUPP)), "{found:?}");
}

fn proc_self_is_me() {
    let own = unsafe { libc::getpid() };
    assert_eq!(fs::read_link("/proc/self").unwrap().to_str(), Some(own.to_string().as_str()));
    assert!(fs::metadata("/proc/self/exe").unwrap().is_file());
    let text = fs::read("/proc/self/cmdline").unwrap();
    assert!(text.ends_with(b"\0") && text.windows(4).any(|window| window == b"run\0"));
    assert!(fs::read("/proc/self/environ").is_ok());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.lines().any(|line| line == format!("Pid:\t{own}")));
    assert!(status.lines().any(|line| line == "Uid:\t0\t0\t0\t0"));
    assert_eq!(fs::metadata("/proc/999999").unwrap_err().raw_os_error(), Some(libc::ENOENT));
}
