//! What hangs on tables, as real servers tell it: triggers, views, foreign keys.

use leapfrog::database::{Connection, ForeignKey, chain, connect};
use leapfrog::model::{ConnectionUrl, Trigger};
use tempfile::TempDir;

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{TIMEOUT, run, url, wait};

/// Two tables, one of which leads to the other, and a view.
const TABLES: [&str; 3] = [
    "CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE child (id INTEGER NOT NULL PRIMARY KEY, parent_id INTEGER, size INTEGER, CONSTRAINT child_parent \
     FOREIGN KEY (parent_id) REFERENCES parent (id))",
    "CREATE VIEW grown AS SELECT id, size FROM child WHERE size > 3",
];

/// What hangs on the tables of a database.
#[derive(Debug)]
struct Hangs {
    triggers: Vec<Trigger>,
    /// Kind, name, text.
    definitions: Vec<(&'static str, String, String)>,
    keys: Vec<ForeignKey>,
}

impl Hangs {
    /// Name, table and event of each trigger.
    fn triggers(&self) -> Vec<[&str; 3]> {
        self.triggers.iter().map(|one| [one.name.as_str(), one.table.as_str(), one.event.as_str()]).collect()
    }

    /// What the trigger does, as far as a sum tells.
    fn digest(&self, name: &str) -> &str {
        &self.triggers.iter().find(|one| one.name == name).expect("a trigger").digest
    }

    /// The text of a definition.
    fn text(&self, kind: &str, name: &str) -> &str {
        let found = self.definitions.iter().find(|(of, called, _)| *of == kind && called == name);
        &found.unwrap_or_else(|| panic!("no {kind} {name} in {:?}", self.definitions)).2
    }

    /// The table, the referenced table and column of the one foreign key.
    fn key(&self) -> (&str, &str, Option<&str>) {
        let [key] = &self.keys[..] else { panic!("{:?}", self.keys) };
        (&key.table, &key.referenced, key.column.as_deref())
    }
}

async fn look(url: &ConnectionUrl) -> Hangs {
    async fn all(connection: &mut Connection) -> Result<Hangs, leapfrog::database::QueryError> {
        let definitions = connection.definitions().await?.into_iter().map(|one| (one.kind, one.name, one.text));
        let definitions = definitions.collect();
        Ok(Hangs { triggers: connection.triggers().await?, definitions, keys: connection.foreign_keys().await? })
    }
    let mut connection = connect(url, TIMEOUT).await.expect("a connection");
    let seen = all(&mut connection).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    connection.close().await;
    seen
}

#[test]
fn sqlite_tells_its_triggers_views_and_foreign_keys() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("k.db");
    std::fs::write(&path, "").expect("a file");
    let url = url(&format!("sqlite:///{}", path.display()));
    wait(async {
        run(&url, &TABLES).await;
        let kept = "CREATE TRIGGER child_keep BEFORE INSERT ON child BEGIN UPDATE parent SET id = id; END";
        run(&url, &[kept, "CREATE TRIGGER child_told AFTER UPDATE OF size ON child BEGIN SELECT 1; END"]).await;
        let first = look(&url).await;
        let expected = [["child_keep", "child", "BEFORE INSERT"], ["child_told", "child", "AFTER UPDATE"]];
        assert_eq!(first.triggers(), expected);
        assert!(first.text("view", "grown").contains("size > 3"), "{first:?}");
        assert!(first.text("trigger", "child_keep").contains("UPDATE parent"), "{first:?}");
        assert_eq!(first.key(), ("child", "parent", Some("id")));
        run(&url, &["DROP TRIGGER child_keep", &kept.replace("id = id", "id = id + 0")]).await;
        assert_ne!(look(&url).await.digest("child_keep"), first.digest("child_keep"), "it does something else");
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn postgresql_tells_its_triggers_views_and_foreign_keys() {
    let cluster = Cluster::shared();
    let url = cluster.database("structures");
    let does = |what: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what} RETURN NEW; END $$"
        )
    };
    wait(async {
        run(&url, &TABLES).await;
        run(
            &url,
            &[
                &does("NEW.size := 1;"),
                "CREATE TRIGGER child_keep BEFORE INSERT OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION keep()",
                "CREATE TRIGGER child_gone AFTER DELETE OR TRUNCATE ON child EXECUTE FUNCTION keep()",
                "CREATE TRIGGER grown_in INSTEAD OF UPDATE ON grown FOR EACH ROW EXECUTE FUNCTION keep()",
                "CREATE MATERIALIZED VIEW sums AS SELECT sum(size) AS all_sizes FROM child",
            ],
        )
        .await;
        let first = look(&url).await;
        let expected = [
            ["child_gone", "child", "AFTER DELETE OR TRUNCATE"],
            ["child_keep", "child", "BEFORE INSERT OR UPDATE"],
            ["grown_in", "grown", "INSTEAD OF UPDATE"],
        ];
        assert_eq!(first.triggers(), expected, "and none of those that keep foreign keys");
        assert!(first.text("view", "grown").contains("size > 3"), "{first:?}");
        assert!(first.text("view", "sums").contains("sum("), "{first:?}");
        assert!(first.text("trigger", "child_keep").contains("NEW.size := 1"), "what its function does: {first:?}");
        assert_eq!((first.key(), first.keys[0].name.as_str()), (("child", "parent", Some("id")), "child_parent"));
        let views = first.definitions.iter().filter(|(kind, ..)| *kind == "view").count();
        assert_eq!(views, 2, "none of the server's own");
        run(&url, &[&does("NEW.size := 2;")]).await;
        assert_ne!(
            look(&url).await.digest("child_keep"),
            first.digest("child_keep"),
            "its function does something else"
        );
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn mariadb_tells_its_triggers_views_and_foreign_keys() {
    let database = Server::find().database("structures");
    let url = database.root();
    wait(async {
        run(&url, &TABLES).await;
        run(&url, &["CREATE TRIGGER child_keep BEFORE UPDATE ON child FOR EACH ROW SET NEW.size = 1"]).await;
        let first = look(&url).await;
        assert_eq!(first.triggers(), [["child_keep", "child", "BEFORE UPDATE"]]);
        assert!(first.text("view", "grown").contains("> 3"), "{first:?}");
        assert!(first.text("trigger", "child_keep").contains("NEW.size = 1"), "{first:?}");
        assert_eq!((first.key(), first.keys[0].name.as_str()), (("child", "parent", Some("id")), "child_parent"));
    });
}
