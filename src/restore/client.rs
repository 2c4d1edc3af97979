//! The engines' own client programs: which ones, and how they are told where the database is.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::error::RestoreError;
use super::private::PrivateFile;
use crate::model::{ConnectionUrl, Engine, Secret};

/// A pair of client programs: one that dumps, one that takes SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The program that dumps.
    pub dump: PathBuf,
    /// The program that brings back.
    pub load: PathBuf,
}

/// A command with what it needs to live as long as it runs.
pub(super) struct Prepared {
    pub(super) command: Command,
    /// The program's name, for people.
    pub(super) program: String,
    /// The password, as long as the command may read it.
    pub(super) _secret: Option<PrivateFile>,
}

/// The programs that would do for a server, the best pair first.
fn candidates(engine: Engine, mariadb: bool) -> &'static [(&'static str, &'static str)] {
    match (engine, mariadb) {
        (Engine::Mysql, true) => &[("mariadb-dump", "mariadb"), ("mysqldump", "mysql")],
        (Engine::Mysql, false) => &[("mysqldump", "mysql"), ("mariadb-dump", "mariadb")],
        (Engine::Postgresql, _) => &[("pg_dump", "psql")],
        (Engine::Sqlite, _) => &[],
    }
}

/// The file of this name on the search path.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

impl Client {
    /// The client for an engine, of the kind that the server's `version` names.
    ///
    /// # Errors
    /// None is on this machine.
    pub fn find(engine: Engine, version: &str) -> Result<Self, RestoreError> {
        let candidates = candidates(engine, version.contains("MariaDB"));
        let found =
            candidates.iter().find_map(|(dump, load)| Some(Self { dump: on_path(dump)?, load: on_path(load)? }));
        found.ok_or_else(|| {
            let pairs: Vec<String> = candidates.iter().map(|(dump, load)| format!("{dump} and {load}")).collect();
            RestoreError::NoClient { engine, wanted: pairs.join(", or ") }
        })
    }

    /// Dumps the database of `url` to its standard output, as of one moment.
    pub(super) fn dump(&self, url: &ConnectionUrl) -> std::io::Result<Prepared> {
        let mut prepared = prepare(&self.dump, url)?;
        let command = &mut prepared.command;
        if url.engine() == Engine::Postgresql {
            command.args(["--format=plain", "--encoding=UTF8", "--no-password", "--lock-wait-timeout=60000"]);
        } else {
            command.args([
                "--single-transaction",
                "--quick",
                "--skip-lock-tables",
                "--routines",
                "--triggers",
                "--events",
                "--no-tablespaces",
                "--default-character-set=utf8mb4",
                "--max-allowed-packet=1G",
                "--skip-dump-date",
                // MySQL's own client alone knows these.
                "--loose-set-gtid-purged=OFF",
                "--loose-skip-column-statistics",
                "--",
                url.name(),
            ]);
        }
        prepared.command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(prepared)
    }

    /// Dumps the schema of the database of `url`, without rows, to its standard output.
    pub(super) fn dump_schema(&self, url: &ConnectionUrl) -> std::io::Result<Prepared> {
        let mut prepared = prepare(&self.dump, url)?;
        let command = &mut prepared.command;
        if url.engine() == Engine::Postgresql {
            command.args(["--format=plain", "--encoding=UTF8", "--no-password", "--lock-wait-timeout=60000"]);
            command.args(["--schema-only", "--no-owner", "--no-privileges"]);
        } else {
            command.args([
                "--no-data",
                "--skip-lock-tables",
                "--routines",
                "--triggers",
                "--no-tablespaces",
                "--default-character-set=utf8mb4",
                "--skip-dump-date",
                "--loose-set-gtid-purged=OFF",
                "--loose-skip-column-statistics",
                "--",
                url.name(),
            ]);
        }
        prepared.command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(prepared)
    }

    /// Takes SQL for the database of `url` from its standard input, and stops at the first mistake.
    pub(super) fn load(&self, url: &ConnectionUrl) -> std::io::Result<Prepared> {
        let mut prepared = prepare(&self.load, url)?;
        let command = &mut prepared.command;
        if url.engine() == Engine::Postgresql {
            command.args([
                "--no-psqlrc",
                "--quiet",
                "--no-password",
                "--set=ON_ERROR_STOP=1",
                "--output=/dev/null",
                "--file=-",
            ]);
        } else {
            command.args([
                "--batch",
                "--binary-mode",
                "--default-character-set=utf8mb4",
                "--max-allowed-packet=1G",
                "--",
                url.name(),
            ]);
        }
        prepared.command.stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(prepared)
    }
}

/// The program with all that tells it where the database is, but for the database's name on MySQL.
fn prepare(program: &PathBuf, url: &ConnectionUrl) -> std::io::Result<Prepared> {
    let mut command = Command::new(program);
    command.stderr(Stdio::piped());
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let secret = if url.engine() == Engine::Postgresql {
        postgresql(&mut command, url)?
    } else {
        let file = PrivateFile::new(&option_file(url))?;
        // The first argument, and no other file is read: an operator's ~/.my.cnf would win over it.
        command.arg(format!("--defaults-file={}", file.path().display()));
        Some(file)
    };
    Ok(Prepared { command, program: name, _secret: secret })
}

/// The parameters are those that `database::connect` reads.
fn option_file(url: &ConnectionUrl) -> Secret {
    let mut text = String::from("[client]\n");
    let mut option = |name: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        text.push_str(&format!("{name}=\"{value}\"\n"));
    };
    match url.parameter("unix_socket") {
        Some(socket) => option("socket", socket.expose()),
        None => {
            option("host", url.host().trim_start_matches('[').trim_end_matches(']'));
            option("port", &url.port().to_string());
            option("protocol", "tcp");
        }
    }
    if let Some(user) = url.user() {
        option("user", user);
    }
    if let Some(password) = url.password() {
        option("password", password.expose());
    }
    for (parameter, name) in [("ssl_ca", "ssl-ca"), ("ssl_cert", "ssl-cert"), ("ssl_key", "ssl-key")] {
        if let Some(value) = url.parameter(parameter) {
            option(name, value.expose());
        }
    }
    if url.parameter("ssl_ca").is_none() {
        // Encryption is optional, as it is for leapfrog's own connections.
        text.push_str("loose-disable-ssl-verify-server-cert\nloose-get-server-public-key\n");
    }
    Secret::new(text)
}

/// Where the database is in the environment, the password in a file.
fn postgresql(command: &mut Command, url: &ConnectionUrl) -> std::io::Result<Option<PrivateFile>> {
    for name in ["PGSERVICE", "PGSERVICEFILE", "PGPASSWORD", "PGOPTIONS", "PGHOSTADDR"] {
        command.env_remove(name);
    }
    command.env("PGHOST", url.host().trim_start_matches('[').trim_end_matches(']'));
    command.env("PGPORT", url.port().to_string()).env("PGDATABASE", url.name()).env("PGAPPNAME", "leapfrog");
    command.env("PGCLIENTENCODING", "UTF8");
    if let Some(user) = url.user() {
        command.env("PGUSER", user);
    }
    for (parameter, name) in
        [("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT"), ("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY")]
    {
        if let Some(value) = url.parameter(parameter) {
            command.env(name, value.expose());
        }
    }
    let Some(password) = url.password() else { return Ok(None) };
    let escaped = password.expose().replace('\\', "\\\\").replace(':', "\\:");
    let file = PrivateFile::new(&Secret::new(format!("*:*:*:*:{escaped}\n")))?;
    command.env("PGPASSFILE", file.path());
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "mysql+pymysql://nova@db.example:3307/nova";

    #[test]
    fn no_argument_and_no_variable_of_a_client_holds_the_password() {
        for text in [URL, "postgresql://nova@db.example/nova"] {
            let url = text.parse::<ConnectionUrl>().expect("valid").with_password(Secret::new("s3:cr\\et\""));
            let client = Client { dump: "/bin/dump".into(), load: "/bin/load".into() };
            for prepared in [client.dump(&url), client.load(&url)] {
                let prepared = prepared.expect("prepared");
                let words = format!("{:?} {:?}", prepared.command, prepared.command.get_envs().collect::<Vec<_>>());
                assert!(!words.contains("s3"), "{words}");
                let path = prepared._secret.as_ref().expect("a file").path();
                let held = std::fs::read_to_string(path).expect("readable");
                assert!(held.contains("s3:cr\\\\et\\\"") || held == "*:*:*:*:s3\\:cr\\\\et\"\n", "{held}");
            }
        }
    }

    #[test]
    fn the_client_is_of_the_server_s_kind_where_both_are_there() {
        assert_eq!(candidates(Engine::Mysql, true)[0].0, "mariadb-dump");
        assert_eq!(candidates(Engine::Mysql, false)[0].0, "mysqldump");
    }
}
