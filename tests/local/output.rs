//! Output arrives whole, in its streams and in their turns.

use leapfrog::model::Stream;
use leapfrog::runner::Runner;

use crate::bed::Home;
use crate::contract::watch;

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn the_streams_keep_their_turns_also_for_who_comes_later() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let script = "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; sleep 0.2; printf four >&2";
    let handle = runner.launch(&run.shell(&image, 1, script)).await.unwrap();
    let expected =
        [(Stream::Stdout, "one"), (Stream::Stderr, "two"), (Stream::Stdout, "three"), (Stream::Stderr, "four")];
    for _ in 0..2 {
        let (lines, _) = watch(&runner, &handle).await;
        let lines: Vec<_> = lines.iter().map(|line| (line.stream, line.text.as_str())).collect();
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn of_twenty_megabytes_nothing_is_lost() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let script = "for n in range(200_000): print(n, 'x' * 95)";
    let handle = runner.launch(&run.task(&image, 1, &["python", "-c", script])).await.unwrap();
    let (lines, exit) = watch(&runner, &handle).await;
    assert_eq!((lines.len(), exit.code), (200_000, 0));
    assert!(lines.iter().enumerate().all(|(n, line)| line.text.starts_with(&format!("{n} x"))));
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn colours_and_bytes_that_are_no_text_come_as_plain_text() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let script = r"printf '\033[31mred\033[00m\n\377\n'";
    let handle = runner.launch(&run.shell(&image, 1, script)).await.unwrap();
    let (lines, _) = watch(&runner, &handle).await;
    let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, ["red", "\u{fffd}"]);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn output_is_seen_while_the_command_works() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "echo early; sleep 3; echo late")).await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let watching = runner.watch(&handle, sender);
    let listening = async {
        let first = receiver.recv().await.unwrap();
        let directory = run.directory(&handle);
        assert!(first.text == "early" && !directory.join("exit.json").exists());
        while receiver.recv().await.is_some() {}
    };
    let (exit, ()) = tokio::join!(watching, listening);
    assert_eq!(exit.unwrap().code, 0);
}
