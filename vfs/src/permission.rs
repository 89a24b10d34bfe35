//! Who may do what (`path_resolution(7)`, `capabilities(7)`).
use crate::credentials::{Capabilities, Credentials};
use crate::inode::Inode;
use abi::Errno;
use abi::file::{Access, mode};

impl Inode {
    /// Whether `credentials` give this access. EACCES.
    #[inline]
    pub fn check_access(&self, credentials: &Credentials, wanted: Access) -> Result<(), Errno> {
        // Rights that everybody has need no look at who asks.
        let mode = self.permissions();
        let everybody = mode & (mode >> 3) & (mode >> 6) & 0o7;
        if wanted.bits() & !everybody == 0 {
            return Ok(());
        }
        self.check_access_of(credentials, wanted, mode)
    }

    fn check_access_of(&self, credentials: &Credentials, wanted: Access, mode: u32) -> Result<(), Errno> {
        let rights = if credentials.user.file_system == self.user() {
            mode >> 6
        } else if credentials.in_group(self.group()) {
            mode >> 3
        } else {
            mode
        };
        if wanted.bits() & !(rights & 0o7) == 0 {
            return Ok(());
        }
        // Root may search and write everything, but not execute a file that nobody may execute.
        let executes = wanted.contains(Access::EXECUTE) && !self.is_directory();
        if credentials.has(Capabilities::DAC_OVERRIDE) && (!executes || mode & mode::ANY_EXECUTE != 0) {
            return Ok(());
        }
        let only_looks = if self.is_directory() { Access::READ | Access::EXECUTE } else { Access::READ };
        if credentials.has(Capabilities::DAC_READ_SEARCH) && only_looks.contains(wanted) {
            return Ok(());
        }
        Err(Errno::EACCES)
    }

    /// Whether the caller owns it or may act as if. EPERM.
    pub fn check_owner(&self, credentials: &Credentials) -> Result<(), Errno> {
        if credentials.user.file_system == self.user() || credentials.has(Capabilities::FOWNER) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Whether an entry of this folder may be removed or renamed: write access to the folder, and where it is sticky, only
    /// by the owner of the file or of the folder. EACCES; EPERM.
    pub(crate) fn check_removal(&self, credentials: &Credentials, victim: &Inode) -> Result<(), Errno> {
        self.check_access(credentials, Access::WRITE | Access::EXECUTE)?;
        let user = credentials.user.file_system;
        if self.permissions() & mode::STICKY != 0
            && user != victim.user()
            && user != self.user()
            && !credentials.has(Capabilities::FOWNER)
        {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}
