//! The kernel after the linker: its symbol table, its line numbers.
pub mod lines;
pub mod link;
