//! Dentries that change their places.
use super::Dentry;
use crate::name::{INLINE, Name};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

impl Dentry {
    /// Gives a dentry another place. Both folders are locked for writing; what had the new name is gone from the index.
    pub(crate) fn move_child(self: &Arc<Self>, name: &Name<'_>, child: Arc<Dentry>, to: &Arc<Dentry>, new: &Name<'_>) {
        drop(self.take_child(name));
        child.rename(to, new);
        to.insert(child, new);
    }

    /// Exchanges the places of two dentries. Both folders are locked for writing.
    pub(crate) fn exchange(
        first: (&Arc<Dentry>, &Name<'_>, Arc<Dentry>),
        second: (&Arc<Dentry>, &Name<'_>, Arc<Dentry>),
    ) {
        drop((first.0.take_child(first.1), second.0.take_child(second.1)));
        first.2.rename(second.0, second.1);
        second.2.rename(first.0, first.1);
        second.0.insert(first.2, second.1);
        first.0.insert(second.2, first.1);
    }

    /// Whether this is `other` or lies above it. Exact only while renames between folders are held off.
    pub(crate) fn is_above(self: &Arc<Self>, other: &Arc<Dentry>) -> bool {
        let mut current = Some(other.clone());
        while let Some(dentry) = current {
            if Arc::ptr_eq(&dentry, self) {
                return true;
            }
            current = dentry.parent();
        }
        false
    }

    /// Changes name and parent of a dentry that is in no index.
    fn rename(&self, parent: &Arc<Dentry>, name: &Name<'_>) {
        let long = (name.bytes().len() > INLINE).then(|| Arc::from(name.bytes()));
        let mut place = self.place.lock();
        for (word, new) in self.words.iter().zip(name.words()) {
            word.store(*new, Ordering::Relaxed);
        }
        self.length.store(name.bytes().len() as u32, Ordering::Relaxed);
        self.hash.store(name.hash(), Ordering::Relaxed);
        let old = (place.parent.replace(parent.clone()), core::mem::replace(&mut place.long, long));
        drop(place);
        drop(old);
    }
}
