//! Steps of one lane that run at the same time: the databases of a service that has several.

use std::time::Duration;

use leapfrog::journal::{Outcome, RecordBody};
use leapfrog::model::{Slot, StepId};
use leapfrog::plan::{Action, CommonRows, Lane};
use leapfrog::runner::FoundState;
use leapfrog::runner::scripted::Script;

use crate::bed::{Bed, Told, drains, table, valid};

const HOUR: Duration = Duration::from_secs(3600);
const COMMON: &str = "SELECT COUNT(*) FROM instance_mappings WHERE user_id IS NULL";

/// One lane, whose data migration is taken for three databases at the same time.
fn cells() -> Bed {
    let mut bed = Bed::new(&["2023.1"], &["nova"]);
    let lane = &mut bed.plan.hops[0].lanes[0];
    let place = lane.steps.iter().position(|step| step.id.name.as_str() == "online-data").expect("a data migration");
    let one = lane.steps.remove(place);
    for (number, cell) in ["cell1", "cell2", "cell3"].into_iter().enumerate() {
        let mut step = one.clone();
        step.id.target = Some(valid::<Slot>(cell));
        step.beside = number > 0;
        bed.runner.on(&step.id.to_string(), drains());
        lane.steps.insert(place + number, step);
    }
    bed
}

/// Lets rounds meet on rows that `COMMON` counts.
fn share(bed: &mut Bed) {
    take_turns(&mut bed.plan.hops[0].lanes[0]);
}

fn take_turns(lane: &mut Lane) {
    let databases = [valid("nova")].into();
    lane.common_rows = vec![CommonRows { what: "mappings".into(), databases, query: COMMON.into() }];
    for step in &mut lane.steps {
        if let Action::Drain(migration) = &mut step.action {
            migration.takes_turns = true;
        }
    }
}

fn at(told: &Told, what: &str, pick: impl Fn(&RecordBody) -> bool) -> u64 {
    told.place(pick).unwrap_or_else(|| panic!("{what} is not on record"))
}

#[tokio::test(start_paused = true)]
async fn the_cells_of_a_service_are_worked_on_at_the_same_time_after_the_step_before_and_before_the_one_after() {
    let mut bed = cells();
    for cell in ["cell1", "cell2", "cell3"] {
        let slow = drains().map(|script| script.after(HOUR));
        bed.runner.on(&format!("2023.1/nova/online-data@{cell}"), slow);
    }
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(bed.runner.most_at_once(), 3);
    let first = at(&told, "a cell", |body| crate::bed::begins(body, "2023.1/nova/online-data"));
    let sync = at(&told, "the schema", |body| crate::bed::ends(body, "2023.1/nova/db-sync"));
    let verify = at(&told, "the proof", |body| crate::bed::begins(body, "2023.1/nova/verify-heads"));
    assert!(sync < first);
    assert!(told.places(|body| crate::bed::ends(body, "2023.1/nova/online-data")).iter().all(|end| *end < verify));
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_fails_halts_its_lane_while_the_others_finish_and_only_it_is_repeated() {
    let mut bed = cells();
    let fails = table(Script::ends(255).after(HOUR), 0, 0);
    bed.runner.on("2023.1/nova/online-data@cell2", [fails, table(Script::ends(0), 0, 0)]);
    bed.runner.on("2023.1/nova/online-data@cell3", drains().map(|script| script.after(HOUR * 5)));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert_eq!(told.ended("2023.1/nova/online-data@cell3"), Some(Outcome::Done), "what runs beside it finishes");
    assert_eq!(told.ended("2023.1/nova/verify-heads"), None);
    let before = bed.runner.launched().len();
    let again = bed.leap().await;
    assert_eq!(again.outcome(), Outcome::Done);
    assert_eq!(bed.runner.launched()[before..], ["2023.1/nova/online-data@cell2"]);
}

#[tokio::test(start_paused = true)]
async fn while_there_are_rows_that_every_cell_would_move_one_round_runs_at_a_time() {
    let mut bed = cells();
    share(&mut bed);
    bed.finds(COMMON, &[7]);
    for cell in ["cell1", "cell2", "cell3"] {
        bed.runner.on(&format!("2023.1/nova/online-data@{cell}"), drains().map(|script| script.after(HOUR)));
    }
    let told = bed.leap().await;
    assert_eq!((told.outcome(), bed.runner.most_at_once()), (Outcome::Done, 1));
}

#[tokio::test(start_paused = true)]
async fn once_those_rows_are_gone_the_cells_go_on_side_by_side() {
    let mut bed = cells();
    share(&mut bed);
    // The first round finds some and so does each that looks while it waits; then there are none.
    bed.finds(COMMON, &[7, 7, 7, 0]);
    let long = |scripts: [Script; 2]| scripts.map(|script| script.after(HOUR));
    for cell in ["cell1", "cell2", "cell3"] {
        bed.runner.on(&format!("2023.1/nova/online-data@{cell}"), long(drains()));
    }
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert!(bed.runner.most_at_once() > 1, "every round ran alone");
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_counted_stop_the_cells_before_a_round_could_disturb_another() {
    let mut bed = cells();
    share(&mut bed);
    bed.cannot_count(COMMON, "nobody answers");
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let failure = told.failure("2023.1/nova/online-data@cell1");
    assert_eq!(
        (failure.what.as_str(), failure.advice.as_str()),
        ("mappings could not be counted in nova: nobody answers", "start the server")
    );
    assert!(!bed.runner.launched().iter().any(|step| step.contains("online-data")));
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_waits_for_its_turn_leaves_its_place_to_another_service() {
    let mut bed = Bed::new(&["2023.1"], &["cinder", "nova"]);
    let step = bed.step("2023.1/nova/online-data");
    step.id.target = Some(valid::<Slot>("cell1"));
    let mut other = step.clone();
    other.id.target = Some(valid::<Slot>("cell2"));
    other.beside = true;
    let lane = bed.plan.hops[0].lanes.iter_mut().find(|lane| lane.service.as_str() == "nova").expect("nova");
    let place = lane.steps.iter().position(|step| step.id.name.as_str() == "online-data").expect("a data migration");
    lane.steps.insert(place + 1, other);
    take_turns(lane);
    bed.finds(COMMON, &[7]);
    for cell in ["cell1", "cell2"] {
        let slow = drains().map(|script| script.after(HOUR));
        bed.runner.on(&format!("2023.1/nova/online-data@{cell}"), slow);
    }
    bed.runner.on("2023.1/cinder/db-sync", [Script::ends(0).after(2 * HOUR / 3)]);
    bed.jobs = 2;
    let told = bed.leap().await;
    assert_eq!((told.outcome(), bed.runner.most_at_once()), (Outcome::Done, 2));
    // While one cell's round works and the other one waits, cinder goes through all of its steps.
    let cinder = at(&told, "cinder", |body| crate::bed::ends(body, "2023.1/cinder/online-data"));
    let nova = at(&told, "nova", |body| crate::bed::ends(body, "2023.1/nova/online-data"));
    assert!(cinder < nova, "cinder waited for nova");
}

#[tokio::test(start_paused = true)]
async fn beside_a_round_of_an_earlier_process_none_begins_whichever_cell_it_is_of() {
    // Nobody knows any more whether such a round is alone, so it is, also where no rows are counted.
    for (working, rows, jobs) in [(&["cell1"][..], 7, 3), (&["cell3"], 7, 3), (&["cell3"], 7, 1), (&["cell2"], 0, 3)]
        .into_iter()
        .chain([(&["cell1", "cell3"][..], 7, 3), (&["cell2", "cell3"], 7, 1), (&["cell2", "cell3"], 0, 2)])
    {
        let story = format!("{working:?} with {rows} rows and {jobs} jobs");
        let mut bed = cells();
        share(&mut bed);
        bed.finds(COMMON, &[rows]);
        bed.jobs = 3;
        let whole = bed.leap().await;
        let begun = |record: &leapfrog::journal::Record| crate::bed::begins(&record.body, "2023.1/nova/online-data");
        let at = whole.records.iter().rposition(begun).expect("begun") + 1;
        let mut next = bed.after_death(&whole.records[..at]);
        next.jobs = jobs;
        next.finds(COMMON, &[rows]);
        for cell in ["cell1", "cell2", "cell3"] {
            next.runner.on(&format!("2023.1/nova/online-data@{cell}"), drains());
        }
        for (place, cell) in working.iter().enumerate() {
            let step: StepId = format!("2023.1/nova/online-data@{cell}").parse().expect("valid");
            let [first, _] = drains();
            next.leave(&step, 1, 1, FoundState::Running, first.after(HOUR * (place as u32 + 1)));
        }
        let told = next.leap().await;
        assert_eq!(told.outcome(), Outcome::Done, "{story}");
        let rounds = told.records[at..].iter().filter_map(|record| match &record.body {
            RecordBody::RoundEnded { step, .. } => Some(step.target.clone().expect("a cell").to_string()),
            _ => None,
        });
        let rounds: Vec<String> = rounds.collect();
        assert_eq!(rounds[..working.len()], *working, "{story}: of another cell a round ended before: {rounds:?}");
        assert!(rounds.len() > working.len(), "{story}: {rounds:?}");
        if rows > 0 {
            assert_eq!(next.runner.most_at_once(), working.len(), "{story}");
        }
    }
}
