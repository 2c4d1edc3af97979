//! What was run, held against what was read.

use super::silent::{Asked, silent};
use super::statement::{changes_schema, operations};
use super::{Course, Ran, Statement, Stretch};
use crate::lint::cost::{Cost, Waits, Way, cost};
use crate::lint::document::{At, Found, Point};
use crate::lint::judge::Finding;
use crate::lint::operation::{Change, Constraint, Operation};
use crate::lint::rules::{DEARER, Rule, SILENT_CHANGE, UNSEEN};
use crate::lint::script::Script;
use crate::model::Shape;

/// How much of a statement is shown, in characters.
const SHOWN: usize = 400;

/// What comes of holding the one against the other.
#[derive(Debug, Default)]
pub struct Confronted {
    /// What is to be told of the lint, and of the scripts.
    pub findings: Vec<Found>,
    /// Every change of a schema that was run, in order.
    pub ran: Vec<Ran>,
}

/// Holds what was run against the scripts of the same range.
pub fn confront(scripts: &[Script], courses: &[Course]) -> Confronted {
    let mut all = Confronted::default();
    for course in courses {
        let start = course.stretches.first().map(|stretch| &stretch.before);
        for stretch in &course.stretches {
            let own = Own { scripts, of: own(scripts, course, stretch), course, stretch, start };
            own.confront(&mut all);
        }
    }
    all
}

/// The scripts that a stretch may be of, by their places.
fn own(scripts: &[Script], course: &Course, stretch: &Stretch) -> Vec<usize> {
    let is_of = |script: &Script| {
        let schema = script.schema == course.schema && script.service.as_ref() == Some(&course.service);
        // Where nobody could hear whose a change is, it is of any script of the release.
        let revision = match (&stretch.revision, &script.revision) {
            (Some(noted), Some(revision)) => revision == noted || revision.ends_with(&format!(" {noted}")),
            (Some(_), None) => false,
            (None, _) => stretch.statements.is_empty() && script.series.as_ref() == Some(&stretch.series),
        };
        schema && revision && !script.operations.is_empty()
    };
    (0..scripts.len()).filter(|at| is_of(&scripts[*at])).collect()
}

/// One stretch with its scripts.
struct Own<'a> {
    scripts: &'a [Script],
    of: Vec<usize>,
    course: &'a Course,
    stretch: &'a Stretch,
    /// How the tables were made before the range.
    start: Option<&'a Shape>,
}

impl<'a> Own<'a> {
    fn confront(&self, all: &mut Confronted) {
        let engine = self.course.target.server.engine();
        let said: Vec<&Operation> = self.said().map(|(_, _, one)| one).collect();
        let mut made: Vec<String> = Vec::new();
        for statement in self.stretch.statements.iter().filter(|statement| changes_schema(&statement.text)) {
            let done = operations(&statement.text, engine);
            let mut read: Option<(usize, usize, Cost)> = None;
            for one in &done {
                let table = one.table.clone().unwrap_or_default();
                if matches!(one.change, Change::CreateTable { .. }) {
                    made.push(table.clone());
                } else if is_key(&one.change) && made.contains(&table) {
                    // SQLAlchemy makes it right after the table: one call makes both.
                    continue;
                }
                let fits: Vec<_> = self.said().filter(|(_, _, said)| is(said, one)).collect();
                if fits.is_empty() && one.change.is_of_schema() && !is_a_note(one) {
                    all.findings.push(self.unseen(statement, one));
                }
                let costs = fits
                    .into_iter()
                    .filter_map(|(script, at, said)| Some((script, at, cost(said, self.course.target)?)));
                let dearest = costs.max_by_key(|(_, _, cost)| (cost.way, cost.waits));
                read = [read, dearest].into_iter().flatten().max_by_key(|(_, _, cost)| (cost.way, cost.waits));
            }
            let ran = self.ran(statement, &done, read.map(|(_, _, cost)| cost));
            if let Some((script, at, cost)) = read.filter(|_| ran.was_there) {
                all.findings.extend(self.dearer(&ran, statement, script, at, cost));
            }
            if !done.is_empty() {
                all.ran.push(ran);
            }
        }
        let statements: Vec<&str> = self.stretch.statements.iter().map(|one| one.text.as_str()).collect();
        let asked = Asked { said: &said, statements: &statements, engine };
        for change in silent(&self.stretch.before, &self.stretch.after, &asked) {
            let what = match &change.column {
                Some(column) => {
                    format!("column {column} of table {}: {}, and nobody asks for that", change.table, change.what)
                }
                None => format!("{}, and nobody asks for that", change.what),
            };
            let touches = |(_, _, one): &(usize, usize, &Operation)| {
                one.table.as_ref() == Some(&change.table)
                    && (change.column.is_none() || one.change.column() == change.column.as_deref())
            };
            let place = self.said().find(touches).map(|(script, at, _)| (script, at));
            let mut found = self.found(SILENT_CHANGE, place, what, None, &change.what);
            (found.at.table, found.at.column) = (Some(change.table), change.column);
            all.findings.push(found);
        }
    }

    /// What the scripts say, with its places.
    fn said(&self) -> impl Iterator<Item = (usize, usize, &'a Operation)> {
        let (scripts, engine) = (self.scripts, self.course.target.server.engine());
        self.of.iter().flat_map(move |script| {
            let operations = scripts[*script].operations.iter().enumerate();
            operations.map(move |(at, one)| (*script, at, one)).filter(move |(_, _, one)| one.engines.contains(engine))
        })
    }

    /// A change that no script says.
    fn unseen(&self, statement: &Statement, one: &Operation) -> Found {
        let vague =
            self.said().any(|(_, _, said)| said.change.is_opaque() || said.certainty == crate::lint::Certainty::Opaque);
        let table = one.table.as_ref().map(|table| format!(" table {table}")).unwrap_or_default();
        let verb = one.change.verb();
        let what = format!(
            "{}{table} when it is run, and that was not read: `{}`",
            verb.strip_suffix(" table").unwrap_or(verb),
            shown(&statement.text)
        );
        let softened = vague.then_some("it is said that something of the script is not understood");
        let mut found = self.found(UNSEEN, None, what, softened, &statement.text);
        (found.at.table, found.at.column) = (one.table.clone(), one.change.column().map(str::to_owned));
        found
    }

    /// A change that costs more than what was read of it.
    fn dearer(&self, ran: &Ran, statement: &Statement, script: usize, at: usize, read: Cost) -> Option<Found> {
        let (way, waits) = statement.measure.cost(ran.table.as_deref(), self.course.target.server);
        let more_work = way.is_some_and(|way| way >= Way::Rebuilt && way > read.way);
        let more_waits = waits.is_some_and(|waits| waits > read.waits && waits > Waits::Nothing);
        (more_work || more_waits).then(|| {
            let table = ran.table.as_deref().unwrap_or("a table");
            let what = format!("{} {table} takes {}, and was read as `{}`", ran.does, ran.measured, read.words());
            self.found(DEARER, Some((script, at)), what, None, &statement.text)
        })
    }

    /// A finding at an operation, else of the whole script, else of the command.
    fn found(
        &self,
        rule: &'static Rule,
        place: Option<(usize, usize)>,
        what: String,
        softened: Option<&'static str>,
        text: &str,
    ) -> Found {
        let server = self.course.target.server;
        let severity = rule.severity(server).unwrap_or(crate::lint::Severity::Information);
        let severity = if softened.is_some() { crate::lint::Severity::Information } else { severity };
        let number = place.map(|(script, _)| script).or(self.of.first().copied());
        let operation = place.map(|(_, at)| at);
        let script = number.and_then(|number| self.scripts.get(number));
        let whole = script.map_or(crate::lint::Place { offset: 0, length: 0, line: 1 }, Script::whole);
        let stands = script.zip(operation).and_then(|(script, at)| script.operations.get(at)).map(|one| one.place);
        let finding = Finding {
            rule,
            severity,
            servers: [(server, severity)].into(),
            what,
            softened,
            script: number.unwrap_or_default(),
            operation,
            place: stands.unwrap_or(whole),
        };
        match script {
            Some(script) => Found::new(script, &finding),
            None => Found::at(&finding, self.beside(text)),
        }
    }

    /// Where something stands that no script says.
    fn beside(&self, text: &str) -> At {
        let point = Point { line: 1, character: 1 };
        At {
            series: Some(self.stretch.series.clone()),
            service: Some(self.course.service.clone()),
            schema: self.course.schema.clone(),
            revision: self.stretch.revision.clone(),
            branch: None,
            table: None,
            column: None,
            certainty: None,
            file: format!("{} {}", self.course.service, self.stretch.step),
            start: point,
            end: point,
            excerpt: vec![shown(text)],
        }
    }

    fn ran(&self, statement: &Statement, done: &[Operation], read: Option<Cost>) -> Ran {
        let first = done.first();
        let table = first.and_then(|one| one.table.clone());
        let measure = &statement.measure;
        Ran {
            series: self.stretch.series.clone(),
            service: self.course.service.clone(),
            database: self.course.database.clone(),
            revision: self.stretch.revision.clone(),
            was_there: table.as_ref().zip(self.start).is_some_and(|(table, start)| start.tables.contains_key(table)),
            does: first.map(|one| one.change.verb().to_owned()).unwrap_or_default(),
            table,
            statement: shown(&statement.text),
            algorithm: measure.algorithm,
            lock: measure.lock,
            held: measure.held.clone(),
            rewritten: measure.rewritten.clone(),
            failed: measure.failed.clone(),
            measured: measure.words(),
            read: read.map(Cost::words),
        }
    }
}

/// A text in one line, not too long.
fn shown(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

fn is_key(change: &Change) -> bool {
    matches!(kind(change), Some("add key" | "add foreign key" | "add check"))
}

/// Whether it is about a table in which it is noted where a schema stands.
fn is_a_note(one: &Operation) -> bool {
    let made = matches!(one.change, Change::CreateTable { .. });
    made && one.table.as_deref().is_some_and(|table| super::heard::NOTES.contains(&table))
}

/// What a change is called where a script and a server have different words for the same.
fn kind(change: &Change) -> Option<&'static str> {
    Some(match change {
        Change::CreateTable { .. } => "create table",
        Change::DropTable => "drop table",
        Change::RenameTable { .. } => "rename table",
        Change::AddColumn(_) => "add column",
        Change::DropColumn { .. } => "drop column",
        Change::AlterColumn { .. } => "alter column",
        Change::CreateIndex { .. } | Change::AddConstraint { kind: Constraint::Unique, .. } => "add key",
        Change::AddConstraint { kind: Constraint::ForeignKey, .. } => "add foreign key",
        Change::AddConstraint { kind: Constraint::Check, .. } => "add check",
        Change::AddConstraint { kind: Constraint::PrimaryKey, .. } => "add primary key",
        Change::DropIndex { .. } | Change::DropConstraint { .. } => "drop key",
        Change::CharacterSet { .. } => "character set",
        Change::StorageEngine => "storage engine",
        Change::Trigger { .. } => "trigger",
        Change::Routine { .. } => "routine",
        _ => return None,
    })
}

/// What a change names besides a table.
fn name(change: &Change) -> Option<&str> {
    match change {
        Change::CreateIndex { name, .. } | Change::DropIndex { name } => name.as_deref(),
        Change::AddConstraint { name, .. } | Change::DropConstraint { name, .. } => name.as_deref(),
        Change::RenameTable { to } => to.as_deref(),
        other => other.column(),
    }
}

/// Whether what a script says is what was run, as far as both name it.
fn is(said: &Operation, ran: &Operation) -> bool {
    let same = |one: Option<&str>, other: Option<&str>| one.is_none() || other.is_none() || one == other;
    kind(&said.change).is_some()
        && kind(&said.change) == kind(&ran.change)
        && said.table.is_some()
        && same(said.table.as_deref(), ran.table.as_deref())
        && same(name(&said.change), name(&ran.change))
}

#[cfg(test)]
mod tests;
