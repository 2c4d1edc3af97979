//! Reads files of an image without running anything: from the archive of a container that is never started.
//!
//! An engine needs about 50 ms for each archive, whatever its size up to some megabytes, and gives one at a
//! time. So directories and files that lie close to each other come in one archive.

use std::collections::{BTreeMap, BTreeSet};

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::StreamExt;

use super::Containers;
use super::archive::{self, Entry, MOST};
use super::places::Environments;
use super::programs::{Probe, is_link};
use super::trouble::is_missing;
use crate::runner::read::READ;
use crate::runner::{PackageFiles, PackageRequest, PinnedImage, ReadFiles, ReadRequest, RunnerError, RunnerErrorKind};

impl Containers {
    /// Reads what is asked for of an image that is here.
    pub(super) async fn read_image(
        &self,
        image: &PinnedImage,
        request: &ReadRequest,
    ) -> Result<ReadFiles, RunnerError> {
        let probe = self.probe(image).await?;
        let read = self.read_in(&probe, request).await;
        probe.done().await;
        read
    }

    async fn read_in(&self, probe: &Probe, request: &ReadRequest) -> Result<ReadFiles, RunnerError> {
        let lacking = self.lacking_in(probe, &request.programs).await?;
        let mut environments = Environments::new();
        let mut packages = Vec::new();
        for package in &request.packages {
            let places = self.places(probe, &package.program, &mut environments).await?;
            packages.push(match self.place_of(probe, places, package).await? {
                Some(place) => self.read_package(probe, place, package).await?,
                None => PackageFiles::default(),
            });
        }
        Ok(ReadFiles { lacking, packages })
    }

    /// The first of `places` that has something of what is asked for; the first one where none has.
    async fn place_of(
        &self,
        probe: &Probe,
        places: Vec<String>,
        request: &PackageRequest,
    ) -> Result<Option<String>, RunnerError> {
        if places.len() > 1 {
            for place in &places {
                for path in request.directories.iter().chain(&request.files) {
                    if self.stat(&probe.id, &format!("{place}/{path}")).await?.is_some() {
                        return Ok(Some(place.clone()));
                    }
                }
            }
        }
        Ok(places.into_iter().next())
    }

    async fn read_package(
        &self,
        probe: &Probe,
        place: String,
        request: &PackageRequest,
    ) -> Result<PackageFiles, RunnerError> {
        let mut read = PackageFiles { place: Some(place.clone()), ..PackageFiles::default() };
        for (common, paths) in together(request.directories.iter().chain(&request.files)) {
            let mut found = self.entries(probe, &place, &common, request).await?;
            // What was asked for may itself be a link; what it leads to is read in its place.
            if matches!(found.get(""), Some(Entry::Link)) {
                found.clear();
                let target = self.stat(&probe.id, &format!("{place}/{common}")).await?;
                if let Some(target) = target.filter(is_link).map(|target| target.link_target) {
                    found = self.entries_at(probe, &target, &common, request).await?;
                }
            }
            self.sort_in(probe, &common, &paths, found, request, &mut read).await?;
        }
        for candidate in &request.candidates {
            if self.stat(&probe.id, &format!("{place}/{candidate}")).await?.is_some() {
                read.candidate = Some(candidate.clone());
                break;
            }
        }
        Ok(read)
    }

    /// Puts the entries below `common` where they belong.
    async fn sort_in(
        &self,
        probe: &Probe,
        common: &str,
        paths: &BTreeSet<String>,
        found: BTreeMap<String, Entry>,
        request: &PackageRequest,
        read: &mut PackageFiles,
    ) -> Result<(), RunnerError> {
        let place = read.place.clone().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (path, entry) in found {
            let path = join(common, &path);
            seen.extend(paths.iter().filter(|wanted| path == **wanted || is_below(&path, wanted)).cloned());
            if !is_wanted(&path, request) {
                continue;
            }
            match entry {
                Entry::Text(text) => {
                    read.texts.insert(path, text);
                }
                Entry::Link => match self.read_file(probe, &format!("{place}/{path}")).await? {
                    Some(text) => {
                        read.texts.insert(path, text);
                    }
                    None => {
                        read.unread.insert(path, "it is a link that leads to no file".to_owned());
                    }
                },
                Entry::Directory => {}
                Entry::Other => {
                    read.unread.insert(path, "it is no file".to_owned());
                }
            }
        }
        read.missing.extend(paths.difference(&seen).cloned());
        Ok(())
    }

    async fn entries(
        &self,
        probe: &Probe,
        place: &str,
        common: &str,
        request: &PackageRequest,
    ) -> Result<BTreeMap<String, Entry>, RunnerError> {
        self.entries_at(probe, &format!("{place}/{common}"), common, request).await
    }

    /// The entries of the archive of `at`, whose paths count as below `common`.
    async fn entries_at(
        &self,
        probe: &Probe,
        at: &str,
        common: &str,
        request: &PackageRequest,
    ) -> Result<BTreeMap<String, Entry>, RunnerError> {
        let Some(bytes) = self.archive(probe, at).await? else { return Ok(BTreeMap::new()) };
        archive::entries(&bytes, |path| is_wanted(&join(common, path), request)).map_err(|error| unreadable(at, error))
    }

    /// The text of one file; none where there is none at this path. Links are followed.
    pub(super) async fn read_file(&self, probe: &Probe, path: &str) -> Result<Option<String>, RunnerError> {
        let mut path = path.to_owned();
        // An engine says where a link leads in the end; twice is for one that does not.
        for _ in 0..3 {
            let Some(bytes) = self.archive(probe, &path).await? else { return Ok(None) };
            let mut found =
                archive::entries(&bytes, |path| path.is_empty()).map_err(|error| unreadable(&path, error))?;
            match found.remove("") {
                Some(Entry::Text(text)) => return Ok(Some(text)),
                Some(Entry::Link) => match self.stat(&probe.id, &path).await?.filter(is_link) {
                    Some(target) if !target.link_target.is_empty() => path = target.link_target,
                    _ => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The archive of a path; none where the container has no such path.
    async fn archive(&self, probe: &Probe, path: &str) -> Result<Option<Vec<u8>>, RunnerError> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut stream = Box::pin(self.client.download_from_container(&probe.id, Some(options)));
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) if bytes.len() + piece.len() > MOST => {
                    return Err(unreadable(path, archive::too_large()));
                }
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(self.address.refused(&format!("read {path} of an image"), error)),
            }
        }
        Ok(Some(bytes))
    }
}

fn unreadable(path: &str, error: std::io::Error) -> RunnerError {
    RunnerError {
        what: format!("{path} of an image cannot be read: {error}"),
        advice: "Look at the image: it is not built as one with OpenStack's commands. If it is meant, `read_images: \
                 false` under `runner.containers` in the cloud file takes it unread."
            .into(),
        kind: RunnerErrorKind::Other,
        source: Some(Box::new(error)),
    }
}

/// Whether the text of a path is asked for.
fn is_wanted(path: &str, request: &PackageRequest) -> bool {
    request.files.contains(path)
        || (READ.iter().any(|ending| path.ends_with(ending))
            && request.directories.iter().any(|directory| is_below(path, directory)))
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

fn join(common: &str, path: &str) -> String {
    if path.is_empty() { common.to_owned() } else { format!("{common}/{path}") }
}

/// Paths by the path that they are fetched with: those that share at least two directories come together, as
/// a package's `db` is small and the package is not.
fn together<'p>(paths: impl Iterator<Item = &'p String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<Vec<&str>, BTreeSet<&'p String>> = BTreeMap::new();
    for path in paths {
        let parts: Vec<&str> = path.split('/').collect();
        let start = if parts.len() > 2 { parts[..2].to_vec() } else { parts };
        groups.entry(start).or_default().insert(path);
    }
    let common = |paths: &BTreeSet<&String>| {
        let mut common: Option<Vec<&str>> = None;
        for path in paths {
            let parts = path.split('/');
            common = Some(match common {
                None => parts.collect(),
                Some(common) => {
                    common.into_iter().zip(parts).take_while(|(one, two)| one == two).map(|(one, _)| one).collect()
                }
            });
        }
        common.unwrap_or_default().join("/")
    };
    groups.into_values().map(|paths| (common(&paths), paths.into_iter().cloned().collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_together_comes_together() {
        let paths = [
            "nova/cmd/manage.py",
            "nova/db/main/migrations/versions",
            "nova/db/api/migrations/versions",
            "neutron/db/migration/cli.py",
            "neutron/db/migration/alembic_migrations/versions",
            "x/y.py",
        ]
        .map(str::to_owned);
        let groups = together(paths.iter());
        let names: Vec<&str> = groups.keys().map(String::as_str).collect();
        assert_eq!(names, ["neutron/db/migration", "nova/cmd/manage.py", "nova/db", "x/y.py"]);
        assert_eq!(groups["nova/db"].len(), 2);
    }
}
