//! Whether restore points can be taken at all: seen beforehand, with what to do where they cannot.

use std::collections::BTreeMap;

use camino::Utf8Path;
use futures_util::{StreamExt, stream};

use super::Setting;
use super::client::Client;
use super::error::RestoreError;
use crate::database::{Scratch, ScratchUse, connect};
use crate::model::{ConnectionUrl, DatabaseId, Engine, PointProof};

/// How many databases are looked at side by side.
const AT_ONCE: usize = 8;

/// Why restore points of some databases cannot be taken.
#[derive(Debug)]
pub struct Lack {
    /// The databases it is about; empty if it is about all together.
    pub databases: Vec<DatabaseId>,
    /// What is wrong.
    pub error: RestoreError,
}

/// How it is found out whether something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By doing it, and undoing it.
    Try,
    /// By asking; nothing is changed.
    Ask,
}

/// Every reason why restore points of these databases could not be taken now. Where it is tried, a scratch database
/// is made and dropped again beside each of them, for a privilege is proved by using it. A database that cannot be
/// reached is somebody else's to tell.
pub async fn lacks(
    databases: &BTreeMap<DatabaseId, ConnectionUrl>,
    proof: PointProof,
    setting: &Setting,
    way: Way,
) -> Vec<Lack> {
    let looks = databases.iter().map(|(id, url)| async move { (id, look(url, proof, setting, way).await) });
    let looks: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    let mut lacks: BTreeMap<String, Lack> = BTreeMap::new();
    let mut sizes: BTreeMap<bool, u64> = BTreeMap::new();
    for (id, looked) in looks {
        match looked {
            Ok(size) => *sizes.entry(databases[id].engine() == Engine::Sqlite).or_default() += size,
            Err(RestoreError::Connect(_)) => {}
            Err(error) => {
                // The same words about several databases are told once.
                let lack = lacks.entry(error.line() + &error.advice());
                lack.or_insert_with(|| Lack { databases: Vec::new(), error }).databases.push(id.clone());
            }
        }
    }
    let mut lacks: Vec<Lack> = lacks.into_values().collect();
    if setting.snapshots.is_none() {
        let need = sizes.iter().map(|(sqlite, size)| needed(*sqlite, *size)).sum();
        let room = match way {
            Way::Try => {
                make(std::fs::DirBuilder::new(), &setting.directory).and_then(|()| enough(&setting.directory, need))
            }
            Way::Ask => could_be_made(&setting.directory).and_then(|there| enough(there, need)),
        };
        if let Err(error) = room {
            lacks.push(Lack { databases: Vec::new(), error });
        }
    }
    for lack in &mut lacks {
        lack.databases.sort();
    }
    lacks
}

fn make(mut builder: std::fs::DirBuilder, directory: &Utf8Path) -> Result<(), RestoreError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = builder.recursive(true).mode(0o700).create(directory);
    made.map_err(|error| RestoreError::disk("make the directory", directory, error))
}

/// The part of the path that is there, if what is missing of it could be made.
fn could_be_made(directory: &Utf8Path) -> Result<&Utf8Path, RestoreError> {
    let there = directory.ancestors().find(|part| part.exists()).unwrap_or(Utf8Path::new("."));
    let there = if there.as_str().is_empty() { Utf8Path::new(".") } else { there };
    let writable = rustix::fs::access(there.as_std_path(), rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    writable.map_err(|error| RestoreError::disk("write to", there, error.into()))?;
    Ok(there)
}

/// The size of a database, if all is there for a restore point of it.
async fn look(url: &ConnectionUrl, proof: PointProof, setting: &Setting, way: Way) -> Result<u64, RestoreError> {
    let mut connection = connect(url, setting.timeout).await?;
    let looked = async {
        let version = connection.version().await?;
        let size = connection.data_size().await?;
        Ok::<_, RestoreError>((version, size))
    };
    let looked = looked.await;
    connection.close().await;
    let (version, size) = looked?;
    if url.engine() != Engine::Sqlite && setting.snapshots.is_none() {
        Client::find(url.engine(), &version)?;
        if proof != PointProof::Off {
            match way {
                Way::Try => Scratch::make(url, ScratchUse::Proof, setting.timeout).await?.drop().await?,
                Way::Ask => Scratch::could_be_made(url, ScratchUse::Proof, setting.timeout).await?,
            }
        }
    }
    Ok(size)
}

/// That there is room for the dump of a database with so many bytes of data.
pub(super) fn room(setting: &Setting, engine: Engine, size: u64) -> Result<(), RestoreError> {
    enough(&setting.directory, needed(engine == Engine::Sqlite, size))
}

/// How many bytes dumps of so much data may take: they are compressed, to a fifth or a tenth most of the time.
/// SQLite writes a copy first.
fn needed(sqlite: bool, size: u64) -> u64 {
    if sqlite { size.saturating_mul(2) } else { size / 2 }
}

fn enough(directory: &Utf8Path, need: u64) -> Result<(), RestoreError> {
    let stat = rustix::fs::statvfs(directory.as_std_path());
    let stat = stat.map_err(|error| RestoreError::disk("look at", directory, error.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < need { Err(RestoreError::Room { directory: directory.to_owned(), need, free }) } else { Ok(()) }
}
