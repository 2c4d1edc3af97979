//! Statements as a command said them: whose revision they are, and how several in one text are told apart.

/// The tables in which alembic and sqlalchemy-migrate note where a schema stands.
pub(super) const NOTES: [&str; 2] = ["alembic_version", "migrate_version"];

/// What changed a schema between two notes of where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// The revision that was noted at its end; absent where none was.
    pub revision: Option<String>,
    /// The statements, in order, without those that only read.
    pub statements: Vec<String>,
}

/// What a statement notes.
#[derive(Debug, PartialEq, Eq)]
enum Note {
    /// A revision of alembic. It shares its session with what it ran.
    Alembic(String),
    /// A number of sqlalchemy-migrate, whose sessions come out of a pool.
    Migrate(String),
    /// That another one is no head any more.
    Gone,
}

/// The passages of what one command said to one database: pairs of a session and a text.
pub fn passages(heard: impl IntoIterator<Item = (u64, String)>) -> Vec<Passage> {
    let mut found = Vec::new();
    let mut open: Vec<(u64, String)> = Vec::new();
    for (session, text) in heard {
        for statement in statements(&text) {
            match note(statement) {
                Some(Note::Alembic(revision)) => {
                    let (own, others) = open.into_iter().partition(|(said_by, _)| *said_by == session);
                    open = others;
                    found.push(Passage { revision: Some(revision), statements: texts(own) });
                }
                Some(Note::Migrate(number)) => {
                    found.push(Passage { revision: Some(number), statements: texts(std::mem::take(&mut open)) });
                }
                Some(Note::Gone) => {}
                None if reads(statement) => {}
                None => open.push((session, statement.to_owned())),
            }
        }
    }
    let rest = texts(open);
    if rest.iter().any(|statement| super::statement::changes_schema(statement)) {
        found.push(Passage { revision: None, statements: rest });
    }
    found
}

fn texts(said: Vec<(u64, String)>) -> Vec<String> {
    said.into_iter().map(|(_, text)| text).collect()
}

/// Whether a statement changes nothing, not even its session.
fn reads(statement: &str) -> bool {
    const READS: [&str; 12] = [
        "SELECT",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "START",
        "SAVEPOINT",
        "RELEASE",
        "PRAGMA",
    ];
    let first = words(statement).next().unwrap_or_default();
    READS.contains(&first.as_str())
}

fn note(statement: &str) -> Option<Note> {
    let said: Vec<String> = words(statement).take(5).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let value = || statement.split('\'').nth(1).map(str::to_owned);
    match said[..] {
        ["DELETE", "FROM", "ALEMBIC_VERSION", ..] => Some(Note::Gone),
        ["UPDATE", "ALEMBIC_VERSION", ..] | ["INSERT", "INTO", "ALEMBIC_VERSION", ..] => value().map(Note::Alembic),
        ["UPDATE", "MIGRATE_VERSION", "SET", "VERSION", number] => Some(Note::Migrate(number.to_owned())),
        ["INSERT", "INTO", "MIGRATE_VERSION", ..] => Some(Note::Gone),
        _ => None,
    }
}

/// The words of a text in capitals: letters, digits and what joins them to names.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    parts.filter(|part| !part.is_empty()).map(str::to_uppercase)
}

/// The statements of a text. What makes a trigger or a routine has semicolons of its own, and is one.
fn statements(text: &str) -> Vec<&str> {
    let first: Vec<String> = words(text).take(6).collect();
    let is = |word: &str| first.iter().any(|one| one == word);
    let own = first.first().is_some_and(|word| word == "CREATE" || word == "DO")
        && (is("TRIGGER") || is("PROCEDURE") || is("FUNCTION") || is("DO"));
    let parts = if own { vec![text] } else { parts(text, ';') };
    parts.into_iter().map(str::trim).filter(|part| words(part).next().is_some()).collect()
}

/// The parts of a text between separators that are in no brackets and no quotes.
pub(super) fn parts(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut quote, mut escaped, mut begin) = (0_usize, None, false, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('\''), '\\') => escaped = true,
            (Some(end), _) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if c == separator && depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(heard: &[(u64, &str)]) -> Vec<String> {
        let heard = heard.iter().map(|(session, text)| (*session, (*text).to_owned()));
        let line = |one: Passage| format!("{}: {}", one.revision.unwrap_or_default(), one.statements.join(" / "));
        passages(heard).into_iter().map(line).collect()
    }

    #[test]
    fn a_statement_is_of_the_revision_that_its_session_notes_next() {
        let found = told(&[
            (1, "SET SESSION sql_mode = 'TRADITIONAL'"),
            (2, "DROP TABLE migrate_version"),
            (1, "SELECT 1"),
            (1, "ALTER TABLE a DROP COLUMN b"),
            (1, "UPDATE alembic_version SET version_num='x2' WHERE alembic_version.version_num = 'x1'"),
            (1, "DELETE FROM alembic_version WHERE alembic_version.version_num = 'y'"),
            (1, "CREATE INDEX i ON a (c); DROP TABLE d;"),
            (1, "INSERT INTO alembic_version (version_num) VALUES ('x3') RETURNING alembic_version.version_num"),
            (3, "UPDATE t SET a = 1"),
        ]);
        assert_eq!(
            found,
            [
                "x2: SET SESSION sql_mode = 'TRADITIONAL' / ALTER TABLE a DROP COLUMN b",
                "x3: CREATE INDEX i ON a (c) / DROP TABLE d",
                ": DROP TABLE migrate_version / UPDATE t SET a = 1",
            ]
        );
    }

    #[test]
    fn numbers_of_sqlalchemy_migrate_are_noted_by_any_session() {
        let found = told(&[
            (1, "ALTER TABLE a ADD b INTEGER"),
            (
                2,
                "UPDATE migrate_version SET version=133 WHERE migrate_version.version = 132 AND migrate_version.repository_id = 'cinder'",
            ),
            (2, "UPDATE t SET a = 1"),
        ]);
        assert_eq!(found, ["133: ALTER TABLE a ADD b INTEGER"]);
    }

    #[test]
    fn semicolons_in_texts_names_and_triggers_end_no_statement() {
        assert_eq!(
            statements("UPDATE a SET b = 'x;\\';y'; DROP TABLE `c;d`; "),
            ["UPDATE a SET b = 'x;\\';y'", "DROP TABLE `c;d`"]
        );
        let trigger = "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.b = 1; END";
        assert_eq!(statements(trigger), [trigger]);
        assert_eq!(parts("a DECIMAL(1, 2), b ENUM('x,y')", ','), ["a DECIMAL(1, 2)", " b ENUM('x,y')"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_loses_what_is_no_note(text in "\\PC{0,40}") {
            let joined: String = parts(&text, ';').concat();
            prop_assert_eq!(joined.chars().filter(|c| *c != ';').count(), text.chars().filter(|c| *c != ';').count());
            passages([(1, text)]);
        }
    }
}
