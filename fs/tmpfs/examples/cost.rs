//! Operations in a loop, for counting their instructions: `valgrind --tool=none` style tools over two counts of rounds.
#[path = "../tests/world/mod.rs"]
mod world;

use abi::file::OpenFlags;
use memory::{Reader, Writer};
use vfs::DescriptorTable;
use world::World;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("an operation");
    let rounds: u32 = arguments.next().and_then(|rounds| rounds.parse().ok()).expect("a number of rounds");
    let world = World::new();
    let mut path = String::new();
    for folder in ["usr", "lib", "x86_64-linux-gnu", "python3", "site-packages", "numpy"] {
        path = format!("{path}/{folder}");
        world.mkdir(&path).unwrap();
    }
    path.push_str("/file");
    world.write(&path, &[1; 65536]);
    let table = DescriptorTable::new();
    let descriptor = table.install(world.open(&path, OpenFlags::READ_WRITE).unwrap(), false, 1024).unwrap();
    let mut bytes = vec![0; 65536];
    for _ in 0..rounds {
        match what.as_str() {
            "stat" => drop(world.stat(&path).unwrap()),
            "missing" => drop(world.stat("/usr/lib/missing").unwrap_err()),
            "open" => drop(world.open(&path, OpenFlags::empty()).unwrap()),
            "create" => {
                drop(world.open("/usr/new", OpenFlags::CREATE | OpenFlags::WRITE_ONLY).unwrap());
                world.unlink("/usr/new").unwrap();
            }
            "get" => drop(table.get(descriptor).unwrap()),
            "read1" => drop(table.get(descriptor).unwrap().read_at(0, &mut Writer::kernel(&mut bytes[..1])).unwrap()),
            "read64k" => drop(table.get(descriptor).unwrap().read_at(0, &mut Writer::kernel(&mut bytes)).unwrap()),
            "write10k" => {
                let file = world.open("/usr/new", OpenFlags::CREATE | OpenFlags::WRITE_ONLY).unwrap();
                file.write(&mut Reader::kernel(&bytes[..10240]), u64::MAX).unwrap();
                drop(file);
                world.unlink("/usr/new").unwrap();
            }
            other => panic!("no operation {other}"),
        }
    }
}
