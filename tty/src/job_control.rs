//! Who may use a terminal, and who is stopped for trying (`credentials(7)`, `setpgid(2)`, `tcsetpgrp(3)`, `tty_ioctl(4)`).
//!
//! Process groups and sessions are numbers here; the caller looks them up, and sends the signals.

/// What a process wants of its terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    Read,
    /// Heeded only if the terminal has TOSTOP set.
    Write {
        tostop: bool,
    },
    /// Settings, flushing, the foreground group.
    Change,
}

/// The process that wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Whether this terminal is its controlling terminal.
    pub is_controlled: bool,
    pub group: u32,
    /// Whether its group is orphaned: nobody could continue it.
    pub group_is_orphaned: bool,
    /// Whether it blocks or ignores SIGTTIN.
    pub refuses_ttin: bool,
    /// The same for SIGTTOU.
    pub refuses_ttou: bool,
}

#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Allow,
    /// Send SIGTTIN to the caller's whole group, then restart the call after the signal (ERESTARTSYS).
    StopInput,
    /// Send SIGTTOU, in the same way.
    StopOutput,
    /// EIO. For [`Attempt::Change`] by TIOCSPGRP it is ENOTTY.
    Refuse,
}

/// Judges an attempt on a terminal whose foreground group is this (if it has one).
pub fn judge(attempt: Attempt, caller: &Caller, foreground: Option<u32>) -> Verdict {
    let in_background = caller.is_controlled && foreground.is_some_and(|group| group != caller.group);
    if !in_background || attempt == (Attempt::Write { tostop: false }) {
        return Verdict::Allow;
    }
    let reads = attempt == Attempt::Read;
    let refuses_signal = if reads { caller.refuses_ttin } else { caller.refuses_ttou };
    match (refuses_signal, reads) {
        (true, true) => Verdict::Refuse,
        (true, false) => Verdict::Allow,
        _ if caller.group_is_orphaned => Verdict::Refuse,
        (false, true) => Verdict::StopInput,
        (false, false) => Verdict::StopOutput,
    }
}

/// Why a foreground group may not be set, or a terminal not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// ENOTTY.
    NotTheTerminal,
    /// EINVAL.
    Invalid,
    /// ESRCH.
    NoSuchGroup,
    /// EPERM.
    NotPermitted,
}

/// TIOCSPGRP, once [`judge`] has allowed a change: may a caller of session `session` make `group` the foreground group?
/// `group_session` is the session of that group's members, if there are any; `terminal_session` that of the terminal.
pub fn check_foreground(
    caller: &Caller,
    session: u32,
    terminal_session: Option<u32>,
    group: i32,
    group_session: Option<u32>,
) -> Result<(), Refusal> {
    if !caller.is_controlled || terminal_session != Some(session) {
        return Err(Refusal::NotTheTerminal);
    }
    if group < 0 {
        return Err(Refusal::Invalid);
    }
    match group_session {
        None => Err(Refusal::NoSuchGroup),
        Some(of_group) if of_group != session => Err(Refusal::NotPermitted),
        Some(_) => Ok(()),
    }
}

/// How a session leader gets its controlling terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acquire {
    /// It has it already: nothing to do.
    Kept,
    /// It becomes the terminal's session, its group the foreground group.
    Take,
    /// The same, and the session that had it loses it.
    Steal,
}

/// TIOCSCTTY. `forces` is its argument being 1 from a caller with CAP_SYS_ADMIN; `may_read` that the descriptor is open for
/// reading, or CAP_SYS_ADMIN.
pub fn check_acquire(
    is_leader: bool,
    session: u32,
    has_terminal: bool,
    terminal_session: Option<u32>,
    forces: bool,
    may_read: bool,
) -> Result<Acquire, Refusal> {
    if is_leader && terminal_session == Some(session) {
        return Ok(Acquire::Kept);
    }
    if !is_leader || has_terminal || (terminal_session.is_some() && !forces) || !may_read {
        return Err(Refusal::NotPermitted);
    }
    Ok(if terminal_session.is_some() { Acquire::Steal } else { Acquire::Take })
}

/// Whether opening a terminal makes it the caller's controlling terminal (`open(2)` without O_NOCTTY, of a terminal for
/// reading that no session has, by a session leader that has none).
#[must_use]
pub fn open_acquires(
    is_leader: bool,
    has_terminal: bool,
    terminal_session: Option<u32>,
    no_ctty: bool,
    reads: bool,
) -> bool {
    !no_ctty && is_leader && !has_terminal && terminal_session.is_none() && reads
}
