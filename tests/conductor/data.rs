//! Data migrations: rounds, rows that stay, counts.

use std::time::Duration;

use leapfrog::conduct::Signal;
use leapfrog::journal::{Evidence, Outcome, RecordBody};
use leapfrog::runner::scripted::Script;

use crate::bed::{Bed, Told, drains, remainder, residue, seen_beginning, table};

const STEP: &str = "2023.1/nova/online-data";
const MARKERS: &str = "SELECT COUNT(*) FROM markers";
const LEFT: &str = "SELECT COUNT(*) FROM instances WHERE compute_id IS NULL";

fn nova() -> Bed {
    Bed::new(&["2023.1", "2023.2"], &["cinder", "nova"])
}

fn evidence(told: &Told) -> Vec<Evidence> {
    let evidence = told.records.iter().rev().find_map(|record| match &record.body {
        RecordBody::StepEnded { step, evidence, .. } if step.to_string() == STEP => Some(evidence.clone()),
        _ => None,
    });
    evidence.expect("the data migration ended")
}

/// The `--max-count` of each launch.
fn batches(bed: &Bed) -> Vec<String> {
    let tasks = bed.runner.launches().into_iter().filter(|task| task.id.step.to_string() == STEP);
    tasks.map(|task| task.command.last().expect("a word").clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_data_migration_that_finds_rows_and_moves_none_is_stuck() {
    let mut bed = nova();
    bed.runner.on(STEP, [table(Script::ends(1), 7, 0)]);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.ended(STEP)), (Outcome::Stuck, Some(Outcome::Stuck)));
    assert!(told.failure(STEP).what.contains("move_rows (7 found, 0 moved)"), "{}", told.failure(STEP).what);
    assert_eq!(batches(&bed).len(), 2, "a second round is worth a try, a third is not");
    assert_eq!(told.ended("2023.1/cinder/verify-heads"), Some(Outcome::Done));
    assert!(told.state.open_hop().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_migration_goes_on_once_its_rows_are_mended() {
    let mut bed = nova();
    bed.runner.on(STEP, [Script::ends(2).err("Error attempting to run <function a>"), table(Script::ends(0), 0, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Stuck);
    assert!(told.failure(STEP).what.contains("Error attempting to run"), "{}", told.failure(STEP).what);
    let again = bed.leap().await;
    assert_eq!(again.outcome(), Outcome::Done);
    assert_eq!(again.state.steps[&STEP.parse().expect("valid")].attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_another_lane_outranks_a_stuck_one() {
    let mut bed = nova();
    bed.runner.on(STEP, [table(Script::ends(1), 7, 0)]);
    bed.runner.on("2023.1/cinder/db-sync", [Script::ends(1)]);
    assert_eq!(bed.leap().await.outcome(), Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn harmless_rows_raise_the_count_of_every_round_and_are_named_as_evidence() {
    let mut bed = nova();
    bed.migration(STEP, |migration| migration.residues.push(residue("move_rows", MARKERS)));
    bed.finds(MARKERS, &[37, 40]);
    bed.runner.on(STEP, [table(Script::ends(1), 90, 50), table(Script::ends(0), 40, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(batches(&bed), ["1037", "1040"]);
    let residue = Evidence::Residue { migration: "move_rows".into(), rows: 40, why: "a marker".into() };
    assert!(evidence(&told).contains(&residue), "{:?}", evidence(&told));
}

#[tokio::test(start_paused = true)]
async fn rows_beyond_the_harmless_ones_are_not_excused() {
    let mut bed = nova();
    bed.migration(STEP, |migration| migration.residues.push(residue("move_rows", MARKERS)));
    bed.finds(MARKERS, &[39]);
    bed.runner.on(STEP, [table(Script::ends(0), 40, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Stuck);
    assert!(told.failure(STEP).what.contains("leaves rows behind"), "{}", told.failure(STEP).what);
}

#[tokio::test(start_paused = true)]
async fn the_database_outranks_a_command_that_says_done() {
    let mut bed = nova();
    let rows = "instances without a compute_id";
    bed.migration(STEP, |migration| migration.remainders.push(remainder(rows, LEFT, Some("Start nova-compute"))));
    bed.finds(LEFT, &[3, 0]);
    bed.runner.on(STEP, [table(Script::ends(0), 0, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Stuck);
    let failure = told.failure(STEP);
    assert!(failure.what.contains("nova still holds 3 instances without a compute_id"), "{}", failure.what);
    assert!(failure.advice.starts_with("Start nova-compute") && failure.advice.contains(LEFT), "{}", failure.advice);
    let again = bed.leap().await;
    assert_eq!(again.outcome(), Outcome::Done);
    let none = Evidence::NoneRemain { what: rows.into(), database: "nova".parse().expect("valid") };
    assert!(evidence(&again).contains(&none));
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_counted_prove_nothing() {
    for residual in [true, false] {
        let mut bed = nova();
        bed.migration(STEP, |migration| {
            migration.residues.extend(residual.then(|| residue("move_rows", MARKERS)));
            migration.remainders.extend((!residual).then(|| remainder("rows", MARKERS, None)));
        });
        bed.cannot_count(MARKERS, "Connection refused");
        bed.runner.on(STEP, [table(Script::ends(0), 0, 0)]);
        let told = bed.leap().await;
        assert_eq!(told.outcome(), Outcome::Failed);
        let failure = told.failure(STEP);
        assert!(failure.what.contains("could not be counted") && failure.what.contains("Connection refused"));
        assert_eq!(failure.advice, "start the server");
        assert_eq!(batches(&bed).len(), usize::from(!residual));
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_without_a_table_proves_nothing_whatever_the_exit_code() {
    let mut bed = nova();
    bed.runner.on(STEP, [Script::ends(0).out("Running batches of 1000 until complete")]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(told.failure(STEP).what.contains("proves nothing"), "{}", told.failure(STEP).what);
}

#[tokio::test(start_paused = true)]
async fn a_count_that_takes_long_does_not_hold_up_a_stop() {
    for residual in [true, false] {
        let mut bed = nova();
        bed.migration(STEP, |migration| {
            migration.residues.extend(residual.then(|| residue("move_rows", MARKERS)));
            migration.remainders.extend((!residual).then(|| remainder("rows", MARKERS, None)));
        });
        bed.finds(MARKERS, &[0]);
        bed.counts_in(Duration::from_secs(1800));
        bed.runner.on(STEP, [table(Script::ends(0), 0, 0)]);
        bed.react(|event| seen_beginning(event, STEP), Signal::Terminate);
        let began = tokio::time::Instant::now();
        let told = bed.leap().await;
        assert_eq!((told.outcome(), told.ended(STEP)), (Outcome::Interrupted, Some(Outcome::Interrupted)));
        assert!(began.elapsed() < Duration::from_secs(60), "after {:?}", began.elapsed());
        bed.counts_in(Duration::ZERO);
        assert_eq!(bed.leap().await.outcome(), Outcome::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_an_earlier_attempt_moved_stay_in_the_account() {
    let mut bed = nova();
    let [moves, nothing] = drains();
    bed.runner.on(STEP, [moves.clone(), Script::ends(127), moves, nothing]);
    assert_eq!(bed.leap().await.outcome(), Outcome::Failed);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.state.steps[&STEP.parse().expect("valid")].rows), (Outcome::Done, 100));
}
