//! Open files on tmpfs: contents, deletion while open, permissions, times, locks, folders read while they change.
mod world;

use abi::Errno;
use abi::file::{Access, AllocateFlags, AtFlags, FileType, MountFlags, OpenFlags, RenameFlags, Whence};
use memory::{Reader, Writer};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use vfs::calls::{self, Place, SetTime};
use vfs::{AnonymousKind, Credentials, ExecutedFile, FileOperations, FsContext, Last, LockKind, OpenFile, Origin};
use world::{World, read_all};

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Write(Vec<u8>),
    ReadAt(u64, usize),
    WriteAt(u64, Vec<u8>),
    Seek(i64, Whence),
    Truncate(u64),
    Append(bool),
    Punch(u64, u64),
    Extend(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..6000);
    let place = || 0..20_000u64;
    prop_oneof![
        (0..9000usize).prop_map(Step::Read),
        bytes().prop_map(Step::Write),
        (place(), 0..9000usize).prop_map(|(at, length)| Step::ReadAt(at, length)),
        (place(), bytes()).prop_map(|(at, bytes)| Step::WriteAt(at, bytes)),
        (-5000..20_000i64, prop::sample::select(vec![Whence::Start, Whence::Current, Whence::End]))
            .prop_map(|(offset, whence)| Step::Seek(offset, whence)),
        place().prop_map(Step::Truncate),
        any::<bool>().prop_map(Step::Append),
        (place(), place()).prop_map(|(at, length)| Step::Punch(at, length)),
        (place(), place()).prop_map(|(at, length)| Step::Extend(at, length)),
    ]
}

struct Model {
    bytes: Vec<u8>,
    position: u64,
    append: bool,
}

impl Model {
    fn read(&self, at: u64, length: usize) -> &[u8] {
        let rest = self.bytes.get(at as usize..).unwrap_or(&[]);
        &rest[..rest.len().min(length)]
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> u64 {
        if bytes.is_empty() {
            return at;
        }
        let at = if self.append { self.bytes.len() } else { at as usize };
        self.bytes.resize(self.bytes.len().max(at + bytes.len()), 0);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        (at + bytes.len()) as u64
    }
}

fn apply(file: &OpenFile, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::Read(length) => {
            let mut bytes = vec![0; *length];
            let count = file.read(&mut Writer::kernel(&mut bytes)).unwrap();
            prop_assert_eq!(&bytes[..count], model.read(model.position, *length));
            model.position += count as u64;
        }
        Step::Write(bytes) => {
            prop_assert_eq!(file.write(&mut Reader::kernel(bytes), u64::MAX), Ok(bytes.len()));
            model.position = model.write(model.position, bytes);
        }
        Step::ReadAt(at, length) => {
            let mut bytes = vec![0; *length];
            let count = file.read_at(*at, &mut Writer::kernel(&mut bytes)).unwrap();
            prop_assert_eq!(&bytes[..count], model.read(*at, *length));
        }
        Step::WriteAt(at, bytes) => {
            prop_assert_eq!(file.write_at(*at, &mut Reader::kernel(bytes), u64::MAX), Ok(bytes.len()));
            model.write(*at, bytes);
        }
        Step::Seek(offset, whence) => {
            let base = match whence {
                Whence::Current => model.position,
                Whence::End => model.bytes.len() as u64,
                _ => 0,
            };
            let expected = u64::try_from(base as i64 + offset).map_err(|_| Errno::EINVAL);
            prop_assert_eq!(file.seek(*offset, *whence), expected);
            model.position = expected.unwrap_or(model.position);
        }
        Step::Truncate(size) => {
            prop_assert_eq!(file.truncate(*size, u64::MAX), Ok(()));
            model.bytes.resize(*size as usize, 0);
        }
        Step::Append(append) => {
            let flags = if *append { OpenFlags::APPEND } else { OpenFlags::empty() };
            file.set_flags(flags);
            model.append = *append;
        }
        Step::Punch(at, length) => {
            let flags = AllocateFlags::PUNCH_HOLE | AllocateFlags::KEEP_SIZE;
            prop_assert_eq!(file.allocate(flags, *at, *length, u64::MAX), Ok(()));
            let end = model.bytes.len().min((at + length) as usize);
            if let Some(hole) = model.bytes.get_mut(*at as usize..end) {
                hole.fill(0);
            }
        }
        Step::Extend(at, length) => {
            prop_assert_eq!(file.allocate(AllocateFlags::empty(), *at, *length, u64::MAX), Ok(()));
            model.bytes.resize(model.bytes.len().max((at + length) as usize), 0);
        }
    }
    prop_assert_eq!(file.inode().size(), model.bytes.len() as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn contents_agree_with_a_vector(steps in prop::collection::vec(step(), 1..40)) {
        let world = World::new();
        let file = world.create("/file");
        let mut model = Model { bytes: Vec::new(), position: 0, append: false };
        for step in &steps {
            apply(&file, &mut model, step)?;
        }
        drop(file);
        prop_assert!(world.read("/file").unwrap() == model.bytes);
        world.unlink("/file").unwrap();
        prop_assert_eq!(world.vfs.cached_pages(), (0, 0));
    }
}

#[test]
fn a_deleted_file_lives_while_open() {
    let world = World::new();
    world.write("/file", b"contents");
    let file = world.open("/file", OpenFlags::READ_WRITE).unwrap();
    assert_eq!(file.path().text(&world.context.root).unwrap(), b"/file");
    world.unlink("/file").unwrap();
    assert_eq!(world.stat("/file"), Err(Errno::ENOENT));
    assert_eq!(file.inode().stat().links, 0);
    assert_eq!(read_all(&file).unwrap(), b"contents");
    assert_eq!(file.path().text(&world.context.root).unwrap(), b"/file (deleted)");
    assert_eq!(world.vfs.cached_pages().0, 1);
    drop(file);
    assert_eq!(world.vfs.cached_pages().0, 0);
    // A removed folder takes no new entries, though somebody stands in it.
    world.mkdir("/folder").unwrap();
    let folder = world.open("/folder", OpenFlags::DIRECTORY).unwrap();
    world.rmdir("/folder").unwrap();
    let origin = Origin { start: Some(folder.path()), ..world.origin() };
    let flags = OpenFlags::CREATE | OpenFlags::WRITE_ONLY;
    assert_eq!(calls::open_at(&origin, b"file", flags, 0o666).err(), Some(Errno::ENOENT));
    assert_eq!(calls::make_directory_at(&origin, b"below", 0o777), Err(Errno::ENOENT));
    assert_eq!(folder.for_each_entry(&mut |_| true), Err(Errno::ENOENT));
}

#[test]
fn temporary_files_can_be_given_a_name() {
    let world = World::new();
    let flags = OpenFlags::TEMPORARY | OpenFlags::DIRECTORY | OpenFlags::READ_WRITE;
    let file = world.open("/", flags).unwrap();
    file.write(&mut Reader::kernel(b"first"), u64::MAX).unwrap();
    assert_eq!(file.inode().stat().links, 0);
    assert_eq!(world.names("/").len(), 2);
    calls::link_unnamed(file.path(), &world.origin(), b"/named").unwrap();
    assert_eq!(world.read("/named").unwrap(), b"first");
    assert_eq!(world.stat("/named").unwrap().links, 1);
    let kept = world.open("/", flags | OpenFlags::EXCLUSIVE).unwrap();
    assert_eq!(calls::link_unnamed(kept.path(), &world.origin(), b"/other"), Err(Errno::ENOENT));
}

#[test]
fn reading_a_folder_survives_changes() {
    let world = World::new();
    for index in 0..300 {
        world.create(&format!("/{index}"));
    }
    let folder = world.open("/", OpenFlags::DIRECTORY).unwrap();
    let mut seen = Vec::new();
    let mut round = 0;
    loop {
        let mut buffer = [0; 600];
        let count = folder.read_entries(&mut Writer::kernel(&mut buffer), vfs::EntryFormat::New).unwrap();
        if count == 0 {
            break;
        }
        let mut record = &buffer[..count];
        while !record.is_empty() {
            let length = usize::from(u16::from_le_bytes([record[16], record[17]]));
            let name = record[19..length].split(|&byte| byte == 0).next().unwrap();
            seen.push(String::from_utf8(name.to_vec()).unwrap());
            record = &record[length..];
        }
        // What comes is not seen, what goes is not missed, and no other is seen twice.
        world.create(&format!("/new{round}"));
        let _ = world.unlink(&format!("/{round}"));
        round += 1;
    }
    assert_eq!(seen[..4], [".", "..", "299", "298"], "the newest first, as Linux");
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), seen.len());
    assert!((round..300).all(|index| seen.contains(&index.to_string())));
    let mut tiny = [0; 20];
    folder.seek(0, Whence::Start).unwrap();
    assert_eq!(folder.read_entries(&mut Writer::kernel(&mut tiny), vfs::EntryFormat::New), Err(Errno::EINVAL));
}

fn as_user<'a>(world: &'a World, context: &'a FsContext, user: &'a Arc<Credentials>) -> Origin<'a> {
    Origin { context, credentials: user, ..world.origin() }
}

#[test]
fn permissions_are_checked() {
    let world = World::new();
    let (alice, bob) = (Arc::new(Credentials::user(1000, 100)), Arc::new(Credentials::user(1001, 101)));
    let alice = as_user(&world, &world.context, &alice);
    let bob = as_user(&world, &world.context, &bob);
    world.mkdir("/tmp").unwrap();
    calls::change_mode_at(&world.origin(), Place::Path(b"/tmp", Last::Follow), AtFlags::empty(), 0o1777).unwrap();
    let create = OpenFlags::CREATE | OpenFlags::WRITE_ONLY;
    assert_eq!(calls::open_at(&alice, b"/file", create, 0o666).err(), Some(Errno::EACCES));
    calls::open_at(&alice, b"/tmp/file", create, 0o640).unwrap();
    let stat = world.stat("/tmp/file").unwrap();
    assert_eq!((stat.user, stat.group, stat.mode), (1000, 100, 0o100640));
    // Sticky: only the owner removes or renames.
    assert_eq!(calls::unlink_at(&bob, b"/tmp/file"), Err(Errno::EPERM));
    assert_eq!(calls::rename_at(&bob, b"/tmp/file", &bob, b"/tmp/mine", RenameFlags::empty()), Err(Errno::EPERM));
    assert_eq!(calls::open_at(&bob, b"/tmp/file", OpenFlags::empty(), 0).err(), Some(Errno::EACCES));
    assert_eq!(calls::access_at(&bob, b"/tmp/file", Access::READ, AtFlags::empty()), Err(Errno::EACCES));
    assert_eq!(calls::access_at(&bob, b"/tmp/file", Access::empty(), AtFlags::empty()), Ok(()));
    // Root reads and writes all, but executes only what somebody may execute.
    let all = Access::READ | Access::WRITE;
    assert_eq!(calls::access_at(&world.origin(), b"/tmp/file", all, AtFlags::empty()), Ok(()));
    let execute = calls::access_at(&world.origin(), b"/tmp/file", Access::EXECUTE, AtFlags::empty());
    assert_eq!(execute, Err(Errno::EACCES));
    // Modes and owners are the owner's, giving away is root's.
    let place = || Place::Path(b"/tmp/file", Last::Follow);
    assert_eq!(calls::change_mode_at(&bob, place(), AtFlags::empty(), 0o777), Err(Errno::EPERM));
    assert_eq!(calls::change_owner_at(&alice, place(), AtFlags::empty(), Some(1001), None), Err(Errno::EPERM));
    assert_eq!(calls::change_owner_at(&alice, place(), AtFlags::empty(), None, Some(100)), Ok(()));
    assert_eq!(calls::change_owner_at(&alice, place(), AtFlags::empty(), None, Some(7)), Err(Errno::EPERM));
    // A set-ID program loses that when it is written by another.
    calls::change_mode_at(&alice, place(), AtFlags::empty(), 0o6777).unwrap();
    let file = calls::open_at(&bob, b"/tmp/file", OpenFlags::WRITE_ONLY, 0).unwrap();
    file.write(&mut Reader::kernel(b"x"), u64::MAX).unwrap();
    assert_eq!(world.stat("/tmp/file").unwrap().mode, 0o100777);
    // A set-group-ID folder hands its group on.
    calls::make_directory_at(&alice, b"/tmp/shared", 0o777).unwrap();
    let shared = || Place::Path(b"/tmp/shared", Last::Follow);
    calls::change_owner_at(&world.origin(), shared(), AtFlags::empty(), None, Some(50)).unwrap();
    calls::change_mode_at(&world.origin(), shared(), AtFlags::empty(), 0o2777).unwrap();
    calls::make_directory_at(&bob, b"/tmp/shared/below", 0o700).unwrap();
    let below = world.stat("/tmp/shared/below").unwrap();
    assert_eq!((below.user, below.group, below.mode), (1001, 50, 0o042700));
    // Searching needs the right to.
    calls::make_directory_at(&alice, b"/tmp/private", 0o700).unwrap();
    assert_eq!(calls::stat_at(&bob, b"/tmp/private/x", AtFlags::empty()).err(), Some(Errno::EACCES));
    assert_eq!(calls::make_node_at(&bob, b"/tmp/null", 0o020666, Default::default()), Err(Errno::EPERM));
}

#[test]
fn times_follow_what_happens() {
    let world = World::new();
    world.write("/file", b"x");
    // The root is mounted without relatime, as on Linux; what is mounted later has it.
    world.mkdir("/mounted").unwrap();
    let (source, target, kind, data) = (&b"tmpfs"[..], &b"/mounted"[..], &b"tmpfs"[..], &b""[..]);
    let request = calls::MountRequest { source, target, kind, flags: MountFlags::empty(), data };
    calls::mount(&world.vfs, &world.namespace, &world.origin(), &request).unwrap();
    world.write("/mounted/file", b"x");
    let before = world.stat("/mounted/file").unwrap();
    assert_eq!(world.read("/mounted/file").unwrap(), b"x");
    let read = world.stat("/mounted/file").unwrap();
    assert!(read.accessed > before.accessed && read.modified == before.modified, "relatime renews a stale time");
    assert_eq!(world.read("/mounted/file").unwrap(), b"x");
    assert_eq!(world.stat("/mounted/file").unwrap().accessed, read.accessed, "and only that");
    let folder = world.stat("/").unwrap();
    world.unlink("/file").unwrap();
    assert!(world.stat("/").unwrap().modified > folder.modified);
    world.create("/file");
    let user = Arc::new(Credentials::user(1, 1));
    let other = Origin { credentials: &user, ..world.origin() };
    let place = || Place::Path(b"/file", Last::Follow);
    let time = SetTime::To(abi::time::Timespec { seconds: 5, nanoseconds: 6 });
    assert_eq!(calls::change_times_at(&other, place(), AtFlags::empty(), time, time), Err(Errno::EPERM));
    let now = SetTime::Now;
    assert_eq!(calls::change_times_at(&other, place(), AtFlags::empty(), now, now), Err(Errno::EACCES));
    calls::change_times_at(&world.origin(), place(), AtFlags::empty(), time, SetTime::Omit).unwrap();
    assert_eq!(world.stat("/file").unwrap().accessed.seconds, 5);
}

#[test]
fn programs_that_run_are_not_written() {
    let world = World::new();
    world.write("/program", b"x");
    let program = world.open("/program", OpenFlags::empty()).unwrap();
    let running = ExecutedFile::new(program.clone()).unwrap();
    assert_eq!(world.open("/program", OpenFlags::WRITE_ONLY).err(), Some(Errno::ETXTBSY));
    drop(running);
    let writer = world.open("/program", OpenFlags::WRITE_ONLY).unwrap();
    assert_eq!(ExecutedFile::new(program.clone()).err(), Some(Errno::ETXTBSY));
    drop(writer);
    assert!(ExecutedFile::new(program).is_ok());
}

#[test]
fn whole_file_locks_go_with_the_description() {
    let world = World::new();
    let (first, second) = (world.create("/file"), world.create("/file"));
    first.flock(Some(LockKind::Shared), false).unwrap();
    second.flock(Some(LockKind::Shared), false).unwrap();
    assert_eq!(first.flock(Some(LockKind::Exclusive), false), Err(Errno::EAGAIN));
    drop(second);
    assert_eq!(first.flock(Some(LockKind::Exclusive), false), Ok(()));
    let waiting = {
        let third = world.create("/file");
        std::thread::spawn(move || third.flock(Some(LockKind::Exclusive), true))
    };
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(!waiting.is_finished());
    first.flock(None, false).unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(()));
}

struct Nothing;
impl FileOperations for Nothing {}

#[test]
fn anonymous_files_have_names_too() {
    let world = World::new();
    let path = world.vfs.anonymous_path(AnonymousKind::Pipe).unwrap();
    let flags = OpenFlags::empty();
    let pipe = world.vfs.anonymous_file(path, Arc::new(Nothing), flags, &world.credentials);
    let number = pipe.inode().number();
    assert_eq!(pipe.path().text(&world.context.root).unwrap(), format!("pipe:[{number}]").as_bytes());
    assert_eq!(pipe.inode().kind(), FileType::Fifo);
    assert_eq!(pipe.seek(0, Whence::Start), Err(Errno::ESPIPE));
    let path = world.vfs.anonymous_path(AnonymousKind::Other("[eventfd]")).unwrap();
    assert_eq!(path.text(&world.context.root).unwrap(), b"anon_inode:[eventfd]");
}

#[test]
fn limits_are_kept() {
    let world = World::new();
    world.mkdir("/mnt").unwrap();
    let request = calls::MountRequest {
        source: b"tmpfs",
        target: b"/mnt",
        kind: b"tmpfs",
        flags: abi::file::MountFlags::empty(),
        data: b"size=16k,nr_inodes=3",
    };
    calls::mount(&world.vfs, &world.namespace, &world.origin(), &request).unwrap();
    let file = world.create("/mnt/file");
    assert_eq!(file.write(&mut Reader::kernel(&[1; 5 * 4096]), u64::MAX), Ok(4 * 4096));
    assert_eq!(file.write(&mut Reader::kernel(b"x"), u64::MAX), Err(Errno::ENOSPC));
    assert_eq!(calls::statfs(file.path()).blocks_free, 0);
    file.truncate(0, u64::MAX).unwrap();
    assert_eq!(calls::statfs(file.path()).blocks_free, 4);
    world.create("/mnt/second");
    assert_eq!(world.open("/mnt/third", OpenFlags::CREATE).err(), Some(Errno::ENOSPC));
    world.unlink("/mnt/second").unwrap();
    world.create("/mnt/third");
    let limit = world.create("/limited");
    assert_eq!(limit.write(&mut Reader::kernel(&[1; 100]), 60), Ok(60));
    assert_eq!(limit.write(&mut Reader::kernel(&[1; 100]), 60), Err(Errno::EFBIG));
}

#[test]
fn deep_trees_go_without_recursion() {
    let world = World::new();
    let mut path = world.context.root.clone();
    for _ in 0..20_000 {
        let origin = Origin { start: Some(&path), ..world.origin() };
        calls::make_directory_at(&origin, b"x", 0o777).unwrap();
        path = vfs::resolve(&origin, b"x", Last::Follow).unwrap();
    }
    assert_eq!(path.text(&world.context.root), Err(Errno::ENAMETOOLONG));
    drop(path);
    let World { superblock, namespace, context, .. } = world;
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || {
            drop((namespace, context));
            assert_eq!(superblock.counters.inodes.load(Relaxed), 0);
            assert_eq!(superblock.counters.dentries.load(Relaxed), 0);
        })
        .unwrap()
        .join()
        .unwrap();
}
