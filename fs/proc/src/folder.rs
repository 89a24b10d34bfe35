//! Folders as the virtual file system sees them.
use crate::node::{Folder, Node, NodeContent};
use crate::text::TextSource;
use abi::Errno;
use abi::file::DeviceNumber;
use alloc::sync::Arc;
use vfs::{Caching, Content, Directory, Entry, Inode, Name, NewInode, Sink, SuperBlock};

/// The positions of `.` and `..` come first.
const FIRST: u64 = 2;

/// A folder with its own number.
pub(crate) struct View {
    folder: Arc<dyn Folder>,
    number: u64,
}

/// The number of an entry: 48 bits, never one of the first few.
fn number_of(parent: u64, name: &Name<'_>) -> u64 {
    let mixed = (name.hash() ^ parent.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> 16) | 1 << 8
}

/// The inode of a node.
pub(crate) fn inode_of(superblock: &Arc<SuperBlock>, number: u64, node: &Node) -> Arc<Inode> {
    let new = NewInode {
        kind: node.kind(),
        permissions: node.permissions,
        user: node.user,
        group: node.group,
        device: DeviceNumber::default(),
        target: &[],
    };
    let mut links = 1;
    let content = match &node.content {
        NodeContent::Folder(folder) => {
            links = 2 + folder.folders();
            Content::Directory(Arc::new(View { folder: folder.clone(), number }))
        }
        NodeContent::Text(text) => Content::Source(Arc::new(TextSource(text.clone()))),
        NodeContent::File(source) => Content::Source(source.clone()),
        NodeContent::Symlink(target) => Content::Symlink(target.clone()),
        NodeContent::Link(link) => Content::Magic(link.clone()),
    };
    let inode = Inode::new(superblock.clone(), number, &new, content);
    inode.set_links(links);
    if node.fleeting {
        inode.mark_fleeting();
    }
    inode
}

impl Directory for View {
    fn lookup(&self, inode: &Arc<Inode>, name: &Name<'_>) -> Result<Arc<Inode>, Errno> {
        let node = self.folder.look_up(name.bytes())?;
        Ok(inode_of(inode.superblock(), number_of(self.number, name), &node))
    }

    /// As on Linux: a name that is not there cannot be made to be.
    fn create(&self, _: &Arc<Inode>, _: &Name<'_>, _: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        Err(Errno::ENOENT)
    }

    fn read(&self, _: &Arc<Inode>, position: u64, sink: &mut Sink<'_>) -> Result<u64, Errno> {
        let next = self.folder.list(position.saturating_sub(FIRST), &mut |listed| {
            let inode = Name::new(listed.name).map_or(1, |name| number_of(self.number, &name));
            sink(Entry { name: listed.name, inode, kind: listed.kind, next: listed.next + FIRST })
        })?;
        Ok(next + FIRST)
    }

    fn caching(&self) -> Caching {
        Caching::Lasting
    }
}
