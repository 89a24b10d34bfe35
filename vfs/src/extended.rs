//! Extended attributes (`xattr(7)`): names with values that hang on an inode.
//!
//! Which names a caller may see and change is decided in [`crate::calls`], for all file systems alike; a file system says where
//! they are kept ([`ExtendedAttributes`]), or has none. [`Attributes`] keeps them in memory, sorted by name, as tmpfs does: for
//! the order that `listxattr(2)` shows there.
use crate::inode::Inode;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sync::{Rank, RwSemaphore};

/// The longest name, without its NUL (`XATTR_NAME_MAX`).
pub const LONGEST_NAME: usize = 255;
/// The longest value (`XATTR_SIZE_MAX`), and the longest list of names (`XATTR_LIST_MAX`).
pub const LONGEST_VALUE: usize = 65536;

/// What is to be there before an attribute is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    Any,
    /// Nothing: `XATTR_CREATE`, else EEXIST.
    Create,
    /// Something: `XATTR_REPLACE`, else ENODATA.
    Replace,
}

/// A value. Never changed in place.
pub type Value = Arc<Vec<u8>>;

/// A file system's own side. Names are checked; changes are made with the inode's lock held for writing. All may sleep.
pub trait ExtendedAttributes: Send + Sync {
    /// ENODATA; EOPNOTSUPP for a kind of name that it does not keep.
    fn get(&self, inode: &Inode, name: &[u8]) -> Result<Value, Errno>;

    /// Sets an attribute, or removes it where there is no value. EEXIST; ENODATA; ENOSPC; EOPNOTSUPP.
    fn set(&self, inode: &Inode, name: &[u8], value: Option<Value>, mode: SetMode) -> Result<(), Errno>;

    /// Shows all names, in its own order. What `visit` answers ends it.
    fn list(&self, inode: &Inode, visit: &mut dyn FnMut(&[u8]) -> Result<(), Errno>) -> Result<(), Errno>;
}

/// Counts what attributes take, for a file system that limits it.
pub trait AttributeSpace: Send + Sync {
    /// An attribute is there now, or no more.
    fn change(&self, name: &[u8], old: Option<&Value>, new: Option<&Value>) -> Result<(), Errno>;
}

/// Attributes in memory.
pub struct Attributes {
    sorted: RwSemaphore<Vec<(Vec<u8>, Value)>>,
    space: Arc<dyn AttributeSpace>,
}

impl Attributes {
    pub fn new(space: Arc<dyn AttributeSpace>) -> Self {
        Self { sorted: RwSemaphore::new(Rank::FileSystem, Vec::new()), space }
    }

    /// ENODATA.
    pub fn get(&self, name: &[u8]) -> Result<Value, Errno> {
        let sorted = self.sorted.read();
        let at = sorted.binary_search_by(|(other, _)| other.as_slice().cmp(name)).map_err(|_| Errno::ENODATA)?;
        sorted.get(at).map(|(_, value)| value.clone()).ok_or(Errno::ENODATA)
    }

    /// Sets or removes. EEXIST; ENODATA; ENOSPC.
    pub fn set(&self, name: &[u8], value: Option<Value>, mode: SetMode) -> Result<(), Errno> {
        let mut sorted = self.sorted.write();
        let found = sorted.binary_search_by(|(other, _)| other.as_slice().cmp(name));
        match (found, value) {
            (Ok(_), Some(_)) if mode == SetMode::Create => Err(Errno::EEXIST),
            (Err(_), Some(_)) if mode == SetMode::Replace => Err(Errno::ENODATA),
            (Err(_), None) => Err(Errno::ENODATA),
            (Ok(at), None) => {
                let (_, old) = sorted.remove(at);
                self.space.change(name, Some(&old), None)
            }
            (Ok(at), Some(value)) => {
                let (_, old) = sorted.get_mut(at).ok_or(Errno::ENODATA)?;
                self.space.change(name, Some(old), Some(&value))?;
                *old = value;
                Ok(())
            }
            (Err(at), Some(value)) => {
                let mut own = Vec::new();
                own.try_reserve_exact(name.len()).map_err(|_| Errno::ENOSPC)?;
                own.extend_from_slice(name);
                sorted.try_reserve(1).map_err(|_| Errno::ENOSPC)?;
                self.space.change(name, None, Some(&value))?;
                sorted.insert(at, (own, value));
                Ok(())
            }
        }
    }

    pub fn list(&self, visit: &mut dyn FnMut(&[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        self.sorted.read().iter().try_for_each(|(name, _)| visit(name))
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        for (name, value) in self.sorted.get_mut().drain(..) {
            let _ = self.space.change(&name, Some(&value), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Room for this many bytes of values.
    struct Room(AtomicUsize);

    impl AttributeSpace for Room {
        fn change(&self, _: &[u8], old: Option<&Value>, new: Option<&Value>) -> Result<(), Errno> {
            let length = |value: Option<&Value>| value.map_or(0, |value| value.len());
            let left = (self.0.load(Ordering::Relaxed) + length(old)).checked_sub(length(new)).ok_or(Errno::ENOSPC)?;
            self.0.store(left, Ordering::Relaxed);
            Ok(())
        }
    }

    fn value(text: &str) -> Option<Value> {
        Some(Arc::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn modes_and_order() {
        let room = Arc::new(Room(AtomicUsize::new(2)));
        let attributes = Attributes::new(room.clone());
        assert_eq!(attributes.get(b"user.a"), Err(Errno::ENODATA));
        assert_eq!(attributes.set(b"user.b", value("1"), SetMode::Replace), Err(Errno::ENODATA));
        assert_eq!(attributes.set(b"user.b", value("1"), SetMode::Create), Ok(()));
        assert_eq!(attributes.set(b"user.b", value("2"), SetMode::Create), Err(Errno::EEXIST));
        assert_eq!(attributes.set(b"user.b", value("2"), SetMode::Replace), Ok(()));
        assert_eq!(attributes.set(b"user.a", value(""), SetMode::Any), Ok(()));
        let mut names = Vec::new();
        let mut keep = |name: &[u8]| {
            names.push(name.to_vec());
            Ok(())
        };
        attributes.list(&mut keep).unwrap();
        assert_eq!(names, [b"user.a", b"user.b"]);
        assert_eq!(attributes.set(b"user.a", value("two"), SetMode::Any), Err(Errno::ENOSPC));
        assert_eq!(attributes.set(b"user.b", None, SetMode::Any), Ok(()));
        assert_eq!(attributes.set(b"user.b", None, SetMode::Any), Err(Errno::ENODATA));
        assert_eq!(attributes.set(b"user.a", value("ab"), SetMode::Any), Ok(()));
        drop(attributes);
        assert_eq!(room.0.load(Ordering::Relaxed), 2);
    }
}
