use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::runner::{Exit, FoundState, PinnedImage, Runner};

fn task(step: &str) -> Task {
    let reference: ImageReference = "quay.io/openstack/nova:1".parse().expect("valid");
    let digest = Scripted::digest(&reference);
    Task {
        id: TaskId {
            run: "20261122-031502-7f3a".parse().expect("valid"),
            step: step.parse().expect("valid"),
            attempt: 1,
            round: 1,
        },
        image: PinnedImage { reference, digest },
        command: vec!["nova-manage".into()],
        files: Vec::new(),
    }
}

async fn watch(runner: &Scripted, handle: &TaskHandle) -> (Vec<String>, Result<Exit, RunnerError>) {
    let (sender, mut receiver) = mpsc::channel(100);
    let exit = runner.watch(handle, sender).await;
    let mut lines = Vec::new();
    while let Some(line) = receiver.recv().await {
        lines.push(line.text);
    }
    (lines, exit)
}

#[tokio::test(start_paused = true)]
async fn each_launch_plays_the_next_script_and_the_last_one_repeats() {
    let runner = Scripted::default();
    let step = "2024.1/nova/online-data";
    runner.on(step, [Script::ends(1).out("50"), Script::ends(0).after(Duration::from_secs(9)).out("0").err("end")]);
    for (code, expected) in [(1, vec!["50"]), (0, vec!["0", "end"]), (0, vec!["0", "end"])] {
        let handle = runner.launch(&task(step)).await.expect("launched");
        let (lines, exit) = watch(&runner, &handle).await;
        assert_eq!((lines, exit.expect("ended").code), (expected.iter().map(|s| (*s).to_owned()).collect(), code));
        runner.reap(&handle).await.expect("removed");
    }
    assert_eq!((runner.launched().len(), runner.most_at_once()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_task_obeys_a_deaf_one_does_not_and_both_are_found_by_the_next_process() {
    let runner = Scripted::default();
    runner.on("2024.1/nova/a", [Script::hangs().out("ready")]);
    runner.on("2024.1/nova/b", [Script::hangs().deaf()]);
    for (step, code, grace) in [("2024.1/nova/a", 143, 0), ("2024.1/nova/b", 137, 30)] {
        let handle = runner.launch(&task(step)).await.expect("launched");
        let next = runner.clone();
        let found = next.find(&task(step).id.run).await.expect("found");
        assert_eq!((found.len(), found[0].state), (1, FoundState::Running));
        assert!(next.reap(&handle).await.is_err());
        let began = Instant::now();
        let ((_, exit), stopped) = tokio::join!(watch(&next, &handle), runner.stop(&handle, Duration::from_secs(30)));
        stopped.expect("stopped");
        assert_eq!((exit.expect("ended").code, began.elapsed().as_secs()), (code, grace));
        next.reap(&handle).await.expect("removed");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_losses_and_what_an_earlier_process_left_can_be_played() {
    let runner = Scripted::default();
    let step = "2024.1/nova/a";
    runner.on(step, [Script::refused("no room left"), Script::lost("it was pruned")]);
    assert_eq!(runner.launch(&task(step)).await.expect_err("refused").kind, RunnerErrorKind::NotStarted);
    let handle = runner.launch(&task(step)).await.expect("launched");
    assert_eq!(watch(&runner, &handle).await.1.expect_err("lost").kind, RunnerErrorKind::Lost);

    let left = runner.leave(task(step).id, FoundState::Ended, Script::ends(2).after(Duration::from_secs(60)).out("x"));
    let (lines, exit) = watch(&runner, &left).await;
    assert_eq!((lines.len(), exit.expect("ended").code), (1, 2));
    let never = runner.leave(task(step).id, FoundState::NeverStarted, Script::ends(0));
    assert_eq!(watch(&runner, &never).await.1.expect_err("never").kind, RunnerErrorKind::NotStarted);
    runner.away(true);
    assert_eq!(runner.identify().await.expect_err("away").kind, RunnerErrorKind::EngineUnreachable);
}
