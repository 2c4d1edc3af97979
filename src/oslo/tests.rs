//! Files as services take them, and as they refuse them. What is expected was compared with oslo.config 10 itself:
//! `tests/contact/` does that again where Python has it.

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;

use super::{Configuration, Name, OsloError};

fn of(files: &[&str]) -> Configuration {
    let mut configuration = Configuration::default();
    for (at, text) in files.iter().enumerate() {
        let path = Utf8PathBuf::from(format!("{at}.conf"));
        configuration.take(&path, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    }
    configuration
}

fn connection(files: &[&str]) -> String {
    match of(files).value(&[Name::new("database", "connection")]) {
        Ok(Some(setting)) => setting.value.expose().to_owned(),
        Ok(None) => "(none)".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn refused(text: &[u8]) -> String {
    Configuration::default().take(Utf8Path::new("a.conf"), text).expect_err("refused").to_string()
}

#[test]
fn the_last_word_counts_in_a_file_and_among_files() {
    assert_eq!(connection(&["[database]\nconnection=a\n[other]\n[database]\nconnection = b\n"]), "b");
    assert_eq!(connection(&["[database]\nconnection=a\n", "[database]\nmax_retries = 1\n"]), "a");
    assert_eq!(connection(&["[database]\nconnection=a\n", "[DataBase]\nconnection: b\n"]), "b");
    assert_eq!(connection(&["[DEFAULT]\nconnection=a\n"]), "(none)");
    let setting = of(&["[database]\nconnection=a\nconnection=b\n", "\n\n[database]\nconnection=c"]);
    let setting = setting.written(&[Name::new("database", "connection")]).expect("set");
    assert_eq!((setting.place(), setting.others), ("1.conf:4".into(), vec!["0.conf:3".into(), "0.conf:2".into()]));
}

#[test]
fn an_old_name_in_a_later_file_outranks_the_present_one_in_an_earlier() {
    let names = [Name::new("database", "connection"), Name::new("DEFAULT", "sql_connection")];
    let value = |files: &[&str]| of(files).written(&names).map(|found| found.value.expose().to_owned());
    assert_eq!(value(&["[database]\nconnection=new\n", "[DEFAULT]\nsql_connection=old\n"]), Some("old".into()));
    assert_eq!(value(&["[database]\nconnection=new\n[DEFAULT]\nsql_connection=old\n"]), Some("new".into()));
    // `default` is another group than `DEFAULT`.
    assert_eq!(value(&["[default]\nsql_connection=old\n"]), None);
}

#[test]
fn values_are_taken_with_their_quotes_colons_and_continuations_as_services_take_them() {
    for (line, expected) in [
        ("connection = \"a b\"", "a b"),
        ("connection = 'a'b'", "a'b"),
        ("connection = 'a\"", "'a\""),
        ("connection = \"", ""),
        ("connection: a=b", "a=b"),
        ("connection=a:b", "a:b"),
        ("connection =", ""),
        ("connection = a  # no comment", "a  # no comment"),
        ("connection = a\n  b\n\tc", "a\nb\nc"),
        ("connection = a\n   \n", "a"),
        ("connection = 100%", "100%"),
        ("connection = a\r\n\r\n", "a"),
        ("connection = a\rmax_retries = 1", "a"),
        ("connection = \u{e9}", "\u{e9}"),
        ("connection = a;b", "a;b"),
        ("connection = a\n; c\n# d", "a"),
    ] {
        assert_eq!(connection(&[&format!("[database]\n{line}\n")]), expected, "{line:?}");
    }
}

#[test]
fn dollar_signs_lead_to_other_options() {
    let file = |connection: &str| {
        format!(
            "[DEFAULT]\nhost = db.example\nmy_ip = 10.0.0.5\nanother = $my_ip\n[secret]\npassword = Pa$$w0rd\n[database]\n\
             name = nova\nhost = inner\nempty =\nconnection = {connection}\n"
        )
    };
    for (written, expected) in [
        ("mysql://u@${my_ip}/$name", "mysql://u@10.0.0.5/nova"),
        ("$host", "inner"),
        ("$DEFAULT.host", "db.example"),
        ("${secret.password}", "Pa$w0rd"),
        ("${SECRET.password}", "Pa$w0rd"),
        ("$another", "10.0.0.5"),
        ("a$$b", "a$b"),
        (r"a\$b", "a$b"),
        ("a$", "a$"),
        ("a$/b${}c${d", "a$/b${}c${d"),
        ("x${empty}y", "xy"),
        ("$1", "$1"),
        ("$nothing", "0.conf:11: `$nothing` leads to an option that none of the files sets"),
        ("$my_ip.5", "0.conf:11: `$my_ip.5` leads to an option that none of the files sets"),
        ("$connection", "0.conf:11: `$connection` leads back to itself"),
    ] {
        assert_eq!(connection(&[&file(written)]), expected, "{written}");
    }
    assert_eq!(
        connection(&["[database]\na = $b\nb = x$c\nc = ${database.a}\nconnection = $a\n"]),
        "0.conf:4: `$database.a` leads back to itself"
    );
}

#[test]
fn substitutions_that_multiply_come_to_an_end() {
    let mut text = "[database]\nconnection = $a0\n".to_owned();
    for at in 0..40 {
        text.push_str(&format!("a{at} = $a{next}$a{next}\n", next = at + 1));
    }
    let without_text = format!("{text}a40 =\n");
    assert!(connection(&[&without_text]).contains("without end"));
    assert!(connection(&[&format!("{text}a40 = {}\n", "x".repeat(1000))]).contains("without end"));
}

#[test]
fn what_no_service_can_read_is_told_with_its_line() {
    for (text, expected) in [
        (&b"[database]\nconnection\n"[..], "a.conf:2: neither a section nor an option: there is no `=` and no `:`"),
        (b"[database\n", "a.conf:1: a section must end with `]`, and nothing may follow it"),
        (b"[database] # x\n", "a.conf:1: a section must end with `]`, and nothing may follow it"),
        (b"[]\n", "a.conf:1: a section without a name"),
        (b"# x\na = b\n", "a.conf:2: an option before the first section, such as `[DEFAULT]`"),
        (b"[a]\n = b\n", "a.conf:2: an indented line, and there is no option that it could continue"),
        (b"[a]\n= b\n", "a.conf:2: an option without a name"),
        (b"[a]\nb = c\n# x\n d\n", "a.conf:4: an indented line, and there is no option that it could continue"),
        (b"[a]\nb = c\n\n\td\n", "a.conf:4: an indented line, and there is no option that it could continue"),
        (b"[a]\r\n\r\nb = caf\xe9\r\n", "a.conf:3: is not UTF-8 text"),
        (b"[a]\rb = \0\r", "a.conf:2: holds a NUL byte: the file is damaged"),
        (b"\xef\xbb\xbf[a]\n", "a.conf:1: begins with a byte order mark, which no service can read"),
    ] {
        assert_eq!(refused(text), expected, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn directories_are_read_by_name_and_may_be_missing_and_files_may_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = Utf8Path::from_path(directory.path()).expect("UTF-8");
    let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("written");
    std::fs::create_dir(root.join("nova.conf.d")).expect("made");
    write("nova.conf", "[database]\nconnection = main\n");
    write("nova.conf.d/20-b.conf", "[database]\nconnection = second\n");
    write("nova.conf.d/10-a.conf", "[database]\nconnection = first\n");
    write("nova.conf.d/.30.conf", "no option");
    write("nova.conf.d/40.conf.dpkg-old", "no option");
    let paths = ["nova.conf", "nova.conf.d/", "none.conf.d/"].map(|path| root.join(path));
    let configuration = Configuration::read(&paths).expect("readable");
    let found = configuration.written(&[Name::new("database", "connection")]).expect("set");
    assert_eq!((found.value.expose(), found.file), ("second", root.join("nova.conf.d/20-b.conf")));
    let paths = ["none.conf", "nova.conf.d", "nova.conf/"].map(|path| root.join(path));
    let errors = Configuration::read(&paths).expect_err("unreadable");
    assert!(
        matches!(errors.as_slice(), [OsloError::Unreadable { .. }, OsloError::Kind { .. }, OsloError::Kind { .. }]),
        "{errors:?}"
    );
    assert!(errors.iter().all(|error| !error.advice().is_empty() && error.file().starts_with(root)));
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic_or_repeat_a_value(text in "([\\[\\]a-z=: \t\r\n$\"'#{}.]|Secret99|\\PC){0,80}") {
        let mut configuration = Configuration::default();
        let told = match configuration.take(Utf8Path::new("a.conf"), text.as_bytes()) {
            Ok(()) => format!("{configuration:?}"),
            Err(error) => format!("{error} {error:?} {}", error.advice()),
        };
        // Names of sections and options are no secrets; values are.
        for entry in configuration.files.iter().flat_map(|file| &file.entries) {
            let shown = format!("{:?}", entry.value);
            prop_assert!(!shown.contains("Secret99"), "{shown}");
        }
        let _ = told;
    }
}
