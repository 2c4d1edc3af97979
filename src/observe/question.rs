//! A playbook's question to a database: how many rows, which ones, or that there is nothing to ask yet.

use std::time::Duration;

use super::{AGAIN, ask};
use crate::database::{QueryError, Row, chain};
use crate::model::{ConnectionUrl, Unreachable};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// So many rows, and some of them.
    Rows(u64, Vec<Row>),
    /// A table or column of the query is not there: what the server says.
    Absent(String),
}

/// Counts with `counts` and, where something is found, looks with `shows`. Counting may take `patience`, since it may
/// read a large table from its beginning to its end.
///
/// # Errors
/// It cannot be read.
pub async fn question(
    url: &ConnectionUrl,
    counts: &str,
    shows: Option<&str>,
    timeout: Duration,
    patience: Duration,
) -> Result<Found, Unreachable> {
    ask(url, timeout, patience, AGAIN, async |connection| {
        let rows = match connection.rows(counts).await {
            Err(error @ (QueryError::NoTable { .. } | QueryError::NoColumn { .. })) => {
                return Ok(Found::Absent(chain(std::error::Error::source(&error).unwrap_or(&error))));
            }
            rows => rows?,
        };
        let number = rows.first().and_then(|row| row.first().cloned().flatten()).and_then(|text| text.parse().ok());
        let number: u64 =
            number.ok_or_else(|| QueryError::Failed { source: format!("no number by: {counts}").into() })?;
        let shown = match shows.filter(|_| number > 0) {
            // What cannot be shown is counted all the same.
            Some(shows) => connection.rows(shows).await.unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(Found::Rows(number, shown))
    })
    .await
}
