//! The fingerprint of a PostgreSQL database.

use super::{Depth, Fingerprint, TablePrint, named, number};
use crate::database::connection::{Connection, QueryError};

/// The schemas that are not the server's own.
const OWN: &str = "n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'";

/// What the database holds.
pub(super) async fn fingerprint(
    connection: &mut Connection,
    depth: Depth,
    passes_over: Option<&str>,
) -> Result<Fingerprint, QueryError> {
    let mut print = Fingerprint::default();
    // What a value looks like as text must not depend on the server's settings.
    connection
        .rows("SET extra_float_digits = 1; SET DateStyle = ISO; SET bytea_output = hex; SET TimeZone = UTC")
        .await?;
    let tables = named(
        connection,
        &format!(
            "SELECT n.nspname || '.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {OWN}"
        ),
    )
    .await?;
    for (name, table) in tables.iter().filter(|(name, _)| passes_over.is_none_or(|over| !name.ends_with(over))) {
        let rows = number(connection, &format!("SELECT count(*) FROM {table}")).await?;
        let contents = if depth.reads(rows) {
            let sum = "SELECT coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)";
            Some(super::text(connection, &format!("{sum} FROM {table} t")).await?)
        } else {
            None
        };
        print.tables.insert(name.clone(), TablePrint { rows, contents });
    }
    let mut define = Vec::new();
    for (kind, query) in [
        (
            "column",
            "SELECT n.nspname || '.' || c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod), \
             a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a \
             JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
             WHERE c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND",
        ),
        (
            "constraint",
            "SELECT n.nspname || '.' || c.relname || '.' || o.conname, pg_get_constraintdef(o.oid) \
             FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE",
        ),
        (
            "index",
            "SELECT n.nspname || '.' || c.relname, pg_get_indexdef(c.oid) FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('i', 'I') AND",
        ),
        (
            "view",
            "SELECT n.nspname || '.' || c.relname, pg_get_viewdef(c.oid) FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND",
        ),
        (
            "trigger",
            "SELECT n.nspname || '.' || c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t \
             JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT t.tgisinternal AND",
        ),
        (
            "routine",
            "SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.prosrc \
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE",
        ),
        (
            "type",
            "SELECT n.nspname || '.' || t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_type t \
             JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE",
        ),
    ] {
        let group = if kind == "type" { " GROUP BY n.nspname, t.typname" } else { "" };
        for (name, text) in named(connection, &format!("{query} {OWN}{group}")).await? {
            define.push((kind, name, text));
        }
    }
    let sequences = named(
        connection,
        &format!(
            "SELECT n.nspname || '.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {OWN}"
        ),
    )
    .await?;
    for (name, sequence) in sequences {
        let query = format!("SELECT last_value || ' ' || is_called FROM {sequence}");
        define.push(("sequence", name, super::text(connection, &query).await?));
    }
    for (kind, name, text) in define {
        if passes_over.is_none_or(|over| !name.contains(over)) {
            print.define(kind, &name, &text);
        }
    }
    Ok(print)
}
