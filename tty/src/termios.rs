//! A terminal's settings (`termios(3)`), as values.

use abi::raw::general as raw;

/// The settings, field by field as in the kernel's `struct termios2`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termios {
    pub input: u32,
    pub output: u32,
    pub control: u32,
    pub local: u32,
    pub line: u8,
    pub characters: [u8; raw::NCCS as usize],
    pub input_speed: u32,
    pub output_speed: u32,
}

/// The special characters, by their index in [`Termios::characters`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Special {
    Interrupt = raw::VINTR as u8,
    Quit = raw::VQUIT as u8,
    Erase = raw::VERASE as u8,
    Kill = raw::VKILL as u8,
    EndOfFile = raw::VEOF as u8,
    Start = raw::VSTART as u8,
    Stop = raw::VSTOP as u8,
    Suspend = raw::VSUSP as u8,
    EndOfLine = raw::VEOL as u8,
    EndOfLine2 = raw::VEOL2 as u8,
    Reprint = raw::VREPRINT as u8,
    WordErase = raw::VWERASE as u8,
    LiteralNext = raw::VLNEXT as u8,
}

impl Default for Termios {
    /// What a terminal starts with.
    fn default() -> Self {
        let mut characters = [0; raw::NCCS as usize];
        let initial = [
            (raw::VINTR, 3),
            (raw::VQUIT, 28),
            (raw::VERASE, 127),
            (raw::VKILL, 21),
            (raw::VEOF, 4),
            (raw::VMIN, 1),
            (raw::VSTART, 17),
            (raw::VSTOP, 19),
            (raw::VSUSP, 26),
            (raw::VREPRINT, 18),
            (raw::VDISCARD, 15),
            (raw::VWERASE, 23),
            (raw::VLNEXT, 22),
        ];
        for (index, character) in initial {
            characters[index as usize] = character;
        }
        Self {
            input: raw::ICRNL | raw::IXON,
            output: raw::OPOST | raw::ONLCR,
            control: raw::B38400 | raw::CS8 | raw::CREAD | raw::HUPCL,
            local: raw::ISIG
                | raw::ICANON
                | raw::ECHO
                | raw::ECHOE
                | raw::ECHOK
                | raw::ECHOCTL
                | raw::ECHOKE
                | raw::IEXTEN,
            line: 0,
            characters,
            input_speed: 38400,
            output_speed: 38400,
        }
    }
}

impl Termios {
    /// What the slave of a pseudo-terminal starts with.
    #[must_use]
    pub fn for_slave() -> Self {
        Self { control: raw::B38400 | raw::CS8 | raw::CREAD, ..Self::default() }
    }

    /// What a serial line starts with that is the console, by the options of `console=ttyS0,OPTIONS` (Linux's
    /// Documentation/admin-guide/serial-console.rst): speed, parity (`n`, `o`, `e`), data bits, `r` for flow control. 9600n8.
    #[must_use]
    pub fn for_serial_console(options: &str) -> Self {
        let digits = options.bytes().take_while(u8::is_ascii_digit).count();
        let (speed, rest) = options.split_at(digits);
        let mut rest = rest.chars();
        let parity = match rest.next() {
            Some('o' | 'O') => raw::PARENB | raw::PARODD,
            Some('e' | 'E') => raw::PARENB,
            _ => 0,
        };
        let size = if rest.next() == Some('7') { raw::CS7 } else { raw::CS8 };
        let flow = if rest.next() == Some('r') { raw::CRTSCTS } else { 0 };
        let speed = speed.parse().ok().and_then(speed_bits).unwrap_or(raw::B9600);
        let control = speed | size | parity | flow | raw::CREAD | raw::HUPCL | raw::CLOCAL;
        Self { control, ..Self::default() }.with_speeds()
    }

    /// What a pseudo-terminal's master shows; nothing heeds it.
    #[must_use]
    pub fn for_master() -> Self {
        Self { input: 0, output: 0, local: 0, ..Self::for_slave() }
    }

    #[inline]
    pub(crate) fn input_has(&self, flag: u32) -> bool {
        self.input & flag != 0
    }

    #[inline]
    pub(crate) fn output_has(&self, flag: u32) -> bool {
        self.output & flag != 0
    }

    #[inline]
    pub(crate) fn local_has(&self, flag: u32) -> bool {
        self.local & flag != 0
    }

    #[inline]
    pub(crate) fn canonical(&self) -> bool {
        self.local_has(raw::ICANON)
    }

    /// The byte that stands for a special character; NUL disables it.
    #[inline]
    #[must_use]
    pub fn special(&self, special: Special) -> Option<u8> {
        let byte = self.characters.get(special as usize).copied();
        byte.filter(|&byte| byte != 0)
    }

    #[inline]
    pub(crate) fn is(&self, byte: u8, special: Special) -> bool {
        self.special(special) == Some(byte)
    }

    /// VMIN: how many bytes a read of raw input waits for.
    #[must_use]
    pub fn minimum(&self) -> usize {
        usize::from(self.characters[raw::VMIN as usize])
    }

    /// VTIME in nanoseconds: how long it waits for them.
    #[must_use]
    pub fn wait_ns(&self) -> u64 {
        u64::from(self.characters[raw::VTIME as usize]) * 100_000_000
    }
}

/// Bits a second of `B50` to `B38400`, and of `B57600` to `B4000000` (which have another bit set).
const SPEEDS: [[u32; 16]; 2] = [
    [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400],
    [
        0, 57600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000,
        2_500_000, 3_000_000, 3_500_000, 4_000_000,
    ],
];

/// The bits of `control` that stand for a speed.
fn speed_bits(speed: u32) -> Option<u32> {
    let extended = [0, raw::CBAUDEX];
    let rows = SPEEDS.iter().zip(extended);
    rows.flat_map(|(row, extended)| row.iter().zip(0..).skip(1).map(move |(known, index)| (*known, index | extended)))
        .find_map(|(known, bits)| (known == speed).then_some(bits))
}

impl Termios {
    /// Sets the speeds from the bits of `control`, as after TCSETS, which does not pass them; BOTHER leaves them alone.
    #[must_use]
    pub fn with_speeds(mut self) -> Self {
        let speed = |bits: u32, other: u32| match bits & raw::CBAUD {
            raw::BOTHER => other,
            bits => SPEEDS[usize::from(bits & raw::CBAUDEX != 0)][(bits & 15) as usize],
        };
        self.output_speed = speed(self.control, self.output_speed);
        let input = self.control >> raw::IBSHIFT;
        // B0 for input means as for output.
        self.input_speed = if input & raw::CBAUD == 0 { self.output_speed } else { speed(input, self.input_speed) };
        self
    }
}

/// The size that a terminal's window is said to have (`ioctl_tty(2)`, TIOCGWINSZ).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
    pub x_pixels: u16,
    pub y_pixels: u16,
}
