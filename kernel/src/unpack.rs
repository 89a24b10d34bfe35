//! Bring-up: newc archives into the root.
use crate::rootfs::Root;
use abi::Errno;
use abi::file::{DeviceNumber, OpenFlags};
use alloc::vec::Vec;
use core::ops::Range;
use memory::Reader;

fn number(bytes: &[u8]) -> Option<usize> {
    usize::from_str_radix(core::str::from_utf8(bytes).ok()?, 16).ok()
}

pub fn unpack(root: &Root, range: Range<u64>) -> Result<(), Errno> {
    let mut at = range.start;
    let read = |at: u64, length: usize| -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(length, 0);
        if firmware::read(at, &mut bytes) { Ok(bytes) } else { Err(Errno::EIO) }
    };
    let mut links: Vec<(usize, Vec<u8>)> = Vec::new();
    while at + 110 <= range.end {
        let header = read(at, 110)?;
        if header[0] == 0 {
            at += 4;
            continue;
        }
        if &header[..6] != b"070701" {
            return Err(Errno::EINVAL);
        }
        let field = |index: usize| number(&header[6 + index * 8..][..8]).ok_or(Errno::EINVAL);
        let (inode, mode, nlink, size, name_size) = (field(0)?, field(1)?, field(4)?, field(6)?, field(11)?);
        let (major, minor) = (field(9)?, field(10)?);
        let mut name = read(at + 110, name_size)?;
        name.pop();
        let data = (at + 110 + name_size as u64).next_multiple_of(4);
        at = (data + size as u64).next_multiple_of(4);
        if name == b"TRAILER!!!" {
            links.clear();
            continue;
        }
        let mut path = Vec::from(&b"/"[..]);
        path.extend_from_slice(&name);
        let origin = root.origin();
        let result = match mode & 0o170000 {
            0o040000 => match vfs::calls::make_directory_at(&origin, &path, mode as u32 & 0o7777) {
                Err(Errno::EEXIST) => Ok(()),
                other => other,
            },
            0o120000 => vfs::calls::symlink_at(&origin, &read(data, size)?, &path),
            0o100000 => {
                let known = links.iter().find(|(known, _)| *known == inode).map(|(_, path)| path.clone());
                match known.filter(|_| nlink > 1) {
                    Some(first) if size == 0 => vfs::calls::link_at(&origin, &first, &origin, &path, false),
                    _ => {
                        if nlink > 1 {
                            links.push((inode, path.clone()));
                        }
                        file(root, &path, mode as u32 & 0o7777, data, size)
                    }
                }
            }
            _ => vfs::calls::make_node_at(&origin, &path, mode as u32, DeviceNumber::new(major as u32, minor as u32)),
        };
        if let Err(errno) = result {
            klog::warning!("initramfs: {}: {errno:?}", core::str::from_utf8(&name).unwrap_or("?"));
        }
    }
    Ok(())
}

fn file(root: &Root, path: &[u8], mode: u32, data: u64, size: usize) -> Result<(), Errno> {
    let origin = root.origin();
    let _ = vfs::calls::unlink_at(&origin, path);
    let file = vfs::calls::open_at(&origin, path, OpenFlags::CREATE | OpenFlags::WRITE_ONLY, mode)?;
    let mut done = 0;
    let mut page = [0u8; 4096];
    while done < size {
        let now = (size - done).min(4096);
        if !firmware::read(data + done as u64, &mut page[..now]) {
            return Err(Errno::EIO);
        }
        file.write(&mut Reader::kernel(&page[..now]), u64::MAX)?;
        done += now;
    }
    Ok(())
}
