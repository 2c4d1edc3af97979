//! The commands about the catalogue: `releases`, `playbooks`, `explain`, `catalog check`.

use camino::Utf8Path;

use super::arguments::{Common, Output};
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world;
use crate::catalog::show::Explanation;
use crate::catalog::{Catalog, show as text};
use crate::model::{Service, StepId};

/// `leapfrog releases`.
pub(super) fn releases(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    match show.output {
        Output::Text => show.print(&text::releases(&catalog)),
        Output::Json | Output::Jsonl => show.print_json(&text::ReleaseList::new(&catalog))?,
    }
    Ok(Exit::Done)
}

/// `leapfrog releases show SERIES`.
pub(super) fn release(common: &Common, series: &str, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    let series = catalog.find_series(series).map_err(|error| Stop::usage(error.into()))?;
    let Some(release) = catalog.release(&series) else { return Ok(Exit::Usage) };
    match show.output {
        Output::Text => show.print(&text::release(&catalog, release)),
        Output::Json | Output::Jsonl => show.print_json(release)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog explain STEP`.
pub(super) fn explain(common: &Common, step: &StepId, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    let series = catalog.find_series(step.series.as_str()).map_err(|error| Stop::usage(error.into()))?;
    let step = StepId { series, ..step.clone() };
    let explanation = Explanation::new(&catalog, &step).map_err(|error| Stop::usage(error.into()))?;
    match show.output {
        Output::Text => show.print(&text::explain(&explanation)),
        Output::Json | Output::Jsonl => show.print_json(&explanation)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog playbooks`.
pub(super) fn playbooks(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    match show.output {
        Output::Text => show.print(&text::playbooks(&catalog)),
        Output::Json | Output::Jsonl => show.print_json(&text::PlaybookList::new(&catalog))?,
    }
    Ok(Exit::Done)
}

/// `leapfrog playbooks show SERVICE`.
pub(super) fn playbook(common: &Common, service: &Service, show: &Show) -> Result<Exit, Stop> {
    let catalog = world::catalog(common)?;
    let Some(playbook) = catalog.playbook(service) else {
        let known: Vec<&str> = catalog.playbooks().map(|playbook| playbook.service.as_str()).collect();
        let meant = world::meant(service.as_str(), &known);
        let known = known.join(", ");
        return Err(Stop::usage(anyhow::anyhow!("there is no playbook for {service}{meant}; there are {known}")));
    };
    match show.output {
        Output::Text => show.print(&text::playbook(playbook)),
        Output::Json | Output::Jsonl => show.print_json(playbook)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog catalog check DIR`.
pub(super) fn check(directory: &Utf8Path, show: &Show) -> Result<Exit, Stop> {
    let outcome = Catalog::load(directory);
    match show.output {
        Output::Text => match &outcome {
            Ok(_) => show.print(&text::check(&outcome)),
            Err(error) => show.complain(&show.diagnostic(error)),
        },
        Output::Json | Output::Jsonl => {
            show.print_json(&text::CheckResult::new(&outcome))?;
            if let Err(error) = &outcome {
                show.caution(&format!("leapfrog: {error}\n"));
            }
        }
    }
    Ok(if outcome.is_ok() { Exit::Done } else { Exit::Usage })
}
