//! Whatever the plan, the schedule keeps its promises.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::journal::{HopState, Outcome, StepState};
use crate::model::{Effect, Heads, Phase, RunId};
use crate::plan::{CommandRun, Standing, StepConfiguration, Verification};
use crate::runner::{FoundState, TaskHandle, TaskId};

/// A plan of one hop; for each lane, whether each of its steps runs beside the one before it.
fn plan(lanes: &[Vec<bool>]) -> Plan {
    let lanes = lanes.iter().enumerate().map(|(number, steps)| {
        let service: Service = format!("s{number}").parse().expect("valid");
        let steps = steps.iter().enumerate().map(|(place, beside)| Step {
            id: format!("2024.1/{service}/step{place}").parse().expect("valid"),
            phase: Phase::Migrate,
            why: "because".into(),
            effect: Effect::Idempotent,
            beside: *beside && place > 0,
            action: Action::Verify(Verification { heads: BTreeMap::new(), services: Vec::new() }),
        });
        let standing = [(service.as_str().parse().expect("valid"), Standing::AtHeads { heads: Heads::default() })];
        Lane {
            image: "registry.example/image:1".parse().expect("valid"),
            package: None,
            common_rows: Vec::new(),
            known: Default::default(),
            standing: standing.into(),
            steps: steps.collect(),
            service,
        }
    });
    let (from, to): (Series, Series) = ("2024.1".parse().expect("valid"), "2024.1".parse().expect("valid"));
    let hop = Hop {
        series: from.clone(),
        reason: String::new(),
        notes: Vec::new(),
        changes: Vec::new(),
        lanes: lanes.collect(),
    };
    Plan {
        format: Plan::FORMAT,
        cloud: "ewr1".into(),
        from,
        to,
        stops: Default::default(),
        part: Default::default(),
        reasons: Vec::new(),
        hops: vec![hop],
    }
}

/// A run in the middle of the plan's hop.
struct World {
    plan: Plan,
    state: RunState,
    hand: InHand,
}

impl World {
    fn new(lanes: &[Vec<bool>]) -> Self {
        let plan = plan(lanes);
        let began = jiff::Timestamp::UNIX_EPOCH;
        let hops = vec![HopState { series: plan.from.clone(), began, ended: None }];
        let ready = plan.images().into_keys().cloned().collect();
        Self { state: RunState { hops, ..RunState::default() }, hand: InHand { ready, ..InHand::default() }, plan }
    }

    /// Begins what may begin; returns the steps.
    fn begin(&mut self, jobs: usize) -> Vec<StepId> {
        let steps: Vec<StepId> = match next(&self.plan, &self.state, &self.hand, jobs) {
            Next::Begin(steps) => steps.into_iter().map(|(_, step)| step.id.clone()).collect(),
            _ => Vec::new(),
        };
        for step in &steps {
            assert!(self.hand.running.insert(step.clone()), "{step} began while it ran");
        }
        steps
    }

    fn end(&mut self, step: &StepId, outcome: Outcome) {
        self.hand.running.remove(step);
        let began = jiff::Timestamp::UNIX_EPOCH;
        let ended = StepState {
            attempt: 1,
            rounds: 0,
            outcome: Some(outcome),
            rows: 0,
            began,
            seconds: 0.0,
            process: 1,
            adopted: false,
            never_began: false,
            resolved: false,
        };
        self.state.steps.insert(step.clone(), ended);
        if !outcome.is_complete() {
            self.hand.halted.insert(step.service.clone());
        }
    }

    /// The steps of the stages before that of `step`.
    fn before(&self, step: &StepId) -> Vec<StepId> {
        let lane = self.plan.hops[0].lanes.iter().find(|lane| lane.service == step.service).expect("its lane");
        let stages = lane.stages().take_while(|stage| stage.iter().all(|other| other.id != *step));
        stages.flatten().map(|step| step.id.clone()).collect()
    }
}

proptest! {
    #[test]
    fn no_stage_begins_before_the_one_before_is_complete_no_more_run_than_may_and_all_is_done_in_the_end(
        lanes in prop::collection::vec(prop::collection::vec(any::<bool>(), 1..6), 1..5), jobs in 1usize..5,
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 40),
    ) {
        let mut world = World::new(&lanes);
        for (pick, skipped) in picks {
            for step in world.begin(jobs) {
                for before in world.before(&step) {
                    prop_assert!(world.state.is_done(&before), "{step} began before {before} was complete");
                }
            }
            prop_assert!(world.hand.running.len() <= jobs);
            let running: Vec<StepId> = world.hand.running.iter().cloned().collect();
            if running.is_empty() {
                break;
            }
            let step = pick.get(&running).clone();
            world.end(&step, if skipped { Outcome::Skipped } else { Outcome::Done });
        }
        prop_assert!(matches!(next(&world.plan, &world.state, &world.hand, jobs), Next::EndHop(_)));
    }

    #[test]
    fn a_failed_step_halts_its_lane_and_no_other(
        lanes in prop::collection::vec(prop::collection::vec(any::<bool>(), 1..6), 2..5),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 40), fails in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new(&lanes);
        let steps: Vec<StepId> = world.plan.steps().map(|(_, _, step)| step.id.clone()).collect();
        let failing = fails.get(&steps).clone();
        for pick in picks {
            for step in world.begin(3) {
                prop_assert!(!world.hand.halted.contains(&step.service), "{step} began in a lane that had failed");
            }
            let running: Vec<StepId> = world.hand.running.iter().cloned().collect();
            if running.is_empty() {
                break;
            }
            let step = pick.get(&running).clone();
            let outcome = if step == failing { Outcome::Failed } else { Outcome::Done };
            world.end(&step, outcome);
        }
        prop_assert!(matches!(next(&world.plan, &world.state, &world.hand, 3), Next::Halt));
        let left = steps.iter().filter(|step| step.service != failing.service && !world.state.is_done(step)).count();
        prop_assert_eq!(left, 0, "the other lanes finish the hop");
    }
}

#[test]
fn the_steps_of_a_stage_begin_together_and_the_longest_lane_goes_first() {
    let mut world = World::new(&[vec![false], vec![false, true, true]]);
    assert_eq!(world.begin(2).len(), 2);
    let mut world = World::new(&[vec![false, true, true, false]]);
    let together: Vec<String> = world.begin(8).iter().map(ToString::to_string).collect();
    assert_eq!(together, ["2024.1/s0/step0", "2024.1/s0/step1", "2024.1/s0/step2"]);
}

#[test]
fn what_runs_already_is_watched_before_anything_is_launched_whatever_the_jobs() {
    let mut world = World::new(&[vec![false, true, true, true], vec![false]]);
    let run: RunId = "20261122-031502-7f3a".parse().expect("valid");
    for step in ["2024.1/s0/step2", "2024.1/s0/step3"] {
        let step: StepId = step.parse().expect("valid");
        let id = TaskId { run: run.clone(), step: step.clone(), attempt: 1, round: 1 };
        world.hand.found.insert(step, FoundTask { id, handle: TaskHandle("1".into()), state: FoundState::Running });
    }
    for (jobs, expected) in [(1, &["step2", "step3"][..]), (2, &["step2", "step3"]), (3, &["step2", "step3", "step0"])]
    {
        world.hand.running.clear();
        let begun: Vec<String> = world.begin(jobs).iter().map(|step| step.name.to_string()).collect();
        assert_eq!(begun, expected, "{jobs} jobs");
    }
}

#[test]
fn a_step_is_expected_to_take_as_long_as_in_the_release_before_and_else_what_such_a_step_usually_takes() {
    let run = |id: &str| Step {
        id: id.parse().expect("valid"),
        phase: Phase::Expand,
        why: "because".into(),
        effect: Effect::Idempotent,
        beside: false,
        action: Action::Run(Box::new(CommandRun {
            command: serde_json::from_str(r#"["neutron-db-manage", "upgrade"]"#).expect("valid"),
            exits: Default::default(),
            failure_texts: Default::default(),
            configuration: StepConfiguration {
                path: "/etc/neutron.conf".into(),
                passed_with: None,
                options: Default::default(),
            },
            schema: None,
        })),
    };
    let ended = |outcome, seconds: f64, second: i64| StepState {
        attempt: 1,
        rounds: 0,
        outcome: Some(outcome),
        rows: 0,
        began: jiff::Timestamp::from_second(second).expect("valid"),
        seconds,
        process: 1,
        adopted: false,
        never_began: false,
        resolved: false,
    };
    let id = |text: &str| text.parse::<StepId>().expect("valid");
    let steps = [
        (id("2023.1/neutron/db-expand"), ended(Outcome::Done, 9.0, 1)),
        (id("2023.2/neutron/db-expand"), ended(Outcome::Done, 7.5, 2)),
        (id("2024.1/neutron/db-expand"), ended(Outcome::Skipped, 0.0, 3)),
        (id("2024.1/cinder/db-expand"), ended(Outcome::Done, 40.0, 4)),
    ];
    let state = RunState { steps: steps.into(), ..RunState::default() };
    let before: Vec<Series> = ["2023.1", "2023.2", "2024.1"].map(|series| series.parse().expect("valid")).into();
    let before: Vec<&Series> = before.iter().collect();
    assert_eq!(usual(&run("2024.2/neutron/db-expand"), &before, &state), 7.5);
    assert_eq!(usual(&run("2024.2/neutron/db-contract"), &before, &state), 3.0);
}
