//! Where the Python packages of a program are.
//!
//! A program in a virtual environment (kolla: `/var/lib/kolla/venv`, LOCI: `/var/lib/openstack`) has the
//! environment's `pyvenv.cfg` beside its directory; or its first line names the environment's interpreter. A
//! program of the system's Python is looked up where that looks.

use std::collections::BTreeMap;

use super::Containers;
use super::programs::{Probe, is_directory, is_link};
use crate::runner::RunnerError;

/// The minor versions of Python 3 that are tried where an interpreter's name does not tell; after them 2.7, which the releases
/// up to Train run on and whose environments (virtualenv before 20) have no `pyvenv.cfg`.
const MINORS: std::ops::RangeInclusive<u32> = 6..=16;

/// Environments that were looked for, by their directory; none is kept as well.
pub(super) type Environments = BTreeMap<String, Option<String>>;

impl Containers {
    /// The directories in which the packages of `program` may be, the likeliest first.
    pub(super) async fn places(
        &self,
        probe: &Probe,
        program: &str,
        environments: &mut Environments,
    ) -> Result<Vec<String>, RunnerError> {
        let Some(program) = self.find_program(&probe.id, &probe.path, program).await? else { return Ok(Vec::new()) };
        if let Some(place) = self.environment_of(probe, &program, environments).await? {
            return Ok(vec![place]);
        }
        let text = self.read_file(probe, &program).await?.unwrap_or_default();
        let Some(interpreter) = interpreter(&text) else { return Ok(Vec::new()) };
        let interpreter = match interpreter.strip_prefix("env:") {
            Some(name) => match self.find_program(&probe.id, &probe.path, name).await? {
                Some(path) => path,
                None => return Ok(Vec::new()),
            },
            None => interpreter,
        };
        // As it is named: in an environment it is a link that leads out of it.
        if let Some(place) = self.environment_of(probe, &interpreter, environments).await? {
            return Ok(vec![place]);
        }
        let found = self.stat(&probe.id, &interpreter).await?;
        let target = found.filter(is_link).map(|found| found.link_target).filter(|target| !target.is_empty());
        let interpreter = target.unwrap_or(interpreter);
        let mut places = Vec::new();
        for version in versions_of(&interpreter) {
            for place in system_places(&interpreter, &version) {
                if !places.contains(&place) && self.stat(&probe.id, &place).await?.as_ref().is_some_and(is_directory) {
                    places.push(place);
                }
            }
        }
        Ok(places)
    }

    /// The packages of the virtual environment that the program at `path` lies in, if it lies in one.
    async fn environment_of(
        &self,
        probe: &Probe,
        path: &str,
        environments: &mut Environments,
    ) -> Result<Option<String>, RunnerError> {
        let Some(prefix) = prefix(path) else { return Ok(None) };
        if let Some(known) = environments.get(prefix) {
            return Ok(known.clone());
        }
        let configuration = self.read_file(probe, &format!("{prefix}/pyvenv.cfg")).await?;
        let version = configuration.as_deref().and_then(environment_version);
        let mut place = version.map(|version| format!("{prefix}/lib/python{version}/site-packages"));
        if let Some(path) = &place
            && self.stat(&probe.id, path).await?.is_none()
        {
            place = None;
        }
        environments.insert(prefix.to_owned(), place.clone());
        Ok(place)
    }
}

/// The directory above the one that a program lies in.
fn prefix(program: &str) -> Option<&str> {
    let (directory, _) = program.rsplit_once('/')?;
    directory.rsplit_once('/').map(|(prefix, _)| prefix)
}

/// `3.11` of the `version` (venv, virtualenv) or `version_info` (virtualenv, uv) of a `pyvenv.cfg`.
fn environment_version(configuration: &str) -> Option<String> {
    let values = configuration.lines().filter_map(|line| line.split_once('='));
    values
        .filter(|(key, _)| matches!(key.trim().to_ascii_lowercase().as_str(), "version" | "version_info"))
        .find_map(|(_, value)| short_version(value.trim()))
}

/// `3.11` of `3.11.2`.
fn short_version(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    Some(format!("{major}.{minor}"))
}

/// The interpreter that a program's first line names; `env:NAME` where it is looked for in the `PATH`.
fn interpreter(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let mut words = lines.next()?.strip_prefix("#!")?.split_whitespace();
    let first = words.next()?;
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    if name(first) == "env" {
        let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        return name.starts_with("python").then(|| format!("env:{name}"));
    }
    if name(first).starts_with("python") {
        return Some(first.to_owned());
    }
    // pip's way around the length that a first line may have: #!/bin/sh, then '''exec' "/…/python" "$0" "$@".
    let second = lines.next()?.trim().strip_prefix("'''exec'")?.trim_start();
    let path = match second.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => second.split_whitespace().next()?,
    };
    path.starts_with('/').then(|| path.to_owned())
}

/// The versions that an interpreter may have, by its name.
fn versions_of(interpreter: &str) -> Vec<String> {
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    match name.strip_prefix("python").and_then(short_version) {
        Some(version) => vec![version],
        None => {
            let threes = MINORS.rev().map(|minor| format!("3.{minor}")).filter(|_| name != "python2");
            threes.chain((!name.starts_with("python3")).then(|| "2.7".to_owned())).collect()
        }
    }
}

/// Where the system's interpreter looks for packages (Debian: dist-packages, below the version's own directory for Python 2).
fn system_places(interpreter: &str, version: &str) -> Vec<String> {
    let own = prefix(interpreter).unwrap_or("/usr");
    vec![
        format!("/usr/local/lib/python{version}/dist-packages"),
        format!("/usr/local/lib/python{version}/site-packages"),
        format!("{own}/lib/python{version}/site-packages"),
        format!("{own}/lib64/python{version}/site-packages"),
        if version.starts_with("2.") {
            format!("/usr/lib/python{version}/dist-packages")
        } else {
            "/usr/lib/python3/dist-packages".to_owned()
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_found_in_every_form_of_a_first_line() {
        for (text, expected) in [
            ("#!/opt/openstack/bin/python\nimport sys", Some("/opt/openstack/bin/python")),
            ("#! /usr/bin/python3 -s\n", Some("/usr/bin/python3")),
            ("#!/usr/bin/env python3\n", Some("env:python3")),
            ("#!/usr/bin/env -S python3.11 -s\n", Some("env:python3.11")),
            ("#!/bin/sh\n'''exec' \"/a long/path/python\" \"$0\" \"$@\"\n' '''\n", Some("/a long/path/python")),
            ("#!/bin/sh\n'''exec' /a/path/python \"$0\" \"$@\"\n' '''\n", Some("/a/path/python")),
            ("#!/bin/sh\nexit 0\n", None),
            ("\u{7f}ELF", None),
            ("", None),
        ] {
            assert_eq!(interpreter(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_version_of_an_environment_is_read_as_venv_virtualenv_and_uv_write_it() {
        for (text, expected) in [
            ("home = /usr/bin\nversion = 3.10.12\n", Some("3.10")),
            ("home = /usr/bin\nuv = 0.13.9\nversion_info = 3.11.2\n", Some("3.11")),
            ("version_info = 3.9.18.final.0\n", Some("3.9")),
            ("home = /usr/bin\n", None),
            ("version = x\n", None),
        ] {
            assert_eq!(environment_version(text).as_deref(), expected, "{text}");
        }
        assert_eq!(versions_of("/usr/bin/python3.12"), ["3.12"]);
        let three = versions_of("/usr/bin/python3");
        assert!(three.contains(&"3.11".to_owned()) && !three.contains(&"2.7".to_owned()));
        assert_eq!(versions_of("/usr/bin/python2"), ["2.7"]);
        assert!(versions_of("/var/lib/kolla/venv/bin/python").contains(&"2.7".to_owned()));
        assert_eq!(prefix("/opt/openstack/bin/nova-manage"), Some("/opt/openstack"));
        // Debian and Ubuntu of that time: python-keystone, below the directory of Python 2.
        assert!(system_places("python2.7", "2.7").contains(&"/usr/lib/python2.7/dist-packages".to_owned()));
        assert!(system_places("/usr/bin/python3.11", "3.11").contains(&"/usr/lib/python3/dist-packages".to_owned()));
    }
}
