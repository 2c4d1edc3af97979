//! The catalogue in words: what `leapfrog releases`, `leapfrog playbooks`, `leapfrog explain` and `leapfrog catalog
//! check` say.
//!
//! Pure functions from a catalogue to text, without colours and without a terminal's width: 100
//! columns at most, every line ends without spaces, every text ends with a newline. The `…List` and
//! [`CheckResult`] types are the same things for `--output json`.

mod check;
mod explain;
mod playbooks;
mod releases;
mod text;

pub use check::{CheckResult, check};
pub use explain::{Explanation, Moved, Unexplained, explain};
pub use playbooks::{PlaybookList, playbook, playbooks};
pub use releases::{ReleaseList, release, releases};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::tests::with;

    fn catalog() -> Catalog {
        Catalog::embedded().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_releases_are_a_table() {
        insta::assert_snapshot!(releases(&catalog()));
    }

    #[test]
    fn a_release_shows_what_an_operator_should_have_read() {
        let catalog = catalog();
        let caracal = catalog.find_series("caracal").expect("known");
        insta::assert_snapshot!(release(&catalog, catalog.release(&caracal).expect("there")));
        let train = catalog.find_series("train").expect("known");
        insta::assert_snapshot!("train", release(&catalog, catalog.release(&train).expect("there")));
    }

    #[test]
    fn the_playbooks_are_a_table() {
        insta::assert_snapshot!(playbooks(&catalog()));
    }

    #[test]
    fn a_playbook_shows_everything_that_will_be_run_and_why() {
        let catalog = catalog();
        for service in ["nova", "glance", "barbican"] {
            let name = service.parse().expect("a name");
            insta::assert_snapshot!(service, playbook(catalog.playbook(&name).expect("there")));
        }
    }

    #[test]
    fn a_step_is_explained_with_what_it_needs_and_what_proves_it() {
        let catalog = catalog();
        let told = |id: &str| match Explanation::new(&catalog, &id.parse().expect("a step")) {
            Ok(explanation) => explain(&explanation),
            Err(error) => format!("{error}\n"),
        };
        insta::assert_snapshot!(
            "explained",
            [
                "2023.2/nova/db-sync@cell1",
                "2023.2/heat/db-sync",
                "train/cinder/online-data-migrations",
                "2026.1/ironic/db-upgrade",
                "queens/glance/db-sync",
                "2024.1/keystone/verify-heads",
            ]
            .map(told)
            .join("\n----\n\n")
        );
        insta::assert_snapshot!(
            "unexplained",
            ["2023.2/nova/db-snyc", "rocky/placement/db-sync", "2023.2/sahara/db-sync", "mitaka/nova/db-sync",]
                .map(told)
                .concat()
        );
    }

    #[test]
    fn a_check_says_what_a_directory_changes_or_what_is_wrong_with_it() {
        let mut catalog = catalog();
        catalog.overlay.replaced = vec!["playbooks/nova.yaml".into(), "releases/2025.1.yaml".into()];
        catalog.overlay.added = vec!["releases/2025.2.yaml".into()];
        let json = |outcome| serde_json::to_string_pretty(&CheckResult::new(outcome)).expect("JSON");
        let good = Ok(catalog);
        insta::assert_snapshot!("check_good", format!("{}\n{}", check(&good), json(&good)));
        let bad = with(&[("releases/2025.1", "format: 1\nseries: '2025.1'\nname: epoxy\n")]);
        insta::assert_snapshot!("check_bad", format!("{}\n{}", check(&bad), json(&bad)));
    }

    #[test]
    fn for_programs_the_lists_are_the_documents_themselves() {
        let catalog = catalog();
        let releases = serde_json::to_value(ReleaseList::new(&catalog)).expect("JSON");
        assert_eq!(releases["releases"][0]["services"]["nova"]["heads"]["nova"]["migrate"]["nova"], 334);
        let playbooks = serde_json::to_value(PlaybookList::new(&catalog)).expect("JSON");
        let playbooks = playbooks["playbooks"].as_array().expect("a list");
        let nova = playbooks.iter().find(|playbook| playbook["service"] == "nova").expect("nova");
        assert_eq!(nova["steps"][0]["run"]["command"][0], "nova-manage");
    }
}
