//! What must be so before a leap's migrations are run: which preconditions of the playbooks come to bear on its way,
//! what to ask of which database, and what the answers mean.
//!
//! Pure: [`questions`] says what to ask, whoever can asks, and [`Question::judge`] says what it means. Nothing counts as
//! good that was not seen: what cannot be asked yet, because its table or column comes with a release on the way, is
//! said to be asked later.

use std::collections::BTreeMap;

use serde::Serialize;

use super::build::Brief;
use super::path;
use super::refusal::{Refusal, RefusalKind};
use crate::catalog::{Playbook, Precondition, Release, Severity};
use crate::model::{DatabaseId, Engine, Series, Unreachable};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// In order, or put in order by the leap itself.
    Ok,
    /// It cannot be asked yet.
    Later,
    /// A leap goes on; somebody should know.
    Warning,
    /// A leap would fail, or would be refused.
    Failure,
}

/// Rows as they were shown: columns as text, absent where the database holds NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// What was asked before a leap, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Checked {
    /// How it stands.
    pub state: Condition,
    /// The check's name: a playbook's precondition, or `engine`, `character-set`, `triggers`, `rights`, `restore-points`
    /// and other built-in ones.
    pub check: String,
    /// The database it is about, or a few words where it is about more.
    pub about: String,
    /// The release whose migrations it matters to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Series>,
    /// What was found.
    pub what: String,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// How many rows were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The query that shows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<String>,
    /// Some of them, 20 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Rows,
    /// What happens if nothing is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
    /// What mends it; absent where nothing has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where this is known from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A question to one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which database.
    pub database: DatabaseId,
    /// The release whose migrations need a good answer.
    pub before: Series,
    /// The stop that the leap is at then.
    at: Series,
    /// The step that sees to it, and where the leap takes it.
    moved: Option<String>,
    precondition: Precondition,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// So many rows, and some of them.
    Rows(u64, Rows),
    /// A table or column of the query is not there: what the server said.
    Absent(String),
    /// It could not be asked.
    Unread(Unreachable),
}

/// What to ask before a leap from `from`: one question for each precondition that matters on its way, and each of its
/// databases.
pub fn questions(brief: &Brief<'_>, from: &Series) -> Vec<Question> {
    let services: Vec<_> = brief.playbooks.iter().map(|playbook| &playbook.service).collect();
    let stops = path::path(&brief.releases, &services, from, &brief.to, brief.stops).releases;
    let way = entered(brief, from);
    let mut playbooks = brief.playbooks.clone();
    playbooks.sort_by(|one, two| one.service.cmp(&two.service));
    let mut questions = Vec::new();
    for playbook in playbooks {
        for one in &playbook.preconditions {
            let Some(release) = way.iter().find(|release| one.series.contains(&release.series)) else { continue };
            let at = stops.iter().rev().find(|stop| stop.series < release.series);
            for (id, url) in brief.databases.iter().filter(|(id, _)| id.service == playbook.service) {
                if one.databases.contains(&id.slot) && one.applies(url.engine()) {
                    questions.push(Question {
                        database: id.clone(),
                        before: release.series.clone(),
                        at: at.map_or_else(|| from.clone(), |stop| stop.series.clone()),
                        moved: moved(playbook, one, &stops, release, url.engine()),
                        precondition: one.clone(),
                    });
                }
            }
        }
    }
    questions.sort_by(|one, two| (&one.before, &one.database).cmp(&(&two.before, &two.database)));
    questions
}

/// The releases whose migrations a leap from `from` runs, those that it passes over included, oldest first.
fn entered<'b>(brief: &'b Brief<'_>, from: &Series) -> Vec<&'b Release> {
    let on_the_way = |release: &&Release| *from < release.series && release.series <= brief.to;
    let mut way: Vec<&Release> = brief.releases.iter().copied().filter(on_the_way).collect();
    way.sort_by(|one, two| one.series.cmp(&two.series));
    way
}

/// The first stop before `release` at which the leap takes the step that moves the rows: what is there now is moved then.
fn moved(
    playbook: &Playbook,
    one: &Precondition,
    stops: &[&Release],
    release: &Release,
    engine: Engine,
) -> Option<String> {
    let by = one.moved_by.as_ref()?;
    let taken = |stop: &&&Release| {
        stop.series < release.series
            && by.series.contains(&stop.series)
            && playbook.steps(&stop.series, engine).any(|step| *step.name() == by.step)
    };
    let stop = stops.iter().find(taken)?;
    Some(format!("{}/{}/{}", stop.series, playbook.service, by.step))
}

/// Steps that create triggers on the way, by database: the release, the step, and which triggers.
pub fn triggers(brief: &Brief<'_>, from: &Series) -> BTreeMap<DatabaseId, Vec<(Series, String, String)>> {
    let mut found: BTreeMap<DatabaseId, Vec<(Series, String, String)>> = BTreeMap::new();
    for (id, url) in brief.databases.iter().filter(|(_, url)| url.engine() == Engine::Mysql) {
        let Some(playbook) = brief.playbooks.iter().find(|playbook| playbook.service == id.service) else { continue };
        for release in entered(brief, from) {
            for (step, made) in
                playbook.triggers(&release.series, url.engine(), brief.part.takes(&release.series, &brief.to))
            {
                let step = format!("{}/{}/{step}", release.series, id.service);
                found.entry(id.clone()).or_default().push((release.series.clone(), step, made.what.trim().to_owned()));
            }
        }
    }
    found
}

impl Question {
    /// The query that counts.
    pub fn counts(&self) -> String {
        self.precondition.counts()
    }

    /// The query that shows rows.
    pub fn shows(&self) -> String {
        self.precondition.shows()
    }

    /// Whether a leap cannot succeed with a bad answer, as far as is known now.
    pub fn refuses(&self) -> bool {
        self.precondition.severity == Severity::Refuses && self.moved.is_none()
    }

    /// What an answer means.
    pub fn judge(&self, answer: Answer) -> Checked {
        let one = &self.precondition;
        let what = one.what.trim();
        let mut checked = Checked {
            state: Condition::Ok,
            check: one.name.to_string(),
            about: self.database.to_string(),
            before: Some(self.before.clone()),
            what: format!("no {what}"),
            query: Some(self.counts()),
            rows: None,
            show: None,
            shown: Vec::new(),
            means: None,
            next: None,
            source: Some(one.source.trim().to_owned()),
        };
        match answer {
            Answer::Rows(0, _) => checked.rows = Some(0),
            Answer::Rows(rows, shown) => {
                (checked.rows, checked.shown, checked.show) = (Some(rows), shown, Some(self.shows()));
                checked.what = format!("{rows} {what}");
                match &self.moved {
                    Some(step) => checked.what.push_str(&format!("; {step} moves them before {}", self.before)),
                    None => {
                        checked.state = match one.severity {
                            Severity::Refuses => Condition::Failure,
                            Severity::Warns => Condition::Warning,
                        };
                        checked.means = Some(one.means.trim().to_owned());
                        checked.next = Some(one.mend.trim().to_owned());
                    }
                }
            }
            Answer::Absent(said) => {
                checked.state = Condition::Later;
                checked.what = format!("not applicable yet ({said}): whether there are {what} shows at {}", self.at);
                checked.next = Some(match &self.moved {
                    Some(step) => format!("nothing: {step} sees to it before {}", self.before),
                    None => format!(
                        "ask again when the databases stand at {}, before {}: a release on the way brings the table, or \
                         none of these databases ever has it",
                        self.at, self.before
                    ),
                });
            }
            Answer::Unread(Unreachable { reason, advice }) => {
                checked.state = Condition::Failure;
                checked.what = format!("could not be asked: {reason}");
                checked.next = Some(advice);
            }
        }
        checked
    }

    /// The reason not to begin that so many rows are; `options` is how a command line continues that means the same
    /// leap.
    pub fn refusal(&self, rows: u64, options: &str) -> Refusal {
        let one = &self.precondition;
        Refusal {
            kind: RefusalKind::Precondition,
            database: Some(self.database.clone()),
            what: format!("{} cannot migrate database {}: {}", self.before, self.database, one.means.trim()),
            found: Some(format!("{rows} {} ({})", one.what.trim(), one.name)),
            expected: Some("none".to_owned()),
            next: format!("{} `leapfrog check{options}` shows them, and whatever else is in the way", ended(&one.mend)),
        }
    }
}

/// A text that ends as a sentence does.
fn ended(text: &str) -> String {
    let text = text.trim();
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}
