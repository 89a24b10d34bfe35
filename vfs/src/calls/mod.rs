//! The calls of user space on files, one function for each. Paths are bytes without a NUL; an empty one is ENOENT unless a flag
//! allows it. All may sleep.
mod attributes;
mod extended;
mod links;
mod mounts;
mod names;
mod open;
mod rename;

pub use attributes::{
    Place, SetTime, access_at, change_mode_at, change_owner_at, change_times_at, locate, read_link_at, stat_at, statfs,
    statx_at, truncate,
};
pub use extended::{get_attribute, list_attributes, set_attribute};
pub use links::{link_at, link_unnamed, symlink_at};
pub use mounts::{MountRequest, mount, mount_info, mount_root, mount_row, pivot_root, unmount};
pub use names::{make_directory_at, make_node_at, remove_directory_at, unlink_at};
pub use open::{change_directory, change_root, open_at};
pub use rename::rename_at;
