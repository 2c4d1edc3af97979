//! `docs/tested.md` says what the committed results of the real leaps say, and playbooks call `tested` what these ran.
//!
//! `make tested` (`LEAPFROG_UPDATE=1`) takes the results below `target/` and writes the document anew.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod page;
mod results;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use leapfrog::catalog::Catalog;
use results::Ran;

fn updating() -> bool {
    std::env::var_os("LEAPFROG_UPDATE").is_some()
}

/// The committed results. Those below `target/` take the place of the same test's where that was asked for.
fn committed() -> BTreeSet<Ran> {
    let mut lines = results::read(&results::committed_file());
    if updating() {
        for file in fs::read_dir(results::fresh_directory()).into_iter().flatten().flatten() {
            let fresh = results::read(&file.path());
            let tests: BTreeSet<String> = fresh.iter().map(|line| line.test.clone()).collect();
            lines.retain(|line| !tests.contains(&line.test));
            lines.extend(fresh);
        }
        results::write(&results::committed_file(), &lines);
    }
    lines
}

#[test]
fn the_page_is_what_the_results_say() {
    let page = page::render(&Catalog::embedded().unwrap(), &committed());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tested.md");
    if updating() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/tested.md is not what tests/tested/results.jsonl and the playbooks say: run `make tested`, read the change"
    );
}

#[test]
fn playbooks_call_tested_what_was_run() {
    let (catalog, lines) = (Catalog::embedded().unwrap(), results::read(&results::committed_file()));
    let mut wrong = Vec::new();
    for playbook in catalog.playbooks() {
        for release in catalog.releases() {
            let ran = lines.iter().any(|line| {
                line.service == playbook.service.as_str()
                    && line.result == "done"
                    && line.series.iter().any(|series| series == release.series.as_str())
            });
            let says = playbook.knowledge(&release.series);
            if ran && !says.is_tested() {
                wrong.push(format!(
                    "{} {}: it was run, and the playbook says {says:?}",
                    playbook.service, release.series
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
