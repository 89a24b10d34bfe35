//! Identities, groups and capabilities of the calling thread (credentials(7), capabilities(7)).
//!
//! Credentials are never changed in place: each call makes new ones and puts them in the old ones' place. A thread changes its
//! own alone; that a whole process does so together is libc's work.
use abi::Errno;
use abi::raw::general::*;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::{UserPtr, UserSlice};
use task::{Task, tree};
use vfs::{Capabilities, Credentials, Identity};
use zerocopy::IntoBytes;

/// "Leave as it is", and no identity.
const NONE: u32 = u32::MAX;

/// `SECBIT_NO_SETUID_FIXUP`: capabilities do not follow the identities.
const NO_SETUID_FIXUP: u32 = 1 << 2;
/// `SECBIT_KEEP_CAPS`: permitted capabilities stay when the last identity of root goes.
const KEEP_CAPABILITIES: u32 = 1 << 4;

pub fn getuid(task: &Task) -> usize {
    task.credentials().user.real as usize
}

pub fn geteuid(task: &Task) -> usize {
    task.credentials().user.effective as usize
}

pub fn getgid(task: &Task) -> usize {
    task.credentials().group.real as usize
}

pub fn getegid(task: &Task) -> usize {
    task.credentials().group.effective as usize
}

fn write_three(identity: Identity, places: [UserPtr<u32>; 3]) -> Result<(), Errno> {
    let [real, effective, saved] = places;
    real.write(&identity.real)?;
    effective.write(&identity.effective)?;
    saved.write(&identity.saved)
}

pub fn getresuid(task: &Task, real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> Result<(), Errno> {
    write_three(task.credentials().user, [real, effective, saved])
}

pub fn getresgid(task: &Task, real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> Result<(), Errno> {
    write_three(task.credentials().group, [real, effective, saved])
}

/// setuid(2) and setgid(2): all identities with the capability; without it, the effective one becomes the real or saved one.
fn set_one(old: Identity, number: u32, capable: bool) -> Result<Identity, Errno> {
    if number == NONE {
        return Err(Errno::EINVAL);
    }
    if capable {
        return Ok(Identity::all(number));
    }
    if number != old.real && number != old.saved {
        return Err(Errno::EPERM);
    }
    Ok(Identity { effective: number, file_system: number, ..old })
}

/// setreuid(2) and setregid(2). The saved identity follows the effective one where the real one was given, or where the
/// effective one becomes another than the old real one.
fn set_two(old: Identity, real: u32, effective: u32, capable: bool) -> Result<Identity, Errno> {
    let mut new = old;
    if real != NONE {
        if !capable && ![old.real, old.effective].contains(&real) {
            return Err(Errno::EPERM);
        }
        new.real = real;
    }
    if effective != NONE {
        if !capable && ![old.real, old.effective, old.saved].contains(&effective) {
            return Err(Errno::EPERM);
        }
        new.effective = effective;
    }
    if real != NONE || effective != NONE && effective != old.real {
        new.saved = new.effective;
    }
    new.file_system = new.effective;
    Ok(new)
}

/// setresuid(2) and setresgid(2). The file-system identity follows the effective one even where nothing else changes.
fn set_three(old: Identity, wanted: [u32; 3], capable: bool) -> Result<Identity, Errno> {
    let own = [old.real, old.effective, old.saved, NONE];
    if !capable && wanted.iter().any(|number| !own.contains(number)) {
        return Err(Errno::EPERM);
    }
    let [real, effective, saved] = wanted;
    let or = |number: u32, before: u32| if number == NONE { before } else { number };
    let effective = or(effective, old.effective);
    Ok(Identity { real: or(real, old.real), effective, saved: or(saved, old.saved), file_system: effective })
}

/// setfsuid(2) and setfsgid(2): `None` where it is not allowed, which is not an error.
fn set_file_system(old: Identity, number: u32, capable: bool) -> Option<Identity> {
    let own = [old.real, old.effective, old.saved, old.file_system].contains(&number);
    (number != NONE && (own || capable)).then_some(Identity { file_system: number, ..old })
}

/// What becomes of capabilities when the identities change (capabilities(7), "Effect of user ID changes").
fn follow_user(old: &Credentials, new: &mut Credentials) {
    if old.secure_bits & NO_SETUID_FIXUP != 0 {
        return;
    }
    let some_root = |user: Identity| user.real == 0 || user.effective == 0 || user.saved == 0;
    if some_root(old.user) && !some_root(new.user) {
        if old.secure_bits & KEEP_CAPABILITIES == 0 {
            new.permitted = Capabilities::empty();
            new.effective = Capabilities::empty();
        }
        new.ambient = Capabilities::empty();
    }
    match (old.user.effective == 0, new.user.effective == 0) {
        (true, false) => new.effective = Capabilities::empty(),
        (false, true) => new.effective = new.permitted,
        _ => {}
    }
}

/// The same for the file-system identity alone.
fn follow_file_system_user(old: &Credentials, new: &mut Credentials) {
    if old.secure_bits & NO_SETUID_FIXUP != 0 {
        return;
    }
    match (old.user.file_system == 0, new.user.file_system == 0) {
        (true, false) => new.effective -= Capabilities::FILE_SYSTEM,
        (false, true) => new.effective |= new.permitted & Capabilities::FILE_SYSTEM,
        _ => {}
    }
}

fn change_user(task: &Task, change: impl FnOnce(Identity, bool) -> Result<Identity, Errno>) -> Result<(), Errno> {
    let old = task.credentials();
    let user = change(old.user, old.has(Capabilities::SETUID))?;
    if user == old.user {
        return Ok(());
    }
    let mut new = Credentials { user, ..(*old).clone() };
    follow_user(&old, &mut new);
    task.set_credentials(Arc::new(new));
    if user.real != old.user.real {
        tree::change_user(&task.process, user.real);
    }
    Ok(())
}

fn change_group(task: &Task, change: impl FnOnce(Identity, bool) -> Result<Identity, Errno>) -> Result<(), Errno> {
    let old = task.credentials();
    let group = change(old.group, old.has(Capabilities::SETGID))?;
    if group != old.group {
        task.set_credentials(Arc::new(Credentials { group, ..(*old).clone() }));
    }
    Ok(())
}

pub fn setuid(task: &Task, user: u32) -> Result<(), Errno> {
    change_user(task, |old, capable| set_one(old, user, capable))
}

pub fn setgid(task: &Task, group: u32) -> Result<(), Errno> {
    change_group(task, |old, capable| set_one(old, group, capable))
}

pub fn setreuid(task: &Task, real: u32, effective: u32) -> Result<(), Errno> {
    change_user(task, |old, capable| set_two(old, real, effective, capable))
}

pub fn setregid(task: &Task, real: u32, effective: u32) -> Result<(), Errno> {
    change_group(task, |old, capable| set_two(old, real, effective, capable))
}

pub fn setresuid(task: &Task, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
    change_user(task, |old, capable| set_three(old, [real, effective, saved], capable))
}

pub fn setresgid(task: &Task, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
    change_group(task, |old, capable| set_three(old, [real, effective, saved], capable))
}

/// setfsuid(2): answers the old identity, whether it was changed or not.
pub fn setfsuid(task: &Task, number: u32) -> usize {
    let old = task.credentials();
    if let Some(user) =
        set_file_system(old.user, number, old.has(Capabilities::SETUID)).filter(|user| *user != old.user)
    {
        let mut new = Credentials { user, ..(*old).clone() };
        follow_file_system_user(&old, &mut new);
        task.set_credentials(Arc::new(new));
    }
    old.user.file_system as usize
}

pub fn setfsgid(task: &Task, number: u32) -> usize {
    let old = task.credentials();
    if let Some(group) =
        set_file_system(old.group, number, old.has(Capabilities::SETGID)).filter(|group| *group != old.group)
    {
        task.set_credentials(Arc::new(Credentials { group, ..(*old).clone() }));
    }
    old.group.file_system as usize
}

/// getgroups(2); a size of zero asks only how many there are.
pub fn getgroups(task: &Task, size: i32, list: usize) -> Result<usize, Errno> {
    let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    let credentials = task.credentials();
    let bytes = credentials.groups.as_bytes();
    if size != 0 {
        if credentials.groups.len() > size {
            return Err(Errno::EINVAL);
        }
        UserSlice::new(list, bytes.len()).write(bytes)?;
    }
    Ok(credentials.groups.len())
}

pub fn setgroups(task: &Task, size: u32, list: usize) -> Result<(), Errno> {
    let old = task.credentials();
    if !old.has(Capabilities::SETGID) {
        return Err(Errno::EPERM);
    }
    if size > NGROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut groups: Vec<u32> = Vec::new();
    groups.try_reserve_exact(size as usize).map_err(|_| Errno::ENOMEM)?;
    groups.resize(size as usize, 0);
    let bytes = groups.as_mut_slice().as_mut_bytes();
    UserSlice::new(list, bytes.len()).read(bytes)?;
    if groups.contains(&NONE) {
        return Err(Errno::EINVAL);
    }
    groups.sort_unstable();
    task.set_credentials(Arc::new(Credentials { groups: groups.into(), ..(*old).clone() }));
    Ok(())
}

/// `struct __user_cap_header_struct`: version and thread.
type Header = [u32; 2];
/// `struct __user_cap_data_struct`: 32 bits each of the effective, permitted and inheritable set.
type Words = [u32; 3];

/// How many [`Words`] a header's version has. EINVAL for others, which are told the version of today.
fn words_of(header: UserPtr<Header>) -> Result<usize, Errno> {
    let version = header.cast::<u32>();
    match version.read()? {
        _LINUX_CAPABILITY_VERSION_1 => Ok(1),
        _LINUX_CAPABILITY_VERSION_2 | _LINUX_CAPABILITY_VERSION_3 => Ok(2),
        _ => {
            version.write(&_LINUX_CAPABILITY_VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

/// capget(2). Without a place for data it only tells the version.
pub fn capget(task: &Task, header: UserPtr<Header>, data: UserPtr<Words>) -> Result<(), Errno> {
    let count = match words_of(header) {
        Err(Errno::EINVAL) if data.is_null() => return Ok(()),
        count => count?,
    };
    if data.is_null() {
        return Ok(());
    }
    let pid = header.cast::<u32>().element(1).read()?;
    if pid > i32::MAX as u32 {
        return Err(Errno::EINVAL);
    }
    let credentials = match pid {
        0 => task.credentials(),
        pid if pid == task.tid() => task.credentials(),
        pid => tree::find_task(pid).ok_or(Errno::ESRCH)?.credentials(),
    };
    let sets = [credentials.effective, credentials.permitted, credentials.inheritable];
    for index in 0..count {
        data.element(index).write(&sets.map(|set| (set.bits() >> (index * 32)) as u32))?;
    }
    Ok(())
}

/// capset(2), for the calling thread alone.
pub fn capset(task: &Task, header: UserPtr<Header>, data: UserPtr<Words>) -> Result<(), Errno> {
    let count = words_of(header)?;
    let pid = header.cast::<u32>().element(1).read()?;
    if pid != 0 && pid != task.tid() {
        return Err(Errno::EPERM);
    }
    let mut bits = [0_u64; 3];
    for index in 0..count {
        let words = data.element(index).read()?;
        for (set, word) in bits.iter_mut().zip(words) {
            *set |= u64::from(word) << (index * 32);
        }
    }
    let [effective, permitted, inheritable] = bits.map(Capabilities::from_bits_truncate);
    let old = task.credentials();
    if !may_set(&old, effective, permitted, inheritable) {
        return Err(Errno::EPERM);
    }
    let ambient = old.ambient & permitted & inheritable;
    task.set_credentials(Arc::new(Credentials { effective, permitted, inheritable, ambient, ..(*old).clone() }));
    Ok(())
}

/// Nothing permitted is gained, nothing is effective that is not permitted, and what is inheritable was so, or is within the
/// bounding set and (without CAP_SETPCAP) permitted.
fn may_set(old: &Credentials, effective: Capabilities, permitted: Capabilities, inheritable: Capabilities) -> bool {
    let inherits = old.has(Capabilities::SETPCAP) || (old.inheritable | old.permitted).contains(inheritable);
    inherits
        && (old.inheritable | old.bounding).contains(inheritable)
        && old.permitted.contains(permitted)
        && permitted.contains(effective)
}
