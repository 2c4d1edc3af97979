//! What is asked of an image, and what the answer means.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::scripts::{ImageScripts, RepositoryScripts, SchemaScripts, ScriptFiles, ServiceScripts};
use crate::catalog::{NumberedScripts, Playbook, PlaybookStep, Release, ReleaseService};
use crate::lint::{Models, Transactions};
use crate::migrations::{self, ImageFacts, LackingOption, Misread, Place, SchemaFacts, ServiceFacts};
use crate::model::{Schema, Service};
use crate::runner::{PackageFiles, PackageRequest, ReadFiles, ReadRequest};

/// The most versions of a package that are looked for: each costs the engine some milliseconds.
const MOST_VERSIONS: usize = 96;
/// The version of what is made of an answer; another one makes what was kept worthless.
const FORMAT: u32 = 1;

/// What is asked of an image for one release.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    format: u32,
    programs: BTreeSet<String>,
    services: Vec<ServiceQuestion>,
}

/// What is asked about one service.
#[derive(Debug, Clone, Serialize)]
struct ServiceQuestion {
    service: Service,
    program: String,
    /// The directory and the files with constants, by schema.
    scripts: BTreeMap<Schema, (String, Vec<String>)>,
    /// The files that have the options.
    options_in: Vec<String>,
    /// Each option and its command.
    options: BTreeSet<(String, String)>,
    /// The package's name as directories have it.
    package: String,
    /// The versions that are looked for.
    versions: Vec<String>,
    /// Where scripts from before alembic are, by schema: asked for with the scripts alone.
    #[serde(skip)]
    repositories: BTreeMap<Schema, Vec<NumberedScripts>>,
    /// Where models are: asked for with the scripts alone.
    #[serde(skip)]
    models: Vec<String>,
}

impl Question {
    /// What is asked of an image that `services` use for `release`; it must have `programs`.
    pub fn new(
        release: &Release,
        releases: &[&Release],
        playbooks: &[&Playbook],
        services: &[&Service],
        programs: &BTreeSet<String>,
    ) -> Self {
        let asked = services.iter().filter_map(|service| {
            let playbook = playbooks.iter().find(|playbook| playbook.service == **service)?;
            ServiceQuestion::new(release, releases, playbook)
        });
        Self { format: FORMAT, programs: programs.clone(), services: asked.collect() }
    }

    /// What the question is known by: another one has another key.
    pub fn key(&self) -> String {
        let text = serde_json::to_vec(&(env!("CARGO_PKG_VERSION"), self)).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The question as a runner understands it.
    pub fn request(&self) -> ReadRequest {
        let packages = self.services.iter().map(|service| PackageRequest {
            program: service.program.clone(),
            directories: service.scripts.values().map(|(directory, _)| directory.clone()).collect(),
            files: service
                .scripts
                .values()
                .flat_map(|(_, files)| files)
                .chain(service.option_files())
                .cloned()
                .collect(),
            candidates: service.versions.iter().map(|version| service.installed(version)).collect(),
        });
        ReadRequest { programs: self.programs.clone(), packages: packages.collect() }
    }

    /// The question as a runner understands it, for what [`Question::scripts`] takes of the answer.
    pub fn request_for_scripts(&self) -> ReadRequest {
        let mut request = self.request();
        for (service, package) in self.services.iter().zip(&mut request.packages) {
            let (files, directories): (Vec<_>, Vec<_>) = service.models.iter().partition(|path| path.ends_with(".py"));
            package.files.extend(files.into_iter().cloned());
            package.directories.extend(directories.into_iter().cloned());
            package.files.extend(service.scripts.values().map(|(directory, _)| environment(directory)));
            package.directories.extend(service.repositories.values().flatten().map(|one| one.path.clone()));
            package.candidates.clear();
        }
        request
    }

    /// What [`Question::request_for_scripts`] is known by.
    pub fn key_for_scripts(&self) -> String {
        let besides = self.services.iter().map(|service| (&service.models, &service.repositories));
        let models: Vec<_> = besides.collect();
        let text = serde_json::to_vec(&("scripts, trees and environments", self.key(), models)).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the answer holds of migration scripts, as texts.
    pub fn scripts(&self, files: &ReadFiles) -> ImageScripts {
        let none = PackageFiles::default();
        let answers = self.services.iter().enumerate().map(|(number, service)| {
            (service.service.clone(), service.texts(files.packages.get(number).unwrap_or(&none)))
        });
        ImageScripts { services: answers.collect() }
    }

    /// What the answer says.
    pub fn facts(&self, files: &ReadFiles) -> ImageFacts {
        let none = PackageFiles::default();
        let answers = self.services.iter().enumerate().map(|(number, service)| {
            (service.service.clone(), service.facts(files.packages.get(number).unwrap_or(&none)))
        });
        ImageFacts { services: answers.collect() }
    }
}

impl ServiceQuestion {
    fn new(release: &Release, releases: &[&Release], playbook: &Playbook) -> Option<Self> {
        let series = &release.series;
        let facts = release.services.get(&playbook.service)?;
        let steps: Vec<_> = playbook
            .steps
            .iter()
            .filter(|step| {
                matches!(step, PlaybookStep::Run(_) | PlaybookStep::Drain(_)) && step.series().contains(series)
            })
            .filter_map(PlaybookStep::command)
            .collect();
        let options = steps.iter().flat_map(|command| {
            let words = command.words(None);
            let options: Vec<String> = words.iter().filter_map(|word| option(word)).collect();
            let command = command.to_string();
            options.into_iter().map(move |option| (option, command.clone()))
        });
        let scripts = playbook.scripts(series).into_iter();
        Some(Self {
            service: playbook.service.clone(),
            program: steps.first()?.program().to_owned(),
            scripts: scripts
                .map(|(schema, scripts)| (schema.clone(), (scripts.path.clone(), scripts.constants.clone())))
                .collect(),
            options_in: playbook
                .options_in
                .iter()
                .filter(|file| file.series.contains(series))
                .map(|file| file.path.clone())
                .collect(),
            options: options.collect(),
            package: facts.package.replace(['-', '.'], "_"),
            repositories: playbook
                .repositories(release)
                .into_iter()
                .map(|(schema, here)| (schema.clone(), here.into_iter().cloned().collect()))
                .collect(),
            models: playbook.models.clone(),
            versions: versions(release, facts, &playbook.service, releases),
        })
    }

    /// The files that are read for options: none where no command has one.
    fn option_files(&self) -> &[String] {
        if self.options.is_empty() { &[] } else { &self.options_in }
    }

    /// The directory that says which version is installed.
    fn installed(&self, version: &str) -> String {
        format!("{}-{version}.dist-info", self.package)
    }

    fn facts(&self, files: &PackageFiles) -> ServiceFacts {
        if files.place.is_none() {
            return ServiceFacts::default();
        }
        let schemas = self
            .scripts
            .iter()
            .map(|(schema, (directory, constants))| (schema.clone(), schema_facts(directory, constants, files)));
        let package = self.versions.iter().find(|version| files.candidate.as_ref() == Some(&self.installed(version)));
        ServiceFacts {
            place: files.place.clone(),
            package: package.cloned(),
            schemas: schemas.collect(),
            lacking: self.lacking(files),
        }
    }

    fn texts(&self, files: &PackageFiles) -> ServiceScripts {
        let schemas = self.scripts.iter().map(|(schema, (directory, constants))| {
            let read = ScriptFiles::below(directory, files);
            let constants = constants_of(constants, files);
            let tree = migrations::read(Place { directory, scripts: &read.texts, constants: &constants }).ok();
            let text = files.texts.get(&environment(directory));
            let transactions = text.map_or(Transactions::Unknown, |text| Transactions::read(text));
            (schema.clone(), SchemaScripts { files: read, constants, tree, transactions })
        });
        let repositories = self.repositories.iter().map(|(schema, here)| {
            let here = here.iter().map(|one| {
                let mut files = ScriptFiles::below(&one.path, files);
                // A directory that holds anything else alone has no script that was read.
                files.texts.retain(|file, _| migrations::number(file).is_some());
                RepositoryScripts { name: one.name.clone(), branch: one.branch, files }
            });
            (schema.clone(), here.collect())
        });
        let numbered = self.repositories.values().flatten().map(|one| &one.path);
        let directories: Vec<&String> = self.scripts.values().map(|(directory, _)| directory).chain(numbered).collect();
        let scripts = |path: &str| directories.iter().any(|directory| path.starts_with(&format!("{directory}/")));
        let is_model = |path: &str| {
            let below = |model: &String| path == model || path.starts_with(&format!("{model}/"));
            !scripts(path) && self.models.iter().any(below)
        };
        let texts = files.texts.iter().filter(|(path, _)| is_model(path));
        let mut models = Models::read(texts.map(|(_, text)| text.as_str()));
        if files.unread.keys().any(|path| is_model(path)) {
            models.may_map_more();
        }
        ServiceScripts {
            models,
            program: self.program.clone(),
            found: files.place.is_some(),
            schemas: schemas.collect(),
            repositories: repositories.collect(),
        }
    }

    /// The options that none of the files has.
    fn lacking(&self, files: &PackageFiles) -> Vec<LackingOption> {
        if self.option_files().is_empty() {
            return Vec::new();
        }
        let texts: Vec<&String> = self.options_in.iter().filter_map(|path| files.texts.get(path)).collect();
        let lacking = self.options.iter().filter(|(option, _)| !texts.iter().any(|text| has_option(text, option)));
        lacking
            .map(|(option, command)| LackingOption {
                option: option.clone(),
                command: command.clone(),
                file: self.options_in.join(", "),
            })
            .collect()
    }
}

fn schema_facts(directory: &str, constants: &[String], files: &PackageFiles) -> SchemaFacts {
    let read = ScriptFiles::below(directory, files);
    let directory = directory.to_owned();
    if !read.unread.is_empty() {
        let scripts = read.unread.into_iter().map(|(file, why)| Misread { file, why }).collect();
        return SchemaFacts::Misread { directory, scripts };
    }
    if read.missing {
        return SchemaFacts::NotFound { directory };
    }
    let constants = constants_of(constants, files);
    match migrations::read(Place { directory: &directory, scripts: &read.texts, constants: &constants }) {
        Ok(tree) => SchemaFacts::Read(tree),
        Err(scripts) => SchemaFacts::Misread { directory, scripts },
    }
}

/// The file that has alembic run the scripts of a directory.
fn environment(directory: &str) -> String {
    let above = directory.rsplit_once('/').map_or("", |(above, _)| above);
    format!("{above}/env.py")
}

/// The modules with constants, among what was read.
fn constants_of(constants: &[String], files: &PackageFiles) -> BTreeMap<String, String> {
    let read = files.texts.iter().filter(|(path, _)| constants.contains(path));
    read.map(|(path, text)| (path.clone(), text.clone())).collect()
}

/// The option in a word of a command: `--max-count`, without its value.
fn option(word: &str) -> Option<String> {
    let name = word.split('=').next().unwrap_or(word);
    (name.len() > 2 && name.starts_with("--")).then(|| name.to_owned())
}

/// Whether a text has an option as a whole word.
fn has_option(text: &str, option: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(option).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + option.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

/// The versions of a service that an image may hold, the likeliest first: those of its release, then those of the
/// releases beside it. Point releases are not all known, so some are tried that may not exist.
fn versions(release: &Release, facts: &ReleaseService, service: &Service, releases: &[&Release]) -> Vec<String> {
    let mut versions = around(facts, 5);
    let own = releases.iter().position(|other| other.series == release.series).unwrap_or_default();
    let mut others: Vec<(usize, &ReleaseService)> = releases
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != own)
        .filter_map(|(number, other)| Some((number.abs_diff(own), other.services.get(service)?)))
        .collect();
    others.sort_by_key(|(distance, _)| *distance);
    for (_, other) in others {
        versions.extend(around(other, 3));
    }
    let mut seen = BTreeSet::new();
    versions.retain(|version| seen.insert(version.clone()));
    versions.truncate(MOST_VERSIONS);
    versions
}

/// The versions from a release's first to a little after its last one, up to the patch number `patches`.
fn around(facts: &ReleaseService, patches: u64) -> Vec<String> {
    let numbers = |version: &str| -> Option<(u64, u64, u64)> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??, parts.next()??))
    };
    let mut versions = vec![facts.versions.last.clone(), facts.versions.first.clone()];
    if let Some((first, last)) = numbers(&facts.versions.first).zip(numbers(&facts.versions.last)) {
        // ironic has several major versions in one release: of those that are not its last, the first few minor ones.
        for major in first.0..=last.0.min(first.0 + 5) {
            let from = if major == first.0 { first.1 } else { 0 };
            let to = if major == last.0 { last.1.min(from + 20) + 1 } else { from + 2 };
            versions.extend(
                (from..=to)
                    .flat_map(|minor| (0..=patches).map(move |patch| (minor, patch)))
                    .map(|(minor, patch)| format!("{major}.{minor}.{patch}")),
            );
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_counts_as_a_whole_word_only() {
        let text = "@args('--max_count', metavar='<number>')\n@args('--local_cell')";
        assert!(has_option(text, "--max_count") && has_option(text, "--local_cell"));
        assert!(!has_option(text, "--max") && !has_option(text, "--max-count") && !has_option(text, "--local"));
        assert_eq!(option("--max-count=5").as_deref(), Some("--max-count"));
        assert_eq!(option("--"), None);
    }

    #[test]
    fn the_versions_of_the_release_come_first_and_then_its_neighbours() {
        let catalog = crate::catalog::Catalog::embedded().expect("the shipped catalogue");
        let releases: Vec<&Release> = catalog.releases().collect();
        let playbooks: Vec<&Playbook> = catalog.playbooks().collect();
        let release = releases.iter().find(|release| release.series.as_str() == "2024.1").expect("known");
        let nova: Service = "nova".parse().expect("a service");
        let question = Question::new(release, &releases, &playbooks, &[&nova], &BTreeSet::new());
        let versions = &question.services[0].versions;
        assert_eq!(versions[..2], ["29.4.0", "29.0.0"]);
        for version in ["29.0.2", "29.2.1", "28.0.1", "30.0.0"] {
            assert!(versions.iter().any(|known| known == version), "{version} is not looked for");
        }
        assert!(versions.len() <= MOST_VERSIONS);
        let request = question.request();
        assert!(request.packages[0].candidates.contains(&"nova-29.0.2.dist-info".to_owned()));
        assert_eq!(question.services[0].options.len(), 2);
        let environments = &question.request_for_scripts().packages[0].files;
        assert!(environments.contains("nova/db/main/migrations/env.py"), "{environments:?}");

        let release = releases.iter().find(|release| release.series.as_str() == "2025.1").expect("known");
        let ironic: Service = "ironic".parse().expect("a service");
        let question = Question::new(release, &releases, &playbooks, &[&ironic], &BTreeSet::new());
        for version in ["27.0.1", "28.0.0", "29.0.3", "29.1.0", "29.2.0"] {
            assert!(question.services[0].versions.iter().any(|known| known == version), "{version} is not looked for");
        }
    }
}
