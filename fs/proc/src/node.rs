//! What a tree is made of.
use crate::listing::Listing;
use crate::text::Text;
use abi::Errno;
use abi::file::FileType;
use alloc::sync::Arc;
use vfs::{FileSource, MagicLink};

/// What a node is.
#[derive(Clone)]
pub enum NodeContent {
    Folder(Arc<dyn Folder>),
    /// A file whose contents are made when it is read.
    Text(Arc<dyn Text>),
    /// A file that opens in its own way.
    File(Arc<dyn FileSource>),
    Symlink(Arc<[u8]>),
    /// A symlink to an object (`/proc/PID/exe`), or one that reads differently for everybody (`/proc/self`).
    Link(Arc<dyn MagicLink>),
}

/// A node with its attributes.
#[derive(Clone)]
pub struct Node {
    pub content: NodeContent,
    pub permissions: u32,
    pub user: u32,
    pub group: u32,
    /// It may go at any time; see [`vfs::Inode::mark_fleeting`].
    pub fleeting: bool,
}

/// One entry, as a folder lists it.
pub struct Listed<'a> {
    pub name: &'a [u8],
    pub kind: FileType,
    /// From where to go on behind it.
    pub next: u64,
}

/// A folder's entries.
pub trait Folder: Send + Sync {
    /// The node of that name. ENOENT; may sleep.
    fn look_up(&self, name: &[u8]) -> Result<Node, Errno>;

    /// Shows entries from `from` on (0 for the first), until `sink` answers false; answers from where to go on. Values are the
    /// folder's own, below 2^48, and stay good while entries come and go.
    fn list(&self, from: u64, sink: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<u64, Errno>;

    /// How many of its entries are folders, for the link count.
    fn folders(&self) -> u32 {
        0
    }

    /// Itself, where nodes can be registered in it.
    fn as_listing(self: Arc<Self>) -> Option<Arc<Listing>> {
        None
    }
}

impl Node {
    /// Root's node that stays.
    pub fn new(content: NodeContent, permissions: u32) -> Self {
        Self { content, permissions, user: 0, group: 0, fleeting: false }
    }

    pub fn folder(folder: Arc<dyn Folder>) -> Self {
        Self::new(NodeContent::Folder(folder), 0o555)
    }

    /// A text that everybody may read.
    pub fn text(text: Arc<dyn Text>) -> Self {
        Self::new(NodeContent::Text(text), 0o444)
    }

    pub fn symlink(target: &[u8]) -> Self {
        Self::new(NodeContent::Symlink(Arc::from(target)), 0o777)
    }

    pub fn link(link: Arc<dyn MagicLink>) -> Self {
        Self::new(NodeContent::Link(link), 0o777)
    }

    pub fn with_permissions(self, permissions: u32) -> Self {
        Self { permissions, ..self }
    }

    /// The same, owned by somebody.
    pub fn owned_by(self, user: u32, group: u32) -> Self {
        Self { user, group, ..self }
    }

    /// The same, fleeting.
    pub fn fleeting(self) -> Self {
        Self { fleeting: true, ..self }
    }

    pub fn kind(&self) -> FileType {
        match self.content {
            NodeContent::Folder(_) => FileType::Directory,
            NodeContent::Text(_) | NodeContent::File(_) => FileType::Regular,
            NodeContent::Symlink(_) | NodeContent::Link(_) => FileType::Symlink,
        }
    }
}
