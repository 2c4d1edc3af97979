//! What a leap ran, kept by the test that ran it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::results::{Ran, committed_file, fresh_directory, read, write};

/// Keeps what a leap ran by its plan and its journal, and says so where the committed results do not.
pub(crate) fn record(test: &str, engine: &str, server: &str, runner: &str, plan: &Value, journal: &[Value]) {
    let last = journal.last().unwrap();
    assert_eq!(last["event"], "run-ended", "{test} keeps what has ended");
    let mut ran: BTreeSet<Ran> = BTreeSet::new();
    let hops = plan["hops"].as_array().unwrap();
    let lanes = |hop: &Value| hop["lanes"].as_array().unwrap().clone();
    let services: BTreeSet<String> =
        hops.iter().flat_map(lanes).map(|lane| lane["service"].as_str().unwrap().to_owned()).collect();
    for service in services {
        let of_it = hops.iter().filter(|hop| lanes(hop).iter().any(|lane| lane["service"] == service.as_str()));
        ran.insert(Ran {
            test: test.to_owned(),
            series: of_it.map(|hop| hop["series"].as_str().unwrap().to_owned()).collect(),
            service,
            engine: engine.to_owned(),
            server: server.to_owned(),
            runner: runner.to_owned(),
            result: last["outcome"].as_str().unwrap().to_owned(),
        });
    }
    write(&fresh_directory().join(format!("{test}.jsonl")), &ran);
    let committed: BTreeSet<Ran> = read(&committed_file()).into_iter().filter(|line| line.test == test).collect();
    assert!(
        committed == ran,
        "tests/tested/results.jsonl does not hold what {test} ran: `make tested` takes it, and writes docs/tested.md anew"
    );
}
