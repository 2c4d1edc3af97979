//! `leapfrog lint --execute` on a real cloud: what real migrations do to copies of its databases, and that nothing else happens.

use leapfrog::database::trial_name;
use serde_json::Value;

use crate::bed::{Cloud, environment, testbed};

/// The names of the scratch databases of a cloud.
fn names(cloud: &Cloud) -> Vec<String> {
    let server = &environment()["mariadb"];
    let (host, port) = (server["host"].as_str().expect("a host"), server["port"].as_u64().expect("a port"));
    let name = |database| {
        let url = format!("mysql://u@{host}:{port}/{}_{database}", cloud.name).parse().expect("a URL");
        trial_name(&url)
    };
    ["keystone", "cinder", "nova_api", "nova_cell0", "nova"].map(name).to_vec()
}

/// Those that are on the server.
fn scratches(cloud: &Cloud) -> Vec<String> {
    let all = testbed(&["sql", "information_schema"], "SELECT SCHEMA_NAME FROM SCHEMATA");
    let names = names(cloud);
    all.lines().filter(|name| names.iter().any(|own| own == name)).map(str::to_owned).collect()
}

/// Lets the cloud's user make them.
fn grant(cloud: &Cloud) {
    let grants = names(cloud)
        .into_iter()
        .map(|name| format!("GRANT ALL PRIVILEGES ON `{}`.* TO '{}'@'%';", name.replace('_', "\\_"), cloud.name));
    testbed(&["sql", "information_schema"], &grants.collect::<String>());
}

/// Everything of a database that could have been changed: its tables as they are made, and their rows.
fn all_of(cloud: &Cloud, database: &str) -> String {
    let columns = "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLUMN_COMMENT \
                   FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1, 2";
    format!("{:?}\n{:?}\n{}", cloud.heads(database), cloud.rows(database), cloud.sql(database, columns))
}

#[test]
#[ignore = "needs the test bed: make test"]
fn migrations_are_tried_on_copies_and_what_the_server_takes_for_them_is_told() {
    let cloud = Cloud::new("tried", 20);
    // What no script of cinder knows of, and its MODIFY drops.
    cloud.sql("cinder", "ALTER TABLE volumes MODIFY use_quota TINYINT(1) NULL DEFAULT 1 COMMENT 'billing reads it'");
    grant(&cloud);
    let databases = ["keystone", "cinder", "nova_api", "nova"];
    let before: Vec<String> = databases.iter().map(|database| all_of(&cloud, database)).collect();
    let lint = ["lint", "--from", "2023.1", "--to", "2024.1", "--only", "keystone,cinder,nova", "--execute"];

    let told = cloud.leapfrog(&[&lint[..], &["--deny", "never", "--output", "json"]].concat()).ended(0);
    assert!(!(told.stdout.clone() + &told.stderr).contains(&cloud.password), "the password is told");
    let report: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let version = report["servers"][0]["version"].as_str().expect("a version");
    assert!(report["servers"][0]["server"] == "mariadb" && version.starts_with("10."), "{}", report["servers"]);
    let executed = report["executed"].as_array().expect("what was run");
    let services: std::collections::BTreeSet<&str> =
        executed.iter().map(|ran| ran["service"].as_str().expect("a service")).collect();
    assert_eq!(services, ["cinder", "keystone", "nova"].into(), "{executed:#?}");
    for ran in executed {
        assert!(ran["failed"].is_null(), "{ran:#}");
        let statement = ran["statement"].as_str().expect("a statement");
        let measured =
            ["ALTER TABLE", "CREATE INDEX", "CREATE UNIQUE", "DROP INDEX"].iter().any(|one| statement.starts_with(one));
        assert_eq!(ran["algorithm"].is_string(), measured, "{ran:#}");
        assert!(ran["revision"].is_string(), "a change that no revision notes: {ran:#}");
    }
    // cinder 9ab1b092a404: use_quota becomes NOT NULL, which rewrites the table in place.
    let of_quota = executed.iter().find(|ran| {
        ran["table"] == "volumes" && ran["statement"].as_str().is_some_and(|text| text.contains("use_quota"))
    });
    let of_quota = of_quota.unwrap_or_else(|| panic!("use_quota was not changed: {executed:#?}"));
    assert_eq!(
        (&of_quota["was_there"], &of_quota["series"]),
        (&Value::Bool(true), &Value::from("2024.1")),
        "{of_quota:#}"
    );
    assert_eq!(of_quota["lock"], "NONE", "{of_quota:#}");
    assert!(of_quota["read"].is_string(), "{of_quota:#}");

    let findings = report["findings"].as_array().expect("findings");
    let silent: Vec<&str> = findings
        .iter()
        .filter(|found| found["rule"] == "LF-E02" && found["table"] == "volumes")
        .map(|found| found["what"].as_str().expect("words"))
        .collect();
    assert!(
        silent.iter().any(|what| what.contains("use_quota") && what.contains("loses its comment")),
        "{findings:#?}"
    );
    // Everything of these services is read, so whatever were run and not read would be a gap to mend.
    let gaps: Vec<&Value> = findings.iter().filter(|found| found["rule"] == "LF-E01").collect();
    assert!(gaps.is_empty(), "{gaps:#?}");

    let text = cloud.leapfrog(&[&lint[..], &["--deny", "warning"]].concat()).ended(8).stdout;
    assert!(text.contains("What was run on copies without rows") && text.contains("ALGORITHM="), "{text}");
    assert!(text.contains("LF-E02"), "{text}");

    let after: Vec<String> = databases.iter().map(|database| all_of(&cloud, database)).collect();
    assert_eq!(before, after, "a database of the cloud was changed");
    assert_eq!(scratches(&cloud), [""; 0]);
    assert_eq!(cloud.containers(), 0);
    let left: Vec<_> = cloud
        .state()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.to_string_lossy().contains(".sql"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_migration_that_fails_is_told_and_the_scratch_database_is_dropped_all_the_same() {
    let cloud = Cloud::new("trialfails", 20);
    // A column that 2023.2's script alters is gone.
    cloud.sql("cinder", "ALTER TABLE volumes DROP COLUMN use_quota");
    let lint = ["lint", "--from", "2023.1", "--to", "2024.1", "--only", "cinder", "--execute"];
    cloud.leapfrog(&lint).ended(3).said(&["GRANT ALL ON `leapfrog\\_scratch\\_%`.*", "or leave --execute away"]);
    grant(&cloud);
    // What a process left that was killed is taken away first.
    let left = &names(&cloud)[1];
    testbed(
        &["sql", "information_schema"],
        &format!(
            "CREATE DATABASE {left}; CREATE TABLE {left}.leapfrog_scratch (made INT); CREATE TABLE {left}.volumes (id INT);"
        ),
    );
    let told = cloud.leapfrog(&lint).ended(4).said(&["on a copy without rows", "No database of the cloud was touched"]);
    assert!(!(told.stdout + &told.stderr).contains(&cloud.password), "the password is told");
    assert_eq!(scratches(&cloud), [""; 0]);
    assert_eq!(cloud.containers(), 0);
}
