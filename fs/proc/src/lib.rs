//! Trees of generated files: proc and sysfs.
//!
//! **Model.** A [`Node`] is a folder, a text, a symlink, or a file of its own kind. Folders are objects that look names up and
//! list them ([`Folder`]): a [`Listing`] holds what is registered, and what comes and goes (processes, descriptors) is a
//! folder of its own making, with fleeting nodes, which the dentry cache does not keep. What the files *say* is not here.
//!
//! **Texts.** A text is made whole when it is read from its start, and then read from that copy, so that offsets stay good
//! while the system goes on; reading at 0 again makes it anew (Linux's seq_file, for texts of one piece). What may grow beyond that is a
//! [`Sequence`]: made piece by piece as it is read, and read once.
//!
//! **Numbers.** An inode number is a hash of the parent's number and the name: stable, and without a table.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod file_system;
mod folder;
mod listing;
mod node;
mod sequence;
mod setting;
mod text;

pub use file_system::TreeType;
pub use listing::{Joined, Listing};
pub use node::{Folder, Listed, Node, NodeContent};
pub use sequence::{Sequence, SequenceSource, sequence};
pub use setting::{Number, number};
pub use text::{Output, Text, attribute, text};

#[cfg(test)]
mod tests;
