//! Scripts of sqlalchemy-migrate, from before alembic: `042_add_a_column.py`, and `042_sqlite_upgrade.sql` in its place on
//! an engine.
//!
//! A repository is a directory of them, one after the other by number, without gaps where a database still has to go. Its
//! first script is not always number 1: then it makes everything that those before it made, and a database that is not
//! there yet cannot go on.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Misread;

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number, which `migrate_version` keeps.
    pub number: u32,
    /// Its file, below the directory.
    pub file: String,
    /// In which words it is.
    pub language: Language,
}

/// In which words a script is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Language {
    /// Python: run on each engine that SQL of the same number is not for.
    Python {
        /// As SQLAlchemy calls them.
        not_on: BTreeSet<String>,
    },
    /// SQL.
    Sql {
        /// The engine's name; absent: every engine that has none of its own.
        on: Option<String>,
    },
}

/// The number of a file in a repository; none where it is no script of it (sqlalchemy-migrate 0.13,
/// `migrate/versioning/version.py`, `FILENAME_WITH_VERSION`).
pub fn number(file: &str) -> Option<u32> {
    let digits = file.find(|c: char| !c.is_ascii_digit()).unwrap_or(file.len());
    let script = file.ends_with(".py") || file.ends_with(".sql");
    (digits >= 3 && script && !file.contains('/')).then(|| file[..digits].parse().ok()).flatten()
}

/// The scripts of a repository among these files, by number, with what is not understood of them.
pub fn numbered<'f>(files: impl IntoIterator<Item = &'f String>) -> (Vec<Numbered>, Vec<Misread>) {
    let mut scripts: Vec<Numbered> = Vec::new();
    let mut misread = Vec::new();
    let mut replaced: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let Some(number) = number(file) else { continue };
        let Some(stem) = file.strip_suffix(".sql") else {
            let same = |other: &&Numbered| other.number == number && matches!(other.language, Language::Python { .. });
            match scripts.iter().find(same) {
                Some(other) => {
                    let why = format!("the number {number} is that of {} as well", other.file);
                    misread.push(Misread { file: file.clone(), why });
                }
                None => {
                    let language = Language::Python { not_on: BTreeSet::new() };
                    scripts.push(Numbered { number, file: file.clone(), language });
                }
            }
            continue;
        };
        let mut parts = stem.rsplit('_');
        match (parts.next(), parts.next()) {
            (Some("downgrade"), _) => {}
            (Some("upgrade"), Some(engine)) => {
                let on = (engine != "default").then(|| engine.to_owned());
                replaced.entry(number).or_default().extend(on.clone());
                scripts.push(Numbered { number, file: file.clone(), language: Language::Sql { on } });
            }
            _ => {
                let why = "its name does not say on which engine it is run".to_owned();
                misread.push(Misread { file: file.clone(), why });
            }
        }
    }
    for script in &mut scripts {
        if let Language::Python { not_on } = &mut script.language {
            *not_on = replaced.remove(&script.number).unwrap_or_default();
        }
    }
    scripts.sort_by_key(|script| script.number);
    (scripts, misread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_come_by_number_and_sql_takes_the_place_of_python_on_its_engine() {
        let files = [
            "010_b.py",
            "009_a.py",
            "009_sqlite_upgrade.sql",
            "009_sqlite_downgrade.sql",
            "1000_c.py",
            "__init__.py",
            "12_no.py",
            "old/011_d.py",
            "013_e.txt",
        ];
        let files = files.map(str::to_owned);
        let (scripts, misread) = numbered(&files);
        assert_eq!(misread, []);
        let told: Vec<_> = scripts.iter().map(|one| (one.number, &one.file[..], &one.language)).collect();
        let python = |engines: &[&str]| Language::Python { not_on: engines.iter().map(|one| (*one).into()).collect() };
        assert_eq!(
            told,
            [
                (9, "009_a.py", &python(&["sqlite"])),
                (9, "009_sqlite_upgrade.sql", &Language::Sql { on: Some("sqlite".into()) }),
                (10, "010_b.py", &python(&[])),
                (1000, "1000_c.py", &python(&[])),
            ]
        );
    }

    #[test]
    fn a_number_that_is_there_twice_and_sql_for_nobody_are_named() {
        let files = ["009_a.py", "009_b.py", "010_x.sql", "99999999999999999999_y.py"].map(str::to_owned);
        let (scripts, misread) = numbered(&files);
        assert_eq!(scripts.len(), 1);
        let told: Vec<_> = misread.iter().map(|one| &one.file[..]).collect();
        assert_eq!(told, ["009_b.py", "010_x.sql"]);
    }
}
