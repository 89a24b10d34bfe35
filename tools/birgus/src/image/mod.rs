//! Roots: what the machine unpacks at its start.
pub mod archive;
pub mod busybox;
pub mod cpio;
pub mod debian;
pub mod directory;
pub mod initrd;
pub mod packer;
pub mod root;
