//! The look itself.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::images::{self, FoundImages};
use super::places;
use super::service::{self, FoundService, Problem};
use crate::catalog::Playbook;
use crate::model::Service;

/// How configurations are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// As packages do: `/etc/SERVICE`.
    Packages,
    /// As kolla-ansible does: in this directory one directory a container.
    Kolla(Utf8PathBuf),
}

/// Where to look.
#[derive(Debug, Clone)]
pub struct Ground {
    /// What stands for `/`.
    pub root: Utf8PathBuf,
    /// How the configurations lie below it.
    pub layout: Layout,
}

impl Ground {
    /// kolla-ansible's directory below `root`, if there is one with a service in it.
    pub fn kolla_below(root: &Utf8PathBuf, playbooks: &[&Playbook]) -> Option<Utf8PathBuf> {
        let directory = root.join("etc/kolla");
        let ground = Self { root: root.clone(), layout: Layout::Kolla(directory.clone()) };
        playbooks.iter().any(|playbook| places::files(playbook, &ground).is_some()).then_some(directory)
    }

    /// Whether packages' configurations are below `root`.
    pub fn packages_below(root: &Utf8PathBuf, playbooks: &[&Playbook]) -> bool {
        let ground = Self { root: root.clone(), layout: Layout::Packages };
        playbooks.iter().any(|playbook| places::files(playbook, &ground).is_some())
    }
}

/// What was found.
#[derive(Debug)]
pub struct Contact {
    /// The services, by name.
    pub services: Vec<FoundService>,
    /// Services of which there is no trace, and where their file would be.
    pub absent: Vec<(Service, Utf8PathBuf)>,
    /// What keeps services from being understood.
    pub problems: Vec<Problem>,
    /// Where images are.
    pub images: FoundImages,
    /// What the cloud could be called: the machine's name, if it makes a name.
    pub name: Option<String>,
}

impl Contact {
    /// The services that were understood.
    pub fn sound(&self) -> impl Iterator<Item = &FoundService> {
        let broken: BTreeSet<&Service> = self.problems.iter().map(|problem| &problem.service).collect();
        self.services.iter().filter(move |found| !broken.contains(&found.service))
    }
}

/// Looks for the services of these playbooks.
pub fn look(ground: &Ground, playbooks: &[&Playbook], images: Option<&str>) -> Contact {
    let (mut services, mut absent, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for playbook in playbooks {
        match places::files(playbook, ground) {
            Some(files) => match service::read(playbook, &files) {
                Ok(found) => services.push(found),
                Err(found) => problems.extend(found),
            },
            None => absent.extend(places::main_file(playbook, ground).map(|file| (playbook.service.clone(), file))),
        }
    }
    problems.extend(service::twins(&services));
    let found: Vec<&Service> = services.iter().map(|found| &found.service).collect();
    let images = match images {
        Some(pattern) => FoundImages::told(pattern),
        None => images::find(ground, &found),
    };
    Contact { services, absent, problems, images, name: name(ground) }
}

/// The machine's name without its domain, if it can be a cloud's name.
fn name(ground: &Ground) -> Option<String> {
    let text = std::fs::read_to_string(ground.root.join("etc/hostname")).ok()?;
    let text = text.trim().split('.').next().unwrap_or_default().to_lowercase();
    let first = text.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    (first && rest && text.len() <= 63).then_some(text)
}
