//! Taking a restore point: look, dump, prove, record.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use camino::Utf8Path;
use jiff::Timestamp;

use super::client::Client;
use super::error::RestoreError;
use super::pipe::{Control, Script, Written, compress, dump, in_thread, load};
use super::point::{Means, Name, Point, PointFiles};
use super::ready::room;
use super::snapshot::{perform, told};
use super::{Setting, sqlite};
use crate::database::{Connection, Depth, Fingerprint, MARKER, Scratch, ScratchUse, connect};
use crate::model::{ConnectionUrl, Engine, PointProof};
use crate::observe::heads;

/// The most rows of a table whose contents are compared where only a sample is.
const SAMPLE: u64 = 10_000;

/// How often progress is told.
const TELLING: Duration = Duration::from_secs(2);

/// Which restore point is to be taken.
#[derive(Debug, Clone)]
pub struct Order {
    /// The cloud's name.
    pub cloud: String,
    /// What it will be called.
    pub name: Name,
    /// How it is proved.
    pub proof: PointProof,
}

/// How much is looked at for a proof.
pub(super) fn depth(proof: PointProof) -> Depth {
    match proof {
        PointProof::Off => Depth::Counts,
        PointProof::Sample => Depth::UpTo(SAMPLE),
        PointProof::Full => Depth::Contents,
    }
}

/// Takes a restore point of the database at `url`. `tell` is told how far it is, now and then. What a dead
/// process left of one in the same hop is thrown away first. A caller that does not wait for the end ends it.
///
/// # Errors
/// It could not be taken or proved; nothing that counts is left of it then.
pub async fn save(
    order: &Order,
    url: &ConnectionUrl,
    setting: &Setting,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<Point, RestoreError> {
    let files = PointFiles::at(&setting.directory);
    files.discard_others(&order.name)?;
    files.clear(&order.name)?;
    files.make(&order.name)?;
    let saved = take(order, url, setting, &files, tell).await;
    if saved.is_err() {
        // The cause is told; that a half file could not be removed as well is not.
        let _ = files.clear(&order.name);
    }
    saved
}

async fn take(
    order: &Order,
    url: &ConnectionUrl,
    setting: &Setting,
    files: &PointFiles,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<Point, RestoreError> {
    let name = &order.name;
    let mut connection = connect(url, setting.timeout).await?;
    let version = connection.version().await?;
    let heads = heads(&mut connection).await?;
    let mut point = Point {
        format: Point::FORMAT,
        cloud: order.cloud.clone(),
        database: name.database.clone(),
        engine: url.engine(),
        version,
        server: url.server(),
        name: url.name().to_owned(),
        time: Timestamp::now(),
        means: Means::Dump,
        file: None,
        plain: 0,
        bytes: 0,
        sum: None,
        heads,
        proof: order.proof,
        fingerprint: Fingerprint::default(),
    };
    let control = Arc::new(Control::default());
    if let Some(snapshots) = &setting.snapshots {
        point.means = Means::Snapshot;
        point.proof = PointProof::Off;
        point.fingerprint = connection.fingerprint(Depth::Counts, None).await?;
        connection.close().await;
        let (words, variables) = (snapshots.save.clone(), told(name, url));
        in_thread(&control, move |control| perform(&words, variables, "take a snapshot", control)).await?;
        files.commit(name, &point)?;
        return Ok(point);
    }
    room(setting, url.engine(), connection.data_size().await?)?;
    let ending = if url.engine() == Engine::Sqlite { "sqlite.zst" } else { "sql.zst" };
    let (part, whole) = (files.file(name, &format!("{ending}.part")), files.file(name, ending));
    let written = if url.engine() == Engine::Sqlite {
        point.fingerprint = connection.fingerprint(depth(order.proof), None).await?;
        let plain = files.file(name, "sqlite");
        sqlite::copy(&mut connection, &plain).await?;
        pack(&control, &plain, &part, tell).await?
    } else {
        let client = Client::find(url.engine(), &point.version)?;
        let prepared = client.dump(url).map_err(|error| RestoreError::disk("prepare", &part, error))?;
        let to = part.clone();
        let dumping = in_thread(&control, move |control| dump(prepared, &to, control));
        let dumping = telling(dumping, &control, "dumped", tell);
        let printing = async { Ok(connection.fingerprint(depth(order.proof), None).await?) };
        let (written, print) = futures_util::future::try_join(dumping, printing).await?;
        point.fingerprint = print;
        written
    };
    std::fs::rename(&part, &whole).map_err(|error| RestoreError::disk("rename", &part, error))?;
    files.sync(name)?;
    point.file = whole.file_name().map(str::to_owned);
    (point.plain, point.bytes) = (written.plain, written.bytes);
    if order.proof != PointProof::Off {
        let differences = prove(&point, &written.sum, &whole, url, setting, &control, tell).await?;
        if !differences.is_empty() {
            // Was the database another one when it was looked at than when it was dumped?
            let now = connection.fingerprint(depth(order.proof), None).await?;
            let moved = point.fingerprint.differences(&now);
            return Err(if moved.is_empty() {
                RestoreError::Unproved { differences: few(differences) }
            } else {
                RestoreError::Moving { differences: few(moved) }
            });
        }
    }
    connection.close().await;
    point.sum = Some(written.sum);
    files.commit(name, &point)?;
    Ok(point)
}

/// Compresses an SQLite file and removes it.
async fn pack(
    control: &Arc<Control>,
    plain: &Utf8Path,
    part: &Utf8Path,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<Written, RestoreError> {
    let (from, to) = (plain.to_owned(), part.to_owned());
    let packing = in_thread(control, move |control| {
        let source = std::fs::File::open(&from).map_err(|error| RestoreError::disk("read", &from, error))?;
        compress(source, &to, control)
    });
    let written = telling(packing, control, "dumped", tell).await?;
    std::fs::remove_file(plain).map_err(|error| RestoreError::disk("remove", plain, error))?;
    Ok(written)
}

/// Brings a dump back into a scratch database. Returns what of it is not as it was recorded.
async fn prove(
    point: &Point,
    sum: &str,
    dump: &Utf8Path,
    url: &ConnectionUrl,
    setting: &Setting,
    control: &Arc<Control>,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<Vec<String>, RestoreError> {
    if url.engine() == Engine::Sqlite {
        let scratch = dump.with_extension("");
        let (from, to, sum) = (dump.to_owned(), scratch.clone(), sum.to_owned());
        let unpacking = in_thread(control, move |control| sqlite::unpack(&from, &sum, &to, control));
        telling(unpacking, control, "proved", tell).await?;
        let found = async {
            let mut connection = connect(&url.clone().with_name(scratch.as_str()), setting.timeout).await?;
            let found = compare(point, &mut connection, None).await;
            connection.close().await;
            found
        };
        let found = found.await;
        std::fs::remove_file(&scratch).map_err(|error| RestoreError::disk("remove", &scratch, error))?;
        return found;
    }
    let client = Client::find(url.engine(), &point.version)?;
    let scratch = Scratch::make(url, ScratchUse::Proof, setting.timeout).await?;
    let found = async {
        let prepared = client.load(scratch.url()).map_err(|error| RestoreError::disk("prepare", dump, error))?;
        let (from, sum) = (dump.to_owned(), sum.to_owned());
        let (first, last) = transaction(url.engine());
        let loading =
            in_thread(control, move |control| load(prepared, &Script { first, path: &from, sum: &sum, last }, control));
        telling(loading, control, "brought back into the scratch database", tell).await?;
        let mut connection = connect(scratch.url(), setting.timeout).await?;
        let found = compare(point, &mut connection, Some(MARKER)).await;
        connection.close().await;
        found
    };
    let found = found.await;
    // One that cannot be dropped now is found by the next proof.
    let dropped = scratch.drop().await;
    let found = found?;
    dropped?;
    Ok(found)
}

/// What begins and ends a script, so that a half of it changes nothing where the engine allows that.
pub(super) fn transaction(engine: Engine) -> (&'static str, &'static str) {
    match engine {
        Engine::Postgresql => ("BEGIN;\n", "COMMIT;\n"),
        Engine::Mysql | Engine::Sqlite => ("", ""),
    }
}

/// What of a database is not as it was recorded.
pub(super) async fn compare(
    point: &Point,
    connection: &mut Connection,
    passes_over: Option<&str>,
) -> Result<Vec<String>, RestoreError> {
    let found = connection.fingerprint(depth(point.proof), passes_over).await?;
    let mut differences = point.fingerprint.differences(&found);
    let found = heads(connection).await?;
    if found != point.heads {
        differences.insert(0, format!("it stands at {found}, not at {}", point.heads));
    }
    Ok(differences)
}

/// The first of many sentences.
pub(super) fn few(mut sentences: Vec<String>) -> Vec<String> {
    const MOST: usize = 5;
    if sentences.len() > MOST {
        let more = sentences.len() - MOST;
        sentences.truncate(MOST);
        sentences.push(format!("and {more} more"));
    }
    sentences
}

/// Waits for `work`, and tells how many bytes went through.
pub(super) async fn telling<T>(
    work: impl Future<Output = T>,
    control: &Control,
    what: &str,
    tell: &(dyn Fn(String) + Send + Sync),
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(TELLING) => {
                let bytes = control.passed.load(Ordering::Relaxed);
                tell(format!("{} MB {what}", bytes / 1_000_000));
            }
        }
    }
}

impl Name {
    /// The restore point's dump in words, for errors about none in particular.
    pub fn place(&self) -> String {
        format!("{} before {}", self.database, self.series)
    }
}
