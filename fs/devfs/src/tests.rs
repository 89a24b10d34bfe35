use super::*;
use abi::file::{OpenFlags, Whence};
use abi::time::Timespec;
use memory::{Reader, Writer};
use vfs::{Clock, Mapping};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timespec {
        Timespec::default()
    }
}

fn devices() -> DevFs {
    let vfs = Vfs::new(Arc::new(Still));
    let devices = DevFs::new(tmpfs::Tmpfs::unlimited(&vfs, "devtmpfs").unwrap()).unwrap();
    register_memory_devices(&devices).unwrap();
    devices
}

#[test]
fn memory_devices_answer() {
    let devices = devices();
    let open = |name: &str| calls::open_at(&devices.origin(), name.as_bytes(), OpenFlags::READ_WRITE, 0).unwrap();
    let mut bytes = [7; 4];
    assert_eq!(open("null").read(&mut Writer::kernel(&mut bytes)), Ok(0));
    assert_eq!(open("null").write(&mut Reader::kernel(b"abc"), u64::MAX), Ok(3));
    assert_eq!(open("zero").read(&mut Writer::kernel(&mut bytes)), Ok(4));
    assert_eq!(bytes, [0; 4]);
    assert!(matches!(open("zero").mapping(), Ok(Mapping::Zeros)));
    assert_eq!(open("full").write(&mut Reader::kernel(b"abc"), u64::MAX), Err(Errno::ENOSPC));
    assert_eq!(open("full").read_at(1 << 40, &mut Writer::kernel(&mut bytes)), Ok(4));
    assert_eq!(open("null").seek(100, Whence::End), Ok(0));
    assert_eq!(open("null").mapping().err(), Some(Errno::ENODEV));
    let stat = calls::stat_at(&devices.origin(), b"null", AtFlags::empty()).unwrap();
    assert_eq!((stat.mode, stat.special), (0o020666, 0x103));
}

#[test]
fn nodes_need_a_driver() {
    let devices = devices();
    let kind = FileType::CharacterDevice;
    let node = Node { name: "input/event0", kind, number: DeviceNumber::new(13, 64), permissions: 0o600 };
    devices.make_node(&node).unwrap();
    assert!(devices.has("input") && devices.has("input/event0"));
    let open = calls::open_at(&devices.origin(), b"input/event0", OpenFlags::empty(), 0);
    assert_eq!(open.err(), Some(Errno::ENXIO));
    let registry = &devices.superblock().vfs().devices;
    let null = registry.find(kind, DeviceNumber::new(1, 3)).unwrap();
    assert_eq!(registry.register(kind, DeviceNumber::new(1, 2), 2, "other", null.clone()), Err(Errno::EBUSY));
    registry.register(kind, DeviceNumber::new(4, 64), 4, "ttyS", null).unwrap();
    assert!(registry.find(kind, DeviceNumber::new(4, 67)).is_ok());
    assert!(registry.find(kind, DeviceNumber::new(4, 68)).is_err());
    assert!(registry.find(FileType::BlockDevice, DeviceNumber::new(1, 3)).is_err());
    assert_eq!(registry.list(kind), [(1, "mem"), (4, "ttyS")]);
}

#[test]
fn it_outlives_its_mounts() {
    let devices = devices();
    let kind = devices.superblock().vfs().file_system_type(b"devtmpfs").unwrap();
    for _ in 0..2 {
        let superblock = kind.mount(devices.superblock().vfs(), b"none", MountFlags::empty(), b"").unwrap();
        let mount = calls::mount_root(&superblock, b"none").unwrap();
        let context = FsContext { root: mount.root_path(), current: mount.root_path(), umask: 0 };
        let origin = Origin { context: &context, ..devices.origin() };
        assert!(calls::stat_at(&origin, b"/null", AtFlags::empty()).is_ok());
    }
}
