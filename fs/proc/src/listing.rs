//! Folders of registered nodes.
use crate::node::{Folder, Listed, Node, NodeContent};
use abi::Errno;
use abi::file::FileType;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use sync::{Rank, SpinLock};

struct Registered {
    names: BTreeMap<Box<[u8]>, u64>,
    /// In the order in which they came, which is also how they are listed.
    nodes: BTreeMap<u64, (Box<[u8]>, Node)>,
    next: u64,
}

/// A folder of nodes that are registered and taken away.
pub struct Listing {
    registered: SpinLock<Registered>,
    /// Of the folders that [`Listing::below`] makes.
    permissions: u32,
}

impl Listing {
    pub fn new() -> Arc<Self> {
        Self::with_permissions(0o555)
    }

    /// One in whose tree folders have these permissions.
    pub fn with_permissions(permissions: u32) -> Arc<Self> {
        let registered = Registered { names: BTreeMap::new(), nodes: BTreeMap::new(), next: 0 };
        Arc::new(Self { registered: SpinLock::new(Rank::Attributes, registered), permissions })
    }

    /// Adds a node. EEXIST.
    pub fn add(&self, name: &str, node: Node) -> Result<(), Errno> {
        let (name, copy) = (Box::from(name.as_bytes()), Box::from(name.as_bytes()));
        let mut registered = self.registered.lock();
        if registered.names.contains_key(&name) {
            return Err(Errno::EEXIST);
        }
        let number = registered.next;
        registered.next += 1;
        registered.names.insert(name, number);
        registered.nodes.insert(number, (copy, node));
        Ok(())
    }

    /// The listing below, at a path of names, made where it is not there yet. ENOTDIR where a name is something else.
    pub fn below(self: &Arc<Self>, path: &str) -> Result<Arc<Listing>, Errno> {
        let mut current = self.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            current = match current.look_up(name.as_bytes()) {
                Ok(Node { content: NodeContent::Folder(folder), .. }) => folder.as_listing().ok_or(Errno::ENOTDIR)?,
                Ok(_) => return Err(Errno::ENOTDIR),
                Err(_) => {
                    let made = Listing::with_permissions(self.permissions);
                    current.add(name, Node::folder(made.clone()).with_permissions(self.permissions))?;
                    made
                }
            };
        }
        Ok(current)
    }

    /// Takes a node away; what is open stays. ENOENT. Whoever looked it up before may find it a while longer.
    pub fn remove(&self, name: &str) -> Result<(), Errno> {
        let mut registered = self.registered.lock();
        let number = registered.names.remove(name.as_bytes()).ok_or(Errno::ENOENT)?;
        let gone = registered.nodes.remove(&number);
        drop(registered);
        drop(gone);
        Ok(())
    }
}

impl Folder for Listing {
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        let registered = self.registered.lock();
        let number = registered.names.get(name).ok_or(Errno::ENOENT)?;
        registered.nodes.get(number).map(|(_, node)| node.clone()).ok_or(Errno::ENOENT)
    }

    fn list(&self, mut from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        loop {
            // The name is copied, since the sink may sleep.
            let next = self
                .registered
                .lock()
                .nodes
                .range(from..)
                .next()
                .map(|(at, (name, node))| (*at, name.clone(), node.kind()));
            let Some((at, name, kind)) = next else { return Ok(from) };
            if !sink(Listed { name: &name, kind, next: at + 1 }) {
                return Ok(at);
            }
            from = at + 1;
        }
    }

    fn folders(&self) -> u32 {
        let registered = self.registered.lock();
        registered.nodes.values().filter(|(_, node)| node.kind() == FileType::Directory).count() as u32
    }

    fn as_listing(self: Arc<Self>) -> Option<Arc<Listing>> {
        Some(self)
    }
}

/// Where the second part's positions begin.
const SECOND: u64 = 1 << 32;

/// One folder of two: registered nodes first, then what comes and goes (`/proc` itself).
pub struct Joined {
    pub registered: Arc<Listing>,
    pub other: Arc<dyn Folder>,
}

impl Folder for Joined {
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno> {
        self.registered.look_up(name).or_else(|_| self.other.look_up(name))
    }

    fn list(&self, mut from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno> {
        if from < SECOND {
            let mut full = false;
            from = self.registered.list(from, &mut |listed| {
                full = !sink(listed);
                !full
            })?;
            if full {
                return Ok(from);
            }
            from = SECOND;
        }
        let next =
            self.other.list(from - SECOND, &mut |listed| sink(Listed { next: listed.next + SECOND, ..listed }))?;
        Ok(next + SECOND)
    }

    fn folders(&self) -> u32 {
        self.registered.folders() + self.other.folders()
    }
}
