//! What a task wrote into its own filesystem, as far as it may be a database.
//!
//! A command that does not see its configuration falls back to a default: keystone and barbican make a
//! SQLite file where they stand, migrate that, and say that all went well. The engine knows which files of
//! a container differ from its image, so such a file is found without running anything.

use bollard::models::ChangeType;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use camino::{Utf8Path, Utf8PathBuf};
use futures_util::StreamExt;

use super::Containers;
use crate::runner::stray::{MAGIC, may_be_database};
use crate::runner::{RunnerError, TaskHandle};

/// The header before a file's content in an archive.
const HEADER: usize = 512;

/// Storage drivers that know what a container changed. Others compare all of its files with all of its
/// image's: fuse-overlayfs took 7 s for 600 MB (Docker Engine 20.10).
const LISTING: [&str; 5] = ["overlay2", "overlay", "overlayfs", "btrfs", "zfs"];

/// Where an engine keeps images and containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The storage driver's name, such as `overlay2`.
    pub driver: String,
    /// Whether it knows what a container changed without comparing every file.
    pub lists_changes: bool,
    /// The directory on the engine's machine.
    pub directory: Option<Utf8PathBuf>,
}

impl Containers {
    /// Where the engine keeps images and containers; nothing if it does not say.
    pub async fn storage(&self) -> Option<Storage> {
        let info = self.client.info().await.ok()?;
        let driver = info.driver?;
        let lists_changes = LISTING.contains(&driver.as_str());
        Some(Storage { driver, lists_changes, directory: info.docker_root_dir.map(Utf8PathBuf::from) })
    }

    /// Whether the engine can tell quickly what a container changed.
    pub(super) async fn lists_changes(&self) -> bool {
        let asked = self.lists_changes.get_or_try_init(|| async {
            self.client.info().await.map(|info| info.driver.is_some_and(|driver| LISTING.contains(&driver.as_str())))
        });
        // An engine that does not say is asked again next time.
        asked.await.copied().unwrap_or(false)
    }

    /// The SQLite files that a task added or changed.
    pub(super) async fn written_databases(&self, task: &TaskHandle) -> Result<Vec<Utf8PathBuf>, RunnerError> {
        let changes = self.client.container_changes(&task.0).await;
        let changes = changes.map_err(|error| self.address.refused("ask what a container wrote", error))?;
        let mut databases = Vec::new();
        for change in changes.unwrap_or_default() {
            let path = Utf8PathBuf::from(change.path);
            let there = change.kind != ChangeType::_2;
            if there && may_be_database(&path) && self.is_sqlite(task, &path).await {
                databases.push(path);
            }
        }
        databases.sort();
        Ok(databases)
    }

    /// Whether the file's content is SQLite's, or nothing yet. One that cannot be read counts: its name is all
    /// that is known.
    async fn is_sqlite(&self, task: &TaskHandle, path: &Utf8Path) -> bool {
        let options = DownloadFromContainerOptionsBuilder::default().path(path.as_str()).build();
        let mut archive = self.client.download_from_container(&task.0, Some(options));
        let mut start = Vec::new();
        while start.len() < HEADER + MAGIC.len() {
            match archive.next().await {
                Some(Ok(bytes)) => start.extend_from_slice(&bytes),
                Some(Err(_)) => return true,
                None => break,
            }
        }
        holds_sqlite(&start)
    }
}

/// Whether an archive of one path begins with a SQLite file, or with an empty one: SQLite writes its first
/// page with the first table.
fn holds_sqlite(archive: &[u8]) -> bool {
    let Some(header) = archive.get(..HEADER) else { return true };
    let mut bytes = [0; HEADER];
    bytes.copy_from_slice(header);
    let header = tar::Header::from_byte_slice(&bytes);
    if !header.entry_type().is_file() {
        return false;
    }
    header.size().is_ok_and(|size| size == 0) || archive[HEADER..].starts_with(MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, "keystone.db", content).expect("packed");
        archive.into_inner().expect("packed")
    }

    #[test]
    fn a_database_is_known_by_its_name_and_by_how_it_begins() {
        assert!(may_be_database("/keystone.db".into()) && may_be_database("/var/lib/barbican/barbican.sqlite".into()));
        assert!(!may_be_database("/etc/nova/nova.conf".into()) && !may_be_database("/tmp/db".into()));
        assert!(holds_sqlite(&archive(tar::EntryType::Regular, b"SQLite format 3\0\x10\0\x01\x01")));
        assert!(holds_sqlite(&archive(tar::EntryType::Regular, b"")), "an empty file is one that was just made");
        assert!(!holds_sqlite(&archive(tar::EntryType::Regular, b"a list of mime types")));
        assert!(!holds_sqlite(&archive(tar::EntryType::Directory, b"")));
    }
}
