//! Names, links and renames against a slow tree in which every rule of `path_resolution(7)` is written out.
mod slow_tree;
mod world;

use abi::Errno;
use abi::file::{FileType, OpenFlags, RenameFlags};
use proptest::prelude::*;
use slow_tree::{Content, Model};
use std::collections::BTreeMap;
use world::World;

#[derive(Clone, Debug)]
enum Step {
    Mkdir(String),
    Create(String, bool, bool),
    Open(String, bool, bool),
    Symlink(String, String),
    Link(String, String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String, u32),
    Stat(String, bool),
    List(String),
    Shrink,
}

fn path() -> impl Strategy<Value = String> {
    let long = "a-name-longer-than-what-is-kept-inline-in-a-dentry";
    let part = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "d"]),
        1 => Just("."),
        1 => Just(".."),
        1 => Just(long),
    ];
    (any::<bool>(), prop::collection::vec(part, 0..4), prop::bool::weighted(0.1)).prop_map(
        |(absolute, parts, slash)| {
            let start = if absolute { "/" } else { "" };
            format!("{start}{}{}", parts.join("/"), if slash { "/" } else { "" })
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => path().prop_map(Step::Mkdir),
        4 => (path(), any::<bool>(), any::<bool>()).prop_map(|(path, exclusive, keep)| Step::Create(path, exclusive, keep)),
        2 => (path(), any::<bool>(), any::<bool>()).prop_map(|(path, write, keep)| Step::Open(path, write, keep)),
        3 => (path(), path()).prop_map(|(target, path)| Step::Symlink(target, path)),
        2 => (path(), path()).prop_map(|(old, new)| Step::Link(old, new)),
        2 => path().prop_map(Step::Unlink),
        2 => path().prop_map(Step::Rmdir),
        5 => (path(), path(), 0..4u32).prop_map(|(old, new, flags)| Step::Rename(old, new, flags)),
        4 => (path(), any::<bool>()).prop_map(|(path, follow)| Step::Stat(path, follow)),
        1 => path().prop_map(Step::List),
        1 => Just(Step::Shrink),
    ]
}

fn apply(world: &World, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    let flag = |set: bool, flag: OpenFlags| if set { flag } else { OpenFlags::empty() };
    match step {
        Step::Mkdir(path) => {
            let expected = model.make(path, |parent| Content::Folder { parent, entries: BTreeMap::new() });
            prop_assert_eq!(world.mkdir(path), expected);
        }
        Step::Create(path, exclusive, keep) => {
            let flags = OpenFlags::CREATE
                | OpenFlags::READ_WRITE
                | flag(*exclusive, OpenFlags::EXCLUSIVE)
                | flag(*keep, OpenFlags::NO_FOLLOW);
            prop_assert_eq!(world.open(path, flags).map(drop), model.open(path, flags));
        }
        Step::Open(path, write, keep) => {
            let flags = flag(*write, OpenFlags::READ_WRITE) | flag(*keep, OpenFlags::NO_FOLLOW);
            prop_assert_eq!(world.open(path, flags).map(drop), model.open(path, flags));
        }
        Step::Symlink(target, path) => {
            let expected = match target.as_str() {
                "" => Err(Errno::ENOENT),
                _ => model.make(path, |_| Content::Symlink(target.clone())),
            };
            prop_assert_eq!(world.symlink(target, path), expected);
        }
        Step::Link(old, new) => prop_assert_eq!(world.link(old, new), model.link(old, new)),
        Step::Unlink(path) => prop_assert_eq!(world.unlink(path), model.unlink(path)),
        Step::Rmdir(path) => prop_assert_eq!(world.rmdir(path), model.rmdir(path)),
        Step::Rename(old, new, flags) => {
            let flags = [RenameFlags::empty(), RenameFlags::NO_REPLACE, RenameFlags::EXCHANGE, RenameFlags::empty()]
                [*flags as usize];
            prop_assert_eq!(world.rename(old, new, flags), model.rename(old, new, flags));
        }
        Step::Stat(path, follow) => {
            let stat = if *follow { world.stat(path) } else { world.lstat(path) };
            let expected = model.resolve(path, *follow).map(|id| model.nodes[id].links);
            prop_assert_eq!(stat.map(|stat| stat.links as u32), expected);
        }
        Step::List(path) => {
            if let Ok(id) = model.resolve(path, true)
                && let Ok(entries) = model.entries(id)
            {
                let mut names = world.names(path);
                names.sort();
                let mut expected: Vec<String> = entries.keys().cloned().collect();
                expected.extend([".".to_string(), "..".to_string()]);
                expected.sort();
                prop_assert_eq!(names, expected);
            }
        }
        Step::Shrink => {
            vfs::shrink(&world.superblock, 1000);
        }
    }
    Ok(())
}

/// Compares the whole trees, link counts included.
fn compare(world: &World, model: &Model, id: usize, path: &str) -> Result<(), TestCaseError> {
    for (name, child) in model.entries(id).unwrap() {
        let below = format!("{path}/{name}");
        let stat = world.lstat(&below).unwrap();
        let node = &model.nodes[*child];
        prop_assert_eq!(stat.links as u32, node.links, "{}", below);
        let kind = match node.content {
            Content::Folder { .. } => FileType::Directory,
            Content::Symlink(_) => FileType::Symlink,
            Content::File => FileType::Regular,
        };
        prop_assert_eq!(FileType::of_mode(stat.mode), Some(kind));
        if let Content::Folder { entries, .. } = &node.content {
            prop_assert_eq!(world.names(&below).len(), entries.len() + 2);
            prop_assert_eq!(stat.size as usize, entries.len() * 20);
            compare(world, model, *child, &below)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn names_agree_with_a_slow_tree(steps in prop::collection::vec(step(), 1..80)) {
        let world = World::new();
        let mut model = Model::new();
        // Something to begin with, so that most steps find what they need.
        let folder = |path: &str| Step::Mkdir(path.to_string());
        let file = |path: &str| Step::Create(path.to_string(), false, false);
        let start = ["a", "b", "a/b", "a/a"].map(folder).into_iter().chain(["c", "a/c", "b/c", "b/d"].map(file));
        let start: Vec<_> = start.chain([Step::Symlink("../b".to_string(), "a/d".to_string())]).collect();
        for step in start.iter().chain(&steps) {
            apply(&world, &mut model, step)?;
        }
        compare(&world, &model, 0, "")?;
        let World { vfs, superblock, namespace, context, .. } = world;
        drop((namespace, context));
        use std::sync::atomic::Ordering::Relaxed;
        prop_assert_eq!(superblock.counters.dentries.load(Relaxed), 0);
        prop_assert_eq!(superblock.counters.inodes.load(Relaxed), 0);
        prop_assert_eq!(vfs.cached_pages(), (0, 0));
    }
}
