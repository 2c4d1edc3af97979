//! `leapfrog env`: the Python environments on this machine, and images of the same.

use anyhow::anyhow;
use camino::Utf8PathBuf;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::arguments::{Common, Output};
use super::commands::EnvCommand;
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::utility_images;
use super::world::World;
use crate::cloud::{LocalSettings, RunnerSettings};
use crate::report;
use crate::runner::local::{Shelved, shelved};

/// After how long an environment counts as unused.
const UNUSED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One environment.
#[derive(Debug, Serialize)]
struct Line {
    /// What it was made for, such as `local/2023.1`; nothing where its making was cut off.
    environment: Option<String>,
    series: Option<String>,
    services: Vec<String>,
    digest: String,
    bytes: u64,
    made: Option<Timestamp>,
    used: Option<Timestamp>,
    interpreter: Option<Utf8PathBuf>,
    python: Option<String>,
    ok: bool,
    /// Why it cannot be used.
    trouble: Option<String>,
    directory: Utf8PathBuf,
    /// The list of its packages with their digests.
    lock: Utf8PathBuf,
}

/// What became of one that was to be removed.
#[derive(Debug, Serialize)]
struct Fate {
    environment: Option<String>,
    digest: String,
    bytes: u64,
    removed: bool,
    /// Why it was not removed.
    why: Option<String>,
}

/// `leapfrog env`.
pub(super) async fn environments(common: &Common, command: &EnvCommand, show: &Show) -> Result<Exit, Stop> {
    let directory = match command {
        EnvCommand::List { directory } | EnvCommand::Remove { directory, .. } => directory,
        EnvCommand::Build(arguments) => return utility_images::build(common, arguments, show).await,
        EnvCommand::Load { file } => return utility_images::load(common, file, show).await,
    };
    let place = place(common, directory.as_ref())?;
    let looked = place.clone();
    // Each interpreter is asked whether it works.
    let found = tokio::task::spawn_blocking(move || shelved(&looked)).await;
    let found = found.map_err(|error| Stop::internal(error.into()))?;
    let found = found.map_err(|error| Stop::usage(anyhow!("{place} cannot be read: {error}")))?;
    match command {
        EnvCommand::Remove { which, .. } => remove(found, which.as_deref(), &place, show),
        _ => list(found, &place, show),
    }
}

/// Where environments are: as was asked, or as the cloud file says where there is one.
fn place(common: &Common, directory: Option<&Utf8PathBuf>) -> Result<Utf8PathBuf, Stop> {
    if let Some(directory) = directory {
        return Ok(directory.clone());
    }
    if common.config.exists()
        && let RunnerSettings::Local(local) = World::read(common)?.cloud.runner
    {
        return Ok(local.directory);
    }
    LocalSettings::usual_directory(&|name| std::env::var(name).ok()).ok_or_else(|| {
        Stop::usage(anyhow!("neither XDG_CACHE_HOME nor HOME is set: name the directory with --directory"))
    })
}

fn list(found: Vec<Shelved>, place: &Utf8PathBuf, show: &Show) -> Result<Exit, Stop> {
    let lines: Vec<Line> = found.into_iter().map(line).collect();
    match show.output {
        Output::Text if lines.is_empty() => show.complain(&format!("no environments in {place}\n")),
        Output::Text => {
            let day = |time: Option<Timestamp>| time.map_or("never".to_owned(), |time| time.strftime("%F").to_string());
            for line in &lines {
                show.print(&format!(
                    "{:<20} {}  {:>9}  made {:<10}  used {:<10}  python {:<8} {}\n{:21}{}\n",
                    line.environment.as_deref().unwrap_or("(unfinished)"),
                    short(&line.digest),
                    report::bytes(line.bytes),
                    day(line.made),
                    day(line.used),
                    line.python.as_deref().unwrap_or("?"),
                    line.trouble.as_ref().map_or("ok".to_owned(), |why| format!("of no use: {why}")),
                    "",
                    line.services.join(", "),
                ));
            }
            let total = lines.iter().map(|line| line.bytes).sum();
            show.print(&format!(
                "{} in {place}; files that several of them share count for each\n",
                report::bytes(total)
            ));
        }
        Output::Json | Output::Jsonl => show.print_json(&lines)?,
    }
    Ok(Exit::Done)
}

fn remove(found: Vec<Shelved>, which: Option<&str>, place: &Utf8PathBuf, show: &Show) -> Result<Exit, Stop> {
    let now = Timestamp::now();
    let (doomed, kept): (Vec<Shelved>, Vec<Shelved>) = found.into_iter().partition(|one| match which {
        Some(text) => is_meant(one, text),
        None => is_unused(one, now),
    });
    if let (Some(text), true) = (which, doomed.is_empty()) {
        let known: Vec<String> =
            kept.into_iter().map(|one| one.reference.map_or(one.digest.to_string(), |name| name.to_string())).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Stop::usage(anyhow!("no environment in {place} is of {text}: there are {known}")));
    }
    let mut fates = Vec::new();
    for one in doomed {
        let (removed, why) = match one.remove() {
            Ok(true) => (true, None),
            Ok(false) => (false, Some("another leapfrog makes it, or a command runs in it".to_owned())),
            Err(error) => (false, Some(error.to_string())),
        };
        let environment = one.reference.map(|reference| reference.to_string());
        fates.push(Fate { environment, digest: one.digest.to_string(), bytes: one.bytes, removed, why });
    }
    match show.output {
        Output::Text if fates.is_empty() => show.complain("every environment was used in the last 30 days\n"),
        Output::Text => {
            for Fate { environment, digest, bytes, why, .. } in &fates {
                let name = environment.as_deref().unwrap_or("(unfinished)");
                let fate = why.as_ref().map_or("removed".to_owned(), |why| format!("not removed: {why}"));
                show.print(&format!("{name:<20} {}  {:>9}  {fate}\n", short(digest), report::bytes(*bytes)));
            }
        }
        Output::Json | Output::Jsonl => show.print_json(&fates)?,
    }
    Ok(if fates.iter().all(|fate| fate.removed) { Exit::Done } else { Exit::Failed })
}

/// Whether an environment is what somebody wrote: of a release, or of a digest that begins so.
fn is_meant(one: &Shelved, text: &str) -> bool {
    let named = one.reference.as_ref().is_some_and(|reference| {
        let name = reference.to_string();
        let name = name.strip_prefix("local/").unwrap_or(&name);
        name == text || name.split('/').next() == Some(text) || reference.to_string() == text
    });
    let digest = one.digest.to_string();
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    named || (digits.len() >= 6 && digest.strip_prefix("sha256:").is_some_and(|known| known.starts_with(digits)))
}

fn is_unused(one: &Shelved, now: Timestamp) -> bool {
    let last = one.used.max(one.made);
    one.trouble.is_some() || last.is_none_or(|last| now.duration_since(last) > UNUSED)
}

fn line(one: Shelved) -> Line {
    let series = one.reference.as_ref().map(|reference| reference.to_string());
    let series = series.and_then(|name| name.split('/').nth(1).map(str::to_owned));
    Line {
        environment: one.reference.map(|reference| reference.to_string()),
        series,
        services: one.services.iter().map(ToString::to_string).collect(),
        digest: one.digest.to_string(),
        bytes: one.bytes,
        made: one.made,
        used: one.used,
        python: one.interpreter.as_ref().map(|(_, version)| version.clone()),
        interpreter: one.interpreter.map(|(path, _)| path),
        ok: one.trouble.is_none(),
        trouble: one.trouble,
        directory: one.directory,
        lock: one.lock,
    }
}

/// The beginning of a digest.
fn short(digest: &str) -> &str {
    digest.strip_prefix("sha256:").and_then(|digits| digits.get(..12)).unwrap_or(digest)
}
