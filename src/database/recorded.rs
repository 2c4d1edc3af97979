//! Versions that services recorded of themselves in a database.

use super::connection::{Connection, QueryError, Row};
use super::heartbeats::aged;
use crate::model::RecordedService;

/// From how many days of silence on a service is said to be down: longer than a leap takes.
const DOWN: i64 = 7;

impl Connection {
    /// The services that `query` reads: program, host, version, last report, state.
    ///
    /// # Errors
    /// The query cannot be answered.
    pub async fn recorded_services(&mut self, query: &str) -> Result<Vec<RecordedService>, QueryError> {
        let now = self.now().await?;
        Ok(self.rows(query).await?.into_iter().map(|row| recorded(row, now)).collect())
    }
}

fn recorded(row: Row, now: Option<jiff::civil::DateTime>) -> RecordedService {
    // What a host calls itself becomes part of a line.
    let plain = |text: String| text.trim().replace(|c: char| c.is_control(), " ");
    let mut cells = row.into_iter().map(|cell| cell.map(plain).filter(|text| !text.is_empty()));
    let mut cell = || cells.next().flatten();
    let (program, host) = (cell().unwrap_or_default(), cell().unwrap_or_default());
    let (version, seen, state) = (cell(), cell(), cell());
    let days = aged(now, seen.as_deref()).map(|age| age.as_hours() / 24).filter(|days| *days >= DOWN);
    let down = days.map(|days| format!("down for {days} days"));
    let state = state.into_iter().chain(down).collect::<Vec<_>>().join(", ");
    RecordedService { program, host, version, named: None, seen, state: Some(state).filter(|state| !state.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| Some((*cell).to_owned())).collect()
    }

    #[test]
    fn a_service_that_is_silent_for_longer_than_a_leap_takes_is_down() {
        let now = "2026-11-22T03:15:02".parse().ok();
        let state = |seen: &str, state: &str| recorded(row(&["nova-compute", "cmp1", "61", seen, state]), now).state;
        assert_eq!(state("2026-11-21 22:00:00", ""), None, "stopped for the leap");
        assert_eq!(state("2026-10-12 03:15:02", "").as_deref(), Some("down for 41 days"));
        assert_eq!(state("2026-10-12 03:15:02", "disabled").as_deref(), Some("disabled, down for 41 days"));
        let none = recorded(vec![Some("a\u{1b}b".into()), Some("h".into()), None, None, None], now);
        assert_eq!((none.program.as_str(), none.version, none.seen, none.state), ("a b", None, None, None));
    }

    proptest! {
        #[test]
        fn no_row_makes_the_reader_panic(cells in proptest::collection::vec(proptest::option::of("\\PC{0,25}"), 0..7)) {
            let _ = recorded(cells, "9999-12-31T23:59:59".parse().ok());
        }
    }
}
