//! The end of a run in a text: time, rows and evidence of every service in every release, what went
//! wrong, where the files are, what stands where, what to do next.
//!
//! Pure: the same plan and records give the same text, at the end of the run and ever after.

use camino::Utf8Path;
use jiff::Timestamp;

use crate::journal::{Outcome, Record};
use crate::plan::Plan;

use super::account::{Account, LaneState};
use super::block::{self, Paper};
use super::conclusion::{next, standing};
use super::evidence;
use super::frame::outcome_mark;
use super::look::{Ink, Mark};
use super::restores;
use super::services;
use super::text::{clean, counted, left, right, took, width, wrap};

/// A run to speak about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// What was recorded.
    pub records: &'a [Record],
    /// Where the run's files are.
    pub directory: &'a Utf8Path,
    /// The command that goes on with the run. Absent: nothing does, since it goes away with what it worked on.
    pub again: Option<&'a str>,
}

/// The run in a text, once its process is at its end.
pub fn summary(about: &About<'_>, paper: Paper) -> String {
    let account = Account::of(about.plan, about.records).closed();
    let Some(now) = account.last_time() else { return "Nothing was recorded.\n".to_owned() };
    let mut lines = vec![title(&account, now, paper)];
    for hop in 0..about.plan.hops.len() {
        lines.extend(hop_lines(&account, hop, now, paper));
    }
    lines.push(String::new());
    let mut label = "stays";
    for residue in evidence::residues(&account) {
        lines.extend(paper.field(0, label, &residue));
        label = "";
    }
    if label.is_empty() {
        lines.push(String::new());
    }
    lines.extend(troubles(&account, about, paper));
    lines.extend(closing(&account, about, paper));
    paper.text(&lines)
}

fn title(account: &Account, now: Timestamp, paper: Paper) -> String {
    let (mark, word) = match account.outcome() {
        Some(outcome) => (outcome_mark(outcome), block::verb(outcome)),
        None => (Mark::Odd, "cut off"),
    };
    let text = format!(
        "{} {}: {}, {word} after {}",
        paper.look.mark(mark),
        account.plan().cloud,
        block::path(account, paper.look),
        took(account.run_seconds(now))
    );
    wrap(&text, paper.columns).iter().map(|line| paper.look.ink(mark.ink(), line)).collect::<Vec<_>>().join("\n")
}

/// What went wrong, the gravest last, where eyes are.
pub(super) fn troubles(account: &Account, about: &About<'_>, paper: Paper) -> Vec<String> {
    let mut lines = Vec::new();
    let mut failures = account.failures();
    failures.sort_by_key(|(_, end)| end.outcome == Outcome::Failed);
    for (place, end) in failures {
        let attempt = account.attempts(place).last().map_or(1, |attempt| attempt.number);
        lines.extend(block::step_ended(&account.step(place).id, attempt, end, about.directory, paper));
        lines.push(String::new());
    }
    if let Some(failure) = account.restores().last().and_then(|restore| restore.failure.as_ref()) {
        lines.extend(block::failure_fields(failure, about.directory, 0, paper));
        lines.push(String::new());
    }
    if let Some(failure) = account.sittings().last().and_then(|sitting| sitting.failure.as_ref()) {
        lines.extend(block::failure_fields(failure, about.directory, 0, paper));
        lines.push(String::new());
    }
    lines
}

/// Where the files are, what stands where, what to do next.
pub(super) fn closing(account: &Account, about: &About<'_>, paper: Paper) -> Vec<String> {
    let mut lines = vec![paper.label(0, "files", about.directory.as_str())];
    if account.sittings().iter().any(|sitting| sitting.unfenced) {
        let text = "off: others were allowed to be connected to the databases while leapfrog worked";
        lines.extend(paper.field(0, "fence", text));
    }
    let mut label = "back";
    for sentence in restores::sentences(account) {
        lines.extend(paper.field(0, label, &sentence));
        label = "";
    }
    let mut label = "word";
    for (place, outcome, said) in account.words() {
        let id = &account.step(place).id;
        let text = format!("{} {} {}: {}", id.series, id.service, id.short(), block::verb(outcome));
        lines.extend(paper.field(0, label, &clean(&format!("{text}, {said}"))));
        label = "";
    }
    for (waiver, unmet) in account.waived() {
        let text = format!(
            "{} on {}, until {}: {} (not shown: {})",
            waiver.by,
            waiver.host,
            waiver.until.strftime("%F %T UTC"),
            waiver.reason,
            unmet.join("; ")
        );
        lines.extend(paper.field(0, "waived", &clean(&text)));
    }
    let mut label = "services";
    for sentence in services::sentences(account) {
        lines.extend(paper.field(0, label, &clean(&sentence)));
        label = "";
    }
    lines.extend(paper.field(0, "now", &standing(account)));
    let (words, goes_on) = next(account);
    match about.again {
        None if goes_on => {}
        again => {
            lines.extend(paper.field(0, "next", &words));
            // A command is to be copied: it is not broken.
            let again = again.filter(|_| goes_on);
            lines.extend(again.map(|again| paper.label(0, "", &paper.look.ink(Ink::Bold, again))));
        }
    }
    lines
}

fn hop_lines(account: &Account, hop: usize, now: Timestamp, paper: Paper) -> Vec<String> {
    let series = account.hop(hop).series.as_str();
    let look = paper.look;
    if !account.hop_began(hop) {
        return vec![String::new(), look.ink(Ink::Dim, &format!("{series}  not begun"))];
    }
    let mut head = format!("  {}", took(account.hop_seconds(hop, now)));
    if let Some(rows) = account.hop_rows(hop) {
        head.push_str(&format!("  {}", counted(rows, "row", "rows")));
    }
    if !account.hop_is_done(hop) {
        head.push_str("  not complete");
    }
    let mut lines = vec![String::new(), format!("{}{head}", look.ink(Ink::Bold, series))];
    let cells: Vec<Cells> = (0..account.hop(hop).lanes.len()).map(|lane| Cells::new(account, hop, lane, now)).collect();
    let widest = |cell: &dyn Fn(&Cells) -> usize| cells.iter().map(cell).max().unwrap_or(0);
    let service = widest(&|cells| width(&cells.service));
    let (time, rows) = (widest(&|cells| width(&cells.time)), widest(&|cells| width(&cells.rows)));
    for cells in &cells {
        let rows = if rows == 0 { String::new() } else { format!("  {}", right(&cells.rows, rows)) };
        let plain = format!("{}  {}{rows}  ", left(&cells.service, service), right(&cells.time, time));
        let mark = look.ink(cells.mark.ink(), look.mark(cells.mark));
        let indent = 4 + width(&plain);
        // Where there is no room beside the columns, the words go below them.
        let beside = indent + 24 <= paper.columns;
        let mut texts = cells.words.iter();
        if beside {
            let first = " ".repeat(indent);
            let hung = paper.hang(&first, texts.next().map_or("", String::as_str));
            let mut hung = hung.into_iter();
            let words = hung.next().unwrap_or_default();
            lines.push(format!("  {mark} {plain}{}", &words[indent.min(words.len())..]).trim_end().to_owned());
            lines.extend(hung);
            lines.extend(texts.flat_map(|text| paper.hang(&first, text)));
        } else {
            lines.push(format!("  {mark} {}", plain.trim_end()));
            lines.extend(texts.flat_map(|text| paper.hang("      ", text)));
        }
    }
    lines
}

/// What one service's line in a release holds.
struct Cells {
    mark: Mark,
    service: String,
    time: String,
    rows: String,
    words: Vec<String>,
}

impl Cells {
    fn new(account: &Account, hop: usize, lane: usize, now: Timestamp) -> Self {
        let plan = account.lane(hop, lane);
        let at = |step: usize| format!("{} ({}/{})", plan.steps[step].id.short(), step + 1, plan.steps.len());
        let mut words = evidence::of_lane(account, hop, lane);
        let (mark, state) = match account.lane_state(hop, lane) {
            LaneState::Done => (Mark::Done, None),
            LaneState::Waiting => (Mark::Waiting, Some("not begun".to_owned())),
            LaneState::Between(step) | LaneState::Running(step) => {
                (Mark::Stopped, Some(format!("stopped before {}", at(step))))
            }
            LaneState::OutOfSight(step) => (Mark::Odd, Some(format!("cut off in {}", at(step)))),
            LaneState::Ended(step, outcome) => {
                (outcome_mark(outcome), Some(format!("{} at {}", block::verb(outcome), at(step))))
            }
        };
        if let Some(state) = state {
            words.insert(0, state);
        }
        let begun = account.lane_places(hop, lane).any(|place| !account.attempts(place).is_empty());
        Self {
            mark,
            service: plan.service.to_string(),
            time: if begun { took(account.lane_seconds(hop, lane, now)) } else { String::new() },
            rows: account.lane_rows(hop, lane).map(|rows| counted(rows, "row", "rows")).unwrap_or_default(),
            words,
        }
    }
}
