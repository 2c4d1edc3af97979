//! SQLite copies itself: `VACUUM INTO` writes a whole, consistent copy while others may read and write, as the
//! backup interface of its library does.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use super::error::RestoreError;
use super::pipe::{Control, Ended, expand};
use crate::database::Connection;

/// Writes a copy of the database that the connection is to.
pub(super) async fn copy(connection: &mut Connection, to: &Utf8Path) -> Result<(), RestoreError> {
    // It must not exist; nobody but this user may read it.
    let _ = fs::remove_file(to);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    made.map_err(|error| RestoreError::disk("make", to, error))?;
    connection.rows(&format!("VACUUM INTO '{}'", to.as_str().replace('\'', "''"))).await?;
    Ok(())
}

/// Expands a dump into a new file.
pub(super) fn unpack(dump: &Utf8Path, sum: &str, to: &Utf8Path, control: &Control) -> Result<u64, RestoreError> {
    let disk = |action| move |error| RestoreError::disk(action, to, error);
    let _ = fs::remove_file(to);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut file = made.map_err(disk("make"))?;
    let expanded = expand(dump, sum, &mut file, control);
    let plain = expanded.map_err(|ended| match ended {
        Ended::Source(error) => error,
        Ended::Sink(error) => RestoreError::disk("write", to, error),
    })?;
    file.flush().and_then(|()| file.sync_all()).map_err(disk("flush"))?;
    Ok(plain)
}

/// Puts a file in the place of the database at `path`, with its owner and mode.
pub(super) fn replace(path: &Utf8Path, by: &Utf8Path) -> Result<(), RestoreError> {
    let disk = |error| RestoreError::disk("replace", path, error);
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(by, fs::Permissions::from_mode(old.mode() & 0o7777)).map_err(disk)?;
        let new = fs::metadata(by).map_err(disk)?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            std::os::unix::fs::chown(by, Some(old.uid()), Some(old.gid())).map_err(disk)?;
        }
    }
    // What belongs to the old file would be read into the new one.
    for ending in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(format!("{path}{ending}")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk(error)),
            _ => {}
        }
    }
    fs::rename(by, path).map_err(disk)?;
    let directory = path.parent().unwrap_or(Utf8Path::new("/"));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(disk)
}

/// Where a database is expanded before it takes the place of the old one.
pub(super) fn beside(path: &Utf8Path) -> Utf8PathBuf {
    format!("{path}.leapfrog-restore").into()
}
