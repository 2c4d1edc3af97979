//! One service: what its files say of its databases.

use camino::{Utf8Path, Utf8PathBuf};

use super::places::{self, Place};
use crate::catalog::Playbook;
use crate::model::{ConnectionUrl, ConnectionUrlError, DatabaseId, Engine, Secret, Service, Slot};
use crate::oslo::{Configuration, Name, OsloError, Setting};

/// A service that is here.
#[derive(Debug)]
pub struct FoundService {
    /// Which.
    pub service: Service,
    /// Its files in their order; a path that ends in a slash is a directory.
    pub files: Vec<Utf8PathBuf>,
    /// Its databases, in the playbook's order; those that it may have any number of are left out.
    pub databases: Vec<FoundDatabase>,
    /// Whether it may have any number of some (nova's cells).
    pub mapped: bool,
    /// What deserves a second look.
    pub remarks: Vec<String>,
}

/// A database of a service.
#[derive(Debug)]
pub struct FoundDatabase {
    /// Which one.
    pub id: DatabaseId,
    /// Where it is; shown without the password.
    pub url: ConnectionUrl,
    /// The URL as the configuration has it.
    pub text: Secret,
    /// The option.
    pub name: Name,
    /// Where it stands: `/etc/nova/nova.conf:12`.
    pub place: String,
    /// Whether the option names another database of the same server, and this one follows from it.
    pub derived: bool,
}

/// Why a service cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which service.
    pub service: Service,
    /// What is wrong, with file and line.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// Reads a service's files.
pub(super) fn read(playbook: &Playbook, files: &[Utf8PathBuf]) -> Result<FoundService, Vec<Problem>> {
    let service = &playbook.service;
    let unreadable =
        |error: &OsloError| Problem { service: service.clone(), what: error.to_string(), next: error.advice() };
    let configuration =
        Configuration::read(files).map_err(|errors| errors.iter().map(unreadable).collect::<Vec<_>>())?;
    let mut reading = Reading {
        playbook,
        files,
        configuration: &configuration,
        databases: Vec::new(),
        remarks: Vec::new(),
        problems: Vec::new(),
    };
    for place in places::options(playbook) {
        reading.option(&place);
    }
    let order = |id: &DatabaseId| playbook.databases.iter().position(|slot| slot.slot == id.slot);
    reading.databases.sort_by_key(|found| order(&found.id));
    reading.lacking();
    let Reading { databases, remarks, problems, .. } = reading;
    if problems.is_empty() {
        let mapped = playbook.databases.iter().any(|slot| slot.many);
        Ok(FoundService { service: service.clone(), files: files.to_vec(), databases, mapped, remarks })
    } else {
        Err(problems)
    }
}

/// A service that is being read.
struct Reading<'a> {
    playbook: &'a Playbook,
    files: &'a [Utf8PathBuf],
    configuration: &'a Configuration,
    databases: Vec<FoundDatabase>,
    remarks: Vec<String>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.problems.push(Problem { service: self.playbook.service.clone(), what: what.into(), next: next.into() });
    }

    /// Reads an option that holds a URL.
    fn option(&mut self, place: &Place) {
        let setting = match self.configuration.value(&place.names) {
            Ok(Some(setting)) => setting,
            Ok(None) => return self.missing(place),
            Err(error) => return self.problem(error.to_string(), error.advice()),
        };
        let at = setting.place();
        if setting.value.expose().trim().is_empty() {
            let next = "write the database's URL there: the service needs it as well";
            return self.problem(format!("{at}: {} is empty", setting.name), next);
        }
        let url = match setting.value.expose().parse::<ConnectionUrl>() {
            Ok(url) => url,
            Err(error) => {
                let (what, next) = explain(&error, &setting);
                return self.problem(format!("{at}: {what}"), next);
            }
        };
        self.rivals(place, &setting, &url);
        self.doubts(&setting, &url);
        let (one, many): (Vec<&Slot>, Vec<&Slot>) = place
            .slots
            .iter()
            .partition(|slot| self.playbook.databases.iter().any(|known| known.slot == **slot && !known.many));
        let found = |slot: &Slot, url: ConnectionUrl, derived: bool| FoundDatabase {
            id: DatabaseId { service: self.playbook.service.clone(), slot: slot.clone(), member: None },
            url,
            text: setting.value.clone(),
            name: setting.name.clone(),
            place: at.clone(),
            derived,
        };
        match (one.as_slice(), many.is_empty()) {
            (one, true) => {
                let all: Vec<FoundDatabase> = one.iter().map(|slot| found(slot, url.clone(), false)).collect();
                self.databases.extend(all);
            }
            ([slot], false) if url.name().ends_with(&format!("_{slot}")) => {
                let found = found(slot, url, false);
                self.databases.push(found);
            }
            ([slot], false) => {
                // nova-manage cell_v2 map_cell0 makes this name where nobody tells it another.
                let name = format!("{}_{slot}", url.name());
                self.remarks.push(format!(
                    "{at} names {}, which is a cell's; {slot} is taken to be {name} on the same server: `leapfrog detect` \
                     shows whether it is",
                    url.name()
                ));
                let found = found(slot, url.with_name(name), true);
                self.databases.push(found);
            }
            _ => {}
        }
    }

    /// That an option is set nowhere.
    fn missing(&mut self, place: &Place) {
        let name = &place.names[0];
        let service = &self.playbook.service;
        let read: Vec<&str> = self.configuration.files().map(Utf8Path::as_str).collect();
        let what = format!("{name} is set in none of {}", read.join(", "));
        let elsewhere = self.configuration.written(&[Name::new("DEFAULT", "config_source")]);
        let next = match elsewhere {
            Some(source) => format!(
                "{service} reads more than files ({}: config_source), which leapfrog cannot see: write the cloud file's \
                 part for it by hand",
                source.place()
            ),
            None => format!(
                "run this where the API of {service} runs; where it has no database here, name the services that have \
                 one with --only"
            ),
        };
        self.problem(what, next);
    }

    /// Another name of the same option that leads elsewhere: which of them counts depends on the release.
    fn rivals(&mut self, place: &Place, setting: &Setting, url: &ConnectionUrl) {
        for name in place.names.iter().filter(|name| **name != setting.name) {
            let Ok(Some(rival)) = self.configuration.value(std::slice::from_ref(name)) else { continue };
            let Ok(other) = rival.value.expose().parse::<ConnectionUrl>() else { continue };
            if !other.same_database(url) {
                let what = format!(
                    "{} and {} name two databases: {} is {url}, {} is {other}",
                    setting.place(),
                    rival.place(),
                    setting.name,
                    rival.name
                );
                let next = "which of them counts depends on the release: remove the one that does not";
                self.problem(what, next);
            }
        }
        if !setting.others.is_empty() {
            let others = setting.others.join(", ");
            self.remarks.push(format!("{} counts, not {others}: what is read last wins", setting.place()));
        }
    }

    /// What can be told of a URL by looking at it.
    fn doubts(&mut self, setting: &Setting, url: &ConnectionUrl) {
        let at = setting.place();
        let mut remarks = Vec::new();
        match url.engine() {
            Engine::Sqlite => {
                remarks.push(format!("{at} leads to an SQLite file, as packages do before they are configured"))
            }
            Engine::Mysql | Engine::Postgresql => {
                if url.user().is_some() && url.password().is_none() {
                    remarks.push(format!(
                        "{at} has no password: if the server wants one, write `password_file` or `password_env` beside \
                         `url_from`"
                    ));
                }
            }
        }
        if url.parameter("unix_socket").is_some() {
            remarks.push(format!(
                "{at} leads through a socket file (unix_socket), which is in no container: give it a host and a port \
                 for a leap"
            ));
        }
        for name in ["ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey"] {
            if let Some(file) = url.parameter(name) {
                let file = file.expose().chars().filter(|c| !c.is_control()).collect::<String>();
                remarks.push(format!("{at} names {file} ({name}): it has to be on this machine and in every image"));
            }
        }
        let refuses = self.playbook.configuration.iter().find_map(|file| file.refuses_percent.as_ref());
        if refuses.is_some() && url.has_percent_sign() {
            remarks.push(format!(
                "{at} has a percent sign in user or password, which some releases cannot read: `leapfrog plan` refuses it \
                 and says what to do"
            ));
        }
        let old = places::OLD.iter().any(|(group, option)| setting.name == Name::new(*group, *option));
        if old && !self.playbook.configuration.iter().any(|file| names(file, &setting.name)) {
            remarks.push(format!(
                "{at}: {} is an old name of [database] connection, which no release from 2024.1 on reads",
                setting.name
            ));
        }
        let slave = Name::new(&setting.name.group, "slave_connection");
        if let Some(slave) = self.configuration.written(&[slave]).filter(|slave| !slave.value.expose().is_empty()) {
            remarks.push(format!(
                "{}: slave_connection is for readers; leapfrog uses {} alone",
                slave.place(),
                setting.name
            ));
        }
        let parameters = Name::new(&setting.name.group, "connection_parameters");
        if let Some(found) = self.configuration.written(&[parameters]).filter(|found| !found.value.expose().is_empty())
        {
            remarks.push(format!(
                "{}: connection_parameters are not taken over: write them into {} behind a `?`",
                found.place(),
                setting.name
            ));
        }
        self.remarks.extend(remarks);
    }

    /// Databases that the playbook wants and that no option leads to.
    fn lacking(&mut self) {
        if !self.problems.is_empty() {
            return;
        }
        let wanted = self.playbook.databases.iter().filter(|slot| !slot.many).map(|slot| slot.slot.clone());
        let lacking: Vec<Slot> =
            wanted.filter(|slot| !self.databases.iter().any(|found| found.id.slot == *slot)).collect();
        for slot in lacking {
            let files: Vec<&str> = self.files.iter().map(|file| file.as_str()).collect();
            let what = format!("nothing in {} leads to the database `{slot}`", files.join(", "));
            self.problem(what, "write the cloud file's part for it by hand");
        }
    }
}

/// Whether a playbook's file has an option of this name.
fn names(file: &crate::catalog::ConfigurationFile, name: &Name) -> bool {
    file.options.iter().any(|option| option.group == name.group && option.option == name.option)
}

/// What is wrong with a URL, and what to do; nothing of it is repeated.
fn explain(error: &ConnectionUrlError, setting: &Setting) -> (String, String) {
    let name = &setting.name;
    let value = setting.value.expose();
    match error {
        ConnectionUrlError::Engine { .. } => (
            format!("the engine or driver of {name} is not supported"),
            "leapfrog reads mysql+pymysql, mysql+mysqldb, mariadb+pymysql, postgresql+psycopg2 and sqlite".to_owned(),
        ),
        ConnectionUrlError::NoHost { .. } if value.contains("unix_socket=") => (
            format!("{name} names a socket file and no host, and a socket file is in no container"),
            "give it a host and a port, such as 127.0.0.1:3306, if the server listens there".to_owned(),
        ),
        ConnectionUrlError::Blank if value.contains('\n') => (
            format!("{name} goes on in the next line, since that is indented"),
            "begin the next line in the first column, or put the URL into one line".to_owned(),
        ),
        other => (format!("{name}: {other}"), "mend the URL: the service cannot use it either".to_owned()),
    }
}

/// Services that would be taken through their releases in one database.
pub(super) fn twins(services: &[FoundService]) -> Vec<Problem> {
    let all: Vec<&FoundDatabase> = services.iter().flat_map(|found| &found.databases).collect();
    let mut problems = Vec::new();
    for (at, found) in all.iter().enumerate() {
        let Some(twin) = all[..at].iter().find(|other| other.url.same_database(&found.url)) else { continue };
        problems.push(Problem {
            service: found.id.service.clone(),
            what: format!("{} is the database of {} as well as of {} ({})", found.url, found.id, twin.id, twin.place),
            next: format!("look at {}: two services cannot share one", found.place),
        });
    }
    problems
}
