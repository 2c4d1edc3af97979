//! From what was seen to claims.

use super::leftover::Triggers;
use super::{Answer, CheckAnswer, Claim, ClaimKind, Counts, Inquiry, Proof};
use crate::model::{CheckResult, DatabaseId, Heads, OldServices, Series};
use crate::plan::detect::{Verdict, interval};
use crate::plan::document::{Action, DataMigration, Touching};

impl Inquiry {
    /// What was seen, judged: heads and stored URLs as they were observed, rows as `counts` has them, the
    /// release's own checks as far as they were asked.
    /// `services` are those that the release does not accept.
    pub fn conclude(
        &self,
        counts: &Counts,
        triggers: &Triggers,
        checks: &[CheckAnswer],
        services: Vec<OldServices>,
    ) -> Proof {
        let mut claims = Vec::new();
        for lane in &self.lanes {
            for (id, target) in lane
                .steps
                .iter()
                .filter_map(|step| match &step.action {
                    Action::Verify(verification) => Some(&verification.heads),
                    _ => None,
                })
                .flatten()
            {
                claims.push(self.heads(id, target));
            }
            claims.extend(self.stored(&lane.service));
            claims.extend(self.leftovers(&lane.service, triggers));
            for step in &lane.steps {
                match &step.action {
                    Action::Drain(migration) => self.rows(migration, counts, &mut claims),
                    Action::Trip(touching) => self.touched(touching, counts, &mut claims),
                    _ => {}
                }
            }
            for check in checks.iter().filter(|check| check.service == lane.service) {
                self.check(check, &mut claims);
            }
        }
        Proof {
            format: Proof::FORMAT,
            cloud: self.cloud.clone(),
            at: self.at.clone(),
            answer: claims.iter().map(|claim| claim.answer).max().unwrap_or(Answer::Unknown),
            claims,
            services,
        }
    }

    fn heads(&self, id: &DatabaseId, target: &Heads) -> Claim {
        let at = &self.at;
        let options = &self.options;
        let detected = self.detection.databases.get(id);
        let mut claim = Claim {
            service: id.service.clone(),
            database: Some(id.clone()),
            kind: ClaimKind::Heads,
            what: format!("at {target}"),
            answer: Answer::No,
            found: detected.and_then(|detected| detected.found.as_ref()).map(Heads::to_string),
            expected: Some(target.to_string()),
            next: Some(format!("`leapfrog detect{options}` tells more")),
        };
        match detected.map(|detected| &detected.verdict) {
            Some(Verdict::At { series }) if series.contains(at) => {
                return Claim { answer: Answer::Yes, expected: None, next: None, ..claim };
            }
            Some(Verdict::At { series }) => {
                claim.what = format!("stands at {}, not at {at}", interval(series, &self.known));
                if series.last().is_some_and(|last: &Series| last < at) {
                    claim.next = Some(format!("to bring it there: `leapfrog --from auto --to {at}{options}`"));
                }
            }
            Some(Verdict::Unreachable(unreachable)) => {
                claim.answer = Answer::Unknown;
                claim.what = "cannot be read".to_owned();
                claim.found = Some(unreachable.reason.clone());
                claim.next = Some(unreachable.advice.clone());
            }
            Some(Verdict::Partial { .. }) => {
                claim.what = "stands between releases: a migration was begun and not finished".to_owned();
            }
            Some(Verdict::Stamped { .. }) => {
                claim.what = "was stamped and not migrated: its older numbers show it".to_owned();
            }
            Some(Verdict::Empty) => claim.what = "holds no tables".to_owned(),
            Some(Verdict::Unversioned) => claim.what = "holds tables and no schema version".to_owned(),
            Some(Verdict::Legacy) => claim.what = "is older than every release of this catalogue".to_owned(),
            Some(Verdict::Unknown { .. }) => {
                claim.what = "has a head that no release of this catalogue ends at".to_owned();
            }
            None => {
                claim.answer = Answer::Unknown;
                claim.what = "was not looked at".to_owned();
            }
        }
        claim
    }

    /// The stored URLs of a service.
    fn stored(&self, service: &crate::model::Service) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (owner, readable) in self.led.iter().filter(|(owner, _)| owner.service == *service) {
            let strays = self.strays.iter().filter(|(_, refusal)| refusal.database.as_ref() == Some(owner));
            let before = claims.len();
            claims.extend(strays.map(|(_, refusal)| Claim {
                service: service.clone(),
                database: Some(owner.clone()),
                kind: ClaimKind::StoredUrls,
                what: refusal.what.clone(),
                answer: if *readable { Answer::No } else { Answer::Unknown },
                found: refusal.found.clone(),
                expected: refusal.expected.clone(),
                next: Some(refusal.next.clone()),
            }));
            if claims.len() == before {
                claims.push(Claim {
                    service: service.clone(),
                    database: Some(owner.clone()),
                    kind: ClaimKind::StoredUrls,
                    what: "stored URLs lead to the databases of the cloud file".to_owned(),
                    answer: Answer::Yes,
                    found: None,
                    expected: None,
                    next: None,
                });
            }
        }
        claims
    }

    /// The rows of a data migration.
    fn rows(&self, migration: &DataMigration, counts: &Counts, claims: &mut Vec<Claim>) {
        let database = &migration.database;
        let claim = |kind, what: String, answer, found: Option<String>, next: Option<String>| Claim {
            service: database.service.clone(),
            database: Some(database.clone()),
            kind,
            what,
            answer,
            found,
            expected: None,
            next,
        };
        let counted = |query: &String| counts.get(&(database.clone(), query.clone()));
        for remainder in &migration.remainders {
            let Some(rows) = counted(&remainder.query) else { continue };
            let what = remainder.what.trim();
            claims.push(match rows {
                Ok(0) => claim(ClaimKind::Rows, format!("no {what}"), Answer::Yes, Some("0".to_owned()), None),
                Ok(rows) => claim(
                    ClaimKind::Rows,
                    format!("{rows} {what}"),
                    Answer::No,
                    Some(format!("{rows}, counted by: {}", remainder.query.trim())),
                    Some(self.finish(database, remainder.mend.as_deref())),
                ),
                Err(unreachable) => claim(
                    ClaimKind::Rows,
                    format!("{what} could not be counted"),
                    Answer::Unknown,
                    Some(unreachable.reason.clone()),
                    Some(unreachable.advice.clone()),
                ),
            });
        }
        for residue in &migration.residues {
            match counted(&residue.query) {
                None | Some(Ok(0)) => {}
                Some(Ok(rows)) => {
                    let verb = if *rows == 1 { "1 row stays" } else { &format!("{rows} rows stay") };
                    let what = format!("{verb} of {}, which is harmless", residue.migration);
                    let why = residue.why.trim().to_owned();
                    claims.push(claim(ClaimKind::Residue, what, Answer::Yes, Some(rows.to_string()), Some(why)));
                }
                Some(Err(unreachable)) => claims.push(claim(
                    ClaimKind::Residue,
                    format!("the harmless rows of {} could not be counted", residue.migration),
                    Answer::Unknown,
                    Some(unreachable.reason.clone()),
                    Some(unreachable.advice.clone()),
                )),
            }
        }
    }

    /// The rows that a trip should have touched.
    fn touched(&self, touching: &Touching, counts: &Counts, claims: &mut Vec<Claim>) {
        let database = &touching.database;
        for (table, query) in touching.counted() {
            let Some(rows) = counts.get(&(database.clone(), query.to_owned())) else { continue };
            let what = table.left();
            let (what, answer, found, next) = match rows {
                Ok(0) => (format!("no {what}"), Answer::Yes, "0".to_owned(), None),
                Ok(rows) => {
                    let next = self.finish(database, None);
                    (format!("{rows} {what}"), Answer::No, format!("{rows}, counted by: {}", query.trim()), Some(next))
                }
                Err(unreachable) => {
                    let (found, next) = (unreachable.reason.clone(), unreachable.advice.clone());
                    (format!("{what} could not be counted"), Answer::Unknown, found, Some(next))
                }
            };
            claims.push(Claim {
                service: database.service.clone(),
                database: Some(database.clone()),
                kind: ClaimKind::Rows,
                what,
                answer,
                found: Some(found),
                expected: None,
                next,
            });
        }
    }

    /// How rows that are left are moved.
    fn finish(&self, database: &DatabaseId, mend: Option<&str>) -> String {
        let run = format!(
            "run its data migrations until done: `leapfrog --from {} --to {}{}`",
            self.at,
            self.at,
            self.only(&database.service)
        );
        match mend {
            Some(mend) => format!("{}; if some are left after that: {}", run, mend.trim()),
            None => run,
        }
    }

    fn check(&self, answer: &CheckAnswer, claims: &mut Vec<Claim>) {
        let claim = |what: String, is: Answer, found: Option<String>, next: Option<String>| Claim {
            service: answer.service.clone(),
            database: None,
            kind: ClaimKind::ReleaseCheck,
            what,
            answer: is,
            found,
            expected: None,
            next,
        };
        for (name, result, details, why) in &answer.checks {
            let stops = *result == CheckResult::Failure && why.is_none();
            // The command's own verdict says what a failure that stops means.
            if !stops {
                let what = match why {
                    Some(_) => format!("its check {name} ends with {result}, which is harmless"),
                    None => format!("its check {name} ends with {result}"),
                };
                // Some checks have something to say of their success, too.
                let details = details.clone().filter(|_| *result != CheckResult::Success);
                claims.push(claim(what, Answer::Yes, details, why.clone()));
            }
        }
        if let Some((what, next)) = &answer.failure {
            let is = if answer.unseen { Answer::Unknown } else { Answer::No };
            claims.push(claim(what.clone(), is, None, Some(next.clone())));
        }
    }
}

impl Proof {
    /// The version of the document that this program writes.
    pub const FORMAT: u32 = 1;
}
