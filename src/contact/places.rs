//! Which files a service reads, by its playbook and by where they were found.

use camino::{Utf8Path, Utf8PathBuf};

use super::kolla;
use super::look::{Ground, Layout};
use crate::catalog::{Playbook, PlaybookStep};
use crate::model::Slot;
use crate::oslo::Name;

/// An option that holds the URL of a database, by every name that it has or had, the present one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The slots whose database's URL it is.
    pub slots: Vec<Slot>,
    /// Its names.
    pub names: Vec<Name>,
}

/// Names that oslo.db took for `[database] connection` up to 14, which is 2023.2's (`options.py`, deprecated_opts); 15,
/// which is 2024.1's, does not.
pub(super) const OLD: [(&str, &str); 3] =
    [("DEFAULT", "sql_connection"), ("database", "sql_connection"), ("sql", "connection")];

/// The options of a playbook that hold URLs; releases that follow each other may name them otherwise.
pub(super) fn options(playbook: &Playbook) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for option in playbook.configuration.iter().rev().flat_map(|file| &file.options) {
        if option.url_of.is_empty() {
            continue;
        }
        let name = Name::new(&option.group, &option.option);
        match places.iter_mut().find(|place| place.slots == option.url_of) {
            Some(place) if place.names.contains(&name) => {}
            Some(place) => place.names.push(name),
            None => places.push(Place { slots: option.url_of.clone(), names: vec![name] }),
        }
    }
    for place in &mut places {
        if place.names.contains(&Name::new("database", "connection")) {
            let old = OLD.map(|(group, option)| Name::new(group, option)).into_iter();
            let unknown: Vec<Name> = old.filter(|name| !place.names.contains(name)).collect();
            place.names.extend(unknown);
        }
    }
    places
}

/// The files that a service reads here, in their order; a path that ends in a slash is a directory. Nothing if there
/// is no trace of the service.
///
/// Packages: `PROJECT.conf` and `PROGRAM.conf`, then `PROJECT.conf.d/` and `PROGRAM.conf.d/`, for the program whose
/// file the playbook names and for the command that migrates (oslo.config, `find_config_files` and
/// `find_config_dirs`). Those that a service always reads are named even where they are not there (yet).
pub(super) fn files(playbook: &Playbook, ground: &Ground) -> Option<Vec<Utf8PathBuf>> {
    let path = playbook.configuration.last().map(|file| file.path.as_path())?;
    let (directory, name, project) = match &ground.layout {
        Layout::Packages => {
            let directory = ground.root.join(path.parent()?.strip_prefix("/").ok()?);
            (directory, path.file_name()?, path.parent()?.file_name()?)
        }
        Layout::Kolla(kolla) => {
            let name = path.file_name()?;
            let directory = kolla::directory(kolla, &playbook.service, name)?;
            (directory, name, path.parent()?.file_name()?)
        }
    };
    let mut programs = vec![name.strip_suffix(".conf").unwrap_or(name).to_owned()];
    programs.extend(commands(playbook));
    let main = directory.join(name);
    let mut files = Vec::new();
    let mut add = |path: Utf8PathBuf, always: bool| {
        // A link that leads nowhere is there: the service stumbles over it.
        let is_there = path.symlink_metadata().is_ok();
        if (always || is_there) && !files.contains(&path) {
            files.push(path);
        }
    };
    add(directory.join(format!("{project}.conf")), false);
    add(main.clone(), false);
    for program in &programs {
        add(directory.join(format!("{program}.conf")), false);
    }
    let always = ground.layout == Layout::Packages;
    add(directory.join(format!("{project}.conf.d/")), always);
    for program in &programs {
        add(directory.join(format!("{program}.conf.d/")), false);
    }
    let traces = files.iter().any(|file| !is_directory(file)) || files.iter().any(|file| holds_files(file));
    traces.then_some(files)
}

/// Where a service's main file would be.
pub(super) fn main_file(playbook: &Playbook, ground: &Ground) -> Option<Utf8PathBuf> {
    let path = playbook.configuration.last().map(|file| file.path.as_path())?;
    match &ground.layout {
        Layout::Packages => Some(ground.root.join(path.strip_prefix("/").ok()?)),
        Layout::Kolla(kolla) => Some(kolla.join(format!("{}*", playbook.service)).join(path.file_name()?)),
    }
}

fn is_directory(path: &Utf8Path) -> bool {
    path.as_str().ends_with('/')
}

fn holds_files(path: &Utf8Path) -> bool {
    let entries = path.read_dir_utf8().into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().ends_with(".conf"))
}

/// The programs that a playbook's steps run.
fn commands(playbook: &Playbook) -> Vec<String> {
    let mut programs: Vec<String> = Vec::new();
    for step in &playbook.steps {
        let command = match step {
            PlaybookStep::Run(run) => &run.command,
            PlaybookStep::Drain(drain) => &drain.command,
            PlaybookStep::Trip(_) | PlaybookStep::Check(_) => continue,
        };
        let program = command.program().to_owned();
        if !programs.contains(&program) {
            programs.push(program);
        }
    }
    programs
}
