//! The demo's cloud comes into being: each service's schema by its own release's commands, then what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::place::founding_file;
use crate::cli::exit::Exit;
use crate::cli::leap::GRACE;
use crate::cli::look::Show;
use crate::cli::reader::LiveReader;
use crate::cli::stop::{Cause, Stop};
use crate::cli::world::World;
use crate::conduct::{Asked, Connections, Questioner, StopLevel};
use crate::database::{self, Purpose, connect_for};
use crate::demo::{Seed, Sketch};
use crate::journal::Outcome;
use crate::model::{ConnectionUrl, DatabaseId, ImageReference, RunId};
use crate::plan::{Lane, Plan};
use crate::report;
use crate::runner::{PinnedImage, Runner};

/// Makes the cloud in its empty databases by the first hop of `plan`; whether it was made to its end, or stopped.
pub(super) async fn found(
    world: &World,
    plan: &Plan,
    runner: Arc<dyn Runner>,
    images: &BTreeMap<ImageReference, PinnedImage>,
    sketch: &Sketch,
    stop: watch::Receiver<StopLevel>,
    show: &Show,
) -> Result<bool, Stop> {
    let Some(hop) = plan.hops.first() else { return Ok(true) };
    let now = Timestamp::now();
    let run = RunId::new(&now.strftime("%Y%m%d-%H%M%S").to_string(), std::process::id() as u16);
    let noted = std::fs::create_dir_all(&world.cloud.state_dir)
        .and_then(|()| std::fs::write(founding_file(world), run.as_str()));
    noted.map_err(|error| Stop::usage(anyhow!("failed to write {}: {error}", founding_file(world))))?;
    let questioner = Questioner {
        run,
        runner,
        reader: Arc::new(LiveReader { databases: world.cloud.databases.clone(), timeout: world.cloud.limits.connect }),
        connections: Arc::new(Connections::new(world.cloud.databases.clone())),
        directory: world.cloud.state_dir.join("founding"),
        grace: GRACE,
        stop,
    };
    let founder = Founder { world, questioner, places: Semaphore::new(world.cloud.limits.jobs), images, sketch };
    // The longest first: commands wait for their places in the order in which they ask.
    let mut lanes: Vec<&Lane> = hop.lanes.iter().collect();
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.steps.len()));
    let mut making: FuturesUnordered<_> = lanes.into_iter().map(|lane| founder.service(lane, plan)).collect();
    let (mut whole, mut trouble) = (true, None);
    while let Some(made) = making.next().await {
        match made {
            Ok(Some(line)) => show.complain(&line),
            Ok(None) => whole = false,
            Err(stop) => trouble = trouble.or(Some(stop)),
        }
    }
    trouble.map_or(Ok(whole), Err)
}

/// What every service's making needs.
struct Founder<'a> {
    world: &'a World,
    questioner: Questioner,
    places: Semaphore,
    images: &'a BTreeMap<ImageReference, PinnedImage>,
    sketch: &'a Sketch,
}

impl Founder<'_> {
    /// Makes one service's databases; what there is to tell of it, or nothing where it was stopped.
    async fn service(&self, lane: &Lane, plan: &Plan) -> Result<Option<String>, Stop> {
        let began = Instant::now();
        for stage in lane.stages() {
            let asked = join_all(stage.iter().map(|step| async {
                let _place = self.places.acquire().await;
                self.questioner.ask(step.clone(), self.images[lane.image_of(step)].clone()).await
            }));
            for Asked { outcome, failure, .. } in asked.await {
                if outcome == Outcome::Interrupted {
                    return Ok(None);
                }
                if let Some(failure) = failure {
                    let log = failure.log.map(|log| format!(" (its output: {})", self.questioner.directory.join(log)));
                    let what = format!("{} {}: {}", lane.service, plan.from, failure.what);
                    return Err(failed(format!("{what}{}. {}", log.unwrap_or_default(), failure.advice)));
                }
            }
        }
        let url = |id: &DatabaseId| self.world.cloud.databases[id].clone();
        for Seed { database, sql } in self.sketch.seeds(&lane.service, &plan.from, &url) {
            self.fill(&url(&database), sql.expose()).await.map_err(|why| {
                failed(format!("{database} at {} does not take what the demo puts into it: {why}", plan.from))
            })?;
        }
        let databases = lane.standing.len();
        let databases = format!("{databases} {}", if databases == 1 { "database" } else { "databases" });
        let took = report::took(began.elapsed().as_secs_f64());
        let holds = self.sketch.holds(&lane.service, &plan.from).unwrap_or_default();
        let line = format!("  {:<10} {databases:<12} {took:>6}  {holds}", lane.service);
        Ok(Some(format!("{}\n", line.trim_end())))
    }

    async fn fill(&self, url: &ConnectionUrl, sql: &str) -> Result<(), String> {
        let connection = connect_for(url, Purpose::Change, self.world.cloud.limits.connect).await;
        let mut connection = connection.map_err(|error| database::chain(&error))?;
        let written = connection.write(sql).await;
        connection.close().await;
        written.map_err(|error| database::chain(&error))
    }
}

fn failed(what: String) -> Stop {
    Stop { exit: Exit::Failed, cause: Cause::Error(anyhow!(what)) }
}
