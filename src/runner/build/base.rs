//! What an image stands on: a Debian that mmdebstrap makes here, or an image that is given.
//!
//! A base brings a Python and what the packages need of a system, and nothing else is asked of it. It is an input: the
//! same base gives the same image, and a base is kept until somebody wants another.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use super::debian;
use super::layer::{Hashing, Layer};
use super::shelf::Shelf;
use super::{BaseImage, Builder, News, USER};
use crate::model::ImageReference;
use crate::runner::local::{RunnerErrorExt, sum, trouble};
use crate::runner::{PinnedImage, Runner, RunnerError, RunnerErrorKind};

/// A base that is here.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) layers: Vec<Layer>,
    /// Its interpreter, and that one's version, `3.11`.
    pub(super) python: Utf8PathBuf,
    pub(super) version: String,
    /// Where its own programs are looked for.
    pub(super) path: String,
    /// The processor it is for, as engines say it.
    pub(super) architecture: String,
    /// What it is, for people and labels.
    pub(super) name: String,
}

/// Asks an interpreter where and what it is; one of an environment, on which it stands.
const QUESTION: &str = "import os, sys; print(os.path.realpath(getattr(sys, '_base_executable', sys.executable))); \
                        print('%d.%d' % sys.version_info[:2])";
/// Where programs are looked for in an image that does not say it.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Builder {
    pub(super) async fn base(&self, wanted: &BaseImage, news: News<'_>) -> Result<Base, RunnerError> {
        match wanted {
            BaseImage::Debian { anew } => self.debian(*anew, news).await,
            BaseImage::Given(reference) => self.given(reference, news).await,
        }
    }

    async fn debian(&self, anew: bool, news: News<'_>) -> Result<Base, RunnerError> {
        let key = sum(&format!("{}\nuser {USER}\n{}", debian::recipe(), std::env::consts::ARCH));
        let base = |layer: Layer| Base {
            layers: vec![layer],
            python: format!("/usr/bin/python{}", debian::PYTHON).into(),
            version: debian::PYTHON.to_owned(),
            path: USUAL.to_owned(),
            architecture: architecture().to_owned(),
            name: format!("Debian {}", debian::SUITE),
        };
        if let Some(layer) = self.shelf().get(&key).filter(|_| !anew) {
            return Ok(base(layer));
        }
        news("making a Debian base with mmdebstrap");
        let shelf = self.shelf();
        let made = tokio::task::spawn_blocking(move || bootstrap(&shelf, &key)).await;
        made.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())).map(base)
    }

    async fn given(&self, reference: &ImageReference, news: News<'_>) -> Result<Base, RunnerError> {
        let text = reference.to_string();
        if self.containers.stored(&text).await?.is_none() {
            news(&format!("pulling {reference}"));
            let image = self.containers.resolve(reference).await?;
            self.containers.fetch(&image, &|_| ()).await?;
            self.containers.tag(&image.reference.pinned(&image.digest).to_string(), reference).await?;
        }
        let Some(stored) = self.containers.stored(&text).await? else {
            let what = format!("{reference} was pulled, and the container engine does not have it");
            return Err(trouble(RunnerErrorKind::Other, what, "See the container engine's own log."));
        };
        let unusable = |why: String| {
            let advice = "Name an image with a Python of one of the release's versions, such as \
                          docker.io/library/python:3.11-slim-bookworm; or leave --base out.";
            trouble(RunnerErrorKind::ImageMissing, format!("{reference} is no base for an image: {why}"), advice)
        };
        let image = PinnedImage { reference: reference.clone(), digest: stored.id.clone() };
        let (code, said) = self.containers.run_once(&image, &["python3", "-c", QUESTION]).await.map_err(|error| {
            let why = error.what.clone();
            unusable(why).because(error)
        })?;
        let mut lines = said.lines();
        let (0, Some(python), Some(version)) = (code, lines.next(), lines.next()) else {
            return Err(unusable(format!("its python3 ended with {code}: {said}")));
        };
        let shelf = self.shelf();
        let keys: Vec<String> = stored.diff_ids.iter().map(|id| id.to_string().replace(':', "-")).collect();
        let mut layers: Vec<Layer> = keys.iter().filter_map(|key| shelf.get(key)).collect();
        if layers.len() < keys.len() {
            news(&format!("taking the layers of {reference}"));
            let unwritable = |error: io::Error| {
                let advice = "Make room there, then run the same command again.";
                trouble(RunnerErrorKind::Other, format!("take the layers of {reference}: {error}"), advice)
                    .because(error)
            };
            fs::create_dir_all(&shelf.0).map_err(unwritable)?;
            let file = shelf.0.join(format!("{}.save.tmp", std::process::id()));
            let saved = self.containers.save(&stored.id, &file).await;
            let title = text.clone();
            let taken = match saved {
                Ok(()) => take_layers(&shelf, &file, &keys, &title).map_err(unwritable),
                Err(error) => Err(error),
            };
            let _ = fs::remove_file(&file);
            layers = taken?;
        }
        Ok(Base {
            layers,
            python: python.into(),
            version: version.to_owned(),
            path: stored.path.unwrap_or_else(|| USUAL.to_owned()),
            architecture: stored.architecture.unwrap_or_else(|| architecture().to_owned()),
            name: format!("{reference} ({})", stored.id),
        })
    }
}

/// This machine's processor, as engines say it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Lets mmdebstrap make a Debian, and keeps of it what commands need.
fn bootstrap(shelf: &Shelf, key: &str) -> Result<Layer, RunnerError> {
    let unwritable = |error: io::Error| {
        let what = format!("make a base in {}: {error}", shelf.0);
        trouble(RunnerErrorKind::Other, what, "Make room there, then run the same command again.").because(error)
    };
    fs::create_dir_all(&shelf.0).map_err(unwritable)?;
    let whole = shelf.0.join(format!("{}.debian.tmp", std::process::id()));
    let mut command = Command::new("mmdebstrap");
    command.args(debian::arguments()).arg(&whole).env("SOURCE_DATE_EPOCH", debian::MOMENT.to_string());
    let made = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let layer = match made {
        Ok(made) if made.status.success() => shelf
            .put(key, &format!("Debian {}", debian::SUITE), |file| {
                debian::strip(io::BufReader::with_capacity(1 << 20, File::open(&whole)?), file)
            })
            .map_err(unwritable),
        Ok(made) => Err(refused(&String::from_utf8_lossy(&made.stderr))),
        Err(error) => {
            let what = "mmdebstrap, which makes the base of an image, cannot be run";
            let advice = "Install it (Debian, Ubuntu: `apt install mmdebstrap debian-archive-keyring`), or name an image \
                          with a Python with --base, such as docker.io/library/python:3.11-slim-bookworm.";
            Err(trouble(RunnerErrorKind::Other, what, advice).because(error))
        }
    };
    let _ = fs::remove_file(&whole);
    layer
}

/// Why mmdebstrap made nothing, and what mends it.
fn refused(said: &str) -> RunnerError {
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("E:") || line.contains("error")).collect();
    let told = if lines.is_empty() { said.lines().last().unwrap_or_default().to_owned() } else { lines.join(" ") };
    let lower = said.to_ascii_lowercase();
    let advice = if ["unshare", "user namespace", "newuidmap", "fakechroot", "permission denied"]
        .iter()
        .any(|text| lower.contains(text))
        && !rustix::process::geteuid().is_root()
    {
        "As a user who is not root it needs namespaces of one's own: `apt install uidmap`, lines for this user in \
         /etc/subuid and /etc/subgid, and `sysctl kernel.unprivileged_userns_clone=1` where that is 0; or \
         `apt install fakechroot fakeroot`; or run this once as root with the same --directory. Or name an image with \
         --base."
    } else if lower.contains("keyring") || lower.contains("no_pubkey") || lower.contains("not signed") {
        "Install Debian's keys (`apt install debian-archive-keyring`), or name an image with --base."
    } else {
        "See whether this machine reaches a Debian mirror (a proxy goes into http_proxy), then run the same command \
         again; or name an image with a Python with --base."
    };
    trouble(RunnerErrorKind::Other, format!("mmdebstrap could not make a base: {told}"), advice)
}

/// Takes the layers out of what an engine saved of an image, in their order.
fn take_layers(shelf: &Shelf, saved: &Utf8Path, keys: &[String], title: &str) -> io::Result<Vec<Layer>> {
    let mut places: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut links = BTreeMap::new();
    let mut manifest = Vec::new();
    for entry in tar::Archive::new(File::open(saved)?).entries_with_seek()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if let Some(target) = entry.link_name_bytes() {
            // Layers that are the same lie there once.
            links.insert(path, String::from_utf8_lossy(&target).trim_start_matches("../").to_owned());
        } else if path == "manifest.json" {
            entry.by_ref().take(1 << 20).read_to_end(&mut manifest)?;
        } else {
            places.insert(path, (entry.raw_file_position(), entry.size()));
        }
    }
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    let names = manifest[0]["Layers"].as_array().cloned().unwrap_or_default();
    if names.len() != keys.len() {
        return Err(io::Error::other(format!("{} layers of {} were saved", names.len(), keys.len())));
    }
    let mut layers = Vec::new();
    for (name, key) in names.iter().zip(keys) {
        let name = name.as_str().unwrap_or_default();
        let place = places.get(name).or_else(|| places.get(links.get(name)?));
        let (at, size) = place.ok_or_else(|| io::Error::other(format!("{name} was not saved")))?;
        let layer = shelf.put(key, title, |file| {
            let mut from = File::open(saved)?;
            from.seek(SeekFrom::Start(*at))?;
            let mut from = from.take(*size);
            let mut first = [0; 2];
            from.read_exact(&mut first)?;
            let packed = first == [0x1f, 0x8b];
            let whole = first.as_slice().chain(from);
            let whole: Box<dyn Read> =
                if packed { Box::new(flate2::read::GzDecoder::new(whole)) } else { Box::new(whole) };
            let mut whole = Hashing::new(whole);
            io::copy(&mut whole, file)?;
            whole.sum()
        })?;
        if layer.known.diff_id.to_string().replace(':', "-") != *key {
            return Err(io::Error::other(format!("{name} is not {key}")));
        }
        layers.push(layer);
    }
    Ok(layers)
}
