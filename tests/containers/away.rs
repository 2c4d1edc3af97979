//! The engine goes away and comes back while a task runs.
//!
//! Between the runner and the engine stands a relay that can be cut. For the runner that is an engine
//! that restarts and leaves its containers running.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leapfrog::model::Secret;
use leapfrog::runner::containers::{ContainerSettings, Containers};
use leapfrog::runner::{PrivateFile, Runner, RunnerErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::bed::{Bed, bed};
use crate::contract::watch;

struct Relay {
    settings: ContainerSettings,
    cut: Arc<Notify>,
    away: Arc<AtomicBool>,
    /// The part of a request's first line whose next answer is lost on its way.
    lost: Arc<Mutex<Option<&'static str>>>,
    _directory: tempfile::TempDir,
}

impl Relay {
    async fn new(bed: &Bed) -> Self {
        let identity = bed.containers().identify().await.unwrap();
        let engine = identity.address.strip_prefix("unix://").expect("an engine with a socket").to_owned();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("relay.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (cut, away) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let settings = ContainerSettings { socket: Some(format!("unix://{}", socket.display())), ..bed.settings() };
        let lost: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let relay = Self { settings, cut: cut.clone(), away: away.clone(), lost: lost.clone(), _directory: directory };
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (engine, cut, away, lost) = (engine.clone(), cut.clone(), away.clone(), lost.clone());
                tokio::spawn(async move {
                    if away.load(Ordering::SeqCst) {
                        return;
                    }
                    let mut engine = UnixStream::connect(engine).await.unwrap();
                    let mut request = vec![0; 65536];
                    let length = client.read(&mut request).await.unwrap();
                    engine.write_all(&request[..length]).await.unwrap();
                    let first = String::from_utf8_lossy(&request[..length.min(300)]).into_owned();
                    let first = first.lines().next().unwrap_or_default().to_owned();
                    if lost.lock().unwrap().take_if(|lost| first.contains(*lost)).is_some() {
                        // The engine has done it, and its answer goes nowhere.
                        let _ = engine.read(&mut request).await.unwrap();
                        return;
                    }
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut engine) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        relay
    }

    async fn go_away_for(&self, time: Duration) {
        self.away.store(true, Ordering::SeqCst);
        self.cut.notify_waiters();
        tokio::time::sleep(time).await;
        self.away.store(false, Ordering::SeqCst);
    }
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_s_output_and_exit_arrive_whole_although_the_engine_was_away() {
    let bed = bed().await;
    let (run, image) = (bed.run(), bed.image().await);
    let relay = Relay::new(bed).await;
    let containers = Containers::connect(relay.settings.clone()).unwrap();
    let script = "for n in 1 2 3 4 5 6 7 8 9; do echo $n; echo e$n >&2; sleep 0.5; done; exit 4";
    let handle = containers.launch(&run.shell(&image, 1, script)).await.unwrap();
    let trouble = async {
        for away in [0, 300, 900] {
            tokio::time::sleep(Duration::from_millis(700)).await;
            relay.go_away_for(Duration::from_millis(away)).await;
        }
    };
    let ((lines, exit), ()) = tokio::join!(watch(&containers, &handle), trouble);
    let text: String = lines.iter().map(|line| format!("{} ", line.text)).collect();
    for (prefix, expected) in [("", "1 2 3 4 5 6 7 8 9 "), ("e", "e1 e2 e3 e4 e5 e6 e7 e8 e9 ")] {
        let words = text.split_inclusive(' ').filter(|word| word.starts_with('e') == (prefix == "e"));
        assert_eq!(words.collect::<String>(), expected, "{text}");
    }
    assert_eq!(exit.code, 4);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_that_ended_while_the_engine_was_away_is_read_to_its_end() {
    let bed = bed().await;
    let (run, image) = (bed.run(), bed.image().await);
    let relay = Relay::new(bed).await;
    let containers = Containers::connect(relay.settings.clone()).unwrap();
    let handle = containers.launch(&run.shell(&image, 1, "echo one; sleep 1; echo two; exit 9")).await.unwrap();
    let trouble = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        relay.go_away_for(Duration::from_secs(2)).await;
    };
    let ((lines, exit), ()) = tokio::join!(watch(&containers, &handle), trouble);
    let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((lines, exit.code), (vec!["one", "two"], 9));
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn an_engine_that_is_away_is_no_reason_to_say_that_a_task_did_not_start_or_cannot_be_found() {
    let bed = bed().await;
    let (run, image) = (bed.run(), bed.image().await);
    let relay = Relay::new(bed).await;
    let containers = Containers::connect(relay.settings.clone()).unwrap();
    containers.identify().await.unwrap();
    let away = relay.go_away_for(Duration::from_millis(500));
    let ask = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let launch = containers.launch(&run.shell(&image, 1, "true")).await.unwrap_err();
        let find = containers.find(&run.id).await.unwrap_err();
        assert_eq!(launch.kind, RunnerErrorKind::EngineUnreachable, "{launch}");
        assert_eq!(find.kind, RunnerErrorKind::EngineUnreachable, "{find}");
    };
    tokio::join!(away, ask);
    containers.identify().await.expect("the engine is back");
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_whose_start_was_not_confirmed_runs_once() {
    let bed = bed().await;
    let (run, image) = (bed.run(), bed.image().await);
    let relay = Relay::new(bed).await;
    let containers = Containers::connect(relay.settings.clone()).unwrap();
    for (round, lost) in [(1, "/containers/create"), (2, "/start"), (3, "/archive")] {
        *relay.lost.lock().unwrap() = Some(lost);
        let mut task = run.shell(&image, round, "echo once; sleep 1; exit 3");
        task.files = vec![PrivateFile {
            path: "/etc/service/private.conf".into(),
            passed_with: None,
            content: Secret::new("a"),
        }];
        let handle = match containers.launch(&task).await {
            Ok(handle) => handle,
            // Nothing was started, and nothing is left: launching again is safe.
            Err(error) => {
                assert_eq!((error.kind, lost), (RunnerErrorKind::EngineUnreachable, "/archive"), "{error}");
                assert!(containers.find(&run.id).await.unwrap().iter().all(|found| found.id != task.id));
                containers.launch(&task).await.unwrap()
            }
        };
        assert!(relay.lost.lock().unwrap().is_none(), "the answer was lost");
        let (lines, exit) = watch(&containers, &handle).await;
        let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((lines, exit.code), (vec!["once"], 3), "{lost}");
        containers.reap(&handle).await.unwrap();
        assert_eq!(containers.find(&run.id).await.unwrap(), []);
    }
}
