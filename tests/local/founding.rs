//! Clouds of any services at any release, made by that release's own commands in an environment of this machine.
//!
//! Nothing of leapfrog's plan, runner or proofs takes part: commands and configuration are as the playbooks have them, so
//! that a leap begins where a real cloud would be.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use leapfrog::catalog::{Catalog, Playbook, PlaybookStep, Release, Taken};
use leapfrog::database::{Purpose, chain, connect_for};
use leapfrog::demo::{Seed, Site, SiteRunner, Sketch};
use leapfrog::model::{ConnectionUrl, DatabaseId, ImageReference, Series, Service};
use leapfrog::runner::Runner;
use leapfrog::runner::local::{Local, Recipe, shelved};

use crate::bed::{Home, environments, settings};
use crate::cloud::Told;

/// How long a connection may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How many commands run side by side.
const SIDE_BY_SIDE: usize = 2;

/// A cloud at a release, with a cloud file.
pub(crate) struct Founded {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) databases: BTreeMap<DatabaseId, ConnectionUrl>,
    pub(crate) catalog: Catalog,
    pub(crate) series: Series,
}

/// What an environment of a release with some services is made of, as leapfrog makes it for a cloud of these.
pub(crate) fn recipe(release: &Release, services: &[Service]) -> Recipe {
    let environment = release.environment.as_ref().unwrap_or_else(|| panic!("{} has no environment", release.series));
    let services: std::collections::BTreeSet<Service> = services.iter().cloned().collect();
    let own = services.iter().flat_map(|service| &environment.services[service]);
    Recipe {
        series: release.series.clone(),
        pythons: environment.python.clone(),
        requirements: own.chain(&environment.packages).cloned().collect(),
        services,
        constraints: environment.constraints.clone(),
        constraints_list: None,
        without: environment.without.clone(),
        exclude_newer: Some(format!("{}T00:00:00Z", environment.exclude_newer.tomorrow().unwrap())),
    }
}

/// Where the programs of a release's services are. They are made where they are not here.
pub(crate) async fn programs(release: &Release, services: &[Service]) -> Utf8PathBuf {
    let reference = ImageReference::environment(&release.series, None);
    let recipe = recipe(release, services);
    let home = Home::new();
    let mut settings = settings(&environments(), home.path(), recipe.clone());
    settings.recipes = [(reference.clone(), recipe)].into();
    let runner = Local::new(settings);
    let image = runner.resolve(&reference).await.unwrap_or_else(|error| panic!("{error}: {}", error.advice));
    runner.fetch(&image, &|_| ()).await.unwrap_or_else(|error| panic!("{error}: {}", error.advice));
    let all = shelved(&environments()).unwrap();
    all.into_iter().find(|one| one.digest == image.digest).unwrap().directory.join("bin")
}

impl Founded {
    /// The databases of services, nova's with two cells, where `place` has put them, empty: at `series`, with the demo's
    /// rows, when this returns.
    pub(crate) async fn make(series: &str, services: &[&str], place: &dyn Fn(&str) -> ConnectionUrl) -> Self {
        let catalog = Catalog::embedded().unwrap();
        let ours: Vec<Service> = services.iter().map(|name| name.parse().unwrap()).collect();
        let bin = programs(catalog.release(&series.parse().unwrap()).unwrap(), &ours).await;
        let founded = Self::without_rows(series, services, &bin, place);
        let sketch = Sketch::embedded().unwrap();
        for service in ours {
            for Seed { database, sql } in sketch.seeds(&service, &founded.series, &|id| founded.databases[id].clone()) {
                founded.fill(&database, sql.expose()).await;
            }
        }
        founded
    }

    /// The same by the programs of an environment, without any rows but those that the commands put in.
    pub(crate) fn without_rows(
        series: &str,
        services: &[&str],
        bin: &Utf8Path,
        place: &dyn Fn(&str) -> ConnectionUrl,
    ) -> Self {
        let (catalog, sketch) = (Catalog::embedded().unwrap(), Sketch::embedded().unwrap());
        let series: Series = series.parse().unwrap();
        let services: Vec<Service> = services.iter().map(|name| name.parse().unwrap()).collect();
        let ids = services.iter().flat_map(|service| sketch.databases(catalog.playbook(service).unwrap()));
        let databases: BTreeMap<DatabaseId, ConnectionUrl> = ids
            .map(|id| {
                let own = id.slot.as_str() != DatabaseId::MAIN;
                let name = if own { format!("{}_{}", id.service, id.short()) } else { id.service.to_string() };
                (id, place(&name))
            })
            .collect();
        let founded = Self { directory: tempfile::tempdir().unwrap(), databases, catalog, series };
        founded.migrate(&founded.series, &services, bin);
        founded
    }

    /// Takes these services' databases to a release by that release's own commands.
    pub(crate) fn migrate(&self, series: &Series, services: &[Service], bin: &Utf8Path) {
        let books: VecDeque<&Playbook> =
            services.iter().map(|service| self.catalog.playbook(service).unwrap()).collect();
        let waiting = Mutex::new(books);
        let next = || waiting.lock().unwrap().pop_front();
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(|| {
                    while let Some(book) = next() {
                        migrate(book, series, &self.databases, bin, &self.path(series.as_str()));
                    }
                });
            }
        });
    }

    /// Runs statements in a database.
    pub(crate) async fn fill(&self, database: &DatabaseId, sql: &str) {
        let mut connection = connect_for(&self.databases[database], Purpose::Change, TIMEOUT).await.unwrap();
        let written = connection.write(sql).await;
        connection.close().await;
        written.unwrap_or_else(|error| panic!("{database} does not take {sql}: {}", chain(&error)));
    }

    /// The one number that a query finds in a database.
    pub(crate) async fn number(&self, database: &str, query: &str) -> u64 {
        let url = &self.databases[&database.parse().unwrap()];
        leapfrog::observe::count(url, query, TIMEOUT, TIMEOUT)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    /// Writes the cloud file: commands run in environments, and each database has restore points.
    pub(crate) fn describe(&self, name: &str) {
        let password = self.path("password");
        let known = self.databases.values().find_map(ConnectionUrl::password);
        std::fs::write(&password, known.map_or("", |password| password.expose())).unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        let site = Site {
            runner: SiteRunner::Local(Some(environments())),
            databases: self.databases.clone(),
            password_file: known.is_some().then_some(password),
        };
        let text: Vec<String> = site
            .render()
            .lines()
            .map(|line| match line {
                "name: demo" => format!("name: {name}"),
                line if line.starts_with("restore_points:") => "restore_points: {policy: every-hop}".to_owned(),
                line => line.to_owned(),
            })
            .collect();
        std::fs::write(self.path("leapfrog.yaml"), text.join("\n")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path()).unwrap().join(name)
    }

    /// leapfrog where nothing is a container engine.
    pub(crate) fn leapfrog(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
        command.args(arguments).args(["--config", self.path("leapfrog.yaml").as_str()]);
        command.env("DOCKER_HOST", "tcp://127.0.0.1:1").env("LANG", "C.UTF-8").env_remove("LEAPFROG_CONFIG");
        Told::from(command.current_dir(self.directory.path()).stdin(Stdio::null()).output().unwrap())
    }

    /// A file of the one run there was.
    pub(crate) fn of_the_run(&self, name: &str) -> String {
        let runs: Vec<_> = self.path("state/runs").read_dir_utf8().unwrap().flatten().collect();
        assert_eq!(runs.len(), 1, "one leap");
        std::fs::read_to_string(runs[0].path().join(name)).unwrap()
    }
}

/// Runs every command of a service's playbook that migrates schemas at a release, in its order.
fn migrate(
    book: &Playbook,
    series: &Series,
    databases: &BTreeMap<DatabaseId, ConnectionUrl>,
    bin: &Utf8Path,
    directory: &Utf8Path,
) {
    let own: Vec<(&DatabaseId, &ConnectionUrl)> =
        databases.iter().filter(|(id, _)| id.service == book.service).collect();
    let engine = own[0].1.engine();
    let at_once = |step: &PlaybookStep| step.taken() != Some(Taken::InParts);
    let wanted = |step: &&PlaybookStep| matches!(step, PlaybookStep::Run(_)) && at_once(step);
    let steps = book.steps.iter().filter(wanted).filter(|step| step.applies(series, engine));
    let mut number = 0;
    for step in steps {
        let each = own.iter().filter(|(id, _)| step.for_each().contains(&id.slot)).map(|one| Some(*one));
        let taken: Vec<_> = if step.for_each().is_empty() { vec![None] } else { each.collect() };
        assert!(!taken.is_empty(), "{} of {} is taken for no database", step.name(), book.service);
        for subject in taken {
            number += 1;
            let home = directory.join(format!("founding/{}-{number}", book.service));
            let named = configure(book, series, &own, subject, &home);
            let mut words = step.command().expect("a command").words(None);
            words.splice(1..1, named);
            let output = run(bin, &words, &home);
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{} of {} at {series}: {said}", step.name(), book.service);
        }
    }
    assert!(number > 0, "nothing makes the databases of {} at {series}", book.service);
}

/// Writes the configuration of a command to where it looks first; the words that name it, where it does not look there.
fn configure(
    book: &Playbook,
    series: &Series,
    own: &[(&DatabaseId, &ConnectionUrl)],
    subject: Option<(&DatabaseId, &ConnectionUrl)>,
    home: &Utf8Path,
) -> Vec<String> {
    let file = book.configuration.iter().find(|file| file.series.contains(series)).unwrap();
    let mut text = String::new();
    for option in &file.options {
        let at_hand = subject.filter(|(id, _)| option.url_of.contains(&id.slot)).map(|(_, url)| url);
        let only = || match &option.url_of[..] {
            [slot] => own.iter().find(|(id, _)| id.slot == *slot && id.member.is_none()).map(|(_, url)| *url),
            _ => None,
        };
        let url = || at_hand.or_else(only).map(|url| url.for_service().expose().to_owned());
        if let Some(value) = option.value.clone().or_else(url) {
            writeln!(text, "[{}]\n{} = {value}", option.group, option.option).unwrap();
        }
    }
    let project = file.path.parent().unwrap().file_name().unwrap();
    let place = home.join(format!(".{project}"));
    std::fs::create_dir_all(&place).unwrap();
    let place = place.join(file.path.file_name().unwrap());
    std::fs::write(&place, text).unwrap();
    file.passed_with.iter().flat_map(|option| [option.clone(), place.to_string()]).collect()
}

fn run(bin: &Utf8Path, words: &[String], home: &Utf8Path) -> Output {
    let mut command = Command::new(bin.join(&words[0]));
    command.args(&words[1..]).env_clear().env("PATH", format!("{bin}:/usr/bin:/bin")).env("HOME", home);
    command.env("LANG", "C.UTF-8").current_dir(home).stdin(Stdio::null()).output().unwrap()
}
