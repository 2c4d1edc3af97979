//! Repositories of sqlalchemy-migrate: what their scripts do, and which of them a leap runs.
//!
//! A database keeps one number for each repository, and goes on from there. A repository whose first script is not number 1
//! has been shortened: that script makes what all before it made, on an empty database alone.

use std::collections::BTreeMap;

use super::operation::{Engines, Operation};
use super::read::{read, read_sql, shape};
use super::rules::{HISTORY_EDITED, NOT_UNDERSTOOD, Severity};
use super::script::{Remark, Script};
use crate::migrations::{Language, Misread, Numbered, numbered};
use crate::model::Branch;

/// A repository of sqlalchemy-migrate.
#[derive(Debug, Clone, Copy)]
pub struct Repository<'a> {
    /// Its name, as `migrate_version` has it; absent where that is not known.
    pub name: Option<&'a str>,
    /// The directory of its scripts, as it is shown.
    pub directory: &'a str,
    /// Its branch; absent where the schema has none.
    pub branch: Option<Branch>,
    /// The scripts, by their names.
    pub scripts: &'a BTreeMap<String, String>,
}

/// Where a database stands in a repository, and which of it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stands<'a> {
    /// Its number.
    pub(super) at: u32,
    /// The release that leaves it there.
    pub(super) series: &'a str,
    /// What that release has of the repository, where it was read.
    pub(super) known: Option<Repository<'a>>,
}

impl<'a> Repository<'a> {
    /// All of its scripts, by number; the first says what it takes the place of.
    pub fn all(&self, schema: &str) -> Vec<Script> {
        let (scripts, misread) = numbered(self.scripts.keys());
        let mut made: Vec<Script> = scripts.iter().map(|one| self.script(schema, one, self.does(one))).collect();
        if let (Some(first), Some(script)) = (scripts.first().filter(|one| one.number > 1), made.first_mut()) {
            let what = format!(
                "takes the place of all scripts before it: a database at a number below {} cannot go on from here",
                first.number
            );
            script.remarks.push(Remark { rule: HISTORY_EDITED, severity: Severity::Information, what });
        }
        made.extend(misread.iter().map(|one| self.misread(schema, one)));
        made
    }

    /// What a database runs that stands there: with remarks upon what it went through, or cannot go through.
    pub(super) fn from(&self, schema: &str, stands: Stands<'a>) -> Vec<Script> {
        let (scripts, misread) = numbered(self.scripts.keys());
        let (before, misread_before) = stands.known.map(|known| numbered(known.scripts.keys())).unwrap_or_default();
        let mut made = Vec::new();
        let first = scripts.first().map_or(0, |one| one.number);
        if let Some(one) = scripts.first().filter(|one| stands.at > 0 && one.number > 1)
            && let Some(remark) = self.shortened(one, &before, stands)
        {
            made.push(Script { remarks: vec![remark], ..self.script(schema, one, Vec::new()) });
        }
        for one in &scripts {
            // On a database that has something the first script of a shortened repository cannot run.
            let makes_all = one.number == first && first > 1 && stands.at > 0;
            if one.number > stands.at && !makes_all {
                made.push(self.script(schema, one, self.does(one)));
            } else if one.number <= stands.at && !makes_all {
                made.extend(self.edited(schema, one, &before, stands));
            }
        }
        let new = misread.iter().filter(|one| !misread_before.contains(one));
        made.extend(new.map(|one| self.misread(schema, one)));
        made
    }

    /// What is said of a repository that begins with a later script than it did.
    fn shortened(&self, first: &Numbered, before: &[Numbered], stands: Stands<'_>) -> Option<Remark> {
        let name = self.name.unwrap_or("number");
        let (number, at, series) = (first.number, stands.at, stands.series);
        if at < number {
            let what = format!(
                "takes the place of all scripts before it, and {series} leaves databases at {name} {at}: from there they \
                 cannot go on"
            );
            return Some(Remark { rule: HISTORY_EDITED, severity: Severity::Error, what });
        }
        let gone = before.iter().filter(|one| one.number < number).count();
        let what = format!(
            "takes the place of all scripts before it, {gone} of which {series} has: a database below {name} {number} \
             cannot go on from here"
        );
        (gone > 0).then_some(Remark { rule: HISTORY_EDITED, severity: Severity::Information, what })
    }

    /// The script, if the release before had another one of its number.
    fn edited(&self, schema: &str, one: &Numbered, before: &[Numbered], stands: Stands<'_>) -> Option<Script> {
        let same = |other: &&Numbered| {
            other.number == one.number
                && matches!(
                    (&other.language, &one.language),
                    (Language::Python { .. }, Language::Python { .. }) | (Language::Sql { .. }, Language::Sql { .. })
                )
        };
        let old = stands.known?.scripts.get(&before.iter().find(same)?.file)?;
        let new = self.scripts.get(&one.file)?;
        if old == new || matches!(one.language, Language::Python { .. }) && shape(old) == shape(new) {
            return None;
        }
        let what = format!(
            "is another script than in {}: databases that went through it have what it did then",
            stands.series
        );
        let remark = Remark { rule: HISTORY_EDITED, severity: Severity::Information, what };
        Some(Script { remarks: vec![remark], ..self.script(schema, one, Vec::new()) })
    }

    /// What a script does, on the engines on which it is run.
    fn does(&self, one: &Numbered) -> Vec<Operation> {
        let Some(text) = self.scripts.get(&one.file) else { return Vec::new() };
        let named = |name: &String| Engines::named(name);
        match &one.language {
            Language::Sql { on } => read_sql(text, on.as_ref().map_or(Engines::ALL, named)),
            Language::Python { not_on } => {
                let others = not_on.iter().map(named).fold(Engines::NONE, Engines::or).others();
                let here = |mut operation: Operation| {
                    operation.engines = operation.engines.and(others);
                    (!operation.engines.is_empty()).then_some(operation)
                };
                read(text).into_iter().filter_map(here).collect()
            }
        }
    }

    fn script(&self, schema: &str, one: &Numbered, operations: Vec<Operation>) -> Script {
        let name = self.name.map(|name| format!("{name} ")).unwrap_or_default();
        Script { revision: Some(format!("{name}{}", one.number)), operations, ..self.file(schema, &one.file) }
    }

    fn misread(&self, schema: &str, one: &Misread) -> Script {
        let what = format!("its place among the scripts is not known: {}", one.why);
        let remarks = vec![Remark { rule: NOT_UNDERSTOOD, severity: Severity::Warning, what }];
        Script { remarks, ..self.file(schema, &one.file) }
    }

    /// A file of which nothing is known yet.
    fn file(&self, schema: &str, file: &str) -> Script {
        Script {
            series: None,
            service: None,
            schema: schema.to_owned(),
            file: format!("{}/{file}", self.directory),
            text: self.scripts.get(file).cloned().unwrap_or_default(),
            revision: None,
            branch: self.branch,
            operations: Vec::new(),
            remarks: Vec::new(),
            models: None,
            transactions: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts = BTreeMap<String, String>;

    fn texts(scripts: &[(&str, &str)]) -> Texts {
        let text = |body: &str| format!("def upgrade(migrate_engine):\n    migrate_engine.execute({body:?})\n");
        scripts.iter().map(|(file, body)| ((*file).to_owned(), text(body))).collect()
    }

    fn repository(scripts: &Texts) -> Repository<'_> {
        Repository { name: Some("nova"), directory: "versions", branch: None, scripts }
    }

    /// A line for each script: revision, tables with engines, remarks.
    fn told(scripts: Vec<Script>) -> Vec<String> {
        let line = |script: Script| {
            let done = script.operations.iter().map(|one| match one.engines {
                Engines::ALL => one.table.clone().unwrap_or_default(),
                engines => format!("{} on {}", one.table.clone().unwrap_or_default(), engines.words()),
            });
            let done = done.collect::<Vec<_>>().join(" ");
            let said =
                script.remarks.iter().map(|one| format!(" {} {} {}", one.severity.word(), one.rule.id, one.what));
            format!("{}: {done}{}", script.revision.unwrap_or(script.file), said.collect::<String>())
        };
        scripts.into_iter().map(line).collect()
    }

    #[test]
    fn sql_takes_the_place_of_python_on_its_engine() {
        let mut scripts = texts(&[("009_a.py", "DROP TABLE a")]);
        scripts.insert("009_sqlite_upgrade.sql".into(), "DROP TABLE b;\n-- DROP TABLE c\n".into());
        scripts.insert("009_b.py".into(), String::new());
        assert_eq!(
            told(repository(&scripts).all("nova")),
            [
                "nova 9: a on mysql, postgresql information LF-S06 takes the place of all scripts before it: a database at a \
                 number below 9 cannot go on from here",
                "nova 9: b on sqlite",
                "versions/009_b.py:  warning LF-S04 its place among the scripts is not known: the number 9 is that of \
                 009_a.py as well",
            ]
        );
    }

    #[test]
    fn a_database_runs_what_comes_after_its_number_and_what_it_went_through_is_compared() {
        let old = texts(&[("001_a.py", "DROP TABLE a"), ("002_b.py", "DROP TABLE b")]);
        let new = texts(&[("001_z.py", "DROP TABLE a"), ("002_b.py", "DROP TABLE y"), ("003_c.py", "DROP TABLE c")]);
        let stands = Stands { at: 2, series: "train", known: Some(repository(&old)) };
        assert_eq!(
            told(repository(&new).from("nova", stands)),
            [
                "nova 2:  information LF-S06 is another script than in train: databases that went through it have what it \
                 did then",
                "nova 3: c",
            ]
        );
        let fresh = Stands { at: 0, series: "train", known: None };
        assert_eq!(told(repository(&new).from("nova", fresh)), ["nova 1: a", "nova 2: y", "nova 3: c"]);
    }

    #[test]
    fn a_repository_that_was_shortened_is_no_way_for_a_database_below_its_first_script() {
        let old = texts(&[("401_a.py", "DROP TABLE a"), ("402_b.py", "DROP TABLE b")]);
        let new = texts(&[("402_train.py", "CREATE TABLE a (x INT)"), ("403_c.py", "DROP TABLE c")]);
        let from =
            |at| told(repository(&new).from("nova", Stands { at, series: "train", known: Some(repository(&old)) }));
        assert_eq!(
            from(402),
            [
                "nova 402:  information LF-S06 takes the place of all scripts before it, 1 of which train has: a database \
                 below nova 402 cannot go on from here",
                "nova 403: c",
            ]
        );
        assert_eq!(
            from(391),
            [
                "nova 402:  error LF-S06 takes the place of all scripts before it, and train leaves databases at nova 391: \
                 from there they cannot go on",
                "nova 403: c",
            ]
        );
        let again = Stands { at: 402, series: "train", known: Some(repository(&new)) };
        assert_eq!(told(repository(&new).from("nova", again)), ["nova 403: c"], "it was told at the release before");
    }
}
