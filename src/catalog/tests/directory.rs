//! A directory of the operator's own files.

use super::*;
use camino::Utf8PathBuf;

fn directory() -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).expect("UTF-8");
    (directory, path)
}

fn message(path: &camino::Utf8Path) -> String {
    let mistakes = Catalog::load(path).expect_err("a mistake").mistakes;
    lines(&mistakes).replace(path.as_str(), "DIR")
}

#[test]
fn a_file_replaces_the_one_of_the_same_name_and_others_are_added() {
    let (_keep, path) = directory();
    std::fs::create_dir(path.join("releases")).expect("created");
    let changed = edited("releases/2025.1", &[("last: 31.3.1", "last: 31.9.0")]);
    let added = edited("releases/2025.1", &[("'2025.1'", "'2027.1'"), ("codename: epoxy", "codename: unnamed")]);
    std::fs::write(path.join("releases/2025.1.yaml"), changed).expect("written");
    std::fs::write(path.join("releases/2027.1.yaml"), added).expect("written");
    std::fs::write(path.join("releases/README.md"), "not a release").expect("written");
    let catalog = Catalog::load(&path).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    assert_eq!(catalog.releases().count(), shipped("releases").len() + 1);
    assert_eq!(catalog.overlay.replaced, ["releases/2025.1.yaml"]);
    assert_eq!(catalog.overlay.added, ["releases/2027.1.yaml"]);
    let nova = "nova".parse().expect("a name");
    let epoxy = catalog.find_series("epoxy").expect("known");
    assert_eq!(catalog.release(&epoxy).expect("there").services[&nova].versions.last, "31.9.0");
    assert_eq!(catalog.find_series("Unnamed").expect("added").as_str(), "2027.1");
}

#[test]
fn notes_are_about_a_release_and_a_service_of_it_and_answer_everything() {
    let (_keep, path) = directory();
    std::fs::create_dir(path.join("releases")).expect("created");
    let note = |service: &str, more: &str| {
        format!(
            "  - {service}rules: [LF-C01]\n    revision: abc\n    changes: a column goes\n    why: x\n    data: none\n    downtime: none\n    \
             operator: nothing\n    accepted_by: us\n    until: 2999-12-31\n{more}"
        )
    };
    let file = |name: &str, notes: &[String]| {
        let text = format!("format: 1\nexceptions:\n{}", notes.concat());
        std::fs::write(path.join(format!("releases/{name}.notes.yaml")), text).expect("written");
    };
    let nova = "service: nova\n    ";
    file("2026.2", &[note(nova, "")]);
    let catalog = Catalog::load(&path).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    assert_eq!(catalog.overlay.replaced, ["releases/2026.2.notes.yaml"]);
    let newest = catalog.releases().next_back().expect("a release");
    assert_eq!(newest.exceptions.len(), 1);
    assert!(newest.exceptions[0].told().starts_with("nova abc: a column goes"));

    file(
        "2026.2",
        &[
            note("", ""),
            note("service: sahara\n    ", ""),
            note(nova, "    series: 2026.1\n"),
            note(nova, "").replace("why: x", "why: ' '").replace("[LF-C01]", "[]"),
        ],
    );
    file("2031.1", &[note(nova, "")]);
    let error = Catalog::load(&path).expect_err("mistakes");
    let told: Vec<String> = error.mistakes.iter().map(Mistake::one_line).collect();
    let told: Vec<&str> = told.iter().map(|line| line.split("releases/").nth(1).expect("a file")).collect();
    assert_eq!(
        told,
        [
            "2026.2.notes.yaml:3:5: it does not say the service",
            "2026.2.notes.yaml:12:14: sahara is none of the release's services",
            "2026.2.notes.yaml:32:13: the file's name says that it is 2026.2",
            "2026.2.notes.yaml:34:12: without a rule nothing is accepted",
            "2026.2.notes.yaml:37:10: `why` is empty",
            "2031.1.notes.yaml:3:5: there is no release 2031.1 that they could be about",
        ]
    );
}

#[test]
fn a_playbook_for_one_more_service_is_told_to_copy_the_built_in_releases() {
    let (_keep, path) = directory();
    std::fs::create_dir(path.join("playbooks")).expect("created");
    let barbican = edited("playbooks/barbican", &[("service: barbican", "service: barbecue")]);
    std::fs::write(path.join("playbooks/barbecue.yaml"), barbican).expect("written");
    let first: String = message(&path).lines().take(2).map(|line| format!("{line}\n")).collect();
    insta::assert_snapshot!(first);
}

#[test]
fn a_directory_without_a_catalogue_in_it_is_a_mistake_and_not_an_empty_change() {
    let (_keep, path) = directory();
    insta::assert_snapshot!(message(&path), @r"
    DIR: the directory has neither a releases nor a playbooks directory in it
        help: put release files in DIR/releases and playbooks in DIR/playbooks
    ");
    assert!(message(&path.join("nowhere")).starts_with("DIR: there is no such directory"));
}

#[test]
fn files_that_cannot_be_documents_are_named() {
    let (_keep, path) = directory();
    std::fs::create_dir_all(path.join("playbooks/odd.yaml")).expect("created");
    std::fs::write(path.join("playbooks/heat.yml"), "format: 1").expect("written");
    std::fs::write(path.join("playbooks/latin.yaml"), b"format: 1\ntitle: caf\xe9\n").expect("written");
    std::fs::write(path.join("playbooks/huge.yaml"), " ".repeat(2_000_000)).expect("written");
    std::fs::write(path.join("playbooks/empty.yaml"), "").expect("written");
    insta::assert_snapshot!(message(&path), @r"
    DIR/playbooks/empty.yaml:1:1: the file is empty
    DIR/playbooks/heat.yml: the name must end in .yaml
    DIR/playbooks/huge.yaml: the file has 2000000 bytes, more than 1048576
    DIR/playbooks/latin.yaml: line 2 is not UTF-8 text (byte 20)
    DIR/playbooks/odd.yaml: this is not a regular file
    ");
}
