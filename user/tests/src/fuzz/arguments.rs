//! Arguments: mostly what a call could make sense of, often at an edge, now and then nonsense.
use super::MEMORY;

/// A generator of numbers that is the same for the same seed everywhere (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What the arguments are made from.
pub struct Pool {
    /// Memory that may be read, written, unmapped and mapped anew: its address, `MEMORY` bytes.
    pub memory: usize,
    /// NUL-terminated paths.
    pub paths: Vec<std::ffi::CString>,
    /// Tasks of the fuzzer's own.
    pub tasks: Vec<usize>,
}

/// Numbers at the edges of what is counted.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    63,
    64,
    127,
    255,
    256,
    511,
    4095,
    4096,
    4097,
    65535,
    65536,
    1 << 20,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    0x7fff_ffff_ffff,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_f000,
    u64::MAX - 1,
    u64::MAX,
];

const REQUESTS: &[usize] = &[
    libc::TCGETS as usize,
    libc::TCSETS as usize,
    libc::TCSETSW as usize,
    libc::TCSETSF as usize,
    libc::TCSBRK as usize,
    libc::TCXONC as usize,
    libc::TCFLSH as usize,
    libc::TIOCEXCL as usize,
    libc::TIOCNXCL as usize,
    libc::TIOCSCTTY as usize,
    libc::TIOCNOTTY as usize,
    libc::TIOCGPGRP as usize,
    libc::TIOCSPGRP as usize,
    libc::TIOCGSID as usize,
    libc::TIOCOUTQ as usize,
    libc::TIOCSTI as usize,
    libc::TIOCGWINSZ as usize,
    libc::TIOCSWINSZ as usize,
    libc::TIOCPKT as usize,
    libc::TIOCGPTN as usize,
    libc::TIOCSPTLCK as usize,
    libc::TIOCSETD as usize,
    libc::TIOCGETD as usize,
    libc::FIONREAD as usize,
    libc::FIONBIO as usize,
    libc::FIOASYNC as usize,
    libc::FIOCLEX as usize,
    libc::FIONCLEX as usize,
    0x5441, // TIOCGPTPEER
    0x6609,
];

impl Pool {
    /// An argument of the kind that `letter` stands for.
    pub fn argument(&self, letter: u8, random: &mut Random) -> usize {
        // Tasks are never left to chance: a signal must not reach anybody else.
        if letter != b't' && random.one_in(20) {
            return random.pick(EDGES) as usize;
        }
        match letter {
            b'f' if random.one_in(8) => libc::AT_FDCWD as usize,
            b'f' => random.below(40),
            b'p' => self.paths[random.below(self.paths.len())].as_ptr() as usize,
            b'b' => self.buffer(random),
            b'n' if random.one_in(3) => random.pick(&[8, 4096, 8192, 65536, 1 << 20]),
            b'n' => random.below(300),
            b'o' if random.one_in(3) => random.pick(EDGES) as usize,
            b'o' => random.below(100_000),
            b'i' => random.below(48),
            b'g' => (0..random.below(4)).fold(0, |flags, _| flags | 1 << random.below(32)),
            b't' => random.pick(&self.tasks),
            // What cannot be handled ends most workers early, so that is rare.
            b's' => match random.below(66) {
                9 | 19 if !random.one_in(20) => 0,
                signal => signal,
            },
            b'm' if random.one_in(3) => random.below(0o200_000),
            b'm' => random.below(0o10_000),
            b'a' => self.memory + random.below(MEMORY / 4096) * 4096,
            b'u' => random.pick(&[0, 1, 1000, 1001, 65534, usize::MAX, 0xffff_ffff]),
            b'c' => random.pick(REQUESTS),
            _ => unreachable!("no such letter"),
        }
    }

    /// A place in the memory, often near a page's end, with something in it.
    fn buffer(&self, random: &mut Random) -> usize {
        match random.below(12) {
            0 => return 0,
            1 => return random.next() as usize,
            _ => (),
        }
        let page = random.below(MEMORY / 4096) * 4096;
        let within = if random.one_in(2) { 4096 - 8 * (1 + random.below(16)) } else { 8 * random.below(512) };
        self.memory + page + within
    }

    /// Fills some words of the memory with what structures hold: sizes, descriptors, times, pointers. The caller sees to it that
    /// what is not mapped is left alone.
    pub fn word(&self, random: &mut Random) -> u64 {
        match random.below(8) {
            0 => random.pick(EDGES),
            1 => self.buffer(random) as u64,
            2 => self.paths[random.below(self.paths.len())].as_ptr() as u64,
            3 => random.below(40) as u64,
            4 => random.below(40) as u64 | (random.below(0x1_0000) as u64) << 32,
            5 => random.below(1_000_000) as u64,
            6 => random.next(),
            _ => 0,
        }
    }
}
