//! What can be wrong with a configuration: each gives the file that is right, or an error that names file and line.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::machine::{Machine, PASSWORD, filled, url};

/// What must come of it.
pub(crate) enum Outcome {
    /// The cloud file leads there.
    Leads(&'static str),
    /// Refused with each of these words.
    Refused(&'static [&'static str]),
}

use Outcome::{Leads, Refused};

/// A configuration of keystone: what it is, its file, and what comes of it.
pub(crate) struct Case(pub(crate) &'static str, pub(crate) &'static [u8], pub(crate) Outcome);

const URL: &str = "mysql+pymysql://k:p@h/keystone";

/// One file each; `real` reads the same ones with oslo.config.
#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    Case("plain", b"[database]\nconnection = mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("no option at all", b"[database]\n", Refused(&["[database] connection is set in none of", "keystone.conf"])),
    Case("an empty file", b"", Refused(&["[database] connection is set in none of"])),
    Case("commented out", b"[database]\n#connection = mysql://k@h/keystone\n", Refused(&["is set in none of"])),
    Case("empty value", b"[database]\nconnection =\n", Refused(&["keystone.conf:2", "connection is empty"])),
    Case("blank in quotes", b"[database]\nconnection = \"  \"\n", Refused(&["keystone.conf:2", "connection is empty"])),
    Case("not a URL", b"[database]\n\nconnection = keystone\n", Refused(&["keystone.conf:3", "not a URL"])),
    Case("a placeholder", b"[database]\nconnection = <None>\n", Refused(&["keystone.conf:2", "not a URL"])),
    Case("unknown engine", b"[database]\nconnection = oracle+cx://k:p@h/keystone\n", Refused(&["keystone.conf:2", "engine or driver", "mysql+pymysql"])),
    Case("unknown driver", b"[database]\nconnection = mysql+mysqlconnector://k:p@h/keystone\n", Refused(&["keystone.conf:2", "engine or driver"])),
    Case("no database", b"[database]\nconnection = mysql+pymysql://k:p@h\n", Refused(&["keystone.conf:2", "names no database"])),
    Case("no host", b"[database]\nconnection = mysql+pymysql://k:p@/keystone\n", Refused(&["keystone.conf:2", "names no host"])),
    Case("a port that is none", b"[database]\nconnection = mysql+pymysql://k:p@h:33o6/keystone\n", Refused(&["keystone.conf:2", "port"])),
    Case("an @ too many", b"[database]\nconnection = mysql+pymysql://k:p@q@h/keystone\n", Refused(&["keystone.conf:2", "%40"])),
    Case("duplicated sections", b"[database]\nconnection = mysql://k@old/k\n[cache]\n[database]\nconnection = mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("duplicated options", b"[database]\nconnection = mysql://k@old/k\nconnection = mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("the section in capitals", b"[DATABASE]\nconnection = mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("the option in capitals", b"[database]\nCONNECTION = mysql+pymysql://k:p@h/keystone\n", Refused(&["is set in none of"])),
    Case("blanks around the section's name", b"[ database ]\nconnection = mysql+pymysql://k:p@h/keystone\n", Refused(&["is set in none of"])),
    Case("in the wrong section", b"[DEFAULT]\nconnection = mysql+pymysql://k:p@h/keystone\n", Refused(&["is set in none of"])),
    Case("missing bracket", b"[DEFAULT]\ndebug = true\n[database\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:3", "must end with `]`"])),
    Case("a comment behind a section", b"[database]  # here\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:1", "nothing may follow"])),
    Case("a section without a name", b"[]\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:1", "without a name"])),
    Case("option before any section", b"# keystone\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:2", "before the first section"])),
    Case("a line that is nothing", b"[database]\nmysql+pymysql //k\n", Refused(&["keystone.conf:2", "no `=` and no `:`"])),
    Case("an option without a name", b"[database]\n= mysql://k@h/keystone\n", Refused(&["keystone.conf:2", "an option without a name"])),
    Case("undefined substitution", b"[database]\nconnection = mysql://k:$nothing@h/keystone\n", Refused(&["keystone.conf:2", "`$nothing`", "$$"])),
    Case("substitution of another group", b"[secret]\npw = p\n[database]\nconnection = mysql+pymysql://k:${secret.pw}@h/keystone\n", Leads(URL)),
    Case("substitution of the same group", b"[DEFAULT]\nhost = other\n[database]\nhost = h\nconnection = mysql+pymysql://k:p@$host/keystone\n", Leads(URL)),
    Case("substitution of DEFAULT", b"[DEFAULT]\nhost = h\n[database]\nconnection = mysql+pymysql://k:p@${host}/keystone\n", Leads(URL)),
    Case("a dollar in the password", b"[database]\nconnection = mysql+pymysql://k:pa$$x@h/keystone\n", Leads("mysql+pymysql://k:pa%24x@h/keystone")),
    Case("a dollar behind a backslash", b"[database]\nconnection = mysql+pymysql://k:pa\\$x@h/keystone\n", Leads("mysql+pymysql://k:pa%24x@h/keystone")),
    Case("a cycle of one", b"[database]\nconnection = $connection\n", Refused(&["keystone.conf:2", "back to itself"])),
    Case("a cycle of three", b"[database]\na = $b\nb = $c\nc = $a\nconnection = mysql://$a\n", Refused(&["keystone.conf:4", "back to itself"])),
    Case("latin-1", b"[DEFAULT]\n# caf\xe9\n[database]\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:2", "not UTF-8"])),
    Case("a NUL", b"[database]\nconnection = mysql://k@h/keystone\n\0\0\0", Refused(&["keystone.conf:3", "NUL"])),
    Case("CRLF", b"[database]\r\nconnection = mysql+pymysql://k:p@h/keystone\r\n", Leads(URL)),
    Case("a BOM", b"\xef\xbb\xbf[database]\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:1", "byte order mark"])),
    Case("tabs", b"[database]\nconnection\t=\tmysql+pymysql://k:p@h/keystone\t\n", Leads(URL)),
    Case("continuation at the beginning", b"  [database]\nconnection = mysql://k@h/keystone\n", Refused(&["keystone.conf:1", "an indented line"])),
    Case("an indented option", b"[database]\n  connection = mysql://k@h/keystone\n", Refused(&["keystone.conf:2", "an indented line"])),
    Case("an option that is continued by the next one", b"[database]\nconnection = mysql://k@h/keystone\n  max_retries = 1\n", Refused(&["keystone.conf:2", "goes on in the next line"])),
    Case("an indented comment below", b"[database]\nconnection = mysql://k@h/keystone\n  # the database\n", Refused(&["keystone.conf:2", "goes on in the next line"])),
    Case("the URL in the next line", b"[database]\nconnection =\n  mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("a comment behind the URL", b"[database]\nconnection = mysql+pymysql://k:p@h/keystone  # the database\n", Refused(&["keystone.conf:2", "one word"])),
    Case("percent signs", b"[database]\nconnection = mysql+pymysql://k:p%40s%25s@h/keystone\n", Leads("mysql+pymysql://k:p%40s%25s@h/keystone")),
    Case("a hash in the password", b"[database]\nconnection = mysql+pymysql://k:p#s/?s@h/keystone\n", Leads("mysql+pymysql://k:p%23s%2F%3Fs@h/keystone")),
    Case("quotes", b"[database]\nconnection = \"mysql+pymysql://k:p@h/keystone\"\n", Leads(URL)),
    Case("a quote without its other", b"[database]\nconnection = \"mysql+pymysql://k:p@h/keystone\n", Refused(&["keystone.conf:2", "not a URL"])),
    Case("a colon for the equals sign", b"[database]\nconnection: mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("IPv6", b"[database]\nconnection = mysql+pymysql://k:p@[2001:db8::5]:3307/keystone\n", Leads("mysql+pymysql://k:p@[2001:db8::5]:3307/keystone")),
    Case("IPv6 without brackets", b"[database]\nconnection = mysql+pymysql://k:p@2001:db8::5/keystone\n", Refused(&["keystone.conf:2", "port"])),
    Case("a unix socket without host", b"[database]\nconnection = mysql+pymysql://k:p@/keystone?unix_socket=/run/m.sock\n", Refused(&["keystone.conf:2", "socket file", "host and a port"])),
    Case("options of the driver", b"[database]\nconnection = mysql+pymysql://k:p@h/keystone?charset=utf8&ssl_ca=/etc/ca.pem\n", Leads("mysql+pymysql://k:p@h/keystone?charset=utf8&ssl_ca=/etc/ca.pem")),
    Case("missing password", b"[database]\nconnection = mysql+pymysql://k@h/keystone\n", Leads("mysql+pymysql://k@h/keystone")),
    Case("PostgreSQL", b"[database]\nconnection = postgresql://k:p@h:5433/keystone\n", Leads("postgresql+psycopg2://k:p@h:5433/keystone")),
    Case("SQLite, absolute", b"[database]\nconnection = sqlite:////var/lib/keystone/keystone.sqlite\n", Leads("sqlite:////var/lib/keystone/keystone.sqlite")),
    Case("SQLite, relative", b"[database]\nconnection = sqlite:///keystone.sqlite\n", Refused(&["keystone.conf:2", "not absolute"])),
    Case("SQLite in memory", b"[database]\nconnection = sqlite://\n", Refused(&["keystone.conf:2", "not absolute"])),
    Case("an old name", b"[DEFAULT]\nsql_connection = mysql+pymysql://k:p@h/keystone\n", Leads(URL)),
    Case("old Mac line ends", b"[database]\rconnection = mysql+pymysql://k:p@h/keystone\r", Leads(URL)),
];

#[test]
fn whatever_is_in_a_file_gives_the_right_cloud_file_or_an_error_with_file_and_line() {
    assert!(CASES.len() >= 50, "{}", CASES.len());
    for Case(name, text, outcome) in CASES {
        let machine = Machine::with("keystone", "keystone.conf", text);
        let done = machine.init(&[]);
        match outcome {
            Leads(url) => {
                assert_eq!(done.code, 0, "{name}: {}", done.err);
                assert_eq!(machine.databases(), [("keystone".to_owned(), (*url).to_owned())], "{name}");
                assert!(!machine.read("leapfrog.yaml").contains(":p@"), "{name}: a password was copied");
            }
            Refused(words) => {
                assert_eq!(done.code, 2, "{name}: {}{}", done.out, done.err);
                for word in *words {
                    assert!(done.err.contains(word), "{name}: no `{word}` in {}", done.err);
                }
                assert!(done.err.contains("next "), "{name}: no advice in {}", done.err);
                assert!(!machine.path("leapfrog.yaml").exists(), "{name}: written all the same");
            }
        }
    }
}

/// The file is refused with these words, and nothing is written.
#[track_caller]
fn refused(machine: &Machine, words: &[&str]) {
    let done = machine.init(&[]);
    assert_eq!(done.code, 2, "{}{}", done.out, done.err);
    for word in words {
        assert!(done.err.contains(word), "no `{word}` in {}", done.err);
    }
    assert!(!machine.path("leapfrog.yaml").exists());
}

#[test]
fn a_directory_in_a_file_s_place_is_told() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("etc/keystone/keystone.conf")).expect("made");
    refused(&machine, &["/etc/keystone/keystone.conf: is a directory"]);
}

#[test]
fn a_file_in_a_directory_s_place_is_told() {
    let machine = Machine::with("keystone", "keystone.conf", "[database]\nconnection = mysql://k@h/k\n");
    machine.write("etc/keystone/keystone.conf.d", "");
    refused(&machine, &["keystone.conf.d/: is no directory"]);
}

#[test]
fn a_file_that_may_not_be_read_is_told_with_who_may() {
    let machine = Machine::with("keystone", "keystone.conf", "[database]\n");
    fs::set_permissions(machine.path("etc/keystone/keystone.conf"), PermissionsExt::from_mode(0o000)).expect("set");
    if fs::read(machine.path("etc/keystone/keystone.conf")).is_ok() {
        // Root may read everything, but no link that leads in a circle.
        fs::remove_file(machine.path("etc/keystone/keystone.conf")).expect("removed");
        std::os::unix::fs::symlink("keystone.conf", machine.path("etc/keystone/keystone.conf")).expect("linked");
        refused(&machine, &["keystone.conf: cannot be read: Too many levels of symbolic links"]);
        return;
    }
    refused(&machine, &["keystone.conf: cannot be read: Permission denied", "run leapfrog as root"]);
}

#[test]
fn a_file_without_end_is_not_read() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("etc/keystone")).expect("made");
    std::os::unix::fs::symlink("/dev/zero", machine.path("etc/keystone/keystone.conf")).expect("linked");
    refused(&machine, &["keystone.conf: is no file"]);
    let machine = Machine::with("keystone", "keystone.conf", vec![b'\n'; 9 * 1024 * 1024]);
    refused(&machine, &["more than any configuration"]);
}

#[test]
fn a_directory_of_snippets_outranks_the_file_and_the_last_snippet_the_others() {
    let machine = Machine::with("keystone", "keystone.conf", "[database]\nconnection = mysql://k@old/keystone\n");
    machine.write("etc/keystone/keystone.conf.d/20.conf", "[database]\nconnection = mysql://k@new/keystone\n");
    machine.write("etc/keystone/keystone.conf.d/10.conf", "[database]\nconnection = mysql://k@middle/keystone\n");
    machine.write("etc/keystone/keystone.conf.d/30.conf.bak", "no option");
    let done = machine.init(&[]);
    assert_eq!(machine.databases()[0].1, "mysql+pymysql://k@new/keystone");
    let note = "ROOT/etc/keystone/keystone.conf.d/20.conf:2 counts, not ROOT/etc/keystone/keystone.conf.d/10.conf:2, \
                ROOT/etc/keystone/keystone.conf:2";
    assert!(machine.plain(&done.err).contains(note), "{}", done.err);
}

#[test]
fn a_mistake_in_a_snippet_is_one_of_the_service() {
    let machine = Machine::with("keystone", "keystone.conf", "[database]\nconnection = mysql://k@h/keystone\n");
    machine.write("etc/keystone/keystone.conf.d/10.conf", "[database\n");
    machine.write("etc/keystone/keystone.conf.d/20.conf", "a\n");
    refused(&machine, &["10.conf:1: a section must end with `]`", "20.conf:1: neither a section nor an option"]);
}

#[test]
fn a_configuration_that_stands_in_snippets_alone_is_found() {
    let machine = Machine::new();
    machine.write("etc/keystone/keystone.conf.d/database.conf", "[database]\nconnection = mysql://k@h/keystone\n");
    assert_eq!(machine.init(&[]).code, 0);
    assert_eq!(machine.databases()[0].1, "mysql+pymysql://k@h/keystone");
}

#[test]
fn nova_without_its_api_database_is_refused_and_the_others_can_be_had_alone() {
    let machine = Machine::with_packages();
    machine.write("etc/nova/nova.conf", filled("nova.conf").replace("[api_database]", "[other]"));
    let done = machine.init(&[]);
    assert_eq!(done.code, 2);
    let only = "--only barbican,cinder,glance,keystone,neutron,placement";
    assert!(
        done.err.contains("[api_database] connection is set in none of") && done.err.contains(only),
        "{}",
        done.err
    );
    assert_eq!(machine.init(&only.split(' ').collect::<Vec<_>>()).code, 0);
    assert_eq!(machine.databases().len(), 6);
}

#[test]
fn two_services_in_one_database_are_refused() {
    let machine = Machine::with_packages();
    machine.write("etc/cinder/cinder.conf", filled("cinder.conf").replace("/cinder?", "/glance?"));
    let done = machine.init(&[]);
    let words = "mysql+pymysql://glance@10.0.0.5/glance is the database of glance as well as of cinder (ROOT/etc/cinder/cinder.conf:";
    assert!(done.code == 2 && machine.plain(&done.err).contains(words), "{}", done.err);
}

#[test]
fn barbican_s_two_names_must_not_contradict_each_other() {
    let both = |new: &str, old: &str| {
        Machine::with(
            "barbican",
            "barbican.conf",
            format!("[DEFAULT]\nsql_connection = {old}\n[database]\nconnection = {new}\n"),
        )
    };
    assert_eq!(both(&url("barbican"), &url("barbican")).init(&[]).code, 0);
    refused(&both(&url("barbican"), &url("other")), &["barbican.conf:4", "barbican.conf:2", "name two databases"]);
}

#[test]
fn what_deserves_a_second_look_is_said() {
    for (lines, words) in [
        ("connection = mysql://k@h/k\nslave_connection = mysql://k@slave/k\n", "slave_connection is for readers"),
        (
            "connection = mysql://k@h/k\nconnection_parameters = charset=utf8\n",
            "connection_parameters are not taken over",
        ),
        ("connection = mysql://k@h/k\n", "keystone.conf:2 has no password"),
        (
            "connection = mysql://k:p@h/k?ssl_ca=/etc/ca.pem\n",
            "/etc/ca.pem (ssl_ca): it has to be on this machine and in every image",
        ),
        ("connection = mysql://k:p@localhost/k?unix_socket=/run/m.sock\n", "through a socket file"),
        ("connection = mysql://k:p%40@h/k\n", "percent sign"),
        ("connection = sqlite:////var/lib/k.db\n", "SQLite file"),
        ("[sql]\nconnection = mysql://k:p@h/k\n", "old name of [database] connection"),
    ] {
        let machine = Machine::with("keystone", "keystone.conf", format!("[database]\n{lines}"));
        let done = machine.init(&[]);
        assert_eq!(done.code, 0, "{lines}: {}", done.err);
        assert!(machine.plain(&done.err).contains(words), "{lines}: {}", done.err);
        assert!(!done.err.contains(":p@"), "{}", done.err);
    }
}

#[test]
fn a_configuration_that_comes_from_elsewhere_is_told_of() {
    let machine = Machine::with("keystone", "keystone.conf", "[DEFAULT]\nconfig_source = vault\n");
    refused(&machine, &["keystone.conf:2: config_source", "cannot see"]);
}

#[test]
fn a_file_that_everybody_can_read_is_warned_of() {
    let machine = Machine::with("keystone", "keystone.conf", format!("[database]\nconnection = {}\n", url("keystone")));
    fs::set_permissions(machine.path("etc/keystone/keystone.conf"), PermissionsExt::from_mode(0o644)).expect("set");
    let done = machine.init(&[]);
    assert!(done.code == 0 && done.err.contains("every user of this machine can read it"), "{}", done.err);
    assert!(!done.err.contains(PASSWORD));
}

#[test]
fn names_from_a_configuration_cannot_add_lines_to_the_cloud_file() {
    let text = "[database]\nconnection = mysql://k@h/k%0aname:%20x%0a\n";
    let machine = Machine::with("keystone", "keystone.conf", text);
    assert_eq!(machine.init(&[]).code, 0);
    assert!(machine.read("leapfrog.yaml").lines().all(|line| !line.starts_with("name: x")));
}
