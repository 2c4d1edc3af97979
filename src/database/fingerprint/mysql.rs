//! The fingerprint of a MariaDB or MySQL database.

use super::{Depth, Fingerprint, TablePrint, named, number};
use crate::database::connection::{Connection, QueryError};

/// What the database holds.
pub(super) async fn fingerprint(
    connection: &mut Connection,
    depth: Depth,
    passes_over: Option<&str>,
) -> Result<Fingerprint, QueryError> {
    let mut print = Fingerprint::default();
    let database = super::text(connection, "SELECT DATABASE()").await?;
    let tables = named(
        connection,
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_TYPE <> 'VIEW' AND TABLE_TYPE <> 'SYSTEM VIEW'",
    )
    .await?;
    let inexact = named(
        connection,
        "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
         AND DATA_TYPE = 'float'",
    )
    .await?;
    for (name, kind) in tables.iter().filter(|(name, _)| passes_over != Some(name)) {
        let table = quoted(name);
        let shown = connection.rows(&format!("SHOW CREATE TABLE {table}")).await?;
        let text = shown.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten().unwrap_or_default();
        print.define("table", name, &text);
        if kind == "SEQUENCE" {
            continue;
        }
        let rows = number(connection, &format!("SELECT COUNT(*) FROM {table}")).await?;
        let contents = if !depth.reads(rows) {
            None
        } else if inexact.iter().any(|(float, _)| float == name) {
            Some(as_written(connection, name).await?)
        } else {
            let sums = connection.rows(&format!("CHECKSUM TABLE {table} EXTENDED")).await?;
            sums.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten()
        };
        print.tables.insert(name.clone(), TablePrint { rows, contents });
    }
    for (name, text) in named(
        connection,
        "SELECT TABLE_NAME, VIEW_DEFINITION, CHECK_OPTION, SECURITY_TYPE FROM information_schema.VIEWS \
         WHERE TABLE_SCHEMA = DATABASE()",
    )
    .await?
    {
        // The server writes the database's own name into it.
        print.define("view", &name, &text.replace(&format!("{}.", quoted(&database)), ""));
    }
    for (name, text) in named(
        connection,
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT \
         FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
    )
    .await?
    {
        print.define("trigger", &name, &text);
    }
    for (name, text) in named(
        connection,
        "SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME), ROUTINE_DEFINITION FROM information_schema.ROUTINES \
         WHERE ROUTINE_SCHEMA = DATABASE()",
    )
    .await?
    {
        print.define("routine", &name, &text);
    }
    Ok(print)
}

/// A sum over what a dump writes of a table. `CHECKSUM TABLE` reads bytes, and of a `FLOAT` a dump keeps the
/// six digits that the server shows.
async fn as_written(connection: &mut Connection, table: &str) -> Result<String, QueryError> {
    let columns = connection
        .rows(&format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {} \
             ORDER BY ORDINAL_POSITION",
            literal(table)
        ))
        .await?;
    let columns = columns.into_iter().filter_map(|row| row.into_iter().next().flatten());
    let parts: Vec<String> = columns.map(|name| format!("COALESCE(HEX(CONCAT({})), '-')", quoted(&name))).collect();
    let row = format!("SHA1(CONCAT_WS(',', {}))", parts.join(", "));
    let query = format!(
        "SELECT CONCAT(COALESCE(SUM(CONV(LEFT({row}, 12), 16, 10)), 0), ' ', COALESCE(SUM(CRC32({row})), 0)) FROM {}",
        quoted(table)
    );
    super::text(connection, &query).await
}

/// An identifier in backquotes.
pub(in crate::database) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as a literal, whatever the server's mode.
fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CONVERT(x'{digits}' USING utf8)")
}
