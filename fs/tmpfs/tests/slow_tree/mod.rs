//! A tree of names in which every rule is written out, slowly and plainly.
use abi::Errno;
use abi::file::{OpenFlags, RenameFlags};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub enum Content {
    Folder { parent: usize, entries: BTreeMap<String, usize> },
    Symlink(String),
    File,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub content: Content,
    pub links: u32,
}

pub struct Model {
    pub nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Last {
    Root,
    Dot,
    DotDot,
    Name(String),
}

pub type Answer<T> = Result<T, Errno>;

impl Model {
    pub fn new() -> Self {
        Self { nodes: vec![Node { content: Content::Folder { parent: 0, entries: BTreeMap::new() }, links: 2 }] }
    }

    pub fn entries(&self, id: usize) -> Answer<&BTreeMap<String, usize>> {
        match &self.nodes[id].content {
            Content::Folder { entries, .. } => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub fn entries_mut(&mut self, id: usize) -> &mut BTreeMap<String, usize> {
        match &mut self.nodes[id].content {
            Content::Folder { entries, .. } => entries,
            _ => panic!("not a folder"),
        }
    }

    pub fn above(&self, id: usize) -> usize {
        match self.nodes[id].content {
            Content::Folder { parent, .. } => parent,
            _ => panic!("not a folder"),
        }
    }

    pub fn is_folder(&self, id: usize) -> bool {
        matches!(self.nodes[id].content, Content::Folder { .. })
    }

    /// The folder of the last component, the component, and whether a slash follows it.
    pub fn parent(&self, from: usize, path: &str, links: &mut u32) -> Answer<(usize, Last, bool)> {
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

    pub fn step(&self, at: usize, component: &str, links: &mut u32) -> Answer<usize> {
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

    pub fn follow(&self, folder: usize, id: usize, links: &mut u32) -> Answer<usize> {
        let Content::Symlink(text) = &self.nodes[id].content else { return Ok(id) };
        *links += 1;
        if *links > 40 {
            return Err(Errno::ELOOP);
        }
        self.walk(folder, text, true, links)
    }

    pub fn walk(&self, from: usize, path: &str, follow: bool, links: &mut u32) -> Answer<usize> {
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

    pub fn resolve(&self, path: &str, follow: bool) -> Answer<usize> {
        self.walk(0, path, follow, &mut 0)
    }

    pub fn is_above(&self, upper: usize, mut lower: usize) -> bool {
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

    pub fn add(&mut self, folder: usize, name: &str, content: Content) {
        let links = if matches!(content, Content::Folder { .. }) { 2 } else { 1 };
        if links == 2 {
            self.nodes[folder].links += 1;
        }
        self.nodes.push(Node { content, links });
        let id = self.nodes.len() - 1;
        self.entries_mut(folder).insert(name.to_string(), id);
    }

    pub fn make(&mut self, path: &str, content: impl Fn(usize) -> Content) -> Answer<()> {
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

    pub fn open(&mut self, path: &str, flags: OpenFlags) -> Answer<()> {
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

    pub fn link(&mut self, old: &str, new: &str) -> Answer<()> {
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

    pub fn unlink(&mut self, path: &str) -> Answer<()> {
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

    pub fn rmdir(&mut self, path: &str) -> Answer<()> {
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

    pub fn rename(&mut self, old: &str, new: &str, flags: RenameFlags) -> Answer<()> {
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

    pub fn put(&mut self, folder: usize, name: String, id: usize, from: usize) {
        self.entries_mut(folder).insert(name, id);
        if let Content::Folder { parent, .. } = &mut self.nodes[id].content {
            *parent = folder;
            self.nodes[folder].links += 1;
            self.nodes[from].links -= 1;
        }
    }
}
