//! What needs no cloud: help, mistakes in the arguments, the catalogue. And what must agree with it.

use leapfrog::cli::Exit;

use crate::lab::project;

#[test]
fn help_and_mistakes_read_as_reviewed() {
    trycmd::TestCases::new()
        .env("DOCKER_HOST", "tcp://127.0.0.1:1")
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm")
        .env("COLUMNS", "100")
        .case("tests/cli/pages/*.md");
}

#[test]
fn the_exit_codes_in_the_readme_are_those_of_the_program() {
    let readme = std::fs::read_to_string(project().join("README.md")).expect("a README");
    let (_, rest) = readme.split_once("<!-- exit codes -->").expect("the marker before the table");
    let (table, _) = rest.split_once("<!-- /exit codes -->").expect("the marker after the table");
    let rows: Vec<&str> = table.trim().lines().skip(2).collect();
    let expected: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    assert_eq!(rows, expected, "write these rows into README.md");
    let help: Vec<String> = Exit::ALL.iter().map(|exit| format!("  {}  {}", exit.code(), exit.meaning())).collect();
    assert_eq!(Exit::table().lines().skip(1).collect::<Vec<_>>(), help);
}
