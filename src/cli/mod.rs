//! The command line: what was asked for, by whom it is done, and how it ends.
//!
//! One file a command. The only place with `anyhow`: everything below has errors of its own kind, and
//! here they become a text for the operator and an exit code.

mod arguments;
mod catalogue;
mod check;
mod commands;
mod demo;
mod doctor;
mod environments;
mod examples;
mod executor;
mod exit;
mod fence;
mod guard;
mod heartbeats;
pub mod images;
mod init;
mod leap;
pub mod lint;
mod look;
mod man;
mod mapped;
mod outage;
mod parts;
mod points;
mod preflight;
mod reader;
mod records;
mod resolve;
mod restore;
mod schema;
mod stages;
mod stop;
mod sweep;
mod telling;
pub mod trip;
mod utility_images;
mod verify;
mod version;
mod world;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use arguments::Arguments;
use arguments::Selection;
use commands::{CatalogCommand, Command, PlaybooksCommand, ReleasesCommand};
pub use exit::Exit;
pub use schema::documents;
use stop::Stop;

use crate::plan::Part;
use crate::runner::local;

/// Runs leapfrog with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let shown = look::Show::new(&arguments.common);
    if let Some(exit) = task(&arguments, &shown) {
        return exit;
    }
    let worked = std::panic::catch_unwind(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                let exit = runtime.block_on(run(arguments, &shown));
                // Downloads and watched containers are left as they are; nothing waits for them.
                runtime.shutdown_background();
                exit
            }
            Err(error) => Err(Stop::internal(error.into())),
        }
    });
    let exit = match worked {
        Ok(Ok(exit)) => exit,
        Ok(Err(stop)) => {
            shown.error(&stop);
            stop.exit
        }
        // The panic's own message is on standard error already.
        Err(_) => Exit::Internal,
    };
    ExitCode::from(exit.code())
}

/// What a task's processes do: nothing of leapfrog's own, and without a runtime.
fn task(arguments: &Arguments, show: &look::Show) -> Option<ExitCode> {
    let done = match &arguments.command {
        Some(Command::SuperviseTask { directory }) => local::supervise(directory),
        Some(Command::BecomeTask { directory }) => Err(local::become_task(directory)),
        _ => return None,
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show.complain(&format!("{error}\n"));
            // As shells say that a command could not be begun.
            ExitCode::from(127)
        }
    })
}

async fn run(arguments: Arguments, show: &look::Show) -> Result<Exit, Stop> {
    let common = arguments.common;
    match (arguments.command, arguments.leap) {
        (None, leap) => match leap.selection() {
            Some(selection) => leap::leap(&common, &leap, &selection, show).await,
            None => {
                show.complain(&Arguments::command().render_help().to_string());
                Ok(Exit::Usage)
            }
        },
        (Some(Command::Demo(arguments)), _) => demo::demo(&common, &arguments, show).await,
        (Some(Command::Init(arguments)), _) => init::init(&common, &arguments, show),
        (Some(Command::Doctor(arguments)), _) => doctor::doctor(&common, &arguments, show).await,
        (Some(Command::Check(arguments)), _) => check::check(&common, &arguments, show).await,
        (Some(Command::Lint(arguments)), _) => lint::lint(&common, &arguments, show).await,
        (Some(Command::Plan { selection, no_skip, until }), _) => {
            preflight::plan(&common, &Selection { no_skip, until, ..selection }, show).await
        }
        (Some(Command::Expand(arguments)), _) => parts::part(&common, Part::Expand, &arguments, show).await,
        (Some(Command::Migrate(arguments)), _) => parts::part(&common, Part::Migrate, &arguments, show).await,
        (Some(Command::Contract(arguments)), _) => parts::contract(&common, &arguments, show).await,
        (Some(Command::Pull(selection)), _) => preflight::pull(&common, &selection, show).await,
        (Some(Command::Detect { only, verbose }), _) => preflight::detect(&common, &only, verbose, show).await,
        (Some(Command::Verify(arguments)), _) => verify::verify(&common, &arguments, show).await,
        (Some(Command::Status { accept: true, .. }), _) => stages::accept(&common, show).await,
        (Some(Command::Status { stages: true, .. }), _) => stages::show(&common, show).await,
        (Some(Command::Status { run, .. }), _) => records::status(&common, run, show),
        (Some(Command::Runs), _) => records::runs(&common, show),
        (Some(Command::Logs { step, run }), _) => records::logs(&common, &step, run, show),
        (Some(Command::Restore(arguments)), _) => restore::restore(&common, &arguments, show).await,
        (Some(Command::Trip(arguments)), _) => trip::trip(&common, &arguments, show).await,
        (Some(Command::Pause), _) => trip::pause(&common, show),
        (Some(Command::Resume), _) => trip::resume(&common, show),
        (Some(Command::Resolve(arguments)), _) => resolve::resolve(&common, &arguments, show).await,
        (Some(Command::Sweep { dry_run }), _) => sweep::sweep(&common, dry_run, show).await,
        (Some(Command::Env { command }), _) => environments::environments(&common, &command, show).await,
        (Some(Command::Releases { command: None }), _) => catalogue::releases(&common, show),
        (Some(Command::Releases { command: Some(ReleasesCommand::Show { series }) }), _) => {
            catalogue::release(&common, &series, show)
        }
        (Some(Command::Explain { step }), _) => catalogue::explain(&common, &step, show),
        (Some(Command::Playbooks { command: None }), _) => catalogue::playbooks(&common, show),
        (Some(Command::Playbooks { command: Some(PlaybooksCommand::Show { service }) }), _) => {
            catalogue::playbook(&common, &service, show)
        }
        (Some(Command::Catalog { command: CatalogCommand::Check { directory } }), _) => {
            catalogue::check(&directory, show)
        }
        (Some(Command::SuperviseTask { .. } | Command::BecomeTask { .. }), _) => {
            Err(Stop::internal(anyhow::anyhow!("a task's process begins before everything else")))
        }
        (Some(Command::Schema { document }), _) => schema::show(document, show),
        (Some(Command::Man { directory }), _) => man::write(&directory, show),
        (Some(Command::Completions { shell }), _) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "leapfrog", &mut script);
            show.print(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
    }
}
