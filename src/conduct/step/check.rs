//! The release's own checks, before anything of the hop changes.

use super::command::Finished;
use super::{Performance, StepEnd};
use crate::catalog::Allowance;
use crate::conduct::killed::{self, killed};
use crate::conduct::listen::Listener;
use crate::journal::{Evidence, Outcome};
use crate::model::{CheckResult, ReleaseCheck, Unreachable, Verdict};
use crate::plan::ReleaseChecks;
use crate::runner::TaskHandle;

/// Whether a check that did not succeed stops the hop.
enum Standing {
    /// The playbook says why it does not.
    Allowed(String),
    /// It does, and this is known besides what the check says.
    Stops(String),
    /// It is a warning, to be read.
    ToRead,
}

impl Performance {
    /// Runs the checks and reads what they say.
    pub(super) async fn check(&mut self, checks: &ReleaseChecks) -> (StepEnd, Option<TaskHandle>) {
        let Some(_place) = self.place().await else { return (StepEnd::interrupted().before_it_began(), None) };
        let words = checks.command.words(None);
        match self.command(1, words, &checks.configuration, Listener::to_checks()).await {
            Ok(finished) => {
                let end = self.judge_checks(checks, &finished).await;
                (end, Some(finished.handle))
            }
            Err(unseen) => (self.unseen(unseen), None),
        }
    }

    async fn judge_checks(&self, checks: &ReleaseChecks, finished: &Finished) -> StepEnd {
        let failed = |what: String, advice: Option<String>| {
            StepEnd::failed(Outcome::Failed, self.failure(finished, what, advice))
        };
        let code = finished.exit.code;
        let Some(reports) = &finished.checks else {
            if finished.stopped {
                return StepEnd::interrupted();
            }
            if let Some(trouble) = killed(finished.exit) {
                let evidence = killed::evidence(finished.exit).into_iter().collect();
                return StepEnd { evidence, ..failed(trouble.what, Some(trouble.advice)) };
            }
            return failed(
                format!("the output holds no whole report of checks, so exit code {code} proves nothing"),
                Some(
                    "read the log, mend the cause, then run the same command again: nothing of this release has \
                      begun"
                        .to_owned(),
                ),
            );
        };
        let gravest = reports.iter().map(|report| report.result).max().unwrap_or(CheckResult::Success);
        if code > gravest as i64 || code < 0 {
            return failed(
                format!("exit code {code} says more than the checks, whose gravest result is {gravest}"),
                None,
            );
        }
        let verdict = match gravest {
            CheckResult::Success => Verdict::Done,
            CheckResult::Warning | CheckResult::Failure => Verdict::Warning,
        };
        let mut evidence = vec![Evidence::Exit { code, verdict }];
        let mut stops = Vec::new();
        for report in reports {
            let why = match self.standing(checks, report).await {
                Ok(Standing::Allowed(why)) => Some(why),
                Ok(Standing::ToRead) => None,
                Ok(Standing::Stops(besides)) => {
                    let details = report.details.as_deref().unwrap_or("it gives no details");
                    stops.push(format!("{}: {}{besides}", report.name, details.trim_end_matches('.')));
                    None
                }
                Err(unreachable) => {
                    let what = format!("{} could not be looked into: {}", report.name, unreachable.reason);
                    return failed(what, Some(unreachable.advice));
                }
            };
            let details = report.details.clone().map(|details| self.redactor.redact(details));
            let name = self.redactor.redact(report.name.clone());
            evidence.push(Evidence::Check { name, result: report.result, details, why });
        }
        if stops.is_empty() {
            return StepEnd::ended(Outcome::Done, evidence);
        }
        let series = &self.step.id.series;
        let what = format!("{series} says itself that these databases are not ready for it: {}", stops.join("; "));
        let advice = format!(
            "nothing of {series} has begun: do what the check asks for, then run the same command again. If it means \
             nothing here, say so under `allow` in a copy of the playbook (--catalog DIR) and begin anew with --from \
             auto --fresh"
        );
        StepEnd { evidence, ..failed(what, Some(advice)) }
    }

    /// Whether `report` stops the hop.
    async fn standing(&self, checks: &ReleaseChecks, report: &ReleaseCheck) -> Result<Standing, Unreachable> {
        if report.result == CheckResult::Success {
            return Ok(Standing::ToRead);
        }
        let allows =
            |allowance: &&Allowance| allowance.check == report.name && allowance.results.contains(&report.result);
        let not_allowed = |besides: String| match report.result {
            CheckResult::Failure => Standing::Stops(besides),
            CheckResult::Success | CheckResult::Warning => Standing::ToRead,
        };
        let Some(allowance) = checks.allow.iter().find(allows) else { return Ok(not_allowed(String::new())) };
        let rows = match &allowance.unless {
            Some(query) => self.reader.count(&checks.database, query).await?,
            None => 0,
        };
        Ok(match (rows, &allowance.unless) {
            (0, _) => Standing::Allowed(allowance.why.trim().to_owned()),
            (rows, query) => not_allowed(format!(
                " ({rows} rows in {} are counted by: {})",
                checks.database,
                query.as_deref().unwrap_or_default().trim()
            )),
        })
    }
}
