//! Layers: tar files in which only names, modes and contents tell one from another.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::Digest;

/// A layer, in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// The tar, not compressed.
    pub(super) path: Utf8PathBuf,
    pub(super) known: Known,
}

/// What is known of a layer, and kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// What images call it by: the digest of the tar.
    pub(super) diff_id: Digest,
    /// The length of the tar.
    pub(super) size: u64,
    /// What it holds, in a few words.
    pub(super) title: String,
}

/// What is at a path of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A directory of a user; directories of root on the way to something need no entry.
    Directory {
        /// The user's and the group's number.
        owner: u64,
    },
    /// A file as it is on this machine; what is executable stays so.
    File(Utf8PathBuf),
    /// A file with this text.
    Text(String),
    /// A symbolic link.
    Link(Utf8PathBuf),
}

/// Writes a layer: entries by their path without a leading slash. Everything is root's, and of `moment` (seconds since
/// 1970).
pub(super) fn write(to: impl Write, entries: &BTreeMap<Utf8PathBuf, Entry>, moment: u64) -> io::Result<(Digest, u64)> {
    let mut tar = tar::Builder::new(Hashing::new(BufWriter::with_capacity(1 << 20, to)));
    let mut all: BTreeMap<&Utf8Path, Option<&Entry>> = BTreeMap::new();
    for (path, entry) in entries {
        for above in path.ancestors().skip(1).filter(|above| !above.as_str().is_empty()) {
            all.entry(above).or_insert(None);
        }
        all.insert(path, Some(entry));
    }
    for (path, entry) in all {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(moment);
        let (kind, mode) = match entry {
            None | Some(Entry::Directory { .. }) => (tar::EntryType::Directory, 0o755),
            Some(Entry::Link(_)) => (tar::EntryType::Symlink, 0o777),
            Some(Entry::Text(_)) => (tar::EntryType::Regular, 0o644),
            Some(Entry::File(file)) => {
                let executable = fs::metadata(file)?.permissions().mode() & 0o100 != 0;
                (tar::EntryType::Regular, if executable { 0o755 } else { 0o644 })
            }
        };
        header.set_entry_type(kind);
        header.set_mode(mode);
        let owner = if let Some(Entry::Directory { owner }) = entry { *owner } else { 0 };
        header.set_uid(owner);
        header.set_gid(owner);
        match entry {
            None | Some(Entry::Directory { .. }) => {
                header.set_size(0);
                tar.append_data(&mut header, path, io::empty())?;
            }
            Some(Entry::Link(target)) => {
                header.set_size(0);
                tar.append_link(&mut header, path, target)?;
            }
            Some(Entry::Text(text)) => {
                header.set_size(text.len() as u64);
                tar.append_data(&mut header, path, text.as_bytes())?;
            }
            Some(Entry::File(file)) => {
                let file = File::open(file)?;
                header.set_size(file.metadata()?.len());
                tar.append_data(&mut header, path, file)?;
            }
        }
    }
    tar.into_inner()?.end()
}

/// Passes bytes on, and counts and sums them up.
pub(super) struct Hashing<W> {
    to: W,
    sum: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, sum: Sha256::new(), size: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The digest and the number of all bytes.
    pub(super) fn sum(self) -> io::Result<(Digest, u64)> {
        let hex: String = self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((format!("sha256:{hex}").parse().map_err(io::Error::other)?, self.size))
    }
}

impl<W: Write> Hashing<W> {
    /// Brings everything out, and what it was.
    pub(super) fn end(mut self) -> io::Result<(Digest, u64)> {
        self.flush()?;
        self.sum()
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.take(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.to.read(into)?;
        self.take(&into[..read]);
        Ok(read)
    }
}

/// The digest of some bytes.
pub(super) fn digest(bytes: &[u8]) -> io::Result<Digest> {
    let mut hashing = Hashing::new(io::sink());
    hashing.write_all(bytes)?;
    hashing.end().map(|(digest, _)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_holds_names_modes_and_contents_and_nothing_of_the_machine() {
        let layer = |mode: u32, when: u64| {
            let directory = tempfile::tempdir().expect("a directory");
            let file = Utf8PathBuf::from_path_buf(directory.path().join("file")).expect("UTF-8");
            fs::write(&file, "content").expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
            let touched = std::time::UNIX_EPOCH + std::time::Duration::from_secs(when);
            File::options().write(true).open(&file).and_then(|file| file.set_modified(touched)).expect("touched");
            let entries = [
                ("opt/x/bin/run".into(), Entry::File(file)),
                ("opt/x/bin/link".into(), Entry::Link("/usr/bin/python3".into())),
                ("opt/x.cfg".into(), Entry::Text("text".into())),
                ("home/user".into(), Entry::Directory { owner: 7 }),
            ];
            let mut bytes = Vec::new();
            let told = write(&mut bytes, &entries.into(), 86_400).expect("written");
            assert_eq!(told, (digest(&bytes).expect("a digest"), bytes.len() as u64));
            bytes
        };
        let one = layer(0o755, 1);
        assert_eq!(one, layer(0o711, 1_000_000));
        assert_ne!(one, layer(0o644, 1));
        let mut archive = tar::Archive::new(one.as_slice());
        let told: Vec<String> = archive
            .entries()
            .expect("a tar")
            .map(|entry| {
                let entry = entry.expect("an entry");
                let header = entry.header();
                let (mode, owner, moment) = (header.mode(), header.uid(), header.mtime());
                assert_eq!(moment.expect("a moment"), 86_400);
                let path = entry.path().expect("a path").display().to_string();
                format!("{path} {:o} {}", mode.expect("a mode"), owner.expect("an owner"))
            })
            .collect();
        assert_eq!(
            told,
            [
                "home 755 0",
                "home/user 755 7",
                "opt 755 0",
                "opt/x 755 0",
                "opt/x/bin 755 0",
                "opt/x/bin/link 777 0",
                "opt/x/bin/run 755 0",
                "opt/x.cfg 644 0"
            ]
        );
    }
}
