//! A playbook's steps.

use super::Examination;
use crate::catalog::{Check, Drain, Playbook, PlaybookStep, Residue, Run, TripStep};
use crate::model::{Branch, CheckResult, Command, Effect, Phase, Verdict};

/// The most rows a round may move; more would defeat the purpose of rounds.
const COUNT: u64 = 1_000_000;

impl Examination<'_, Playbook> {
    pub(super) fn steps(&mut self) {
        let steps = &self.document.value.steps;
        if steps.is_empty() {
            self.report("steps", "a playbook without steps does nothing");
        }
        for (index, step) in steps.iter().enumerate() {
            let path = format!("steps/{index}/*");
            self.range(&path, step.series());
            self.place(&path, step, &steps[..index]);
            self.slots(&format!("{path}/for_each"), step.for_each());
            if step.command().is_some() {
                self.command(&path, step);
                self.where_databases_are(&path, step);
            }
            if step.side_by_side() && step.for_each().is_empty() {
                let message = "`side_by_side` means nothing for a step that is taken once";
                self.advise(
                    &format!("{path}/side_by_side"),
                    message,
                    "say with `for_each` which databases it is taken for",
                );
            }
            self.require_text(&format!("{path}/why"), step.why(), "`why`");
            match step {
                PlaybookStep::Run(run) => {
                    self.run(&path, step);
                    self.schema(&path, run);
                    self.triggers(&path, run);
                }
                PlaybookStep::Drain(drain) => self.drain(&path, drain),
                PlaybookStep::Trip(trip) => self.trip(&path, trip),
                PlaybookStep::Check(check) => self.release_check(&path, step, check),
            }
        }
    }

    /// Its name and phase, against the steps before it.
    fn place(&mut self, path: &str, step: &PlaybookStep, before: &[PlaybookStep]) {
        if before.iter().any(|other| other.name() == step.name() && apply_together(other, step)) {
            self.advise(
                &format!("{path}/name"),
                format!("a step named {} is there already for some of the same series", step.name()),
                "names may repeat only where the ranges of series or the engines do not meet",
            );
        }
        let later = before.iter().find(|other| other.phase() > step.phase() && apply_together(other, step));
        if let Some(other) = later {
            let message = format!("phases go backwards: {} after {} ({})", step.phase(), other.name(), other.phase());
            let help = "the order is check, expand, migrate, contract, verify";
            self.advise(&format!("{path}/phase"), message, help);
        }
        if matches!(step.phase(), Phase::Check | Phase::Verify) && step.effect() != Effect::ReadOnly {
            let message = format!("a step in the phase {} only looks: its effect is read-only", step.phase());
            self.report(&format!("{path}/effect"), message);
        }
        let mut engines = step.engines().to_vec();
        engines.sort();
        if engines.windows(2).any(|pair| pair[0] == pair[1]) {
            self.report(&format!("{path}/engines"), "an engine is named twice");
        }
    }

    fn command(&mut self, path: &str, step: &PlaybookStep) {
        let words: Vec<String> = step.command().cloned().map(Into::into).unwrap_or_default();
        for (index, word) in words.iter().enumerate() {
            if word.contains(char::is_control) {
                self.report(&format!("{path}/command/{index}"), "a word of a command is one line of text");
            }
        }
        for (index, text) in step.failure_texts().iter().enumerate() {
            self.require_text(&format!("{path}/failure_texts/{index}"), text, "the text");
        }
        if !step.exits().can_end() {
            self.report(&format!("{path}/exits"), "no exit code means done (or warning): the step could never end");
        }
    }

    /// Every command must learn from its configuration file where the step's databases are.
    fn where_databases_are(&mut self, path: &str, step: &PlaybookStep) {
        let files = self.document.value.configuration.iter().filter(|file| file.series.overlaps(step.series()));
        for file in files {
            if step.for_each().is_empty() {
                let told = file.options.iter().any(|option| match &option.url_of[..] {
                    [slot] => self.slot(slot).is_none_or(|database| !database.many),
                    _ => false,
                });
                if !told && file.options.iter().any(|option| !option.url_of.is_empty()) {
                    let message = format!("{} would name no database to this command", file.path);
                    let help = "say with `for_each` which databases the step is taken for";
                    self.advise(path, message, help);
                }
            }
            for (index, slot) in step.for_each().iter().enumerate() {
                let told = file.options.iter().any(|option| option.url_of.contains(slot));
                if !told && self.slot(slot).is_some() {
                    let message = format!("no option of {} names the database of {slot} (`url_of`)", file.path);
                    self.report(&format!("{path}/for_each/{index}"), message);
                }
            }
        }
    }

    fn run(&mut self, path: &str, step: &PlaybookStep) {
        self.run_once(path, step);
        for (code, verdict) in &step.exits().0 {
            if matches!(verdict, Verdict::More | Verdict::Stuck) {
                let message = format!("`{verdict}` means nothing for a command that is run once");
                self.advise(&format!("{path}/exits/{code}"), message, "use done, failed or warning");
            }
        }
    }

    fn run_once(&mut self, path: &str, step: &PlaybookStep) {
        if step.command().is_some_and(Command::takes_count) {
            let message = "{count} is for a command that is repeated: make this a `drain` step or leave it out";
            self.report(&format!("{path}/command"), message);
        }
    }

    /// Which schemas a command migrates, and what else it does.
    fn schema(&mut self, path: &str, run: &Run) {
        self.slots(&format!("{path}/schema"), &run.schema);
        for (index, slot) in run.schema.iter().enumerate() {
            if !run.for_each.is_empty() && !run.for_each.contains(slot) && self.slot(slot).is_some() {
                let message = format!("the step is not taken for {slot}: `for_each` does not name it");
                let help = "a step that is taken for each database migrates that database's schema and no other";
                self.advise(&format!("{path}/schema/{index}"), message, help);
            }
        }
        if run.schema.is_empty() {
            for (key, given) in [("branch", run.branch.is_some()), ("besides", run.besides.is_some())] {
                if given {
                    let message = format!("`{key}` means nothing for a command that migrates no schema");
                    let help = "say with `schema` which slots' schemas it migrates, or leave it out";
                    self.advise(&format!("{path}/{key}"), message, help);
                }
            }
        } else if run.effect == Effect::ReadOnly {
            self.report(&format!("{path}/effect"), "a command that migrates a schema is not read-only");
        }
        let misplaced = match run.branch {
            Some(Branch::Expand) => run.phase == Phase::Contract,
            Some(Branch::Contract) => run.phase == Phase::Expand,
            None => false,
        };
        if misplaced && let Some(branch) = run.branch {
            let message = format!("the {branch} branch is not at its head by a step of the phase {}", run.phase);
            self.report(&format!("{path}/branch"), message);
        }
        if let Some(besides) = &run.besides {
            self.require_text(&format!("{path}/besides/what"), &besides.what, "`what`");
            if let Some(query) = &besides.query {
                self.counting_query(&format!("{path}/besides/query"), query);
            }
        }
    }

    fn drain(&mut self, path: &str, drain: &Drain) {
        if !drain.command.takes_count() {
            self.advise(
                &format!("{path}/command"),
                "the command takes no {count}: it could not be taken in rounds",
                "a command that works to its end by itself is a `run` step",
            );
        }
        if !drain.exits.0.values().any(|verdict| *verdict == Verdict::More) {
            self.report(&format!("{path}/exits"), "no exit code means `more`: the command would never be repeated");
        }
        if drain.effect == Effect::Once {
            self.report(&format!("{path}/effect"), "a command that is repeated cannot be one that must run only once");
        }
        if !(1..=COUNT).contains(&drain.count) {
            self.report(&format!("{path}/count"), format!("the count must be from 1 to {COUNT}"));
        }
        for (index, residue) in drain.residues.iter().enumerate() {
            self.residue(&format!("{path}/residues/{index}"), residue, &drain.residues[..index]);
        }
        for (index, common) in drain.alone_while.iter().enumerate() {
            let path = format!("{path}/alone_while/{index}");
            self.range(&path, &common.series);
            self.require_text(&format!("{path}/what"), &common.what, "`what`");
            self.slots(&format!("{path}/databases"), &common.databases);
            if common.databases.is_empty() {
                self.report(&format!("{path}/databases"), "no database is named in which they are counted");
            }
            self.counting_query(&format!("{path}/query"), &common.query);
            if !drain.side_by_side {
                let message = "the rounds run one at a time anyway, without `side_by_side`";
                self.report(&path, message);
            }
        }
        for (index, remainder) in drain.remainders.iter().enumerate() {
            let path = format!("{path}/remainders/{index}");
            self.range(&path, &remainder.series);
            self.require_text(&format!("{path}/what"), &remainder.what, "`what`");
            self.counting_query(&format!("{path}/query"), &remainder.query);
            if let Some(show) = &remainder.show {
                self.showing_query(&format!("{path}/show"), show);
            }
            if let Some(migration) = &remainder.migration {
                self.require_text(&format!("{path}/migration"), migration, "the migration's name");
                if !remainder.moved {
                    let message = "a migration is named for rows that the command does not move (`moved: false`)";
                    self.report(&format!("{path}/migration"), message);
                }
            }
        }
    }

    fn trip(&mut self, path: &str, trip: &TripStep) {
        if trip.phase != Phase::Migrate {
            let message = "triggers stand after what a release adds and before what it removes";
            self.advise(&format!("{path}/phase"), message, "the phase of a `trip` step is migrate");
        }
        let databases = &self.document.value.databases;
        if trip.for_each.is_empty() && (databases.len() > 1 || databases.iter().any(|database| database.many)) {
            let message = "the service has several databases, and nothing says which one has these tables";
            self.advise(path, message, "say with `for_each` which databases the step is taken for");
        }
        if trip.tables.is_empty() {
            self.report(&format!("{path}/tables"), "no table is named: the step would do nothing");
        }
        for (index, table) in trip.tables.iter().enumerate() {
            let path = format!("{path}/tables/{index}");
            self.require_text(&format!("{path}/name"), &table.name, "the table's name");
            if trip.tables[..index].iter().any(|other| other.name == table.name) {
                self.report(&format!("{path}/name"), format!("the table {} is named twice", table.name));
            }
            if let Some(query) = &table.remainder {
                self.counting_query(&format!("{path}/remainder"), query);
            }
        }
    }

    fn release_check(&mut self, path: &str, step: &PlaybookStep, check: &Check) {
        self.run_once(path, step);
        for (index, allowance) in check.allow.iter().enumerate() {
            let path = format!("{path}/allow/{index}");
            self.range(&path, &allowance.series);
            self.require_text(&format!("{path}/check"), &allowance.check, "the check's name");
            self.require_text(&format!("{path}/why"), &allowance.why, "`why`");
            if allowance.results.is_empty() {
                self.report(&format!("{path}/results"), "no result is allowed: name failure, warning or both");
            }
            for (result, allowed) in allowance.results.iter().enumerate() {
                let place = format!("{path}/results/{result}");
                if *allowed == CheckResult::Success {
                    self.report(&place, "success needs no permission: name failure, warning or both");
                } else if allowance.results[..result].contains(allowed) {
                    self.report(&place, format!("{allowed} is named twice"));
                }
            }
            if let Some(query) = &allowance.unless {
                self.counting_query(&format!("{path}/unless"), query);
            }
            let twice = check.allow[..index].iter().any(|other| {
                other.check == allowance.check
                    && other.series.overlaps(&allowance.series)
                    && other.results.iter().any(|result| allowance.results.contains(result))
            });
            if twice {
                let message = format!("{} is allowed twice for some of the same series", allowance.check);
                self.report(&path, message);
            }
        }
    }

    /// A query that only counts: leapfrog runs it against an operator's database.
    pub(super) fn counting_query(&mut self, path: &str, query: &str) {
        let words: String = query.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        if !words.starts_with("SELECT COUNT(") || words.contains(';') {
            self.report(path, "the query must be one statement that begins with SELECT COUNT(");
        }
    }

    /// A query that is shown to an operator, who may run it as it stands.
    pub(super) fn showing_query(&mut self, path: &str, query: &str) {
        let words: String = query.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        if !words.starts_with("SELECT ") || words.contains(';') {
            self.report(path, "the query must be one statement that begins with SELECT");
        }
    }

    fn residue(&mut self, path: &str, residue: &Residue, before: &[Residue]) {
        self.range(path, &residue.series);
        self.require_text(&format!("{path}/migration"), &residue.migration, "the migration's name");
        self.require_text(&format!("{path}/why"), &residue.why, "`why`");
        self.counting_query(&format!("{path}/query"), &residue.query);
        let meets = |other: &Residue| other.migration == residue.migration && other.series.overlaps(&residue.series);
        if before.iter().any(meets) {
            self.report(path, format!("{} is explained twice for some of the same series", residue.migration));
        }
    }
}

/// Whether there is a release and an engine for which both steps are taken.
fn apply_together(one: &PlaybookStep, two: &PlaybookStep) -> bool {
    let engines = one.engines().is_empty()
        || two.engines().is_empty()
        || one.engines().iter().any(|engine| two.engines().contains(engine));
    let taken = one.taken().zip(two.taken()).is_none_or(|(one, two)| one == two);
    engines && taken && one.series().overlaps(two.series())
}
