//! Touching rows as a step of a run: the same walk as `leapfrog trip`, told in a run's words.
//!
//! What `leapfrog trip` touched before counts here, and the other way round: how far each table is stands in its database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{pause, tell, work};
use crate::cli::exit::Exit;
use crate::cli::world::World;
use crate::conduct::{Touched, Toucher, TripNews, failure};
use crate::database::{self, Purpose, connect_for};
use crate::journal::{Evidence, Failure, Outcome};
use crate::model::{ConnectionUrl, DatabaseId};
use crate::plan::Touching;
use crate::trip::{self, Choice, Event, Flaw, Limits, Order, Pause, Proof, Survey, Table, Watch};

/// Touches rows in a cloud's databases.
pub(in crate::cli) struct Trips {
    urls: BTreeMap<DatabaseId, ConnectionUrl>,
    timeout: Duration,
    pause: Pause,
}

/// What is to be done in a database: tables to walk through, and those of which nothing is to be touched.
struct Found {
    tables: Vec<Table>,
    untriggered: Vec<String>,
}

impl Trips {
    /// Those of `world`'s cloud.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    pub(in crate::cli) fn new(world: &World) -> anyhow::Result<Self> {
        let (urls, timeout) = (world.cloud.databases.clone(), world.cloud.limits.connect);
        let pause = Pause { files: vec![pause::file(world).into()], signal: pause::listen()? };
        Ok(Self { urls, timeout, pause })
    }

    fn url(&self, database: &DatabaseId) -> Result<&ConnectionUrl, Box<Failure>> {
        self.urls.get(database).ok_or_else(|| {
            let what = format!("the cloud file names no database {database}");
            Box::new(failure(what, "add it to the cloud file: it was there when the run began".to_owned()))
        })
    }

    /// Looks at the tables, and changes nothing.
    async fn look(&self, touching: &Touching, settled: bool) -> Result<Found, Box<Failure>> {
        let database = &touching.database;
        let url = self.url(database)?;
        let connected = connect_for(url, Purpose::Read, self.timeout).await;
        let mut connection = connected.map_err(|error| {
            let what = format!("{database} cannot be reached: failed to {}", database::chain(&error));
            Box::new(failure(what, error.advice().to_owned()))
        })?;
        let remainder = |table: &crate::catalog::TrippedTable| Some((table.name.clone(), table.remainder.clone()?));
        let choice = Choice {
            tables: touching.tables.iter().map(|table| table.name.clone()).collect(),
            remainders: touching.tables.iter().filter_map(remainder).collect(),
            no_inserts: false,
            step: true,
        };
        let seen = async {
            let names: BTreeSet<&str> = touching.tables.iter().map(|table| table.name.as_str()).collect();
            Ok((trip::survey(&mut connection, &choice).await?, trip::suited(&mut connection, &names).await?))
        };
        let seen: Result<_, database::QueryError> = seen.await;
        connection.close().await;
        let (survey, suited) = seen.map_err(|error| {
            let what = format!("{database} does not tell its triggers: failed to {}", database::chain(&error));
            Box::new(failure(what, error.advice().to_owned()))
        })?;
        judge(touching, settled, survey, &suited.absent)
    }
}

/// What is to be done with each table, or every reason why it cannot be.
fn judge(touching: &Touching, settled: bool, survey: Survey, absent: &[String]) -> Result<Found, Box<Failure>> {
    let database = &touching.database;
    let Survey { mut tables, flaws } = survey;
    let mut untriggered = Vec::new();
    let flawed: BTreeSet<String> = flaws.iter().map(|flaw| flaw.table.clone()).collect();
    let told = |flaw: Flaw| {
        (format!("the table `{}` of {database} cannot be walked through: {}", flaw.table, flaw.what), flaw.next)
    };
    let mut wrong: Vec<(String, String)> = flaws.into_iter().map(told).collect();
    for table in &touching.tables {
        let name = &table.name;
        if flawed.contains(name) || tables.iter().any(|found| found.name == *name) {
            continue;
        }
        let gone = absent.contains(name);
        if settled || (!table.when.is_always() && !gone) {
            untriggered.push(name.clone());
        } else if gone {
            let next = "look whether the release's expand was done, and whether the playbook spells the name so";
            wrong.push((format!("{database} has no table `{name}`"), next.to_owned()));
        } else {
            let next = "look whether the release's expand was done; where that need not make any, the playbook says `when: \
                        triggered`";
            wrong.push((format!("the table `{name}` of {database} has no row trigger for updates"), next.to_owned()));
        }
    }
    if wrong.is_empty() {
        // In the order of the playbook.
        tables.sort_by_key(|found| touching.tables.iter().position(|table| table.name == found.name));
        return Ok(Found { tables, untriggered });
    }
    let (what, next): (Vec<String>, Vec<String>) = wrong.into_iter().unzip();
    let advice = format!("{}; then run the same command again: no row was touched", next.join("; "));
    Err(Box::new(failure(what.join("; "), advice)))
}

/// How far all tables are, and what they came to.
struct Course<'t> {
    database: &'t DatabaseId,
    /// Rows of each table: touched before this attempt, touched now, all.
    rows: BTreeMap<String, (Option<u64>, u64, u64)>,
    /// Rows of walks before the one that runs.
    earlier: u64,
    walk: u32,
    evidence: Vec<Evidence>,
    stuck: Vec<(String, u64)>,
}

impl<'t> Course<'t> {
    fn new(database: &'t DatabaseId, tables: &[Table]) -> Self {
        let rows = tables.iter().map(|table| (table.name.clone(), (None, 0, table.rows))).collect();
        Self { database, rows, earlier: 0, walk: 1, evidence: Vec::new(), stuck: Vec::new() }
    }

    /// Takes an event in, and says what is to be told of it.
    fn see(&mut self, event: Event) -> TripNews {
        // What to do next stands in the step's failure.
        let told = tell::text(self.database, &event).lines().next().unwrap_or_default().to_owned();
        let told = TripNews::Said(told);
        match event {
            Event::Begin { table, touched, rows, walk, .. } => {
                self.walk = u32::try_from(walk).unwrap_or(u32::MAX);
                let of_it = self.rows.entry(table).or_default();
                // Another walk begins with the first row.
                self.earlier += of_it.0.map_or(0, |first| of_it.1.saturating_sub(first));
                *of_it = (Some(touched), touched, rows);
            }
            Event::Progress { table, touched, rows, rate, .. } => {
                let of_it = self.rows.entry(table).or_default();
                *of_it = (of_it.0.or(Some(touched)), touched, rows);
                let all = self.rows.values().map(|(first, touched, rows)| rows.max(touched) - first.unwrap_or(0));
                let (moved, total) = (self.touched(), self.earlier + all.sum::<u64>());
                return TripNews::Rows { walk: self.walk, moved, total, rate };
            }
            Event::Done(proof) => self.evidence.push(touched(self.database, proof)),
            Event::Stuck { table, left } => self.stuck.push((table, left)),
            Event::SmallLog { .. }
            | Event::Waits { .. }
            | Event::GoesOn { .. }
            | Event::Retry { .. }
            | Event::Again { .. } => {}
        }
        told
    }

    /// Rows that this attempt touched.
    fn touched(&self) -> u64 {
        let now = self.rows.values().map(|(first, touched, _)| first.map_or(0, |first| touched.saturating_sub(first)));
        self.earlier + now.sum::<u64>()
    }
}

fn touched(database: &DatabaseId, proof: Proof) -> Evidence {
    Evidence::Touched {
        database: database.clone(),
        table: proof.table,
        triggers: proof.triggers,
        rows: proof.touched,
        batches: proof.batches,
        remainder: proof.remainder,
    }
}

#[async_trait::async_trait]
impl Toucher for Trips {
    async fn touch(
        &self,
        touching: &Touching,
        settled: bool,
        stop: watch::Receiver<bool>,
        tell: &mpsc::UnboundedSender<TripNews>,
    ) -> Touched {
        let failed =
            |failure| Touched { outcome: Outcome::Failed, rows: 0, evidence: Vec::new(), failure: Some(failure) };
        let database = &touching.database;
        let Found { tables, untriggered } = match self.look(touching, settled).await {
            Ok(found) => found,
            Err(failure) => return failed(*failure),
        };
        let url = match self.url(database) {
            Ok(url) => url.clone(),
            Err(failure) => return failed(*failure),
        };
        let order = Order { url: url.clone(), timeout: self.timeout, workers: 1, batch: Order::BATCH };
        let pause = self.pause.clone();
        let watched = Watch { url, replicas: Vec::new(), timeout: self.timeout, limits: Limits::USUAL, pause };
        let (sender, mut events) = mpsc::unbounded_channel();
        let mut course = Course::new(database, &tables);
        let ended = {
            let working = work(&order, &tables, watched, stop, sender);
            tokio::pin!(working);
            loop {
                tokio::select! {
                    ended = &mut working => break ended,
                    Some(event) = events.recv() => drop(tell.send(course.see(event))),
                }
            }
        };
        while let Ok(event) = events.try_recv() {
            let _ = tell.send(course.see(event));
        }
        let rows = course.touched();
        let Course { mut evidence, stuck, .. } = course;
        let none = untriggered.into_iter().map(|table| Evidence::Untriggered { database: database.clone(), table });
        evidence.extend(none);
        let (outcome, failure) = match ended {
            Ok(Exit::Done) => (Outcome::Done, None),
            Ok(Exit::Interrupted) => (Outcome::Interrupted, None),
            Ok(_) => (Outcome::Stuck, Some(left(touching, &stuck))),
            Err(trouble) => {
                let what = format!("failed to {} ({database})", database::chain(&trouble));
                let advice = format!("{}; then run the same command again", trouble.advice());
                (Outcome::Failed, Some(failure(what, advice)))
            }
        };
        Touched { outcome, rows, evidence, failure }
    }
}

/// That remainder queries still count rows.
fn left(touching: &Touching, stuck: &[(String, u64)]) -> Failure {
    let database = &touching.database;
    let what: Vec<String> = stuck.iter().map(|(table, rows)| format!("{rows} of `{table}`")).collect();
    let queries = touching.tables.iter().filter(|table| stuck.iter().any(|(name, _)| *name == table.name));
    let queries: Vec<&str> = queries.filter_map(|table| table.remainder.as_deref()).map(str::trim).collect();
    failure(
        format!("every row of {database} was touched, and rows are left: {}", what.join(", ")),
        format!(
            "see why the trigger leaves them so, or who writes such rows; they are counted by: {}. Then run the same \
             command again",
            queries.join("; ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TripWhen, TrippedTable};

    fn touching(tables: &[(&str, TripWhen)]) -> Touching {
        let table =
            |(name, when): &(&str, TripWhen)| TrippedTable { name: (*name).into(), remainder: None, when: *when };
        let tables: Vec<TrippedTable> = tables.iter().map(table).collect();
        Touching { database: "keystone".parse().expect("a database"), tables: tables.into(), settled: None }
    }

    /// What becomes of tables without triggers.
    fn judged(tables: &[(&str, TripWhen)], settled: bool, absent: &[&str]) -> Result<Vec<String>, String> {
        let absent: Vec<String> = absent.iter().map(|name| (*name).to_owned()).collect();
        let found = judge(&touching(tables), settled, Survey::default(), &absent);
        found.map(|found| found.untriggered).map_err(|failure| failure.what)
    }

    #[test]
    fn a_table_without_triggers_is_a_failure_unless_the_playbook_or_the_heads_say_why() {
        let (always, triggered) = (TripWhen::Always, TripWhen::Triggered);
        let wrong = judged(&[("user", always), ("role", triggered)], false, &[]).expect_err("no triggers");
        assert_eq!(wrong, "the table `user` of keystone has no row trigger for updates");
        assert_eq!(judged(&[("role", triggered)], false, &[]), Ok(vec!["role".to_owned()]));
        assert_eq!(judged(&[("user", always)], true, &[]), Ok(vec!["user".to_owned()]));
        // A name that is not there may be misspelt, but where a contract may have dropped the table.
        let wrong = judged(&[("user", always), ("rol", triggered)], false, &["user", "rol"]).expect_err("no tables");
        assert!(wrong.contains("no table `user`") && wrong.contains("no table `rol`"), "{wrong}");
        assert_eq!(judged(&[("rol", triggered)], true, &["rol"]), Ok(vec!["rol".to_owned()]));
        let flaw = Flaw { table: "user".into(), what: "it has no primary key".into(), next: "give it one".into() };
        let survey = Survey { flaws: vec![flaw], ..Survey::default() };
        let Err(wrong) = judge(&touching(&[("user", always)]), false, survey, &[]) else { panic!("it cannot be") };
        assert_eq!(wrong.what, "the table `user` of keystone cannot be walked through: it has no primary key");
        assert!(wrong.advice.starts_with("give it one; then run the same command again"), "{}", wrong.advice);
    }

    #[test]
    fn rows_are_counted_once_for_each_walk_and_only_those_of_this_attempt() {
        let database = "keystone".parse().expect("a database");
        let mut course = Course::new(&database, &[]);
        let begin = |touched, walk| Event::Begin { table: "user".into(), touched, rows: 1_000, counted: true, walk };
        let progress = |touched| Event::Progress {
            table: "user".into(),
            touched,
            rows: 1_000,
            counted: true,
            rate: 100.0,
            slowest: 90,
        };
        course.see(begin(400, 1));
        let told = course.see(progress(700));
        assert_eq!(told, TripNews::Rows { walk: 1, moved: 300, total: 600, rate: 100.0 });
        assert_eq!(course.touched(), 300);
        course.see(progress(1_000));
        course.see(begin(0, 2));
        course.see(progress(250));
        assert_eq!((course.touched(), course.walk), (850, 2));
    }
}
