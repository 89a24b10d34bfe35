//! A running QEMU: started with sockets instead of its standard streams, and never left behind.

use super::Plan;
use super::options::Request;
use super::qemu::{self, Descriptors};
use anyhow::{Context, Result};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// QEMU, and our ends of its sockets.
pub struct Machine {
    child: Child,
    pub serial: UnixStream,
    pub monitor: UnixStream,
    pub control: UnixStream,
    pub input: UnixStream,
    pub output: UnixStream,
    pub error: UnixStream,
    gdb_socket: Option<PathBuf>,
}

impl Machine {
    /// Starts QEMU. Must be called on the main thread: QEMU is killed when the thread that started it ends.
    pub fn start(request: &Request, plan: &Plan) -> Result<Self> {
        let pair = || UnixStream::pair().context("cannot create a pair of sockets");
        let (serial, monitor) = (pair()?, pair()?);
        let (control, input, output, error) = (pair()?, pair()?, pair()?, pair()?);
        let theirs = [&serial.1, &monitor.1, &control.1, &input.1, &output.1, &error.1];
        let numbers = theirs.map(AsRawFd::as_raw_fd);
        let [on_serial, on_monitor, ports @ ..] = numbers;
        let descriptors = Descriptors { serial: on_serial, monitor: on_monitor, ports };
        let gdb_socket = request.gdb.then(|| std::env::temp_dir().join(format!("birgus-gdb.{}", std::process::id())));
        let mut command = Command::new(qemu::PROGRAM);
        command.args(qemu::arguments(request, plan, &descriptors, gdb_socket.as_deref()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if std::env::var_os("BIRGUS_SHOW_QEMU").is_some() {
            crate::say::line(format!("{command:?}"));
        }
        let child =
            inherit(&mut command, numbers).spawn().with_context(|| format!("cannot start {}", qemu::PROGRAM))?;
        let (serial, monitor) = (serial.0, monitor.0);
        let (control, input, output, error) = (control.0, input.0, output.0, error.0);
        Ok(Self { child, serial, monitor, control, input, output, error, gdb_socket })
    }

    /// What QEMU itself complains about.
    pub fn take_complaints(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// QEMU's process, for [`wait`].
    pub fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The socket on which QEMU waits for gdb.
    pub fn gdb_socket(&self) -> Option<&Path> {
        self.gdb_socket.as_deref()
    }

    /// Ends the machine, however it is.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(socket) = self.gdb_socket.take() {
            let _ = std::fs::remove_file(socket);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sleeps until the process ends, leaving its remains for [`Machine::kill`] (so that its number is not used again meanwhile).
pub fn wait(process: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(rustix::process::waitid(WaitId::Pid(process), options), Err(rustix::io::Errno::INTR)) {}
}

/// Lets the child keep these descriptors, die with this thread, and not hear the terminal's signals.
fn inherit<const N: usize>(command: &mut Command, descriptors: [i32; N]) -> &mut Command {
    let parent = rustix::process::getpid();
    let prepare = move || {
        for descriptor in descriptors {
            // SAFETY: open in this process: the sockets live until after the spawn.
            let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
            fcntl_setfd(descriptor.as_fd(), FdFlags::empty())?;
        }
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(())
    };
    command.process_group(0);
    // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
    unsafe { command.pre_exec(prepare) }
}
