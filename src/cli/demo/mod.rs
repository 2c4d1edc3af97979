//! `leapfrog demo`: a small cloud of its own, and an ordinary leap with it.
//!
//! What is special here ends where the leap begins: the cloud file is an ordinary one, and what reads it are the leap and
//! `verify` as everybody runs them, with the answer to the leap's question given, since the databases are the demo's own.
//! Everything is below one directory, and on a server in databases of one prefix; both go away at the end.

mod found;
mod order;
mod place;
mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use self::order::Order;
use self::place::Place;
use self::server::Server;
use super::arguments::{Common, DemoArguments, Output, StopsAt, Until, VerifyArguments};
use super::executor;
use super::exit::Exit;
use super::leap::{FenceMode, LeapArguments};
use super::look::Show;
use super::stop::Stop;
use super::utility_images::{self, Surroundings};
use super::world::{World, quoted};
use super::{leap, preflight, telling, verify};
use crate::conduct::{Signal, StopLevel};
use crate::demo::{Ground, PREFIX};
use crate::model::{Observation, Service};
use crate::plan::{self, Start};
use crate::report;

/// `leapfrog demo`.
pub(super) async fn demo(common: &Common, arguments: &DemoArguments, show: &Show) -> Result<Exit, Stop> {
    let order = Order::read(common, arguments)?;
    let began = Instant::now();
    let (sender, signals) = mpsc::unbounded_channel();
    let asked = telling::listen(sender).map_err(Stop::internal)?;
    place::clear_leftovers(common).await?;
    let place = Place::make()?;
    let common = Common { config: place.config(), ..common.clone() };
    show.complain(&order.opening(&place.directory, arguments.keep));
    let mut server = None;
    let demo = Demo { order: &order, place: &place, common: &common, show, keep: arguments.keep, asked, signals };
    let mut leapt = false;
    let ended = demo.perform(&mut server, &mut leapt).await;
    let went_wrong = match &ended {
        Ok(exit) => matches!(exit, Exit::Failed | Exit::Stuck),
        Err(stop) => matches!(stop.exit, Exit::Failed | Exit::Internal),
    };
    // What was stopped before the leap has nothing to look at.
    let keep = arguments.keep && (leapt || !matches!(ended, Ok(Exit::Interrupted)));
    if keep || went_wrong {
        show.complain(&order.kept(&place.directory, keep));
        if keep {
            place.keep()?;
        }
        return ended;
    }
    if let Some(server) = server {
        server.drop().await?;
    }
    let directory = place.directory.clone();
    place.clear(&common).await?;
    let exit = ended?;
    let took = report::took(began.elapsed().as_secs_f64());
    show.complain(&match exit {
        Exit::Interrupted => "\nInterrupted. The demo's cloud is removed, and nothing of it can go on; the same `leapfrog demo` begins afresh.\n".to_owned(),
        _ => format!(
            "\nThe demo took {took}. {directory} is removed; `leapfrog demo --keep` leaves it there to look around.\n{}",
            order.what_stays()
        ),
    });
    Ok(exit)
}

/// One demo on its way.
struct Demo<'a> {
    order: &'a Order,
    place: &'a Place,
    common: &'a Common,
    show: &'a Show,
    /// Whether everything stays where it is at the end.
    keep: bool,
    /// Whether the operator wants it to stop.
    asked: Arc<AtomicBool>,
    signals: mpsc::UnboundedReceiver<Signal>,
}

impl Demo<'_> {
    /// Notes in `leapt` that the leap has begun.
    async fn perform(mut self, server: &mut Option<Server>, leapt: &mut bool) -> Result<Exit, Stop> {
        let (order, show) = (self.order, self.show);
        let ground = order.ground(self.place);
        self.place.write("leapfrog.yaml", &order.site(&ground, self.place)?.render())?;
        let world = World::read_aloud(self.common, show)?;
        let services: BTreeSet<Service> = world.cloud.services().cloned().collect();
        let from = Start::At(order.from.clone());
        let nothing = Observation::default();
        let founding = world
            .brief(&services, &nothing, from, order.to.clone(), |brief| Arc::new(plan::founding(brief, &order.from)))?;

        let runner = executor::runner(&world)?;
        show.complain("Looking what each release is made of, and for whatever runs it.\n");
        let bring = async {
            make_images(order, self.common, &world, show).await?;
            preflight::bring(&world, &runner, &founding, None, show).await
        };
        let images = tokio::select! {
            images = bring => images?,
            _ = self.signals.recv() => return Ok(Exit::Interrupted),
        };
        let noun = images.keys().next().map_or("image", |image| image.noun());
        show.complain(&format!("{} {noun}s are here\n\nA cloud at {}:\n", images.len(), order.from));

        match &ground {
            Ground::Files(_) => {
                for url in world.cloud.databases.values() {
                    let made = std::fs::File::create(url.name());
                    made.map_err(|error| Stop::usage(anyhow::anyhow!("failed to make {}: {error}", url.name())))?;
                }
            }
            Ground::Server(address) => {
                let names = world.cloud.databases.values().map(|url| url.name().to_owned()).collect();
                *server = Some(Server::make(address, names, order.replace).await?);
            }
        }
        let (stop_sender, stop) = watch::channel(StopLevel::None);
        let mut signals = self.signals;
        let stopping = async {
            while signals.recv().await.is_some() {
                stop_sender.send_replace(StopLevel::Stop);
            }
            std::future::pending::<()>().await;
        };
        let made = tokio::select! {
            made = found::found(&world, &founding, runner, &images, &order.sketch, stop, show) => made?,
            () = stopping => false,
        };
        drop(signals);
        if !made {
            return Ok(Exit::Interrupted);
        }

        show.complain(&format!("\nThe leap: {}\n\n", order.leap_command()));
        *leapt = true;
        let exit = leap::leap(self.common, &order.leap(self.keep), &order.selection(), show).await?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        if self.asked.load(Ordering::Relaxed) {
            return Ok(Exit::Interrupted);
        }
        if show.output == Output::Jsonl {
            return Ok(exit);
        }
        show.complain(&format!("\nThe proof, asked of the databases once more: leapfrog verify --at {}\n\n", order.to));
        let at = VerifyArguments { at: Some(order.to.to_string()), only: Vec::new(), checks: false };
        verify::verify(self.common, &at, show).await
    }
}

impl Order {
    /// The leap as its command takes it.
    fn leap(&self, keep: bool) -> LeapArguments {
        LeapArguments {
            from: Some(self.from.to_string()),
            to: Some(self.to.to_string()),
            only: Vec::new(),
            stops: StopsAt::Every,
            until: Until::Complete,
            yes: true,
            jobs: None,
            prefetch: None,
            no_skip: false,
            fresh: false,
            fence: FenceMode::On,
            fleeting: !keep,
            look: false,
        }
    }

    fn leap_command(&self) -> String {
        format!("leapfrog --from {} --to {}", self.from, self.to)
    }

    /// Where everything is that stays there, and what to look at.
    fn kept(&self, directory: &camino::Utf8Path, asked: bool) -> String {
        let config = format!("--config {}", quoted(directory.join("leapfrog.yaml").as_str()));
        let until = if asked { "" } else { " until the next demo" };
        let mut text = format!("\nkept      {directory}{until}\ntry       leapfrog status {config}\n");
        let logs = format!("logs {}/nova/online-data-migrations@cell1", self.from);
        for command in ["detect", "verify --checks", &logs, "restore --list"] {
            text.push_str(&format!("          leapfrog {command} {config}\n"));
        }
        text.push_str(&format!("remove    rm -r {}\n", quoted(directory.as_str())));
        if let Some(server) = self.server() {
            text.push_str(&format!(
                "          databases {PREFIX}_* at {server}: `leapfrog demo --replace` with the same options\n"
            ));
        }
        text
    }
}

/// Makes the images of the releases on the way that are not in the container engine yet, where they are leapfrog's own.
async fn make_images(order: &Order, common: &Common, world: &World, show: &Show) -> Result<(), Stop> {
    if !order.makes_images() {
        return Ok(());
    }
    let surroundings = Surroundings::find(common)?;
    for release in world.catalog.between(&order.from, &order.to) {
        let image = utility_images::order(&world.catalog, &release.series, &[])?;
        let builder = surroundings.builder(&world.catalog, &image, None)?;
        let news = |what: &str| show.complain(&format!("{}  {what}\n", release.series));
        let made = builder.ensure(&image, &news).await;
        made.map_err(|error| Stop::refused(vec![preflight::refusal(error)]))?;
    }
    Ok(())
}
