//! A password is shown by no command and written to no file, wherever it came from.

use crate::lab::{CLOSED, Lab, PASSWORD};

/// Every command that reads a cloud file.
const COMMANDS: &[&[&str]] = &[
    &["detect"],
    &["detect", "-o", "json"],
    &["plan", "--from", "2023.1", "--to", "2024.1"],
    &["plan", "--from", "auto", "--to", "+1", "-o", "jsonl"],
    &["pull", "--from", "2023.1", "--to", "2024.1"],
    &["--from", "2023.1", "--to", "2024.1", "--yes"],
    &["--from", "2023.1", "--to", "2024.1", "--yes", "-o", "jsonl"],
    &["status"],
    &["runs"],
    &["logs", "db-sync"],
];

/// Runs everything; [`Lab::run`] looks for the password in what is printed.
fn try_everything(lab: &Lab, sources: &[&str]) {
    for command in COMMANDS {
        lab.run(command);
    }
    for (path, bytes) in lab.files() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!found || sources.contains(&name), "{} holds the password", path.display());
    }
}

#[test]
fn a_password_in_a_url_is_shown_nowhere() {
    for url in [
        format!("mysql+pymysql://k:{PASSWORD}@{CLOSED}/k"),
        format!("postgresql://k:{PASSWORD}@{CLOSED}/k?password={PASSWORD}"),
        format!("mysql://k@{CLOSED}/k?passwd={PASSWORD}"),
        // Mistakes of several kinds.
        format!("mysql://k:{PASSWORD}@{CLOSED}9999/k"),
        format!("mysql://k:{PASSWORD}@{CLOSED}"),
        format!("mysql://k:{PASSWORD}/{PASSWORD}@h/k"),
        format!("oracle://k:{PASSWORD}@{CLOSED}/k"),
        format!("{PASSWORD}://k@{CLOSED}/k"),
        PASSWORD.to_owned(),
    ] {
        let lab = Lab::new().service_like("keystone", &format!("{{url: \"{url}\"}}")).ready();
        try_everything(&lab, &["leapfrog.yaml"]);
    }
}

#[test]
fn a_password_in_the_wrong_place_is_shown_nowhere() {
    for database in [
        format!("{{url: \"mysql://k@{CLOSED}/k\", password: {PASSWORD}}}"),
        format!("{{url: \"mysql://k@{CLOSED}/k\", pasword_file: {PASSWORD}}}"),
        format!("[{PASSWORD}]"),
        format!("\"{PASSWORD}\""),
        format!("{{url: \"{PASSWORD}"),
    ] {
        let lab = Lab::new().service_like("keystone", &database).ready();
        try_everything(&lab, &["leapfrog.yaml"]);
    }
}

#[test]
fn a_password_from_the_environment_is_shown_nowhere() {
    let lab = Lab::new()
        .service_like("keystone", &format!("{{url: \"mysql://k@{CLOSED}/k\", password_env: SECRET}}"))
        .service_like("glance", "{url_env: SECRET_URL}")
        .variable("SECRET", PASSWORD)
        .variable("SECRET_URL", &format!("mysql://g:{PASSWORD}@{CLOSED}/g"))
        .ready();
    try_everything(&lab, &[]);
    let lab = Lab::new().service_like("keystone", "{url_env: SECRET}").variable("SECRET", PASSWORD).ready();
    try_everything(&lab, &[]);
}

#[test]
fn a_password_in_a_file_is_shown_nowhere() {
    let lab = Lab::new()
        .service_like("keystone", &format!("{{url: \"mysql://k@{CLOSED}/k\", password_file: secret}}"))
        .service_like("glance", "{url_file: secret-url}")
        .ready();
    lab.file("secret", format!("{PASSWORD}\n"));
    lab.file("secret-url", format!("mysql://g:{PASSWORD}@{CLOSED}/g\n"));
    try_everything(&lab, &["secret", "secret-url"]);
}
