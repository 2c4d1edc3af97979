//! How a command finds its private configuration, and that of the machine not.
//!
//! OpenStack's commands look for their configuration in `~/.PROJECT`, `~`, `/etc/PROJECT` and `/etc`, in this order
//! (oslo.config, `find_config_files`), for `PROJECT.conf` and `PROGRAM.conf`, each where it is found first; the same
//! with `.conf.d` directories. So a home of the command's own, with every name in it that could be looked for, is
//! all they see: what the task was given, and empty files and directories in the place of everything else. A command that
//! looks for its file in no home is told where it is, with the option that its playbook names.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::place::{Place, make_private, write_private};
use crate::runner::PrivateFile;

/// The endings of what oslo.config looks for.
const ENDINGS: [&str; 2] = [".conf", ".conf.d"];

/// A private file's project and its name in it: of `/etc/nova/nova.conf`, `nova` and `nova.conf`. None for a place
/// where no command of a local environment would look.
pub(super) fn project_of(path: &Utf8Path) -> Option<(&str, &str)> {
    let parts: Vec<Utf8Component<'_>> = path.components().collect();
    match parts[..] {
        [
            Utf8Component::RootDir,
            Utf8Component::Normal("etc"),
            Utf8Component::Normal(project),
            Utf8Component::Normal(name),
        ] if name.ends_with(".conf") && !path.as_str().contains("/../") => Some((project, name)),
        _ => None,
    }
}

/// Writes private files to where the command `program` looks for them first, and hides what the machine has. Returns the
/// arguments that name those which it would not find.
///
/// # Errors
/// A file cannot be written.
pub(super) fn put_files(place: &Place, files: &[PrivateFile], program: &str) -> io::Result<Vec<String>> {
    for directory in [place.home(), place.work(), place.temporary()] {
        make_private(&directory)?;
    }
    let (mut projects, mut arguments) = (BTreeSet::new(), Vec::new());
    for file in files {
        let Some((project, name)) = project_of(&file.path) else {
            return Err(io::Error::other(format!("no command looks for its configuration at {}", file.path)));
        };
        let directory = place.home().join(format!(".{project}"));
        make_private(&directory)?;
        let own = directory.join(name);
        write_private(&own, file.content.expose().as_bytes())?;
        arguments.extend(file.passed_with.clone().map(|option| [option, own.into_string()]).into_iter().flatten());
        projects.insert(project);
    }
    // A command without a file of its own still belongs to a project: `nova-manage` to nova.
    projects.extend(program.split_once('-').map(|(project, _)| project).filter(|_| projects.is_empty()));
    for project in projects {
        hide(&place.home().join(format!(".{project}")), project, program, Utf8Path::new("/etc"))?;
    }
    Ok(arguments)
}

/// Puts something empty in the place of each configuration that a command of `project` might find below `etc`.
fn hide(directory: &Utf8Path, project: &str, program: &str, etc: &Utf8Path) -> io::Result<()> {
    make_private(directory)?;
    let mut names: BTreeSet<String> =
        [project, program].iter().flat_map(|name| ENDINGS.map(|ending| format!("{name}{ending}"))).collect();
    // What else is there: glance-manage also looks for glance-api.conf and glance-registry.conf.
    names.extend(configurations(&etc.join(project)));
    names.extend(configurations(etc).into_iter().filter(|name| name.starts_with(project)));
    for name in names {
        let path: Utf8PathBuf = directory.join(&name);
        if path.exists() {
            continue;
        }
        if name.ends_with(".d") { make_private(&path)? } else { write_private(&path, b"")? }
    }
    Ok(())
}

/// The names in a directory that end as configurations do.
fn configurations(directory: &Utf8Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::model::Secret;

    #[test]
    fn only_where_commands_look_can_a_private_file_be() {
        assert_eq!(project_of("/etc/glance/glance-api.conf".into()), Some(("glance", "glance-api.conf")));
        for path in [
            "/etc/nova.conf",
            "etc/nova/nova.conf",
            "/etc/nova/a/nova.conf",
            "/etc/../etc/nova.conf",
            "/",
            "/etc/nova/policy.yaml",
        ] {
            assert_eq!(project_of(path.into()), None, "{path}");
        }
    }

    #[test]
    fn a_command_finds_its_own_file_first_and_nothing_of_the_machine_s() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = Utf8Path::from_path(directory.path()).expect("UTF-8");
        let place = Place(root.join("task"));
        let content = Secret::new("[database]\nconnection = s3cret\n");
        let files = [PrivateFile { path: "/etc/glance/glance-api.conf".into(), passed_with: None, content }];
        assert_eq!(put_files(&place, &files, "glance-manage").expect("written"), [""; 0]);
        let home = place.home().join(".glance");
        let own = home.join("glance-api.conf");
        assert!(fs::read_to_string(&own).expect("there").contains("s3cret"));
        for (path, mode) in [(&place.home(), 0o700), (&home, 0o700), (&own, 0o600), (&place.work(), 0o700)] {
            assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, mode, "{path}");
        }
        // As on a machine where glance is installed.
        let etc = root.join("etc");
        fs::create_dir_all(etc.join("glance/glance-registry.conf.d")).expect("made");
        for name in ["glance/glance-registry.conf", "glance/glance-api.conf", "glance-manage.conf", "nova.conf"] {
            fs::write(etc.join(name), "[database]\nconnection = wrong\n").expect("written");
        }
        hide(&home, "glance", "glance-manage", &etc).expect("hidden");
        let mut names: Vec<String> = home
            .read_dir_utf8()
            .expect("readable")
            .map(|entry| entry.expect("an entry").file_name().to_owned())
            .collect();
        names.sort();
        let expected = [
            "glance-api.conf",
            "glance-manage.conf",
            "glance-manage.conf.d",
            "glance-registry.conf",
            "glance-registry.conf.d",
            "glance.conf",
            "glance.conf.d",
        ];
        assert_eq!(names, expected);
        assert!(fs::read_to_string(&own).expect("there").contains("s3cret"), "what was given stays");
        assert_eq!(fs::read_to_string(home.join("glance-manage.conf")).expect("there"), "");
        place.forget_secrets();
        assert!(!own.exists());
    }

    #[test]
    fn a_command_that_looks_in_no_home_is_told_where_its_file_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Place(Utf8Path::from_path(directory.path()).expect("UTF-8").join("task"));
        let file = |passed_with: Option<&str>| PrivateFile {
            path: "/etc/designate/designate.conf".into(),
            passed_with: passed_with.map(str::to_owned),
            content: Secret::new("[storage:sqlalchemy]\n"),
        };
        let told = put_files(&place, &[file(Some("--config-file"))], "designate-manage").expect("written");
        assert_eq!(told, ["--config-file".to_owned(), place.home().join(".designate/designate.conf").to_string()]);
        assert!(fs::read_to_string(&told[1]).expect("there").contains("storage:sqlalchemy"));
    }
}
