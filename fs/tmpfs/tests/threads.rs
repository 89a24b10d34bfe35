//! Many threads in one small tree: no deadlock, no lock out of order (checked in debug builds), and nothing left over.
mod world;

use abi::file::{OpenFlags, RenameFlags};
use memory::{Reader, Writer};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use world::World;

/// A small generator of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn path(&mut self) -> String {
        let depth = 1 + self.roll(3);
        (0..depth).map(|_| format!("/{}", ["a", "b", "c"][self.roll(3) as usize])).collect()
    }
}

fn step(world: &World, dice: &mut Dice) {
    let (path, other) = (dice.path(), dice.path());
    match dice.roll(12) {
        0 | 1 => drop(world.mkdir(&path)),
        2 => drop(world.rmdir(&path)),
        3 => drop(world.unlink(&path)),
        4 => drop(world.rename(&path, &other, RenameFlags::empty())),
        5 => drop(world.rename(&path, &other, RenameFlags::EXCHANGE)),
        6 => drop(world.link(&path, &other)),
        7 => drop(world.symlink(&other, &path)),
        8 => drop(world.stat(&path)),
        9 => {
            if let Ok(folder) = world.open(&path, OpenFlags::DIRECTORY) {
                let _ = folder.for_each_entry(&mut |_| true);
                let _ = folder.path().text(&world.context.root);
            }
        }
        10 => drop(vfs::shrink(&world.superblock, 20)),
        _ => {
            if let Ok(file) = world.open(&path, OpenFlags::CREATE | OpenFlags::READ_WRITE) {
                let _ = file.write(&mut Reader::kernel(&[1; 5000]), u64::MAX);
                let _ = file.read_at(4000, &mut Writer::kernel(&mut [0; 100]));
                let _ = file.truncate(100, u64::MAX);
            }
        }
    }
}

#[test]
fn threads_meet_everywhere() {
    let world = Arc::new(World::new());
    let threads: Vec<_> = (1..=6)
        .map(|seed| {
            let world = world.clone();
            std::thread::spawn(move || {
                let mut dice = Dice(seed * 0x1234_5678_9abc_def1);
                (0..4000).for_each(|_| step(&world, &mut dice));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let world = Arc::into_inner(world).unwrap();
    check(&world, "");
    let World { vfs, superblock, namespace, context, .. } = world;
    drop((namespace, context));
    assert_eq!(superblock.counters.dentries.load(Relaxed), 0);
    assert_eq!(superblock.counters.inodes.load(Relaxed), 0);
    assert_eq!(vfs.cached_pages(), (0, 0));
}

/// Link counts of folders are those of what is in them.
fn check(world: &World, path: &str) {
    let mut folders = 0;
    for name in world.names(&format!("{path}/")) {
        let below = format!("{path}/{name}");
        let stat = world.lstat(&below).unwrap();
        if stat.mode & 0o170000 == 0o040000 && name != "." && name != ".." {
            folders += 1;
            check(world, &below);
        }
    }
    assert_eq!(world.lstat(&format!("{path}/")).unwrap().links, 2 + folders);
}
