//! The writer against GNU cpio's own reading of the format, and against the format's text.
use super::{Attributes, Kind, Shared, Writer};

/// Reads an archive back: name, mode, links, data.
fn read_back(bytes: &[u8]) -> Vec<(String, u32, u32, Vec<u8>)> {
    let (mut at, mut members) = (0, Vec::new());
    loop {
        assert_eq!(&bytes[at..at + 6], b"070701");
        let field = |index: usize| {
            let start = at + 6 + index * 8;
            let digits = std::str::from_utf8(&bytes[start..start + 8]).unwrap();
            usize::from_str_radix(digits, 16).unwrap()
        };
        let (mode, links, length, name_length) = (field(1), field(4), field(6), field(11));
        let name = &bytes[at + 110..at + 110 + name_length];
        assert_eq!(name.last(), Some(&0));
        let name = String::from_utf8(name[..name_length - 1].to_vec()).unwrap();
        let data = (at + 110 + name_length).next_multiple_of(4);
        if name == "TRAILER!!!" {
            assert!(bytes.len().is_multiple_of(512) && bytes[data..].iter().all(|&byte| byte == 0));
            return members;
        }
        members.push((name, mode as u32, links as u32, bytes[data..data + length].to_vec()));
        at = (data + length).next_multiple_of(4);
    }
}

#[test]
fn members_are_read_back() {
    let mut writer = Writer::new(Vec::new());
    writer.add(b".", &Attributes::new(Kind::Folder, 0o755), b"").unwrap();
    writer.add(b"etc", &Attributes::new(Kind::Folder, 0o755), b"").unwrap();
    writer.add(b"etc/odd", &Attributes::new(Kind::File, 0o4711), b"12345").unwrap();
    writer.add(b"bin", &Attributes::new(Kind::Link, 0o777), b"usr/bin").unwrap();
    let members = read_back(&writer.finish().unwrap());
    let expected =
        [(".", 0o040_755, ""), ("etc", 0o040_755, ""), ("etc/odd", 0o104_711, "12345"), ("bin", 0o120_777, "usr/bin")];
    assert_eq!(members.len(), expected.len());
    for ((name, mode, links, data), expected) in members.iter().zip(expected) {
        assert_eq!((name.as_str(), *mode, data.as_slice()), (expected.0, expected.1, expected.2.as_bytes()));
        assert_eq!(*links, 1);
    }
}

#[test]
fn hard_links_share_a_number() {
    let mut writer = Writer::new(Vec::new());
    let shared = Some(Shared { inode: writer.new_inode(), names: 2 });
    let file = Attributes::new(Kind::File, 0o644);
    writer.add_from(b"a", &file, shared, 3, &mut &b"abc"[..]).unwrap();
    writer.add_from(b"b", &file, shared, 0, &mut &b""[..]).unwrap();
    let bytes = writer.finish().unwrap();
    let members = read_back(&bytes);
    assert_eq!(members.iter().map(|member| (member.2, member.3.len())).collect::<Vec<_>>(), [(2, 3), (2, 0)]);
    assert_eq!(bytes[6..14], bytes[110 + 2 + 4 + 6..][..8], "one inode number");
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let mut writer = Writer::new(Vec::new());
    let answer = writer.add_from(b"a", &Attributes::new(Kind::File, 0o644), None, 4, &mut &b"abc"[..]);
    assert!(answer.is_err());
}

#[test]
fn gnu_cpio_agrees() {
    let mut writer = Writer::new(Vec::new());
    writer.add(b"dir", &Attributes::new(Kind::Folder, 0o750), b"").unwrap();
    writer.add(b"dir/file", &Attributes::new(Kind::File, 0o640), b"data").unwrap();
    let console = Attributes { device: (5, 1), ..Attributes::new(Kind::CharacterDevice, 0o600) };
    writer.add(b"dir/console", &console, b"").unwrap();
    let bytes = writer.finish().unwrap();
    if !crate::program::exists("cpio") {
        return;
    }
    let path = std::env::temp_dir().join(format!("birgus-cpio-{}", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let listing = crate::program::Program::new("cpio").args(["-itvn", "--quiet", "-F"]).arg(&path).text().unwrap();
    std::fs::remove_file(&path).unwrap();
    let fields: Vec<Vec<&str>> = listing.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((fields[0][0], fields[0][8]), ("drwxr-x---", "dir"));
    assert_eq!((fields[1][0], fields[1][4], fields[1][8]), ("-rw-r-----", "4", "dir/file"));
    assert_eq!((fields[2][0], fields[2][4], fields[2][5]), ("crw-------", "5,", "1"));
}
