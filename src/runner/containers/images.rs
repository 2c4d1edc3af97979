//! Gets images: finds out digests, downloads, checks.

use std::collections::HashMap;

use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;

use super::login::Login;
use super::trouble::{is_missing, trouble};
use super::{Containers, Pull, registry};
use crate::model::{Digest, ImageReference};
use crate::runner::{FetchProgress, PinnedImage, RunnerError, RunnerErrorKind};

/// An image that is on the engine's machine.
#[derive(Debug)]
pub(super) struct LocalImage {
    /// The name under which the engine finds exactly this content.
    pub(super) name: String,
    /// The directories in which its commands are looked for.
    pub(super) path: Vec<String>,
}

impl Containers {
    /// Finds out the digest of a reference.
    pub(super) async fn resolve_image(&self, reference: &ImageReference) -> Result<PinnedImage, RunnerError> {
        let digest = match (self.pull(reference), digest_of(reference)) {
            (Pull::Never, digest) => self.local_digest(reference, digest).await?,
            (Pull::Auto, Some(digest)) => digest,
            (Pull::Auto, None) => self.registry_digest(reference).await?,
        };
        Ok(PinnedImage { reference: reference.clone(), digest })
    }

    /// Whether an image may be downloaded: one that is in no registry cannot be.
    fn pull(&self, reference: &ImageReference) -> Pull {
        if reference.is_unpublished() { Pull::Never } else { self.settings.pull }
    }

    /// The digest as the registry tells it; without a download where the engine can do that.
    async fn registry_digest(&self, reference: &ImageReference) -> Result<Digest, RunnerError> {
        let login = Login::find(reference, self.settings.credentials.as_ref()).await;
        let podman = self.engine().await?.podman;
        let asked = self.client.inspect_registry_image(&reference.to_string(), login.credentials(reference)).await;
        match asked {
            Ok(answer) => answer.descriptor.digest.and_then(|digest| digest.parse().ok()).ok_or_else(|| {
                trouble(
                    RunnerErrorKind::Other,
                    format!("registry {} names no digest for {reference}", reference.registry()),
                    "Name the image by its digest in the cloud file (`docker pull` prints it).",
                )
            }),
            Err(error) if podman && registry::engine_cannot(&error) => {
                self.download(reference, &login, &|_| ()).await?;
                self.downloaded_digest(reference, &login).await
            }
            Err(error) if !super::trouble::is_answer(&error) => Err(self.address.unreachable(error)),
            Err(error) => Err(registry::refused(reference, &login, error)),
        }
    }

    /// The digest that the registry has for an image that was just downloaded by its tag.
    ///
    /// An image that was also built or loaded here has a second digest, which no registry knows; asking for each by
    /// its digest tells them apart, and downloads nothing that is here already.
    async fn downloaded_digest(&self, reference: &ImageReference, login: &Login) -> Result<Digest, RunnerError> {
        let found = self.inspect_image(&reference.to_string()).await?;
        let mut known = found.map(|found| repository_digests(&found, reference)).unwrap_or_default();
        while known.len() > 1 {
            let digest = known.remove(0);
            if self.download(&reference.pinned(&digest), login, &|_| ()).await.is_ok() {
                return Ok(digest);
            }
        }
        known.pop().ok_or_else(|| not_here(reference))
    }

    /// The digest of an image that is here: the one that its registry knows, or else its id.
    async fn local_digest(&self, reference: &ImageReference, wanted: Option<Digest>) -> Result<Digest, RunnerError> {
        let Some(found) = self.inspect_image(&reference.to_string()).await? else {
            return Err(not_here(reference));
        };
        let known = repository_digests(&found, reference);
        let digest = wanted.or_else(|| known.into_iter().next()).or_else(|| found.id.as_deref().and_then(image_id));
        digest.ok_or_else(|| not_here(reference))
    }

    /// The image as it is here, if it is.
    pub(super) async fn local_image(&self, image: &PinnedImage) -> Result<Option<LocalImage>, RunnerError> {
        let pinned = image.reference.pinned(&image.digest).to_string();
        if let Some(found) = self.inspect_image(&pinned).await? {
            return Ok(Some(LocalImage { name: pinned, path: search_path(&found) }));
        }
        // An image that was never in a registry has no digest but its id.
        let id = image.digest.to_string();
        let found = self.inspect_image(&id).await?;
        let found = found.filter(|found| found.id.as_deref().and_then(image_id).as_ref() == Some(&image.digest));
        Ok(found.map(|found| LocalImage { path: search_path(&found), name: id }))
    }

    /// Downloads an image by its digest unless it is here.
    pub(super) async fn fetch_image(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        if self.local_image(image).await?.is_some() {
            return Ok(());
        }
        if self.pull(&image.reference) == Pull::Never {
            return Err(not_here(&image.reference.pinned(&image.digest)));
        }
        let pinned = image.reference.pinned(&image.digest);
        let login = Login::find(&image.reference, self.settings.credentials.as_ref()).await;
        self.download(&pinned, &login, progress).await?;
        if self.local_image(image).await?.is_some() {
            return Ok(());
        }
        Err(trouble(
            RunnerErrorKind::Other,
            format!("{pinned} was downloaded, but the container engine does not have it"),
            "See the container engine's own log and its free disk space, then run the same command again.",
        ))
    }

    /// Downloads what a reference names. The whole answer is read: trouble may be told at its end.
    async fn download(
        &self,
        reference: &ImageReference,
        login: &Login,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        let options = CreateImageOptionsBuilder::default().from_image(&reference.to_string()).build();
        let mut answer = self.client.create_image(Some(options), None, login.credentials(reference));
        let mut layers = Layers::default();
        while let Some(news) = answer.next().await {
            match news {
                Ok(news) => {
                    if let Some(state) = layers.take(&news) {
                        progress(state);
                    }
                }
                Err(error) if !super::trouble::is_answer(&error) => return Err(self.address.unreachable(error)),
                Err(error) => return Err(registry::refused(reference, login, error)),
            }
        }
        Ok(())
    }

    pub(super) async fn inspect_image(&self, name: &str) -> Result<Option<ImageInspect>, RunnerError> {
        match self.client.inspect_image(name).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.address.refused(&format!("look for image {name}"), error)),
        }
    }
}

/// The error of an image that must be here and is not.
pub(super) fn not_here(image: &ImageReference) -> RunnerError {
    if image.is_unpublished() {
        return trouble(
            RunnerErrorKind::ImageMissing,
            format!("image {image} is not on the container engine's machine, and localhost/… is in no registry"),
            "Make it there (`leapfrog env build --series SERIES`), or take it from where it was made: `leapfrog env build \
             --archive FILE` writes a file, `leapfrog env load FILE` takes it.",
        );
    }
    trouble(
        RunnerErrorKind::ImageMissing,
        format!("image {image} is not on the container engine's machine"),
        format!("Run `docker pull {image}` (or `docker load`) there, or set `pull: auto` in the cloud file."),
    )
}

/// The digest that a reference names itself.
fn digest_of(reference: &ImageReference) -> Option<Digest> {
    reference.to_string().split_once('@').and_then(|(_, digest)| digest.parse().ok())
}

/// An image's id as a digest. Podman writes it without `sha256:`.
pub(super) fn image_id(id: &str) -> Option<Digest> {
    format!("sha256:{}", id.trim_start_matches("sha256:")).parse().ok()
}

/// The digests that the repository of `reference` has for an image that is here.
pub(super) fn repository_digests(image: &ImageInspect, reference: &ImageReference) -> Vec<Digest> {
    let name = reference.name();
    let known = image.repo_digests.iter().flatten().filter_map(|known| known.split_once('@'));
    known
        .filter(|(known, _)| usual_name(known) == usual_name(&name))
        .filter_map(|(_, digest)| digest.parse().ok())
        .collect()
}

/// A repository's name as Docker shortens it.
fn usual_name(name: &str) -> &str {
    let name = name.strip_prefix("index.docker.io/").or_else(|| name.strip_prefix("docker.io/")).unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// The directories of the image's own `PATH`, or of the one that engines set without it.
pub(super) fn search_path(image: &ImageInspect) -> Vec<String> {
    let environment = image.config.as_ref().and_then(|config| config.env.as_deref()).unwrap_or_default();
    let path = environment.iter().find_map(|variable| variable.strip_prefix("PATH="));
    let path = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path.split(':').map(|directory| if directory.is_empty() { "/" } else { directory }.to_owned()).collect()
}

/// How far the layers of a download are: Docker tells it by layer, Podman not at all.
#[derive(Debug, Default)]
struct Layers {
    /// Bytes received and announced, by the layer's id.
    layers: HashMap<String, FetchProgress>,
}

impl Layers {
    /// Takes one piece of news and returns the sum over all layers if it changed.
    fn take(&mut self, news: &CreateImageInfo) -> Option<FetchProgress> {
        let (id, status) = (news.id.as_deref()?, news.status.as_deref()?);
        match status {
            "Downloading" => {
                let detail = news.progress_detail.as_ref()?;
                let done = detail.current.and_then(|bytes| u64::try_from(bytes).ok())?;
                let total = detail.total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(done).max(done);
                self.layers.insert(id.to_owned(), FetchProgress { done, total });
            }
            "Verifying Checksum" | "Download complete" | "Extracting" | "Pull complete" => {
                let layer = self.layers.get_mut(id)?;
                if layer.done == layer.total {
                    return None;
                }
                layer.done = layer.total;
            }
            _ => return None,
        }
        Some(FetchProgress {
            done: self.layers.values().map(|layer| layer.done).sum(),
            total: self.layers.values().map(|layer| layer.total).sum(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn news(id: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        let progress_detail =
            detail.map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) });
        CreateImageInfo { id: Some(id.into()), status: Some(status.into()), progress_detail, ..Default::default() }
    }

    #[test]
    fn the_progress_is_the_sum_over_the_layers_and_ends_at_the_total() {
        let mut layers = Layers::default();
        assert_eq!(layers.take(&news("a", "Already exists", None)), None);
        assert_eq!(
            layers.take(&news("b", "Downloading", Some((10, 100)))),
            Some(FetchProgress { done: 10, total: 100 })
        );
        assert_eq!(layers.take(&news("c", "Downloading", Some((5, 50)))), Some(FetchProgress { done: 15, total: 150 }));
        assert_eq!(layers.take(&news("b", "Download complete", None)), Some(FetchProgress { done: 105, total: 150 }));
        assert_eq!(layers.take(&news("b", "Pull complete", None)), None);
        assert_eq!(
            layers.take(&news("c", "Extracting", Some((1, 900)))),
            Some(FetchProgress { done: 150, total: 150 })
        );
    }

    #[test]
    fn a_digest_counts_for_the_repository_it_belongs_to_also_where_docker_shortens_the_name() {
        let digest = |n: u8| format!("sha256:{}", n.to_string().repeat(64));
        let image = ImageInspect {
            repo_digests: Some(vec![format!("quay.io/a/nova@{}", digest(1)), format!("nova@{}", digest(2))]),
            ..Default::default()
        };
        let of = |reference: &str| repository_digests(&image, &reference.parse().expect("valid"));
        assert_eq!(of("quay.io/a/nova:1"), [digest(1).parse().expect("valid")]);
        assert_eq!(of("docker.io/library/nova:1"), [digest(2).parse().expect("valid")]);
        assert_eq!(of("quay.io/b/nova:1"), []);
    }
}
