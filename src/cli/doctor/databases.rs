//! The databases: are they reached, as what, how is the clock there, who holds their locks, can they be dumped and
//! brought back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};

use super::Finding;
use crate::cli::points;
use crate::cli::world::World;
use crate::database::{self, Connection, LockError, QueryError, connect};
use crate::model::{ConnectionUrl, DatabaseId, Engine, PointPolicy, Points, Service};
use crate::restore::{self, Client, Way};

/// How many databases are looked at side by side.
const AT_ONCE: usize = 8;

/// By how many seconds a server's clock may differ before somebody is told.
const APART: f64 = 2.0;

/// What was seen of a database.
struct Seen {
    /// Such as `mariadb 10.11.6-MariaDB at 10.0.0.5:3306`.
    server: String,
    /// Its engine and version.
    version: (Engine, String),
    /// What deserves to be said, of every database with the same words at once.
    remarks: Vec<Finding>,
}

/// Every database of these services.
pub(super) async fn look(world: &World, services: &BTreeSet<Service>) -> Vec<Finding> {
    let urls = world.databases(services);
    let looks = urls.iter().map(|(id, url)| async move { (id.clone(), look_at(world, url).await) });
    let looks: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let mut findings = Vec::new();
    let mut servers: BTreeMap<String, Vec<DatabaseId>> = BTreeMap::new();
    let mut versions = BTreeSet::new();
    let mut remarks: Vec<(Finding, Vec<DatabaseId>)> = Vec::new();
    for (id, seen) in looks {
        match seen {
            Ok(seen) => {
                servers.entry(seen.server).or_default().push(id.clone());
                versions.insert(seen.version);
                for remark in seen.remarks {
                    match remarks.iter_mut().find(|(known, _)| *known == remark) {
                        Some((_, databases)) => databases.push(id.clone()),
                        None => remarks.push((remark, vec![id.clone()])),
                    }
                }
            }
            Err((what, next)) => findings.push(Finding::failure(id.to_string(), what, next)),
        }
    }
    for (server, databases) in servers {
        findings.push(Finding::ok("databases", format!("{server}: {}", named(&databases))));
    }
    for (remark, databases) in remarks {
        let about = if remark.about.is_empty() { "databases".to_owned() } else { remark.about.clone() };
        findings.push(Finding { about, what: format!("{}: {}", named(&databases), remark.what), ..remark });
    }
    findings.extend(points(world, &urls, &versions).await);
    findings
}

fn named(databases: &[DatabaseId]) -> String {
    databases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One database; or why it cannot be looked at, and what to do.
async fn look_at(world: &World, url: &ConnectionUrl) -> Result<Seen, (String, String)> {
    let timeout = world.cloud.limits.connect;
    let connected = connect(url, timeout).await;
    let mut connection =
        connected.map_err(|error| (format!("failed to {}", database::chain(&error)), error.advice().to_owned()))?;
    let asked = tokio::time::timeout(timeout, ask(&mut connection, url)).await;
    connection.close().await;
    match asked {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err((format!("failed to {}", database::chain(&error)), error.advice().to_owned())),
        Err(_) => Err((
            format!("{} does not answer within {} s", url.server(), timeout.as_secs_f32()),
            "look at what the server does".to_owned(),
        )),
    }
}

async fn ask(connection: &mut Connection, url: &ConnectionUrl) -> Result<Seen, QueryError> {
    let version = connection.version().await?;
    let server = match url.engine() {
        Engine::Sqlite => format!("SQLite {version} in {}", url.server()),
        Engine::Postgresql => format!("PostgreSQL {version} at {}", url.server()),
        Engine::Mysql if version.contains("MariaDB") => format!("MariaDB {} at {}", plain(&version), url.server()),
        Engine::Mysql => format!("MySQL {version} at {}", url.server()),
    };
    let mut remarks = Vec::new();
    let remark = |what: &str, next: &str| Finding::warning("", what, next);
    if connection.is_galera().await? {
        remarks.push(remark(
            "on a Galera cluster, where the lock keeps out only leapfrogs that come through the same node",
            "let the cloud file name one node",
        ));
    }
    if url.engine() != Engine::Sqlite {
        remarks.extend(clock(connection).await?);
    }
    if let Some(LockError::Held { holder, session }) = connection.held(url).await? {
        let who = holder.map_or(session, |holder| holder.to_string());
        let next = "wait until it is done, or stop it with SIGTERM; then ask again";
        remarks.push(Finding::failure("", format!("locked by {who}"), next));
    }
    let sessions = connection.sessions(&BTreeSet::new(), url.name()).await?;
    if !sessions.whole {
        remarks.push(remark(
            "other users' sessions cannot be seen, so that a service which was not stopped may go unseen",
            "grant the users in the cloud file PROCESS, or make sure that every service is stopped",
        ));
    }
    if connection.distrusted().await? > 0 {
        remarks.push(remark(
            "has triggers or routines, and its server logs changes without trusting whoever makes them \
             (log_bin_trust_function_creators is off): a restore point of it cannot be brought back by this user",
            "let an administrator of the server run: SET GLOBAL log_bin_trust_function_creators = ON;",
        ));
    }
    Ok(Seen { server, version: (url.engine(), version), remarks })
}

/// A version without what packages add to it.
fn plain(version: &str) -> &str {
    version.split('-').next().unwrap_or(version)
}

/// The server's clock, where it is not ours.
async fn clock(connection: &mut Connection) -> Result<Option<Finding>, QueryError> {
    let ours = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let before = ours();
    let theirs = connection.clock().await?;
    let after = ours();
    // It was read at some time in between.
    let ahead = if theirs > after { theirs - after } else { (theirs - before).min(0.0) };
    if ahead.abs() < APART {
        return Ok(None);
    }
    let way = if ahead > 0.0 { "ahead of" } else { "behind" };
    let what = format!("the server's clock is {:.0} s {way} this machine's", ahead.abs());
    let next = "synchronise both: heartbeats of services are judged by the server's, journals have this machine's";
    Ok(Some(Finding { about: "clock".to_owned(), ..Finding::warning("", what, next) }))
}

/// Restore points: the clients, the rights, the room.
async fn points(
    world: &World,
    urls: &BTreeMap<DatabaseId, ConnectionUrl>,
    versions: &BTreeSet<(Engine, String)>,
) -> Vec<Finding> {
    const ABOUT: &str = "restore points";
    let Points { policy, proof } = world.cloud.restore_points.points;
    if policy == PointPolicy::None {
        let what = "the cloud file says that there are none: after a failure nothing brings the databases back";
        return vec![Finding::warning(ABOUT, what, "have backups of your own, which you know how to bring back")];
    }
    let lacks = restore::lacks(urls, proof, &points::setting(world), Way::Ask).await;
    let mut findings: Vec<Finding> = lacks
        .into_iter()
        .map(|lack| {
            let of = if lack.databases.is_empty() { String::new() } else { format!("of {}: ", named(&lack.databases)) };
            Finding::failure(ABOUT, format!("{of}failed to {}", lack.error.line()), lack.error.advice())
        })
        .collect();
    if findings.is_empty() {
        let directory = &world.cloud.restore_points.directory;
        let clients = clients(versions).map(|clients| format!(" with {clients}")).unwrap_or_default();
        findings.push(Finding::ok(ABOUT, format!("can be taken{clients} into {directory}")));
    }
    findings
}

/// The programs that dump databases of these servers.
fn clients(versions: &BTreeSet<(Engine, String)>) -> Option<String> {
    let found = versions.iter().filter(|(engine, _)| *engine != Engine::Sqlite);
    let found = found.filter_map(|(engine, version)| Client::find(*engine, version).ok());
    let found: BTreeSet<String> = found.map(|client| client.dump.display().to_string()).collect();
    (!found.is_empty()).then(|| found.into_iter().collect::<Vec<_>>().join(" and "))
}
