//! Steps that were skipped, steps that run side by side, and what proves a schema.

use std::sync::Arc;

use crate::journal::{Evidence, Outcome, RecordBody};
use crate::model::{Branch, Heads, Verdict};
use crate::report::evidence::{already, in_words};
use crate::report::frame::{Size, frame};
use crate::report::stories::{self, Story};
use crate::report::view::View;
use crate::report::{About, Look, Paper, Process, status, summary};

const NOVA: &str = "2023.1/nova";

/// A hop of nova in which the schemas had nothing to do, and both cells were drained at the same time.
fn story() -> Story {
    let mut story = Story::new(stories::plan(&["2023.1"], &["nova"]));
    story.begin();
    let plan = Arc::clone(&story.plan);
    story.record(0.1, RecordBody::HopStarted { series: plan.from.clone() });
    let mut at = 0.2;
    for step in plan.hops[0].lanes[0].steps.iter().filter(|step| step.id.name.as_str().ends_with("db-sync")) {
        let heads = Heads::alembic(["960aac0e09ea"]);
        let evidence = vec![Evidence::Heads { database: "nova.cell0".parse().expect("valid"), heads }];
        begin(&mut story, at, &step.id.to_string());
        end(&mut story, at + 0.1, &step.id.to_string(), Outcome::Skipped, 0.1, evidence);
        at += 0.2;
    }
    for cell in ["cell0", "cell1"] {
        begin(&mut story, 1.0, &format!("{NOVA}/online-data-migrations@{cell}"));
    }
    story
}

fn begin(story: &mut Story, at: f64, step: &str) {
    let step = step.parse().expect("valid");
    story.record(at, RecordBody::StepStarted { step, attempt: 1, command: None, adopted: false });
}

fn end(story: &mut Story, at: f64, step: &str, outcome: Outcome, seconds: f64, evidence: Vec<Evidence>) {
    let (step, rows, failure) = (step.parse().expect("valid"), None, None);
    story.record(
        at,
        RecordBody::StepEnded { step, attempt: 1, outcome, seconds, rows, evidence, failure, never_began: false },
    );
}

fn view(story: &Story) -> View {
    let mut view = View::new(Arc::clone(&story.plan));
    for (time, event) in story.events() {
        view.see(&event, time);
    }
    view
}

fn about<'a>(story: &'a Story, records: &'a [crate::journal::Record], directory: &'a camino::Utf8Path) -> About<'a> {
    About { plan: &story.plan, records, directory, again: Some("leapfrog --from 2023.1 --to 2023.1") }
}

const LOOK: Look = Look { color: false, unicode: true };

#[test]
fn each_step_that_runs_in_a_lane_has_a_line_and_the_service_is_named_once() {
    let size = Size { columns: 80, rows: 24 };
    insta::assert_snapshot!(frame(&view(&story()), LOOK, size, stories::after(30.0)).join("\n"), @"
     
    2023.1 ▸                                                      3 of 6 steps  30s
     ▸ nova  migrate  4/6 online-data-migrations@cell0  29s
     ▸       migrate  5/6 online-data-migrations@cell1  29s
    ");
    let (records, directory) = (story().records(), stories::directory());
    let paper = Paper { look: LOOK, columns: 80 };
    let told = status(&about(&story(), &records, &directory), Process::Works, stories::after(30.0), paper);
    assert!(told.contains("@cell0") && told.contains("@cell1"), "{told}");
}

#[test]
fn a_lane_whose_steps_ran_side_by_side_took_as_long_as_the_longest_and_skipped_steps_are_named() {
    let mut story = story();
    for (cell, seconds) in [("cell0", 40.0), ("cell1", 60.0)] {
        let step = format!("{NOVA}/online-data-migrations@{cell}");
        let evidence = vec![Evidence::NothingLeft { round: 1 }];
        end(&mut story, 1.0 + seconds, &step, Outcome::Done, seconds, evidence);
    }
    let verify = format!("{NOVA}/verify-heads");
    begin(&mut story, 61.1, &verify);
    end(&mut story, 61.2, &verify, Outcome::Done, 0.1, Vec::new());
    story.record(61.3, RecordBody::HopEnded { series: "2023.1".parse().expect("valid") });
    story.end(61.4, Outcome::Done);
    let (records, directory) = (story.records(), stories::directory());
    let told = summary(&about(&story, &records, &directory), Paper { look: LOOK, columns: 100 });
    let nova = told.lines().find(|line| line.contains("✓ nova")).expect("a line");
    assert!(nova.contains("1m00s"), "{nova}");
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("api-db-sync, db-sync@cell0 and db-sync@cell1 skipped, with nothing to do"), "{words}");
}

#[test]
fn what_proves_a_schema_is_said_in_words() {
    let database = || "keystone".parse().expect("valid");
    let heads = Heads::alembic(["11c3b243b4cb", "e25ffa003242"]);
    let branch = |reached: &[&str]| Evidence::Branch {
        database: database(),
        heads: heads.clone(),
        branch: Branch::Expand,
        reached: reached.iter().map(|head| (*head).to_owned()).collect(),
    };
    let tables = |after, may_drop| Evidence::Tables { database: database(), before: Some(49), after, may_drop };
    let words = in_words(&[
        Evidence::Exit { code: 0, verdict: Verdict::Done },
        branch(&["11c3b243b4cb"]),
        branch(&[]),
        tables(49, None),
        tables(47, Some(2)),
        tables(47, None),
        Evidence::NothingElsewhere {},
        Evidence::NothingBesides { what: "it migrates other projects".to_owned() },
    ]);
    insta::assert_snapshot!(words.join("\n"), @"
    keystone at 11c3b243b4cb (expand)
    keystone at 11c3b243b4cb + e25ffa003242, on the way
    49 tables in keystone
    47 tables in keystone
    47 tables in keystone, 2 fewer than before: nothing says whether this release drops any
    nothing written elsewhere
    nothing there for what it does besides: it migrates other projects
    ");
    let at = |database: &str, heads: &str| Evidence::Heads {
        database: database.parse().expect("valid"),
        heads: Heads::alembic([heads]),
    };
    let several = [at("nova.cell0", "a"), at("nova.cells.cell1", "a"), at("nova.api", "b")];
    assert_eq!(already(&several), "nova.cell0 and nova.cells.cell1 already at a; nova.api already at b");
}
