//! leapfrog on a real terminal: Ctrl-C is a key, and a lost connection takes the terminal away.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::{Cloud, environment, variant};

const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "placement"];
const SYNC: &str = "2023.2/placement/db-sync";

/// How placement's schema migration of 2023.2 behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// It takes 12 s longer than it has to.
    Slow,
    /// It takes 40 s longer, more than the grace of a command, and does not end when it is asked to.
    Deaf,
}

/// A cloud whose placement takes its time.
fn slow_cloud(name: &str, manner: Manner) -> Cloud {
    // Python runs lines of such files that begin with an import, before the program.
    let path = "/opt/openstack/lib/python3.11/site-packages/slow.pth";
    let slow = "import signal, sys, time; \
                slow = 'sync' in sys.orig_argv and any('placement-manage' in word for word in sys.orig_argv); ";
    let (tag, rest) = match manner {
        Manner::Slow => ("slow", "time.sleep(12 if slow else 0)\n"),
        Manner::Deaf => ("deaf", "slow and (signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(40))\n"),
    };
    variant(&format!("{tag}-2023.1"), "2023.1", &[]);
    variant(&format!("{tag}-2023.2"), "2023.2", &[(path, &format!("{slow}{rest}"))]);
    let cloud = Cloud::new(name, 10);
    let image = environment()["image"].as_str().expect("an image").to_owned();
    cloud.edit(&format!("{image}:{{series}}"), &format!("{image}:{tag}-{{series}}"));
    cloud
}

/// A terminal with leapfrog as the program that it was opened for: `script` makes one without any.
struct Terminal {
    script: Child,
    keys: Option<ChildStdin>,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Begins a leap on it.
    fn begin(cloud: &Cloud) -> Self {
        let leap = cloud.command(&LEAP);
        let words: Vec<String> = std::iter::once(leap.get_program())
            .chain(leap.get_args())
            .map(|word| format!("'{}'", word.to_str().expect("UTF-8")))
            .collect();
        let mut script = Command::new("script");
        script.args(["--quiet", "--flush", "--return", "--command", &format!("exec {}", words.join(" ")), "/dev/null"]);
        script.current_dir(cloud.directory.path()).env("LANG", "C.UTF-8").env("TERM", "xterm").env("SHELL", "/bin/sh");
        script.env_remove("LEAPFROG_CONFIG").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = script.spawn().expect("script runs (util-linux)");
        let keys = script.stdin.take();
        let mut out = script.stdout.take().expect("a pipe");
        let screen: Arc<Mutex<String>> = Arc::default();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                shown.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Self { script, keys, screen }
    }

    /// Presses Ctrl-C.
    fn interrupt(&mut self) {
        let keys = self.keys.as_mut().expect("a keyboard");
        keys.write_all(b"\x03").and_then(|()| keys.flush()).expect("a terminal");
    }

    /// Waits until the screen shows `text`.
    fn shows(&self, text: &str) {
        let shown = || self.screen.lock().expect("no panic").clone();
        let words = |screen: String| screen.split_whitespace().collect::<Vec<_>>().join(" ");
        wait_for(&format!("the screen shows {text:?}"), || words(shown()).contains(text));
    }

    /// leapfrog's exit code.
    fn ended(mut self) -> Option<i32> {
        let code = self.script.wait().expect("ended").code();
        drop(self.keys.take());
        code
    }

    /// The connection is lost, and with it the terminal.
    fn lose(mut self) {
        self.script.kill().expect("ours");
        self.script.wait().expect("gone");
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(240);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The records so far, those of a run that is being written included.
fn records(cloud: &Cloud) -> Vec<Value> {
    let journals = cloud.state().into_iter().filter(|(path, _)| path.ends_with("journal.jsonl"));
    let text: Vec<u8> = journals.flat_map(|(_, text)| text).collect();
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.map(|line| serde_json::from_slice(line).expect("a record")).collect()
}

/// How often the slow step was begun, and how it ended each time.
fn slow_step(cloud: &Cloud) -> (usize, Vec<String>) {
    let records = records(cloud);
    let of = |event: &str| records.iter().filter(|r| r["event"] == event && r["step"] == SYNC).collect::<Vec<_>>();
    let ends = of("step-ended").into_iter().map(|r| r["outcome"].as_str().expect("an outcome").to_owned()).collect();
    (of("step-started").len(), ends)
}

/// Waits until the slow step was begun so often and its container runs.
fn wait_until_slow(cloud: &Cloud, times: usize) {
    wait_for("the slow step runs", || slow_step(cloud).0 == times && cloud.running() > 0);
    // Its command was started a moment ago; let it come to its trap.
    std::thread::sleep(Duration::from_millis(1500));
}

#[test]
#[ignore = "needs the test bed: make test"]
fn ctrl_c_on_a_terminal_climbs_the_ladder_and_the_same_command_goes_on_each_time() {
    let cloud = slow_cloud("ladder", Manner::Slow);
    // Twice: the running container is stopped.
    let mut terminal = Terminal::begin(&cloud);
    wait_until_slow(&cloud, 1);
    terminal.interrupt();
    terminal.shows("stopping after");
    assert!(slow_step(&cloud).1.is_empty(), "the first Ctrl-C stopped a step");
    terminal.interrupt();
    terminal.shows("stopping the running commands");
    assert_eq!(terminal.ended(), Some(7));
    assert_eq!(slow_step(&cloud), (1, vec!["interrupted".to_owned()]));
    assert_eq!(cloud.containers(), 0);
    assert_eq!(cloud.heads("placement"), ["422ece571366"], "it was stopped before it changed anything");

    // Once: what runs finishes.
    let mut terminal = Terminal::begin(&cloud);
    wait_until_slow(&cloud, 2);
    terminal.interrupt();
    assert_eq!(terminal.ended(), Some(7));
    assert_eq!(slow_step(&cloud).1, ["interrupted", "done"]);
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
    cloud.leapfrog(&LEAP).ended(0);
    assert_eq!(cloud.containers(), 0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn the_third_ctrl_c_leaves_a_command_running_that_does_not_end_and_its_step_is_in_doubt() {
    let cloud = slow_cloud("doubt", Manner::Deaf);
    let mut terminal = Terminal::begin(&cloud);
    wait_until_slow(&cloud, 1);
    for text in ["stopping after", "stopping the running commands"] {
        terminal.interrupt();
        terminal.shows(text);
    }
    let asked = Instant::now();
    terminal.interrupt();
    assert_eq!(terminal.ended(), Some(7));
    assert!(asked.elapsed() < Duration::from_secs(5), "it did not leave at once: {:?}", asked.elapsed());
    assert_eq!(slow_step(&cloud), (1, Vec::new()), "the end of a step that is in doubt is not recorded");
    assert_eq!(cloud.containers(), 1, "its container is gone");
    let status = cloud.leapfrog(&["status"]).ended(0).stdout;
    assert!(status.contains("db-sync"), "{status}");
    // The same command watches it to its end.
    cloud.leapfrog(&LEAP).ended(0);
    assert_eq!(slow_step(&cloud), (2, vec!["done".to_owned()]));
    let adopted = |r: &Value| r["event"] == "step-started" && r["step"] == SYNC && r["adopted"] == true;
    assert!(records(&cloud).iter().any(adopted), "it was launched a second time");
    assert_eq!(cloud.containers(), 0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_leap_outlives_its_terminal_and_sigterm_stops_its_commands() {
    let cloud = slow_cloud("hangup", Manner::Slow);
    // SIGTERM is the second rung.
    let mut child = cloud.command(&LEAP).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("leapfrog runs");
    wait_until_slow(&cloud, 1);
    let asked = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(child.wait().expect("ended").code(), Some(7));
    assert!(asked.elapsed() < Duration::from_secs(11), "it waited for its command: {:?}", asked.elapsed());
    assert_eq!(slow_step(&cloud).1, ["interrupted"]);

    // A lost connection: the kernel sends SIGHUP, and nobody takes what is said any more.
    let terminal = Terminal::begin(&cloud);
    wait_until_slow(&cloud, 2);
    terminal.lose();
    wait_for("the run ends", || records(&cloud).iter().any(|r| r["event"] == "run-ended" && r["outcome"] == "done"));
    assert_eq!(slow_step(&cloud).1, ["interrupted", "done"]);
    wait_for("leapfrog gives its lock back", || cloud.leapfrog(&["sweep"]).code == 0);
    assert_eq!(cloud.containers(), 0);
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn readers_that_go_away_in_the_middle_of_a_leap_do_not_stop_it() {
    let cloud = slow_cloud("broken", Manner::Slow);
    let (mut out, stdout) = std::io::pipe().expect("a pipe");
    let (mut err, stderr) = std::io::pipe().expect("a pipe");
    let arguments = [&LEAP[..], &["--output", "jsonl"]].concat();
    let mut child = cloud.command(&arguments).stdout(stdout).stderr(stderr).spawn().expect("leapfrog runs");
    let mut first = [0; 1];
    out.read_exact(&mut first).expect("an event");
    drop(out);
    wait_until_slow(&cloud, 1);
    let _ = err.read(&mut []);
    drop(err);
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert_eq!(records(&cloud).last().expect("an end")["outcome"], "done");
    // A file on a full disk takes nothing either.
    let cloud = Cloud::new("full", 10);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    for output in ["text", "jsonl"] {
        let arguments = ["--from", "2023.1", "--to", "2023.1", "--yes", "--only", "placement", "--output", output];
        let arguments: Vec<&str> =
            if output == "text" { arguments.to_vec() } else { [&arguments[..], &["--fresh"]].concat() };
        let status = cloud.command(&arguments).stdout(full()).stderr(full()).status().expect("leapfrog runs");
        assert_eq!(status.code(), Some(0), "{output}");
    }
}
