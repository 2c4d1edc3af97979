//! What follows from events, before it is drawn.

use std::sync::Arc;

use crate::journal::{Event, Progress, RecordBody};
use crate::model::{ImageReference, StepId, Stream};
use crate::report::frame::{Size, frame};
use crate::report::stories::{self, Fate, Story};
use crate::report::view::{Shown, View};
use crate::report::{About, Look, Paper, summary};

fn seen(story: &Story, until: f64) -> View {
    let mut view = View::new(Arc::clone(&story.plan));
    for (time, event) in story.events().into_iter().filter(|(time, _)| *time <= stories::after(until)) {
        view.see(&event, time);
    }
    view
}

fn shared_image() -> ImageReference {
    "127.0.0.1:5000/openstack:2023.1".parse().expect("an image")
}

#[test]
fn an_image_that_several_lanes_share_is_shown_once() {
    let mut plan = stories::plan(&["2023.1"], &["cinder", "keystone", "nova"]);
    plan.hops[0].lanes.iter_mut().for_each(|lane| lane.image = shared_image());
    let mut story = Story::new(plan);
    story.begin();
    story.say(1.0, Progress::Fetching { image: shared_image(), done: 5, total: 10 });
    let view = seen(&story, 2.0);
    let lanes = view.lanes(0, stories::after(2.0));
    assert!(matches!(lanes[0], Shown::Pulling(pull, "pulling") if (pull.done, pull.total) == (5, 10)), "{lanes:?}");
    assert_eq!(lanes[1..], [Shown::ImageElsewhere("image"), Shown::ImageElsewhere("image")]);
    assert!(view.pulls_beside(0).is_empty());
}

#[test]
fn an_image_that_cannot_be_had_is_no_longer_pulled() {
    let mut story = Story::new(stories::plan(&["2023.1"], &["cinder"]));
    story.begin();
    let image = stories::image("cinder", "2023.1");
    story.say(1.0, Progress::Fetching { image: image.clone(), done: 0, total: 0 });
    story.say(2.0, Progress::NotFetched { image, text: "no such image".to_owned() });
    assert!(matches!(seen(&story, 1.5).lanes(0, stories::after(1.5))[0], Shown::Pulling(..)));
    assert_eq!(seen(&story, 2.5).lanes(0, stories::after(2.5))[0], Shown::Waiting);
}

#[test]
fn images_of_the_next_hop_stand_below_the_lanes() {
    let story = stories::leap();
    let view = seen(&story, 20.0);
    let frame =
        frame(&view, Look { color: false, unicode: true }, Size { columns: 80, rows: 24 }, stories::after(20.0));
    let last = frame.last().expect("a frame");
    assert!(last.starts_with(" ↓ ahead: pulling ") && last.contains(" of "), "{last}");
}

#[test]
fn leapfrogs_own_remark_is_no_sign_of_life_and_output_is() {
    let mut story = Story::new(stories::plan(&["2023.1"], &["neutron"])).fate("2023.1/neutron/db-expand", Fate::Silent);
    story.begin();
    story.hop("2023.1", 0.0);
    let step = story.plan.hops[0].lanes[0].steps[0].id.clone();
    let line = |text: &str| Event::Output { step: step.clone(), stream: Stream::Stderr, text: text.to_owned() };
    story.news(100.0, line("(leapfrog: no output for 100 s; still running)"));
    story.news(200.0, line("Running upgrade a -> b"));
    let quiet = |at: f64| match &seen(&story, at).lanes(0, stories::after(at))[0] {
        Shown::Running(running) => (running.quiet.round(), running.line.map(str::to_owned)),
        other => panic!("{other:?}"),
    };
    assert_eq!(quiet(150.0), (150.0, None));
    assert_eq!(quiet(230.0), (30.0, Some("Running upgrade a -> b".to_owned())));
}

#[test]
fn a_run_that_goes_on_counts_no_time_in_which_nobody_worked() {
    let (story, again) = stories::resumed();
    assert!(again > 7200.0);
    let (records, directory) = (story.records(), stories::directory());
    let about = About { plan: &story.plan, records: &records, directory: &directory, again: Some("leapfrog") };
    let text = summary(&about, Paper { look: Look::PLAIN, columns: 80 });
    assert!(text.starts_with("+ production: 2023.1 -> 2023.2, done after 3m"), "{text}");
    assert!(!text.contains("2h"), "{text}");
}

#[test]
fn the_time_that_is_left_counts_down_while_a_round_shows_nothing_and_is_not_told_when_it_is_over() {
    let mut story = Story::new(stories::plan(&["2023.1", "2023.2"], &["nova"]));
    story.begin();
    let step: StepId = "2023.1/nova/online-data-migrations@cell1".parse().expect("valid");
    story.record(1.0, RecordBody::StepStarted { step: step.clone(), attempt: 1, command: None, adopted: false });
    let rows =
        |step: &StepId| Progress::Rows { step: step.clone(), round: 2, moved: 3000, total: Some(8000), rate: 100.0 };
    for at in [31.0, 36.0, 41.0] {
        story.say(at, rows(&step));
    }
    let view = seen(&story, 1000.0);
    let left = |at: f64| {
        let running = view.all_running(stories::after(at));
        running.first().map(|running| (running.remaining().map(f64::round), running.percent()))
    };
    assert_eq!(left(31.0), Some((Some(50.0), Some(37))));
    assert_eq!(left(61.0), Some((Some(20.0), Some(37))));
    assert_eq!(left(90.0), Some((None, Some(37))));
}
