//! Images that are made here: brought into the engine, named, tried, taken out again, pushed.

use std::io::{self, Write};

use bollard::query_parameters::{
    ImportImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use camino::Utf8Path;
use futures_util::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::images::{image_id, repository_digests, search_path};
use super::login::Login;
use super::trouble::{is_answer, trouble};
use super::{Containers, registry};
use crate::model::{Digest, ImageReference, RunId};
use crate::runner::{OutputLine, PinnedImage, Runner, RunnerError, RunnerErrorKind, Task, TaskId};

/// The most bytes that are on their way to the engine at a time.
const PIECE: usize = 1 << 20;

/// An image as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runner) struct Stored {
    /// The digest of its configuration.
    pub(in crate::runner) id: Digest,
    /// The bytes of its files, as engines list it.
    pub(in crate::runner) size: u64,
    /// Its layers, the lowest first.
    pub(in crate::runner) diff_ids: Vec<Digest>,
    /// Its `PATH`.
    pub(in crate::runner) path: Option<String>,
    pub(in crate::runner) architecture: Option<String>,
}

impl Containers {
    /// The image of a name or an id, if the engine has it.
    pub(in crate::runner) async fn stored(&self, name: &str) -> Result<Option<Stored>, RunnerError> {
        let Some(found) = self.inspect_image(name).await? else { return Ok(None) };
        let Some(id) = found.id.as_deref().and_then(image_id) else { return Ok(None) };
        let layers = found.root_fs.as_ref().and_then(|root| root.layers.clone()).unwrap_or_default();
        Ok(Some(Stored {
            id,
            size: found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            diff_ids: layers.iter().filter_map(|layer| layer.parse().ok()).collect(),
            path: Some(search_path(&found).join(":")),
            architecture: found.architecture,
        }))
    }

    /// Gives the engine the archive of an image (`docker save`) that `write` writes.
    pub(in crate::runner) async fn load(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Result<(), RunnerError> {
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
        let writing = tokio::task::spawn_blocking(move || {
            let mut pipe = io::BufWriter::with_capacity(PIECE, Pipe(sender.clone()));
            if let Err(error) = write(&mut pipe).and_then(|()| pipe.flush()) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        let body = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let mut answer = self.client.import_image(options, bollard::body_try_stream(body), None);
        let mut refused = None;
        while let Some(news) = answer.next().await {
            match news {
                Ok(news) => refused = news.error_detail.and_then(|detail| detail.message).or(refused),
                Err(error) => return Err(self.address.refused("take the image", error)),
            }
        }
        let _ = writing.await;
        match refused {
            None => Ok(()),
            Some(said) => Err(trouble(
                RunnerErrorKind::Other,
                format!("the container engine does not take the image: {said}"),
                "See the container engine's own log and its free disk space, then run the same command again.",
            )),
        }
    }

    /// Writes the archive of an image into a file.
    pub(in crate::runner) async fn save(&self, id: &Digest, to: &Utf8Path) -> Result<(), RunnerError> {
        let unwritable = |error: io::Error| RunnerError {
            source: Some(Box::new(error)),
            ..trouble(
                RunnerErrorKind::Other,
                format!("write {to}"),
                "Make room there, then run the same command again.",
            )
        };
        let mut file = tokio::fs::File::create(to).await.map_err(unwritable)?;
        let mut saved = self.client.export_image(&id.to_string());
        while let Some(piece) = saved.next().await {
            let piece = piece.map_err(|error| self.address.refused(&format!("save image {id}"), error))?;
            file.write_all(&piece).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)
    }

    /// Gives an image one more name.
    pub(in crate::runner) async fn tag(&self, image: &str, name: &ImageReference) -> Result<(), RunnerError> {
        let Some(tag) = name.tag() else { return Ok(()) };
        let options = TagImageOptionsBuilder::default().repo(&name.name()).tag(tag).build();
        let tagged = self.client.tag_image(image, Some(options)).await;
        tagged.map_err(|error| self.address.refused(&format!("name image {image} {name}"), error))
    }

    /// Removes an image that nobody uses; one that cannot be removed stays.
    pub(in crate::runner) async fn forget(&self, id: &Digest) {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        let _ = self.client.remove_image(&id.to_string(), Some(options), None).await;
    }

    /// Pushes an image of this name to its registry. Returns the digest that it has there.
    pub(in crate::runner) async fn push(&self, name: &ImageReference) -> Result<Digest, RunnerError> {
        let login = Login::find(name, self.settings.credentials.as_ref()).await;
        let options = PushImageOptionsBuilder::default().tag(name.tag().unwrap_or_default()).build();
        // Without credentials some engines want an empty header.
        let credentials = login.credentials(name).unwrap_or_default();
        let mut answer = self.client.push_image(&name.name(), Some(options), Some(credentials));
        while let Some(news) = answer.next().await {
            match news {
                Ok(news) => {
                    if let Some(said) = news.error_detail.and_then(|detail| detail.message) {
                        let error = bollard::errors::Error::DockerStreamError { error: said };
                        return Err(registry::refused(name, &login, error));
                    }
                }
                Err(error) if !is_answer(&error) => return Err(self.address.unreachable(error)),
                Err(error) => return Err(registry::refused(name, &login, error)),
            }
        }
        let found = self.inspect_image(&name.to_string()).await?;
        let digest = found.and_then(|found| repository_digests(&found, name).into_iter().next_back());
        digest.ok_or_else(|| {
            trouble(
                RunnerErrorKind::Other,
                format!("{name} was pushed, and the container engine does not say what its registry calls it"),
                format!("See whether registry {} has it.", name.registry()),
            )
        })
    }

    /// Runs a command in a container of its own and returns how it ended and what it said.
    pub(in crate::runner) async fn run_once(
        &self,
        image: &PinnedImage,
        command: &[&str],
    ) -> Result<(i64, String), RunnerError> {
        let now = jiff::Timestamp::now();
        let salt = (now.subsec_nanosecond() & 0xffff) as u16;
        let step = "2024.1/leapfrog/look".parse().map_err(|error| RunnerError {
            source: Some(Box::new(error)),
            ..trouble(RunnerErrorKind::Other, "name a container", "This is a mistake in leapfrog: please report it.")
        })?;
        let run = RunId::new(&now.strftime("%Y%m%d-%H%M%S").to_string(), salt);
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let id = TaskId { run, step, attempt: 1, round: 1 };
        let task = self.launch(&Task { id, image: image.clone(), command, files: Vec::new() }).await?;
        let (lines, mut said) = mpsc::channel::<OutputLine>(64);
        let reading = async {
            let mut text = String::new();
            while let Some(line) = said.recv().await {
                text.push_str(&line.text);
                text.push('\n');
            }
            text
        };
        let (exit, text) = tokio::join!(self.watch(&task, lines), reading);
        self.reap(&task).await?;
        Ok((exit?.code, text))
    }
}

/// Passes what is written to whoever sends it on.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
