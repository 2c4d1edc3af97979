//! Runs with a story, to tell to reporters: plan, records and news as a run would make them.
//!
//! A story is written on a time line. Each lane of a hop goes through its steps by itself; a [`Fate`]
//! says where something else than success waits. Nothing is random: what is shown can be kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use jiff::Timestamp;

use super::Reporter;
use crate::catalog::OutputFormat;
use crate::journal::{Event, Evidence, Failure, MigrationCount, Outcome, Progress, Record, RecordBody};
use crate::model::{
    Command, DatabaseId, Effect, ExitTable, Heads, ImageReference, Phase, Series, StepId, Stream, Verdict,
};
use crate::plan::{Action, DataMigration, Hop, Lane, Plan, Standing, Step, StepConfiguration, Verification};

/// What waits for a step.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// Ends so, after a third of its usual time.
    Ends(Outcome, Option<Failure>),
    /// The process dies while it runs.
    CutOff,
    /// Prints nothing and moves nothing, for long.
    Silent,
}

/// A run on a time line.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) plan: Arc<Plan>,
    fates: BTreeMap<String, Fate>,
    attempts: BTreeMap<StepId, u32>,
    done: Vec<StepId>,
    beats: Vec<(f64, Beat)>,
}

#[derive(Debug, Clone)]
enum Beat {
    Record(RecordBody),
    News(Event),
}

/// When every story begins.
pub(crate) fn beginning() -> Timestamp {
    parse("2026-11-22T03:15:02Z")
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn after(seconds: f64) -> Timestamp {
    beginning() + jiff::SignedDuration::from_millis((seconds * 1000.0).round() as i64)
}

/// Where a story's run has its files.
pub(crate) fn directory() -> Utf8PathBuf {
    Utf8PathBuf::from("/var/lib/leapfrog/runs/20261122-031502-7f3a")
}

fn words(text: &str) -> Command {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    Command::try_from(words).unwrap_or_else(|error| panic!("{error}"))
}

fn databases(service: &str) -> Vec<DatabaseId> {
    match service {
        "nova" => ["nova.api", "nova.cell0", "nova.cells.cell1"].map(parse).to_vec(),
        _ => vec![parse(service)],
    }
}

/// Phase, step and command of each of a service's steps; a `{count}` makes it a drain.
fn steps_of(service: &str) -> Vec<(Phase, &'static str, &'static str)> {
    use Phase::{Contract, Expand, Migrate};
    match service {
        "keystone" => vec![
            (Expand, "db-expand", "keystone-manage db_sync --expand"),
            (Migrate, "db-migrate", "keystone-manage db_sync --migrate"),
            (Contract, "db-contract", "keystone-manage db_sync --contract"),
        ],
        "glance" => vec![
            (Expand, "db-expand", "glance-manage db expand"),
            (Migrate, "db-migrate", "glance-manage db migrate"),
            (Contract, "db-contract", "glance-manage db contract"),
        ],
        "nova" => vec![
            (Expand, "api-db-sync", "nova-manage api_db sync"),
            (Expand, "db-sync@cell0", "nova-manage db sync --local_cell"),
            (Expand, "db-sync@cell1", "nova-manage db sync --local_cell"),
            (Migrate, "online-data-migrations@cell0", "nova-manage db online_data_migrations --max-count {count}"),
            (Migrate, "online-data-migrations@cell1", "nova-manage db online_data_migrations --max-count {count}"),
        ],
        "cinder" => vec![
            (Expand, "db-sync", "cinder-manage db sync --bump-versions"),
            (Migrate, "online-data-migrations", "cinder-manage db online_data_migrations --max_count {count}"),
        ],
        "placement" => vec![
            (Expand, "db-sync", "placement-manage db sync"),
            (Migrate, "online-data-migrations", "placement-manage db online_data_migrations --max-count {count}"),
        ],
        _ => vec![
            (Expand, "db-expand", "neutron-db-manage upgrade --expand"),
            (Contract, "db-contract", "neutron-db-manage upgrade --contract"),
        ],
    }
}

fn heads(service: &str, series: &str) -> Heads {
    // Twelve digits that depend on both, as alembic's do.
    let seed = service
        .bytes()
        .chain(series.bytes())
        .fold(7u64, |sum, byte| sum.wrapping_mul(1_099_511).wrapping_add(byte.into()));
    Heads::alembic([format!("{:012x}", seed & 0xffff_ffff_ffff)])
}

fn lane(series: &str, service: &str, before: Option<&str>) -> Lane {
    let id = |step: &str| parse::<StepId>(&format!("{series}/{service}/{step}"));
    let configuration = StepConfiguration { path: format!("/etc/{service}.conf").into(), options: BTreeMap::new() };
    let mut steps: Vec<Step> = steps_of(service)
        .into_iter()
        .map(|(phase, name, command)| Step {
            id: id(name),
            phase,
            why: "because".to_owned(),
            effect: Effect::Idempotent,
            action: if command.contains("{count}") {
                Action::Drain(Box::new(DataMigration {
                    command: words(command),
                    count: 1000,
                    exits: ExitTable([(0, Verdict::Done), (1, Verdict::More)].into()),
                    failure_texts: Vec::new(),
                    output: OutputFormat::Table,
                    database: databases(service)[databases(service).len() - 1].clone(),
                    residues: Vec::new(),
                    remainders: Vec::new(),
                    configuration: configuration.clone(),
                }))
            } else {
                Action::Run {
                    command: words(command),
                    exits: ExitTable::default(),
                    failure_texts: Vec::new(),
                    configuration: configuration.clone(),
                }
            },
        })
        .collect();
    let reached: BTreeMap<DatabaseId, Heads> =
        databases(service).into_iter().map(|id| (id.clone(), heads(&id.to_string(), series))).collect();
    steps.push(Step {
        id: id("verify-heads"),
        phase: Phase::Verify,
        why: "exit codes are claims".to_owned(),
        effect: Effect::ReadOnly,
        action: Action::Verify(Verification { heads: reached.clone() }),
    });
    let standing = reached.into_iter().map(|(id, to)| {
        let from = before.map(|before| heads(&id.to_string(), before));
        let standing =
            from.map_or(Standing::AtHeads { heads: to.clone() }, |from| Standing::Moves { from, to: to.clone() });
        (id, standing)
    });
    Lane { service: parse(service), image: image(service, series), standing: standing.collect(), steps }
}

pub(crate) fn image(service: &str, series: &str) -> ImageReference {
    parse(&format!("quay.io/openstack.kolla/{service}:{series}-ubuntu-jammy"))
}

/// A plan for these services through these series.
pub(crate) fn plan(series: &[&str], services: &[&str]) -> Plan {
    let hops = series.iter().enumerate().map(|(n, name)| Hop {
        series: parse(name),
        reason: "the path leads through it".to_owned(),
        notes: Vec::new(),
        lanes: services
            .iter()
            .map(|service| lane(name, service, n.checked_sub(1).map(|before| series[before])))
            .collect(),
    });
    Plan {
        format: Plan::FORMAT,
        cloud: "production".to_owned(),
        from: parse(series[0]),
        to: parse(series[series.len() - 1]),
        reasons: Vec::new(),
        hops: hops.collect(),
    }
}

/// A failure as a command's end makes it.
pub(crate) fn failure(what: &str, command: &str, exit: i64, lines: &[&str], log: &str) -> Failure {
    Failure {
        what: what.to_owned(),
        command: Some(command.to_owned()),
        exit: Some(exit),
        last_lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        log: Some(log.to_owned()),
        advice: "read the last lines and the log, mend the cause, then run the same command again: it goes on with \
                 this step"
            .to_owned(),
    }
}

/// How long a step takes, and in how many rounds it moves how many rows.
fn usual(step: &StepId) -> (f64, u32, u64) {
    match (step.service.as_str(), step.short().as_str()) {
        (_, "verify-heads") => (0.2, 0, 0),
        ("nova", "online-data-migrations@cell1") => (96.0, 24, 23_412),
        ("cinder", "online-data-migrations") => (42.0, 12, 11_207),
        (_, name) if name.starts_with("online-data") => (3.0, 1, 0),
        ("nova", _) => (6.0, 0, 0),
        _ => (4.0, 0, 0),
    }
}

impl Story {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan: Arc::new(plan),
            fates: BTreeMap::new(),
            attempts: BTreeMap::new(),
            done: Vec::new(),
            beats: Vec::new(),
        }
    }

    pub(crate) fn fate(mut self, step: &str, fate: Fate) -> Self {
        self.fates.insert(step.to_owned(), fate);
        self
    }

    pub(crate) fn record(&mut self, at: f64, body: RecordBody) -> &mut Self {
        self.beats.push((at, Beat::Record(body)));
        self
    }

    pub(crate) fn news(&mut self, at: f64, event: Event) -> &mut Self {
        self.beats.push((at, Beat::News(event)));
        self
    }

    pub(crate) fn say(&mut self, at: f64, progress: Progress) -> &mut Self {
        self.news(at, Event::Progress(progress))
    }

    pub(crate) fn begin(&mut self) -> &mut Self {
        let plan = Arc::clone(&self.plan);
        self.record(
            0.0,
            RecordBody::RunStarted {
                run: parse("20261122-031502-7f3a"),
                cloud: plan.cloud.clone(),
                from: plan.from.clone(),
                to: plan.to.clone(),
                leapfrog: "0.1.0".to_owned(),
                runner: "Docker Engine 20.10.24".to_owned(),
                host: "control-1".to_owned(),
                pid: 4711,
                images: BTreeMap::new(),
            },
        )
    }

    pub(crate) fn resume(&mut self, at: f64) -> &mut Self {
        self.fates.clear();
        let body = RecordBody::RunResumed { leapfrog: "0.1.0".to_owned(), host: "control-1".to_owned(), pid: 5150 };
        self.record(at, body)
    }

    pub(crate) fn end(&mut self, at: f64, outcome: Outcome) -> &mut Self {
        self.record(at, RecordBody::RunEnded { outcome, failure: None })
    }

    /// Every lane's image is downloaded from `at` on; returns when the last is here.
    pub(crate) fn fetch(&mut self, series: &str, at: f64) -> f64 {
        let plan = Arc::clone(&self.plan);
        let series: Series = parse(series);
        let mut last = at;
        for (n, lane) in plan.hops.iter().filter(|hop| hop.series == series).flat_map(|hop| &hop.lanes).enumerate() {
            let total = (180 + 40 * n as u64) << 20;
            let takes = 4.0 + 2.0 * n as f64;
            let mut t = 0.0;
            while t < takes {
                let done = (total as f64 * t / takes) as u64;
                // The engine knows sizes after a moment.
                let total = if t < 0.8 { 0 } else { total };
                self.say(at + t, Progress::Fetching { image: lane.image.clone(), done, total });
                t += 0.4;
            }
            self.say(at + takes, Progress::Fetched { image: lane.image.clone(), cached: false });
            last = last.max(at + takes);
        }
        last
    }

    /// A hop from `at` on, each lane by itself. Returns when the last lane is through, and whether
    /// all of them are.
    pub(crate) fn hop(&mut self, series: &str, at: f64) -> (f64, bool) {
        let plan = Arc::clone(&self.plan);
        let series: Series = parse(series);
        let began = self.beats.iter().any(
            |(_, beat)| matches!(beat, Beat::Record(RecordBody::HopStarted { series: other }) if *other == series),
        );
        if !began {
            self.record(at, RecordBody::HopStarted { series: series.clone() });
        }
        let (mut end, mut complete) = (at, true);
        for lane in plan.hops.iter().filter(|hop| hop.series == series).flat_map(|hop| &hop.lanes) {
            let mut t = at + 0.1;
            for step in &lane.steps {
                if self.done.contains(&step.id) {
                    continue;
                }
                let (until, done) = self.step(step, t);
                t = until + 0.05;
                complete &= done;
                if !done {
                    break;
                }
            }
            end = end.max(t);
        }
        if complete {
            self.record(end, RecordBody::HopEnded { series });
        }
        (end + 0.1, complete)
    }

    fn step(&mut self, step: &Step, at: f64) -> (f64, bool) {
        let id = &step.id;
        let fate = self.fates.get(&id.to_string()).cloned();
        let attempt = *self.attempts.entry(id.clone()).and_modify(|attempt| *attempt += 1).or_insert(1);
        let adopted = attempt > 1 && step.phase == Phase::Migrate;
        let command = step.action.command();
        self.record(at, RecordBody::StepStarted { step: id.clone(), attempt, command, adopted });
        let (takes, rounds, rows) = usual(id);
        let (takes, rounds) = match fate {
            Some(Fate::Ends(..) | Fate::CutOff) => (takes / 3.0, rounds / 3),
            Some(Fate::Silent) => (takes + 600.0, 0),
            None => (takes, rounds),
        };
        let mut moved = 0;
        for round in 1..=rounds {
            let t = at + takes * f64::from(round) / f64::from(rounds + 1);
            let of_round =
                if round == rounds && fate.is_none() { rows - moved } else { rows / u64::from(rounds.max(1)) / 2 * 2 };
            moved += of_round;
            let last = round == rounds && fate.is_none();
            let counts =
                vec![MigrationCount { migration: "populate_user_id".to_owned(), found: of_round, moved: of_round }];
            self.record(
                t,
                RecordBody::RoundEnded {
                    step: id.clone(),
                    attempt,
                    round,
                    exit: i64::from(!last),
                    verdict: if last { Verdict::Done } else { Verdict::More },
                    counts,
                    seconds: (takes / f64::from(rounds + 1) * 1000.0).round() / 1000.0,
                },
            );
            self.say(t, Progress::Rows { step: id.clone(), round, moved, rate: moved as f64 / (t - at) });
        }
        if rounds == 0 && step.phase == Phase::Expand && !matches!(fate, Some(Fate::Silent)) {
            for (n, line) in [
                "Context impl MySQLImpl.",
                "Running upgrade 921e1a36b076 -> c92a3e68beed, Make shared_targets nullable",
            ]
            .iter()
            .enumerate()
            {
                let text = format!("2026-11-22 03:15:20.248 9357 INFO alembic.runtime.migration [-] {line}\u{1b}[00m");
                self.news(
                    at + takes * (0.3 + 0.3 * n as f64),
                    Event::Output { step: id.clone(), stream: Stream::Stderr, text },
                );
            }
        }
        let is_drain = matches!(step.action, Action::Drain(_));
        let (outcome, failure) = match fate {
            Some(Fate::CutOff) => return (at + takes, false),
            Some(Fate::Ends(outcome, failure)) => (outcome, failure),
            Some(Fate::Silent) | None => (Outcome::Done, None),
        };
        let evidence = match &step.action {
            _ if outcome != Outcome::Done => Vec::new(),
            Action::Run { .. } => vec![Evidence::Exit { code: 0, verdict: Verdict::Done }],
            Action::Drain(_) => {
                let mut evidence = vec![
                    Evidence::Exit { code: 0, verdict: Verdict::Done },
                    Evidence::NothingLeft { round: rounds.max(1) },
                ];
                if id.service.as_str() == "nova" && id.short().ends_with("cell1") {
                    evidence.push(Evidence::Residue {
                        migration: "populate_instance_compute_id".to_owned(),
                        rows: 1,
                        why: "It is nova's own marker instance, which no migration can move.".to_owned(),
                    });
                }
                evidence
            }
            Action::Verify(verification) => verification
                .heads
                .iter()
                .map(|(database, heads)| Evidence::Heads { database: database.clone(), heads: heads.clone() })
                .collect(),
        };
        if outcome == Outcome::Done {
            self.done.push(id.clone());
        }
        self.record(
            at + takes,
            RecordBody::StepEnded {
                step: id.clone(),
                attempt,
                outcome,
                seconds: (takes * 1000.0).round() / 1000.0,
                rows: is_drain.then_some(moved),
                evidence,
                failure,
            },
        );
        (at + takes, outcome == Outcome::Done)
    }

    /// Everything that happens, in order, with its time.
    pub(crate) fn events(&self) -> Vec<(Timestamp, Event)> {
        let mut beats = self.beats.clone();
        beats.sort_by(|one, two| one.0.total_cmp(&two.0));
        let mut sequence = 0;
        let events = beats.into_iter().map(|(at, beat)| {
            let time = after(at);
            let event = match beat {
                Beat::News(event) => event,
                Beat::Record(body) => {
                    sequence += 1;
                    Event::Record(Record { format: Record::FORMAT, sequence, time, body })
                }
            };
            (time, event)
        });
        events.collect()
    }

    /// What the journal holds.
    pub(crate) fn records(&self) -> Vec<Record> {
        let records = self.events().into_iter().filter_map(|(_, event)| match event {
            Event::Record(record) => Some(record),
            _ => None,
        });
        records.collect()
    }

    /// Tells the story to a reporter from the second `from` to the second `to`, with a tick every
    /// tenth of a second; `each` is called after every tick.
    pub(crate) fn tell(&self, reporter: &mut dyn Reporter, from: f64, to: f64, mut each: impl FnMut(f64)) {
        let events = self.events();
        let mut events = events.iter().skip_while(|(time, _)| *time < after(from)).peekable();
        let tenths = |seconds: f64| (seconds * 10.0).round() as u64;
        for tenth in tenths(from)..=tenths(to) {
            let now = after(tenth as f64 / 10.0);
            while let Some((time, event)) = events.next_if(|(time, _)| *time <= now) {
                reporter.see(event, *time);
            }
            reporter.tick(now);
            each(tenth as f64 / 10.0);
        }
    }

    /// Nothing happens after `at`.
    pub(crate) fn cut(&mut self, at: f64) -> &mut Self {
        self.beats.retain(|(time, _)| *time <= at);
        self
    }

    /// When the last thing happens, in seconds.
    pub(crate) fn length(&self) -> f64 {
        self.beats.iter().map(|(at, _)| *at).fold(0.0, f64::max)
    }
}

pub(crate) const SERVICES: [&str; 6] = ["cinder", "glance", "keystone", "neutron", "nova", "placement"];

/// Two hops, and all goes well.
pub(crate) fn leap() -> Story {
    let mut story = Story::new(plan(&["2023.1", "2023.2", "2024.1", "2024.2"], &SERVICES));
    story.begin();
    let mut at = story.fetch("2023.1", 0.2);
    for series in ["2023.1", "2023.2", "2024.1", "2024.2"] {
        if series == "2023.1" {
            story.fetch("2023.2", at + 1.0);
        }
        at = story.hop(series, at).0;
    }
    story.end(at, Outcome::Done);
    story
}

/// Cinder's schema migration fails in the second hop.
pub(crate) fn failing() -> Story {
    let what = failure(
        "the command failed with exit code 1",
        "cinder-manage db sync --bump-versions",
        1,
        &[
            "2026-11-22 03:17:20.293 9357 INFO alembic.runtime.migration [-] Running upgrade 921e1a36b076 -> c92a3e68beed, Make shared_targets nullable\u{1b}[00m",
            "2026-11-22 03:17:20.311 9357 ERROR cinder oslo_db.exception.DBError: (pymysql.err.OperationalError) (1205, 'Lock wait timeout exceeded; try restarting transaction')",
            "2026-11-22 03:17:20.311 9357 ERROR cinder [SQL: ALTER TABLE volumes MODIFY shared_targets BOOL NULL]",
        ],
        "logs/2023.2/cinder/db-sync.1.log",
    );
    let mut story = Story::new(plan(&["2023.1", "2023.2"], &SERVICES))
        .fate("2023.2/cinder/db-sync", Fate::Ends(Outcome::Failed, Some(what)));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let (at, _) = story.hop("2023.2", at);
    story.end(at, Outcome::Failed);
    story
}

/// Nova's data migration cannot get on in its first hop.
pub(crate) fn stuck() -> Story {
    let what = Failure {
        advice: "find out in the log why populate_user_id finds rows and moves none, mend them, then run the same \
                 command again"
            .to_owned(),
        ..failure(
            "a round found 50 rows of populate_user_id and moved none",
            "nova-manage db online_data_migrations --max-count {count}",
            2,
            &["Error attempting to run populate_user_id", "50 rows matched query populate_user_id, 0 migrated"],
            "logs/2023.1/nova/online-data-migrations@cell1.1.9.log",
        )
    };
    let mut story = Story::new(plan(&["2023.1", "2023.2"], &SERVICES))
        .fate("2023.1/nova/online-data-migrations@cell1", Fate::Ends(Outcome::Stuck, Some(what)));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    story.end(at, Outcome::Stuck);
    story
}

/// The operator presses Ctrl-C in the second hop; two steps are not complete.
pub(crate) fn interrupted() -> Story {
    let mut story = Story::new(plan(&["2023.1", "2023.2", "2024.1"], &SERVICES))
        .fate("2023.2/cinder/online-data-migrations", Fate::Ends(Outcome::Interrupted, None))
        .fate("2023.2/nova/online-data-migrations@cell0", Fate::Ends(Outcome::Interrupted, None));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let text = "stopping after the steps that run now; Ctrl-C again stops them at once".to_owned();
    story.say(at + 10.0, Progress::Stopping { text });
    let (at, _) = story.hop("2023.2", at);
    story.end(at, Outcome::Interrupted);
    story
}

/// The process dies in the second hop; hours later another goes on and finds a command that still
/// runs.
pub(crate) fn resumed() -> (Story, f64) {
    let mut story = Story::new(plan(&["2023.1", "2023.2"], &SERVICES))
        .fate("2023.2/cinder/online-data-migrations", Fate::CutOff)
        .fate("2023.2/nova/db-sync@cell1", Fate::CutOff);
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let (at, _) = story.hop("2023.2", at);
    let again = (at + 7200.0).floor();
    story.resume(again);
    let (at, _) = story.hop("2023.2", again + 0.5);
    story.end(at, Outcome::Done);
    (story, again)
}
