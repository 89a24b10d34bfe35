//! What a file system does for the page cache.
use abi::Errno;
use memory::Frame;

/// Which kind of backing it is; asked once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// A page that is not in the cache is all zeros, and need not be brought in to be read.
    pub absent_is_zero: bool,
    /// Changed pages are marked dirty, to be stored later.
    pub write_back: bool,
}

/// Where pages come from and go to. All may sleep. Called without locks of the cache.
pub trait Backing: Send + Sync {
    fn behaviour(&self) -> Behaviour;

    /// The contents of page `index`, which is not in the cache: a frame of its own. ENOMEM; ENOSPC; EIO.
    fn load(&self, index: u64) -> Result<Frame, Errno>;

    /// A frame for page `index` that the caller fills whole, whatever it contains.
    fn make(&self, index: u64) -> Result<Frame, Errno> {
        self.load(index)
    }

    /// `pages` pages that it loaded or made have left the cache.
    fn left(&self, pages: u64) {
        let _ = pages;
    }

    /// Stores a page for good.
    fn store(&self, index: u64, page: &Frame) -> Result<(), Errno> {
        let _ = (index, page);
        Ok(())
    }
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageError {
    /// The page lies wholly beyond the end of the file: a fault on it is SIGBUS.
    BeyondEnd,
    /// The backing failed.
    Failed(Errno),
}

impl From<PageError> for Errno {
    fn from(error: PageError) -> Self {
        match error {
            PageError::BeyondEnd => Errno::EINVAL,
            PageError::Failed(errno) => errno,
        }
    }
}
