//! Data migrations: rounds, rows that stay, counts.

use std::time::Duration;

use leapfrog::conduct::Signal;
use leapfrog::journal::{Event, Evidence, Outcome, Progress, RecordBody};
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
    assert!(
        told.failure(STEP).what.contains("a raised an exception (the exit code was 2)"),
        "{}",
        told.failure(STEP).what
    );
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
async fn a_harmless_row_that_the_round_itself_made_is_one_of_them() {
    let mut bed = nova();
    bed.migration(STEP, |migration| migration.residues.push(residue("move_rows", MARKERS)));
    bed.finds(MARKERS, &[7, 8]);
    bed.runner.on(STEP, [table(Script::ends(0), 8, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(batches(&bed), ["1007"]);
    let residue = Evidence::Residue { migration: "move_rows".into(), rows: 8, why: "a marker".into() };
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
    assert!(
        failure.advice.starts_with("Start nova-compute") && failure.advice.contains("SELECT * FROM instances"),
        "{}",
        failure.advice
    );
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

/// A round of so many rows a second after two seconds of start-up.
fn takes(rows: u64, rate: u64) -> Duration {
    Duration::from_secs(2) + Duration::from_millis(rows * 1000 / rate)
}

/// A round that moves as many rows as it may.
fn works(moved: u64, rate: u64) -> Script {
    table(Script::ends(1).after(takes(moved, rate)), moved, moved)
}

/// A round that finds nothing to do.
fn rests() -> Script {
    table(Script::ends(0).after(Duration::from_secs(2)), 0, 0)
}

/// Rows moved and their total, as they were told while the step ran.
fn progress(told: &Told) -> Vec<(u64, Option<u64>)> {
    let rows = told.events.iter().filter_map(|event| match event {
        Event::Progress(Progress::Rows { step, moved, total, .. }) if step.to_string() == STEP => {
            Some((*moved, *total))
        }
        _ => None,
    });
    rows.collect()
}

#[tokio::test(start_paused = true)]
async fn rounds_grow_to_their_target_and_the_journal_says_how_large_they_were() {
    let mut bed = nova();
    bed.runner.on(STEP, [works(1000, 175), works(3900, 175), works(6000, 175), rests()]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let batches: Vec<u64> = batches(&bed).iter().map(|batch| batch.parse().expect("a number")).collect();
    assert_eq!(batches[0], 1000);
    assert!((3500..=4000).contains(&batches[1]) && (5000..=7000).contains(&batches[2]), "{batches:?}");
    let counts: Vec<Option<u64>> = told
        .records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::RoundEnded { step, count, .. } if step.to_string() == STEP => Some(*count),
            _ => None,
        })
        .collect();
    assert_eq!(counts, batches.into_iter().map(Some).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn rows_are_counted_before_the_first_round_ends_and_while_rounds_run() {
    let mut bed = nova();
    bed.migration(STEP, |migration| migration.remainders.push(remainder("rows", LEFT, None)));
    bed.finds(LEFT, &[0]);
    bed.leaves(LEFT, &[5000, 4800, 4100, 3000, 2000, 1000, 0]);
    bed.runner.on(STEP, [works(1000, 100), works(4000, 100), rests()]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let progress = progress(&told);
    assert_eq!(progress[..3], [(0, Some(5000)), (200, Some(5000)), (900, Some(5000))]);
    assert!(progress.len() >= 8, "every five seconds: {progress:?}");
    assert_eq!(progress.last(), Some(&(5000, Some(5000))));
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_counted_for_the_progress_hold_nothing_up() {
    let mut bed = nova();
    bed.migration(STEP, |migration| migration.remainders.push(remainder("rows", LEFT, None)));
    bed.finds(LEFT, &[0]);
    bed.runner.on(STEP, [works(1000, 100), rests()]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(progress(&told), [(1000, None), (1000, None)], "no total without a count");
}

#[tokio::test(start_paused = true)]
async fn counts_that_take_long_are_seldom() {
    let mut bed = nova();
    bed.migration(STEP, |migration| migration.remainders.push(remainder("rows", LEFT, None)));
    bed.finds(LEFT, &[0]);
    bed.counts_in(Duration::from_secs(2));
    bed.leaves(LEFT, &[90_000]);
    bed.runner.on(STEP, [works(60_000, 100), rests()]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let counted = progress(&told).iter().filter(|(moved, _)| *moved == 0).count();
    assert!((5..=7).contains(&counted), "{counted} counts of 2 s in 600 s");
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_reports_rows_and_moves_none_in_the_database_is_stuck() {
    let mut bed = nova();
    let rows = leapfrog::catalog::Remainder { migration: Some("move_rows".into()), ..remainder("rows", LEFT, None) };
    bed.migration(STEP, |migration| migration.remainders.push(rows));
    bed.finds(LEFT, &[700]);
    bed.leaves(LEFT, &[700]);
    bed.runner.on(STEP, vec![works(1000, 100); 9]);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), batches(&bed).len()), (Outcome::Stuck, 4), "three rounds, and a count after them");
    let failure = told.failure(STEP);
    assert!(failure.what.contains("the database holds as many as before: 700"), "{}", failure.what);
    let migration = failure.migration.as_ref().expect("it is named");
    assert_eq!(migration.name, "move_rows");
    assert_eq!(migration.queries, ["SELECT * FROM instances WHERE compute_id IS NULL LIMIT 20"]);
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_gets_slower_with_every_round_is_stopped() {
    let mut bed = nova();
    // Each round takes much longer than a round should, though fewer rows are asked for.
    let slower = |n: u32| table(Script::ends(1).after(Duration::from_secs(60 << n)), 50, 50);
    let rounds: Vec<Script> = std::iter::once(works(1000, 500)).chain((0..9).map(slower)).collect();
    bed.runner.on(STEP, rounds);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Stuck);
    let failure = told.failure(STEP);
    assert!(failure.what.contains("slows down without end"), "{}", failure.what);
    assert!(failure.advice.contains("queries"), "{}", failure.advice);
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_raises_is_named_with_its_counts_its_exception_and_its_rows() {
    let mut bed = nova();
    let rows = leapfrog::catalog::Remainder { migration: Some("move_rows".into()), ..remainder("rows", LEFT, None) };
    bed.migration(STEP, |migration| migration.remainders.push(rows));
    let raises = Script::ends(1)
        .out("Error attempting to run <function move_rows at 0x7f1573074ea0>")
        .err("2026-11-21 21:47:38.727 22501 ERROR nova.cmd.manage Traceback (most recent call last):")
        .err("2026-11-21 21:47:38.727 22501 ERROR nova.cmd.manage   File \"manage.py\", line 574, in _run_migration")
        .err("2026-11-21 21:47:38.727 22501 ERROR nova.cmd.manage nova.exception.ComputeHostNotFound: cmp7");
    bed.runner.on(STEP, [table(raises, 50, 7)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Stuck);
    let failure = told.failure(STEP);
    let what = "move_rows raised an exception (50 found, 7 moved): nova.exception.ComputeHostNotFound: cmp7 (the exit \
                code was 1)";
    assert_eq!(failure.what, what);
    let migration = failure.migration.as_ref().expect("it is named");
    assert_eq!((migration.found, migration.moved), (Some(50), Some(7)));
    assert_eq!(migration.exception.as_deref(), Some("nova.exception.ComputeHostNotFound: cmp7"));
    assert_eq!(migration.queries, ["SELECT * FROM instances WHERE compute_id IS NULL LIMIT 20"]);
}
