//! The images of a run: fetched a release ahead, and looked into before anything runs in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::conductor::{Conductor, Fetched, failure};
use super::sink::EventSink;
use crate::journal::{Event, Failure, Progress};
use crate::model::ImageReference;
use crate::runner::{PinnedImage, Runner, RunnerError};

impl Conductor {
    /// Notes which of the plan's images were never pinned: a plan beside a journal that is not its own.
    pub(super) fn miss_unpinned(&mut self) {
        let plan = Arc::clone(&self.plan);
        for image in plan.images().into_keys().filter(|image| !self.images.contains_key(image)).cloned() {
            let what = format!("the run's journal does not say which content {image} had when it began");
            let advice = "restore the run's plan.json and journal.jsonl from one copy, or begin anew with `--from auto \
                          --fresh`";
            self.hand.ready.remove(&image);
            self.hand.missing.insert(image);
            self.failures.push(failure(what, advice.to_owned()));
        }
    }

    /// Fetches the images of the hop that works, then those of the next one.
    pub(super) fn fetch_ahead(&mut self, fetched: &mpsc::UnboundedSender<Fetched>) {
        let plan = Arc::clone(&self.plan);
        let state = self.journal.state();
        let hops = plan.hops.iter().filter(|hop| !state.hop_is_complete(&hop.series)).take(2);
        for hop in hops {
            for lane in &hop.lanes {
                let image = &lane.image;
                let known = self.hand.ready.contains(image) || self.hand.missing.contains(image);
                if known || !self.fetching.insert(image.clone()) {
                    continue;
                }
                let Some(pinned) = self.images.get(image).cloned() else { continue };
                let programs = plan.images().remove(image).unwrap_or_default();
                let (runner, events, fetched) = (Arc::clone(&self.runner), self.events.clone(), fetched.clone());
                let inspector = self.inspector.clone();
                self.downloads.spawn(async move {
                    let mut result = obtain(&*runner, &pinned, &programs, inspector.as_deref(), &events).await;
                    if let Some(inspector) = inspector.filter(|_| result.is_ok())
                        && let Some(failure) = inspector.objection(&pinned.reference)
                    {
                        result = Err(failure);
                    }
                    let _ = fetched.send((pinned.reference, result));
                });
            }
            // One hop's images at a time: the link is slow, and the nearer ones are needed first.
            if !self.fetching.is_empty() {
                break;
            }
        }
    }

    pub(super) fn hear_fetched(&mut self, image: ImageReference, result: Result<bool, Failure>) {
        self.fetching.remove(&image);
        match result {
            Ok(cached) => {
                self.hand.ready.insert(image.clone());
                self.say(Progress::Fetched { image, cached });
            }
            Err(failure) => {
                let text = format!("{}: {}", failure.what, failure.advice);
                self.say(Progress::NotFetched { image: image.clone(), text });
                self.hand.missing.insert(image);
                self.failures.push(failure);
            }
        }
    }
}

/// Looks into images that are here, in place of the look for their programs alone.
#[async_trait::async_trait]
pub trait ImageInspector: Send + Sync {
    /// Reads an image, which must have `programs`.
    ///
    /// # Errors
    /// It cannot be read, or lacks a program.
    async fn inspect(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<(), Failure>;

    /// What an image that was read is, where it is not what the plan expects.
    fn objection(&self, image: &ImageReference) -> Option<Failure>;
}

/// Brings an image here and looks whether it has what the plan runs in it. Returns whether it had been
/// here before.
///
/// # Errors
/// What is wrong with it, and what to do.
pub async fn obtain(
    runner: &dyn Runner,
    image: &PinnedImage,
    programs: &BTreeSet<String>,
    inspector: Option<&dyn ImageInspector>,
    events: &EventSink,
) -> Result<bool, Failure> {
    let refuse = |error: RunnerError| failure(error.to_string(), error.advice);
    let cached = runner.has(image).await.map_err(refuse)?;
    if !cached {
        let show = |progress: crate::runner::FetchProgress| {
            events.send(Event::Progress(Progress::Fetching {
                image: image.reference.clone(),
                done: progress.done,
                total: progress.total,
            }));
        };
        show(crate::runner::FetchProgress { done: 0, total: 0 });
        runner.fetch(image, &show).await.map_err(refuse)?;
    }
    match inspector {
        Some(inspector) => inspector.inspect(image, programs).await?,
        None => {
            let lacking = runner.lacking(image, programs).await.map_err(refuse)?;
            if let Some(failure) = lack_of(image, &lacking) {
                return Err(failure);
            }
        }
    }
    Ok(cached)
}

/// What is said of an image without programs that are run in it, if there are any.
pub fn lack_of(image: &PinnedImage, lacking: &BTreeSet<String>) -> Option<Failure> {
    if lacking.is_empty() {
        return None;
    }
    let lacking: Vec<&str> = lacking.iter().map(String::as_str).collect();
    Some(failure(
        format!(
            "the {} {} ({}) has no {}",
            image.reference.noun(),
            image.reference,
            image.digest.short(),
            lacking.join(", no ")
        ),
        if image.reference.is_environment() {
            "name the packages that bring them under `environment` in the release file (`--catalog`)".to_owned()
        } else {
            "name an image that holds these commands under `images` in the cloud file".to_owned()
        },
    ))
}
