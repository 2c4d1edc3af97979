//! `leapfrog man`: the man pages, one a command, for whoever packages leapfrog.

use std::fs;

use anyhow::Context;
use camino::Utf8Path;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::arguments::Arguments;
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;

/// Writes every page into `directory`, which must be there.
pub(super) fn write(directory: &Utf8Path, show: &Show) -> Result<Exit, Stop> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let pages = pages(command);
    for (name, text) in &pages {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("failed to write {path}")).map_err(Stop::usage)?;
    }
    show.complain(&format!("wrote {} man pages into {directory}\n", pages.len()));
    Ok(Exit::Done)
}

/// The page of a command and those of the commands below it: file names and texts.
fn pages(command: Command) -> Vec<(String, Vec<u8>)> {
    let below: Vec<Command> = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command)
        .title(name.to_uppercase())
        .section("1")
        .date("")
        .source(concat!("leapfrog ", env!("CARGO_PKG_VERSION")))
        .manual("leapfrog");
    let mut text = Vec::new();
    let rendered = man.render(&mut text);
    let mut pages = vec![(format!("{name}.1"), text)];
    if rendered.is_err() {
        // Writing to memory does not fail.
        pages.clear();
    }
    pages.extend(below.into_iter().flat_map(self::pages));
    pages
}
