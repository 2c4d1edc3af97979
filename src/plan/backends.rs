//! Engines and servers that a release on the way has given up.

use super::build::Brief;
use super::refusal::{Refusal, RefusalKind};
use crate::catalog::{Playbook, Release};
use crate::model::{DatabaseId, Engine};

/// Databases whose engine some release on the way has no steps for, or whose server is too old for one.
pub(super) fn refusals(brief: &Brief<'_>, path: &[&Release]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in &brief.playbooks {
        for (id, url) in brief.databases.iter().filter(|(id, _)| id.service == playbook.service) {
            let engine = engine(brief, path, playbook, id, url.engine());
            refusals.extend(engine.or_else(|| server(brief, path, id)));
        }
    }
    refusals
}

/// The engine's refusal.
fn engine(
    brief: &Brief<'_>,
    path: &[&Release],
    playbook: &Playbook,
    id: &DatabaseId,
    engine: Engine,
) -> Option<Refusal> {
    let stop = path.iter().position(|release| !playbook.supports(&release.series, engine))?;
    let next = match before(brief, path, stop) {
        Some(leap) => format!("{leap}; then move {} to an engine that {} supports", id.service, path[stop].series),
        None => {
            format!("move {} to an engine that it supports: `leapfrog playbooks show {}`", id.service, id.service)
        }
    };
    Some(Refusal {
        kind: RefusalKind::Engine,
        database: Some(id.clone()),
        what: format!("{} {} does not support {engine}, the engine of database {id}", id.service, path[stop].series),
        found: Some(engine.to_string()),
        expected: None,
        next,
    })
}

/// The server's refusal. What a release needs, the later ones need as well.
fn server(brief: &Brief<'_>, path: &[&Release], id: &DatabaseId) -> Option<Refusal> {
    let seen = brief.observation.databases.get(id)?.as_ref().ok().filter(|seen| seen.engine == Engine::Mysql)?;
    let needs = brief
        .releases
        .iter()
        .filter_map(|release| Some((*release, release.services.get(&id.service)?.servers.as_ref()?)));
    let (release, servers, oldest) = needs
        .filter_map(|(release, servers)| Some((release, servers, servers.lacking(&seen.version)?)))
        .min_by(|one, two| one.0.series.cmp(&two.0.series))?;
    let stop = path.iter().position(|stop| stop.series >= release.series)?;
    let next = match before(brief, path, stop) {
        Some(leap) => format!("{leap}; then upgrade the database server"),
        None => "upgrade the database server first".to_owned(),
    };
    Some(Refusal {
        kind: RefusalKind::Engine,
        database: Some(id.clone()),
        what: format!(
            "{} {} needs {oldest} or later, and database {id} is on an older server: {}",
            id.service,
            path[stop].series,
            servers.why.trim()
        ),
        found: Some(seen.version.clone()),
        expected: Some(format!("{oldest} or later")),
        next,
    })
}

/// The leap to the last stop before `stop`, as a part of a sentence.
fn before(brief: &Brief<'_>, path: &[&Release], stop: usize) -> Option<String> {
    let last = stop.checked_sub(1).and_then(|last| path.get(last))?;
    Some(format!(
        "the last release that works on it is {}: `leapfrog --from {} --to {}{}{}`",
        last.series,
        path[0].series,
        last.series,
        brief.stops.option(),
        brief.same()
    ))
}
