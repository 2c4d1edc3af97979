//! Databases that no cloud file lists: nova's cells, looked up in its cell mappings.

use std::collections::{BTreeMap, BTreeSet};

use super::stop::Stop;
use super::world::World;
use crate::catalog::{PlaybookCheck, StoredUrls};
use crate::model::{ConnectionUrl, DatabaseId, MappedDatabases, RunId, Service};
use crate::plan::{Mappings, Plan, Refusal, RefusalKind};

impl World {
    /// Looks up the databases of `services` that stored URLs name, and adds them to the cloud's. What keeps
    /// them from being followed is kept too: nothing may begin then. A database that cannot be read adds
    /// none, and is refused as such when all of them are looked at.
    pub(super) async fn look_up_mapped(&mut self, services: &BTreeSet<Service>) {
        let mapped: Vec<(Service, MappedDatabases)> = self.cloud.mapped.clone().into_iter().collect();
        for (service, wanted) in mapped.into_iter().filter(|(service, _)| services.contains(service)) {
            match self.mapped(&service, &wanted).await {
                Ok(databases) => self.cloud.databases.extend(databases),
                Err(refusals) => self.unmapped.extend(refusals),
            }
        }
    }

    async fn mapped(
        &self,
        service: &Service,
        wanted: &MappedDatabases,
    ) -> Result<BTreeMap<DatabaseId, ConnectionUrl>, Vec<Refusal>> {
        let Some(check) = self.check_of(service, wanted) else { return Ok(BTreeMap::new()) };
        let named: BTreeMap<DatabaseId, ConnectionUrl> = self
            .cloud
            .databases
            .iter()
            .filter(|(id, _)| id.service == *service)
            .map(|(id, url)| (id.clone(), url.clone()))
            .collect();
        let owner = named.iter().find(|(id, _)| id.slot == check.database);
        // What nova itself fills templates from is [database] connection: cell0's, where no cell is at hand.
        let base = named.iter().find(|(id, _)| check.lead_to.contains(&id.slot));
        let (Some((owner, url)), Some((_, base))) = (owner, base) else { return Ok(BTreeMap::new()) };
        match crate::observe::mapped(url, check, base, self.cloud.limits.connect).await {
            Ok(rows) => Mappings { service, owner, check, named: &named, wanted, rows: &rows }.adopt(),
            Err(_) => Ok(BTreeMap::new()),
        }
    }

    /// The check that reads where the databases are.
    fn check_of(&self, service: &Service, wanted: &MappedDatabases) -> Option<&StoredUrls> {
        let checks = self.catalog.playbook(service)?.checks.iter();
        checks.map(|PlaybookCheck::StoredUrls(check)| check).find(|check| check.lead_to.contains(&wanted.slot))
    }

    /// Whether an unfinished run is about the databases that the cloud file, and stored URLs where it follows
    /// them, name now.
    pub(super) fn names_what_was_planned(
        &self,
        run: &RunId,
        plan: &Plan,
        services: &BTreeSet<Service>,
    ) -> Result<(), Stop> {
        if !self.unmapped.is_empty() {
            return Err(Stop::refused(self.unmapped.clone()));
        }
        let lanes = plan.hops.iter().flat_map(|hop| &hop.lanes);
        let planned: BTreeSet<DatabaseId> = lanes.flat_map(|lane| lane.standing.keys().cloned()).collect();
        let named: BTreeSet<DatabaseId> = self.databases(services).into_keys().collect();
        // A database that is gone is told with its step.
        let added: Vec<String> = named.difference(&planned).map(ToString::to_string).collect();
        if added.is_empty() {
            return Ok(());
        }
        Err(Stop::refused(vec![Refusal {
            kind: RefusalKind::Unfinished,
            database: None,
            what: format!("run {run} of this cloud is unfinished and was planned without {}", added.join(", ")),
            found: Some(named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            expected: Some(planned.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            next: "make the cloud file (and the stored URLs, where it follows them) name the same databases again; or \
                   begin anew with `--from auto --fresh`, which checks where every database stands"
                .to_owned(),
        }]))
    }
}
