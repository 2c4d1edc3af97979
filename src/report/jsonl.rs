//! The reporter for programs: JSON Lines, one object a line, flushed line by line.
//!
//! Three kinds of objects share the stream; each has `format` and `time`, and one key says its kind:
//!
//! * `event`: a durable record, byte for byte as in the journal. Never left out.
//! * `progress`: how far something is. May be left out at any time; at most one a second for one
//!   step's rows or one image's download.
//! * `output`: a line of a step's output. Left out only if the reader is thousands of lines behind.
//!
//! `docs/events.md` describes the stream for those who read it, with the promise that goes with
//! `format`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::journal::{Event, Progress, Record};
use crate::model::{StepId, Stream};

use super::Reporter;
use super::outlet::Outlet;
use super::text::seconds_between;
use crate::plan::Refusal;

/// Seconds between two lines on the progress of one thing.
const PAUSE: f64 = 1.0;

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Line {
    /// A durable record, as in the journal.
    Record(Record),
    /// How far something is.
    Progress(ProgressLine),
    /// A line of a step's output.
    Output(OutputLine),
    /// Why the leap was not begun; the only line then.
    Refused(Refused),
}

/// How far something is. May be left out of the stream at any time.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ProgressLine {
    /// The version of the line's format: 1.
    pub format: u32,
    /// When it was seen, UTC.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// What is how far.
    #[serde(flatten)]
    pub progress: Progress,
}

/// A line of a step's output.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct OutputLine {
    /// The version of the line's format: 1.
    pub format: u32,
    /// When it was seen, UTC.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// What was printed, and by whom.
    pub output: Output,
}

/// What a step printed.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Output {
    /// The step.
    pub step: StepId,
    /// Where the line came from.
    pub stream: Stream,
    /// The line, without its end.
    pub text: String,
}

/// The one line of a leap that is refused, and what `plan --output json` prints instead of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Refused {
    /// The version of the line's format: 1.
    pub format: u32,
    /// When it was refused, UTC.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// Every reason.
    pub refused: Vec<Refusal>,
}

impl Refused {
    /// The line for these reasons.
    pub fn new(refused: &[Refusal], time: Timestamp) -> Self {
        Self { format: Line::FORMAT, time, refused: refused.to_vec() }
    }
}

impl Line {
    /// The version of the stream's format. A new key or a new kind of event keeps it; a key that is
    /// taken away or means something else does not.
    pub const FORMAT: u32 = Record::FORMAT;

    /// The line for an event seen at `now`.
    pub fn of(event: &Event, now: Timestamp) -> Self {
        match event {
            Event::Record(record) => Self::Record(record.clone()),
            Event::Progress(progress) => {
                Self::Progress(ProgressLine { format: Self::FORMAT, time: now, progress: finite(progress.clone()) })
            }
            Event::Output { step, stream, text } => Self::Output(OutputLine {
                format: Self::FORMAT,
                time: now,
                output: Output { step: step.clone(), stream: *stream, text: text.clone() },
            }),
        }
    }

    /// The line as JSON, without a line feed.
    ///
    /// # Errors
    ///
    /// Only if a value has no form in JSON, which none of the types allows.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// JSON has no infinity: a rate that is none is 0.
fn finite(progress: Progress) -> Progress {
    match progress {
        Progress::Rows { step, round, moved, total, rate } if !rate.is_finite() => {
            Progress::Rows { step, round, moved, total, rate: 0.0 }
        }
        other => other,
    }
}

/// The JSON Schema of a line.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Line)
}

/// Writes a run as JSON Lines.
#[derive(Debug)]
pub struct JsonLinesReporter {
    outlet: Outlet,
    /// When the progress of each thing was last written.
    written: BTreeMap<String, Timestamp>,
}

impl JsonLinesReporter {
    /// A reporter to `outlet`.
    pub fn new(outlet: Outlet) -> Self {
        Self { outlet, written: BTreeMap::new() }
    }

    /// Whether a piece of progress comes too soon after the last on the same thing.
    fn is_too_soon(&mut self, progress: &Progress, now: Timestamp) -> bool {
        let thing = match progress {
            Progress::Rows { step, .. } => format!("rows {step}"),
            Progress::Fetching { image, .. } => format!("fetching {image}"),
            Progress::Fetched { .. }
            | Progress::NotFetched { .. }
            | Progress::Stopping { .. }
            | Progress::Notice { .. } => return false,
        };
        if self.written.get(&thing).is_some_and(|last| seconds_between(*last, now) < PAUSE) {
            return true;
        }
        self.written.insert(thing, now);
        false
    }
}

impl Reporter for JsonLinesReporter {
    fn see(&mut self, event: &Event, now: Timestamp) {
        if let Event::Progress(progress) = event
            && self.is_too_soon(progress, now)
        {
            return;
        }
        let Ok(mut line) = Line::of(event, now).to_json() else { return };
        line.push('\n');
        match event {
            Event::Record(_) => self.outlet.say(line),
            Event::Progress(_) | Event::Output { .. } => self.outlet.mention(line),
        }
    }

    fn tick(&mut self, _: Timestamp) {}

    fn finish(&mut self, _: Timestamp) {
        self.outlet.drain();
    }
}
