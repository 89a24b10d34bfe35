//! Names, links and renames against a slow tree in which every rule of `path_resolution(7)` is written out.
mod world;

use abi::Errno;
use abi::file::{FileType, OpenFlags, RenameFlags};
use proptest::prelude::*;
use std::collections::BTreeMap;
use world::World;

#[derive(Clone, Debug)]
enum Content {
    Folder { parent: usize, entries: BTreeMap<String, usize> },
    Symlink(String),
    File,
}

#[derive(Clone, Debug)]
struct Node {
    content: Content,
    links: u32,
}

struct Model {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq)]
enum Last {
    Root,
    Dot,
    DotDot,
    Name(String),
}

type Answer<T> = Result<T, Errno>;

impl Model {
    fn new() -> Self {
        Self { nodes: vec![Node { content: Content::Folder { parent: 0, entries: BTreeMap::new() }, links: 2 }] }
    }

    fn entries(&self, id: usize) -> Answer<&BTreeMap<String, usize>> {
        match &self.nodes[id].content {
            Content::Folder { entries, .. } => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn entries_mut(&mut self, id: usize) -> &mut BTreeMap<String, usize> {
        match &mut self.nodes[id].content {
            Content::Folder { entries, .. } => entries,
            _ => panic!("not a folder"),
        }
    }

    fn above(&self, id: usize) -> usize {
        match self.nodes[id].content {
            Content::Folder { parent, .. } => parent,
            _ => panic!("not a folder"),
        }
    }

    fn is_folder(&self, id: usize) -> bool {
        matches!(self.nodes[id].content, Content::Folder { .. })
    }

    /// The folder of the last component, the component, and whether a slash follows it.
    fn parent(&self, from: usize, path: &str, links: &mut u32) -> Answer<(usize, Last, bool)> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut at = if path.starts_with('/') { 0 } else { from };
        let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let Some((last, before)) = components.split_last() else { return Ok((at, Last::Root, false)) };
        for component in before {
            at = self.step(at, component, links)?;
        }
        self.entries(at)?;
        let last = match *last {
            "." => Last::Dot,
            ".." => Last::DotDot,
            name => Last::Name(name.to_string()),
        };
        Ok((at, last, path.ends_with('/')))
    }

    fn step(&self, at: usize, component: &str, links: &mut u32) -> Answer<usize> {
        let entries = self.entries(at)?;
        match component {
            "." => Ok(at),
            ".." => Ok(self.above(at)),
            name => {
                let found = *entries.get(name).ok_or(Errno::ENOENT)?;
                let next = self.follow(at, found, links)?;
                self.entries(next).map(|_| next)
            }
        }
    }

    fn follow(&self, folder: usize, id: usize, links: &mut u32) -> Answer<usize> {
        let Content::Symlink(text) = &self.nodes[id].content else { return Ok(id) };
        *links += 1;
        if *links > 40 {
            return Err(Errno::ELOOP);
        }
        self.walk(folder, text, true, links)
    }

    fn walk(&self, from: usize, path: &str, follow: bool, links: &mut u32) -> Answer<usize> {
        let (folder, last, slash) = self.parent(from, path, links)?;
        let mut found = match last {
            Last::Root | Last::Dot => folder,
            Last::DotDot => self.above(folder),
            Last::Name(name) => *self.entries(folder)?.get(&name).ok_or(Errno::ENOENT)?,
        };
        if follow || slash {
            found = self.follow(folder, found, links)?;
        }
        if slash {
            self.entries(found)?;
        }
        Ok(found)
    }

    fn resolve(&self, path: &str, follow: bool) -> Answer<usize> {
        self.walk(0, path, follow, &mut 0)
    }

    fn is_above(&self, upper: usize, mut lower: usize) -> bool {
        loop {
            if lower == upper {
                return true;
            }
            if lower == 0 {
                return false;
            }
            lower = self.above(lower);
        }
    }

    fn add(&mut self, folder: usize, name: &str, content: Content) {
        let links = if matches!(content, Content::Folder { .. }) { 2 } else { 1 };
        if links == 2 {
            self.nodes[folder].links += 1;
        }
        self.nodes.push(Node { content, links });
        let id = self.nodes.len() - 1;
        self.entries_mut(folder).insert(name.to_string(), id);
    }

    fn make(&mut self, path: &str, content: impl Fn(usize) -> Content) -> Answer<()> {
        let (folder, last, slash) = self.parent(0, path, &mut 0)?;
        let Last::Name(name) = last else { return Err(Errno::EEXIST) };
        if self.entries(folder)?.contains_key(&name) {
            return Err(Errno::EEXIST);
        }
        let content = content(folder);
        if slash && !matches!(content, Content::Folder { .. }) {
            return Err(Errno::ENOENT);
        }
        self.add(folder, &name, content);
        Ok(())
    }

    fn open(&mut self, path: &str, flags: OpenFlags) -> Answer<()> {
        let mut links = 0;
        let (mut from, mut path) = (0, path.to_string());
        if !flags.contains(OpenFlags::CREATE) {
            let id = self.walk(from, &path, !flags.contains(OpenFlags::NO_FOLLOW), &mut links)?;
            return match self.nodes[id].content {
                Content::Symlink(_) => Err(Errno::ELOOP),
                Content::Folder { .. } if flags.writes() => Err(Errno::EISDIR),
                _ => Ok(()),
            };
        }
        loop {
            let (folder, last, slash) = self.parent(from, &path, &mut links)?;
            let Last::Name(name) = last else { return Err(Errno::EISDIR) };
            if slash {
                return Err(Errno::EISDIR);
            }
            let Some(&id) = self.entries(folder)?.get(&name) else {
                self.add(folder, &name, Content::File);
                return Ok(());
            };
            if flags.contains(OpenFlags::EXCLUSIVE) {
                return Err(Errno::EEXIST);
            }
            match &self.nodes[id].content {
                Content::Symlink(_) if flags.contains(OpenFlags::NO_FOLLOW) => return Err(Errno::ELOOP),
                Content::Symlink(text) => {
                    links += 1;
                    if links > 40 {
                        return Err(Errno::ELOOP);
                    }
                    (from, path) = (folder, text.clone());
                }
                Content::Folder { .. } => return Err(Errno::EISDIR),
                Content::File => return Ok(()),
            }
        }
    }

    fn link(&mut self, old: &str, new: &str) -> Answer<()> {
        let id = self.resolve(old, false)?;
        let (folder, last, slash) = self.parent(0, new, &mut 0)?;
        let Last::Name(name) = last else { return Err(Errno::EEXIST) };
        if self.entries(folder)?.contains_key(&name) {
            return Err(Errno::EEXIST);
        }
        if slash {
            return Err(Errno::ENOENT);
        }
        if self.is_folder(id) {
            return Err(Errno::EPERM);
        }
        self.nodes[id].links += 1;
        self.entries_mut(folder).insert(name, id);
        Ok(())
    }

    fn unlink(&mut self, path: &str) -> Answer<()> {
        let (folder, last, slash) = self.parent(0, path, &mut 0)?;
        let Last::Name(name) = last else { return Err(Errno::EISDIR) };
        let id = *self.entries(folder)?.get(&name).ok_or(Errno::ENOENT)?;
        if self.is_folder(id) {
            return Err(Errno::EISDIR);
        }
        if slash {
            return Err(Errno::ENOTDIR);
        }
        self.entries_mut(folder).remove(&name);
        self.nodes[id].links -= 1;
        Ok(())
    }

    fn rmdir(&mut self, path: &str) -> Answer<()> {
        let (folder, last, _) = self.parent(0, path, &mut 0)?;
        let name = match last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(Errno::EBUSY),
        };
        let id = *self.entries(folder)?.get(&name).ok_or(Errno::ENOENT)?;
        if !self.entries(id)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.entries_mut(folder).remove(&name);
        self.nodes[folder].links -= 1;
        self.nodes[id].links = 0;
        Ok(())
    }

    fn rename(&mut self, old: &str, new: &str, flags: RenameFlags) -> Answer<()> {
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let (from, last, old_slash) = self.parent(0, old, &mut 0)?;
        let (to, new_last, new_slash) = self.parent(0, new, &mut 0)?;
        let Last::Name(name) = last else { return Err(Errno::EBUSY) };
        let Last::Name(new_name) = new_last else {
            return Err(if flags.contains(RenameFlags::NO_REPLACE) { Errno::EEXIST } else { Errno::EBUSY });
        };
        let source = *self.entries(from)?.get(&name).ok_or(Errno::ENOENT)?;
        let target = self.entries(to)?.get(&new_name).copied();
        if target.is_some() && flags.contains(RenameFlags::NO_REPLACE) {
            return Err(Errno::EEXIST);
        }
        if exchange && new_slash && !self.is_folder(target.ok_or(Errno::ENOENT)?) {
            return Err(Errno::ENOTDIR);
        }
        if exchange && target.is_none() {
            return Err(Errno::ENOENT);
        }
        if !self.is_folder(source) && (old_slash || (!exchange && new_slash)) {
            return Err(Errno::ENOTDIR);
        }
        if self.is_folder(source) && self.is_above(source, to) {
            return Err(Errno::EINVAL);
        }
        if let Some(target) = target {
            if self.is_folder(target) && self.is_above(target, from) {
                return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
            }
            if target == source {
                return Ok(());
            }
            if !exchange {
                match (self.is_folder(source), self.is_folder(target)) {
                    (true, false) => return Err(Errno::ENOTDIR),
                    (false, true) => return Err(Errno::EISDIR),
                    (true, true) if !self.entries(target)?.is_empty() => return Err(Errno::ENOTEMPTY),
                    _ => {}
                }
            }
        }
        self.entries_mut(from).remove(&name);
        if let Some(target) = target {
            if exchange {
                self.put(from, name, target, to);
            } else if self.is_folder(target) {
                self.nodes[to].links -= 1;
                self.nodes[target].links = 0;
            } else {
                self.nodes[target].links -= 1;
            }
        }
        self.put(to, new_name, source, from);
        Ok(())
    }

    fn put(&mut self, folder: usize, name: String, id: usize, from: usize) {
        self.entries_mut(folder).insert(name, id);
        if let Content::Folder { parent, .. } = &mut self.nodes[id].content {
            *parent = folder;
            self.nodes[folder].links += 1;
            self.nodes[from].links -= 1;
        }
    }
}

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
