//! Readers that go away, terminals that show less, arguments that are no text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::lab::{Done, Lab};

#[test]
fn a_reader_that_is_gone_is_no_reason_to_panic() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    for arguments in [
        &["releases"][..],
        &["playbooks", "show", "nova"],
        &["schema", "events"],
        &["completions", "zsh"],
        &["--help"],
        &["detect"],
        &["plan", "--from", "2023.1", "--to", "2025.1"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = lab.command(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("started");
        let done = Done::new(output, &format!("{arguments:?}"));
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn nobody_to_complain_to_does_not_change_the_exit_code() {
    let lab = Lab::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = lab.command(&["detect"]).stdout(Stdio::null()).stderr(writer).status().expect("started");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_terminal_without_unicode_is_given_none() {
    let lab = Lab::at_antelope(&["glance"]).variable("LANG", "C").ready();
    for arguments in [
        &["plan", "--from", "2023.1", "--to", "2024.1"][..],
        &["detect"],
        &["releases"],
        &["playbooks", "show", "nova"],
        &["detect", "--config", "missing"],
    ] {
        let done = lab.run(arguments);
        assert!(done.out.is_ascii() && done.err.is_ascii(), "{arguments:?}: {}{}", done.out, done.err);
    }
}

#[test]
fn colour_is_given_only_where_it_is_asked_for() {
    let lab = Lab::new();
    assert!(!lab.run(&["detect"]).err.contains('\u{1b}'));
    assert!(lab.run(&["detect", "--color", "always"]).err.contains('\u{1b}'));
}

#[test]
fn an_argument_that_is_no_text_is_refused() {
    let lab = Lab::new();
    for option in ["--config", "--from", "--only", "--catalog"] {
        let mut command = lab.command(&["plan", option]);
        let output = command.arg(OsStr::from_bytes(b"\xff\xfe")).output().expect("started");
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("invalid UTF-8"), "{option}");
    }
}
