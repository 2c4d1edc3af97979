//! Any legal run: hops in order, lanes side by side, steps in turn, deaths and stops in between.
//!
//! The rules are written down here a second time and in another way than in the fold, which is what the
//! fold is held against.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{MigrationCount, Outcome, Record, RecordBody};
use crate::model::{StepId, Verdict};

fn valid<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("valid")
}

const SERIES: [&str; 3] = ["2023.1", "2023.2", "2024.1"];
const SERVICES: [&str; 3] = ["cinder", "keystone", "nova"];

/// How far one lane of the open hop is.
#[derive(Default)]
struct LaneAt {
    /// Steps that are done.
    done: usize,
    /// Whether the next one runs, and how many of its rounds ended.
    runs: Option<u32>,
}

/// A run while it is made up.
struct Making {
    hops: usize,
    steps: usize,
    hop: usize,
    open: bool,
    lanes: Vec<LaneAt>,
    attempts: BTreeMap<StepId, u32>,
    bodies: Vec<RecordBody>,
    over: bool,
}

impl Making {
    fn step(&self, lane: usize) -> StepId {
        valid(&format!("{}/{}/step-{}", SERIES[self.hop], SERVICES[lane], self.lanes[lane].done))
    }

    fn say(&mut self, body: RecordBody) {
        self.bodies.push(body);
    }

    fn resume(&mut self) {
        self.say(RecordBody::RunResumed { leapfrog: "0.1.0".into(), host: "alpha".into(), pid: 8, unfenced: true });
        for lane in &mut self.lanes {
            lane.runs = None;
        }
    }

    /// Goes on as `choice` says, for a lane that `choice` names.
    fn go(&mut self, choice: u8) {
        if self.over {
            return;
        }
        if !self.open {
            if self.hop == self.hops {
                self.say(RecordBody::RunEnded { outcome: Outcome::Done, failure: None });
                self.over = true;
                return;
            }
            self.say(RecordBody::HopStarted { series: valid(SERIES[self.hop]) });
            self.open = true;
            return;
        }
        if self.lanes.iter().all(|lane| lane.done == self.steps) {
            self.say(RecordBody::HopEnded { series: valid(SERIES[self.hop]) });
            self.open = false;
            self.hop += 1;
            self.lanes.iter_mut().for_each(|lane| *lane = LaneAt::default());
            return;
        }
        match choice {
            // The process dies, or ends in order; another goes on.
            0..8 => self.resume(),
            8..16 => {
                let outcome = if choice.is_multiple_of(2) { Outcome::Interrupted } else { Outcome::Failed };
                self.say(RecordBody::RunEnded { outcome, failure: None });
                self.resume();
            }
            _ => self.work(usize::from(choice) % self.lanes.len(), choice),
        }
    }

    fn work(&mut self, lane: usize, choice: u8) {
        if self.lanes[lane].done == self.steps {
            return;
        }
        let step = self.step(lane);
        let attempt = *self.attempts.entry(step.clone()).or_default();
        match (self.lanes[lane].runs, choice) {
            (None, _) => {
                self.attempts.insert(step.clone(), attempt + 1);
                self.lanes[lane].runs = Some(0);
                let command = Some("nova-manage db sync".to_owned());
                self.say(RecordBody::StepStarted { step, attempt: attempt + 1, command, adopted: attempt > 1 });
            }
            (Some(rounds), 16..100) => {
                self.lanes[lane].runs = Some(rounds + 1);
                let counts =
                    vec![MigrationCount { migration: "ünïcode".into(), found: 50, moved: u64::from(choice) }];
                let (exit, verdict, seconds) = (1, Verdict::More, 0.5);
                let (round, count) = (rounds + 1, Some(1000));
                self.say(RecordBody::RoundEnded { step, attempt, round, exit, verdict, count, counts, seconds });
            }
            (Some(_), _) => {
                let outcome = if choice < 120 { Outcome::Stuck } else { Outcome::Done };
                self.lanes[lane].runs = None;
                self.lanes[lane].done += usize::from(outcome == Outcome::Done);
                let (evidence, failure, never_began) = (Vec::new(), None, choice == 101);
                let (seconds, rows) = (1.5, None);
                self.say(RecordBody::StepEnded {
                    step,
                    attempt,
                    outcome,
                    seconds,
                    rows,
                    evidence,
                    failure,
                    never_began,
                });
            }
        }
    }
}

/// The records of a legal run, complete or not.
pub(super) fn run() -> impl Strategy<Value = Vec<Record>> {
    (1..=3_usize, 1..=3_usize, 1..=3_usize, vec(any::<u8>(), 0..120)).prop_map(|(hops, lanes, steps, choices)| {
        let mut making = Making {
            hops,
            steps,
            hop: 0,
            open: false,
            lanes: (0..lanes).map(|_| LaneAt::default()).collect(),
            attempts: BTreeMap::new(),
            bodies: vec![started()],
            over: false,
        };
        choices.into_iter().for_each(|choice| making.go(choice));
        numbered(making.bodies)
    })
}

/// The first record of a run.
pub(super) fn started() -> RecordBody {
    RecordBody::RunStarted {
        run: valid("20261122-031502-7f3a"),
        cloud: "ewr1 \u{2603}".into(),
        from: valid(SERIES[0]),
        to: valid(SERIES[2]),
        leapfrog: "0.1.0".into(),
        runner: "Scripted 1.0".into(),
        host: "alpha".into(),
        pid: 7,
        images: BTreeMap::new(),
        unfenced: false,
    }
}

/// Records with these bodies, a second apart.
pub(super) fn numbered(bodies: Vec<RecordBody>) -> Vec<Record> {
    (1_u64..)
        .zip(bodies)
        .map(|(sequence, body)| {
            let time = jiff::Timestamp::from_second(1_790_000_000 + sequence.cast_signed()).expect("a time");
            Record { format: Record::FORMAT, sequence, time, body }
        })
        .collect()
}
