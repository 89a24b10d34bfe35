//! The header of a member: thirteen numbers of eight hexadecimal digits behind six bytes of magic.
use crate::reason::Reason;
use crate::source::Counted;
use abi::file::DeviceNumber;

/// Bytes of a header.
pub(crate) const LENGTH: usize = 110;

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) inode: u32,
    pub(crate) mode: u32,
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) links: u32,
    pub(crate) modified: u32,
    /// Bytes of contents.
    pub(crate) size: u32,
    /// The device that the member was on; only to tell hard links apart.
    pub(crate) origin: DeviceNumber,
    /// The device that it stands for.
    pub(crate) device: DeviceNumber,
    /// Bytes of the name, its NUL included.
    pub(crate) name_size: u32,
    /// Sum of all bytes of the contents, where the magic says that there is one.
    pub(crate) checksum: Option<u32>,
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

impl Header {
    pub(crate) fn read(source: &mut Counted<'_>) -> Result<Self, Reason> {
        let mut bytes = [0; LENGTH];
        source.read(&mut bytes)?;
        let has_checksum = match &bytes[..6] {
            b"070701" => false,
            b"070702" => true,
            // The old format, with octal numbers.
            b"070707" => return Err(Reason::OldFormat),
            _ => return Err(Reason::BadMagic),
        };
        let mut fields = [0; 13];
        for (field, digits) in fields.iter_mut().zip(bytes[6..].chunks_exact(8)) {
            *field = hexadecimal(digits).ok_or(Reason::BadHeader)?;
        }
        let [inode, mode, user, group, links, modified, size, major, minor, to_major, to_minor, name_size, sum] =
            fields;
        Ok(Self {
            inode,
            mode,
            user,
            group,
            links,
            modified,
            size,
            origin: DeviceNumber::new(major, minor),
            device: DeviceNumber::new(to_major, to_minor),
            name_size,
            checksum: has_checksum.then_some(sum),
        })
    }
}
