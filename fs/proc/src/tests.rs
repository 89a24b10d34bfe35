use super::*;
use abi::Errno;
use abi::file::{AtFlags, FileType, OpenFlags, Whence};
use abi::time::Timespec;
use memory::{Reader, Writer};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use vfs::{Clock, Credentials, FileSystemType, FsContext, Last, MagicLink, OpenFile, Origin, Path, Target, Vfs, calls};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timespec {
        Timespec::default()
    }
}

/// Processes 1 to `count`, each a folder with its number, a link to the root, and a text.
struct Processes {
    count: Arc<AtomicU32>,
    root: Arc<std::sync::Mutex<Option<Path>>>,
}

struct RootLink(Path);

impl MagicLink for RootLink {
    fn follow(&self) -> Result<Target, Errno> {
        Ok(Target::Object(self.0.clone()))
    }
    fn text(&self) -> Result<Vec<u8>, Errno> {
        Ok(b"/elsewhere".to_vec())
    }
}

impl Folder for Processes {
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        let number: u32 = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(Errno::ENOENT)?;
        if number == 0 || number > self.count.load(Relaxed) {
            return Err(Errno::ENOENT);
        }
        let files = Listing::new();
        let node = Node::text(text(move |output| writeln!(output, "process {number}"))).fleeting();
        files.add("status", node).unwrap();
        if let Some(root) = self.root.lock().unwrap().clone() {
            files.add("root", Node::link(Arc::new(RootLink(root))).fleeting()).unwrap();
        }
        Ok(Node::folder(files).owned_by(1000, 1000).fleeting())
    }

    fn list(&self, from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        for number in from.max(1)..=u64::from(self.count.load(Relaxed)) {
            let name = number.to_string();
            if !sink(Listed { name: name.as_bytes(), kind: FileType::Directory, next: number + 1 }) {
                return Ok(number);
            }
        }
        Ok(u64::from(self.count.load(Relaxed)) + 1)
    }
}

struct World {
    context: FsContext,
    credentials: Arc<Credentials>,
    registered: Arc<Listing>,
    count: Arc<AtomicU32>,
    root: Arc<std::sync::Mutex<Option<Path>>>,
}

impl World {
    fn new() -> Self {
        let vfs = Vfs::new(Arc::new(Still));
        let registered = Listing::new();
        let (count, root) = (Arc::new(AtomicU32::new(3)), Arc::new(std::sync::Mutex::new(None)));
        let other = Arc::new(Processes { count: count.clone(), root: root.clone() });
        let kind = TreeType::proc(Arc::new(Joined { registered: registered.clone(), other }));
        let superblock = kind.mount(&vfs, b"proc", Default::default(), b"").unwrap();
        let path = calls::mount_root(&superblock, b"proc").unwrap().root_path();
        *root.lock().unwrap() = Some(path.clone());
        let context = FsContext { root: path.clone(), current: path, umask: 0 };
        Self { context, credentials: Arc::new(Credentials::root()), registered, count, root }
    }

    fn origin(&self) -> Origin<'_> {
        Origin { context: &self.context, credentials: &self.credentials, start: None }
    }

    fn open(&self, path: &str) -> Result<Arc<OpenFile>, Errno> {
        calls::open_at(&self.origin(), path.as_bytes(), OpenFlags::READ_WRITE, 0)
    }

    fn read(&self, path: &str) -> Result<String, Errno> {
        let mut bytes = [0; 1000];
        let count = self.open(path)?.read(&mut Writer::kernel(&mut bytes))?;
        Ok(String::from_utf8(bytes[..count].to_vec()).unwrap())
    }

    fn names(&self, path: &str) -> Vec<String> {
        let folder = calls::open_at(&self.origin(), path.as_bytes(), OpenFlags::DIRECTORY, 0).unwrap();
        let mut names = Vec::new();
        // One at a time, so that positions are put to use.
        loop {
            let before = names.len();
            folder
                .for_each_entry(&mut |entry| {
                    let take = names.len() == before;
                    if take {
                        names.push(String::from_utf8(entry.name.to_vec()).unwrap());
                    }
                    take
                })
                .unwrap();
            if names.len() == before {
                return names;
            }
        }
    }
}

#[test]
fn texts_keep_their_offsets() {
    let world = World::new();
    let turns = AtomicI64::new(0);
    let counter = text(move |output| writeln!(output, "turn {}", turns.fetch_add(1, Relaxed)));
    world.registered.add("counter", Node::text(counter)).unwrap();
    let file = world.open("/counter").unwrap();
    let mut bytes = [0; 5];
    assert_eq!(file.read(&mut Writer::kernel(&mut bytes)), Ok(5));
    let mut rest = [0; 9];
    assert_eq!(file.read(&mut Writer::kernel(&mut rest)), Ok(2));
    assert_eq!((&bytes, &rest[..2]), (b"turn ", &b"0\n"[..]));
    assert_eq!(file.read(&mut Writer::kernel(&mut rest)), Ok(0));
    file.seek(0, Whence::Start).unwrap();
    assert_eq!(file.read(&mut Writer::kernel(&mut rest)), Ok(7));
    assert_eq!(&rest[..7], b"turn 1\n");
    assert_eq!(file.read_at(5, &mut Writer::kernel(&mut rest)), Ok(2));
    assert_eq!(&rest[..2], b"1\n");
    assert_eq!(file.write(&mut Reader::kernel(b"x"), u64::MAX), Err(Errno::EIO));
    assert_eq!(calls::stat_at(&world.origin(), b"/counter", AtFlags::empty()).unwrap().size, 0);
}

#[test]
fn what_comes_and_goes_is_looked_up_anew() {
    let world = World::new();
    world.registered.add("version", Node::text(text(|output| writeln!(output, "one")))).unwrap();
    assert_eq!(world.read("/3/status").unwrap(), "process 3\n");
    assert_eq!(world.read("/4/status"), Err(Errno::ENOENT));
    assert_eq!(world.names("/"), [".", "..", "version", "1", "2", "3"]);
    world.count.store(4, Relaxed);
    assert_eq!(world.read("/4/status").unwrap(), "process 4\n");
    world.count.store(1, Relaxed);
    assert_eq!(world.read("/3/status"), Err(Errno::ENOENT));
    assert_eq!(world.names("/"), [".", "..", "version", "1"]);
    let stat = calls::stat_at(&world.origin(), b"/1", AtFlags::empty()).unwrap();
    assert_eq!((stat.user, stat.mode), (1000, 0o40555));
    let folder = calls::open_at(&world.origin(), b"/", OpenFlags::DIRECTORY, 0).unwrap();
    let mut number = 0;
    folder
        .for_each_entry(&mut |entry| {
            number = entry.inode;
            true
        })
        .unwrap();
    assert_eq!(stat.inode, number, "the same number both ways");
    // Nothing is made by programs.
    assert_eq!(calls::make_directory_at(&world.origin(), b"/new", 0o777), Err(Errno::ENOENT));
    let create = calls::open_at(&world.origin(), b"/new", OpenFlags::CREATE, 0o666);
    assert_eq!(create.err(), Some(Errno::ENOENT));
    assert_eq!(calls::unlink_at(&world.origin(), b"/version"), Err(Errno::EPERM));
    let counters = &folder.inode().superblock().counters;
    assert_eq!(counters.negative.load(Relaxed), 0);
}

#[test]
fn magic_links_lead_to_objects() {
    let world = World::new();
    world.registered.add("version", Node::text(text(|output| writeln!(output, "one")))).unwrap();
    assert_eq!(world.read("/1/root/2/root/version").unwrap(), "one\n");
    assert_eq!(calls::read_link_at(&world.origin(), b"/1/root").unwrap(), b"/elsewhere");
    let path = vfs::resolve(&world.origin(), b"/1/root", Last::Follow).unwrap();
    assert!(path == world.context.root);
    assert!(world.open("/1/root/").is_err_and(|error| error == Errno::EISDIR));
    *world.root.lock().unwrap() = None;
}

#[test]
fn settings_are_checked() {
    let world = World::new();
    let value = Arc::new(AtomicI64::new(5));
    let (reader, writer) = (value.clone(), value.clone());
    let node = number(
        -1..=100,
        move || reader.load(Relaxed),
        move |new| {
            writer.store(new, Relaxed);
            Ok(())
        },
    );
    world.registered.below("sys/vm").unwrap().add("swappiness", node).unwrap();
    assert!(world.registered.below("sys/vm").unwrap().add("swappiness", Node::symlink(b"x")).is_err());
    assert_eq!(world.read("/sys/vm/swappiness").unwrap(), "5\n");
    let write =
        |text: &str| world.open("/sys/vm/swappiness").unwrap().write(&mut Reader::kernel(text.as_bytes()), u64::MAX);
    assert_eq!(write(" 60\n"), Ok(4));
    assert_eq!(value.load(Relaxed), 60);
    assert_eq!(write("-1"), Ok(2));
    for wrong in ["101", "", "x", "-2", "1 2", "--1"] {
        assert_eq!(write(wrong), Err(Errno::EINVAL), "{wrong}");
    }
    assert_eq!(value.load(Relaxed), -1);
    world.registered.below("sys").unwrap().remove("vm").unwrap();
    assert_eq!(world.registered.below("sys").unwrap().folders(), 0);
}
