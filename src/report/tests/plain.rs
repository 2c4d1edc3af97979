//! What stands in a log file.

use std::sync::Arc;

use proptest::prelude::*;

use crate::journal::arbitrary;
use crate::report::outlet::tests::Page;
use crate::report::stories::{self, Fate, Story};
use crate::report::{PlainReporter, Reporter};

fn log(story: &Story, from: f64, to: f64) -> String {
    let page = Page::default();
    let began = stories::after(from);
    let history: Vec<_> = story.records().into_iter().filter(|record| record.time < began).collect();
    let mut reporter = PlainReporter::new(Arc::clone(&story.plan), &history, stories::directory(), page.outlet());
    story.tell(&mut reporter, from, to, |_| {});
    reporter.finish(stories::after(to));
    page.text()
}

#[test]
fn a_leap_of_two_hops() {
    let mut story = Story::new(stories::plan(&["2023.1", "2023.2"], &["cinder", "keystone"]));
    let at = story.fetch("2023.1", 0.2);
    story.begin_at(at);
    let (at, _) = story.hop("2023.1", at);
    let (at, _) = story.hop("2023.2", at);
    story.end(at, crate::journal::Outcome::Done);
    insta::assert_snapshot!(log(&story, 0.0, story.length()));
}

#[test]
fn a_failure_says_everything_that_is_known() {
    let log = log(&stories::failing(), 0.0, 240.0);
    let about = log.lines().filter(|line| line.contains("2023.2 cinder") || line.contains("Z run "));
    insta::assert_snapshot!(about.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_run_that_goes_on() {
    let (story, again) = stories::resumed();
    insta::assert_snapshot!(log(&story, again, again + 12.0));
}

#[test]
fn something_is_said_at_least_every_ten_seconds_while_a_step_is_silent() {
    let mut story =
        Story::new(stories::plan(&["2023.1"], &["keystone", "neutron"])).fate("2023.1/neutron/db-expand", Fate::Silent);
    story.begin();
    story.hop("2023.1", 0.5);
    let log = log(&story, 0.0, 300.0);
    let times: Vec<jiff::Timestamp> = log.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    assert!(times.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_secs() <= 10), "{log}");
    let last = log.lines().last().expect("lines");
    assert!(last.contains("2023.1 running: neutron db-expand for 4m5"), "{last}");
}

proptest! {
    #[test]
    fn every_line_is_dated_whatever_happens(events in prop::collection::vec(arbitrary::event(), 0..12)) {
        let page = Page::default();
        let plan = Arc::new(stories::plan(&["2023.1"], &["nova"]));
        let mut reporter = PlainReporter::new(plan, &[], stories::directory(), page.outlet());
        for event in &events {
            reporter.see(event, stories::after(1.0));
            reporter.tick(stories::after(1.0));
        }
        reporter.finish(stories::after(1.0));
        for line in page.text().lines() {
            let stamp = line.split(' ').next().unwrap_or_default();
            prop_assert!(stamp.parse::<jiff::Timestamp>().is_ok(), "{line}");
        }
    }
}
