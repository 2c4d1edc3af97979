//! The environments that are on this machine: what each is, and their removal.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use super::environment::{Marker, USED, clear, lock_file};
use crate::model::{Digest, ImageReference, Service};

/// An environment as it is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Where.
    pub directory: Utf8PathBuf,
    /// Its lock's digest.
    pub digest: Digest,
    /// What it was made for; nothing where its making was cut off.
    pub reference: Option<ImageReference>,
    /// The services whose code is in it.
    pub services: Vec<Service>,
    /// Its interpreter's path and version.
    pub interpreter: Option<(Utf8PathBuf, String)>,
    /// The bytes of its files; those that it shares with others count for each.
    pub bytes: u64,
    /// When it was made.
    pub made: Option<Timestamp>,
    /// When it was used last.
    pub used: Option<Timestamp>,
    /// Why it cannot be used; nothing if it can.
    pub trouble: Option<String>,
    /// The list of its packages, for `pip download -r`.
    pub lock: Utf8PathBuf,
}

/// The environments in a directory, by release.
///
/// # Errors
/// The directory cannot be read. One that is not there holds none.
pub fn shelved(environments: &Utf8Path) -> io::Result<Vec<Shelved>> {
    let entries = match environments.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(digest) = format!("sha256:{}", entry.file_name()).parse::<Digest>() else { continue };
        found.push(look(environments, entry.path(), digest));
    }
    found.sort_by(|one, two| (&one.reference, &one.digest).cmp(&(&two.reference, &two.digest)));
    Ok(found)
}

fn look(environments: &Utf8Path, directory: &Utf8Path, digest: Digest) -> Shelved {
    let marker = Marker::of(directory);
    let trouble = match &marker {
        Some(marker) => marker.trouble(directory).unwrap_or_else(|error| Some(format!("nobody can tell: {error}"))),
        None if is_held(environments, &digest) => Some("it is being made".to_owned()),
        None => Some("its making was cut off; the next leapfrog that needs it makes it anew".to_owned()),
    };
    let used = fs::metadata(directory.join(USED)).and_then(|meta| meta.modified()).ok();
    Shelved {
        directory: directory.to_owned(),
        lock: environments.join("locks").join(format!("{}.txt", directory.file_name().unwrap_or_default())),
        reference: marker.as_ref().map(|marker| marker.reference.clone()),
        services: marker.as_ref().map(|marker| marker.services.clone()).unwrap_or_default(),
        interpreter: marker
            .as_ref()
            .map(|marker| (marker.interpreter.path.clone(), marker.interpreter.version.clone())),
        bytes: marker.as_ref().map_or(0, |marker| marker.bytes),
        made: marker.as_ref().map(|marker| marker.made),
        used: used.and_then(|time| Timestamp::try_from(time).ok()),
        trouble,
        digest,
    }
}

fn held(environments: &Utf8Path, digest: &Digest) -> Utf8PathBuf {
    environments.join(format!("{}.lock", super::lock::name(digest)))
}

/// Whether somebody makes an environment, or runs a command in it.
fn is_held(environments: &Utf8Path, digest: &Digest) -> bool {
    lock_file(&held(environments, digest))
        .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_err())
}

impl Shelved {
    /// Removes it, unless somebody makes it or runs a command in it; then nothing happens and the answer is no.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> io::Result<bool> {
        let Some(environments) = self.directory.parent() else { return Ok(false) };
        let path = held(environments, &self.digest);
        let file = lock_file(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        clear(&self.directory)?;
        Ok(true)
    }
}

/// Holds an environment for as long as the file is open: it is not removed meanwhile.
pub(super) fn hold(environment: &Utf8Path) -> io::Result<fs::File> {
    let file = lock_file(&Utf8PathBuf::from(format!("{environment}.lock")))?;
    flock(&file, FlockOperation::NonBlockingLockShared)?;
    Ok(file)
}
