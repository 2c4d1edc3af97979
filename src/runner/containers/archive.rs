//! Reads the archives that an engine makes of paths in a container.
//!
//! Their content comes from an image and may be anything: links, foreign bytes, sizes that lie. Nothing of it
//! is ever written to a disk; a path in it is a name and leads nowhere.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

/// The most bytes of one archive.
pub(super) const MOST: usize = 64 << 20;

/// What a path in an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file with this text.
    Text(String),
    /// A directory.
    Directory,
    /// A link, symbolic or hard, whose content is not in this archive.
    Link,
    /// Something else: a device, a pipe.
    Other,
}

/// The entries of an archive by their path below its first part, which is the name of what was asked for and
/// has the empty path. Of files only those are read that `wanted` says.
///
/// # Errors
/// Why the archive cannot be read.
pub(super) fn entries(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> std::io::Result<BTreeMap<String, Entry>> {
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    let mut found: BTreeMap<String, Entry> = BTreeMap::new();
    let mut left = MOST as u64;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = below_first(&String::from_utf8_lossy(&entry.path_bytes()));
        let kind = entry.header().entry_type();
        let entry = match kind {
            tar::EntryType::Directory => Entry::Directory,
            tar::EntryType::Symlink => Entry::Link,
            tar::EntryType::Link => {
                let target = entry.link_name_bytes().map(|name| below_first(&String::from_utf8_lossy(&name)));
                match target.and_then(|target| found.get(&target)) {
                    Some(Entry::Text(text)) => Entry::Text(text.clone()),
                    _ => Entry::Link,
                }
            }
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                if !wanted(&path) {
                    continue;
                }
                let mut content = Vec::new();
                // A sparse file may say that it is larger than the archive.
                let size = entry.by_ref().take(left + 1).read_to_end(&mut content)? as u64;
                left = left.checked_sub(size).ok_or_else(too_large)?;
                Entry::Text(String::from_utf8_lossy(&content).into_owned())
            }
            _ => Entry::Other,
        };
        found.insert(path, entry);
    }
    Ok(found)
}

/// The error of content that is larger than anything sensible.
pub(super) fn too_large() -> std::io::Error {
    std::io::Error::other(format!("more than {} MB", MOST >> 20))
}

/// A path without its first part, and without what leads nowhere.
fn below_first(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.get(1..).unwrap_or_default().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(kind: tar::EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    }

    #[test]
    fn links_and_foreign_bytes_are_survived_and_hard_links_have_their_content() {
        let mut builder = tar::Builder::new(Vec::new());
        let dir = &mut header(tar::EntryType::Directory, 0);
        builder.append_data(dir, "versions/", std::io::empty()).expect("added");
        builder.append_data(&mut header(tar::EntryType::Regular, 3), "versions/a.py", &b"a\xff\n"[..]).expect("added");
        builder.append_link(&mut header(tar::EntryType::Link, 0), "versions/b.py", "versions/a.py").expect("added");
        builder.append_link(&mut header(tar::EntryType::Link, 0), "versions/c.py", "elsewhere/x.py").expect("added");
        builder.append_link(&mut header(tar::EntryType::Symlink, 0), "versions/d.py", "/etc/shadow").expect("added");
        builder.append_data(&mut header(tar::EntryType::Regular, 2), "versions/e.pyc", &b"xx"[..]).expect("added");
        let bytes = builder.into_inner().expect("an archive");
        let found = entries(&bytes, |path| path.ends_with(".py")).expect("read");
        let text = Entry::Text("a\u{fffd}\n".to_owned());
        let expected = [
            ("", Entry::Directory),
            ("a.py", text.clone()),
            ("b.py", text),
            ("c.py", Entry::Link),
            ("d.py", Entry::Link),
        ];
        assert_eq!(found, expected.map(|(path, entry)| (path.to_owned(), entry)).into());
    }

    #[test]
    fn an_archive_that_is_cut_off_or_lies_is_an_error() {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_data(&mut header(tar::EntryType::Regular, 900), "v/a.py", &[b'x'; 900][..]).expect("added");
        let bytes = builder.into_inner().expect("an archive");
        assert!(entries(&bytes[..700], |_| true).is_err());
        assert!(entries(&[7; 1024], |_| true).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000), flips in prop::collection::vec((0usize..3000, any::<u8>()), 0..20)) {
            let _ = entries(&bytes, |_| true);
            let mut builder = tar::Builder::new(Vec::new());
            builder.append_data(&mut header(tar::EntryType::Regular, 900), "v/a.py", &[b'x'; 900][..]).expect("added");
            let mut archive = builder.into_inner().expect("an archive");
            for (at, byte) in flips {
                let length = archive.len();
                archive[at % length] = byte;
            }
            let _ = entries(&archive, |_| true);
        }
    }
}
