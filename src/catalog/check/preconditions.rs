//! A playbook's preconditions: questions that change nothing, each with an answer that can be understood.

use super::Examination;
use crate::catalog::{Good, MovedBy, Playbook, PlaybookStep, Precondition, Run};

/// Words that make a statement more than a look.
const WRITES: &[&str] = &["INTO", "UPDATE", "DELETE", "INSERT", "LOCK", "SHARE"];

impl Examination<'_, Playbook> {
    pub(super) fn preconditions(&mut self) {
        let preconditions = &self.document.value.preconditions;
        for (index, one) in preconditions.iter().enumerate() {
            self.precondition(&format!("preconditions/{index}"), one, &preconditions[..index]);
        }
    }

    fn precondition(&mut self, path: &str, one: &Precondition, before: &[Precondition]) {
        self.range(path, &one.series);
        if before.iter().any(|other| other.name == one.name && together(other, one)) {
            self.advise(
                &format!("{path}/name"),
                format!("a precondition named {} is there already for some of the same series", one.name),
                "names may repeat only where the ranges of series or the engines do not meet",
            );
        }
        if one.series.from.is_none() && one.series.to.is_none() {
            self.advise(
                &format!("{path}/series"),
                "a precondition of every release is one of none: it would be asked on the way into whichever comes first",
                "name the release whose migration cannot work without it: {from: wallaby, to: wallaby}",
            );
        }
        let mut engines = one.engines.clone();
        engines.sort();
        if engines.windows(2).any(|pair| pair[0] == pair[1]) {
            self.report(&format!("{path}/engines"), "an engine is named twice");
        }
        self.slots(&format!("{path}/databases"), &one.databases);
        if one.databases.is_empty() {
            self.report(&format!("{path}/databases"), "no database is named that is to be asked");
        }
        match one.good {
            Good::Zero => self.counting_query(&format!("{path}/query"), &one.query),
            Good::NoRows => self.finding_query(&format!("{path}/query"), &one.query),
        }
        self.only_looks(&format!("{path}/query"), &one.query);
        if let Some(show) = &one.show {
            self.showing_query(&format!("{path}/show"), show);
            self.only_looks(&format!("{path}/show"), show);
        }
        let texts = [("what", &one.what), ("means", &one.means), ("mend", &one.mend), ("source", &one.source)];
        for (key, text) in texts {
            self.require_text(&format!("{path}/{key}"), text, &format!("`{key}`"));
        }
        if let Some(moved) = &one.moved_by {
            self.moved_by(&format!("{path}/moved_by"), one, moved);
        }
    }

    /// The step that is relied on must be there, and in time.
    fn moved_by(&mut self, path: &str, one: &Precondition, moved: &MovedBy) {
        self.step_that_moves(path, moved);
        if let (Some(from), Some(to)) = (&moved.series.from, &one.series.to)
            && from >= to
        {
            let message = format!("the first of these releases comes too late: {to} wants it done before");
            self.report(&format!("{path}/series"), message);
        }
    }

    /// The step that is relied on must be there.
    pub(super) fn step_that_moves(&mut self, path: &str, moved: &MovedBy) {
        self.range(path, &moved.series);
        let steps = self.document.value.steps.iter().filter(|step| *step.name() == moved.step);
        let steps: Vec<&PlaybookStep> = steps.collect();
        if steps.is_empty() {
            self.report(&format!("{path}/step"), format!("the playbook has no step {}", moved.step));
        } else if steps.iter().all(|step| !step.series().overlaps(&moved.series)) {
            self.report(&format!("{path}/series"), format!("{} is taken in none of these series", moved.step));
        }
    }

    /// What a command says of triggers.
    pub(super) fn triggers(&mut self, path: &str, run: &Run) {
        let Some(triggers) = &run.triggers else { return };
        let path = format!("{path}/triggers");
        self.range(&path, &triggers.series);
        self.require_text(&format!("{path}/what"), &triggers.what, "`what`");
        if !triggers.series.overlaps(&run.series) {
            self.report(&format!("{path}/series"), "the step is taken in none of these series");
        }
    }

    /// A query that finds rows, to be counted and cut short by leapfrog.
    fn finding_query(&mut self, path: &str, query: &str) {
        self.showing_query(path, query);
        if words(query).any(|word| word == "LIMIT") {
            self.report(path, "without LIMIT: leapfrog counts the rows, and shows the first of them");
        }
        if words(query).nth(1).is_some_and(|word| word == "COUNT") && !words(query).any(|word| word == "GROUP") {
            self.advise(
                path,
                "this query counts: it always finds a row",
                "where none may be counted, write `good: zero`",
            );
        }
    }

    pub(super) fn only_looks(&mut self, path: &str, query: &str) {
        if let Some(word) = words(query).find(|word| WRITES.contains(&word.as_str())) {
            self.report(path, format!("a precondition only looks: {word} does more"));
        }
    }
}

/// The words of a statement in capitals, those in quotes left out.
fn words(query: &str) -> impl Iterator<Item = String> {
    let outside: String = query.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    let words: Vec<String> = outside
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    words.into_iter()
}

/// Whether there is a release and an engine for which both are asked.
fn together(one: &Precondition, two: &Precondition) -> bool {
    let engines =
        one.engines.is_empty() || two.engines.is_empty() || one.engines.iter().any(|e| two.engines.contains(e));
    engines && one.series.overlaps(&two.series)
}
