//! Whatever happens, nothing panics, nothing is too wide, and a run is told the same way twice.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::journal::{Event, Progress, Record, RecordBody, arbitrary};
use crate::model::StepId;
use crate::plan::Plan;
use crate::report::frame::{Size, frame};
use crate::report::stories;
use crate::report::text::{clean, width};
use crate::report::view::View;
use crate::report::{About, Look, Paper, Process, RunEntry, runs, status, summary};

/// Any event, about a step, hop and image of the plan.
fn event(plan: Arc<Plan>) -> impl Strategy<Value = Event> {
    (arbitrary::event(), any::<Index>()).prop_map(move |(mut event, which)| {
        let steps: Vec<_> = plan.steps().collect();
        let (hop, lane, step) = which.get(&steps);
        retell(&mut event, &hop.series, &lane.image, &step.id);
        event
    })
}

fn retell(event: &mut Event, hop: &crate::model::Series, here: &crate::model::ImageReference, id: &StepId) {
    match event {
        Event::Record(record) => match &mut record.body {
            RecordBody::HopStarted { series } | RecordBody::HopEnded { series } => *series = hop.clone(),
            RecordBody::StepStarted { step, attempt, .. }
            | RecordBody::RoundEnded { step, attempt, .. }
            | RecordBody::StepEnded { step, attempt, .. }
            | RecordBody::StepResolved { step, attempt, .. } => {
                *step = id.clone();
                *attempt %= 3;
            }
            _ => {}
        },
        Event::Progress(
            Progress::Fetching { image, .. } | Progress::Fetched { image, .. } | Progress::NotFetched { image, .. },
        ) => *image = here.clone(),
        Event::Progress(Progress::Rows { step, .. }) | Event::Output { step, .. } => *step = id.clone(),
        Event::Progress(_) => {}
    }
}

fn a_plan() -> Arc<Plan> {
    Arc::new(stories::plan(&["2023.1", "2023.2", "2024.1"], &["cinder", "nova"]))
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(a_plan()), 0..30).prop_map(|mut events| {
        // A journal begins with its run's start; most of them go on with a hop.
        let story = stories::leap();
        let mut all: Vec<Event> = story.records().into_iter().take(2).map(Event::Record).collect();
        all.append(&mut events);
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_frame_fits_its_terminal(events in events(), columns in 1usize..120, rows in 1usize..20, unicode: bool) {
        let mut view = View::new(a_plan());
        for event in &events {
            let now = stories::after(60.0);
            view.see(event, now);
            let frame = frame(&view, Look { color: true, unicode }, Size { columns, rows }, now);
            prop_assert!(frame.len() <= rows);
            for line in frame {
                prop_assert!(width(&clean(&line)) <= columns.max(11), "{line}");
                prop_assert!(unicode || line.is_ascii(), "{line}");
            }
        }
    }

    #[test]
    fn texts_about_a_run_follow_from_its_files_alone(events in events(), columns in 1usize..120) {
        let plan = a_plan();
        let records: Vec<Record> = events.into_iter().filter_map(|event| match event {
            Event::Record(record) => Some(record),
            _ => None,
        }).collect();
        let directory = stories::directory();
        let about = About { plan: &plan, records: &records, directory: &directory, again: Some("leapfrog") };
        let paper = Paper { look: Look::PLAIN, columns };
        let now = stories::after(100.0);
        let read: Vec<Record> = records.iter().map(|record| {
            serde_json::from_str(&serde_json::to_string(record).expect("JSON")).expect("a record")
        }).collect();
        let again = About { records: &read, ..about };
        prop_assert_eq!(summary(&about, paper), summary(&again, paper));
        for process in [Process::Works, Process::Gone] {
            prop_assert_eq!(status(&about, process, now, paper), status(&again, process, now, paper));
        }
        let entry = RunEntry { plan: (*plan).clone(), records, process: Process::Gone };
        prop_assert!(runs(&[entry], now, paper).lines().count() == 2);
    }
}
