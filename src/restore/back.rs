//! The way back: a database becomes what it was when its restore point was taken.

use std::io;
use std::sync::Arc;

use camino::Utf8Path;

use super::client::Client;
use super::error::RestoreError;
use super::pipe::{Control, Ended, Script, expand, in_thread, load};
use super::point::{Means, Name, Point, PointFiles};
use super::save::{compare, few, telling, transaction};
use super::snapshot::{perform, told};
use super::{Setting, sqlite};
use crate::database::{Purpose, connect, connect_for};
use crate::model::{ConnectionUrl, Engine};

/// A database that was brought back, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// What was recorded of the restore point, and is what the database shows.
    pub point: Point,
}

/// Brings the database at `url` back to a restore point and proves it. Everything in it that came later is
/// removed. It can be done again whenever it was cut off; until it ends well the database stands nowhere.
///
/// # Errors
/// The restore point is not what was written (then nothing was touched), the server does not take it, or the
/// database does not show what was recorded.
pub async fn bring_back(
    name: &Name,
    url: &ConnectionUrl,
    setting: &Setting,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<Back, RestoreError> {
    let files = PointFiles::at(&setting.directory);
    let point = files.read(name)?;
    let control = Arc::new(Control::default());
    if point.engine != url.engine() {
        let why = format!("it is of {}, and the cloud file says {}", point.engine, url.engine());
        return Err(RestoreError::Damaged { path: files.file(name, "json"), why });
    }
    let named = (url.server(), url.name());
    if (point.server.as_str(), point.name.as_str()) != (named.0.as_str(), named.1) {
        return Err(RestoreError::OtherDatabase {
            dumped: format!("{} on {}", point.name, point.server),
            named: format!("{} on {}", named.1, named.0),
            file: files.dump(name, &point).unwrap_or_else(|| files.file(name, "json")),
        });
    }
    match (point.means, files.dump(name, &point), &point.sum) {
        (Means::Snapshot, ..) => restore_snapshot(name, url, setting, &control).await?,
        (Means::Dump, Some(dump), Some(sum)) => {
            whole(&dump, sum, &control).await?;
            load_dump(&point, &dump, sum, url, setting, &control, tell).await?;
        }
        (Means::Dump, ..) => {
            let why = "it names no dump".to_owned();
            return Err(RestoreError::Damaged { path: files.file(name, "json"), why });
        }
    }
    let mut connection = connect(url, setting.timeout).await?;
    let differences = compare(&point, &mut connection, None).await;
    connection.close().await;
    match differences? {
        differences if differences.is_empty() => Ok(Back { point }),
        differences => Err(RestoreError::NotRestored { differences: few(differences) }),
    }
}

/// That a dump can be read to its end and is what was written, before anything is removed for it.
async fn whole(dump: &Utf8Path, sum: &str, control: &Arc<Control>) -> Result<(), RestoreError> {
    let (path, sum) = (dump.to_owned(), sum.to_owned());
    in_thread(control, move |control| match expand(&path, &sum, &mut io::sink(), control) {
        Ok(_) => Ok(()),
        Err(Ended::Source(error)) => Err(error),
        Err(Ended::Sink(error)) => Err(RestoreError::disk("read", &path, error)),
    })
    .await
}

async fn restore_snapshot(
    name: &Name,
    url: &ConnectionUrl,
    setting: &Setting,
    control: &Arc<Control>,
) -> Result<(), RestoreError> {
    let Some(snapshots) = &setting.snapshots else {
        let path = setting.directory.join(name.to_string());
        let why = "it is a snapshot of the operator's own, and the cloud file names no command that restores it";
        return Err(RestoreError::Damaged { path, why: why.to_owned() });
    };
    let (words, variables) = (snapshots.restore.clone(), told(name, url));
    in_thread(control, move |control| perform(&words, variables, "restore a snapshot", control)).await
}

async fn load_dump(
    point: &Point,
    dump: &Utf8Path,
    sum: &str,
    url: &ConnectionUrl,
    setting: &Setting,
    control: &Arc<Control>,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<(), RestoreError> {
    const BACK: &str = "brought back";
    if url.engine() == Engine::Sqlite {
        let path = Utf8Path::new(url.name());
        let beside = sqlite::beside(path);
        let (from, to, sum) = (dump.to_owned(), beside.clone(), sum.to_owned());
        let unpacking = in_thread(control, move |control| sqlite::unpack(&from, &sum, &to, control));
        telling(unpacking, control, BACK, tell).await?;
        return sqlite::replace(path, &beside);
    }
    let client = Client::find(url.engine(), &point.version)?;
    let mut connection = connect_for(url, Purpose::Change, setting.timeout).await?;
    let clearing = connection.clearing().await?;
    let (begin, last) = transaction(url.engine());
    let mut first = begin.to_owned();
    if url.engine() == Engine::Mysql {
        // DDL ends a transaction here; what is cut off is done again.
        for statement in &clearing {
            connection.rows(statement).await?;
        }
    } else {
        first.extend(clearing.iter().map(|statement| format!("{statement};\n")));
    }
    connection.close().await;
    let prepared = client.load(url).map_err(|error| RestoreError::disk("prepare", dump, error))?;
    let (from, sum) = (dump.to_owned(), sum.to_owned());
    let loading = in_thread(control, move |control| {
        load(prepared, &Script { first: &first, path: &from, sum: &sum, last }, control)
    });
    telling(loading, control, BACK, tell).await.map(drop)
}
