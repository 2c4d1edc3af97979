//! The release's own checks, `leapfrog verify`, and cells that only their mappings name: on real images and a
//! real MariaDB.

use std::fmt::Write as _;

use serde_json::Value;

use crate::bed::Cloud;

const ONLY: &str = "cinder,placement";
const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", ONLY];

fn begun(cloud: &Cloud, hop: &str) -> Vec<String> {
    let started = cloud.journal().into_iter().filter(|record| record["event"] == "step-started");
    let steps = started.filter_map(|record| record["step"].as_str().map(str::to_owned));
    steps.filter(|step| step.starts_with(hop)).collect()
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_check_of_the_next_release_that_fails_stops_before_its_hop_and_the_mended_databases_go_on() {
    let cloud = Cloud::new("checks", 10);
    // Rows are left of 2023.1's data migrations, and one volume is on a host whose service has no UUID.
    let told = cloud.leapfrog(&["verify", "--at", "2023.1", "--only", ONLY]).ended(4);
    assert!(told.stdout.contains("no   cinder     130 volumes without use_quota"), "{}", told.stdout);
    cloud.sql("cinder", "UPDATE volumes SET host = 'cinder1@lvm' WHERE display_name = 'volume-77'");

    let told = cloud.leapfrog(&LEAP).ended(4).said(&[
        "2023.2 says itself that these databases are not ready for it: Service UUIDs",
        "1 rows in cinder",
        "nothing of 2023.2 has begun",
    ]);
    assert!(!told.stderr.contains(&cloud.password));
    assert_eq!(begun(&cloud, "2023.2/"), Vec::<String>::new(), "a lane of the hop began");
    let asked: Vec<String> =
        begun(&cloud, "2023.1/").into_iter().filter(|step| step.ends_with("upgrade-check")).collect();
    assert!(asked.contains(&"2023.1/cinder/upgrade-check".to_owned()), "{asked:?}");
    assert_eq!(
        (cloud.heads("cinder"), cloud.heads("placement")),
        (vec!["daa98075b90d".into()], vec!["422ece571366".into()])
    );
    // What 2023.1 had to do is proved all the same.
    cloud.leapfrog(&["verify", "--only", ONLY]).ended(0);
    let told = cloud.leapfrog(&["verify", "--only", ONLY, "--checks"]).ended(4);
    assert!(told.stdout.contains("2023.1 says itself that these databases are not ready"), "{}", told.stdout);

    cloud.sql("cinder", "UPDATE volumes SET host = NULL");
    cloud.leapfrog(&LEAP).ended(0).said(&["Service UUIDs ended with failure, which stops nothing"]);
    let told = cloud.leapfrog(&["verify", "--at", "2023.2", "--only", ONLY, "--checks", "-o", "json"]).ended(0);
    let proof: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let checks = proof["claims"].as_array().expect("claims").iter().filter(|claim| claim["kind"] == "release-check");
    assert_eq!((checks.count(), proof["answer"].as_str()), (8 + 3, Some("yes")), "{proof}");
    assert_eq!(cloud.containers(), 0, "containers are left over");
    for (path, content) in cloud.state() {
        let password = cloud.password.as_bytes();
        assert!(!content.windows(password.len()).any(|window| window == password), "{} holds it", path.display());
    }
}

#[test]
#[ignore = "needs the test bed: make test"]
fn cells_that_the_cloud_file_leaves_out_are_stepped_by_their_mappings_and_a_copys_original_is_left_alone() {
    let cloud = Cloud::with("mapped", 20, &["--cells", "2", "--disabled-cell"]);
    let text = std::fs::read_to_string(cloud.config()).expect("readable");
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside = if line == "    cells:" { true } else { inside && line.starts_with("      ") };
        if !inside {
            writeln!(kept, "{line}").expect("a text");
        }
    }
    assert!(kept.len() < text.len() && kept.contains("cell0"), "{kept}");
    std::fs::write(cloud.config(), kept).expect("writable");
    // One mapping is a template; all of them hold the database's password or lead to it.
    let template =
        format!("{{scheme}}://{{username}}:{{password}}@{{hostname}}:{{port}}/{}_nova?{{query}}", cloud.name);
    cloud.sql("nova_api", &format!("UPDATE cell_mappings SET database_connection = '{template}' WHERE name = 'cell1'"));

    let nova = ["--from", "2023.1", "--to", "2023.2", "--only", "nova"];
    let plan = cloud.leapfrog(&[&["plan", "-o", "json"], &nova[..]].concat()).ended(0);
    let plan: Value = serde_json::from_str(&plan.stdout).expect("JSON");
    let names: Vec<&String> = plan["hops"][0]["lanes"][0]["standing"].as_object().expect("databases").keys().collect();
    assert_eq!(names, ["nova.api", "nova.cell0", "nova.cells.cell1", "nova.cells.cell2"]);
    assert!(!plan.to_string().contains(&cloud.password));

    // A copy whose mappings were not rewritten: they lead to databases that the cloud file does not name.
    let elsewhere =
        "UPDATE cell_mappings SET database_connection = REPLACE(database_connection, '_nova_cell0', '_original')";
    cloud.sql("nova_api", elsewhere);
    let leap = [&["--yes"], &nova[..]].concat();
    cloud.leapfrog(&leap).ended(3).said(&["none lead to nova.cell0", "on a copy they lead to the original"]);
    cloud.sql("nova_api", &elsewhere.replace("'_nova_cell0', '_original'", "'_original', '_nova_cell0'"));

    cloud.leapfrog(&leap).ended(0);
    for database in ["nova_cell0", "nova", "nova_cell2"] {
        assert_eq!(cloud.heads(database), ["1acf2c98e646"], "{database}");
    }
    let told = cloud.leapfrog(&["verify", "--at", "2023.2", "--only", "nova"]).ended(0);
    assert!(told.stdout.contains("yes  nova.cells.cell2"), "{}", told.stdout);
    for (path, content) in cloud.state() {
        let password = cloud.password.as_bytes();
        assert!(!content.windows(password.len()).any(|window| window == password), "{} holds it", path.display());
    }
}
