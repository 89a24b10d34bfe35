//! Path walk: from text to a place (`path_resolution(7)`).
//!
//! Each step looks one name up in its parent's index, under that parent's spinlock alone, and takes a reference to what it
//! finds. Only a name that is not in memory makes it lock the folder and ask the file system. Symlinks are followed without
//! recursion: the rest of each interrupted text waits in a list.
use crate::credentials::Credentials;
use crate::dentry::Dentry;
use crate::inode::{Content, Inode, Target};
use crate::name::{Name, NameKey};
use crate::path::{Origin, Path};
use abi::file::{Access, FileType, MountFlags, mode};
use abi::{Errno, PATH_MAX};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Symlinks followed before ELOOP, as Linux's MAXSYMLINKS.
const MAX_LINKS: u32 = 40;

/// What to do with the last component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Follow it where it is a symlink.
    Follow,
    /// Take it as it is; but a slash behind it follows.
    Keep,
}

/// The text that is being walked: the caller's, or a symlink's.
enum Text<'a> {
    Given(&'a [u8]),
    Link(Arc<[u8]>),
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Given(bytes) => bytes,
            Text::Link(bytes) => bytes,
        }
    }
}

/// The last component, before it is looked up.
pub struct Parent<'a> {
    /// The folder that it is in, and whose search permission was checked.
    pub path: Path,
    text: Text<'a>,
    last: LastComponent,
    /// It has a slash behind it, and so must be a folder.
    pub slash: bool,
    links: u32,
}

/// Where the last component is in its text, and what it is.
#[derive(Clone, Copy)]
struct LastComponent {
    start: usize,
    length: usize,
    kind: LastKind,
    /// Of an ordinary name.
    key: NameKey,
}

impl LastComponent {
    #[inline(always)]
    fn name<'t>(&self, text: &'t [u8]) -> Name<'t> {
        self.key.with_bytes(&text[self.start..self.start + self.length])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastKind {
    /// The path was only slashes (or empty, which the caller has sorted out).
    Root,
    Dot,
    DotDot,
    Name,
}

impl Parent<'_> {
    /// The last component as a name; `error` where it is `.`, `..` or nothing.
    pub fn name(&self, error: Errno) -> Result<Name<'_>, Errno> {
        match self.last.kind {
            LastKind::Name => Ok(self.last.name(self.text.bytes())),
            _ => Err(error),
        }
    }

    pub fn is_dot(&self) -> bool {
        self.last.kind == LastKind::Dot
    }

    pub fn is_dot_dot(&self) -> bool {
        self.last.kind == LastKind::DotDot
    }

    /// Whether there is an ordinary name at the end.
    pub fn is_name(&self) -> bool {
        self.last.kind == LastKind::Name
    }
}

/// A walk under way.
struct Walk<'a> {
    origin: &'a Origin<'a>,
    path: Path,
    /// Texts interrupted by symlinks, and how far they were read.
    waiting: Vec<(Text<'a>, usize)>,
    links: u32,
}

/// Where the next component of a text begins and what comes behind it.
struct Component<'t> {
    name: Name<'t>,
    start: usize,
    /// Where the one after it begins.
    next: usize,
    slash: bool,
}

impl<'t> Component<'t> {
    /// The component at `at`, where no slash is.
    #[inline(always)]
    fn at(text: &'t [u8], at: usize) -> Result<Self, Errno> {
        let name = Name::first_of(&text[at..])?;
        if name.bytes().is_empty() {
            // A NUL, which no path has that comes from a program.
            return Err(Errno::EINVAL);
        }
        let end = at + name.bytes().len();
        let next = skip_slashes(text, end);
        Ok(Self { name, start: at, next, slash: next != end })
    }
}

#[inline(always)]
fn skip_slashes(text: &[u8], mut at: usize) -> usize {
    while text.get(at) == Some(&b'/') {
        at += 1;
    }
    at
}

/// Walks `path` to its end. ENOENT for an empty one.
pub fn resolve(origin: &Origin<'_>, path: &[u8], last: Last) -> Result<Path, Errno> {
    let parent = resolve_parent(origin, path)?;
    resolve_last(origin, parent, last)
}

/// Walks to the folder of the last component. ENOENT for an empty path.
pub fn resolve_parent<'a>(origin: &'a Origin<'a>, path: &'a [u8]) -> Result<Parent<'a>, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    if path.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let start = match path[0] {
        b'/' => &origin.context.root,
        _ => origin.start.unwrap_or(&origin.context.current),
    };
    let mut walk = Walk { origin, path: start.clone(), waiting: Vec::new(), links: 0 };
    walk.run(Text::Given(path))
}

/// Looks the last component up, and follows it as `last` says. ENOENT.
pub fn resolve_last<'a>(origin: &'a Origin<'a>, mut parent: Parent<'a>, last: Last) -> Result<Path, Errno> {
    loop {
        let found = match parent.last.kind {
            LastKind::Root | LastKind::Dot => parent.path.clone(),
            LastKind::DotDot => parent.path.parent(&origin.context.root),
            LastKind::Name => look_up(&parent.path, &parent.name(Errno::ENOENT)?)?,
        };
        let inode = found.inode()?;
        if inode.kind() == FileType::Symlink && (last == Last::Follow || parent.slash) {
            match follow(origin, parent, &found)? {
                Followed::Path(next) => parent = next,
                Followed::Object(path, slash) => {
                    return if slash && !path.inode()?.is_directory() { Err(Errno::ENOTDIR) } else { Ok(path) };
                }
            }
            continue;
        }
        if parent.slash && !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        return Ok(found);
    }
}

/// One name in a folder, across mounts. The answer may be negative.
#[inline]
pub(crate) fn look_up(folder: &Path, name: &Name<'_>) -> Result<Path, Errno> {
    Ok(across_mounts(folder, folder.dentry.child(name)?))
}

/// A child of a folder, or what is mounted on it.
#[inline]
pub(crate) fn across_mounts(folder: &Path, dentry: Arc<Dentry>) -> Path {
    let mut path = Path { mount: folder.mount.clone(), dentry };
    path.cross_mounts();
    path
}

/// What a last component that is a symlink leads to.
pub(crate) enum Followed<'a> {
    /// The folder of another last component.
    Path(Parent<'a>),
    /// An object, and whether it must be a folder.
    Object(Path, bool),
}

/// Follows a symlink that is the last component.
pub(crate) fn follow<'a>(origin: &'a Origin<'a>, parent: Parent<'a>, link: &Path) -> Result<Followed<'a>, Errno> {
    let mut walk = Walk { origin, path: parent.path, waiting: Vec::new(), links: parent.links };
    match walk.target(link)? {
        Target::Object(path) => Ok(Followed::Object(path, parent.slash)),
        Target::Path(text) => {
            walk.begin(&text);
            let mut next = walk.run(Text::Link(text))?;
            next.slash |= parent.slash;
            Ok(Followed::Path(next))
        }
    }
}

impl<'a> Walk<'a> {
    /// Walks `text`, and whatever waits behind it, up to the last component of all.
    fn run(&mut self, text: Text<'a>) -> Result<Parent<'a>, Errno> {
        let mut at = skip_slashes(text.bytes(), 0);
        let mut text = text;
        loop {
            match self.steps(text.bytes(), at)? {
                Step::Last { last, slash } => {
                    if let Some((rest, next)) = self.waiting.pop() {
                        // The end of a symlink in the middle of a path: what it names is walked into.
                        (text, at) = self.finish(text.bytes(), &last, rest, next)?;
                        continue;
                    }
                    return Ok(Parent { path: self.path.clone(), text, last, slash, links: self.links });
                }
                Step::Link { target, resume } => {
                    self.begin(&target);
                    self.waiting.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    self.waiting.push((core::mem::replace(&mut text, Text::Link(target)), resume));
                    at = skip_slashes(text.bytes(), 0);
                }
            }
        }
    }

    /// An absolute symlink starts again at the root.
    fn begin(&mut self, target: &[u8]) {
        if target.first() == Some(&b'/') {
            self.path = self.origin.context.root.clone();
        }
    }

    /// Enters the last component of a symlink's text, behind which `rest` waits.
    fn finish(
        &mut self,
        text: &[u8],
        last: &LastComponent,
        rest: Text<'a>,
        next: usize,
    ) -> Result<(Text<'a>, usize), Errno> {
        match last.kind {
            LastKind::Root | LastKind::Dot => {}
            LastKind::DotDot => self.path = self.path.parent(&self.origin.context.root),
            LastKind::Name => {
                if let Some(target) = self.enter(&last.name(text))? {
                    // One link to another: the rest goes on waiting, and the new text is walked first.
                    self.begin(&target);
                    self.waiting.push((rest, next));
                    let at = skip_slashes(&target, 0);
                    return Ok((Text::Link(target), at));
                }
            }
        }
        Ok((rest, next))
    }

    /// Walks all components from `at` on but the last.
    fn steps(&mut self, text: &[u8], mut at: usize) -> Result<Step, Errno> {
        loop {
            if at >= text.len() {
                let last = LastComponent { start: at, length: 0, kind: LastKind::Root, key: NameKey::NONE };
                return Ok(Step::Last { last, slash: false });
            }
            self.check_search()?;
            let component = Component::at(text, at)?;
            let bytes = component.name.bytes();
            let kind = if component.name.is_dot() {
                LastKind::Dot
            } else if component.name.is_dot_dot() {
                LastKind::DotDot
            } else {
                LastKind::Name
            };
            if component.next >= text.len() {
                let key = component.name.key();
                let last = LastComponent { start: component.start, length: bytes.len(), kind, key };
                return Ok(Step::Last { last, slash: component.slash });
            }
            match kind {
                LastKind::Dot | LastKind::Root => {}
                LastKind::DotDot => self.path = self.path.parent(&self.origin.context.root),
                LastKind::Name => {
                    if let Some(target) = self.enter(&component.name)? {
                        return Ok(Step::Link { target, resume: component.next });
                    }
                }
            }
            at = component.next;
        }
    }

    /// ENOTDIR; EACCES where the folder may not be searched.
    #[inline(always)]
    fn check_search(&self) -> Result<(), Errno> {
        let inode = self.path.inode()?;
        if !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        inode.check_access(self.origin.credentials, Access::EXECUTE)
    }

    /// Goes to a child; answers a symlink's text instead where it is one.
    #[inline(always)]
    fn enter(&mut self, name: &Name<'_>) -> Result<Option<Arc<[u8]>>, Errno> {
        let child = self.path.dentry.child(name)?;
        let inode = child.existing()?;
        if inode.kind() == FileType::Symlink {
            return self.enter_link(child);
        }
        self.path.dentry = child;
        if self.path.dentry.is_mountpoint() {
            self.path.cross_mounts();
        }
        Ok(None)
    }

    #[cold]
    fn enter_link(&mut self, link: Arc<Dentry>) -> Result<Option<Arc<[u8]>>, Errno> {
        let link = Path { mount: self.path.mount.clone(), dentry: link };
        match self.target(&link)? {
            Target::Path(text) => Ok(Some(text)),
            Target::Object(path) => {
                self.path = path;
                Ok(None)
            }
        }
    }

    /// What a symlink says. ELOOP beyond the limit, and on a mount that forbids following; ENOENT for an empty one.
    fn target(&mut self, link: &Path) -> Result<Target, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS || link.mount.flags().contains(MountFlags::NO_SYMLINK_FOLLOW) {
            return Err(Errno::ELOOP);
        }
        match link.inode()?.content() {
            Content::Symlink(text) if text.is_empty() => Err(Errno::ENOENT),
            Content::Symlink(text) => Ok(Target::Path(text.clone())),
            Content::Magic(link) => link.follow(),
            _ => Err(Errno::EINVAL),
        }
    }
}

enum Step {
    Last { last: LastComponent, slash: bool },
    Link { target: Arc<[u8]>, resume: usize },
}

/// The group and permissions of a new file in `folder`: a set-group-ID folder passes its group on, and folders the bit too.
pub(crate) fn inherited(folder: &Inode, credentials: &Credentials, kind: FileType, permissions: u32) -> (u32, u32) {
    if folder.permissions() & mode::SET_GROUP == 0 {
        return (credentials.group.file_system, permissions);
    }
    let bit = if kind == FileType::Directory { mode::SET_GROUP } else { 0 };
    (folder.group(), permissions | bit)
}
