//! The demo's cloud file: an ordinary one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use camino::Utf8PathBuf;

use crate::model::{ConnectionUrl, DatabaseId, Engine, Service};

/// What the cloud file says.
#[derive(Debug, Clone)]
pub struct Site {
    /// What runs the commands.
    pub runner: SiteRunner,
    /// The databases.
    pub databases: BTreeMap<DatabaseId, ConnectionUrl>,
    /// The file with the password of a server, which is not written down here.
    pub password_file: Option<Utf8PathBuf>,
}

/// What runs the commands.
#[derive(Debug, Clone)]
pub enum SiteRunner {
    /// Environments on this machine; in this directory, or where they are usually kept.
    Local(Option<Utf8PathBuf>),
    /// Containers of the images that this pattern names.
    Containers(String),
}

impl Site {
    /// The text of the cloud file. No password is in it.
    pub fn render(&self) -> String {
        let mut text = "# Made by `leapfrog demo`.\nformat: 1\nname: demo\nstate: state\n".to_owned();
        let runner = match &self.runner {
            SiteRunner::Local(None) => "{local: {}}".to_owned(),
            SiteRunner::Local(Some(directory)) => format!("{{local: {{directory: {}}}}}", quoted(directory.as_str())),
            SiteRunner::Containers(images) => format!("{{containers: {{images: {{default: {}}}}}}}", quoted(images)),
        };
        let _ = writeln!(text, "runner: {runner}");
        if self.databases.values().any(|url| url.engine() != Engine::Sqlite) {
            text.push_str("# Dumps would need the server's client on this machine.\n");
            text.push_str("restore_points: {policy: none, accept_no_way_back: true}\n");
        }
        text.push_str("services:\n");
        let services: BTreeSet<&Service> = self.databases.keys().map(|id| &id.service).collect();
        for service in services {
            let _ = writeln!(text, "  {service}:");
            let own = || self.databases.iter().filter(|(id, _)| id.service == *service);
            let mut slots: BTreeSet<&str> = BTreeSet::new();
            for (id, url) in own() {
                let entry = self.entry(url);
                match &id.member {
                    Some(member) => {
                        if slots.insert(id.slot.as_str()) {
                            let _ = writeln!(text, "    {}:", id.slot);
                        }
                        let _ = writeln!(text, "      {member}: {entry}");
                    }
                    None if id.slot.as_str() == DatabaseId::MAIN => {
                        let _ = writeln!(text, "    database: {entry}");
                    }
                    None => {
                        if slots.insert("databases") {
                            text.push_str("    databases:\n");
                        }
                        let _ = writeln!(text, "      {}: {entry}", id.slot);
                    }
                }
            }
        }
        text
    }

    fn entry(&self, url: &ConnectionUrl) -> String {
        let password = self.password_file.as_ref().filter(|_| url.password().is_some());
        let password = password.map(|path| format!(", password_file: {}", quoted(path.as_str()))).unwrap_or_default();
        format!("{{url: {}{password}}}", quoted(&url.to_string()))
    }
}

/// A text as YAML takes it, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::cloud::Cloud;
    use crate::demo::{Ground, Sketch};

    fn site(ground: &Ground, runner: SiteRunner, password_file: Option<Utf8PathBuf>) -> (String, Cloud) {
        let catalog = Catalog::embedded().expect("sound");
        let sketch = Sketch::embedded().expect("sound");
        let playbooks: Vec<_> = sketch.services().filter_map(|service| catalog.playbook(service)).collect();
        let ids = playbooks.iter().flat_map(|playbook| sketch.databases(playbook));
        let databases = ids.map(|id| (id.clone(), ground.url(&id).expect("a URL"))).collect();
        let text = Site { runner, databases, password_file }.render();
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let cloud = Cloud::check("/demo/leapfrog.yaml".into(), &text, &playbooks, &env);
        (text.clone(), cloud.unwrap_or_else(|error| panic!("{text}\n{:?}", miette::Report::new(error))))
    }

    #[test]
    fn the_cloud_file_of_files_names_every_database_and_takes_restore_points() {
        let (text, cloud) = site(&Ground::Files("/demo".into()), SiteRunner::Local(None), None);
        insta::assert_snapshot!(text);
        assert_eq!(cloud.databases.len(), 9);
    }

    #[test]
    fn the_password_of_a_server_is_in_no_cloud_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = Utf8PathBuf::from_path_buf(directory.path().join("password")).expect("UTF-8");
        std::fs::write(&file, "s3cret").expect("written");
        let ground = Ground::Server("mysql://root:s3cret@db/any".parse().expect("a URL"));
        let runner = SiteRunner::Containers("registry.example/openstack:{series}".into());
        let (text, cloud) = site(&ground, runner, Some(file));
        assert!(!text.contains("s3cret"), "{text}");
        let url = &cloud.databases[&"nova.cells.cell2".parse().expect("an id")];
        assert_eq!(url.password().map(|password| password.expose()), Some("s3cret"));
    }
}
