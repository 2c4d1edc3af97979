//! Puts private files into a container before it starts.
//!
//! They are written into the container's own layer through the engine's archive interface, so they
//! show in no environment, no label, no argument and no inspection, and they are gone with the
//! container. Their mode is 0444: images run their commands as users that nobody outside knows the
//! number of, and the engine keeps the layer where only root reads it. Nothing of them is on this
//! machine's disks outside the engine.

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};

use super::Containers;
use super::trouble::trouble;
use crate::runner::{PrivateFile, RunnerError, RunnerErrorKind};

impl Containers {
    /// Puts `files` into a container that was created and not started.
    pub(super) async fn put_files(
        &self,
        container: &str,
        image: &str,
        files: &[PrivateFile],
    ) -> Result<(), RunnerError> {
        // Before any file is put: what the image has is looked for, not what a file brings along.
        let mut places = Vec::new();
        for file in files {
            places.push((file, self.directory_for(container, image, &file.path).await?));
        }
        for (file, existing) in places {
            let rest = file.path.strip_prefix(&existing).unwrap_or(&file.path);
            let archive = archive(rest, file).map_err(|error| RunnerError {
                what: format!("private file {} cannot be packed", file.path),
                advice: "Check the path: it must be absolute, without `..`, and of ordinary length.".into(),
                kind: RunnerErrorKind::NotStarted,
                source: Some(Box::new(error)),
            })?;
            let options = UploadToContainerOptionsBuilder::default().path(existing.as_str()).build();
            // As a stream, because the client's own debug log shows bodies that are in one piece.
            let body = bollard::body_stream(futures_util::stream::once(async { Bytes::from(archive) }));
            let put = self.client.upload_to_container(container, Some(options), body).await;
            put.map_err(|error| self.address.refused(&format!("put {} into a container", file.path), error))?;
        }
        Ok(())
    }

    /// The deepest directory that an image has on the way to `path`; `container` is one of it.
    ///
    /// Only what is missing may be created: an archive that names a directory sets its owner and mode,
    /// and those of the image's directories must stay.
    async fn directory_for(&self, container: &str, image: &str, path: &Utf8Path) -> Result<Utf8PathBuf, RunnerError> {
        let known = (image.to_owned(), path.to_owned());
        let seen = self.seen().directories.get(&known).cloned();
        if let Some(existing) = seen {
            return Ok(existing);
        }
        let plain =
            path.is_absolute() && path.components().all(|part| part.as_str() != "..") && path.file_name().is_some();
        if !plain {
            return Err(trouble(
                RunnerErrorKind::NotStarted,
                format!("`{path}` is no place for a private file"),
                "The path must be absolute, name a file, and be without `..`.",
            ));
        }
        let mut existing = path.parent().unwrap_or(Utf8Path::new("/"));
        while existing != "/" && self.stat(container, existing.as_str()).await?.is_none() {
            existing = existing.parent().unwrap_or(Utf8Path::new("/"));
        }
        self.seen().directories.insert(known, existing.to_owned());
        Ok(existing.to_owned())
    }
}

/// An archive with a file and the directories above it.
fn archive(path: &Utf8Path, file: &PrivateFile) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut directories: Vec<&Utf8Path> = path.ancestors().skip(1).filter(|part| !part.as_str().is_empty()).collect();
    directories.reverse();
    for directory in directories {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        archive.append_data(&mut header, directory, std::io::empty())?;
    }
    let content = file.content.expose().as_bytes();
    let mut header = header(tar::EntryType::Regular, 0o444, content.len() as u64);
    archive.append_data(&mut header, path, content)?;
    archive.into_inner()
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn the_archive_holds_the_missing_directories_and_the_file_readable_by_any_user() {
        let file = PrivateFile {
            path: "/etc/keystone/keystone.conf".into(),
            passed_with: None,
            content: Secret::new("[database]"),
        };
        let archive = archive("keystone/keystone.conf".into(), &file).expect("packed");
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries: Vec<(String, u32)> = archive
            .entries()
            .expect("entries")
            .map(|entry| {
                let entry = entry.expect("entry");
                (entry.path().expect("path").display().to_string(), entry.header().mode().expect("mode"))
            })
            .collect();
        assert_eq!(entries, [("keystone".into(), 0o755), ("keystone/keystone.conf".into(), 0o444)]);
    }
}
