//! Random bytes that nobody can guess, from events that somebody might.
//!
//! **Problem.** The processor's generator or the host's device give good bytes, perhaps slowly, and perhaps there is neither. Keys of programs,
//! addresses and `/dev/urandom` want any number of bytes at once, on every CPU. Whoever learns the state now must not learn what
//! was given before, nor, once fresh noise has come in, what is given later.
//!
//! **Model**, as Linux's since 5.18. A [`Pool`] hashes all noise (BLAKE2s), and counts how many bits of it may be worth something. A [`Base`] holds a key that is
//! made anew from the pool now and then, and with it a generation. Each CPU has a [`Generator`], a key of its own drawn from the base's. It
//! makes bytes by ChaCha20 under *fast key erasure*: the first 32 bytes of each stream replace the key before the others are handed out.
//! A generator whose generation is old draws a new key first.
//!
//! **Jitter.** [`Jitter`] takes the time stamp of every interrupt, in a few instructions without a lock; what it has gathered goes into the pool when
//! the base's key is made anew, at one bit for each interrupt.
//!
//! **Ready** is a base whose pool was once worth [`ENOUGH`] bits. Before that there are bytes too, for those who can do with bad ones.
//!
//! Everything here is values: who locks what, what time it is and where noise comes from is the kernel's. **Why not** hand out the processor's
//! bytes as they are: one source is one to trust, slow under emulation, and not on every machine.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod generator;
mod jitter;
mod pool;

pub use generator::{Base, Generator, REQUEST};
pub use jitter::Jitter;
pub use pool::{ENOUGH, Pool};

/// Bytes of a key.
pub const KEY: usize = 32;
