//! Makes utility images: small containers with what a release's `*-manage` commands need, and nothing else.
//!
//! The recipe is that of local environments: the same packages, resolved to the same lock. leapfrog writes the layers
//! and the configuration itself, so that the same inputs (lock, base, interpreter, leapfrog) give the same image to the
//! byte, wherever and whenever. Three layers: the base, which all releases share; what every service of a release
//! needs, which all images of a release share; what the ordered services need besides.
//!
//! Invariants:
//! * Nothing of this machine is in an image: no path, no moment, no user.
//! * An image gets its name only once each of its commands was loaded in a container of it, as the user that it names.
//! * What is brought from elsewhere in a file is held to its digests before an engine sees it.
//!
//! `base` with `debian` finds what an image stands on; `layer` writes layers and `shelf` keeps them; `image` says what an
//! image is; `archive` writes and checks files. Packages come from `runner::local`, engines are `runner::containers`.

mod archive;
mod base;
mod debian;
mod image;
mod layer;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::Mutex;

use self::archive::SERIES;
use self::base::Base;
use self::image::Image;
use self::layer::{Entry, Layer};
use self::shelf::Shelf;
use super::containers::Containers;
use super::local::{Local, LocalSettings, Packages, RunnerErrorExt, Step, Tree, sum, trouble};
use super::{PinnedImage, RunnerError, RunnerErrorKind};
use crate::model::{Digest, ImageReference, Series, Service};

/// Where an image's packages are.
const PREFIX: &str = "/opt/openstack";
/// The number of an image's user and of its group, as kolla has it.
const USER: u64 = 42424;
/// That user's home.
const HOME: &str = "/var/lib/openstack";
/// Needed by packages and by no command that is run here, the largest of all: websockify, which serves consoles, takes
/// numpy where it finds it.
const LEFT_OUT: [&str; 1] = ["numpy"];

/// Is told what is done, in a few words each time.
pub type News<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Which image is wanted.
#[derive(Debug, Clone)]
pub struct Order {
    /// The release.
    pub series: Series,
    /// The last day whose packages it has: the image's date.
    pub day: jiff::civil::Date,
    /// The services whose commands it has.
    pub services: BTreeSet<Service>,
    /// The services of an image that is named after none of them.
    pub usual: BTreeSet<Service>,
    /// The environment of all that have `requirements`, as [`LocalSettings::recipes`] knows it.
    pub environment: ImageReference,
    /// The packages with their ranges of each service whose images share a list of packages with this one, its own among
    /// them; the first one has the service's code.
    pub requirements: BTreeMap<Service, Vec<String>>,
    /// Packages that each of them needs besides.
    pub shared: Vec<String>,
    /// The programs that the image has.
    pub programs: BTreeSet<String>,
    /// What it stands on.
    pub base: BaseImage,
}

/// What an image stands on.
#[derive(Debug, Clone)]
pub enum BaseImage {
    /// A Debian that mmdebstrap makes; it is kept, unless another is wanted.
    Debian {
        /// Whether it is made anew.
        anew: bool,
    },
    /// An image with a Python. It is pulled unless the engine has it.
    Given(ImageReference),
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its name there.
    pub name: ImageReference,
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// The bytes of its files, as the engine counts them.
    pub bytes: u64,
    /// Its layers, the lowest first: what each holds and the bytes of it.
    pub layers: Vec<(String, u64)>,
    /// The digest of its list of packages.
    pub lock: Digest,
}

/// An image that was taken from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its name.
    pub name: ImageReference,
    /// Its id.
    pub id: Digest,
    /// The digest of its manifest in the file.
    pub manifest: Digest,
    /// Its release, as its label says.
    pub series: String,
    /// Its services, as its label says.
    pub services: String,
    /// Whether the engine had it before.
    pub known: bool,
}

/// Makes images.
#[derive(Debug)]
pub struct Builder {
    settings: LocalSettings,
    containers: Containers,
    /// Held while an image is made: what two of them share is made once.
    making: Mutex<()>,
}

impl Order {
    /// What the image is called in the engine: `localhost/leapfrog/openstack:2024.1` with the usual services of the
    /// release, else by its services.
    ///
    /// # Errors
    /// Names of services that no image's name can have.
    pub fn name(&self) -> Result<ImageReference, RunnerError> {
        self.name_below("localhost/leapfrog")
    }

    /// The same below another registry and path.
    ///
    /// # Errors
    /// That is none.
    pub fn name_below(&self, registry: &str) -> Result<ImageReference, RunnerError> {
        let what = if self.services.len() > 1 && self.services == self.usual {
            "openstack".to_owned()
        } else {
            self.services.iter().map(Service::as_str).collect::<Vec<_>>().join("-")
        };
        let text = format!("{}/{what}:{}", registry.trim_end_matches('/'), self.series);
        text.parse().map_err(|error| {
            let advice = "Name a registry and, if it has parts, the path in it: registry.example:5000/openstack.";
            trouble(RunnerErrorKind::ImageMissing, format!("name an image below {registry}"), advice).because(error)
        })
    }
}

impl Builder {
    /// Makes images from packages as `settings` say where they come from, and tries them in an engine.
    pub fn new(settings: LocalSettings, containers: Containers) -> Self {
        Self { settings, containers, making: Mutex::new(()) }
    }

    fn shelf(&self) -> Shelf {
        Shelf(self.settings.environments.join("layers"))
    }

    /// Makes sure that the engine has an image of that name, whatever it was made of, and makes it otherwise.
    ///
    /// # Errors
    /// It is not there and cannot be made.
    pub async fn ensure(&self, order: &Order, news: News<'_>) -> Result<ImageReference, RunnerError> {
        let name = order.name()?;
        if self.containers.stored(&name.to_string()).await?.is_some() {
            return Ok(name);
        }
        self.build(order, None, news).await.map(|(built, _)| built.name)
    }

    /// Makes an image, tries each of its commands and gives it its name. With `archive`, also writes it into that file,
    /// and returns the digest of the manifest there.
    ///
    /// # Errors
    /// What cannot be had, or does not work, and what to do about it.
    pub async fn build(
        &self,
        order: &Order,
        archive: Option<&Utf8Path>,
        news: News<'_>,
    ) -> Result<(Built, Option<Digest>), RunnerError> {
        let name = order.name()?;
        let _alone = self.making.lock().await;
        self.shelf().tidy();
        let base = self.base(&order.base, news).await?;
        let local = Local::new(self.on(&base, order)?);
        news("resolving packages");
        let packages = local.packages(&order.environment).await?;
        let own = self.layers(order, &base, &packages, &local, news).await?;
        let image =
            Image::new(order, &base, &packages, own).map_err(|error| unwritable("describe the image", error))?;
        let here = self.containers.stored(&image.id.to_string()).await?;
        if here.is_none() {
            news("loading the image into the container engine");
            let given = image.clone();
            self.containers.load(move |to| archive::write_for_engine(&given, to)).await?;
        }
        if let Err(error) = self.tried(order, &name, &image, here.is_some(), news).await {
            // Without a name it would stay for good.
            if here.is_none() {
                self.containers.forget(&image.id).await;
            }
            return Err(error);
        }
        self.containers.tag(&image.id.to_string(), &name).await?;
        let stored = self.containers.stored(&image.id.to_string()).await?;
        let built = Built {
            name: name.clone(),
            id: image.id.clone(),
            bytes: stored.map_or(0, |stored| stored.size),
            layers: image.layers.iter().map(|layer| (layer.known.title.clone(), layer.known.size)).collect(),
            lock: packages.digest,
        };
        let Some(path) = archive else { return Ok((built, None)) };
        news(&format!("writing {path}"));
        let to = path.to_owned();
        let written = blocking(move || archive::write_file(&image, &name, &to)).await;
        written.map(|digest| (built, Some(digest))).map_err(|error| unwritable(&format!("write {path}"), error))
    }

    /// Pushes an image that the engine has under another name. Returns its digest in that registry.
    ///
    /// # Errors
    /// The registry does not take it.
    pub async fn push(&self, id: &Digest, name: &ImageReference, news: News<'_>) -> Result<Digest, RunnerError> {
        news(&format!("pushing {name}"));
        self.containers.tag(&id.to_string(), name).await?;
        self.containers.push(name).await
    }

    /// Local settings with which packages are resolved for the base's interpreter.
    fn on(&self, base: &Base, order: &Order) -> Result<LocalSettings, RunnerError> {
        let mut settings = self.settings.clone();
        let Some(recipe) = settings.recipes.get_mut(&order.environment) else {
            let advice = "Its release file needs a section `environment` (docs/releases.md).";
            let what = format!("nothing says what {} is made of", order.environment);
            return Err(trouble(RunnerErrorKind::ImageMissing, what, advice));
        };
        if !recipe.pythons.contains(&base.version) {
            let what = format!(
                "{} has Python {}, and release {} runs on {}",
                base.name,
                base.version,
                order.series,
                recipe.pythons.join(" or ")
            );
            let advice = "Name a base with one of these with --base, or leave that out.";
            return Err(trouble(RunnerErrorKind::ImageMissing, what, advice));
        }
        recipe.pythons = vec![base.version.clone()];
        Ok(settings)
    }

    /// The layers on top of the base: what every service of the release needs, and what the ordered ones need besides.
    async fn layers(
        &self,
        order: &Order,
        base: &Base,
        packages: &Packages,
        local: &Local,
        news: News<'_>,
    ) -> Result<Vec<Layer>, RunnerError> {
        let needed = |own: &Vec<String>| packages.needs.closure(own.iter().chain(&order.shared), &LEFT_OUT);
        let common = order.requirements.values().map(needed).reduce(|all, one| &all & &one).unwrap_or_default();
        let wanted = order.services.iter().filter_map(|service| order.requirements.get(service));
        let all: BTreeSet<String> = wanted.flat_map(needed).collect();
        let own: BTreeSet<String> = all.difference(&common).cloned().collect();
        // Programs are of services: what all of them need has none.
        let key = |names: &BTreeSet<String>, programs: &BTreeSet<String>| {
            let Packages { digest, interpreter, .. } = packages;
            let (tag, version, python) = (&interpreter.tag, &interpreter.version, &base.python);
            sum(&format!("format 1\n{digest}\n{tag} by {version}\non {python}\n{programs:?}\n{names:?}"))
        };
        let keys = [key(&common, &BTreeSet::new()), key(&own, &order.programs)];
        let shelf = self.shelf();
        if let (Some(common), Some(own)) = (shelf.get(&keys[0]), shelf.get(&keys[1])) {
            return Ok(vec![common, own]);
        }
        let tell = |step: Step| match step {
            Step::Installing => news(&format!("installing {} packages", all.len())),
            Step::Compiling => news("compiling them"),
        };
        let tree = local.portable(packages, &all, &order.programs, PREFIX.into(), &tell).await?;
        news("writing layers");
        let titles = [format!("packages of every service of {}", order.series), title(order)];
        let skeleton = skeleton(base);
        let moment = moment(order.day);
        let written = blocking(move || {
            let [shared, rest] = split(&tree, &common, skeleton);
            let [of_all, of_these] =
                [(&keys[0], &titles[0], shared), (&keys[1], &titles[1], rest)].map(|(key, title, entries)| {
                    shelf.put(key, title, |file: &mut File| layer::write(file, &entries, moment))
                });
            Ok(vec![of_all?, of_these?])
        });
        written.await.map_err(|error| unwritable("write the layers of the image", error))
    }

    /// Loads each of an image's commands in a container of it, as the user that it names.
    async fn tried(
        &self,
        order: &Order,
        name: &ImageReference,
        image: &Image,
        known: bool,
        news: News<'_>,
    ) -> Result<(), RunnerError> {
        // What has its name was tried.
        if known && self.containers.stored(&name.to_string()).await?.is_some_and(|stored| stored.id == image.id) {
            return Ok(());
        }
        let programs = order.programs.len();
        news(&format!("trying {programs} command{}", if programs == 1 { "" } else { "s" }));
        let pinned = PinnedImage { reference: name.clone(), digest: image.id.clone() };
        let mut command = vec!["python", "-c", include_str!("try.py")];
        command.extend(order.programs.iter().map(String::as_str));
        let (code, said) = self.containers.run_once(&pinned, &command).await?;
        if code == 0 {
            return Ok(());
        }
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with(' ')).collect();
        let last = lines[lines.len().saturating_sub(3)..].join("; ");
        Err(trouble(
            RunnerErrorKind::Other,
            format!("commands of the new image do not work in it: {last}"),
            "Packages that were compiled here may need a newer system than the base has: build on the Debian that the base \
             is of, or name a newer base with --base.",
        ))
    }
}

/// Takes an image from a file that `env build --archive` wrote, if every content of it is what its digest says.
///
/// # Errors
/// The file is none, or is damaged, or the engine does not take it.
pub async fn load(containers: &Containers, path: &Utf8Path) -> Result<Loaded, RunnerError> {
    let file = path.to_owned();
    let contents = blocking(move || archive::check(&file)).await.map_err(|error| {
        let advice = "Carry the file over once more, or write it anew with `leapfrog env build --archive FILE`. Other \
                      archives are taken by `docker load`.";
        trouble(RunnerErrorKind::Other, format!("{path} holds no image that can be trusted: {error}"), advice)
    })?;
    let known = containers.stored(&contents.id.to_string()).await?.is_some();
    if !known {
        let file = path.to_owned();
        containers.load(move |to| io::copy(&mut File::open(file)?, to).map(drop)).await?;
    }
    containers.tag(&contents.id.to_string(), &contents.name).await?;
    let label = |name: &str| contents.labels.get(name).cloned().unwrap_or_default();
    Ok(Loaded {
        series: label(SERIES),
        services: label("leapfrog.services"),
        name: contents.name,
        id: contents.id,
        manifest: contents.manifest,
        known,
    })
}

/// What is not of a package: an interpreter's place, and the user's home.
fn skeleton(base: &Base) -> BTreeMap<Utf8PathBuf, Entry> {
    let prefix = Utf8Path::new(PREFIX.trim_start_matches('/'));
    let home = base.python.parent().unwrap_or(&base.python);
    let settings = format!("home = {home}\ninclude-system-site-packages = false\nversion = {}\n", base.version);
    [
        (prefix.join("pyvenv.cfg"), Entry::Text(settings)),
        (prefix.join("bin/python"), Entry::Link(base.python.clone())),
        (prefix.join("bin/python3"), Entry::Link("python".into())),
        (HOME.trim_start_matches('/').into(), Entry::Directory { owner: USER }),
    ]
    .into()
}

/// A tree's files as two layers: what belongs to `common` packages, with `skeleton`, and the rest.
fn split(
    tree: &Tree,
    common: &BTreeSet<String>,
    skeleton: BTreeMap<Utf8PathBuf, Entry>,
) -> [BTreeMap<Utf8PathBuf, Entry>; 2] {
    let (root, prefix) = (tree.root(), Utf8Path::new(PREFIX.trim_start_matches('/')));
    let mut layers = [skeleton, BTreeMap::new()];
    for (path, owner) in &tree.files {
        let layer = usize::from(!common.contains(owner));
        layers[layer].insert(prefix.join(path), Entry::File(root.join(path)));
    }
    layers
}

fn title(order: &Order) -> String {
    let services: Vec<&str> = order.services.iter().map(|service| service.as_str()).collect();
    format!("{} of {}", services.join(", "), order.series)
}

/// The moment of everything in an image's own layers.
fn moment(day: jiff::civil::Date) -> u64 {
    let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp().as_second());
    midnight.ok().and_then(|second| u64::try_from(second).ok()).unwrap_or_default()
}

fn unwritable(doing: &str, error: io::Error) -> RunnerError {
    let advice = "Make room there, or let this user write there, then run the same command again.";
    trouble(RunnerErrorKind::Other, format!("{doing}: {error}"), advice).because(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
