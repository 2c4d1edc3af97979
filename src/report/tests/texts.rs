//! Summary, status and list of runs.

use crate::journal::{Evidence, Failure, Outcome, RecordBody};
use crate::model::{OldServices, RecordedService};
use crate::report::stories::{self, Story};
use crate::report::{About, Look, Paper, Process, RunEntry, runs, status, summary};

const AGAIN: &str = "leapfrog --cloud leapfrog.yaml --from 2023.1 --to 2024.2";

fn paper(columns: usize) -> Paper {
    Paper { look: Look { color: false, unicode: true }, columns }
}

fn ended(story: &Story, columns: usize) -> String {
    let (records, directory) = (story.records(), stories::directory());
    summary(&About { plan: &story.plan, records: &records, directory: &directory, again: Some(AGAIN) }, paper(columns))
}

fn at(story: &Story, seconds: f64, process: Process) -> String {
    let (now, directory) = (stories::after(seconds), stories::directory());
    let records: Vec<_> = story.records().into_iter().filter(|record| record.time <= now).collect();
    status(
        &About { plan: &story.plan, records: &records, directory: &directory, again: Some(AGAIN) },
        process,
        now,
        paper(80),
    )
}

#[test]
fn the_summary_of_a_leap_gives_time_rows_and_evidence_of_every_service() {
    insta::assert_snapshot!(ended(&stories::leap(), 100));
}

#[test]
fn the_summary_at_fifty_columns() {
    insta::assert_snapshot!(ended(&stories::stuck(), 50));
}

#[test]
fn the_summary_of_a_failure_ends_with_what_to_do() {
    insta::assert_snapshot!(ended(&stories::failing(), 80));
}

#[test]
fn the_summary_of_an_interruption_says_what_stands_where() {
    insta::assert_snapshot!(ended(&stories::interrupted(), 80));
}

#[test]
fn the_summary_of_a_run_that_went_on_counts_both_processes_and_not_the_time_between() {
    insta::assert_snapshot!(ended(&stories::resumed().0, 80));
}

#[test]
fn commands_that_were_left_running_are_named() {
    let (mut story, again) = stories::resumed();
    story.cut(again - 1.0);
    insta::assert_snapshot!(ended(&story, 80));
}

#[test]
fn a_run_that_ends_outside_any_step_says_why() {
    let mut story = Story::new(stories::plan(&["2023.1", "2023.2"], &["keystone", "neutron"]));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let failure = Failure {
        what: "quay.io does not answer (connection refused)".to_owned(),
        command: None,
        exit: None,
        last_lines: Vec::new(),
        log: None,
        migration: None,
        advice: "look at the network and the proxy, then run the same command again".to_owned(),
    };
    story.record(at, RecordBody::HopStarted { series: story.plan.hops[1].series.clone() });
    story.record(at + 3.0, RecordBody::RunEnded { outcome: Outcome::Failed, failure: Some(failure) });
    insta::assert_snapshot!(ended(&story, 80));
}

#[test]
fn the_status_of_a_run_that_works_shows_its_lanes() {
    insta::assert_snapshot!(at(&stories::leap(), 180.0, Process::Works));
}

#[test]
fn the_status_of_a_run_whose_process_died_says_so() {
    insta::assert_snapshot!(at(&stories::leap(), 180.0, Process::Gone));
}

#[test]
fn the_status_of_a_failed_run_says_why_and_what_next() {
    let story = stories::failing();
    insta::assert_snapshot!(at(&story, story.length() + 3600.0, Process::Gone));
}

#[test]
fn the_status_of_a_finished_run_is_short() {
    let story = stories::leap();
    insta::assert_snapshot!(at(&story, story.length() + 86_400.0, Process::Gone));
}

#[test]
fn services_that_the_release_does_not_accept_are_told_at_the_end_and_the_leap_is_complete() {
    let (story, directory) = (stories::leap(), stories::directory());
    let mut records = story.records();
    let old = |database: &str| {
        let text = |text: &str| Some(text.to_owned());
        let service = RecordedService {
            program: "nova-compute".into(),
            host: "cmp1".into(),
            version: text("61"),
            named: text("yoga"),
            seen: text("2026-11-22 03:10:00"),
            state: text("disabled"),
        };
        Evidence::OldServices(Box::new(OldServices {
            database: database.parse().expect("a database"),
            question: "compute-versions".into(),
            what: "compute services".into(),
            release: "2024.1".parse().expect("a series"),
            oldest: "66".into(),
            named: text("Antelope"),
            count: 1,
            services: vec![service],
            means: "They do not start.".into(),
            mends: vec!["Set the option.".into()],
            source: "nova 29.0.0".into(),
        }))
    };
    let last = records.iter_mut().rev().find_map(|record| match &mut record.body {
        RecordBody::StepEnded { step, evidence, .. } if step.name.as_str() == "verify-heads" => Some(evidence),
        _ => None,
    });
    last.expect("a step").extend([
        old("nova.cells.cell1"),
        old("nova.cells.cell2"),
        Evidence::ServicesUnread {
            database: "cinder".parse().expect("a database"),
            what: "services".into(),
            reason: "it is away".into(),
        },
    ]);
    let about = About { plan: &story.plan, records: &records, directory: &directory, again: Some(AGAIN) };
    let told = summary(&about, paper(200));
    let services: Vec<&str> = told.lines().skip_while(|line| !line.starts_with("services")).take(5).collect();
    insta::assert_snapshot!(services.join("\n"), @r"
    services nova.cells.cell1: 1 compute services older than 2024.1 accepts (66, Antelope): nova-compute on cmp1, 61 (yoga), last report 2026-11-22 03:10:00 UTC, disabled
             nova.cells.cell2: 1 compute services older than 2024.1 accepts (66, Antelope): nova-compute on cmp1, 61 (yoga), last report 2026-11-22 03:10:00 UTC, disabled
             They do not start.
             Set the option.
             cinder: the versions of services could not be read: it is away
    ");
}

#[test]
fn runs_are_listed_with_where_each_stands() {
    let entry = |story: &Story, process| RunEntry { plan: (*story.plan).clone(), records: story.records(), process };
    let mut running = stories::leap();
    running.cut(180.0);
    let entries = [
        entry(&stories::leap(), Process::Gone),
        entry(&stories::failing(), Process::Gone),
        entry(&stories::stuck(), Process::Gone),
        entry(&stories::interrupted(), Process::Gone),
        entry(&running, Process::Works),
        entry(&running, Process::Gone),
    ];
    insta::assert_snapshot!(runs(&entries, stories::after(190.0), paper(120)));
    assert_eq!(runs(&[], stories::after(0.0), paper(80)), "No runs yet.\n");
}

#[test]
fn sentences_are_folded_under_themselves_and_what_is_to_be_copied_is_not_broken() {
    let paper = Paper { look: Look { color: false, unicode: true }, columns: 40 };
    let text = "leapfrog: refused; nothing was touched\n\nthe database of keystone could not be looked at just now\n\
                \u{20} next      start it, then run the same command again\n\
                \u{20} found     /a/path/that/is/longer/than/the/lines/of/this/terminal\n";
    let folded = "leapfrog: refused; nothing was touched\n\nthe database of keystone could not be\nlooked at just now\n\
                  \u{20} next      start it, then run the same\n            command again\n\
                  \u{20} found     /a/path/that/is/longer/than/the/lines/of/this/terminal\n";
    assert_eq!(paper.fold(text), folded);
}

#[test]
fn a_clock_that_jumps_makes_no_length_negative_and_changes_nothing_that_was_done() {
    let day = jiff::SignedDuration::from_hours(24);
    for jump in [-day, day, -day * 10_000] {
        let (story, directory) = (stories::leap(), stories::directory());
        let mut records = story.records();
        // The clock is set in the middle, and set right near the end.
        let (from, to) = (records.len() / 3, records.len() - 4);
        for record in &mut records[from..to] {
            record.time += jump;
        }
        let about = About { plan: &story.plan, records: &records, directory: &directory, again: Some(AGAIN) };
        let told = [
            summary(&about, paper(100)),
            status(&about, Process::Gone, stories::after(-3600.0), paper(80)),
            status(&about, Process::Works, stories::after(story.length()), paper(80)),
            runs(
                &[RunEntry { plan: (*story.plan).clone(), records: records.clone(), process: Process::Gone }],
                stories::after(-3600.0),
                paper(120),
            ),
        ];
        let undisturbed = ended(&story, 100);
        for text in told {
            assert!(!text.contains(" -") || undisturbed.contains(" -"), "{jump}: a length below zero:\n{text}");
            assert!(text.contains("2024.2"), "{jump}:\n{text}");
        }
        let proved = |text: &str| text.matches('✓').count();
        assert_eq!(proved(&summary(&about, paper(100))), proved(&undisturbed), "{jump}");
    }
}

#[test]
fn a_run_whose_databases_go_away_with_it_names_nothing_to_go_on_with() {
    let (story, directory) = (stories::interrupted(), stories::directory());
    let records = story.records();
    let about =
        |again| summary(&About { plan: &story.plan, records: &records, directory: &directory, again }, paper(80));
    let (text, gone) = (about(Some(AGAIN)), about(None));
    assert!(text.contains(AGAIN), "{text}");
    assert!(!gone.contains("next") && text.starts_with(&gone), "{gone}");
    // What need not be gone on with is told all the same.
    let (story, records) = (stories::leap(), stories::leap().records());
    let done = summary(&About { plan: &story.plan, records: &records, directory: &directory, again: None }, paper(80));
    assert!(done.contains("next"), "{done}");
}
