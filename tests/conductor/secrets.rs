//! Passwords reach the commands that need them, and nothing else.

use leapfrog::journal::Outcome;
use leapfrog::runner::scripted::Script;

use crate::bed::{Bed, PASSWORD, image, table};

/// The password as programs may write it.
const SPELLINGS: [&str; 4] = [PASSWORD, "p%40ss%2Fw0rd", "p%40ss/w0rd", "p%40ss%2fw0rd"];

fn chatty(script: Script) -> Script {
    let plain = format!("connecting with {PASSWORD} as nova");
    let url = "(pymysql.err) mysql+pymysql://nova:p%40ss%2Fw0rd@db/nova p%40ss/w0rd p%40ss%2fw0rd";
    script.out(&plain).err(url).out("Error attempting to run p@ss/w0rd").out("| p@ss/w0rd | 5 | 0 |")
}

#[tokio::test(start_paused = true)]
async fn a_password_that_commands_print_is_in_no_log_no_journal_and_no_event() {
    let mut bed = Bed::two_by_three();
    bed.runner.on("2023.1/nova/db-sync", [chatty(Script::ends(0)), Script::ends(0)]);
    bed.runner.on("2023.1/cinder/online-data", [chatty(Script::ends(1)), table(Script::ends(0), 0, 0)]);
    bed.runner
        .on("2023.1/placement/db-sync", [Script::refused("cannot start: p@ss/w0rd is no option"), Script::ends(0)]);
    bed.runner.misses(image("2023.2", "nova"));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(told.failure("2023.1/nova/db-sync").what.contains("Error attempting to run (hidden)"));
    assert_eq!(told.failure("2023.1/nova/db-sync").last_lines[0], "connecting with (hidden) as nova");
    assert!(told.failure("2023.1/placement/db-sync").what.contains("(hidden) is no option"));
    for spelling in SPELLINGS {
        for (name, text) in bed.files() {
            assert!(!text.contains(spelling), "{spelling} is in {name}");
        }
        assert!(!format!("{:?}", told.events).contains(spelling), "{spelling} is in an event");
    }
    let log = &bed.files()["logs/2023.1/nova/db-sync.1.log"];
    assert!(log.contains("mysql+pymysql://nova:(hidden)@db/nova"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_command_gets_its_own_databases_password_in_a_private_file_and_never_as_an_argument() {
    let mut bed = Bed::two_by_three();
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
    for task in bed.runner.launches() {
        let service = &task.id.step.service;
        let [file] = &task.files[..] else { panic!("one file") };
        assert_eq!(file.path, format!("/etc/{service}/{service}.conf"));
        let text = file.content.expose();
        assert!(text.contains(&format!("mysql+pymysql://{service}:p%40ss%2Fw0rd@db/{service}")), "{text}");
        assert!(!task.command.join(" ").contains("w0rd"));
        assert!(!format!("{task:?}").contains("w0rd"), "not even where a task is printed for debugging");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_a_common_word_hides_no_failure_and_no_count() {
    let mut bed = Bed::new(&["2023.1"], &["nova"]);
    bed.runner.on("2023.1/nova/online-data", [table(Script::ends(1), 50, 50), table(Script::ends(0), 0, 0)]);
    bed.runner.on("2023.1/nova/db-sync", [Script::ends(0).out("Error attempting to run")]);
    bed.password = "attempting".into();
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(told.failure("2023.1/nova/db-sync").what.contains("Error (hidden) to run"));
}
