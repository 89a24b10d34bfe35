//! Files whose contents are text, made when it is read.
use crate::node::Node;
use abi::file::OpenFlags;
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use memory::{Reader, Writer};
use sync::{Mutex, Rank};
use vfs::{FileOperations, FileSource, Inode, OpenFile, Seekable};

/// Collects text. Running out of memory is remembered, and ends the reading with ENOMEM.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    failed: bool,
}

impl Output {
    /// Adds bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.bytes.try_reserve(bytes.len()).is_err() {
            self.failed = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// How much there is so far, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What there is so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes all away, but not the memory for it.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// ENOMEM where something did not fit.
    pub fn check(&self) -> Result<(), Errno> {
        if self.failed { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Whether it ends so.
    pub fn ends_with(&self, end: &[u8]) -> bool {
        self.bytes.ends_with(end)
    }

    /// Takes away what stands behind the first NUL; without one, nothing.
    pub fn cut_behind_first_nul(&mut self) {
        if let Some(at) = self.bytes.iter().position(|&byte| byte == 0) {
            self.bytes.truncate(at + 1);
        }
    }

    fn finish(self) -> Result<Vec<u8>, Errno> {
        if self.failed { Err(Errno::ENOMEM) } else { Ok(self.bytes) }
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        if self.failed { Err(fmt::Error) } else { Ok(()) }
    }
}

/// What a text file says, and what writing to it does.
pub trait Text: Send + Sync {
    /// Writes the whole text. May sleep. What `fmt` fails with need not be passed on: [`Output`] remembers.
    fn show(&self, output: &mut Output) -> Result<(), Errno>;

    /// Takes what was written in one call, at most a page less a byte; answers how much of it counts. EIO for a file that is
    /// only read, as Linux answers.
    fn write(&self, bytes: &[u8], position: u64) -> Result<usize, Errno> {
        let _ = (bytes, position);
        Err(Errno::EIO)
    }

    /// Whether it may be opened, beyond what its mode says. EACCES; ESRCH.
    fn check_open(&self, flags: OpenFlags) -> Result<(), Errno> {
        let _ = flags;
        Ok(())
    }

    /// The size that `stat(2)` shows: 0 in proc, a page in sysfs.
    fn size(&self) -> u64 {
        0
    }
}

struct Shown<F>(F);

impl<F: Fn(&mut Output) -> fmt::Result + Send + Sync> Text for Shown<F> {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        // It can only fail for want of memory, which the output remembers.
        let _ = (self.0)(output);
        Ok(())
    }
}

/// A text from a function that writes it.
pub fn text(show: impl Fn(&mut Output) -> fmt::Result + Send + Sync + 'static) -> Arc<dyn Text> {
    Arc::new(Shown(show))
}

struct Attribute<F>(F);

impl<F: Fn(&mut Output) -> fmt::Result + Send + Sync> Text for Attribute<F> {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        let _ = (self.0)(output);
        Ok(())
    }

    fn size(&self) -> u64 {
        PAGE_SIZE as u64
    }
}

/// An attribute of sysfs, which everybody may read: a text that claims to be a page.
pub fn attribute(show: impl Fn(&mut Output) -> fmt::Result + Send + Sync + 'static) -> Node {
    Node::text(Arc::new(Attribute(show)))
}

/// A text as a file to be opened.
pub(crate) struct TextSource(pub(crate) Arc<dyn Text>);

impl FileSource for TextSource {
    fn open(&self, _: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        self.0.check_open(flags)?;
        Ok(Arc::new(OpenText { text: self.0.clone(), shown: Mutex::new(Rank::FilePosition, None) }))
    }

    fn size(&self) -> u64 {
        self.0.size()
    }
}

/// An opening, with the text as it was when its start was read. (Its lock has the rank of a position, and comes after the
/// file's own: what shows the text may need any other lock.)
struct OpenText {
    text: Arc<dyn Text>,
    shown: Mutex<Option<Vec<u8>>>,
}

impl FileOperations for OpenText {
    fn read(&self, _: &OpenFile, position: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let mut shown = self.shown.lock_nested();
        if *position == 0 || shown.is_none() {
            let mut output = Output::default();
            self.text.show(&mut output)?;
            *shown = Some(output.finish()?);
        }
        let text = shown.as_deref().unwrap_or(&[]);
        let rest = usize::try_from(*position).ok().and_then(|at| text.get(at..)).unwrap_or(&[]);
        let count = into.write(rest)?;
        *position += count as u64;
        Ok(count)
    }

    fn write(&self, _: &OpenFile, position: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let length = from.remaining();
        if length >= PAGE_SIZE {
            return Err(Errno::EINVAL);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(length, 0);
        from.read_exact(&mut bytes)?;
        let count = self.text.write(&bytes, *position)?;
        *position += count as u64;
        Ok(count)
    }

    fn seekable(&self) -> Seekable {
        Seekable::Yes
    }
}
