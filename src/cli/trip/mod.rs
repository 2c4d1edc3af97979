//! `leapfrog trip`: has row triggers work on the rows that were there before them.
//!
//! The work is [`crate::trip`]'s. This finds the databases, asks, keeps other leapfrogs out, tells what happens and passes
//! signals on. Services may go on writing meanwhile: that is what the triggers are for.

mod arguments;
mod pause;
mod step;
mod suited;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

pub use arguments::TripArguments;
pub(super) use pause::{pause, resume};
pub(super) use step::Trips;
pub(super) use suited::{refusals, tables};
pub(super) use tell::Line;

use super::arguments::{Common, Output};
use super::exit::Exit;
use super::guard::Guard;
use super::leap::host_name;
use super::look::Show;
use super::stop::Stop;
use super::world::World;
use crate::conduct::Signal;
use crate::database::{self, Connection, Purpose, QueryError, connect_for};
use crate::model::{ConnectionUrl, DatabaseId};
use crate::plan::{Refusal, RefusalKind};
use crate::report::{bytes, columns, grouped};
use crate::trip::{self, Choice, Event, Flaw, Gate, Limits, Order, Pause, Reached, Survey, Table, Verdict, Watch};
use tell::Teller;

/// `leapfrog trip`.
pub(super) async fn trip(common: &Common, arguments: &TripArguments, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let services = world.only(&arguments.only)?;
    if !arguments.yes && !std::io::stdin().is_terminal() {
        return Err(Stop::usage(anyhow!("there is no terminal to ask on: add --yes to begin without being asked")));
    }
    world.look_up_mapped(&services).await;
    world.tell_unmapped(show);
    let databases = chosen(world.databases(&services), &arguments.database).map_err(Stop::usage)?;
    for url in databases.values() {
        arguments.replicas(url).map_err(Stop::usage)?;
    }
    let holder = format!(
        "trip, process {} on {}, since {}",
        std::process::id(),
        host_name(),
        Timestamp::now().strftime("%F %T UTC")
    );
    let _lock = world.store().lock(&holder)?;
    let guard = Guard::take(&world, &services, &host_name()).await?;
    let (sender, signals) = mpsc::unbounded_channel();
    let watching = guard.watch(sender.clone());
    super::telling::listen(sender).map_err(Stop::internal)?;
    let done = if arguments.forget {
        forget(&world, &databases, arguments, show).await
    } else {
        touch(&world, &databases, arguments, signals, show).await
    };
    watching.end().await;
    done
}

/// The databases that were named, or all.
fn chosen(
    mut databases: BTreeMap<DatabaseId, ConnectionUrl>,
    named: &[DatabaseId],
) -> anyhow::Result<BTreeMap<DatabaseId, ConnectionUrl>> {
    if let Some(stranger) = named.iter().find(|id| !databases.contains_key(id)) {
        let known: Vec<String> = databases.keys().map(ToString::to_string).collect();
        return Err(anyhow!("--database {stranger}: there is no such database; there are {}", known.join(", ")));
    }
    if !named.is_empty() {
        databases.retain(|id, _| named.contains(id));
    }
    Ok(databases)
}

/// A reason not to begin.
fn refusal(database: &DatabaseId, what: String, found: Option<String>, next: impl Into<String>) -> Refusal {
    let (kind, database) = (RefusalKind::Trigger, Some(database.clone()));
    Refusal { kind, database, what, found, expected: None, next: next.into() }
}

async fn open(world: &World, id: &DatabaseId, url: &ConnectionUrl, purpose: Purpose) -> Result<Connection, Refusal> {
    connect_for(url, purpose, world.cloud.limits.connect).await.map_err(|error| {
        let what = format!("database {id} cannot be reached");
        Refusal { kind: RefusalKind::Unreachable, ..refusal(id, what, Some(database::chain(&error)), error.advice()) }
    })
}

/// What is to be touched in each database, and how far that is; or every reason why it cannot be.
async fn look(
    world: &World,
    databases: &BTreeMap<DatabaseId, ConnectionUrl>,
    choice: &Choice,
) -> Result<Vec<(DatabaseId, Vec<(Table, Reached)>)>, Stop> {
    let (mut found, mut refusals) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (id, url) in databases {
        let surveyed = async {
            let mut connection = open(world, id, url, Purpose::Read).await?;
            let surveyed = survey(&mut connection, choice).await.map_err(|error| {
                let what = format!("database {id} does not tell its triggers");
                refusal(id, what, Some(database::chain(&error)), error.advice())
            });
            connection.close().await;
            surveyed
        };
        let (tables, flaws) = match surveyed.await {
            Ok(surveyed) => surveyed,
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
        };
        seen.extend(
            tables.iter().map(|(table, _)| table.name.clone()).chain(flaws.iter().map(|flaw| flaw.table.clone())),
        );
        for flaw in flaws {
            let what = format!("the table `{}` of {id} cannot be walked through: {}", flaw.table, flaw.what);
            refusals.push(refusal(id, what, None, flaw.next));
        }
        found.push((id.clone(), tables));
    }
    let named = choice.tables.iter().chain(choice.remainders.keys());
    if let Some(stranger) = named.filter(|name| !seen.contains(*name)).find(|_| refusals.is_empty()) {
        let text = format!("no database has a table `{stranger}` with a row trigger for updates");
        return Err(Stop::usage(anyhow!(text)));
    }
    if refusals.is_empty() { Ok(found) } else { Err(Stop::refused(refusals)) }
}

/// The tables of a database that can be walked through, and how far they are; and those that cannot be.
async fn survey(
    connection: &mut Connection,
    choice: &Choice,
) -> Result<(Vec<(Table, Reached)>, Vec<Flaw>), QueryError> {
    let Survey { tables, flaws } = trip::survey(connection, choice).await?;
    let mut found = Vec::new();
    for table in tables {
        let reached = trip::reached(connection, &table).await?;
        found.push((table, reached));
    }
    Ok((found, flaws))
}

/// Shows what will be touched and asks, where that was not answered beforehand and something may be left.
fn confirm(world: &World, found: &[(DatabaseId, Vec<(Table, Reached)>)], yes: bool, show: &Show) -> Result<bool, Stop> {
    let tables =
        || found.iter().flat_map(|(id, tables)| tables.iter().map(move |(table, reached)| (id, table, reached)));
    let rows: Vec<[String; 6]> = tables()
        .map(|(id, table, reached)| {
            let size = table.bytes.map(bytes).unwrap_or_default();
            let rows = format!("about {} rows", grouped(table.rows));
            let reached = match reached {
                Reached::Nothing => String::new(),
                Reached::Rows(rows) => format!("{} touched already", grouped(*rows)),
                Reached::All => "all touched already".to_owned(),
            };
            [id.to_string(), table.name.clone(), rows, size, table.triggers.join(", "), reached]
        })
        .collect();
    if show.output == Output::Text {
        show.complain(&format!(
            "{}: rows that are set to themselves, so that triggers run for them\n",
            world.cloud.name
        ));
        show.complain(&columns(&rows));
    }
    let done = tables().all(|(_, table, reached)| *reached == Reached::All && table.remainder.is_none());
    if yes || done { Ok(true) } else { show.asks("Services may go on working.\nBegin?") }
}

/// Touches everything.
async fn touch(
    world: &World,
    databases: &BTreeMap<DatabaseId, ConnectionUrl>,
    arguments: &TripArguments,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    show: &Show,
) -> Result<Exit, Stop> {
    let choice = Choice {
        tables: arguments.table.iter().cloned().collect(),
        remainders: arguments.remainders().map_err(Stop::usage)?,
        no_inserts: arguments.no_inserts,
        step: false,
    };
    let found = look(world, databases, &choice).await?;
    if found.iter().all(|(_, tables)| tables.is_empty()) {
        show.complain("no table has a row trigger for updates: there is nothing to do\n");
        if show.output == Output::Json {
            show.print_json(&Vec::<Line>::new())?;
        }
        return Ok(Exit::Done);
    }
    if !confirm(world, &found, arguments.yes, show)? {
        return Ok(Exit::Interrupted);
    }
    let (stop, stopped) = watch::channel(false);
    let lost = Arc::new(Mutex::new(None));
    let (told, said) = (stop.clone(), Arc::clone(&lost));
    tokio::spawn(async move {
        while let Some(signal) = signals.recv().await {
            if let Signal::LockLost { text } = signal {
                *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
            told.send_replace(true);
        }
    });
    let pause = Pause {
        files: [Some(pause::file(world)), arguments.pause_file.clone()].into_iter().flatten().map(Into::into).collect(),
        signal: pause::listen().map_err(Stop::internal)?,
    };
    let mut exit = Ok(Exit::Done);
    let mut kept = Vec::new();
    for (id, tables) in found.iter().filter(|(_, tables)| !tables.is_empty()) {
        let url = &databases[id];
        let order = Order {
            url: url.clone(),
            timeout: world.cloud.limits.connect,
            workers: usize::from(arguments.workers),
            batch: Duration::from_millis(arguments.batch_time),
        };
        let watched = Watch {
            url: url.clone(),
            replicas: arguments.replicas(url).map_err(Stop::usage)?,
            timeout: world.cloud.limits.connect,
            limits: Limits {
                lag: f64::from(arguments.max_lag),
                running: arguments.max_running,
                lock_waits: arguments.max_lock_waits,
            },
            pause: pause.clone(),
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let tables: Vec<Table> = tables.iter().map(|(table, _)| table.clone()).collect();
        let working = work(&order, &tables, watched, stopped.clone(), sender);
        tokio::pin!(working);
        let mut teller = Teller::new(show, id.clone());
        let ended = loop {
            tokio::select! {
                ended = &mut working => break ended,
                Some(event) = events.recv() => teller.see(event),
            }
        };
        while let Ok(event) = events.try_recv() {
            teller.see(event);
        }
        kept.append(&mut teller.end());
        if let Some(text) = lost.lock().unwrap_or_else(PoisonError::into_inner).take() {
            exit = Err(failed(format!("{text}. Next: run the same command again")));
            break;
        }
        match ended {
            Ok(Exit::Done) => {}
            Ok(Exit::Interrupted) => {
                exit = Ok(Exit::Interrupted);
                break;
            }
            Ok(other) => exit = Ok(other),
            Err(trouble) => {
                let text = format!("failed to {} ({id}). Next: {}", database::chain(&trouble), trouble.advice());
                exit = Err(failed(text));
                break;
            }
        }
    }
    if show.output == Output::Json {
        show.print_json(&kept)?;
    }
    if matches!(exit, Ok(Exit::Interrupted)) {
        show.complain("stopped after the last batch; the same command goes on from there\n");
    }
    show.stdout().drain();
    exit
}

/// That it cannot go on.
fn failed(text: String) -> Stop {
    Stop { exit: Exit::Failed, ..Stop::internal(anyhow!(text)) }
}

/// The tables of one database, one after the other.
async fn work(
    order: &Order,
    tables: &[Table],
    watched: Watch,
    stop: watch::Receiver<bool>,
    tell: mpsc::UnboundedSender<Event>,
) -> Result<Exit, trip::Trouble> {
    let (wait, waiting) = watch::channel(Some("the server was not asked yet how busy it is".to_owned()));
    let gate = Gate { stop, wait: waiting };
    let walking = async {
        let mut exit = Exit::Done;
        for table in tables {
            match trip::trip(order, table, &gate, &tell).await? {
                Verdict::Green(proof) => drop(tell.send(Event::Done(proof))),
                Verdict::Left(left) => {
                    let _ = tell.send(Event::Stuck { table: table.name.clone(), left });
                    exit = Exit::Stuck;
                }
                Verdict::Stopped => return Ok(Exit::Interrupted),
            }
        }
        Ok(exit)
    };
    // Whoever lets go of this lets go of both, and of their sessions.
    tokio::select! {
        ended = walking => ended,
        never = trip::watch(watched, wait, tell.clone()) => match never {},
    }
}

/// Removes the ledgers.
async fn forget(
    world: &World,
    databases: &BTreeMap<DatabaseId, ConnectionUrl>,
    arguments: &TripArguments,
    show: &Show,
) -> Result<Exit, Stop> {
    let question = "What earlier trips wrote down is removed, and the next one begins with the first row.\nForget it?";
    if !arguments.yes && !show.asks(question)? {
        return Ok(Exit::Interrupted);
    }
    let mut refusals = Vec::new();
    for (id, url) in databases {
        let forgotten = async {
            let mut connection = open(world, id, url, Purpose::Change).await?;
            let found = trip::forget(&mut connection).await.map_err(|error| {
                refusal(
                    id,
                    format!("the ledger in {id} cannot be removed"),
                    Some(database::chain(&error)),
                    error.advice(),
                )
            });
            connection.close().await;
            found
        };
        match forgotten.await {
            Ok(true) => show.complain(&format!("{id}: forgotten\n")),
            Ok(false) => {}
            Err(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() { Ok(Exit::Done) } else { Err(Stop::refused(refusals)) }
}
