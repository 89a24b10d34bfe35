//! The one declared lock order.
//!
//! A lock may be taken only while every lock already held by the same context ranks *before* it. Debug and host builds
//! check that on each acquisition, in constant time: held ranks are a bit mask per thread (and for each of softirqs, interrupts and NMIs above it), and
//! taking rank `r` requires that no bit at or above `r` is set. Two locks of one rank are taken only by
//! [`crate::lock_pair`].

/// Ranks from the outermost to the innermost. Insert where the order demands; values are not stored anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// Sleeping: an open file's position, held while the file is read or written, whatever that takes.
    FilePosition,
    /// Sleeping: one change of the mount tree, one exec, one rename of folders at a time.
    Namespace,
    /// Sleeping: a folder's entries.
    Directory,
    /// Sleeping: a second folder, or the inode inside the first.
    Inode,
    /// Sleeping: what a file system keeps for itself.
    FileSystem,
    /// Sleeping: a pipe's buffer. Held over copies to and from user memory, whose faults take the next one.
    Pipe,
    /// Sleeping: one reader and one writer of a terminal at a time, held over copies as a pipe's; sessions' terminals.
    Terminal,
    /// Sleeping: an address space's map of areas.
    AddressSpace,
    /// Sleeping: which handlers interrupt lines have.
    InterruptSetup,
    /// Spinning from here on. A line's handlers, held while they run: they take whatever a handler may.
    InterruptLine,
    /// The process tree: parents, groups, sessions.
    Process,
    /// A task's signal handlers and pending signals.
    Signal,
    /// A thread's own pending signals.
    ThreadSignals,
    /// The actions of a process.
    SignalActions,
    /// A thread group's own fields.
    TaskFields,
    /// Root, working directory and umask.
    TaskContext,
    /// A table of descriptors.
    Descriptors,
    /// A futex bucket.
    Futex,
    /// A dentry's children.
    Dentry,
    /// A dentry's name and parent, or a mount's place.
    DentryPlace,
    /// The list of unused dentries or inodes.
    CacheList,
    /// A page cache's index.
    PageIndex,
    /// An address space's page tables.
    PageTable,
    /// An inode's, an open file's or a superblock's attributes.
    Attributes,
    /// A terminal's line discipline, which passes output on to a device.
    LineDiscipline,
    /// A device's state, shared with its interrupt handler.
    Device,
    /// A second lock of a device: one of its queues.
    DeviceQueue,
    /// High-resolution timers of one CPU.
    Timers,
    /// A queue of waiting threads.
    WaitQueue,
    /// A run queue.
    RunQueue,
    /// Remote calls to other CPUs.
    RemoteCall,
    /// A CPU's spare kernel stacks.
    KernelStacks,
    /// The kernel's own page tables.
    KernelTable,
    /// Kernel virtual ranges.
    Vmalloc,
    /// Slabs of one size.
    Slab,
    /// A CPU's stock of empty page tables.
    TableStock,
    /// A CPU's stock of frames.
    FrameStock,
    /// Zones of frames.
    Frames,
    /// The log's readers.
    Log,
    /// The clock's writers.
    Clock,
    /// The clock as programs see it, published by whoever writes the clock.
    ClockPage,
    /// Anything that takes no further lock.
    Leaf,
}
