//! Nova's cells where the cloud file leaves them out: looked up in the cell mappings.

use crate::lab::{Lab, antelope};

/// Nova at 2023.1 without a word of its cells in the cloud file; these are its cell mappings. `DIR` is the
/// directory of the databases.
fn lab(nova: &str, mappings: &[(&str, &str)]) -> Lab {
    let mut lab = Lab::new();
    let [api, cell0, _] = [("api", "nova_api"), ("cell0", "nova"), ("cell1", "nova")]
        .map(|(file, schema)| lab.database(file, antelope(schema)));
    lab.database("cell2", antelope("nova"));
    let directory = lab.root().to_str().expect("UTF-8").to_owned();
    let mut statements =
        vec!["CREATE TABLE cell_mappings (id integer, uuid text, name text, database_connection text)".to_owned()];
    for (id, (name, url)) in mappings.iter().enumerate() {
        let url = url.replace("DIR", &directory);
        statements.push(format!("INSERT INTO cell_mappings VALUES ({id}, 'uuid-{id}', {name}, '{url}')"));
    }
    lab.sql("api", &statements);
    lab = lab
        .section(&format!("  nova:\n    databases: {{api: {{url: \"{api}\"}}, cell0: {{url: \"{cell0}\"}}}}\n{nova}"));
    lab.ready()
}

const TWO: &[(&str, &str)] =
    &[("'cell0'", "sqlite:///DIR/cell0.db"), ("'cell1'", "sqlite:///DIR/cell1.db"), ("NULL", "sqlite:///DIR/cell2.db")];

#[test]
fn cells_that_are_left_out_are_those_of_the_mappings() {
    let lab = lab("", TWO);
    insta::assert_snapshot!(lab.tell(&["detect", "plan --from 2023.1 --to 2023.1"]));
    let json = lab.run(&["plan", "--from", "2023.1", "--to", "+1", "-o", "json"]).json();
    let databases = json["hops"][1]["lanes"][0]["standing"].as_object().expect("databases").keys().cloned();
    assert_eq!(databases.collect::<Vec<_>>(), ["nova.api", "nova.cell0", "nova.cells.cell1", "nova.cells.uuid-2"]);
}

#[test]
fn mappings_that_lead_to_another_clouds_databases_are_refused_before_these_are_touched() {
    let copied: &[(&str, &str)] =
        &[("'cell0'", "sqlite:////production/cell0.db"), ("'cell1'", "sqlite:////production/cell1.db")];
    let lab = lab("    cells: mapped\n", copied);
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1", "detect"]));
    lab.run(&["--from", "2023.1", "--to", "+1", "--yes"]).fails(3, &["on a copy they lead to the original"]);
    lab.run(&["verify", "--at", "2023.1"]).fails(4, &["on a copy they lead to the original"]);
}

#[test]
fn a_mapped_cell_that_cannot_be_reached_is_refused_by_name() {
    let gone: &[(&str, &str)] = &[
        ("'cell0'", "sqlite:///DIR/cell0.db"),
        ("'cell1'", "sqlite:///DIR/cell1.db"),
        ("'far'", "sqlite:///DIR/gone.db"),
    ];
    let lab = lab("", gone);
    lab.run(&["plan", "--from", "2023.1", "--to", "+1"]).fails(3, &["database nova.cells.far cannot be read"]);
}

#[test]
fn an_api_database_that_cannot_be_read_is_one_reason_among_the_others() {
    let lab = Lab::new()
        .section("  nova:\n    databases: {api: {url: \"mysql://n@127.0.0.1:1/api\"}, cell0: {url: \"mysql://n@127.0.0.1:1/cell0\"}}\n")
        .service("keystone", &["29e87d24a316", "e25ffa003242"])
        .ready();
    let done = lab.run(&["plan", "--from", "2023.2", "--to", "+1"]);
    done.fails(
        3,
        &["database nova.api cannot be read", "database nova.cell0 cannot be read", "database keystone is behind"],
    );
}

#[test]
fn stored_passwords_are_shown_nowhere() {
    // Lab::run looks for it in all that is printed.
    let secret = format!("mysql://nova:{}@127.0.0.1:1/nova", crate::lab::PASSWORD);
    let stored: &[(&str, &str)] = &[("'cell0'", "sqlite:///DIR/cell0.db"), ("'cell1'", &secret)];
    let refused = lab("", stored);
    refused
        .run(&["plan", "--from", "2023.1", "--to", "+1"])
        .fails(3, &["cell1 leads to mysql://nova@127.0.0.1:1/nova"]);
    let stated = lab("    cell_servers: ['127.0.0.1:1']\n", stored);
    stated.run(&["plan", "--from", "2023.1", "--to", "+1"]).fails(3, &["database nova.cells.cell1 cannot be read"]);
    stated.run(&["detect", "-o", "json"]).fails(3, &["could not read nova.cells.cell1"]);
}
