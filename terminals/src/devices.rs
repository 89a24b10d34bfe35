//! The nodes: lines by their own names, `/dev/tty` and `/dev/console`.
use crate::driver::{Driver, Received};
use crate::master::{Masters, Multiplexer, NoSlave};
use crate::terminal::Terminal;
use crate::{caller, opening, serve, session};
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags};
use alloc::sync::Arc;
use devfs::{DevFs, Node};
use devpts::DevPtsType;
use sync::Once;
use task::process::Process;
use task::tree::Pid;
use tty::Termios;
use vfs::FileOperations;
use vfs::device::DeviceFile;

const TTY: DeviceNumber = DeviceNumber::new(5, 0);
const CONSOLE: DeviceNumber = DeviceNumber::new(5, 1);
const MULTIPLEXER: DeviceNumber = DeviceNumber::new(5, 2);

static SYSTEM_CONSOLE: Once<Arc<Terminal>> = Once::new();

/// A line's node.
struct LineDevice(Arc<Terminal>);

impl DeviceFile for LineDevice {
    fn open(&self, _: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        opening::open(&self.0, flags, false)
    }
}

/// `/dev/tty`: the caller's controlling terminal. ENXIO.
struct OwnTerminal;

impl DeviceFile for OwnTerminal {
    fn open(&self, _: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let own = caller::with(|task| session::terminal_of(&task.process)).flatten().ok_or(Errno::ENXIO)?;
        opening::open(&own, flags, false)
    }
}

/// `/dev/console`: the line that the kernel writes its messages to. ENODEV.
struct ConsoleDevice;

impl DeviceFile for ConsoleDevice {
    fn open(&self, _: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        opening::open(console().ok_or(Errno::ENODEV)?, flags, true)
    }
}

/// Makes `/dev/tty`, `/dev/console` and `/dev/ptmx`, makes devpts mountable, and has sessions' ends told. EBUSY; EEXIST; ENOMEM.
pub fn register(devices: &DevFs) -> Result<(), Errno> {
    task::exit::set_session_end_hook(session::leader_ends);
    let node = |name, number, permissions| Node { name, kind: FileType::CharacterDevice, number, permissions };
    devices.add(&node("tty", TTY, 0o666), 1, "/dev/tty", Arc::new(OwnTerminal))?;
    devices.add(&node("console", CONSOLE, 0o600), 1, "/dev/console", Arc::new(ConsoleDevice))?;
    devices.add(&node("ptmx", MULTIPLEXER, 0o666), 1, "/dev/ptmx", Arc::new(Multiplexer))?;
    let vfs = devices.superblock().vfs();
    vfs.register(Arc::new(DevPtsType::new(Arc::new(Masters))));
    let slaves = DeviceNumber::new(devpts::SLAVE_MAJOR, 0);
    vfs.devices.register(FileType::CharacterDevice, slaves, 1 << 20, "pts", Arc::new(NoSlave))
}

/// Makes a device's line, its thread and its node; `driver_name` is for /proc/devices. EBUSY; EEXIST; ENOMEM.
pub fn add_line(
    devices: &DevFs,
    name: &str,
    number: DeviceNumber,
    driver_name: &'static str,
    termios: Termios,
    driver: Arc<dyn Driver>,
    received: Arc<Received>,
) -> Result<Arc<Terminal>, Errno> {
    let terminal = Arc::new(Terminal::of_device(name, number, termios, driver, received)?);
    if !serve::start(terminal.clone()) {
        return Err(Errno::ENOMEM);
    }
    let node = Node { name, kind: FileType::CharacterDevice, number, permissions: 0o600 };
    devices.add(&node, 1, driver_name, Arc::new(LineDevice(terminal.clone())))?;
    Ok(terminal)
}

/// Says which line is the console. Once.
pub fn set_console(terminal: Arc<Terminal>) {
    let _ = SYSTEM_CONSOLE.set(terminal);
}

/// The console's line: for `/sys/class/tty/console/active`.
pub fn console() -> Option<&'static Arc<Terminal>> {
    SYSTEM_CONSOLE.get()
}

/// Number and foreground group of a process's controlling terminal: `tty_nr` and `tpgid` of `/proc/PID/stat`.
pub fn controlling_terminal(process: &Process) -> Option<(DeviceNumber, Option<Pid>)> {
    let terminal = session::terminal_of(process)?;
    Some((terminal.number(), terminal.owners().1))
}

/// Hangs up a process's controlling terminal, if it has one (`vhangup(2)`).
pub fn hang_up_of(process: &Process) {
    if let Some(terminal) = session::terminal_of(process) {
        terminal.hang_up();
    }
}
