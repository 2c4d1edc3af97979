//! The commands about the catalogue: `releases`, `playbooks`, `catalog check`.

use camino::Utf8Path;

use super::arguments::{Common, Output};
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world;
use crate::catalog::Catalog;
use crate::model::Service;

/// `leapfrog releases`.
pub(super) fn releases(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    match show.output {
        Output::Text => show.print(""),
        Output::Json | Output::Jsonl => show.print_json(&catalog.releases().collect::<Vec<_>>())?,
    }
    Ok(Exit::Done)
}

/// `leapfrog playbooks`.
pub(super) fn playbooks(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    match show.output {
        Output::Text => show.print(""),
        Output::Json | Output::Jsonl => show.print_json(&catalog.playbooks().collect::<Vec<_>>())?,
    }
    Ok(Exit::Done)
}

/// `leapfrog playbooks show SERVICE`.
pub(super) fn playbook(common: &Common, service: &Service, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    let Some(playbook) = catalog.playbook(service) else {
        let known: Vec<&str> = catalog.playbooks().map(|playbook| playbook.service.as_str()).collect();
        return Err(Stop::usage(anyhow::anyhow!("there is no playbook for {service}; there are {}", known.join(", "))));
    };
    match show.output {
        Output::Text => show.print(""),
        Output::Json | Output::Jsonl => show.print_json(playbook)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog catalog check DIR`.
pub(super) fn check(directory: &Utf8Path, show: &Show) -> Result<Exit, Stop> {
    let catalog = Catalog::load(directory).map_err(Stop::document)?;
    show.print(&format!(
        "{directory} is sound: {} releases and {} playbooks, with the built-in ones\n",
        catalog.releases().len(),
        catalog.playbooks().len()
    ));
    Ok(Exit::Done)
}
