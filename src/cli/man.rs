//! `leapfrog man`: the man pages, one a command, for whoever packages leapfrog.

use std::fs;
use std::io::Write;

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
    let more = command.get_after_long_help().or_else(|| command.get_after_help()).map(ToString::to_string);
    let man = Man::new(command)
        .title(name.to_uppercase())
        .section("1")
        .date("")
        .source(concat!("leapfrog ", env!("CARGO_PKG_VERSION")))
        .manual("leapfrog");
    let mut text = Vec::new();
    let rendered = (|| {
        man.render_title(&mut text)?;
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
        if !below.is_empty() {
            man.render_subcommands_section(&mut text)?;
        }
        text.write_all(sections(&more.unwrap_or_default()).as_bytes())
    })();
    // Writing to memory does not fail.
    let page = rendered.is_ok().then(|| (format!("{name}.1"), text));
    page.into_iter().chain(below.into_iter().flat_map(self::pages)).collect()
}

/// What stands below the help: paragraphs that begin with a title and a colon, as sections whose lines stay as they are.
fn sections(help: &str) -> String {
    let mut text = String::new();
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let (title, lines) = paragraph.split_once(':').unwrap_or(("Notes", paragraph));
        text.push_str(&format!(".SH {}\n.nf\n", escaped(&title.trim().to_uppercase())));
        for line in lines
            .lines()
            .map(|line| line.strip_prefix("  ").unwrap_or(line.trim_start()))
            .filter(|line| !line.is_empty())
        {
            text.push_str(&escaped(line));
            text.push('\n');
        }
        text.push_str(".fi\n");
    }
    text
}

/// A line in roff's own terms: a dot or an apostrophe at its beginning would be a command.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}
