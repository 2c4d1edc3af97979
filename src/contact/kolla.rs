//! kolla-ansible's directory: `/etc/kolla` on the machines that it deployed to, and with `globals.yml` on the one it was
//! run from. Source: kolla-ansible 2024.1 to 2026.1, `ansible/roles/*/tasks/config.yml` and `ansible/group_vars/all`.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::model::Service;

/// The directory of a container that has a service's file: its API's before others, since nova's others know cells
/// alone; those that set a service up come last.
pub(super) fn directory(kolla: &Utf8Path, service: &Service, file: &str) -> Option<Utf8PathBuf> {
    let mut names: Vec<String> = kolla
        .read_dir_utf8()
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| *name == service.as_str() || name.starts_with(&format!("{service}-")))
        .filter(|name| kolla.join(name).join(file).symlink_metadata().is_ok())
        .collect();
    names.sort_by_key(|name| {
        let rank = match name.strip_prefix(service.as_str()) {
            Some("-api" | "-server") => 0,
            Some("") => 1,
            Some(rest) if rest.contains("bootstrap") => 3,
            _ => 2,
        };
        (rank, name.clone())
    });
    names.first().map(|name| kolla.join(name))
}

/// The name of the image that has a service's `*-manage` command.
pub(super) fn image(service: &Service) -> String {
    match service.as_str() {
        "keystone" => "keystone".to_owned(),
        "neutron" => "neutron-server".to_owned(),
        other => format!("{other}-api"),
    }
}

/// What kolla-ansible was told, in `globals.yml` and then `globals.d/*.yml`.
#[derive(Debug, Default)]
pub(super) struct Globals {
    values: BTreeMap<String, (String, Utf8PathBuf)>,
}

impl Globals {
    /// Reads them; nothing if there are none.
    ///
    /// # Errors
    /// One of them cannot be read, in words.
    pub(super) fn read(kolla: &Utf8Path) -> Result<Option<Self>, String> {
        let main = kolla.join("globals.yml");
        let mut files: Vec<Utf8PathBuf> = Vec::new();
        if let Ok(entries) = kolla.join("globals.d").read_dir_utf8() {
            let entries = entries.flatten().map(|entry| entry.path().to_owned());
            files = entries.filter(|path| path.extension() == Some("yml")).collect();
            files.sort();
        }
        if main.exists() {
            files.insert(0, main);
        }
        if files.is_empty() {
            return Ok(None);
        }
        let mut globals = Self::default();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: cannot be read: {error}"))?;
            let values: BTreeMap<String, serde_json::Value> =
                serde_saphyr::from_str(&text).map_err(|_| format!("{file}: is not YAML of kolla-ansible's kind"))?;
            for (key, value) in values {
                let text = match value {
                    serde_json::Value::String(text) => text,
                    serde_json::Value::Number(number) => number.to_string(),
                    serde_json::Value::Bool(yes) => yes.to_string(),
                    _ => continue,
                };
                globals.values.insert(key, (text, file.clone()));
            }
        }
        Ok(Some(globals))
    }

    /// What a variable was set to; nothing if it was not, or to nothing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(text, _)| text.trim()).filter(|text| !text.is_empty())
    }

    /// A variable that leads to others, which only Ansible can follow.
    pub(super) fn templated(&self, names: &[&str]) -> Option<String> {
        let found = names.iter().find(|name| self.get(name).is_some_and(|text| text.contains("{{")));
        found.map(|name| format!("{}: {name} is made by a template", self.values[*name].1))
    }
}
