//! Where images are, as far as a configuration tells.

use std::collections::BTreeMap;

use super::kolla::{self, Globals};
use super::look::{Ground, Layout};
use crate::cloud::UNNAMED;
use crate::model::Service;

/// Image patterns for a cloud file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImages {
    /// For every service.
    pub default: Option<String>,
    /// For some.
    pub services: BTreeMap<Service, String>,
    /// Where they come from, in words.
    pub source: String,
    /// What deserves a second look.
    pub remarks: Vec<String>,
    /// Whether they are known at all.
    pub known: bool,
}

impl FoundImages {
    /// A pattern that somebody named.
    pub(super) fn told(pattern: &str) -> Self {
        let source = "As `--images` says".to_owned();
        Self { default: Some(pattern.to_owned()), services: BTreeMap::new(), source, remarks: Vec::new(), known: true }
    }

    /// None: leapfrog refuses the pattern, with what to do.
    fn unknown(why: &str) -> Self {
        Self {
            default: Some(UNNAMED.to_owned()),
            services: BTreeMap::new(),
            source: why.to_owned(),
            remarks: Vec::new(),
            known: false,
        }
    }
}

/// Images that the ground tells of.
pub(super) fn find(ground: &Ground, services: &[&Service]) -> FoundImages {
    let Layout::Kolla(directory) = &ground.layout else {
        return FoundImages::unknown("No configuration says where each release's images are");
    };
    let globals = match Globals::read(directory) {
        Ok(Some(globals)) => globals,
        Ok(None) => {
            return FoundImages::unknown(&format!("There is no {directory}/globals.yml that says where images are"));
        }
        Err(why) => return FoundImages::unknown(&why),
    };
    let names = [
        "docker_registry",
        "docker_namespace",
        "openstack_release",
        "openstack_tag",
        "openstack_tag_suffix",
        "kolla_base_distro",
        "kolla_base_distro_version",
    ];
    if let Some(why) = globals.templated(&names) {
        return FoundImages::unknown(&why);
    }
    let (tag, remarks) = tag(&globals);
    let registry = globals.get("docker_registry").unwrap_or("quay.io");
    let namespace = globals.get("docker_namespace").unwrap_or("openstack.kolla");
    let pattern = |service: &Service| format!("{registry}/{namespace}/{}:{tag}", kolla::image(service));
    FoundImages {
        default: None,
        services: services.iter().map(|service| ((*service).clone(), pattern(service))).collect(),
        source: format!("As {directory}/globals.yml says"),
        remarks,
        known: true,
    }
}

/// The tag of every image, with a place for the series.
fn tag(globals: &Globals) -> (String, Vec<String>) {
    let release = globals.get("openstack_release");
    if let (Some(tag), Some(release)) = (globals.get("openstack_tag"), release)
        && tag.contains(release)
    {
        return (tag.replace(release, "{series}"), Vec::new());
    }
    if let Some(tag) = globals.get("openstack_tag") {
        let remark =
            format!("openstack_tag is {tag}, which names no release: look where the series stands in your tags");
        return (format!("{{series}}-{tag}"), vec![remark]);
    }
    let distribution = globals.get("kolla_base_distro").unwrap_or("rocky");
    let suffix = globals.get("openstack_tag_suffix").unwrap_or_default();
    let (version, remarks) = match globals.get("kolla_base_distro_version") {
        Some(version) => (version.to_owned(), Vec::new()),
        None => version(distribution, release),
    };
    (format!("{{series}}-{distribution}-{version}{suffix}"), remarks)
}

/// The distribution's version in kolla's tags, which is not the same in every release.
fn version(distribution: &str, release: Option<&str>) -> (String, Vec<String>) {
    // kolla-ansible: kolla_base_distro_version_default_map of each release.
    let (versions, first_new): ([&str; 2], &str) = match distribution {
        "ubuntu" => (["jammy", "noble"], "2024.2"),
        "debian" => (["bullseye", "bookworm"], "2023.2"),
        "rocky" | "centos" => return ("9".to_owned(), Vec::new()),
        other => return (other.to_owned(), vec![format!("kolla's tags for {other} are not known here: look at one")]),
    };
    let [old, new] = versions;
    let is_new = release.is_some_and(|release| release >= first_new);
    let remark = format!(
        "kolla's tags for {distribution} end in {old} before {first_new} and in {new} from then on, and a pattern has one \
         of them: where a leap crosses that, give the images of one side the other's tag in your registry, or leap in two \
         parts"
    );
    (if is_new { new } else { old }.to_owned(), vec![remark])
}
