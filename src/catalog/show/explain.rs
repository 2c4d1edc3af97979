//! One step of one release: what it does, why it is there, and what proves that it is complete.

use serde::Serialize;

use super::playbooks::told;
use super::releases::needs;
use super::text::{list, paragraph};
use crate::catalog::{Catalog, Exception, Knowledge, Note, Playbook, PlaybookStep, Release};
use crate::model::{Heads, Schema, Series, Service, Slot, StepId};

/// What is known of a step without a cloud: what `leapfrog explain --output json` says.
#[derive(Debug, Serialize)]
pub struct Explanation<'c> {
    /// The release.
    pub series: &'c Series,
    /// The service.
    pub service: &'c Service,
    /// The step as its playbook has it, once for each group of engines it differs for; none for a step that every
    /// plan has.
    pub steps: Vec<&'c PlaybookStep>,
    /// What a step that every plan has does, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common: Option<&'static str>,
    /// The heads of the release before and of this one, by schema.
    pub heads: Vec<Moved<'c>>,
    /// From where all of this is known.
    pub known: Knowledge,
    /// What an operator should have read before the release about this service.
    pub notes: Vec<&'c Note>,
    /// What the release's schema migrations of this service do that an operator should know of.
    pub changes: Vec<&'c Exception>,
    #[serde(skip)]
    release: &'c Release,
}

/// What a release means for a schema.
#[derive(Debug, Serialize)]
pub struct Moved<'c> {
    /// The schema.
    pub schema: &'c Schema,
    /// The release before and its heads; absent for the oldest release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<(&'c Series, &'c Heads)>,
    /// The heads of the release.
    pub to: &'c Heads,
}

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// The release is not in the catalogue.
    #[error("{0} is no release in the catalogue: `leapfrog releases` lists them")]
    Release(Series),
    /// The release does not have the service.
    #[error("{service} is no service of {series}{}", .why.as_ref().map_or_else(String::new, |why| format!(": {why}")))]
    Service {
        /// The service.
        service: Service,
        /// The release.
        series: Series,
        /// The reason, if the release file gives one.
        why: Option<String>,
    },
    /// The service has no such step there.
    #[error("{service} has no step {name} in {series}; there are {known}")]
    Step {
        /// The service.
        service: Service,
        /// The release.
        series: Series,
        /// What was asked for.
        name: String,
        /// The steps there are.
        known: String,
    },
}

/// The steps that every plan has, besides those of playbooks.
const COMMON: &[(&str, &str)] = &[
    (
        StepId::RESTORE_POINT,
        "Dumps the database, brings the dump back into a scratch database and compares the two: the way back to where it \
         stood before the release (`leapfrog restore`). It is taken before each release, before the first, or never, as \
         the cloud file says.",
    ),
    (
        "verify-heads",
        "Reads the heads of the service's databases and compares them with the release's: exit codes are claims. It ends \
         the service's part of the release.",
    ),
];

impl<'c> Explanation<'c> {
    /// What the catalogue knows of a step.
    ///
    /// # Errors
    /// There is no such release, service or step.
    pub fn new(catalog: &'c Catalog, id: &StepId) -> Result<Self, Unexplained> {
        let release = catalog.release(&id.series).ok_or_else(|| Unexplained::Release(id.series.clone()))?;
        let found = release.services.get_key_value(&id.service).zip(catalog.playbook(&id.service));
        let ((service, facts), playbook) = found.ok_or_else(|| Unexplained::Service {
            service: id.service.clone(),
            series: id.series.clone(),
            why: release.absent.get(&id.service).map(|why| why.trim().to_owned()),
        })?;
        let here = |step: &&PlaybookStep| step.series().contains(&id.series);
        let steps: Vec<&PlaybookStep> =
            playbook.steps.iter().filter(here).filter(|step| *step.name() == id.name).collect();
        let common = COMMON.iter().find(|(name, _)| *name == id.name.as_str()).map(|(_, what)| *what);
        if steps.is_empty() && common.is_none() {
            let mut known: Vec<&str> = playbook.steps.iter().filter(here).map(|step| step.name().as_str()).collect();
            known.dedup();
            known.extend(COMMON.iter().map(|(name, _)| *name));
            return Err(Unexplained::Step {
                service: id.service.clone(),
                series: id.series.clone(),
                name: id.name.to_string(),
                known: list(known),
            });
        }
        let before = catalog.releases().rev().find(|other| other.series < release.series);
        let moved = facts.heads.iter().map(|(schema, to)| Moved {
            schema,
            from: before.and_then(|before| Some((&before.series, before.services.get(service)?.heads.get(schema)?))),
            to,
        });
        let about = |note: &&Note| note.service.as_ref().is_none_or(|other| other == service);
        Ok(Self {
            series: &release.series,
            service,
            heads: moved.filter(|moved| about_schema(playbook, &steps, moved.schema)).collect(),
            steps,
            common,
            known: playbook.knowledge(&id.series),
            notes: release.notes.iter().filter(about).collect(),
            changes: release.exceptions.iter().filter(|one| one.service.as_ref() == Some(service)).collect(),
            release,
        })
    }
}

/// Whether a schema is one that the steps migrate; all are where they migrate none.
fn about_schema(playbook: &Playbook, steps: &[&PlaybookStep], schema: &Schema) -> bool {
    let mut slots = steps.iter().filter_map(|step| match step {
        PlaybookStep::Run(run) => Some(&run.schema),
        PlaybookStep::Drain(_) | PlaybookStep::Trip(_) | PlaybookStep::Check(_) => None,
    });
    let of =
        |slot: &Slot| playbook.databases.iter().any(|database| database.slot == *slot && database.schema == *schema);
    let migrates = steps.iter().any(|step| matches!(step, PlaybookStep::Run(run) if !run.schema.is_empty()));
    !migrates || slots.any(|slots| slots.iter().any(of))
}

/// What a schema migration changes, with every answer.
pub(super) fn changed(exception: &Exception) -> String {
    let Exception { service, revision, changes, why, data, downtime, operator, .. } = exception;
    let service = service.as_ref().map(|service| format!("{service} ")).unwrap_or_default();
    let mut text = paragraph(2, "- ", &format!("{service}{revision}: {changes}"));
    for (lead, told) in [("why: ", why), ("data: ", data), ("downtime: ", downtime), ("to do: ", operator)] {
        text.push_str(&paragraph(4, lead, told));
    }
    text
}

/// A step in full.
pub fn explain(explanation: &Explanation<'_>) -> String {
    let Explanation { series, service, steps, common, heads, known, notes, changes, release } = explanation;
    let mut text = format!("{service} at {series}: {}\n", known.told());
    for step in steps {
        text.push_str(&format!("\n  {}", told(step)));
    }
    if let Some(what) = common {
        text.push('\n');
        text.push_str(&paragraph(2, "", what));
    }
    text.push_str("\nHEADS\n");
    for Moved { schema, from, to } in heads {
        let line = match from {
            Some((before, from)) if from == to => format!("{to}, as at {before}"),
            Some((before, from)) => format!("{from} ({before}) → {to}"),
            None => to.to_string(),
        };
        text.push_str(&paragraph(2, &format!("{schema}: "), &line));
    }
    let needs: Vec<_> = needs(release).into_iter().filter(|(about, _)| about == service).collect();
    if !needs.is_empty() {
        text.push_str("\nWHAT THE RELEASE NEEDS\n");
        needs.iter().for_each(|(_, need)| text.push_str(&paragraph(2, "- ", need)));
    }
    if !notes.is_empty() {
        text.push_str("\nBEFORE THIS HOP\n");
        for note in notes {
            text.push_str(&paragraph(2, "- ", &note.told()));
        }
    }
    if !changes.is_empty() {
        text.push_str("\nWHAT THE SCHEMA MIGRATIONS CHANGE\n");
        changes.iter().for_each(|change| text.push_str(&changed(change)));
    }
    text
}
