//! Heartbeats of services in a database, as they are at one moment.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::connection::{Connection, QueryError, Row};
use crate::model::Engine;

/// A row by which a service shows that it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The program, such as `nova-compute`.
    pub program: String,
    /// The host it runs on, as it says.
    pub host: String,
    /// When it was last seen, as the row says; its own clock, UTC.
    pub seen: Option<String>,
    /// What it changes with every sign of life.
    pub pulse: Option<String>,
    /// How long ago that was by the database's clock; negative where the service's clock is ahead.
    pub age: Option<SignedDuration>,
}

impl Connection {
    /// The heartbeats that `query` reads: program, host, last seen, pulse.
    ///
    /// # Errors
    /// The query cannot be answered.
    pub async fn heartbeats(&mut self, query: &str) -> Result<Vec<Heartbeat>, QueryError> {
        let now = self.now().await?;
        Ok(self.rows(query).await?.into_iter().map(|row| heartbeat(row, now)).collect())
    }

    /// The time by the database's clock, UTC; absent where it tells none that can be read.
    pub(super) async fn now(&mut self) -> Result<Option<DateTime>, QueryError> {
        let clock = match self.engine() {
            Engine::Mysql => "SELECT CAST(UTC_TIMESTAMP() AS CHAR(19))",
            Engine::Postgresql => "SELECT CAST(date_trunc('second', now() AT TIME ZONE 'UTC') AS CHAR(19))",
            Engine::Sqlite => "SELECT CURRENT_TIMESTAMP",
        };
        let now = self.rows(clock).await?.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        Ok(now.as_deref().and_then(moment))
    }
}

fn heartbeat(row: Row, now: Option<DateTime>) -> Heartbeat {
    let mut cells = row.into_iter().map(|cell| cell.map(|text| text.trim().to_owned()));
    let mut cell = || cells.next().flatten();
    let (program, host) = (cell().unwrap_or_default(), cell().unwrap_or_default());
    let (seen, pulse) = (cell(), cell());
    let age = aged(now, seen.as_deref());
    Heartbeat { program, host, seen, pulse, age }
}

/// How long ago something was seen.
pub(super) fn aged(now: Option<DateTime>, seen: Option<&str>) -> Option<SignedDuration> {
    now.zip(seen.and_then(moment)).map(|(now, seen)| now.duration_since(seen))
}

/// A time as databases write it: `2026-11-22 03:15:02`, perhaps with a fraction.
fn moment(text: &str) -> Option<DateTime> {
    text.trim().get(..19)?.replacen(' ', "T", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| Some((*cell).to_owned())).collect()
    }

    #[test]
    fn an_age_is_told_by_the_database_s_clock_whichever_of_them_is_ahead() {
        let now = moment("2026-11-22 03:15:02");
        let age = |seen: &str| heartbeat(row(&["nova-compute", "cmp1", seen, "7"]), now).age.map(|age| age.as_secs());
        assert_eq!(age("2026-11-22 03:14:52"), Some(10));
        assert_eq!(age("2026-11-22 03:15:32.123456"), Some(-30));
        assert_eq!((age("0000-00-00 00:00:00"), age("soon"), age("")), (None, None, None));
        assert_eq!(heartbeat(row(&["a"]), now), heartbeat(vec![Some("a".into()), None, None, None], None));
    }

    proptest! {
        #[test]
        fn no_row_makes_the_reader_panic(cells in proptest::collection::vec(proptest::option::of("\\PC{0,25}"), 0..6)) {
            let _ = heartbeat(cells, moment("9999-12-31 23:59:59"));
        }
    }
}
