//! Looks into an environment without running anything in it.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::Local;
use super::tool::{blocking, is_program};
use super::trouble::{RunnerErrorExt, trouble};
use crate::runner::read::READ;
use crate::runner::{PackageFiles, PackageRequest, PinnedImage, ReadFiles, ReadRequest, RunnerError, RunnerErrorKind};

/// The largest file that is read; a migration script has some kilobytes.
const LARGEST: u64 = 16 << 20;

impl Local {
    /// Reads what is asked for of an environment that is here.
    pub(super) async fn read_environment(
        &self,
        image: &PinnedImage,
        request: &ReadRequest,
    ) -> Result<ReadFiles, RunnerError> {
        let Some(environment) = self.ready(image).await? else { return Err(self.not_here(&image.reference)) };
        let request = request.clone();
        let named = environment.clone();
        blocking(move || look(&environment, &request)).await.map_err(|error| {
            let what = format!("{named} cannot be read: {error}");
            let advice = "Remove it (`leapfrog env remove`), then run the same command again: it is made anew.";
            trouble(RunnerErrorKind::Other, what, advice).because(error)
        })
    }
}

/// A program of an environment: by its name, never from elsewhere on the machine.
pub(super) fn find_program(environment: &Utf8Path, name: &str) -> Option<Utf8PathBuf> {
    let path = environment.join("bin").join(name);
    (!name.contains('/') && is_program(path.as_std_path())).then_some(path)
}

/// Where an environment's packages are.
pub(super) fn packages(environment: &Utf8Path) -> Option<Utf8PathBuf> {
    let lib = environment.join("lib").read_dir_utf8().ok()?;
    let mut found = lib.flatten().map(|entry| entry.path().join("site-packages"));
    found.find(|path| path.is_dir())
}

fn look(environment: &Utf8Path, request: &ReadRequest) -> io::Result<ReadFiles> {
    let lacking: BTreeSet<String> =
        request.programs.iter().filter(|program| find_program(environment, program).is_none()).cloned().collect();
    let mut found = Vec::new();
    for package in &request.packages {
        let place = find_program(environment, &package.program).and_then(|_| packages(environment));
        found.push(match place {
            Some(place) => read_package(&place, package)?,
            None => PackageFiles::default(),
        });
    }
    Ok(ReadFiles { lacking, packages: found })
}

fn read_package(place: &Utf8Path, request: &PackageRequest) -> io::Result<PackageFiles> {
    let mut read = PackageFiles { place: Some(place.to_string()), ..PackageFiles::default() };
    for directory in &request.directories {
        if place.join(directory).is_dir() {
            read_below(place, directory, &mut read)?;
        } else {
            read.missing.insert(directory.clone());
        }
    }
    for file in &request.files {
        if place.join(file).exists() {
            read_one(place, file, &mut read)?;
        } else {
            read.missing.insert(file.clone());
        }
    }
    read.candidate = request.candidates.iter().find(|candidate| place.join(candidate).exists()).cloned();
    Ok(read)
}

/// Reads the scripts below a directory. What is linked to is read in the link's place; a link to a directory is
/// not followed.
fn read_below(place: &Utf8Path, directory: &str, read: &mut PackageFiles) -> io::Result<()> {
    for entry in place.join(directory).read_dir_utf8()? {
        let entry = entry?;
        let path = format!("{directory}/{}", entry.file_name());
        if entry.file_type()?.is_dir() {
            read_below(place, &path, read)?;
        } else if READ.iter().any(|ending| path.ends_with(ending)) {
            read_one(place, &path, read)?;
        }
    }
    Ok(())
}

fn read_one(place: &Utf8Path, path: &str, read: &mut PackageFiles) -> io::Result<()> {
    let full = place.join(path);
    match fs::metadata(&full) {
        Ok(meta) if meta.is_file() && meta.len() <= LARGEST => {
            read.texts.insert(path.to_owned(), String::from_utf8_lossy(&fs::read(&full)?).into_owned());
        }
        Ok(meta) if meta.is_file() => drop(read.unread.insert(path.to_owned(), "it is too large".to_owned())),
        Ok(_) => drop(read.unread.insert(path.to_owned(), "it is no file".to_owned())),
        Err(_) => drop(read.unread.insert(path.to_owned(), "it is a link that leads to no file".to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_environment_is_read_as_an_image_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = Utf8Path::from_path(directory.path()).expect("UTF-8");
        let place = root.join("lib/python3.11/site-packages");
        fs::create_dir_all(place.join("nova/db/versions/old")).expect("made");
        fs::create_dir(root.join("bin")).expect("made");
        for (path, text) in
            [("nova/db/versions/a.py", "a"), ("nova/db/versions/old/b.py", "b"), ("nova/db/versions/c.txt", "c")]
        {
            fs::write(place.join(path), text).expect("written");
        }
        symlink("/nowhere.py", place.join("nova/db/versions/gone.py")).expect("linked");
        for (name, mode) in [("nova-manage", 0o755), ("no-program", 0o644)] {
            fs::write(root.join("bin").join(name), "").expect("written");
            fs::set_permissions(root.join("bin").join(name), fs::Permissions::from_mode(mode)).expect("set");
        }
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<String>>();
        let package = PackageRequest {
            program: "nova-manage".into(),
            directories: words(&["nova/db/versions", "nova/none"]),
            files: words(&["nova/cmd/manage.py"]),
            candidates: vec!["nova/x".into(), "nova/db".into()],
        };
        let other = PackageRequest { program: "sh".into(), ..PackageRequest::default() };
        let request = ReadRequest {
            programs: words(&["nova-manage", "no-program", "sh", "/bin/sh", "../bin/nova-manage"]),
            packages: vec![package, other],
        };
        let read = look(root, &request).expect("read");
        assert_eq!(read.lacking, words(&["no-program", "sh", "/bin/sh", "../bin/nova-manage"]));
        assert_eq!(read.packages[1], PackageFiles::default(), "a program of the machine is none of the environment");
        let nova = &read.packages[0];
        assert_eq!(
            nova.texts.keys().cloned().collect::<BTreeSet<_>>(),
            words(&["nova/db/versions/a.py", "nova/db/versions/old/b.py"])
        );
        assert_eq!(nova.missing, words(&["nova/none", "nova/cmd/manage.py"]));
        assert_eq!(nova.unread.keys().cloned().collect::<BTreeSet<_>>(), words(&["nova/db/versions/gone.py"]));
        assert_eq!(nova.candidate.as_deref(), Some("nova/db"));
    }
}
