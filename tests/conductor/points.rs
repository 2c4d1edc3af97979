//! Restore points in a run: taken before anything changes, and gone back to when a schema migration dies.

use std::sync::{Arc, Mutex};

use leapfrog::conduct::{RestorePoints, Signal, failure};
use leapfrog::journal::{Evidence, Failure, Journal, Outcome, RecordBody, SavedPoint};
use leapfrog::model::{Effect, Phase, PointProof, StepId};
use leapfrog::plan::{Action, SavedDatabase, Step};
use leapfrog::runner::scripted::Script;
use tokio::sync::mpsc;

use crate::bed::{Bed, Told, begins, ends, heads, seen_beginning, valid};

/// Restore points that are only spoken of.
#[derive(Default)]
struct Scripted {
    /// What was done, in order.
    done: Mutex<Vec<String>>,
    /// What fails, so many times.
    failing: Mutex<Vec<(String, u32)>>,
}

impl Scripted {
    fn does(&self, what: String) -> Result<(), Box<Failure>> {
        let mut failing = self.failing.lock().expect("no panic");
        if let Some((_, times)) = failing.iter_mut().find(|(other, times)| *other == what && *times > 0) {
            *times -= 1;
            return Err(Box::new(failure(format!("{what} does not work"), "make room".into())));
        }
        self.done.lock().expect("no panic").push(what);
        Ok(())
    }

    fn fails(&self, what: &str, times: u32) {
        self.failing.lock().expect("no panic").push((what.into(), times));
    }

    fn done(&self) -> Vec<String> {
        self.done.lock().expect("no panic").clone()
    }
}

#[async_trait::async_trait]
impl RestorePoints for Scripted {
    async fn save(
        &self,
        step: &StepId,
        attempt: u32,
        saved: &SavedDatabase,
        tell: &mpsc::Sender<String>,
    ) -> Result<SavedPoint, Failure> {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let _ = tell.send("1 MB dumped".into()).await;
        self.does(format!("save {} {}", step.series, saved.database)).map_err(|failure| *failure)?;
        Ok(SavedPoint {
            database: saved.database.clone(),
            point: format!("{}/{}/{}.{attempt}", Bed::run(), step.series, saved.database),
            heads: heads("2023.1"),
            tables: 40,
            rows: 1000,
            plain: 4096,
            bytes: 512,
            sum: None,
            proof: saved.proof,
            removed: Vec::new(),
        })
    }

    async fn bring_back(&self, point: &SavedPoint, _: &mpsc::Sender<String>) -> Result<Evidence, Failure> {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        self.does(format!("back {}", point.point.rsplit_once('/').map_or("", |(_, name)| name)))
            .map_err(|failure| *failure)?;
        Ok(Evidence::Restored {
            database: point.database.clone(),
            point: point.point.clone(),
            heads: point.heads.clone(),
            tables: point.tables,
            rows: point.rows,
            compared: point.proof,
        })
    }
}

impl Bed {
    /// Schema migrations that are always run, with a restore point of each database before each hop.
    fn with_points() -> (Self, Arc<Scripted>) {
        let mut bed = Self::two_by_three().with_schemas();
        bed.add_points();
        let points = Arc::new(Scripted::default());
        bed.points = Some(Arc::clone(&points) as Arc<dyn RestorePoints>);
        (bed, points)
    }

    fn add_points(&mut self) {
        for hop in &mut self.plan.hops {
            for lane in &mut hop.lanes {
                for step in &mut lane.steps {
                    if let Action::Run(run) = &mut step.action {
                        run.schema.as_mut().expect("a schema migration").skippable = false;
                    }
                }
                let database = valid(lane.service.as_str());
                let id = format!("{}/{}/{}", hop.series, lane.service, StepId::RESTORE_POINT);
                let step = Step {
                    id: valid(&id),
                    phase: Phase::Save,
                    why: "the way back".into(),
                    effect: Effect::ReadOnly,
                    beside: false,
                    action: Action::Save(SavedDatabase { database, proof: PointProof::Full }),
                };
                lane.steps.insert(0, step);
            }
        }
    }
}

fn restores(told: &Told) -> Vec<(String, Option<Outcome>)> {
    let restores = told.records.iter().filter_map(|record| match &record.body {
        RecordBody::RestoreStarted { to, because, .. } => {
            Some((format!("{to} {}", because.as_ref().map(ToString::to_string).unwrap_or_default()), None))
        }
        RecordBody::RestoreEnded { to, outcome, .. } => Some((to.to_string(), Some(*outcome))),
        _ => None,
    });
    restores.collect()
}

#[tokio::test(start_paused = true)]
async fn every_database_is_saved_before_its_lane_changes_anything() {
    let (mut bed, points) = Bed::with_points();
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(points.done().len(), 6, "{:?}", points.done());
    for step in ["2023.1/nova", "2023.2/cinder", "2023.2/placement"] {
        let saved = told.place(|body| ends(body, &format!("{step}/restore-point"))).expect("saved");
        let first = told.place(|body| begins(body, &format!("{step}/db-sync"))).expect("begun");
        assert!(saved < first, "{step} changed before it was saved");
    }
    assert_eq!(told.state.points.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_cannot_be_saved_does_not_begin_and_the_same_command_saves_it_anew() {
    let (mut bed, points) = Bed::with_points();
    points.fails("save 2023.2 nova", 1);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert_eq!(told.failure("2023.2/nova/restore-point").what, "save 2023.2 nova does not work");
    assert!(!bed.runner.launched().contains(&"2023.2/nova/db-sync".to_owned()));
    assert_eq!(told.ended("2023.2/cinder/verify-heads"), Some(Outcome::Done), "other lanes go on");
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(told.state.points[&valid("2023.2/nova/restore-point")].point.rsplit_once('.').expect("a number").1, "2");
}

#[tokio::test(start_paused = true)]
async fn a_stop_with_grace_ends_a_dump_and_leaves_no_point() {
    let (mut bed, points) = Bed::with_points();
    bed.react(|event| seen_beginning(event, "2023.1/nova/restore-point"), Signal::Terminate);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Interrupted);
    assert_eq!(told.ended("2023.1/nova/restore-point"), Some(Outcome::Interrupted));
    assert!(points.done().is_empty() && told.state.points.is_empty(), "{:?}", points.done());
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_schema_migration_that_was_killed_is_tried_once_more_from_its_restore_point() {
    let (mut bed, points) = Bed::with_points();
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(137).out_of_memory(), Script::ends(0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done, "{:?}", restores(&told));
    let expected = [("2023.2 2023.2/nova/db-sync".to_owned(), None), ("2023.2".to_owned(), Some(Outcome::Done))];
    assert_eq!(restores(&told), expected);
    assert_eq!(points.done().iter().filter(|what| what.starts_with("back")).collect::<Vec<_>>(), ["back nova.1"]);
    assert_eq!(points.done().iter().filter(|what| *what == "save 2023.2 nova").count(), 1, "the point stays");
    let syncs = bed.runner.launched().into_iter().filter(|step| step == "2023.2/nova/db-sync").count();
    assert_eq!(syncs, 2);
    assert_eq!(told.state.steps[&valid("2023.2/nova/db-sync")].attempt, 2);
    let others = bed.runner.launched().into_iter().filter(|step| step == "2023.2/cinder/db-sync").count();
    assert_eq!(others, 1, "the other lanes are not touched");
}

#[tokio::test(start_paused = true)]
async fn a_second_death_halts_the_lane_and_says_how_to_go_back() {
    let (mut bed, points) = Bed::with_points();
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(137), Script::ends(137)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert_eq!(points.done().iter().filter(|what| what.starts_with("back")).count(), 1);
    let advice = &told.failure("2023.2/nova/db-sync").advice;
    assert!(advice.contains("leapfrog restore --to 2023.2 --service nova"), "{advice}");
    assert_eq!(told.ended("2023.2/cinder/verify-heads"), Some(Outcome::Done), "other lanes go on");
}

#[tokio::test(start_paused = true)]
async fn without_a_restore_point_it_halts_and_says_what_it_knows() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(137)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(restores(&told).is_empty());
    let failure = told.failure("2023.2/nova/db-sync");
    assert!(failure.what.contains("the schema may hold a part of one that its heads do not show"), "{}", failure.what);
    assert!(failure.advice.contains("no restore point of nova before 2023.2"), "{}", failure.advice);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_failed_by_itself_is_not_repeated() {
    let (mut bed, _) = Bed::with_points();
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(1)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(restores(&told).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_that_fails_after_one_was_cut_off_goes_back() {
    let (mut whole, _) = Bed::with_points();
    let records = whole.leap().await.records;
    let at = records.iter().position(|record| begins(&record.body, "2023.2/nova/db-sync")).expect("begun");
    // leapfrog died in the middle of it, and its container is gone.
    let mut bed = whole.after_death(&records[..=at]);
    let points = Arc::new(Scripted::default());
    bed.points = Some(Arc::clone(&points) as Arc<dyn RestorePoints>);
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(1).err("Duplicate column name"), Script::ends(0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(restores(&told).len(), 2);
    assert!(points.done().contains(&"back nova.1".to_owned()), "{:?}", points.done());
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_was_cut_off_is_gone_again_before_anything_of_its_lane() {
    let (mut whole, _) = Bed::with_points();
    whole.runner.on("2023.2/nova/db-sync", [Script::ends(137), Script::ends(0)]);
    let records = whole.leap().await.records;
    let started = |body: &RecordBody| matches!(body, RecordBody::RestoreStarted { .. });
    let at = records.iter().position(|record| started(&record.body)).expect("begun");
    let mut bed = whole.after_death(&records[..=at]);
    let points = Arc::new(Scripted::default());
    bed.points = Some(Arc::clone(&points) as Arc<dyn RestorePoints>);
    points.fails("back nova.1", 1);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed, "it could not be brought back");
    assert!(told.state.restoring.is_some());
    assert!(!bed.runner.launched().contains(&"2023.2/nova/db-sync".to_owned()), "nothing runs on half of a database");
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert!(told.state.restoring.is_none() && points.done().contains(&"back nova.1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_schema_migration_whose_end_a_killed_engine_does_not_know_goes_back_to_its_restore_point() {
    let (mut bed, points) = Bed::with_points();
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(255).engine_left(), Script::ends(0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done, "{:?}", restores(&told));
    assert_eq!(points.done().iter().filter(|what| what.starts_with("back")).collect::<Vec<_>>(), ["back nova.1"]);
    let syncs = bed.runner.launched().into_iter().filter(|step| step == "2023.2/nova/db-sync").count();
    assert_eq!(syncs, 2);
}

#[tokio::test(start_paused = true)]
async fn lanes_that_died_together_go_back_one_after_the_other() {
    // An engine that is killed takes the schema migrations of all lanes with it.
    let (mut bed, points) = Bed::with_points();
    for service in ["cinder", "nova", "placement"] {
        bed.runner.on(&format!("2023.2/{service}/db-sync"), [Script::ends(137).engine_left(), Script::ends(0)]);
    }
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done, "{:?}", restores(&told));
    let mut back: Vec<String> = points.done().into_iter().filter(|what| what.starts_with("back")).collect();
    back.sort();
    assert_eq!(back, ["back cinder.1", "back nova.1", "back placement.1"]);
    let turns: Vec<bool> = restores(&told).iter().map(|(_, outcome)| outcome.is_none()).collect();
    assert_eq!(turns, [true, false, true, false, true, false], "one is over before the next begins");
}

#[tokio::test(start_paused = true)]
async fn a_death_between_the_end_of_a_killed_migration_and_its_way_back_loses_no_way_back() {
    let (mut whole, _) = Bed::with_points();
    whole.runner.on("2023.2/nova/db-sync", [Script::ends(137), Script::ends(0)]);
    let records = whole.leap().await.records;
    let at = records.iter().position(|record| ends(&record.body, "2023.2/nova/db-sync")).expect("ended");
    let mut bed = whole.after_death(&records[..=at]);
    let points = Arc::new(Scripted::default());
    bed.points = Some(Arc::clone(&points) as Arc<dyn RestorePoints>);
    // Half of its work is there: it fails by itself now.
    bed.shows("nova", heads("2023.1"));
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(1).err("Duplicate column name")]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(points.done().contains(&"back nova.1".to_owned()), "{:?}", points.done());
    assert_eq!(restores(&told).len(), 2, "once, and no second time");
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_a_stop_cut_off_goes_back_if_it_cannot_go_on() {
    // The second Ctrl-C, or a database server that went away, ends its container in its middle.
    let (mut bed, points) = Bed::with_points();
    bed.runner
        .on("2023.2/nova/db-sync", [Script::hangs(), Script::ends(1).err("Duplicate column name"), Script::ends(0)]);
    bed.react(|event| seen_beginning(event, "2023.2/nova/db-sync"), Signal::Terminate);
    let told = bed.leap().await;
    assert_eq!(told.ended("2023.2/nova/db-sync"), Some(Outcome::Interrupted));
    assert!(points.done().iter().all(|what| what.starts_with("save")), "not before it failed");
    bed.shows("nova", heads("2023.1"));
    let told = bed.leap().await;
    assert!(points.done().contains(&"back nova.1".to_owned()), "{:?}", points.done());
    assert_eq!(restores(&told).len(), 2);
}

#[test]
fn what_was_done_after_a_restore_point_has_to_be_done_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("one");
    let (mut bed, _) = Bed::with_points();
    let told = runtime.block_on(bed.leap());
    assert!(told.state.is_complete());
    let (mut journal, _) = Journal::open(&bed.directory).expect("a journal");
    let mut say = |body| drop(journal.append(jiff::Timestamp::now(), body).expect("legal"));
    let services: std::collections::BTreeSet<_> = [valid("nova")].into();
    let to = || valid("2023.2");
    say(RecordBody::RestoreStarted { to: to(), services: services.clone(), because: None, host: "a".into(), pid: 1 });
    say(RecordBody::RestoreEnded {
        to: to(),
        services,
        outcome: Outcome::Done,
        seconds: 1.0,
        evidence: Vec::new(),
        failure: None,
    });
    drop(journal);
    let before = bed.runner.launched().len();
    let told = runtime.block_on(bed.leap());
    assert!(told.state.is_complete());
    let again: Vec<String> = bed.runner.launched()[before..].to_vec();
    assert!(again.contains(&"2023.2/nova/db-sync".to_owned()), "{again:?}");
    assert!(again.iter().all(|step| step.starts_with("2023.2/nova/")), "{again:?}");
}
