//! The operator's own commands in the place of dumps: a snapshot of a volume, a backup of an appliance.
//!
//! They are told what is wanted in environment variables, and no password. leapfrog proves what they did as
//! far as it can be seen: exit code 0, and after a restore the database shows what was recorded.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::client::Prepared;
use super::error::RestoreError;
use super::pipe::{Control, run};
use super::point::Name;
use crate::model::ConnectionUrl;

/// The operator's own commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Takes a snapshot.
    pub save: Vec<String>,
    /// Brings a database back to one.
    pub restore: Vec<String>,
    /// Removes one; absent: they are kept for ever.
    pub remove: Option<Vec<String>>,
}

/// What a command is told, by variable.
pub(super) fn told(name: &Name, url: &ConnectionUrl) -> BTreeMap<&'static str, String> {
    [
        ("LEAPFROG_POINT", name.to_string()),
        ("LEAPFROG_RUN", name.run.to_string()),
        ("LEAPFROG_SERIES", name.series.to_string()),
        ("LEAPFROG_SERVICE", name.database.service.to_string()),
        ("LEAPFROG_DATABASE", name.database.to_string()),
        ("LEAPFROG_ENGINE", url.engine().to_string()),
        ("LEAPFROG_HOST", url.host().to_owned()),
        ("LEAPFROG_PORT", url.port().to_string()),
        ("LEAPFROG_NAME", url.name().to_owned()),
    ]
    .into()
}

/// Runs one of the commands to its end.
pub(super) fn perform(
    words: &[String],
    told: BTreeMap<&'static str, String>,
    action: &'static str,
    control: &Control,
) -> Result<(), RestoreError> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).envs(told).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    run(Prepared { command, program: program.clone(), _secret: None }, action, control)
}
