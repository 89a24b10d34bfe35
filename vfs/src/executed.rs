//! Files that programs run from.
use crate::OpenFile;
use abi::Errno;
use alloc::sync::Arc;
use core::ops::Deref;

/// An open file that is executed: as long as this lives, nobody opens it for writing or truncates it (execve(2), ETXTBSY).
pub struct ExecutedFile(Arc<OpenFile>);

impl ExecutedFile {
    /// ETXTBSY while it is open for writing.
    pub fn new(file: Arc<OpenFile>) -> Result<Self, Errno> {
        file.inode().deny_writing()?;
        Ok(Self(file))
    }
}

impl Deref for ExecutedFile {
    type Target = OpenFile;

    fn deref(&self) -> &OpenFile {
        &self.0
    }
}

impl Drop for ExecutedFile {
    fn drop(&mut self) {
        self.0.inode().allow_writing();
    }
}
