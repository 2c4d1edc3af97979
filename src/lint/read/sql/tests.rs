use super::*;

fn told(text: &str) -> Vec<String> {
    let found = read(text).into_iter();
    found
        .map(|(table, change)| {
            let column = change.column().map(|column| format!(" {column}")).unwrap_or_default();
            format!("{} {}{column}", change.verb(), table.unwrap_or_else(|| "?".to_owned()))
        })
        .collect()
}

#[test]
fn statements_say_what_they_do_and_to_which_table() {
    for (text, expected) in [
        ("SELECT 1", &[][..]),
        ("SET foreign_key_checks = 0;", &["sets a variable, not changing ?"]),
        (
            "ALTER TABLE a ENGINE = InnoDB, COMMENT 'x'",
            &["changes the storage engine of a", "changes neither columns nor rows of a"],
        ),
        (
            "CREATE VIEW v AS SELECT 1; DROP VIEW v",
            &["creates a view or a routine, not changing ?", "drops a view or a routine, not changing ?"],
        ),
        ("CREATE PROCEDURE p() BEGIN DELETE FROM a; END", &["creates a view or a routine, not changing ?"]),
        (
            "ALTER TABLE `tags` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            &["converts the character set of tags"],
        ),
        ("alter table tags character set utf8mb4", &["sets the character set of tags"]),
        (
            "ALTER TABLE a ADD COLUMN b DECIMAL(1,2) NOT NULL, DROP COLUMN c; DROP TABLE IF EXISTS d, e",
            &["adds a column to a b", "drops a column of a c", "drops table d", "drops table e"],
        ),
        ("ALTER TABLE a ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES c (id)", &["adds a foreign key to a"]),
        (
            "ALTER TABLE a MODIFY COLUMN b TEXT NOT NULL, MODIFY c INT",
            &["alters a column of a b", "alters a column of a c"],
        ),
        ("UPDATE \"a\" SET b = 'x; DROP TABLE c' -- DROP TABLE d", &["updates rows of a"]),
        ("INSERT INTO a.b SELECT * FROM c", &["inserts rows into b"]),
        ("CREATE UNIQUE INDEX i ON a (b)", &["creates an index on a"]),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW x", &["creates a trigger on a"]),
        (
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET x = 1; ELSEIF y; END",
            &["creates a trigger on a"],
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger AS $x$ BEGIN DELETE FROM b; END $x$ LANGUAGE plpgsql; \
             CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW EXECUTE PROCEDURE f(); DROP TABLE c",
            &["creates a view or a routine, not changing ?", "creates a trigger on a", "drops table c"],
        ),
        ("DO $$ DROP TABLE a", &["does something to ?"]),
        (
            "ALTER TABLE a ADD CONSTRAINT FOREIGN KEY (b) REFERENCES c (id), ADD FULLTEXT KEY f (d), ADD SPATIAL INDEX (e)",
            &["adds a foreign key to a", "creates an index on a", "creates an index on a"],
        ),
        ("CREATE FULLTEXT INDEX f ON a (d)", &["creates an index on a"]),
        ("ALTER TABLE a ADD c INT REFERENCES p (id)", &["adds a column to a c", "adds a foreign key to a"]),
        ("RENAME TABLE a TO a_old, a_new TO a", &["renames table a", "renames table a_new"]),
        ("/*!50000 DROP TABLE a */; /* DROP TABLE b */", &["drops table a"]),
        ("/*M!100100 DROP TABLE a */", &["drops table a"]),
        ("LOCK TABLES a WRITE", &["does something to ?"]),
        ("DROP TRIGGER t", &["drops a trigger of ?"]),
        ("CALL p()", &["does something to ?"]),
        ("ALTER TABLE \u{fffd} DROP COLUMN b", &["drops a column of ? b"]),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}
