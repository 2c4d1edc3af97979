//! Runs with a story, to tell to reporters: plan, records and news as a run would make them.
//!
//! A story is written on a time line. Each lane of a hop goes through its steps by itself; a [`Fate`]
//! says where something else than success waits. Nothing is random: what is shown can be kept.

mod plans;
mod tales;

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use jiff::Timestamp;

pub(crate) use plans::{image, plan};
pub(crate) use tales::{failing, interrupted, leap, resumed, stuck};

use super::Reporter;
use crate::journal::{Event, Evidence, Failure, MigrationCount, Outcome, Progress, Record, RecordBody};
use crate::model::{Phase, Series, StepId, Stream, Verdict};
use crate::plan::{Action, Plan, Step};

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
        self.begin_at(0.0)
    }

    pub(crate) fn begin_at(&mut self, at: f64) -> &mut Self {
        let plan = Arc::clone(&self.plan);
        self.record(
            at,
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
                unfenced: false,
            },
        )
    }

    pub(crate) fn resume(&mut self, at: f64) -> &mut Self {
        self.fates.clear();
        let body = RecordBody::RunResumed {
            leapfrog: "0.1.0".to_owned(),
            host: "control-1".to_owned(),
            pid: 5150,
            unfenced: false,
        };
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
        let command = step.action.command(None);
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
                    count: Some(1000),
                    counts,
                    seconds: (takes / f64::from(rounds + 1) * 1000.0).round() / 1000.0,
                },
            );
            self.say(
                t,
                Progress::Rows { step: id.clone(), round, moved, total: Some(rows), rate: moved as f64 / (t - at) },
            );
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
            Action::Check(_) | Action::Run(_) => vec![Evidence::Exit { code: 0, verdict: Verdict::Done }],
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
            Action::Save(_) | Action::Trip(_) => Vec::new(),
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
                never_began: false,
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
