//! The child: its session, its streams, its program.

use core::ffi::CStr;
use protocol::{Mode, Run};
use runtime::{
    Descriptor, Errno, O_CLOEXEC, O_NOCTTY, O_RDONLY, O_RDWR, Pages, Text, change_folder, duplicate, execute, exit,
    new_session, open, read, take_terminal, unblock_signals, write_all,
};

/// The shells to try when the host names no command.
const SHELLS: [&CStr; 2] = [c"/bin/bash", c"/bin/sh"];

/// A command's folder, arguments and environment, in the form that execve wants.
pub struct Command {
    /// Folder, arguments, environment, each closed by a NUL: what the two vectors point into.
    strings: Pages,
    arguments: Vector,
    environment: Vector,
    pub mode: Mode,
    pub rows: u16,
    pub columns: u16,
    pub heartbeat: u32,
}

impl Command {
    /// Copies a request out of the message's buffer.
    pub fn new(run: &Run<'_>) -> runtime::Result<Self> {
        let mut strings = Pages::new(run.strings.len())?;
        for (place, byte) in strings.iter_mut().zip(run.strings) {
            *place = *byte;
        }
        let mut each = strings.split_inclusive(|&byte| byte == 0).skip(1);
        let arguments = match run.arguments as usize {
            0 => Vector::of_shell()?,
            count => Vector::new(&mut each, count)?,
        };
        let environment = Vector::new(&mut each, run.environment as usize)?;
        let Run { mode, rows, columns, heartbeat, .. } = *run;
        Ok(Self { strings, arguments, environment, mode, rows, columns, heartbeat })
    }

    /// Becomes the command, with `streams` as its standard input, output and error.
    pub fn start(&self, streams: [Descriptor; 3], terminal: Option<Descriptor>) -> ! {
        new_session();
        if let Some(terminal) = terminal {
            let _ = take_terminal(terminal);
        }
        for (number, stream) in (0..).zip(streams) {
            let _ = duplicate(stream, number);
        }
        unblock_signals();
        let folder = CStr::from_bytes_until_nul(&self.strings).unwrap_or(c"/");
        if change_folder(folder).is_err() {
            let _ = change_folder(c"/");
        }
        execute_by_path(self.arguments.pointers(), self.environment.pointers())
    }
}

/// A null-terminated vector of pointers to strings.
struct Vector(Pages);

impl Vector {
    /// Of the next `count` strings, which must outlive the vector.
    fn new<'a>(strings: &mut impl Iterator<Item = &'a [u8]>, count: usize) -> runtime::Result<Self> {
        // Fresh pages are zero: the last pointer is null.
        let mut pages = Pages::new((count + 1) * size_of::<*const u8>())?;
        let places = pages.chunks_exact_mut(size_of::<*const u8>());
        for (place, string) in places.zip(strings.take(count)) {
            place.copy_from_slice(&(string.as_ptr() as usize).to_ne_bytes());
        }
        Ok(Self(pages))
    }

    /// A login shell, so that the root's profile sets the prompt.
    fn of_shell() -> runtime::Result<Self> {
        let found = SHELLS.into_iter().find(|path| exists(path));
        let words = [found.unwrap_or(c"/bin/sh"), c"-l"].map(CStr::to_bytes_with_nul);
        Self::new(&mut words.into_iter(), words.len())
    }

    fn pointers(&self) -> *const *const u8 {
        self.0.as_ptr().cast()
    }
}

fn exists(path: &CStr) -> bool {
    open(path, O_RDONLY | O_CLOEXEC).map(runtime::close).is_ok()
}

/// The terminal behind the console: the last that sysfs names as active, else the first serial line.
pub fn real_terminal() -> runtime::Result<Descriptor> {
    let mut buffer = [0_u8; 64];
    let mut length = 0;
    if let Ok(file) = open(c"/sys/class/tty/console/active", O_RDONLY | O_CLOEXEC) {
        length = read(file, &mut buffer).unwrap_or(0);
        runtime::close(file);
    }
    let names = buffer.get(..length).unwrap_or(&[]).trim_ascii();
    let name = names.split(|&byte| byte == b' ').next_back().filter(|name| !name.is_empty()).unwrap_or(b"ttyS0");
    let mut path = Text::<80>::new();
    path.put(b"/dev/").put(name);
    open(path.path().unwrap_or(c"/dev/ttyS0"), O_RDWR | O_NOCTTY | O_CLOEXEC)
        .or_else(|_| open(c"/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC))
}

/// execvp(3) for a vector of our own; says on standard error what failed, with the shell's statuses.
pub fn execute_by_path(arguments: *const *const u8, environment: *const *const u8) -> ! {
    // SAFETY: the vectors are null-terminated and their strings closed by a NUL, as the callers built or received them.
    let name = unsafe { CStr::from_ptr((*arguments).cast()) };
    let mut failure = Errno::ENOENT;
    if name.to_bytes().contains(&b'/') {
        // SAFETY: as above.
        failure = unsafe { execute(name.as_ptr().cast(), arguments, environment) };
    } else {
        for folder in search_path(environment).split(|&byte| byte == b':') {
            let mut path = Text::<4096>::new();
            path.put(folder).put(b"/").put(name.to_bytes());
            let Some(path) = path.path() else { continue };
            // SAFETY: as above.
            let errno = unsafe { execute(path.as_ptr().cast(), arguments, environment) };
            if errno != Errno::ENOENT && errno != Errno::ENOTDIR {
                failure = errno;
            }
        }
    }
    let mut line = Text::<512>::new();
    line.put(b"birgus: ").put(name.to_bytes());
    match failure {
        Errno::ENOENT => line.put(b": not found in the guest\n"),
        Errno::EACCES => line.put(b": permission denied\n"),
        Errno::ENOEXEC => line.put(b": not an executable format\n"),
        errno => line.put(b": cannot be executed, error ").number(u64::from(errno.0)).put(b"\n"),
    };
    let _ = write_all(2, line.bytes());
    exit(if failure == Errno::ENOENT { 127 } else { 126 })
}

fn search_path(environment: *const *const u8) -> &'static [u8] {
    let mut next = environment;
    loop {
        // SAFETY: null-terminated, as above.
        let string = unsafe { *next };
        if string.is_null() {
            return b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        }
        // SAFETY: closed by a NUL and never freed.
        let variable = unsafe { CStr::from_ptr(string.cast()) }.to_bytes();
        if let Some(path) = variable.strip_prefix(b"PATH=") {
            return path;
        }
        next = next.wrapping_add(1);
    }
}
