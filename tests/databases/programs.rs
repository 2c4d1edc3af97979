//! PostgreSQL's programs, as these tests and those of local environments run them.

use std::path::Path;
use std::process::{Command, Output};

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// The user and group that the server runs as where the tests run as root, which it refuses to.
pub(crate) fn postgres() -> Option<(u32, u32)> {
    let id = |words: &[&str]| {
        let told = output(Command::new("id").args(words));
        String::from_utf8_lossy(&told.stdout).trim().parse::<u32>().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| {
        let found = id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]));
        found.expect("there is no user `postgres`: install the package postgresql-15")
    })
}

/// One of PostgreSQL's programs, run by a user it accepts.
pub(crate) fn program(name: &str) -> Command {
    let path = Path::new(PROGRAMS).join(name);
    assert!(path.exists(), "{} is missing: install the package postgresql-15", path.display());
    let mut command = match postgres() {
        None => return Command::new(path),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
            command
        }
    };
    command.arg(path).current_dir("/");
    command
}

pub(crate) fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    command.output().unwrap_or_else(|error| panic!("{} cannot be run, install it: {error}", program.display()))
}
