//! Values of keys on their way from the server and back, without loss.
//!
//! A value is read as digits or hexadecimal digits and written as a literal of its type, character set and collation.
//! Nothing is compared here: only the server knows the order of its values.

use crate::database::{self, KeyColumn};
use crate::model::Engine;

/// How the values of a column are carried.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// As digits; where the flag is set, by their place in the list of an `ENUM`.
    Number(bool),
    /// As bytes of a text in this character set and collation.
    Text { charset: String, collation: String },
    /// As bytes.
    Bytes,
    /// As bytes of how the server writes it.
    Written,
    /// As bytes of how the server writes it, with the name of the type.
    Typed(String),
    /// As its own type says: every value of SQLite has one. Sorted by this collation.
    Tagged(String),
}

/// A column of the key that is walked along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    engine: Engine,
    name: String,
    form: Form,
}

impl Column {
    /// How the values of `column` are carried; nothing if they cannot be, or if they are not sorted as they compare.
    pub(super) fn of(engine: Engine, column: &KeyColumn) -> Option<Self> {
        let form = match engine {
            Engine::Mysql if column.cut => return None,
            Engine::Mysql => match column.kind.to_ascii_lowercase().as_str() {
                "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "year" => Form::Number(false),
                "enum" => Form::Number(true),
                "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                    Form::Text { charset: column.charset.clone(), collation: column.collation.clone() }
                }
                "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Form::Bytes,
                "date" | "datetime" | "time" | "uuid" | "inet4" | "inet6" => Form::Written,
                // Floating point numbers are rounded on their way, and timestamps repeat when summer time ends.
                _ => return None,
            },
            Engine::Postgresql => Form::Typed(column.kind.clone()),
            Engine::Sqlite => Form::Tagged(column.collation.clone()),
        };
        Some(Self { engine, name: column.name.clone(), form })
    }

    /// The column as it is compared and sorted by.
    pub(super) fn expression(&self) -> String {
        let name = database::name(self.engine, &self.name);
        match &self.form {
            Form::Tagged(collation) => format!("{name} COLLATE {}", database::name(self.engine, collation)),
            _ => name,
        }
    }

    /// What reads a value so that [`Self::literal`] can write it.
    pub(super) fn reading(&self) -> String {
        let name = database::name(self.engine, &self.name);
        match &self.form {
            Form::Number(false) => format!("CAST({name} AS CHAR)"),
            Form::Number(true) => format!("CAST({name} + 0 AS CHAR)"),
            Form::Text { .. } | Form::Bytes => format!("HEX({name})"),
            Form::Written => format!("HEX(CAST({name} AS CHAR))"),
            Form::Typed(_) => format!("encode(convert_to({name}::text, 'UTF8'), 'hex')"),
            Form::Tagged(_) => format!(
                "typeof({name}) || ':' || CASE typeof({name}) WHEN 'integer' THEN CAST({name} AS TEXT) \
                 WHEN 'real' THEN quote({name}) ELSE hex({name}) END"
            ),
        }
    }

    /// The value that was read as `read`; nothing if it cannot have been read so.
    pub(super) fn literal(&self, read: &str) -> Option<String> {
        let number = |text: &str| {
            (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)))
                .then(|| text.to_owned())
        };
        match &self.form {
            Form::Number(_) => number(read),
            Form::Text { charset, collation } => {
                bytes(read).map(|_| format!("_{charset} X'{read}' COLLATE {}", database::name(self.engine, collation)))
            }
            Form::Bytes => bytes(read).map(|_| format!("X'{read}'")),
            Form::Written => text(read).map(|text| database::text(Engine::Sqlite, &text)),
            Form::Typed(kind) => {
                text(read).map(|text| format!("CAST({} AS {kind})", database::text(Engine::Postgresql, &text)))
            }
            Form::Tagged(_) => match read.split_once(':')? {
                ("integer" | "real", value) => number(value),
                // A bare CAST would have comparisons turn the column's values into texts, and a literal would end at NUL.
                ("text", value) => bytes(value).map(|_| format!("(CAST(X'{value}' AS TEXT) || '')")),
                ("blob", value) => bytes(value).map(|_| format!("X'{value}'")),
                _ => None,
            },
        }
    }

    /// The column and how it is carried, for what must not change under a walk.
    pub(super) fn identity(&self) -> String {
        format!("{}={:?}", self.name, self.form)
    }

    /// The engine that it is a column of.
    pub(super) fn engine(&self) -> Engine {
        self.engine
    }
}

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.len() % 2 == 1 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|place| u8::from_str_radix(&digits[place..place + 2], 16).ok()).collect()
}

fn text(digits: &str) -> Option<String> {
    String::from_utf8(bytes(digits)?).ok()
}

/// A row's place in the order of the key: its values as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position(Vec<String>);

impl Position {
    /// The place of a row that was read; nothing where a value is NULL.
    pub(super) fn read(row: Vec<Option<String>>) -> Option<Self> {
        row.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    /// As it stands in the ledger: a JSON list.
    pub(super) fn to_text(&self) -> String {
        serde_json::Value::from(self.0.clone()).to_string()
    }

    /// Out of the ledger; nothing if it holds something else.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Its values as the columns write them; nothing if they are not theirs.
    pub(super) fn literals(&self, key: &[Column]) -> Option<Vec<String>> {
        if self.0.len() != key.len() {
            return None;
        }
        key.iter().zip(&self.0).map(|(column, read)| column.literal(read)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn column(engine: Engine, name: &str, kind: &str) -> Column {
        let (charset, collation) = if engine == Engine::Sqlite { ("", "NOCASE") } else { ("utf8mb3", "utf8mb3_bin") };
        let column = KeyColumn {
            name: name.to_owned(),
            kind: kind.to_owned(),
            charset: charset.to_owned(),
            collation: collation.to_owned(),
            cut: false,
        };
        Column::of(engine, &column).expect("a form")
    }

    #[test]
    fn a_value_is_written_in_its_column_s_type_character_set_and_collation() {
        let literal = |engine, kind, read| column(engine, "k", kind).literal(read);
        let text = Some("_utf8mb3 X'C3A900' COLLATE `utf8mb3_bin`".to_owned());
        assert_eq!(literal(Engine::Mysql, "varchar", "C3A900"), text);
        assert_eq!(literal(Engine::Mysql, "binary", "00FF"), Some("X'00FF'".to_owned()));
        assert_eq!(literal(Engine::Mysql, "bigint", "-12"), Some("-12".to_owned()));
        assert_eq!(literal(Engine::Mysql, "uuid", "61"), Some("'a'".to_owned()));
        assert_eq!(
            literal(Engine::Postgresql, "character(36)", "276f"),
            Some("CAST('''o' AS character(36))".to_owned())
        );
        assert_eq!(literal(Engine::Sqlite, "", "text:6100"), Some("(CAST(X'6100' AS TEXT) || '')".to_owned()));
        assert_eq!(literal(Engine::Sqlite, "", "integer:7"), Some("7".to_owned()));
        assert_eq!(literal(Engine::Sqlite, "", "null:"), None);
    }

    #[test]
    fn what_cannot_be_carried_without_loss_is_not() {
        for kind in ["float", "double", "timestamp", "bit", "set", "json", "geometry"] {
            let column = KeyColumn {
                name: "k".to_owned(),
                kind: kind.to_owned(),
                charset: String::new(),
                collation: String::new(),
                cut: false,
            };
            assert_eq!(Column::of(Engine::Mysql, &column), None, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_a_value_gets_out_of_a_ledger(read in "\\PC{0,20}", tag in "(integer|text|blob|real|x):") {
            for (engine, kind) in
                [(Engine::Mysql, "int"), (Engine::Mysql, "varchar"), (Engine::Mysql, "blob"), (Engine::Sqlite, "")]
            {
                for read in [read.clone(), format!("{tag}{read}")] {
                    if let Some(literal) = column(engine, "k", kind).literal(&read) {
                        prop_assert!(!literal.contains(';') && !literal.contains("--"), "{literal}");
                        prop_assert!(literal.matches('\'').count() % 2 == 0, "{literal}");
                    }
                }
            }
        }

        #[test]
        fn a_place_comes_out_of_the_ledger_as_it_went_in(values in proptest::collection::vec("[0-9A-F]{0,20}", 1..4)) {
            let position = Position(values);
            prop_assert_eq!(Position::from_text(&position.to_text()), Some(position));
        }

        #[test]
        fn texts_of_postgresql_stay_within_their_quotes(text in "\\PC{0,30}") {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            let literal = column(Engine::Postgresql, "k", "text").literal(&digits).expect("a literal");
            prop_assert_eq!(literal, format!("CAST('{}' AS text)", text.replace('\'', "''")));
        }
    }
}
