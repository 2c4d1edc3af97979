//! What every leap needs of its servers, whichever services it takes: an engine and a version that the releases on the
//! way work with, one character set, somebody who may create triggers where a step does, rights, room for restore points.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::{AT_ONCE, listed, named};
use crate::cli::points;
use crate::cli::world::World;
use crate::database::{self, CharacterSets, Connection, Lacking, QueryError, connect};
use crate::model::{ConnectionUrl, DatabaseId, Engine, Observation, PointPolicy, Points, Series, Service};
use crate::plan::preconditions::{Checked, Condition};
use crate::plan::{Refusal, RefusalKind};
use crate::restore::{self, Way};

/// The last release whose tables are in three-byte characters; ironic turns its own into four bytes in the one after it.
const THREE_BYTES_UNTIL: &str = "2025.2";

/// Triggers that steps create, by database: release, step, which ones.
type Triggers = BTreeMap<DatabaseId, Vec<(Series, String, String)>>;

/// What was seen of a database.
struct Seen {
    sets: CharacterSets,
    lacking: Lacking,
    no_triggers: bool,
}

pub(super) fn checked(state: Condition, check: &str, about: impl Into<String>, what: impl Into<String>) -> Checked {
    Checked {
        state,
        check: check.to_owned(),
        about: about.into(),
        before: None,
        what: what.into(),
        query: None,
        rows: None,
        show: None,
        shown: Vec::new(),
        means: None,
        next: None,
        source: None,
    }
}

/// A reason for which a leap would not be planned.
pub(super) fn refused(refusal: &Refusal) -> Checked {
    let check = if refusal.kind == RefusalKind::Engine { "engine" } else { "plan" };
    let about = refusal.database.as_ref().map_or_else(|| "leap".to_owned(), ToString::to_string);
    let found = refusal.found.as_ref().map(|found| format!(" (found: {found})")).unwrap_or_default();
    let what = format!("{}{found}", refusal.what);
    Checked { next: Some(refusal.next.clone()), ..checked(Condition::Failure, check, about, what) }
}

/// Looks at every database of `services`, for the leap `way`.
pub(super) async fn look(
    world: &World,
    services: &BTreeSet<Service>,
    observation: &Observation,
    way: Option<&(Series, Series)>,
    triggers: &Triggers,
) -> Vec<Checked> {
    let urls = world.databases(services);
    let looks = urls.iter().map(|(id, url)| async move { (id, look_at(world, id, url, triggers).await) });
    let looks: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let mut checks = engines(observation);
    let mut seen = BTreeMap::new();
    for (id, look) in looks {
        match look {
            Ok(found) => drop(seen.insert(id.clone(), found)),
            // A plan says that, too, where the database does not answer at all.
            Err(_) if observation.databases.get(id).is_some_and(Result::is_err) => {}
            Err((what, next)) => {
                checks.push(Checked {
                    next: Some(next),
                    ..checked(Condition::Failure, "database", id.to_string(), what)
                });
            }
        }
    }
    if let Some((from, _)) = way {
        checks.extend(character_sets(&urls, &seen, from));
    }
    checks.extend(rights(&urls, &seen));
    checks.extend(may_create(&seen, triggers));
    checks.extend(restore_points(world, &urls).await);
    checks
}

async fn look_at(
    world: &World,
    id: &DatabaseId,
    url: &ConnectionUrl,
    triggers: &Triggers,
) -> Result<Seen, (String, String)> {
    let timeout = world.cloud.limits.connect;
    let told = |error: &dyn std::error::Error| format!("failed to {}", database::chain(error));
    let connected = connect(url, timeout).await;
    let mut connection = connected.map_err(|error| (told(&error), error.advice().to_owned()))?;
    let asked = tokio::time::timeout(timeout, ask(&mut connection, url, triggers.contains_key(id))).await;
    connection.close().await;
    match asked {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err((told(&error), error.advice().to_owned())),
        Err(_) => {
            let what = format!("{} does not answer within {} s", url.server(), timeout.as_secs_f32());
            Err((what, "look at what the server does".to_owned()))
        }
    }
}

async fn ask(connection: &mut Connection, url: &ConnectionUrl, triggers: bool) -> Result<Seen, QueryError> {
    Ok(Seen {
        sets: connection.character_sets().await?,
        lacking: connection.lacking(url, triggers).await?,
        no_triggers: triggers && connection.refuses_triggers().await?,
    })
}

/// Engines and versions. What a release on the way cannot work with is a reason not to plan, and told as that.
fn engines(observation: &Observation) -> Vec<Checked> {
    let mut versions: BTreeMap<String, Vec<&DatabaseId>> = BTreeMap::new();
    for (id, seen) in &observation.databases {
        let Ok(seen) = seen else { continue };
        let name = match seen.engine {
            Engine::Mysql if seen.version.contains("MariaDB") => "MariaDB",
            Engine::Mysql => "MySQL",
            Engine::Postgresql => "PostgreSQL",
            Engine::Sqlite => "SQLite",
        };
        versions.entry(format!("{name} {}", seen.version)).or_default().push(id);
    }
    versions.into_iter().map(|(server, ids)| checked(Condition::Ok, "engine", named(ids), server)).collect()
}

fn character_sets(
    urls: &BTreeMap<DatabaseId, ConnectionUrl>,
    seen: &BTreeMap<DatabaseId, Seen>,
    from: &Series,
) -> Vec<Checked> {
    const CHECK: &str = "character-set";
    let mut good: BTreeMap<&str, Vec<&DatabaseId>> = BTreeMap::new();
    let mut checks = Vec::new();
    for (id, Seen { sets, .. }) in seen {
        let url = &urls[id];
        match url.engine() {
            Engine::Sqlite => good.entry("text as SQLite keeps it").or_default().push(id),
            Engine::Postgresql if sets.default == "UTF8" => good.entry("UTF8").or_default().push(id),
            Engine::Postgresql => checks.push(Checked {
                means: Some("Texts that it cannot hold make a migration fail.".to_owned()),
                next: Some("dump the database and bring it back into one made with ENCODING 'UTF8'".to_owned()),
                ..checked(Condition::Warning, CHECK, id.to_string(), format!("encoded in {}", sets.default))
            }),
            Engine::Mysql => match told(sets, url, from) {
                None => good
                    .entry(if sets.default == "utf8mb3" { "utf8mb3" } else { "one throughout" })
                    .or_default()
                    .push(id),
                Some((what, means, next)) => checks.push(Checked {
                    means: Some(means),
                    next: Some(next),
                    ..checked(Condition::Warning, CHECK, id.to_string(), what)
                }),
            },
        }
    }
    let good = good.into_iter().map(|(what, ids)| checked(Condition::Ok, CHECK, named(ids), what));
    good.chain(checks).collect()
}

/// What is wrong with the character sets of a database of the MySQL family, what comes of it, and what mends it.
fn told(sets: &CharacterSets, url: &ConnectionUrl, from: &Series) -> Option<(String, String, String)> {
    // nova and placement make some tables in latin1 by themselves, with columns that only refer to each other.
    let unicode = || sets.tables.iter().filter(|(set, _)| *set != "latin1");
    let counted = |(set, number): (&String, &u64)| format!("{number} in {set}");
    let tables = unicode().map(counted).collect::<Vec<_>>().join(", ");
    let (main, _) = unicode().max_by_key(|(_, number)| **number)?;
    if unicode().count() > 1 {
        return Some((
            format!("tables in several character sets: {tables}; new ones get {}", sets.default),
            "A foreign key between columns of two character sets is refused, and comparing them uses no index."
                .to_owned(),
            format!(
                "see which: SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = '{}'; \
                 then convert the few: ALTER TABLE name CONVERT TO CHARACTER SET {main}",
                url.name()
            ),
        ));
    }
    if sets.default != *main {
        return Some((
            format!("its tables are in {main}, and new ones would get {}", sets.default),
            "A new table that refers to an old one is refused: Referencing column and referenced column are incompatible."
                .to_owned(),
            format!("ALTER DATABASE `{}` CHARACTER SET {main}; it changes no table, only what new ones get", url.name()),
        ));
    }
    if main == "utf8mb4" && THREE_BYTES_UNTIL.parse::<Series>().is_ok_and(|until| *from < until) {
        return Some((
            "everything in utf8mb4".to_owned(),
            "Releases up to 2025.2 were made for three-byte characters: an index over a long column may become too long \
             (767, 1000 or 3072 bytes), as in designate up to 2023.2."
                .to_owned(),
            "rehearse the leap on a copy; where a migration fails, convert that service's tables to utf8mb3 first".to_owned(),
        ));
    }
    None
}

fn rights(urls: &BTreeMap<DatabaseId, ConnectionUrl>, seen: &BTreeMap<DatabaseId, Seen>) -> Vec<Checked> {
    const CHECK: &str = "rights";
    let mut good = Vec::new();
    let mut checks = Vec::new();
    for (id, Seen { lacking, .. }) in seen {
        if lacking.rights.is_empty() {
            good.push(id);
            continue;
        }
        let url = &urls[id];
        let what = format!("this user lacks {}", lacking.rights.join(", "));
        let (state, what) = match lacking.unclear {
            true => (Condition::Warning, format!("{what}, unless a role gives it")),
            false => (Condition::Failure, what),
        };
        let next = match url.engine() {
            Engine::Mysql => {
                format!("GRANT ALL PRIVILEGES ON `{}`.* TO this user: its service needs them as well", url.name())
            }
            Engine::Postgresql => {
                "let the user own the database and its tables: ALTER TABLE name OWNER TO user".to_owned()
            }
            Engine::Sqlite => "let this user write there".to_owned(),
        };
        checks.push(Checked {
            means: Some("A migration changes tables, and stops where it may not.".to_owned()),
            next: Some(next),
            ..checked(state, CHECK, id.to_string(), what)
        });
    }
    if !good.is_empty() {
        checks.insert(0, checked(Condition::Ok, CHECK, named(good), "all that migrations need"));
    }
    checks
}

/// Steps that create triggers, where the server lets this user create none.
fn may_create(seen: &BTreeMap<DatabaseId, Seen>, triggers: &Triggers) -> Vec<Checked> {
    let mut checks = Vec::new();
    for (id, made) in triggers {
        let Some(Seen { no_triggers, .. }) = seen.get(id) else { continue };
        for (series, step, what) in made {
            let creates = format!("{step} creates triggers ({what})");
            let one = if *no_triggers {
                Checked {
                    means: Some(
                        "The server logs changes (log_bin) and this user has no SUPER: CREATE TRIGGER fails with error 1419."
                            .to_owned(),
                    ),
                    next: Some(
                        "let an administrator run, for the time of the leap: SET GLOBAL log_bin_trust_function_creators = ON;"
                            .to_owned(),
                    ),
                    ..checked(Condition::Failure, "triggers", id.to_string(), format!("{creates}, which the server refuses"))
                }
            } else {
                checked(Condition::Ok, "triggers", id.to_string(), format!("{creates}, and may"))
            };
            let query = "SELECT @@global.log_bin, @@global.log_bin_trust_function_creators; SHOW GRANTS";
            checks.push(Checked { before: Some(series.clone()), query: Some(query.to_owned()), ..one });
        }
    }
    checks
}

/// The clients, the rights and the room for restore points.
async fn restore_points(world: &World, urls: &BTreeMap<DatabaseId, ConnectionUrl>) -> Vec<Checked> {
    const CHECK: &str = "restore-points";
    let Points { policy, proof } = world.cloud.restore_points.points;
    if policy == PointPolicy::None {
        let what = "the cloud file says that there are none: after a failure nothing brings the databases back";
        let next = "have backups of your own, which you know how to bring back".to_owned();
        return vec![Checked { next: Some(next), ..checked(Condition::Warning, CHECK, "leap", what) }];
    }
    let lacks = restore::lacks(urls, proof, &points::setting(world), Way::Ask).await;
    let mut checks: Vec<Checked> = lacks
        .iter()
        .map(|lack| {
            let about = if lack.databases.is_empty() { "leap".to_owned() } else { named(&lack.databases) };
            let what = format!("failed to {}", lack.error.line());
            Checked { next: Some(lack.error.advice()), ..checked(Condition::Failure, CHECK, about, what) }
        })
        .collect();
    if checks.is_empty() {
        let services = urls.keys().map(|id| id.service.clone()).collect();
        let what = format!("there is room for them in {}", world.cloud.restore_points.directory);
        checks.push(checked(Condition::Ok, CHECK, listed(&services), what));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(default: &str, tables: &[(&str, u64)]) -> CharacterSets {
        let tables = tables.iter().map(|(set, number)| ((*set).to_owned(), *number)).collect();
        CharacterSets { default: default.into(), tables }
    }

    #[test]
    fn character_sets_are_told_of_where_tables_would_not_fit_together() {
        let url: ConnectionUrl = "mysql://n@db/nova".parse().expect("a URL");
        let told = |found: &CharacterSets, from: &str| {
            told(found, &url, &from.parse().expect("a series")).map(|(what, ..)| what)
        };
        assert_eq!(told(&sets("utf8mb3", &[("utf8mb3", 60)]), "train"), None);
        assert_eq!(told(&sets("utf8mb4", &[]), "train"), None, "nothing is there to fit to");
        assert_eq!(told(&sets("utf8mb3", &[("latin1", 11), ("utf8mb3", 21)]), "2023.1"), None, "nova's own");
        let mixed = told(&sets("utf8mb4", &[("utf8mb3", 60), ("utf8mb4", 2)]), "2024.1").expect("a warning");
        assert_eq!(mixed, "tables in several character sets: 60 in utf8mb3, 2 in utf8mb4; new ones get utf8mb4");
        let new = told(&sets("utf8mb4", &[("utf8mb3", 60)]), "2026.1").expect("a warning");
        assert_eq!(new, "its tables are in utf8mb3, and new ones would get utf8mb4");
        assert_eq!(told(&sets("utf8mb4", &[("utf8mb4", 60)]), "2024.1").as_deref(), Some("everything in utf8mb4"));
        assert_eq!(told(&sets("utf8mb4", &[("utf8mb4", 60)]), "2025.2"), None);
    }
}
