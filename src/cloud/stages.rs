//! Where stages are kept, as the document has it.

use std::collections::BTreeMap;

use super::document::StagesSection;
use super::resolve::Resolver;
use crate::model::{ConnectionUrl, DatabaseId, Engine};

impl Resolver<'_> {
    /// The database's name: a plain word that no database of a service has.
    pub(super) fn stages(&mut self, section: StagesSection, databases: &BTreeMap<DatabaseId, ConnectionUrl>) -> String {
        const PATH: &str = "stages/database";
        let name = section.database.unwrap_or_else(|| "leapfrog".to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !(1..=48).contains(&name.len())
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
            || !name.chars().all(plain)
        {
            let advice = "write up to 48 small letters, digits and underlines, such as leapfrog";
            self.flaw(PATH, "this is no name for a database of leapfrog's own", advice);
        }
        let own = databases.iter().find(|(_, url)| url.engine() != Engine::Sqlite && url.name() == name);
        if let Some((id, _)) = own {
            self.flaw(PATH, format!("this is the database of {id}"), "write another name, such as leapfrog");
        }
        name
    }
}
