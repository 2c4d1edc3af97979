//! The reporter for a file, a pipe or a simple terminal: dated lines, one an event.
//!
//! Written for whoever reads it later, or through a pager, or in the log of a job: nothing is ever
//! taken back. While something runs and nothing else is said, a heartbeat at least every ten seconds
//! says what runs, for how long and how fast: slow must look different from dead. Output of steps is
//! not repeated; it is in their logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use jiff::Timestamp;

use crate::journal::{Event, Failure, Outcome, Progress, Record, RecordBody, Waiver};
use crate::model::{ImageReference, StepId};
use crate::plan::Plan;

use super::account::said;
use super::evidence::{already, in_words};
use super::outlet::Outlet;
use super::text::{bytes, clean, clock, count, counted, listed, rate, seconds_between, stamp, took};
use super::view::View;
use super::{Reporter, block};

/// Seconds without a line after which one is due, and between lines on one download.
const HEARTBEAT: f64 = 9.5;

/// Writes a run as dated lines.
#[derive(Debug)]
pub struct PlainReporter {
    view: View,
    directory: Utf8PathBuf,
    outlet: Outlet,
    /// When a line was last written.
    said: Option<Timestamp>,
    /// When each download was last spoken of.
    pulls: BTreeMap<ImageReference, Timestamp>,
}

impl PlainReporter {
    /// A reporter to `outlet`. `history`: what earlier processes recorded of a run that goes on;
    /// `directory`: where the run's files are.
    pub fn new(plan: Arc<Plan>, history: &[Record], directory: Utf8PathBuf, outlet: Outlet) -> Self {
        Self { view: View::resumed(plan, history), directory, outlet, said: None, pulls: BTreeMap::new() }
    }

    fn say(&mut self, time: Timestamp, text: &str) {
        self.said = Some(self.said.map_or(time, |said| said.max(time)));
        self.outlet.say(format!("{} {}\n", stamp(time), clean(text)));
    }

    fn record(&mut self, record: &Record) {
        let time = record.time;
        let text = match &record.body {
            RecordBody::RunStarted { run, cloud, from, to, leapfrog, runner, host, pid, .. } => {
                let hops = self.view.account().plan().hops.len() as u64;
                format!(
                    "run {run} of {cloud} started: {from} to {to} in {}; leapfrog {leapfrog}, {runner}, {host}, process {pid}",
                    counted(hops, "hop", "hops")
                )
            }
            RecordBody::RunResumed { leapfrog, host, pid, .. } => {
                let account = self.view.account();
                let done = (0..account.plan().hops.len()).filter(|hop| account.hop_is_done(*hop)).count();
                let run = account.opening().map(|opening| format!("run {} ", opening.run)).unwrap_or_default();
                let hops = account.plan().hops.len();
                format!("{run}goes on, {done} of {hops} hops done; leapfrog {leapfrog}, {host}, process {pid}")
            }
            RecordBody::Readiness { unmet, waiver, .. } => readiness(unmet, waiver.as_ref()),
            RecordBody::HopStarted { series } => {
                let plan = self.view.account().plan();
                let services: Vec<String> = plan
                    .hops
                    .iter()
                    .filter(|hop| hop.series == *series)
                    .flat_map(|hop| hop.lanes.iter().map(|lane| lane.service.to_string()))
                    .collect();
                format!("{series} started: {}", listed(&services))
            }
            RecordBody::StepStarted { step, attempt, command, adopted } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                let what = if *adopted { "was still running and is watched again" } else { "started" };
                let command = command.as_ref().map(|command| format!(": {command}")).unwrap_or_default();
                format!("{} {what}{again}{command}", named(step))
            }
            RecordBody::StepEnded { step, attempt, outcome, seconds, rows, evidence, failure, .. } => {
                let rows = rows.map(|rows| format!(", {}", counted(rows, "row", "rows"))).unwrap_or_default();
                let mut text = format!("{} {} after {}{rows}", named(step), block::verb(*outcome), took(*seconds));
                if *attempt > 1 {
                    text.push_str(&format!(" (attempt {attempt})"));
                }
                if *outcome == Outcome::Skipped {
                    text = format!("{} skipped: {}", named(step), already(evidence));
                } else if *outcome == Outcome::Done && !evidence.is_empty() {
                    text.push_str(&format!(": {}", in_words(evidence).join("; ")));
                }
                self.say(time, &text);
                if let Some(failure) = failure {
                    self.failure(time, &named(step), failure);
                }
                return;
            }
            RecordBody::StepResolved { step, outcome, by, host, note, .. } => {
                format!("{} {}: {}", named(step), block::verb(*outcome), said(by, host, note.as_deref()))
            }
            RecordBody::HopEnded { series } => {
                let account = self.view.account();
                let hop = account.plan().hops.iter().position(|hop| hop.series == *series);
                let seconds = hop.map_or(0.0, |hop| account.hop_seconds(hop, time));
                let rows = hop.and_then(|hop| account.hop_rows(hop));
                let rows = rows.map(|rows| format!(", {}", counted(rows, "row", "rows"))).unwrap_or_default();
                format!("{series} done after {}{rows}", took(seconds))
            }
            RecordBody::RestoreStarted { .. } | RecordBody::RestoreEnded { .. } => {
                self.restore(record);
                return;
            }
            RecordBody::RunEnded { outcome, failure } => {
                let seconds = self.view.account().run_seconds(time);
                self.say(time, &format!("run {} after {}", block::verb(*outcome), took(seconds)));
                if let Some(failure) = failure {
                    self.failure(time, "run", failure);
                }
                return;
            }
            // The heartbeat says how a repeated step gets on.
            RecordBody::RoundEnded { .. } | RecordBody::Unknown => return,
        };
        self.say(time, &text);
    }

    fn restore(&mut self, record: &Record) {
        let Some(restore) = self.view.account().restores().last().cloned() else { return };
        match &record.body {
            RecordBody::RestoreEnded { outcome, seconds, evidence, .. } => {
                let words = in_words(evidence);
                let words = if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) };
                let text =
                    format!("restore of {} {} after {}{words}", restore.about(), block::verb(*outcome), took(*seconds));
                self.say(record.time, &text);
            }
            _ => {
                let why = restore.because.as_ref().map(|step| format!(", since {step} died")).unwrap_or_default();
                self.say(record.time, &format!("restore of {} started{why}", restore.about()));
            }
        }
        if let Some(failure) = &restore.failure {
            self.failure(record.time, "restore", failure);
        }
    }

    fn failure(&mut self, time: Timestamp, name: &str, failure: &Failure) {
        self.say(time, &format!("{name} what: {}", failure.what));
        if let Some(command) = &failure.command {
            self.say(time, &format!("{name} command: {command}"));
        }
        if let Some(exit) = failure.exit {
            self.say(time, &format!("{name} exit: {exit}"));
        }
        for line in &failure.last_lines {
            self.say(time, &format!("{name} output: {line}"));
        }
        for query in failure.migration.iter().flat_map(|migration| &migration.queries) {
            self.say(time, &format!("{name} rows: {query}"));
        }
        if let Some(log) = &failure.log {
            self.say(time, &format!("{name} log: {}", self.directory.join(log)));
        }
        self.say(time, &format!("{name} next: {}", failure.advice));
    }

    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        match progress {
            Progress::Fetching { image, done, total } => {
                if !due(self.pulls.get(image), now) {
                    return;
                }
                self.pulls.insert(image.clone(), now);
                let text = match (done, total) {
                    (0, 0) => format!("{} {image}: {}", image.noun(), image.bringing()),
                    (done, 0) => format!("{} {image}: {} here", image.noun(), bytes(*done)),
                    (done, total) => format!("{} {image}: {} of {}", image.noun(), bytes(*done), bytes(*total)),
                };
                self.say(now, &text);
            }
            Progress::Fetched { image, cached } => {
                self.pulls.remove(image);
                let how = if *cached { "was here already" } else { "is here" };
                self.say(now, &format!("{} {image}: {how}", image.noun()));
            }
            Progress::NotFetched { image, text } => {
                self.pulls.remove(image);
                self.say(now, &format!("{} {image}: not here: {text}", image.noun()));
            }
            Progress::Stopping { text } => self.say(now, text),
            Progress::Notice { text } => self.say(now, &format!("notice: {text}")),
            Progress::Rows { .. } => {}
        }
    }

    /// What runs, for how long and how fast; nothing if nothing does.
    fn heartbeat(&self, now: Timestamp) -> Option<String> {
        let mut parts = Vec::new();
        let running = self.view.all_running(now);
        for running in &running {
            let id = &running.step.id;
            let mut part = format!("{} {} for {}", id.service, id.short(), clock(running.seconds));
            match (running.rows, running.total, running.percent()) {
                (Some(rows), Some(total), Some(percent)) => {
                    let total = counted(total, "row", "rows");
                    part.push_str(&format!(", {} of {total} ({percent} %)", count(rows)));
                }
                (Some(rows), ..) => part.push_str(&format!(", {}", counted(rows, "row", "rows"))),
                (None, ..) => {}
            }
            if let Some(rows) = running.rate {
                part.push_str(&format!(", {}", rate(rows)));
            }
            if let Some(left) = running.remaining() {
                part.push_str(&format!(", {} left", clock(left)));
            }
            if running.rounds > 0 {
                part.push_str(&format!(", {}", counted(running.rounds.into(), "round", "rounds")));
            }
            if running.quiet >= 60.0 {
                part.push_str(&format!(", quiet for {}", clock(running.quiet)));
            }
            parts.push(part);
        }
        let series = running.first().map(|running| format!("{} ", running.step.id.series)).unwrap_or_default();
        for (image, pull) in self.view.pulls() {
            let name = image.name();
            let name = name.rsplit('/').next().unwrap_or_default();
            parts.push(format!("{} {name} for {}", image.noun(), clock(seconds_between(pull.since, now))));
        }
        (!parts.is_empty()).then(|| format!("{series}running: {}", parts.join("; ")))
    }
}

impl Reporter for PlainReporter {
    fn see(&mut self, event: &Event, now: Timestamp) {
        self.view.see(event, now);
        match event {
            Event::Record(record) => self.record(record),
            Event::Progress(progress) => self.progress(progress, now),
            Event::Output { .. } => {}
        }
    }

    fn tick(&mut self, now: Timestamp) {
        if due(self.said.as_ref(), now)
            && let Some(text) = self.heartbeat(now)
        {
            self.say(now, &text);
        }
    }

    fn finish(&mut self, _: Timestamp) {
        self.outlet.drain();
    }
}

fn due(last: Option<&Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| seconds_between(*last, now) >= HEARTBEAT)
}

fn named(step: &StepId) -> String {
    format!("{} {} {}", step.series, step.service, step.short())
}

/// Whether it is known that nobody uses what is removed.
fn readiness(unmet: &[String], waiver: Option<&Waiver>) -> String {
    match waiver {
        None => "nothing uses what is removed any more".to_owned(),
        Some(waiver) => {
            format!("waived by {} on {}: {} (not shown: {})", waiver.by, waiver.host, waiver.reason, unmet.join("; "))
        }
    }
}
