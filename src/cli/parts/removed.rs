//! What a contract step removes: read in the scripts of its image, from where each database stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Playbook, Release};
use crate::cli::images::{Question, SchemaScripts, ServiceScripts, scripts_of};
use crate::cli::preflight::refusal;
use crate::cli::stop::Stop;
use crate::cli::world::World;
use crate::lint::{Change, Held, Models, Operation, Repository, range};
use crate::model::{Branch, DatabaseId, Engine, Heads, ImageReference, Service};
use crate::plan::{Lane, Plan, Refusal, RefusalKind, Standing};
use crate::runner::{PinnedImage, Runner};

/// One thing that a contract step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removal {
    /// The database.
    pub(super) database: DatabaseId,
    /// What is done, in words.
    pub(super) what: String,
    /// The script.
    pub(super) file: String,
    /// The table it is about.
    pub(super) table: Option<String>,
    /// The change.
    pub(super) change: Change,
}

/// What the contract steps of a plan do, service by service.
///
/// # Errors
/// An image cannot be read.
pub(super) async fn removals(
    world: &World,
    plan: &Plan,
    images: &BTreeMap<ImageReference, PinnedImage>,
    runner: &dyn Runner,
) -> Result<BTreeMap<Service, Vec<Removal>>, Stop> {
    let all: Vec<&Release> = world.catalog.releases().collect();
    let books: Vec<&Playbook> = world.playbooks();
    let mut found = BTreeMap::new();
    for hop in &plan.hops {
        let Some(release) = world.catalog.release(&hop.series) else { continue };
        for lane in &hop.lanes {
            let Some(image) = images.get(&lane.image) else { continue };
            let question = Question::new(release, &all, &books, &[&lane.service], &BTreeSet::new());
            let scripts = scripts_of(world, runner, image, &question).await;
            let scripts = scripts.map_err(|error| Stop::refused(vec![refusal(error)]))?;
            let Some(scripts) = scripts.services.get(&lane.service).filter(|scripts| scripts.found) else {
                return Err(Stop::refused(vec![unread(lane)]));
            };
            let Some(book) = world.catalog.playbook(&lane.service) else { continue };
            found.insert(lane.service.clone(), of_lane(world, release, book, lane, scripts));
        }
    }
    Ok(found)
}

fn unread(lane: &Lane) -> Refusal {
    Refusal {
        kind: RefusalKind::Image,
        database: None,
        what: format!("the migration scripts of {} were not found in {}", lane.service, lane.image),
        found: None,
        expected: None,
        next: "see whether the image holds the service's code".to_owned(),
    }
}

fn of_lane(world: &World, release: &Release, book: &Playbook, lane: &Lane, scripts: &ServiceScripts) -> Vec<Removal> {
    let mut removals = Vec::new();
    for (database, standing) in &lane.standing {
        let Standing::Moves { from, to } = standing else { continue };
        let Some(slot) = book.databases.iter().find(|slot| slot.slot == database.slot) else { continue };
        let Some(engine) = world.cloud.databases.get(database).map(|url| url.engine()) else { continue };
        let schema = scripts.schemas.get(&slot.schema);
        let repositories = scripts.repositories.get(&slot.schema).into_iter().flatten().map(|one| Repository {
            name: Some(&one.name),
            directory: &one.files.directory,
            branch: one.branch,
            scripts: &one.files.texts,
        });
        let repositories: Vec<Repository<'_>> = repositories.collect();
        let (nothing, models) = (BTreeMap::new(), Models::default());
        let before = held(release, from, schema, &nothing, &models, repositories.clone());
        let after = held(release, to, schema, &nothing, &models, repositories);
        let run = range(&lane.service, slot.schema.as_str(), &[before, after]);
        for script in run.iter().filter(|script| script.branch == Some(Branch::Contract)) {
            let here = script.operations.iter().filter(|operation| matters(operation, engine));
            removals.extend(here.map(|operation| Removal {
                database: database.clone(),
                what: told(operation),
                file: script.file.clone(),
                table: operation.table.clone(),
                change: operation.change.clone(),
            }));
        }
    }
    removals
}

/// A release's scripts, with the heads that a database has before or after them.
fn held<'a>(
    release: &'a Release,
    heads: &'a Heads,
    schema: Option<&'a SchemaScripts>,
    nothing: &'a BTreeMap<String, String>,
    models: &'a Models,
    repositories: Vec<Repository<'a>>,
) -> Held<'a> {
    Held {
        series: &release.series,
        heads,
        directory: schema.map_or("", |schema| &schema.files.directory),
        scripts: schema.map_or(nothing, |schema| &schema.files.texts),
        tree: schema.and_then(|schema| schema.tree.as_ref()),
        models,
        constants: schema.map_or(nothing, |schema| &schema.constants),
        transactions: schema.map(|schema| schema.transactions),
        repositories,
    }
}

/// Whether an operation does something to this engine's schema or rows, or may.
fn matters(operation: &Operation, engine: Engine) -> bool {
    operation.engines.contains(engine)
        && !matches!(operation.change, Change::Nothing | Change::Variable { .. } | Change::Raises)
}

/// What an operation does, in words.
fn told(operation: &Operation) -> String {
    let table = operation.table.as_deref().unwrap_or("(a table that is not said)");
    let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "(without a name)".to_owned());
    let what = match &operation.change {
        Change::DropTable => format!("drops table {table}"),
        Change::DropColumn { column } => format!("drops column {table}.{}", named(column)),
        Change::AlterColumn { column, .. } => format!("alters column {table}.{}", named(column)),
        Change::DropIndex { name } => format!("drops index {} of {table}", named(name)),
        Change::DropConstraint { name, .. } => format!("drops constraint {} of {table}", named(name)),
        Change::Trigger { create: false } => "drops a trigger".to_owned(),
        Change::NotUnderstood { why } => format!("does something that is not understood ({why})"),
        change if change.is_of_table() => format!("{} {table}", change.verb()),
        change => change.verb().split(',').next().unwrap_or_default().to_owned(),
    };
    if operation.guarded { format!("{what}, depending on what it finds") } else { what }
}
