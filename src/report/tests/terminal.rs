//! What an operator sees: real frames, as a terminal shows them.

use std::sync::{Arc, Mutex};

use crate::report::frame::Size;
use crate::report::outlet::tests::Page;
use crate::report::stories::{self, Fate, Story};
use crate::report::{Look, Outlet, Reporter, TerminalReporter};

const PLAIN: Look = Look { color: false, unicode: true };

/// A terminal, and the reporter that writes to it.
struct Rig {
    page: Page,
    outlet: Outlet,
    terminal: vt100::Parser,
    size: Arc<Mutex<Size>>,
    reporter: TerminalReporter,
}

impl Rig {
    fn new(story: &Story, from: f64, columns: usize, rows: usize, look: Look) -> Self {
        let page = Page::default();
        let outlet = page.outlet();
        let size = Arc::new(Mutex::new(Size { columns, rows }));
        let asked = Arc::clone(&size);
        let began = stories::after(from);
        let history: Vec<_> = story.records().into_iter().filter(|record| record.time < began).collect();
        let reporter = TerminalReporter::new(
            Arc::clone(&story.plan),
            &history,
            stories::directory(),
            look,
            outlet.clone(),
            Box::new(move || *asked.lock().expect("no test panics while it holds this")),
        );
        let terminal = vt100::Parser::new(rows as u16, columns as u16, 1000);
        Self { page, outlet, terminal, size, reporter }
    }

    /// Tells the story from `from` to `to`, then shows the screen.
    fn tell(&mut self, story: &Story, from: f64, to: f64) -> String {
        let Self { page, outlet, terminal, reporter, .. } = self;
        story.tell(reporter, from, to, |_| {
            outlet.drain();
            terminal.process(&page.take());
        });
        self.screen()
    }

    fn finish(&mut self) -> String {
        self.reporter.finish(stories::beginning());
        self.terminal.process(&self.page.take());
        self.screen()
    }

    fn resize(&mut self, columns: usize, rows: usize) {
        *self.size.lock().expect("no test panics while it holds this") = Size { columns, rows };
        self.terminal.screen_mut().set_size(rows as u16, columns as u16);
    }

    fn screen(&self) -> String {
        let (_, columns) = self.terminal.screen().size();
        let rows: Vec<String> = self.terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }
}

fn screen_at(story: &Story, at: f64, columns: usize, look: Look) -> String {
    Rig::new(story, 0.0, columns, 24, look).tell(story, 0.0, at)
}

#[test]
fn a_leap_begins_with_its_images() {
    insta::assert_snapshot!(screen_at(&stories::leap(), 6.0, 80, PLAIN));
}

#[test]
fn images_that_come_while_a_hop_waits_for_them_stand_in_their_lanes() {
    let mut story = Story::new(stories::plan(&["2023.1"], &["cinder", "keystone", "neutron", "nova"]));
    story.begin();
    story.record(0.1, crate::journal::RecordBody::HopStarted { series: story.plan.hops[0].series.clone() });
    story.fetch("2023.1", 0.2);
    insta::assert_snapshot!(screen_at(&story, 5.0, 80, PLAIN));
}

#[test]
fn an_engine_that_gives_no_sizes_gets_no_bar() {
    let mut story = Story::new(stories::plan(&["2023.1"], &["cinder", "keystone"]));
    for lane in story.plan.hops[0].lanes.clone() {
        story.say(0.0, crate::journal::Progress::Fetching { image: lane.image, done: 0, total: 0 });
    }
    let mut rig = Rig::new(&story, 0.0, 80, 24, PLAIN);
    insta::assert_snapshot!(rig.tell(&story, 0.0, 31.0));
    let before = rig.screen();
    assert_ne!(rig.tell(&story, 31.1, 32.0), before, "nothing moved");
}

#[test]
fn a_leap_in_the_middle_of_its_second_hop() {
    insta::assert_snapshot!(screen_at(&stories::leap(), 180.0, 80, PLAIN));
}

#[test]
fn a_leap_in_the_middle_at_sixty_columns() {
    insta::assert_snapshot!(screen_at(&stories::leap(), 180.0, 60, PLAIN));
}

#[test]
fn a_leap_in_the_middle_at_forty_columns() {
    insta::assert_snapshot!(screen_at(&stories::leap(), 180.0, 40, PLAIN));
}

#[test]
fn a_leap_in_the_middle_in_ascii() {
    insta::assert_snapshot!(screen_at(&stories::leap(), 180.0, 80, Look::PLAIN));
}

#[test]
fn a_leap_leaves_one_line_for_each_hop() {
    let story = stories::leap();
    let mut rig = Rig::new(&story, 0.0, 80, 24, PLAIN);
    rig.tell(&story, 0.0, story.length() + 1.0);
    insta::assert_snapshot!(rig.finish());
}

#[test]
fn a_failing_step_says_everything_that_is_known_and_the_other_lanes_go_on() {
    insta::assert_snapshot!(screen_at(&stories::failing(), 140.0, 80, PLAIN));
}

#[test]
fn a_stuck_step_says_what_to_look_for() {
    let story = stories::stuck();
    insta::assert_snapshot!(screen_at(&story, story.length() - 1.0, 80, PLAIN));
}

#[test]
fn a_run_that_is_being_stopped_says_so() {
    insta::assert_snapshot!(screen_at(&stories::interrupted(), 130.0, 80, PLAIN));
}

#[test]
fn a_low_terminal_gives_lanes_of_a_kind_one_line() {
    let story = stories::leap();
    insta::assert_snapshot!(Rig::new(&story, 0.0, 80, 7, PLAIN).tell(&story, 0.0, 126.0));
}

#[test]
fn nothing_is_left_behind_when_the_terminal_changes_its_width() {
    let story = stories::leap();
    let mut rig = Rig::new(&story, 0.0, 80, 24, PLAIN);
    rig.tell(&story, 0.0, 130.0);
    rig.resize(100, 24);
    insta::assert_snapshot!("wider", rig.tell(&story, 130.1, 132.0));
    rig.resize(70, 24);
    insta::assert_snapshot!("narrower", rig.tell(&story, 132.1, 134.0));
}

#[test]
fn somebody_presses_enter_and_only_empty_lines_are_left() {
    let story = stories::leap();
    let mut rig = Rig::new(&story, 0.0, 80, 24, PLAIN);
    rig.tell(&story, 0.0, 130.0);
    for second in 130..133 {
        rig.terminal.process(b"\r\n");
        rig.tell(&story, f64::from(second) + 0.1, f64::from(second) + 1.0);
    }
    insta::assert_snapshot!(rig.screen());
}

#[test]
fn colours_come_with_words_and_marks() {
    let story = stories::failing();
    let mut rig = Rig::new(&story, 0.0, 80, 24, Look { color: true, unicode: true });
    rig.tell(&story, 0.0, 140.0);
    let plain = screen_at(&story, 140.0, 80, PLAIN);
    assert_eq!(rig.screen(), plain, "colour changes nothing else");
    assert!(rig.terminal.screen().contents_formatted().windows(5).any(|bytes| bytes == b"\x1b[31;"));
}

#[test]
fn a_frame_costs_little_over_a_slow_link() {
    let story = stories::leap();
    let page = Page::default();
    let outlet = page.outlet();
    let size = || Size { columns: 80, rows: 24 };
    let plan = Arc::clone(&story.plan);
    let look = Look { color: true, unicode: true };
    let mut reporter = TerminalReporter::new(plan, &[], stories::directory(), look, outlet.clone(), Box::new(size));
    story.tell(&mut reporter, 0.0, 180.0, |_| outlet.drain());
    let bytes = page.take().len();
    assert!(bytes < 180 * 1024, "{bytes} bytes in 180 seconds");
}

#[test]
fn a_run_that_goes_on_shows_what_was_done_and_what_was_found_running() {
    let (story, again) = stories::resumed();
    let mut rig = Rig::new(&story, again, 80, 24, PLAIN);
    insta::assert_snapshot!(rig.tell(&story, again, again + 8.0));
}

#[test]
fn a_silent_step_is_said_to_be_quiet_and_its_time_moves_every_second() {
    let mut story =
        Story::new(stories::plan(&["2023.1"], &["keystone", "neutron"])).fate("2023.1/neutron/db-expand", Fate::Silent);
    story.begin();
    story.hop("2023.1", 0.5);
    let mut rig = Rig::new(&story, 0.0, 80, 24, PLAIN);
    insta::assert_snapshot!(rig.tell(&story, 0.0, 200.0));
    let mut last = rig.screen();
    for second in 200..230 {
        let screen = rig.tell(&story, f64::from(second) + 0.1, f64::from(second) + 1.0);
        assert_ne!(screen, last, "nothing moved in second {second}");
        last = screen;
    }
}
