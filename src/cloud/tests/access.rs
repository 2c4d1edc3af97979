//! How leapfrog gets into a database: what may be said of it, and what contradicts it.

use std::fs;

use super::{Machine, PASSWORD, shown, told};

#[test]
fn ways_to_get_in_that_contradict_each_other_are_mistakes() {
    let machine = Machine::new();
    machine.secret("empty", "\n");
    fs::write(machine.path("binary"), [0xff, 0xfe]).expect("a file");
    let read = |access: &str| {
        machine.mistakes(&format!(
            "format: 1\nname: x\nrunner: {{containers: {{images: {{default: 'r.example/os:{{series}}'}}}}}}\n\
             services:\n  keystone:\n    database: {access}\n"
        ))
    };
    let cases = [
        "{}",
        "{url: 'mysql://k@h/k', password_env: KEYSTONE_DB_PASSWORD, password_file: secrets/nova.password}",
        "{url: 'mysql://k:p@h/k', password_env: KEYSTONE_DB_PASSWORD}",
        "{url: 'mysql://h/k', password_env: KEYSTONE_DB_PASSWORD}",
        "{url: 'sqlite:////k.db', password_env: KEYSTONE_DB_PASSWORD}",
        "{url_file: empty}",
        "{url_file: binary}",
        "{url_env: KEYSTONE_DB_PASSWORD}",
        "{url: ''}",
        "{url: }",
        "mysql://k@h/k",
    ];
    let found: Vec<String> = cases.iter().map(|access| format!("{access}\n  {}", read(access))).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    {}
      leapfrog.yaml:6:5: exactly one of `url`, `url_env`, `url_file` and `url_from` has to say where the database is
    {url: 'mysql://k@h/k', password_env: KEYSTONE_DB_PASSWORD, password_file: secrets/nova.password}
      leapfrog.yaml:6:5: only one of `password_env` and `password_file` can hold the password
    {url: 'mysql://k:p@h/k', password_env: KEYSTONE_DB_PASSWORD}
      leapfrog.yaml:6:54: the URL has a password already (leave one of the two out)
    {url: 'mysql://h/k', password_env: KEYSTONE_DB_PASSWORD}
      leapfrog.yaml:6:50: a password needs a user, and the URL names none (write the URL like mysql+pymysql://user@host/database)
    {url: 'sqlite:////k.db', password_env: KEYSTONE_DB_PASSWORD}
      leapfrog.yaml:6:54: an SQLite file takes no password (leave it out)
    {url_file: empty}
      leapfrog.yaml:6:26: the file empty is empty
    {url_file: binary}
      leapfrog.yaml:6:26: the file binary is not UTF-8 text
    {url_env: KEYSTONE_DB_PASSWORD}
      leapfrog.yaml:6:25: the text is not a URL (relative URL without a base): write it like mysql+pymysql://user@host:3306/database
    {url: ''}
      leapfrog.yaml:6:21: the URL is empty
    {url: }
      leapfrog.yaml:6:5: exactly one of `url`, `url_env`, `url_file` and `url_from` has to say where the database is
    mysql://k@h/k
      leapfrog.yaml:6:15: expected a mapping
    ");
}

/// The database of keystone where this is said of it.
fn keystone(machine: &Machine, access: &str) -> Result<String, String> {
    let text = format!(
        "format: 1\nname: x\nrunner: {{containers: {{images: {{default: 'r.example/os:{{series}}'}}}}}}\n\
         services:\n  keystone:\n    database: {access}\n"
    );
    match machine.read(&text) {
        Ok(cloud) => Ok(cloud.databases.values().map(|url| url.for_service().expose().to_owned()).collect()),
        Err(error) => {
            let shown = shown(&error);
            assert!(!shown.contains(PASSWORD), "{shown}");
            let directory = format!("{}/", machine.path("")).replace("//", "/");
            Err(told(&error.mistakes).replace(&directory, ""))
        }
    }
}

#[test]
fn a_url_may_stay_in_the_service_s_own_configuration() {
    let machine = Machine::new();
    fs::create_dir(machine.path("keystone.conf.d")).expect("a directory");
    machine.secret("keystone.conf", "[DEFAULT]\nhost = h\n[database]\nconnection = mysql://k:one@$host/keystone\n");
    let access = "{url_from: {files: [keystone.conf, keystone.conf.d/, none.conf.d/]}}";
    assert_eq!(keystone(&machine, access).as_deref(), Ok("mysql+pymysql://k:one@h/keystone"));
    machine.secret(
        "keystone.conf.d/1.conf",
        "[database]\nconnection = mysql://k:two@$host/keystone\n[x]\ny = mysql://k@h/z\n",
    );
    assert_eq!(keystone(&machine, access).as_deref(), Ok("mysql+pymysql://k:two@h/keystone"));
    let other = "{url_from: {files: [keystone.conf], database: keystone_copy}}";
    assert_eq!(keystone(&machine, other).as_deref(), Ok("mysql+pymysql://k:one@h/keystone_copy"));
    let named =
        "{url_from: {files: [keystone.conf.d/1.conf], section: x, option: y}, password_env: KEYSTONE_DB_PASSWORD}";
    assert_eq!(keystone(&machine, named), Ok(format!("mysql+pymysql://k:{PASSWORD}@h/z")));
}

#[test]
fn a_configuration_that_leads_nowhere_is_a_mistake_with_its_own_file_and_line() {
    let machine = Machine::new();
    machine.secret("damaged.conf", "[database]\n\n[x\n");
    machine.secret("url.conf", &format!("\n[database]\nconnection = oracle://k:{PASSWORD}@h/k\n"));
    machine.secret("undefined.conf", &format!("[database]\nconnection = mysql://k:{PASSWORD}$x@h/k\n"));
    machine.secret("empty.conf", "[database]\nconnection =\n");
    let cases = [
        "{url_from: {files: []}}",
        "{url_from: {files: [none.conf]}}",
        "{url_from: {files: [secrets]}}",
        "{url_from: {files: [damaged.conf, none.conf]}}",
        "{url_from: {files: [url.conf]}}",
        "{url_from: {files: [undefined.conf]}}",
        "{url_from: {files: [empty.conf]}}",
        "{url_from: {files: [url.conf], section: api_database}}",
        "{url_from: {files: [url.conf], database: a/b}}",
        "{url_from: {files: [url.conf], group: database}}",
        "{url_from: url.conf}",
        "{url: 'mysql://k@h/k', url_from: {files: [url.conf]}}",
    ];
    let found: Vec<String> = cases
        .iter()
        .map(|access| format!("{access}\n  {}", keystone(&machine, access).expect_err("a mistake")))
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}
