//! What every runner owes its callers, asked of containers and of local environments in the same words.
//!
//! A suite says how its runner is had ([`Subject`]) and takes all of these tests with [`hold_to_contract!`]. What only one
//! kind of runner can do, or does otherwise, it tests by itself.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use leapfrog::model::RunId;
use leapfrog::runner::{Exit, FoundState, OutputLine, PinnedImage, Runner, Task, TaskHandle, TaskId};

/// A runner and a run of it.
pub(crate) trait Subject {
    /// The runner as a new process has it: it knows nothing of what was launched before.
    fn runner(&self) -> Box<dyn Runner>;

    /// The run.
    fn run(&self) -> &RunId;

    /// A task of the run that runs a line of shell.
    fn shell(&self, round: u32, line: &str) -> Task;
}

/// Makes a test of each clause for the subject that `$subject` returns; `$why` says why it is ignored.
macro_rules! hold_to_contract {
    ($why:literal, $subject:path) => {
        crate::contract::hold_to_contract! {
            $why, $subject,
            an_exit_code_is_told_as_it_is,
            of_fifty_quick_tasks_neither_output_nor_exit_is_lost,
            a_task_that_obeys_ends_at_once_and_one_that_does_not_ends_after_the_grace,
            another_process_finds_a_task_and_watches_it_from_its_beginning,
            who_stops_watching_leaves_the_task_alone,
            a_running_task_cannot_be_removed,
            launching_a_task_again_returns_the_one_that_is_there,
        }
    };
    ($why:literal, $subject:path, $($clause:ident,)*) => {$(
        #[tokio::test]
        #[ignore = $why]
        async fn $clause() {
            crate::contract::$clause(&$subject().await).await;
        }
    )*};
}
pub(crate) use hold_to_contract;

/// A task of the step that all these tests speak of.
pub(crate) fn task(run: &RunId, image: &PinnedImage, round: u32, command: &[&str]) -> Task {
    Task {
        id: TaskId { run: run.clone(), step: "2024.1/nova/db-sync@cell1".parse().unwrap(), attempt: 1, round },
        image: image.clone(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        files: Vec::new(),
    }
}

/// Watches a task to its end.
pub(crate) async fn watch(runner: &dyn Runner, handle: &TaskHandle) -> (Vec<OutputLine>, Exit) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let collect = async {
        let mut lines = Vec::new();
        while let Some(line) = receiver.recv().await {
            lines.push(line);
        }
        lines
    };
    let (exit, lines) = tokio::join!(runner.watch(handle, sender), collect);
    (lines, exit.expect("the end was seen"))
}

/// Launches, watches and removes a task.
pub(crate) async fn run_task(runner: &dyn Runner, task: &Task) -> (Vec<String>, Exit) {
    let handle = runner.launch(task).await.expect("launched");
    let (lines, exit) = watch(runner, &handle).await;
    runner.reap(&handle).await.expect("removed");
    (lines.into_iter().map(|line| line.text).collect(), exit)
}

pub(crate) async fn an_exit_code_is_told_as_it_is(subject: &impl Subject) {
    let runner = subject.runner();
    for (round, code) in (1..).zip([0, 1, 2, 127, 255]) {
        let (lines, exit) = run_task(&*runner, &subject.shell(round, &format!("echo {code}; exit {code}"))).await;
        assert_eq!((lines, exit.code, exit.out_of_memory), (vec![code.to_string()], code, false));
    }
}

pub(crate) async fn of_fifty_quick_tasks_neither_output_nor_exit_is_lost(subject: &impl Subject) {
    let runner = subject.runner();
    for batch in 0..10 {
        let tasks = (0..5).map(|n| subject.shell(batch * 5 + n + 1, &format!("echo {n}; echo end >&2; exit {n}")));
        let tasks: Vec<_> = tasks.collect();
        let ended = join_all(tasks.iter().map(|task| run_task(&*runner, task))).await;
        for (n, (mut lines, exit)) in ended.into_iter().enumerate() {
            lines.sort();
            assert_eq!((lines, exit.code), (vec![n.to_string(), "end".into()], n as i64));
        }
    }
    assert_eq!(runner.find(subject.run()).await.unwrap(), []);
}

pub(crate) async fn a_task_that_obeys_ends_at_once_and_one_that_does_not_ends_after_the_grace(subject: &impl Subject) {
    let runner = subject.runner();
    let loop_for_ever = "echo ready; while :; do sleep 0.1; done";
    for (round, script, code, took) in [
        (1, format!("trap 'echo bye; exit 5' TERM; {loop_for_ever}"), 5, 0..5),
        (2, format!("trap '' TERM; {loop_for_ever}"), 137, 2..8),
    ] {
        let handle = runner.launch(&subject.shell(round, &script)).await.unwrap();
        let stop = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let began = Instant::now();
            let grace = if round == 1 { 30 } else { 2 };
            runner.stop(&handle, Duration::from_secs(grace)).await.unwrap();
            began.elapsed().as_secs()
        };
        let ((lines, exit), seconds) = tokio::join!(watch(&*runner, &handle), stop);
        // Some shells say so of a child that got the signal, too.
        let lines: Vec<&str> =
            lines.iter().map(|line| line.text.as_str()).filter(|line| *line != "Terminated").collect();
        assert_eq!((exit.code, lines.len()), (code, 1 + usize::from(round == 1)), "{lines:?}");
        assert!(took.contains(&seconds), "{seconds} s");
        runner.stop(&handle, Duration::from_secs(1)).await.expect("stopping what has ended is no error");
        runner.reap(&handle).await.unwrap();
        runner.stop(&handle, Duration::from_secs(1)).await.expect("nor what is gone");
    }
}

pub(crate) async fn another_process_finds_a_task_and_watches_it_from_its_beginning(subject: &impl Subject) {
    let running = subject.shell(1, "echo one; sleep 4; echo two; exit 6");
    let ended = subject.shell(2, "echo quick; exit 7");
    {
        let first = subject.runner();
        let handle = first.launch(&ended).await.unwrap();
        watch(&*first, &handle).await;
        first.launch(&running).await.unwrap();
    }
    let second = subject.runner();
    let found = second.find(subject.run()).await.unwrap();
    let seen: Vec<_> = found.iter().map(|found| (&found.id, found.state)).collect();
    assert_eq!(seen, [(&running.id, FoundState::Running), (&ended.id, FoundState::Ended)]);
    for (found, (expected, code)) in found.iter().zip([(vec!["one", "two"], 6), (vec!["quick"], 7)]) {
        let (lines, exit) = watch(&*second, &found.handle).await;
        let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((lines, exit.code), (expected, code));
        second.reap(&found.handle).await.unwrap();
    }
    assert_eq!(second.find(subject.run()).await.unwrap(), []);
}

pub(crate) async fn who_stops_watching_leaves_the_task_alone(subject: &impl Subject) {
    let runner = subject.runner();
    let handle = runner.launch(&subject.shell(1, "echo one; sleep 4; echo two; exit 8")).await.unwrap();
    let (sender, _receiver) = tokio::sync::mpsc::channel(8);
    let broken_off = tokio::time::timeout(Duration::from_millis(700), runner.watch(&handle, sender)).await;
    assert!(broken_off.is_err());
    assert_eq!(runner.find(subject.run()).await.unwrap()[0].state, FoundState::Running);
    let (lines, exit) = watch(&*runner, &handle).await;
    assert_eq!((lines.len(), exit.code), (2, 8));
}

pub(crate) async fn a_running_task_cannot_be_removed(subject: &impl Subject) {
    let runner = subject.runner();
    let handle = runner.launch(&subject.shell(1, "sleep 600")).await.unwrap();
    runner.reap(&handle).await.unwrap_err();
    assert_eq!(runner.find(subject.run()).await.unwrap()[0].state, FoundState::Running);
}

pub(crate) async fn launching_a_task_again_returns_the_one_that_is_there(subject: &impl Subject) {
    let task = subject.shell(1, "echo once");
    let first = subject.runner().launch(&task).await.unwrap();
    let runner = subject.runner();
    let second = runner.launch(&task).await.unwrap();
    assert_eq!(first, second);
    let (lines, _) = watch(&*runner, &second).await;
    assert_eq!(lines.len(), 1);
}
