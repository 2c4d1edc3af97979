//! Versions that services recorded of themselves: what to ask of which database, and which of them the release at the end
//! of a leap does not accept.
//!
//! Nothing here makes a leap fail. The databases are right; the services are an operator's work, before they start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::build::{Brief, databases_in};
use super::document::{Action, Hop};
use super::preconditions::{Checked, Condition};
use crate::catalog::{OldestAccepted, Playbook, Release, numbers};
use crate::model::{ConnectionUrl, DatabaseId, OldServices, RecordedService, Series, Unreachable};

/// How many services are kept of those that are too old.
const KEPT: usize = 20;

/// A question to one database: which services recorded a version that the release does not accept?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VersionQuestion {
    /// The database.
    pub database: DatabaseId,
    /// The release.
    pub release: Series,
    /// The question's name in the playbook.
    pub name: String,
    /// What the services are, as it follows a number.
    pub what: String,
    /// Reads program, host, version, last report and state.
    pub query: String,
    /// The oldest version that the release accepts.
    pub oldest: OldestAccepted,
    /// The release that a version is known by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// What happens while there are older ones.
    pub means: String,
    /// What can be done about it.
    pub mends: Vec<String>,
    /// Where this is known from.
    pub source: String,
}

/// What to ask once a service's databases stand at `release`.
pub(super) fn questions(brief: &Brief<'_>, playbook: &Playbook, release: &Release) -> Vec<VersionQuestion> {
    let mut questions = Vec::new();
    for one in &playbook.recorded_versions {
        let Some(oldest) = one.oldest(&release.series) else { continue };
        for database in one.databases.iter().flat_map(|slot| databases_in(brief, &playbook.service, slot)) {
            questions.push(VersionQuestion {
                database: database.clone(),
                release: release.series.clone(),
                name: one.name.to_string(),
                what: one.what.trim().to_owned(),
                query: one.query.trim().to_owned(),
                oldest: oldest.clone(),
                names: one.names.clone(),
                means: one.means.trim().to_owned(),
                mends: one.mends(&release.series),
                source: one.source.trim().to_owned(),
            });
        }
    }
    questions
}

/// Has the services asked about at the end of a leap's last hop.
pub(super) fn ask_at_the_end(brief: &Brief<'_>, hops: &mut [Hop]) {
    let Some(hop) = hops.last_mut() else { return };
    let Some(release) = brief.releases.iter().find(|release| release.series == hop.series) else { return };
    for lane in &mut hop.lanes {
        let Some(playbook) = brief.playbooks.iter().find(|playbook| playbook.service == lane.service) else { continue };
        for step in &mut lane.steps {
            if let Action::Verify(verification) = &mut step.action {
                verification.services = questions(brief, playbook, release);
            }
        }
    }
}

/// What to ask before a leap, each with the step of the leap that writes new versions by itself.
pub fn before(brief: &Brief<'_>) -> Vec<(VersionQuestion, Option<String>)> {
    let Some(release) = brief.releases.iter().find(|release| release.series == brief.to) else { return Vec::new() };
    let mut asked = Vec::new();
    for playbook in &brief.playbooks {
        for question in questions(brief, playbook, release) {
            let one = playbook.recorded_versions.iter().find(|one| one.name.as_str() == question.name);
            let moved = one.and_then(|one| one.moved_by.as_ref()).filter(|moved| {
                let engine = brief.databases.get(&question.database).map(ConnectionUrl::engine);
                moved.series.contains(&release.series)
                    && engine.is_some_and(|engine| {
                        playbook.steps(&release.series, engine).any(|step| *step.name() == moved.step)
                    })
            });
            let moved = moved.map(|moved| format!("{}/{}/{}", release.series, playbook.service, moved.step));
            asked.push((question, moved));
        }
    }
    asked.sort_by(|one, two| (&one.0.database, &one.0.name).cmp(&(&two.0.database, &two.0.name)));
    asked
}

impl VersionQuestion {
    /// The services that are too old; absent: there are none.
    pub fn judge(&self, services: Vec<RecordedService>) -> Option<OldServices> {
        let mut old: Vec<RecordedService> =
            services.into_iter().filter(|service| self.oldest.refuses(service.version.as_deref())).collect();
        if old.is_empty() {
            return None;
        }
        old.sort_by_cached_key(|one| {
            (one.version.as_deref().and_then(numbers), one.host.clone(), one.program.clone(), one.version.clone())
        });
        let count = old.len() as u64;
        old.truncate(KEPT);
        for service in &mut old {
            service.named = service.version.as_ref().and_then(|version| self.names.get(version)).cloned();
        }
        Some(OldServices {
            database: self.database.clone(),
            question: self.name.clone(),
            what: self.what.clone(),
            release: self.release.clone(),
            oldest: self.oldest.version.clone(),
            named: self.oldest.named.clone(),
            count,
            services: old,
            means: self.means.clone(),
            mends: self.mends.clone(),
            source: self.source.clone(),
        })
    }

    /// What the answer means before a leap; `moved` is the step that writes new versions by itself.
    pub fn checked(&self, moved: Option<&str>, answer: Result<Vec<RecordedService>, Unreachable>) -> Checked {
        let mut checked = Checked {
            state: Condition::Ok,
            check: self.name.clone(),
            about: self.database.to_string(),
            before: Some(self.release.clone()),
            what: format!("no {} older than it accepts ({})", self.what, self.oldest.version),
            query: Some(self.query.clone()),
            rows: None,
            show: None,
            shown: Vec::new(),
            means: None,
            next: None,
            source: Some(self.source.clone()),
        };
        match answer.map(|services| self.judge(services)) {
            Ok(None) => checked.rows = Some(0),
            Ok(Some(old)) => {
                checked.rows = Some(old.count);
                checked.what = old.told();
                match moved {
                    Some(step) => checked.what.push_str(&format!("; {step} writes new ones")),
                    None => {
                        checked.state = Condition::Warning;
                        checked.means = Some(old.means);
                        checked.next = Some(old.mends.join(" "));
                    }
                }
            }
            Err(Unreachable { reason, advice }) => {
                checked.state = Condition::Warning;
                checked.what = format!("the versions of {} could not be read: {reason}", self.what);
                checked.next = Some(advice);
            }
        }
        checked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn question(service: &str, name: &str, series: &str) -> Option<VersionQuestion> {
        let catalog = Catalog::embedded().expect("a catalogue");
        let series: Series = series.parse().expect("a series");
        let playbook = catalog.playbook(&service.parse().expect("a service")).expect("a playbook");
        let one = playbook.recorded_versions.iter().find(|one| one.name.as_str() == name).expect("a question");
        Some(VersionQuestion {
            database: service.parse().expect("a database"),
            release: series.clone(),
            name: name.into(),
            what: one.what.clone(),
            query: one.query.clone(),
            oldest: one.oldest(&series)?.clone(),
            names: one.names.clone(),
            means: one.means.clone(),
            mends: one.mends(&series),
            source: one.source.clone(),
        })
    }

    fn service(host: &str, version: Option<&str>) -> RecordedService {
        RecordedService {
            program: "nova-compute".into(),
            host: host.into(),
            version: version.map(str::to_owned),
            named: None,
            seen: None,
            state: None,
        }
    }

    #[test]
    fn computes_of_yoga_are_accepted_by_2023_1_and_not_by_2024_1() {
        let yoga = || vec![service("cmp2", Some("66")), service("cmp1", Some("61"))];
        let ask = |series: &str| question("nova", "compute-versions", series);
        assert_eq!(ask("2023.1").expect("asked").judge(yoga()), None);
        let old = ask("2024.1").expect("asked").judge(yoga()).expect("too old");
        assert_eq!((old.count, old.services[0].host.as_str()), (1, "cmp1"));
        assert_eq!(old.services[0].named.as_deref(), Some("yoga"));
        assert!(old.mends.iter().any(|mend| mend.contains("disable_compute_service_check_for_ffu")), "{:?}", old.mends);
        // 2023.1 and 2024.1 have the same number.
        assert_eq!(ask("2025.1").expect("asked").judge(vec![service("cmp1", Some("66"))]), None);
        assert!(ask("2025.2").expect("asked").judge(vec![service("cmp1", Some("66"))]).is_some());
        assert!(ask("victoria").is_none(), "it only warned");
    }

    #[test]
    fn the_oldest_come_first_and_those_without_a_version_before_them() {
        let question = question("cinder", "object-versions", "2024.1").expect("asked");
        let found = vec![service("c", Some("1.9")), service("b", Some("1.37")), service("a", None)];
        let old = question.judge(found.into_iter().chain([service("d", Some("1.38"))]).collect()).expect("old");
        let hosts: Vec<&str> = old.services.iter().map(|one| one.host.as_str()).collect();
        assert_eq!(hosts, ["a", "c", "b"]);
        let many = (0..500).map(|number| service(&number.to_string(), None)).collect();
        let old = question.judge(many).expect("old");
        assert_eq!((old.count, old.services.len()), (500, KEPT));
    }

    #[test]
    fn before_a_leap_it_is_a_warning_unless_a_step_of_it_writes_new_versions() {
        let question = question("cinder", "object-versions", "2024.1").expect("asked");
        let old = || Ok(vec![service("vol1", Some("1.37"))]);
        let alone = question.checked(None, old());
        assert_eq!((alone.state, alone.rows), (Condition::Warning, Some(1)));
        assert!(alone.next.is_some_and(|next| next.contains("--bump-versions")));
        let moved = question.checked(Some("2024.1/cinder/db-sync"), old());
        assert_eq!((moved.state, moved.next), (Condition::Ok, None));
        assert!(moved.what.contains("2024.1/cinder/db-sync writes new ones"), "{}", moved.what);
        let away = question.checked(None, Err(Unreachable { reason: "it is away".into(), advice: "wait".into() }));
        assert_eq!((away.state, away.next.as_deref()), (Condition::Warning, Some("wait")));
    }
}
