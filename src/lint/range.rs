//! The scripts of a schema over a range of releases: what a leap runs, and where the releases tell another history.
//!
//! Each release's own scripts count: what was released is edited and deleted later, so the last release's tree does not
//! say what a database went through. What is pending in a release is what its heads need and nothing before it applied.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::numbered::{Repository, Stands};
use super::read::{Models, Transactions, read, shape};
use super::rules::{HISTORY_EDITED, NOT_UNDERSTOOD, Severity, UNREACHABLE};
use super::script::{Before, Remark, Script, Versions};
use crate::migrations::Tree;
use crate::model::{Heads, Series, Service};

/// What a release holds of a schema.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// The release.
    pub series: &'a Series,
    /// Where databases stand after it.
    pub heads: &'a Heads,
    /// The directory of the scripts, relative to where modules are looked for.
    pub directory: &'a str,
    /// The scripts, by their path below it; none where the release has none that are read.
    pub scripts: &'a BTreeMap<String, String>,
    /// The tree that they make; absent where they make none.
    pub tree: Option<&'a Tree>,
    /// Other modules whose constants the scripts may name, by their path.
    pub constants: &'a BTreeMap<String, String>,
    /// In how many transactions alembic runs the scripts; absent where the release has none that are read.
    pub transactions: Option<Transactions>,
    /// What the release's code maps; empty where that was not read.
    pub models: &'a Models,
    /// Its repositories from before alembic, in the order in which they are run.
    pub repositories: Vec<Repository<'a>>,
}

/// A revision as the releases so far had it.
struct Known<'a> {
    series: &'a Series,
    file: String,
    text: &'a str,
}

/// The scripts that a leap runs through these releases, the first of which is where it starts; with those that are to be
/// remarked upon though it runs them not.
pub fn range(service: &Service, schema: &str, releases: &[Held<'_>]) -> Vec<Script> {
    let mut range = Range { service, schema, scripts: Vec::new(), known: BTreeMap::new() };
    let mut applied = BTreeSet::new();
    let mut heads = BTreeSet::new();
    let mut before: Option<Rc<Before>> = None;
    for (number, held) in releases.iter().enumerate() {
        if let Some(before) = number.checked_sub(1).map(|before| &releases[before]) {
            range.numbered(held, before);
        }
        if held.scripts.is_empty() {
            continue;
        }
        let Some(tree) = held.tree else {
            range.misread(held, number > 0);
            continue;
        };
        // Databases from before alembic are marked as standing at the first revision, which makes what they hold.
        if number > 0 && applied.is_empty() && releases[..number].iter().any(|before| !before.heads.migrate.is_empty())
        {
            applied = tree.roots();
        }
        range.compare(held, tree, &applied, &heads);
        let target = target(held, tree);
        for revision in tree.revisions() {
            let Some(text) = held.scripts.get(&revision.file) else { continue };
            let new = !range.known.contains_key(&revision.id);
            if number > 0 && !applied.contains(&revision.id) && target.contains(&revision.id) {
                let script = range.script(held, &revision.file, Some(&revision.id), read(text));
                let models = before.clone();
                range.scripts.push(Script { branch: tree.branch(&revision.id), models, ..script });
            } else if new && !target.contains(&revision.id) {
                let script = range.script(held, &revision.file, Some(&revision.id), Vec::new());
                let what =
                    format!("is among the scripts of {}, and none of that release's heads needs it", held.series);
                let remarks = vec![Remark { rule: UNREACHABLE, severity: Severity::Warning, what }];
                range.scripts.push(Script { branch: tree.branch(&revision.id), remarks, ..script });
            }
            let known = Known { series: held.series, file: revision.file.clone(), text };
            range.known.insert(revision.id.clone(), known);
        }
        applied.extend(target);
        heads = tree.maximal(&applied);
        before = (!held.models.is_empty())
            .then(|| Rc::new(Before { series: held.series.clone(), models: held.models.clone() }));
    }
    range.scripts
}

/// The revisions that a database has after a release: what its heads need; everything where the release file says other
/// heads than the scripts have.
fn target(held: &Held<'_>, tree: &Tree) -> BTreeSet<String> {
    let heads = &held.heads.alembic;
    if heads.is_empty() || !tree.unknown(heads).is_empty() {
        return tree.revisions().map(|revision| revision.id.clone()).collect();
    }
    tree.applied(heads)
}

struct Range<'a> {
    service: &'a Service,
    schema: &'a str,
    scripts: Vec<Script>,
    known: BTreeMap<String, Known<'a>>,
}

impl<'a> Range<'a> {
    fn script(&self, held: &Held<'a>, file: &str, revision: Option<&str>, operations: Vec<super::Operation>) -> Script {
        Script {
            series: Some(held.series.clone()),
            service: Some(self.service.clone()),
            schema: self.schema.to_owned(),
            file: format!("{}/{file}", held.directory),
            text: held.scripts.get(file).cloned().unwrap_or_default(),
            revision: revision.map(str::to_owned),
            branch: None,
            operations,
            remarks: Vec::new(),
            models: None,
            transactions: held.transactions,
        }
    }

    /// Scripts that make no tree: those that no release before had are read, and each that is a reason says so.
    fn misread(&mut self, held: &Held<'a>, runs: bool) {
        let shown = |file: &str| format!("{}/{file}", held.directory);
        let all = Script::all(Versions {
            schema: self.schema,
            directory: held.directory,
            scripts: held.scripts,
            constants: held.constants,
            transactions: held.transactions,
            shown: &shown,
        });
        let known: BTreeSet<String> =
            self.known.values().map(|known| format!("{}/{}", held.directory, known.file)).collect();
        for script in all {
            let new = runs && !known.contains(&script.file);
            if !new && script.remarks.is_empty() {
                continue;
            }
            let operations = if new { script.operations } else { Vec::new() };
            let (series, service) = (Some(held.series.clone()), Some(self.service.clone()));
            self.scripts.push(Script { series, service, operations, ..script });
        }
    }

    /// Scripts from before alembic: repository by repository, from the number that the release before left.
    fn numbered(&mut self, held: &Held<'a>, before: &Held<'a>) {
        if held.heads.migrate.is_empty() {
            return;
        }
        let mut unread = Heads::default();
        let series = before.series.to_string();
        for (name, head) in &held.heads.migrate {
            let read = held.repositories.iter().any(|one| one.name == Some(name) && !one.scripts.is_empty());
            if !read && before.heads.migrate.get(name) != Some(head) {
                unread.migrate.insert(name.clone(), *head);
            }
        }
        for repository in held.repositories.iter().filter(|one| !one.scripts.is_empty()) {
            let Some(name) = repository.name.filter(|name| held.heads.migrate.contains_key(*name)) else { continue };
            let known = before.repositories.iter().find(|one| one.name == Some(name) && !one.scripts.is_empty());
            let at = before.heads.migrate.get(name).copied().unwrap_or_default();
            let run = repository.from(self.schema, Stands { at, series: &series, known: known.copied() });
            let (series, service) = (Some(held.series.clone()), Some(self.service.clone()));
            let here = run.into_iter().map(|one| Script { series: series.clone(), service: service.clone(), ..one });
            self.scripts.extend(here);
        }
        if !unread.is_empty() {
            self.unread(held, &unread);
        }
    }

    /// Scripts from before alembic of which nobody says where they lie.
    fn unread(&mut self, held: &Held<'a>, heads: &Heads) {
        let what = format!(
            "goes to {heads} in {} by scripts of sqlalchemy-migrate, which are not read: what they do is not known",
            held.series
        );
        let remarks = vec![Remark { rule: NOT_UNDERSTOOD, severity: Severity::Warning, what }];
        let script = self.script(held, "", None, Vec::new());
        self.scripts.push(Script { file: format!("{} of {}", self.schema, held.series), remarks, ..script });
    }

    /// Remarks upon revisions that a database went through and that this release has otherwise, or not at all.
    fn compare(&mut self, held: &Held<'a>, tree: &Tree, applied: &BTreeSet<String>, heads: &BTreeSet<String>) {
        let mut remarked = Vec::new();
        // Old scripts go by the dozen: those that nothing needs any more are told of at the first.
        let gone: Vec<&String> = applied
            .iter()
            .filter(|id| self.known.contains_key(*id) && tree.get(id).is_none() && !heads.contains(*id))
            .collect();
        for id in applied.iter().filter(|id| gone.first().is_none_or(|first| *first == *id) || !gone.contains(id)) {
            let Some(before) = self.known.get(id) else { continue };
            let (severity, what, file, text) = match tree.get(id) {
                Some(revision) => {
                    let Some(text) = held.scripts.get(&revision.file) else { continue };
                    if text == before.text || shape(text) == shape(before.text) {
                        continue;
                    }
                    let what = format!(
                        "is another script in {} than in {}: databases that went through it have what it did then",
                        held.series, before.series
                    );
                    (Severity::Information, what, revision.file.clone(), text.as_str())
                }
                None if heads.contains(id) => {
                    let what = format!(
                        "is where databases stand after {}, and {} does not have it: alembic cannot go on from there",
                        before.series, held.series
                    );
                    (Severity::Error, what, before.file.clone(), before.text)
                }
                None => {
                    let others = match gone.len() {
                        1 => String::new(),
                        number => format!(", nor {} others", number - 1),
                    };
                    let what = format!("was in {}, and {} does not have it{others}", before.series, held.series);
                    (Severity::Information, what, before.file.clone(), before.text)
                }
            };
            let script = self.script(held, &file, Some(id), Vec::new());
            let remarks = vec![Remark { rule: HISTORY_EDITED, severity, what }];
            remarked.push(Script { branch: tree.branch(id), text: text.to_owned(), remarks, ..script });
        }
        // What is gone is told once.
        self.known.retain(|id, _| tree.get(id).is_some() || !applied.contains(id));
        self.scripts.extend(remarked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{self, Place};

    type Texts = BTreeMap<String, String>;

    fn script(id: &str, down: &str, body: &str) -> (String, String) {
        let down = if down.is_empty() { "None".to_owned() } else { format!("'{down}'") };
        let text =
            format!("from alembic import op\nrevision = '{id}'\ndown_revision = {down}\ndef upgrade():\n    {body}\n");
        (format!("{id}.py"), text)
    }

    /// What is said of releases: series, heads, scripts. A line for each script: series, revision, operations, remarks.
    fn told(releases: &[(&str, &[&str], Texts)]) -> Vec<String> {
        let none = Texts::new();
        let models = Models::read(["class T(object):\n    __tablename__ = 't'\n    c = Column()\n"]);
        let series: Vec<Series> = releases.iter().map(|(series, ..)| series.parse().expect("a series")).collect();
        let heads: Vec<Heads> = releases
            .iter()
            .map(|(_, heads, _)| match heads {
                [number] if number.parse::<u32>().is_ok() => {
                    let numbers = [("heat".to_owned(), number.parse().expect("a number"))];
                    Heads { migrate: numbers.into(), ..Heads::default() }
                }
                heads => Heads::alembic(heads.iter().copied()),
            })
            .collect();
        let trees: Vec<Option<Tree>> = releases
            .iter()
            .map(|(_, _, scripts)| migrations::read(Place { directory: "v", scripts, constants: &none }).ok())
            .collect();
        let held: Vec<Held<'_>> = releases
            .iter()
            .enumerate()
            .map(|(at, (_, _, scripts))| Held {
                series: &series[at],
                heads: &heads[at],
                directory: "v",
                scripts,
                tree: trees[at].as_ref(),
                constants: &none,
                transactions: None,
                models: &models,
                repositories: Vec::new(),
            })
            .collect();
        let line = |script: Script| {
            let done: Vec<&str> = script.operations.iter().filter_map(|one| one.table.as_deref()).collect();
            let said: Vec<String> = script
                .remarks
                .iter()
                .map(|one| format!("{} {} {}", one.severity.word(), one.rule.id, one.what))
                .collect();
            let series = script.series.map(|series| series.to_string()).unwrap_or_default();
            let mapped = script.models.map(|before| format!(" (before it {})", before.series)).unwrap_or_default();
            format!("{series} {}: {} {}{mapped}", script.revision.unwrap_or_default(), done.join(" "), said.join("; "))
        };
        range(&"nova".parse().expect("a service"), "nova", &held).into_iter().map(line).collect()
    }

    #[test]
    fn each_release_runs_what_its_own_heads_need_and_nothing_before_it_applied() {
        let one: Texts = [script("a", "", "op.create_table('t')")].into();
        let two: Texts = one.clone().into_iter().chain([script("b", "a", "op.drop_table('u')")]).collect();
        let three: Texts = two.clone().into_iter().chain([script("c", "b", "op.drop_table('w')")]).collect();
        let releases = [("2023.1", &["a"][..], one), ("2023.2", &["b"][..], two), ("2024.1", &["c"][..], three)];
        assert_eq!(told(&releases), ["2023.2 b: u  (before it 2023.1)", "2024.1 c: w  (before it 2023.2)"]);
    }

    #[test]
    fn a_database_from_before_alembic_stands_at_the_first_revision() {
        let two: Texts = [script("a", "", "op.create_table('t')"), script("b", "a", "op.drop_table('t')")].into();
        assert_eq!(told(&[("2023.1", &["86"], Texts::new()), ("2023.2", &["b"], two)]), ["2023.2 b: t "]);
    }

    #[test]
    fn scripts_from_before_alembic_are_not_passed_over() {
        let three: Texts = [script("a", "", "op.create_table('t')"), script("b", "a", "op.drop_table('t')")].into();
        let releases =
            [("train", &["80"][..], Texts::new()), ("ussuri", &["86"], Texts::new()), ("2023.2", &["b"], three)];
        assert_eq!(
            told(&releases),
            [
                "ussuri :  warning LF-S04 goes to heat 86 in ussuri by scripts of sqlalchemy-migrate, which are not read: \
                 what they do is not known",
                "2023.2 b: t ",
            ]
        );
    }

    #[test]
    fn histories_that_differ_and_scripts_that_nothing_reaches_are_remarked_upon() {
        let one: Texts = [script("a", "", "op.create_table('t')"), script("b", "a", "op.drop_table('u')")].into();
        let edited: Texts = [
            script("a", "", "op.create_table('t')  # a comment"),
            script("b", "a", "op.drop_table('w')"),
            script("x", "a", "op.drop_table('z')"),
        ]
        .into();
        assert_eq!(
            told(&[("2023.1", &["b"], one.clone()), ("2023.2", &["b"], edited)]),
            [
                "2023.2 b:  information LF-S06 is another script in 2023.2 than in 2023.1: databases that went through it \
                 have what it did then",
                "2023.2 x:  warning LF-S07 is among the scripts of 2023.2, and none of that release's heads needs it",
            ]
        );
        let gone: Texts = [script("a", "", "op.create_table('t')"), script("c", "a", "op.drop_table('y')")].into();
        assert_eq!(
            told(&[("2023.1", &["b"], one), ("2023.2", &["c"], gone.clone()), ("2024.1", &["c"], gone)]),
            [
                "2023.2 b:  error LF-S06 is where databases stand after 2023.1, and 2023.2 does not have it: alembic cannot \
                 go on from there",
                "2023.2 c: y  (before it 2023.1)",
            ]
        );
    }

    #[test]
    fn old_scripts_that_are_gone_together_are_told_of_at_the_first() {
        let scripts =
            [script("a", "", "pass"), script("b", "a", "pass"), script("c", "b", "pass"), script("d", "c", "pass")];
        let one: Texts = scripts.into();
        let squashed: Texts = [script("d", "", "pass"), script("e", "d", "op.drop_table('t')")].into();
        let said = told(&[("2023.1", &["d"], one), ("2023.2", &["e"], squashed)]);
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(said[0], "2023.2 a:  information LF-S06 was in 2023.1, and 2023.2 does not have it, nor 2 others");
        assert!(said[1].starts_with("2023.2 d:  information LF-S06 is another script in 2023.2"), "{said:?}");
    }

    #[test]
    fn a_release_whose_scripts_make_no_tree_is_not_passed_over() {
        let one: Texts = [script("a", "", "op.create_table('t')")].into();
        let two: Texts = one.clone().into_iter().chain([script("b", "zz", "op.drop_table('u')")]).collect();
        let said = told(&[("2023.1", &["a"], one), ("2023.2", &["b"], two)]);
        assert_eq!(
            said,
            [
                "2023.2 : u warning LF-S04 its place among the scripts is not known: b comes after zz, which no script is"
            ]
        );
    }
}
