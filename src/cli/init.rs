//! `leapfrog init`: a cloud file from the configuration that is here.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, anyhow};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::Serialize;

use super::arguments::{Common, InitArguments, Output};
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world::{catalog, meant, quoted};
use crate::catalog::Playbook;
use crate::cloud::{Cloud, check_pattern};
use crate::contact::{Contact, Draft, Ground, Layout, Problem, look};
use crate::model::Service;

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Told<'a> {
    /// The cloud file.
    file: &'a Utf8Path,
    /// Whether it was written.
    written: bool,
    services: Vec<ToldService>,
    /// Services of which there is no trace.
    absent: Vec<&'a Service>,
    problems: Vec<ToldProblem<'a>>,
    /// Whether the file says where images are.
    images: bool,
    /// What to run next.
    next: String,
}

#[derive(Debug, Serialize)]
struct ToldService {
    service: Service,
    databases: Vec<ToldDatabase>,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ToldDatabase {
    database: String,
    /// Without password.
    url: String,
    /// Option, file and line.
    option: String,
    place: String,
}

#[derive(Debug, Serialize)]
struct ToldProblem<'a> {
    service: &'a Service,
    what: &'a str,
    next: &'a str,
}

/// `leapfrog init`.
pub(super) fn init(common: &Common, arguments: &InitArguments, show: &Show) -> Result<Exit, Stop> {
    let catalog = catalog(common)?;
    let all: Vec<&Playbook> = catalog.playbooks().collect();
    let playbooks = chosen(&all, &arguments.only).map_err(Stop::usage)?;
    if let Some(pattern) = &arguments.images {
        check_pattern(pattern).context("--images is no pattern of images").map_err(Stop::usage)?;
    }
    let ground = ground(arguments, &playbooks).map_err(Stop::usage)?;
    let contact = look(&ground, &playbooks, arguments.images.as_deref());
    let file = &common.config;
    let told = |written: bool, next: String| Told::new(file, written, &contact, next);
    if !contact.problems.is_empty() {
        if show.output != Output::Text {
            show.print_json(&told(false, retry(&contact)))?;
        }
        return Err(Stop::usage(anyhow!("{}", problems(&contact))));
    }
    if contact.services.is_empty() {
        return Err(Stop::usage(anyhow!("{}", nothing(&ground, &contact))));
    }
    let day = Timestamp::now().strftime("%F").to_string();
    let usual = contact.name.clone().unwrap_or_else(|| "cloud".to_owned());
    let mut name = arguments.name.as_ref().map_or(usual, ToString::to_string);
    let exists = fs::symlink_metadata(file).is_ok();
    if exists && !arguments.overwrite {
        return Err(Stop::usage(anyhow!(
            "{file} is there already and was left as it is: write over it with --overwrite, or name another file with --config"
        )));
    }
    if !arguments.yes {
        if !std::io::stdin().is_terminal() {
            return Err(Stop::usage(anyhow!(
                "there is no terminal to ask on: add --yes to write {file} without being asked"
            )));
        }
        show.complain(&found(&contact));
        if arguments.name.is_none() {
            name = ask_name(show, &name)?;
        }
    }
    let draft = Draft { contact: &contact, name: &name, secrets: arguments.with_secrets, day: &day };
    let text = draft.text();
    let full = std::path::absolute(file.as_std_path()).ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let checked = Cloud::check(full.as_deref().unwrap_or(file), &text, &all, &|name| std::env::var(name).ok());
    let cloud = checked.map_err(Stop::document)?;
    if !arguments.yes && !show.asks(&format!("Write {file}{}?", if exists { ", over what is there" } else { "" }))? {
        return Ok(Exit::Interrupted);
    }
    write(file, &text, arguments.with_secrets, exists)
        .with_context(|| format!("failed to write {file}"))
        .map_err(Stop::usage)?;
    let next = if *file == "leapfrog.yaml" {
        "leapfrog detect".to_owned()
    } else {
        format!("leapfrog detect --config {}", quoted(file.as_str()))
    };
    match show.output {
        Output::Text => {
            let shown = if arguments.yes { found(&contact) } else { String::new() };
            show.print(&format!("{shown}wrote     {file}: {}\n", summary(&contact, &name)));
            tell(&contact, show);
            show.warn(&cloud.warnings);
            let images = if contact.images.known { "" } else { "; before you plan, say in the file where images are" };
            show.print(&format!("next      {next}{images}\n"));
        }
        Output::Json | Output::Jsonl => show.print_json(&told(true, next))?,
    }
    Ok(Exit::Done)
}

/// The playbooks of the services that were asked for.
fn chosen<'a>(all: &[&'a Playbook], only: &[Service]) -> anyhow::Result<Vec<&'a Playbook>> {
    let known: Vec<&str> = all.iter().map(|playbook| playbook.service.as_str()).collect();
    if let Some(service) = only.iter().find(|service| !known.contains(&service.as_str())) {
        let meant = meant(service.as_str(), &known);
        return Err(anyhow!("--only {service}: there is no playbook for it{meant}; there are {}", known.join(", ")));
    }
    Ok(all.iter().filter(|playbook| only.is_empty() || only.contains(&playbook.service)).copied().collect())
}

/// Where to look.
fn ground(arguments: &InitArguments, playbooks: &[&Playbook]) -> anyhow::Result<Ground> {
    // The cloud file may stand anywhere, and relative paths in it are relative to it.
    let root = absolute(&arguments.root)?;
    if !root.is_dir() {
        return Err(anyhow!("--root {} is no directory that can be looked into", arguments.root));
    }
    if let Some(kolla) = &arguments.from_kolla {
        if !kolla.is_dir() {
            return Err(anyhow!("--from-kolla {kolla} is no directory that can be looked into"));
        }
        return Ok(Ground { root, layout: Layout::Kolla(absolute(kolla)?) });
    }
    let kolla = Ground::kolla_below(&root, playbooks).filter(|_| !arguments.from_etc);
    if let Some(kolla) = kolla {
        if Ground::packages_below(&root, playbooks) {
            return Err(anyhow!(
                "there are services' configurations in {kolla} and in {}: say which of them your cloud runs with, \
                 --from-kolla {kolla} or --from-etc",
                root.join("etc")
            ));
        }
        return Ok(Ground { root, layout: Layout::Kolla(kolla) });
    }
    Ok(Ground { root, layout: Layout::Packages })
}

/// The path from `/` on, without what says nothing.
fn absolute(path: &Utf8Path) -> anyhow::Result<Utf8PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| format!("failed to find {path}"))?;
    let absolute = Utf8PathBuf::from_path_buf(absolute).map_err(|_| anyhow!("the path to {path} is not UTF-8"))?;
    Ok(absolute.components().filter(|part| part.as_str() != ".").collect())
}

/// Everything that keeps services from being understood, as one text.
fn problems(contact: &Contact) -> String {
    let mut text = "nothing was written, since not every service here can be understood".to_owned();
    for Problem { service, what, next } in &contact.problems {
        text.push_str(&format!("\n\n{service}\n  found     {what}\n  next      {next}"));
    }
    text.push_str(&format!("\n\nnext      {}", retry(contact)));
    text
}

/// How to go on where some services cannot be understood.
fn retry(contact: &Contact) -> String {
    let sound: Vec<&str> = contact.sound().map(|found| found.service.as_str()).collect();
    if sound.is_empty() {
        "mend that, then run the same command again".to_owned()
    } else {
        format!("mend that, then run the same command again; for the others alone: --only {}", sound.join(","))
    }
}

/// That there is no trace of any service.
fn nothing(ground: &Ground, contact: &Contact) -> String {
    let files: Vec<&str> = contact.absent.iter().map(|(_, file)| file.as_str()).collect();
    let advice = match &ground.layout {
        Layout::Packages => {
            "run it where the services' APIs run, or name where their files are with --root or --from-kolla"
        }
        Layout::Kolla(_) => {
            "name kolla-ansible's directory on a machine where the services' APIs run with --from-kolla"
        }
    };
    format!("no configuration of any service is here; looked for {}. Next: {advice}", files.join(", "))
}

/// What was found where.
fn found(contact: &Contact) -> String {
    let mut rows: Vec<[String; 3]> = vec![["database".into(), "leads to".into(), "found in".into()]];
    for database in contact.services.iter().flat_map(|found| &found.databases) {
        let place = if database.derived { format!("{} (a guess)", database.place) } else { database.place.clone() };
        rows.push([database.id.to_string(), database.url.to_string(), place]);
    }
    for found in contact.services.iter().filter(|found| found.mapped) {
        rows.push([format!("{}.cells", found.service), "as the cell mappings say".into(), String::new()]);
    }
    crate::report::columns(&rows)
}

fn summary(contact: &Contact, name: &str) -> String {
    let services = contact.services.len();
    let databases: usize = contact.services.iter().map(|found| found.databases.len()).sum();
    let counted = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    format!("cloud {name}, {}, {}", counted(services, "service"), counted(databases, "database"))
}

/// What deserves a second look, and what was not found.
fn tell(contact: &Contact, show: &Show) {
    for remark in contact.services.iter().flat_map(|found| &found.remarks).chain(&contact.images.remarks) {
        show.caution(&format!("leapfrog: note: {remark}\n"));
    }
    if !contact.absent.is_empty() {
        let absent: Vec<&str> = contact.absent.iter().map(|(service, _)| service.as_str()).collect();
        show.caution(&format!(
            "leapfrog: note: no configuration of {} is here, and the file leaves them out\n",
            absent.join(", ")
        ));
    }
    let source = &contact.images.source;
    if contact.images.known {
        show.complain(&format!("images    {source}\n"));
    } else {
        show.caution(&format!(
            "leapfrog: note: {source}; the file has a placeholder, and nothing is planned with it\n"
        ));
    }
}

fn ask_name(show: &Show, usual: &str) -> Result<String, Stop> {
    loop {
        show.complain(&format!("\nName of the cloud [{usual}]: "));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        let read = read.context("failed to read the answer").map_err(Stop::internal)?;
        let answer = answer.trim();
        if answer.is_empty() {
            return if read == 0 {
                Err(Stop::usage(anyhow!("there was no answer; nothing was written")))
            } else {
                Ok(usual.to_owned())
            };
        }
        match answer.parse::<crate::model::Slot>() {
            Ok(name) => return Ok(name.to_string()),
            Err(error) => show.complain(&format!("{error}\n")),
        }
    }
}

/// Writes the file beside its place and moves it there whole. Without leave nothing that is there is replaced.
fn write(file: &Utf8Path, text: &str, secret: bool, replace: bool) -> anyhow::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let name = file.file_name().ok_or_else(|| anyhow!("{file} names no file"))?;
    let beside = directory.join(format!(".{name}.{}", std::process::id()));
    let mode = if secret { 0o600 } else { 0o644 };
    let made = (|| -> anyhow::Result<()> {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        if replace {
            fs::rename(&beside, file)?;
        } else {
            // Unlike a rename this fails where somebody has made the file meanwhile.
            fs::hard_link(&beside, file)?;
        }
        Ok(())
    })();
    if !replace || made.is_err() {
        let _ = fs::remove_file(&beside);
    }
    made
}

impl<'a> Told<'a> {
    fn new(file: &'a Utf8Path, written: bool, contact: &'a Contact, next: String) -> Self {
        let services = contact.services.iter().map(|found| ToldService {
            service: found.service.clone(),
            databases: found
                .databases
                .iter()
                .map(|database| ToldDatabase {
                    database: database.id.to_string(),
                    url: database.url.to_string(),
                    option: database.name.to_string(),
                    place: database.place.clone(),
                })
                .collect(),
            remarks: found.remarks.clone(),
        });
        let problems = contact.problems.iter().map(|problem| ToldProblem {
            service: &problem.service,
            what: &problem.what,
            next: &problem.next,
        });
        Self {
            file,
            written,
            services: services.collect(),
            absent: contact.absent.iter().map(|(service, _)| service).collect(),
            problems: problems.collect(),
            images: contact.images.known,
            next,
        }
    }
}
