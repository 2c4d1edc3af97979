//! The SQL of a walk along a key.
//!
//! MySQL and MariaDB read a whole table for a comparison of row values, so there a range is written out column by column;
//! PostgreSQL and SQLite use the key's index for them.

use super::key::Column;
use crate::database;
use crate::model::Engine;

/// Which side of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Behind it, without it.
    After,
    /// Up to it, with it.
    UpTo,
}

/// The rows on one side of a place, whose values are given as literals.
pub(super) fn side(key: &[Column], literals: &[String], side: Side) -> String {
    let columns: Vec<String> = key.iter().map(Column::expression).collect();
    let (strict, last) = match side {
        Side::After => (">", ">"),
        Side::UpTo => ("<", "<="),
    };
    if let ([column], [literal]) = (&columns[..], literals) {
        return format!("{column} {last} {literal}");
    }
    if key.iter().any(|column| column.engine() != Engine::Mysql) {
        return format!("({}) {last} ({})", columns.join(", "), literals.join(", "));
    }
    let ways = (0..columns.len()).map(|place| {
        let compared = if place + 1 == columns.len() { last } else { strict };
        let same = columns[..place].iter().zip(literals).map(|(column, literal)| format!("{column} = {literal}"));
        let way: Vec<String> = same.chain([format!("{} {compared} {}", columns[place], literals[place])]).collect();
        format!("({})", way.join(" AND "))
    });
    // Without the first comparison MySQL may not see that the key has a beginning or an end.
    format!("{} {strict}= {} AND ({})", columns[0], literals[0], ways.collect::<Vec<_>>().join(" OR "))
}

/// The rows between two places: behind the first, up to the second, as far as they are given.
pub(super) fn between(key: &[Column], after: Option<&[String]>, up_to: Option<&[String]>) -> String {
    let after = after.map(|literals| side(key, literals, Side::After));
    let up_to = up_to.map(|literals| side(key, literals, Side::UpTo));
    let both: Vec<String> = after.into_iter().chain(up_to).collect();
    if both.is_empty() { String::new() } else { format!(" WHERE {}", both.join(" AND ")) }
}

/// The table as it is read and written: along its key.
fn place(engine: Engine, table: &str, alone: bool) -> String {
    let name = database::name(engine, table);
    match engine {
        Engine::Mysql => format!("{name} FORCE INDEX (PRIMARY)"),
        Engine::Postgresql if alone => format!("ONLY {name}"),
        Engine::Postgresql | Engine::Sqlite => name,
    }
}

/// A table's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sql {
    /// The engine.
    pub(super) engine: Engine,
    /// The table's name.
    pub(super) table: String,
    /// Whether tables inherit from it that are no part of it.
    pub(super) alone: bool,
    /// The key.
    pub(super) key: Vec<Column>,
    /// The columns that are set to themselves.
    pub(super) set: Vec<String>,
}

impl Sql {
    fn key_list(&self, form: impl Fn(&Column) -> String) -> String {
        self.key.iter().map(form).collect::<Vec<_>>().join(", ")
    }

    /// Where the row stands that is `number` rows behind the beginning of a range; no row if the range has fewer.
    pub(super) fn boundary(&self, after: Option<&[String]>, up_to: Option<&[String]>, number: u64) -> String {
        format!(
            "SELECT {} FROM {}{} ORDER BY {} LIMIT 1 OFFSET {}",
            self.key_list(Column::reading),
            place(self.engine, &self.table, self.alone),
            between(&self.key, after, up_to),
            self.key_list(Column::expression),
            number.saturating_sub(1)
        )
    }

    /// Where the row stands that about half of `total` rows come before.
    pub(super) fn middle(&self, total: u64) -> String {
        if self.engine != Engine::Postgresql {
            return self.boundary(None, None, total / 2);
        }
        // Reading half of a table in the order of its key takes PostgreSQL seconds a million rows.
        let percent = (3_000_000.0 / total.max(1) as f64).clamp(0.01, 100.0);
        format!(
            "WITH sampled AS (SELECT {list} FROM {table} TABLESAMPLE SYSTEM ({percent})) SELECT {reading} FROM sampled \
             ORDER BY {list} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM sampled)",
            list = self.key_list(Column::expression),
            table = place(self.engine, &self.table, self.alone),
            reading = self.key_list(Column::reading),
        )
    }

    /// Sets the rows of a range to themselves.
    pub(super) fn touch(&self, after: Option<&[String]>, up_to: Option<&[String]>) -> String {
        let set = self.set.iter().map(|name| {
            let name = database::name(self.engine, name);
            format!("{name} = {name}")
        });
        format!(
            "UPDATE {} SET {}{}",
            place(self.engine, &self.table, self.alone),
            set.collect::<Vec<_>>().join(", "),
            between(&self.key, after, up_to)
        )
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> String {
        format!(
            "SELECT count(*) FROM {}",
            if self.alone { place(self.engine, &self.table, true) } else { database::name(self.engine, &self.table) }
        )
    }

    /// Counts rows whose key has no value, which SQLite allows.
    pub(super) fn keyless(&self) -> Option<String> {
        let nulls: Vec<String> = self.key.iter().map(|column| format!("{} IS NULL", column.expression())).collect();
        let table = database::name(self.engine, &self.table);
        (self.engine == Engine::Sqlite).then(|| format!("SELECT count(*) FROM {table} WHERE {}", nulls.join(" OR ")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::column;
    use super::*;
    use proptest::prelude::*;

    fn sql(engine: Engine, key: &[(&str, &str)]) -> Sql {
        let key = key.iter().map(|(name, kind)| column(engine, name, kind)).collect();
        Sql { engine, table: "t".to_owned(), alone: true, key, set: vec!["a".to_owned()] }
    }

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn a_composite_key_is_walked_along_in_the_engine_s_own_way() {
        let key = [("a", "int"), ("b", "int")];
        let (from, to) = (texts(&["1", "2"]), texts(&["3", "4"]));
        assert_eq!(
            sql(Engine::Mysql, &key).touch(Some(&from), Some(&to)),
            "UPDATE `t` FORCE INDEX (PRIMARY) SET `a` = `a` WHERE `a` >= 1 AND ((`a` > 1) OR (`a` = 1 AND `b` > 2)) AND \
             `a` <= 3 AND ((`a` < 3) OR (`a` = 3 AND `b` <= 4))"
        );
        assert_eq!(
            sql(Engine::Postgresql, &key).touch(Some(&from), Some(&to)),
            "UPDATE ONLY \"t\" SET \"a\" = \"a\" WHERE (\"a\", \"b\") > (1, 2) AND (\"a\", \"b\") <= (3, 4)"
        );
        assert_eq!(
            sql(Engine::Sqlite, &key[..1]).boundary(Some(&from[..1]), None, 1_000),
            "SELECT typeof(\"a\") || ':' || CASE typeof(\"a\") WHEN 'integer' THEN CAST(\"a\" AS TEXT) WHEN 'real' THEN \
             quote(\"a\") ELSE hex(\"a\") END FROM \"t\" WHERE \"a\" COLLATE \"NOCASE\" > 1 ORDER BY \"a\" COLLATE \
             \"NOCASE\" LIMIT 1 OFFSET 999"
        );
    }

    /// Whether a row is in a range that [`side`] wrote for integers, read by hand.
    fn holds(condition: &str, row: [i8; 2]) -> bool {
        let condition = condition.replace("`a`", &row[0].to_string()).replace("`b`", &row[1].to_string());
        let compare = |text: &str| {
            let words: Vec<&str> = text.trim_matches(['(', ')']).split_whitespace().collect();
            let (one, two) = (words[0].parse::<i8>().expect("a number"), words[2].parse::<i8>().expect("a number"));
            match words[1] {
                ">" => one > two,
                ">=" => one >= two,
                "<" => one < two,
                "<=" => one <= two,
                "=" => one == two,
                other => panic!("{other}"),
            }
        };
        let (first, ways) = condition.split_once(" AND (").expect("a comparison before the ways");
        compare(first) && ways.split(" OR ").any(|way| way.split(" AND ").all(compare))
    }

    proptest! {
        #[test]
        fn every_row_is_on_one_side_of_a_place_and_on_no_other(row in any::<[i8; 2]>(), place in any::<[i8; 2]>()) {
            let sql = sql(Engine::Mysql, &[("a", "int"), ("b", "int")]);
            let literals = texts(&[&place[0].to_string(), &place[1].to_string()]);
            prop_assert_eq!(holds(&side(&sql.key, &literals, Side::After), row), row > place);
            prop_assert_eq!(holds(&side(&sql.key, &literals, Side::UpTo), row), row <= place);
        }
    }
}
