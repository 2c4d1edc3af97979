//! Looks for programs in an image without running anything.
//!
//! A container is created, never started and removed; the engine answers whether a path exists in it.
//! That works with images whose programs would fail or do harm when started.

use std::collections::BTreeSet;

use bollard::Docker;
use bollard::container::PathStatResponse;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder,
};

use super::trouble::is_missing;
use super::{Containers, images, labels};
use crate::runner::{PinnedImage, RunnerError};

/// The bit of Go's file modes that says "directory"; engines send those.
const DIRECTORY: u32 = 1 << 31;
/// The bit that says "symbolic link".
const LINK: u32 = 1 << 27;

/// A container that is never started, to look into. It is removed when this is dropped, also when the search
/// broke off.
pub(super) struct Probe {
    client: Docker,
    pub(super) id: String,
    /// The directories in which the image's commands are looked for.
    pub(super) path: Vec<String>,
}

impl Probe {
    /// Removes the container and waits for it, so that nothing is left; what `drop` does then finds nothing.
    pub(super) async fn done(self) {
        remove(&self.client, &self.id).await;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let (client, id) = (self.client.clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { remove(&client, &id).await });
        }
    }
}

/// Removes a container that was never started. If that fails, a container without a process is left, with its label.
async fn remove(client: &Docker, id: &str) {
    let options = RemoveContainerOptionsBuilder::default().v(true).force(true).build();
    let _ = client.remove_container(id, Some(options)).await;
}

impl Containers {
    /// Which of `programs` an image does not have.
    pub(super) async fn lacking_programs(
        &self,
        image: &PinnedImage,
        programs: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, RunnerError> {
        let probe = self.probe(image).await?;
        let lacking = self.lacking_in(&probe, programs).await;
        probe.done().await;
        lacking
    }

    /// Creates a container to look into an image.
    pub(super) async fn probe(&self, image: &PinnedImage) -> Result<Probe, RunnerError> {
        let Some(local) = self.local_image(image).await? else {
            return Err(images::not_here(&image.reference.pinned(&image.digest)));
        };
        // What is left over is in nobody's way: that it could not be removed stops nothing.
        self.tidied.get_or_init(|| async { drop(self.remove_dead_probes().await) }).await;
        let body = ContainerCreateBody {
            image: Some(local.name.clone()),
            entrypoint: Some(vec!["/never-started".into()]),
            labels: Some(labels::of_probe(&self.settings.cloud)),
            ..Default::default()
        };
        let (client, path) = (self.client.clone(), local.path);
        // Whoever stops waiting for the container drops it all the same, once it is there.
        let making = tokio::spawn(async move {
            let created = client.create_container(None::<CreateContainerOptions>, body).await;
            created.map(|created| Probe { client, id: created.id, path })
        });
        match making.await {
            Ok(made) => made.map_err(|error| self.address.refused(&format!("look into image {}", local.name), error)),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Removes what processes of this machine that are gone left of looking into images; returns how many
    /// containers that were.
    pub(super) async fn remove_dead_probes(&self) -> Result<usize, RunnerError> {
        let filters = labels::probes(&self.settings.cloud);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.client.list_containers(Some(options)).await;
        let found = found.map_err(|error| self.address.refused("list the containers of images", error))?;
        let dead = found.into_iter().filter(|one| one.labels.as_ref().is_some_and(labels::is_of_dead_process));
        let dead: Vec<String> = dead.filter_map(|one| one.id).collect();
        for id in &dead {
            remove(&self.client, id).await;
        }
        Ok(dead.len())
    }

    /// Which of `programs` a container does not have.
    pub(super) async fn lacking_in(
        &self,
        probe: &Probe,
        programs: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, RunnerError> {
        let mut lacking = BTreeSet::new();
        for program in programs {
            if !self.has_program(&probe.id, &probe.path, program).await? {
                lacking.insert(program.clone());
            }
        }
        Ok(lacking)
    }

    /// Whether a container has a program: at its own path, or in one of the directories of `path`.
    pub(super) async fn has_program(
        &self,
        container: &str,
        path: &[String],
        program: &str,
    ) -> Result<bool, RunnerError> {
        Ok(self.find_program(container, path, program).await?.is_some())
    }

    /// Where a container has a program: its path, or where a link at that path leads in the end.
    pub(super) async fn find_program(
        &self,
        container: &str,
        path: &[String],
        program: &str,
    ) -> Result<Option<String>, RunnerError> {
        // A name with a slash is not searched for; commands run in the root directory.
        let direct = [String::from("/")];
        let directories = if program.contains('/') { &direct } else { path };
        for directory in directories {
            let place = format!("{}/{}", directory.trim_end_matches('/'), program.trim_start_matches('/'));
            let found = self.stat(container, &place).await?;
            if let Some(found) = found.filter(|found| is_program(found.file_mode)) {
                let linked = is_link(&found) && !found.link_target.is_empty();
                return Ok(Some(if linked { found.link_target } else { place }));
            }
        }
        Ok(None)
    }

    /// What a path in a container is, if it exists. The last part of the path may be a link, which is not followed.
    pub(super) async fn stat(&self, container: &str, path: &str) -> Result<Option<PathStatResponse>, RunnerError> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        match self.client.get_container_archive_info(container, Some(options)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.address.refused(&format!("look for {path} in a container"), error)),
        }
    }
}

/// Whether something is a directory.
pub(super) fn is_directory(found: &PathStatResponse) -> bool {
    found.file_mode & DIRECTORY != 0
}

/// Whether something is a symbolic link. Engines then say where it leads in the end, as an absolute path.
pub(super) fn is_link(found: &PathStatResponse) -> bool {
    found.file_mode & LINK != 0
}

/// Whether something of this mode can be a program. A link counts, wherever it leads: that cannot be
/// followed through every kind of link from outside.
fn is_program(mode: u32) -> bool {
    mode & LINK != 0 || (mode & DIRECTORY == 0 && mode & 0o111 != 0)
}
