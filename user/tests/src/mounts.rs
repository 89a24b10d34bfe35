//! Mounting.
use crate::call::{c, errno, must};
use crate::child::{End, run};
use crate::sys;
use std::fs;
use std::os::unix::fs::MetadataExt;

crate::tests!(
    tmpfs_covers_a_folder,
    tmpfs_options,
    tmpfs_is_full,
    bind_shows_the_same,
    bind_of_a_file,
    read_only,
    move_of_a_mount,
    busy_mounts,
    lazy_unmount,
    nested_mounts,
    mount_points_stay,
    renames_do_not_cross,
    listed_in_proc,
    refusals,
    no_devices_no_programs,
    proc_is_mountable,
);

fn mount(source: &str, target: &str, kind: &str, flags: u64, data: &str) -> Result<usize, i32> {
    let (source, target, kind, data) = (c(source), c(target), c(kind), c(data));
    sys!(libc::SYS_mount, source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr())
}

fn unmount(target: &str, flags: i32) -> Result<usize, i32> {
    let target = c(target);
    sys!(libc::SYS_umount2, target.as_ptr(), flags)
}

fn folder(name: &str) {
    fs::create_dir_all(name).unwrap();
}

fn tmpfs(name: &str, data: &str) {
    folder(name);
    assert_eq!(mount("tmpfs", name, "tmpfs", 0, data), Ok(0));
}

fn tmpfs_covers_a_folder() {
    folder("at");
    fs::write("at/below", "").unwrap();
    let outside = fs::metadata(".").unwrap().dev();
    tmpfs("at", "");
    assert!(!fs::exists("at/below").unwrap());
    assert_ne!(fs::metadata("at").unwrap().dev(), outside);
    fs::write("at/inside", "x").unwrap();
    assert_eq!(fs::metadata("at/..").unwrap().dev(), outside);
    assert_eq!(unmount("at", 0), Ok(0));
    assert!(fs::exists("at/below").unwrap() && !fs::exists("at/inside").unwrap());
    assert_eq!(unmount("at", 0), Err(libc::EINVAL));
}

fn tmpfs_options() {
    tmpfs("at", "size=1M,mode=0700,uid=5,gid=6,nr_inodes=10");
    let status = fs::metadata("at").unwrap();
    assert_eq!((status.mode() & 0o7777, status.uid(), status.gid()), (0o700, 5, 6));
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    must(unsafe { libc::statfs(c"at".as_ptr(), &mut found) });
    assert_eq!((found.f_blocks, found.f_files), (256, 10));
    unmount("at", 0).unwrap();
    assert_eq!(mount("tmpfs", "at", "tmpfs", 0, "nonsense=1"), Err(libc::EINVAL));
    assert_eq!(mount("tmpfs", "at", "tmpfs", 0, "size=abc"), Err(libc::EINVAL));
}

fn tmpfs_is_full() {
    tmpfs("at", "size=64k");
    let error = fs::write("at/file", vec![0; 1 << 20]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    fs::remove_file("at/file").unwrap();
    fs::write("at/file", vec![0; 60_000]).unwrap();
    unmount("at", 0).unwrap();
}

fn bind_shows_the_same() {
    folder("from");
    folder("to");
    fs::write("from/file", "x").unwrap();
    assert_eq!(mount("from", "to", "", libc::MS_BIND, ""), Ok(0));
    fs::write("to/other", "y").unwrap();
    assert_eq!(fs::read("from/other").unwrap(), b"y");
    assert_eq!(fs::metadata("to/file").unwrap().ino(), fs::metadata("from/file").unwrap().ino());
    unmount("to", 0).unwrap();
    assert!(!fs::exists("to/file").unwrap());
}

fn bind_of_a_file() {
    fs::write("from", "x").unwrap();
    fs::write("to", "y").unwrap();
    assert_eq!(mount("from", "to", "", libc::MS_BIND, ""), Ok(0));
    assert_eq!(fs::read("to").unwrap(), b"x");
    folder("folder");
    assert_eq!(mount("folder", "to", "", libc::MS_BIND, ""), Err(libc::ENOTDIR));
    assert_eq!(mount("from", "folder", "", libc::MS_BIND, ""), Err(libc::ENOTDIR));
    unmount("to", 0).unwrap();
}

fn read_only() {
    tmpfs("at", "");
    fs::write("at/file", "x").unwrap();
    assert_eq!(mount("", "at", "", libc::MS_REMOUNT | libc::MS_RDONLY, ""), Ok(0));
    let error = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    assert_eq!(error(fs::write("at/file", "y")), Some(libc::EROFS));
    assert_eq!(error(fs::write("at/new", "y")), Some(libc::EROFS));
    assert_eq!(error(fs::create_dir("at/folder")), Some(libc::EROFS));
    assert_eq!(error(fs::remove_file("at/file")), Some(libc::EROFS));
    assert_eq!(errno(unsafe { libc::chmod(c"at/file".as_ptr(), 0o600) }), libc::EROFS);
    assert_eq!(errno(unsafe { libc::access(c"at/file".as_ptr(), libc::W_OK) }), libc::EROFS);
    assert_eq!(fs::read("at/file").unwrap(), b"x");
    assert_eq!(mount("", "at", "", libc::MS_REMOUNT, ""), Ok(0));
    fs::write("at/file", "y").unwrap();
    unmount("at", 0).unwrap();
}

fn move_of_a_mount() {
    tmpfs("from", "");
    folder("to");
    fs::write("from/file", "x").unwrap();
    assert_eq!(mount("from", "to", "", libc::MS_MOVE, ""), Ok(0));
    assert!(fs::exists("to/file").unwrap() && !fs::exists("from/file").unwrap());
    unmount("to", 0).unwrap();
}

fn busy_mounts() {
    tmpfs("at", "");
    let file = fs::File::create("at/file").unwrap();
    assert_eq!(unmount("at", 0), Err(libc::EBUSY));
    drop(file);
    std::env::set_current_dir("at").unwrap();
    assert_eq!(unmount(".", 0), Err(libc::EBUSY));
    std::env::set_current_dir("..").unwrap();
    assert_eq!(unmount("at", 0), Ok(0));
}

fn lazy_unmount() {
    tmpfs("at", "");
    fs::write("at/file", "still").unwrap();
    let file = fs::File::open("at/file").unwrap();
    assert_eq!(unmount("at", libc::MNT_DETACH), Ok(0));
    assert!(!fs::exists("at/file").unwrap());
    assert_eq!(std::io::read_to_string(file).unwrap(), "still");
}

fn nested_mounts() {
    tmpfs("one", "");
    tmpfs("one/two", "");
    fs::write("one/two/file", "").unwrap();
    assert_eq!(unmount("one", 0), Err(libc::EBUSY));
    tmpfs("one/two", "");
    assert!(!fs::exists("one/two/file").unwrap(), "one above the other");
    unmount("one/two", 0).unwrap();
    assert!(fs::exists("one/two/file").unwrap());
    unmount("one/two", 0).unwrap();
    unmount("one", 0).unwrap();
}

fn mount_points_stay() {
    tmpfs("at", "");
    let error = fs::remove_dir("at").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    assert_eq!(fs::rename("at", "elsewhere").unwrap_err().raw_os_error(), Some(libc::EBUSY));
    unmount("at", 0).unwrap();
    fs::remove_dir("at").unwrap();
}

fn renames_do_not_cross() {
    tmpfs("at", "");
    fs::write("file", "").unwrap();
    assert_eq!(fs::rename("file", "at/file").unwrap_err().raw_os_error(), Some(libc::EXDEV));
    assert_eq!(fs::hard_link("file", "at/file").unwrap_err().raw_os_error(), Some(libc::EXDEV));
    unmount("at", 0).unwrap();
}

fn listed_in_proc() {
    tmpfs("a t", "");
    let at = std::env::current_dir().unwrap().join("a\\040t");
    let line = format!("tmpfs {} tmpfs rw,relatime", at.display());
    for file in ["/proc/mounts", "/proc/self/mounts"] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.lines().any(|found| found.starts_with(&line)), "{line}\n{text}");
    }
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(text.lines().any(|found| found.contains(&format!(" / {} rw,relatime", at.display()))), "{text}");
    unmount("a t", 0).unwrap();
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap();
    assert!(filesystems.lines().any(|line| line == "nodev\ttmpfs"));
}

fn refusals() {
    folder("at");
    assert_eq!(mount("x", "at", "no-such-kind", 0, ""), Err(libc::ENODEV));
    assert_eq!(mount("tmpfs", "absent", "tmpfs", 0, ""), Err(libc::ENOENT));
    fs::write("file", "").unwrap();
    assert_eq!(mount("tmpfs", "file", "tmpfs", 0, ""), Err(libc::ENOTDIR));
    assert_eq!(mount("absent", "at", "", libc::MS_BIND, ""), Err(libc::ENOENT));
    assert_eq!(unmount("at", 0), Err(libc::EINVAL));
    assert_eq!(unmount("at", 0x100), Err(libc::EINVAL));
    assert_eq!(mount("", "at", "", libc::MS_REMOUNT, ""), Err(libc::EINVAL));
    let end = run(|| unsafe {
        libc::setresuid(1000, 1000, 1000);
        mount("tmpfs", "at", "tmpfs", 0, "").err().unwrap_or(0)
    });
    assert_eq!(end, End::Exit(libc::EPERM));
}

fn no_devices_no_programs() {
    folder("at");
    assert_eq!(mount("tmpfs", "at", "tmpfs", libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_NOSUID, ""), Ok(0));
    must(unsafe { libc::mknod(c"at/null".as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 3)) });
    assert_eq!(errno(unsafe { libc::open(c"at/null".as_ptr(), libc::O_RDWR) }), libc::EACCES);
    fs::copy(crate::processes::own_path(), "at/program").unwrap();
    let arguments = [c"x".as_ptr(), std::ptr::null()];
    assert_eq!(errno(unsafe { libc::execv(c"at/program".as_ptr(), arguments.as_ptr()) }), libc::EACCES);
    unmount("at", 0).unwrap();
}

fn proc_is_mountable() {
    folder("at");
    assert_eq!(mount("proc", "at", "proc", 0, ""), Ok(0));
    let own = std::fs::read_link("at/self").unwrap();
    assert_eq!(own.to_str(), Some(unsafe { libc::getpid() }.to_string().as_str()));
    unmount("at", 0).unwrap();
}
