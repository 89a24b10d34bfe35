//! Masters of pseudo-terminals (`pty(7)`).
use crate::opening::{self, may_wait};
use crate::terminal::{Line, Terminal};
use crate::transfer::so_far;
use crate::{caller, control};
use abi::Errno;
use abi::file::{DeviceNumber, OpenFlags, PollEvents};
use abi::raw::ioctl::*;
use alloc::format;
use alloc::sync::Arc;
use devpts::{Instance, Number};
use memory::{Reader, UserPtr, Writer};
use sync::{Registrations, Sleep};
use tty::{PtyPair, PtyRead};
use vfs::device::DeviceFile;
use vfs::{FileOperations, FileSource, Inode, Last, OpenFile, Origin, Path, resolve};

/// Bytes that pass through a kernel stack at a time.
const PIECE: usize = 512;

/// The one opening of a master. When it goes, so does the slave's name.
struct Master {
    terminal: Arc<Terminal>,
    number: Number,
}

/// A slave's name.
struct Slave(Arc<Terminal>);

impl FileSource for Slave {
    fn open(&self, _: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        opening::open(&self.0, flags, false)
    }
}

/// What opening `ptmx` does.
pub struct Masters;

impl devpts::Masters for Masters {
    fn open(&self, instance: &Arc<Instance>, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let number = instance.take_number()?;
        let line = Line::Pair(PtyPair::try_new().map_err(|_| Errno::ENOMEM)?);
        let name = format!("pts/{}", number.get());
        let terminal = Arc::new(Terminal::new(&name, number.device(), line, None)?);
        let opener = caller::with(|task| task.credentials()).ok_or(Errno::EIO)?;
        number.show(&opener, Arc::new(Slave(terminal.clone())))?;
        Ok(Arc::new(Master { terminal, number }))
    }
}

/// `/dev/ptmx`: as `/dev/pts/ptmx`, without its permissions. ENODEV where no devpts is mounted there.
pub struct Multiplexer;

impl DeviceFile for Multiplexer {
    fn open(&self, _: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let folder = find(None, b"/dev/pts")?;
        let instance = Instance::of(folder.inode()?).ok_or(Errno::ENODEV)?;
        devpts::Masters::open(&Masters, instance, flags)
    }
}

/// A slave's number whose name lies outside of devpts: nobody's. EIO.
pub struct NoSlave;

impl DeviceFile for NoSlave {
    fn open(&self, _: DeviceNumber, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        Err(Errno::EIO)
    }
}

/// The place that the caller means by a path.
fn find(start: Option<&Path>, path: &[u8]) -> Result<Path, Errno> {
    let find = |task: &task::Task| {
        let (context, credentials) = (task.files.context(), task.credentials());
        resolve(&Origin { context: &context, credentials: &credentials, start }, path, Last::Follow)
    };
    caller::with(find).unwrap_or(Err(Errno::ENODEV))
}

impl Master {
    fn take(&self, into: &mut Writer<'_>, may_wait: bool) -> Result<usize, Errno> {
        let _turn = self.terminal.master.reading.take(may_wait)?;
        let (mut piece, mut total) = ([0; PIECE], 0);
        while !into.is_empty() {
            let length = piece.len().min(into.remaining());
            let read = || {
                self.terminal.act(|state, effects| match state.pair() {
                    Some(pair) => (pair.read_master(&mut piece[..length], effects), pair.packet_mode()),
                    None => (PtyRead::Closed, false),
                })
            };
            let mut read = read;
            let found = match read() {
                (PtyRead::Wait, _) if total > 0 => break,
                (PtyRead::Wait, _) if !may_wait => return Err(Errno::EAGAIN),
                (PtyRead::Wait, _) => {
                    let mut waited = || Some(read()).filter(|(found, _)| *found != PtyRead::Wait);
                    let readers = &self.terminal.master.readers;
                    readers.wait(Sleep::Interruptible, None, &mut waited).map_err(|_| Errno::EINTR)?
                }
                found => found,
            };
            let (PtyRead::Data(count), packets) = found else { return so_far(total, Errno::EIO) };
            into.write(&piece[..count])?;
            total += count;
            if packets {
                break;
            }
        }
        Ok(total)
    }

    fn give(&self, from: &mut Reader<'_>, may_wait: bool) -> Result<usize, Errno> {
        let _turn = self.terminal.master.writing.take(may_wait)?;
        let mut done = 0;
        while !from.is_empty() {
            let mut piece = [0; PIECE];
            let length = match from.read(&mut piece) {
                Ok(length) => length,
                Err(error) => return so_far(done, error),
            };
            let mut rest = &piece[..length];
            while !rest.is_empty() {
                let give = || {
                    let taken = self
                        .terminal
                        .act(|state, effects| state.pair().map_or(rest.len(), |pair| pair.write_master(rest, effects)));
                    (taken > 0).then_some(taken)
                };
                let writers = &self.terminal.master.writers;
                let taken = match may_wait {
                    true => writers.wait(Sleep::Interruptible, None, give).map_err(|_| Errno::EINTR),
                    false => give().ok_or(Errno::EAGAIN),
                };
                let Ok(taken) = taken else { return so_far(done, taken.err().unwrap_or(Errno::EIO)) };
                done += taken;
                rest = &rest[taken..];
            }
        }
        Ok(done)
    }

    fn on_pair<R>(&self, body: impl FnOnce(&mut PtyPair) -> R) -> Result<R, Errno> {
        self.terminal.look(|state| state.pair().map(body)).ok_or(Errno::EIO)
    }

    /// TIOCGPTPEER: opens the slave, whatever became of its name's place. Answers the descriptor.
    fn open_slave(&self, file: &OpenFile, flags: u32) -> Result<usize, Errno> {
        let folder = self.folder(file)?;
        let place = find(Some(&folder), format!("{}", self.number.get()).as_bytes())?;
        let flags = OpenFlags::from_bits_truncate(flags);
        let open = |task: &task::Task| {
            let table = task.files.descriptors().ok_or(Errno::EBADF)?;
            let limit = task.limit(abi::raw::general::RLIMIT_NOFILE);
            let reserved = table.reserve(0, flags.contains(OpenFlags::CLOSE_ON_EXEC), limit)?;
            let opened = OpenFile::open(place.clone(), flags, &task.credentials())?;
            Ok(reserved.fill(opened) as usize)
        };
        caller::with(open).unwrap_or(Err(Errno::EIO))
    }

    /// The root of this master's instance: where `ptmx` was opened, or `pts` beside it. ENODEV.
    fn folder(&self, file: &OpenFile) -> Result<Path, Errno> {
        let mount = file.path().mount.clone();
        let root = Path { dentry: mount.root().clone(), mount };
        let is_own = |folder: &Path| {
            let instance = folder.inode().ok().and_then(|inode| Instance::of(inode));
            instance.is_some_and(|instance| Arc::ptr_eq(instance, self.number.instance()))
        };
        if is_own(&root) {
            return Ok(root);
        }
        let context = caller::with(|task| task.files.context()).ok_or(Errno::ENODEV)?;
        let beside = find(Some(&file.path().parent(&context.root)), b"pts")?;
        if is_own(&beside) { Ok(beside) } else { Err(Errno::ENODEV) }
    }
}

impl FileOperations for Master {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        self.take(into, may_wait(file))
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        self.give(from, may_wait(file))
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        let side = &self.terminal.master;
        if let Some(registrations) = registrations
            && !(registrations.add(&side.readers) && registrations.add(&side.writers))
        {
            return PollEvents::ERROR;
        }
        let events = self.on_pair(|pair| {
            let mut events = PollEvents::empty();
            events.set(PollEvents::IN | PollEvents::READ_NORMAL, pair.is_master_readable());
            events.set(PollEvents::OUT | PollEvents::WRITE_NORMAL, pair.is_master_writable());
            events.set(PollEvents::HANG_UP, pair.is_slave_closed());
            events.set(PollEvents::PRIORITY, pair.has_packet_event());
            events
        });
        events.unwrap_or(PollEvents::ERROR)
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        let write = |value: u32| UserPtr::new(argument).write(&value).map(|()| 0);
        let read = || UserPtr::<u32>::new(argument).read();
        match command {
            TIOCGPTN => write(self.number.get()),
            TIOCGPTLCK => write(u32::from(self.on_pair(|pair| pair.is_locked())?)),
            TIOCSPTLCK => {
                let locked = read()? != 0;
                self.on_pair(|pair| pair.set_locked(locked)).map(|()| 0)
            }
            TIOCGPKT => write(u32::from(self.on_pair(|pair| pair.packet_mode())?)),
            TIOCPKT => {
                let on = read()? != 0;
                self.on_pair(|pair| pair.set_packet_mode(on)).map(|()| 0)
            }
            TIOCGPTPEER => self.open_slave(file, argument as u32),
            TIOCSIG => control::signal(&self.terminal, argument),
            TIOCINQ => write(self.terminal.look(|state| state.discipline().output_queued()) as u32),
            TCFLSH => control::flush_master(&self.terminal, argument),
            TCXONC | TIOCSTI => {
                task::stub("terminals: flow control and TIOCSTI of masters");
                Err(Errno::EINVAL)
            }
            TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => Ok(0),
            _ => control::common(&self.terminal, None, file, command, argument),
        }
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.terminal.act(|state, effects| {
            if let Some(pair) = state.pair() {
                pair.close_master(effects);
            }
        });
        self.terminal.hang_up();
    }
}
