//! What was asked for, checked before anything is made.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};

use super::place::Place;
use crate::catalog::Catalog;
use crate::cli::arguments::{Common, DemoArguments, DemoRunner, Output, Selection, StopsAt, Until};
use crate::cli::stop::Stop;
use crate::cli::world;
use crate::cloud::LocalSettings;
use crate::demo::{Ground, PREFIX, Site, SiteRunner, Sketch};
use crate::model::{ConnectionUrl, ConnectionUrlError, DatabaseId, Engine, Secret, Series};

/// Which demo.
pub(super) struct Order {
    pub(super) sketch: Sketch,
    pub(super) from: Series,
    pub(super) to: Series,
    pub(super) replace: bool,
    runner: SiteRunner,
    server: Option<ConnectionUrl>,
    databases: Vec<DatabaseId>,
    hops: usize,
}

impl Order {
    pub(super) fn read(common: &Common, arguments: &DemoArguments) -> Result<Self, Stop> {
        let catalog = world::catalog(common)?;
        Self::of(&catalog, common, arguments).map_err(Stop::usage)
    }

    fn of(catalog: &Catalog, common: &Common, arguments: &DemoArguments) -> anyhow::Result<Self> {
        if Output::from(common.output) == Output::Json {
            bail!("a demo has no single JSON document: use --output jsonl for the events of its leap");
        }
        let from = catalog.find_series(&arguments.from).context("--from names no release")?;
        let to = catalog.find_series(&arguments.to).context("--to names no release")?;
        if to < from {
            bail!("--to {to} is older than --from {from}: databases only go forwards");
        }
        let sketch = Sketch::embedded().map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(|mistake| mistake.one_line()).collect();
            anyhow!("the demo's cloud: {}", lines.join("; "))
        })?;
        let mut databases = Vec::new();
        for service in sketch.services() {
            let playbook = catalog.playbook(service);
            let playbook =
                playbook.with_context(|| format!("the catalogue has no playbook of the demo's {service}"))?;
            databases.extend(sketch.databases(playbook));
        }
        let server = arguments.database.as_deref().map(|text| server(text, arguments)).transpose()?;
        Ok(Self {
            hops: catalog.between(&from, &to).len(),
            runner: runner(arguments, server.is_some())?,
            replace: arguments.replace,
            sketch,
            from,
            to,
            server,
            databases,
        })
    }

    /// Which leap.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            from: self.from.to_string(),
            to: self.to.to_string(),
            only: Vec::new(),
            stops: StopsAt::Every,
            until: Until::Complete,
            no_skip: false,
        }
    }

    /// Where the databases are.
    pub(super) fn ground(&self, place: &Place) -> Ground {
        match &self.server {
            None => Ground::Files(place.directory.join("databases")),
            Some(server) => Ground::Server(server.clone()),
        }
    }

    /// The server that holds the databases, by host and port.
    pub(super) fn server(&self) -> Option<String> {
        self.server.as_ref().map(ConnectionUrl::server)
    }

    /// What the cloud file says. A password is written into a file of its own.
    pub(super) fn site(&self, ground: &Ground, place: &Place) -> Result<Site, Stop> {
        let mut databases = BTreeMap::new();
        for id in &self.databases {
            let url = ground.url(id).context("choose another XDG_STATE_HOME");
            databases.insert(id.clone(), url.map_err(Stop::usage)?);
        }
        let password = self.server.as_ref().and_then(ConnectionUrl::password);
        let password_file = password.map(|password| {
            place.write("password", password.expose())?;
            Ok::<Utf8PathBuf, Stop>(place.directory.join("password"))
        });
        Ok(Site { runner: self.runner.clone(), databases, password_file: password_file.transpose()? })
    }

    /// What will be done, where, and how long it takes.
    pub(super) fn opening(&self, directory: &Utf8Path, keep: bool) -> String {
        let Self { from, to, hops, .. } = self;
        let at_the_end = if keep { "kept" } else { "removed at the end" };
        let services: Vec<&str> = self.sketch.services().map(|service| service.as_str()).collect();
        let (last, first) = services.split_last().unwrap_or((&"", &[]));
        let ground = match &self.server {
            None => "SQLite files".to_owned(),
            Some(server) => format!("databases {PREFIX}_* at {}", server.server()),
        };
        let making = match &self.runner {
            SiteRunner::Local(_) => format!("{hops} Python environments are made the first time, in some minutes"),
            SiteRunner::Containers(_) if self.makes_images() => {
                format!("{hops} images are made the first time, in some minutes")
            }
            SiteRunner::Containers(_) => format!("{hops} images are pulled the first time"),
        };
        format!(
            "demo: {from} → {to}, with a small cloud of its own\n  cloud   {} and {last} in {ground}\n  time    {making}; \
             later it takes about a minute\n  files   {directory}, {at_the_end}\n\n",
            first.join(", ")
        )
    }

    /// Whether the images are those that leapfrog makes itself.
    pub(super) fn makes_images(&self) -> bool {
        matches!(&self.runner, SiteRunner::Containers(images) if images == OWN_IMAGES)
    }

    /// What a demo leaves there.
    pub(super) fn what_stays(&self) -> String {
        let directory = match &self.runner {
            SiteRunner::Local(directory) => directory,
            SiteRunner::Containers(_) if self.makes_images() => {
                return "The images stay in the container engine: `docker image ls`, `docker image rm`.\n".to_owned();
            }
            SiteRunner::Containers(_) => return String::new(),
        };
        let usual = || LocalSettings::usual_directory(&|name| std::env::var(name).ok());
        let Some(directory) = directory.clone().or_else(usual) else { return String::new() };
        format!("The environments stay in {directory}: `leapfrog env list`, `leapfrog env remove`.\n")
    }
}

/// What the images are called that leapfrog makes itself (`leapfrog env build`).
const OWN_IMAGES: &str = "localhost/leapfrog/openstack:{series}";

/// What runs the commands.
fn runner(arguments: &DemoArguments, server: bool) -> anyhow::Result<SiteRunner> {
    match (arguments.runner, &arguments.images) {
        (DemoRunner::Local, None) => {
            let directory = arguments.environments.as_deref().map(camino::absolute_utf8).transpose();
            Ok(SiteRunner::Local(directory.context("--environments is no path from here")?))
        }
        (DemoRunner::Local, Some(_)) => bail!("--images is for --runner docker; without it no image is used"),
        (DemoRunner::Docker, _) if !server => {
            bail!("--runner docker needs --database: a container does not see SQLite files of this machine")
        }
        (DemoRunner::Docker, images) => {
            Ok(SiteRunner::Containers(images.clone().unwrap_or_else(|| OWN_IMAGES.to_owned())))
        }
    }
}

/// The server of `--database`, with its password.
fn server(text: &str, arguments: &DemoArguments) -> anyhow::Result<ConnectionUrl> {
    let parsed = match text.parse::<ConnectionUrl>() {
        // Which database is the demo's to say.
        Err(ConnectionUrlError::NoDatabase) => {
            let (server, query) = text.split_once('?').map_or((text, None), |(server, query)| (server, Some(query)));
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            format!("{}/any{query}", server.trim_end_matches('/')).parse()
        }
        parsed => parsed,
    };
    let mut url = parsed.context("--database")?;
    if url.engine() == Engine::Sqlite {
        bail!("--database names a server; without it the demo has SQLite files of its own");
    }
    if let Some(file) = &arguments.password_file {
        let password = std::fs::read_to_string(file).with_context(|| format!("failed to read {file}"))?;
        url = url.with_password(Secret::new(password.trim_end_matches(['\r', '\n'])));
    }
    if url.has_percent_sign() {
        bail!(
            "--database: keystone {} cannot read a URL with escaped characters: use a user and a password of letters, \
             digits and - . _ ~",
            arguments.from
        );
    }
    Ok(url)
}
