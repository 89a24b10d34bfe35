//! The table of trace points.
use crate::control::{MASK, write};
use crate::ring::ARGUMENTS;
use core::sync::atomic::Ordering::Relaxed;

/// How an argument is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Signed,
    /// Hexadecimal.
    Address,
    /// A task's name: two words.
    Name,
}

/// What a reader has to know of a point.
#[derive(Debug)]
pub struct Point {
    pub name: &'static str,
    pub arguments: &'static [(&'static str, Kind)],
}

/// An argument as the words that a record keeps of it.
pub(crate) trait Argument {
    fn put(self, words: &mut [u64; ARGUMENTS], at: &mut usize);
}

impl Argument for u64 {
    #[inline(always)]
    fn put(self, words: &mut [u64; ARGUMENTS], at: &mut usize) {
        words[*at] = self;
        *at += 1;
    }
}

impl Argument for i64 {
    #[inline(always)]
    fn put(self, words: &mut [u64; ARGUMENTS], at: &mut usize) {
        (self as u64).put(words, at);
    }
}

impl Argument for [u64; 2] {
    #[inline(always)]
    fn put(self, words: &mut [u64; ARGUMENTS], at: &mut usize) {
        self[0].put(words, at);
        self[1].put(words, at);
    }
}

macro_rules! kind_type {
    (Number) => {
        u64
    };
    (Signed) => {
        i64
    };
    (Address) => {
        u64
    };
    (Name) => {
        [u64; 2]
    };
}

macro_rules! points {
    ($($(#[$documentation:meta])* $variant:ident $name:ident($($argument:ident: $kind:ident),*);)*) => {
        /// A point, by its place in [`POINTS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Event {
            $($variant),*
        }

        /// Every point.
        pub const POINTS: &[Point] = &[$(Point {
            name: stringify!($name),
            arguments: &[$((stringify!($argument), Kind::$kind)),*],
        }),*];

        $(
            $(#[$documentation])*
            #[inline(always)]
            pub fn $name($($argument: kind_type!($kind)),*) {
                #[cold]
                #[inline(never)]
                fn passed($($argument: kind_type!($kind)),*) {
                    let (words, at) = (&mut [0; ARGUMENTS], &mut 0);
                    $($argument.put(words, at);)*
                    let _: &mut usize = at;
                    write(Event::$variant, words);
                }
                if is_on(Event::$variant) {
                    passed($($argument),*);
                }
            }
        )*
    };
}

/// Whether a point is on: for places that must find its arguments first.
#[inline(always)]
pub fn is_on(event: Event) -> bool {
    MASK.load(Relaxed) & 1 << event as u32 != 0
}

points! {
    /// A program entered the kernel by a system call, through `syscall` or (`compat` 1) `int 0x80`.
    SysEnter sys_enter(nr: Number, compat: Number, arg0: Address, arg1: Address, arg2: Address);
    /// It is about to return from one.
    SysExit sys_exit(nr: Number, ret: Signed);
    /// The CPU leaves for user mode.
    UserEnter user_enter(ip: Address);
    /// A program entered the kernel by an exception; `address` is CR2 for page faults.
    ExceptionUser exception_user(vector: Number, error_code: Address, address: Address, ip: Address);
    /// Kernel code did, at an address of a program's.
    ExceptionKernel exception_kernel(vector: Number, error_code: Address, address: Address, ip: Address);
    /// An interrupt begins to be served; `user` is 1 where a program was interrupted.
    IrqEntry irq_entry(vector: Number, user: Number);
    IrqExit irq_exit(vector: Number);
    /// A softirq, by Linux's number.
    SoftirqEntry softirq_entry(vec: Number);
    SoftirqExit softirq_exit(vec: Number);
    /// A switch of threads. `prev_state`: 0 runnable, else how it sleeps: 1 interruptible, 2 killable, 4 uninterruptible, 8
    /// stopped, 16 ended.
    SchedSwitch sched_switch(prev_comm: Name, prev_state: Number, next_comm: Name, next_pid: Number);
    /// A CPU without work halts (`state` 1), or was woken (`state` 0).
    CpuIdle cpu_idle(state: Number);
    /// An NMI, which came at this instruction.
    NmiEntry nmi_entry(ip: Address);
    NmiExit nmi_exit();
}

const _: () = assert!(POINTS.len() <= 32, "one word of switches");
const _: () = {
    let mut index = 0;
    while index < POINTS.len() {
        let (mut words, mut argument) = (0, 0);
        while argument < POINTS[index].arguments.len() {
            words += if matches!(POINTS[index].arguments[argument].1, Kind::Name) { 2 } else { 1 };
            argument += 1;
        }
        assert!(words <= ARGUMENTS, "a record has room for so many words of arguments");
        index += 1;
    }
};
