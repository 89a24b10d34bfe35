//! The kernel: start-up order and wiring.
//!
//! Everything that decides or remembers something lives on a lower floor; here the floors are told about each other, in the
//! one order that works: memory, the first CPU, the clock, interrupts, the scheduler, the other CPUs, devices, file systems,
//! and then PID 1.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod command_line;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod console_device;
#[cfg(target_os = "none")]
mod contexts;
#[cfg(target_os = "none")]
mod cpus;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
mod entropy;
#[cfg(target_os = "none")]
mod hardware;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod kernel_log;
#[cfg(target_os = "none")]
mod lockups;
#[cfg(target_os = "none")]
mod marks;
#[cfg(target_os = "none")]
mod panic;
#[cfg(target_os = "none")]
mod ports;
#[cfg(target_os = "none")]
mod provoke;
#[cfg(target_os = "none")]
mod ram_disk;
#[cfg(target_os = "none")]
mod random_device;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod rootfs;
#[cfg(target_os = "none")]
mod softirqs;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod system_tree;
#[cfg(target_os = "none")]
mod timekeeping;
#[cfg(target_os = "none")]
mod traps;
#[cfg(target_os = "none")]
mod trial_work;
#[cfg(target_os = "none")]
mod vdso;

#[cfg(target_os = "none")]
pub use start::main;
