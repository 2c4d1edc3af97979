//! Looks at servers and files, and says when batches have to wait.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch::{Receiver, Sender};

use super::event::Event;
use super::limits::Limits;
use crate::database::{Connection, Load, chain, connect};
use crate::model::ConnectionUrl;

/// How often files are looked at.
const FILES: Duration = Duration::from_millis(200);
/// How often servers are asked, and how long each may take to answer.
const SERVERS: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_secs(1);

/// What batches pass one by one.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Whether to stop.
    pub stop: Receiver<bool>,
    /// Why to wait, if batches have to.
    pub wait: Receiver<Option<String>>,
}

impl Gate {
    /// Returns when the next batch may begin; false: none may.
    pub(super) async fn open(&self) -> bool {
        let (mut stop, mut wait) = (self.stop.clone(), self.wait.clone());
        loop {
            if *stop.borrow_and_update() {
                return false;
            }
            if wait.borrow_and_update().is_none() {
                return true;
            }
            let changed = tokio::select! {
                changed = stop.changed() => changed,
                changed = wait.changed() => changed,
            };
            if changed.is_err() {
                return false;
            }
        }
    }
}

/// What pauses batches besides servers.
#[derive(Debug, Clone, Default)]
pub struct Pause {
    /// Files: batches wait as long as one of them is there.
    pub files: Vec<PathBuf>,
    /// Whether a signal said so.
    pub signal: Arc<AtomicBool>,
}

impl Pause {
    fn why(&self) -> Option<String> {
        if self.signal.load(Ordering::Relaxed) {
            return Some("paused by a signal; SIGUSR2 lets it go on".to_owned());
        }
        let file = self.files.iter().find(|file| file.exists())?;
        Some(format!("paused: {} is there; `leapfrog resume`, or its removal, lets it go on", file.display()))
    }
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The database.
    pub url: ConnectionUrl,
    /// Its replicas.
    pub replicas: Vec<ConnectionUrl>,
    /// How long a connection may take.
    pub timeout: Duration,
    /// What is not waited for.
    pub limits: Limits,
    /// What pauses batches.
    pub pause: Pause,
}

/// A server, and what it was like.
struct Asked {
    url: ConnectionUrl,
    connection: Option<Connection>,
    before: Option<(Load, Instant)>,
}

impl Asked {
    fn new(url: &ConnectionUrl) -> Self {
        Self { url: url.clone(), connection: None, before: None }
    }

    /// Why to wait for it.
    async fn why(&mut self, watch: &Watch, replica: bool) -> Option<String> {
        let answer = tokio::time::timeout(ANSWER, self.ask(watch, replica)).await;
        let name = self.url.server();
        match answer {
            Ok(Ok(why)) => why,
            Ok(Err(error)) => {
                self.connection = None;
                Some(format!("{name} cannot be asked how busy it is: {error}"))
            }
            Err(_) => {
                self.connection = None;
                Some(format!("{name} did not say within {} s how busy it is", ANSWER.as_secs()))
            }
        }
    }

    async fn ask(&mut self, watch: &Watch, replica: bool) -> Result<Option<String>, String> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let made = connect(&self.url, watch.timeout).await.map_err(|error| chain(&error))?;
                none.insert(made)
            }
        };
        if replica {
            let lag = connection.lag().await.map_err(|error| chain(&error))?;
            return Ok(watch.limits.replica(&self.url.server(), &lag));
        }
        let load = connection.load().await.map_err(|error| chain(&error))?;
        let before = self.before.as_ref().map(|(load, at)| (load, at.elapsed()));
        let why = watch.limits.server(&load, before);
        self.before = Some((load, Instant::now()));
        Ok(why)
    }
}

/// What a reason says besides how much.
fn without_numbers(why: &str) -> String {
    why.replace(|byte: char| byte.is_ascii_digit(), "")
}

/// Looks until it is dropped, and says in `wait` why to wait.
pub async fn watch(watch: Watch, wait: Sender<Option<String>>, tell: UnboundedSender<Event>) -> Infallible {
    let mut database = Asked::new(&watch.url);
    let mut replicas: Vec<Asked> = watch.replicas.iter().map(Asked::new).collect();
    let mut servers: Option<String> = None;
    let mut asked: Option<Instant> = None;
    let mut since: Option<Instant> = None;
    let mut said = String::new();
    loop {
        if asked.is_none_or(|at| at.elapsed() >= SERVERS) {
            let asking = replicas.iter_mut().map(|replica| replica.why(&watch, true));
            let (own, others) = tokio::join!(database.why(&watch, false), join_all(asking));
            servers = others.into_iter().flatten().next().or(own);
            asked = Some(Instant::now());
        }
        let why = watch.pause.why().or_else(|| servers.clone());
        match (&why, since) {
            // Another reason is told as well; how far behind a replica is at each moment is none.
            (Some(why), _) if since.is_none() || without_numbers(why) != said => {
                since = since.or_else(|| Some(Instant::now()));
                said = without_numbers(why);
                let _ = tell.send(Event::Waits { why: why.clone() });
            }
            (None, Some(began)) => {
                since = None;
                let _ = tell.send(Event::GoesOn { waited: began.elapsed().as_secs_f64() });
            }
            _ => {}
        }
        wait.send_replace(why);
        tokio::time::sleep(FILES).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_waits_at_the_gate_until_it_may_go_on_or_is_told_to_stop() {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (wait, waiting) = tokio::sync::watch::channel(Some("lag".to_owned()));
        let gate = Gate { stop: stopped, wait: waiting };
        assert!(tokio::time::timeout(Duration::from_millis(50), gate.open()).await.is_err(), "it waits");
        wait.send_replace(None);
        assert!(gate.open().await);
        wait.send_replace(Some("lag".to_owned()));
        stop.send_replace(true);
        assert!(!gate.open().await);
    }

    #[tokio::test]
    async fn every_reason_is_told_and_none_twice() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("trip.pause");
        std::fs::write(&file, "").expect("a file");
        let pause = Pause { files: vec![file.clone()], ..Pause::default() };
        let url = format!("sqlite:///{}", directory.path().join("none.db").display()).parse().expect("a URL");
        let limits = Limits::USUAL;
        let watched = Watch { url, replicas: Vec::new(), timeout: ANSWER, limits, pause };
        let (wait, _waiting) = tokio::sync::watch::channel(None);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let looking = async {
            tokio::time::sleep(3 * FILES).await;
            // The file goes, and the server, which cannot be asked, is what is left to wait for.
            std::fs::remove_file(&file).expect("removed");
            tokio::time::sleep(4 * FILES).await;
        };
        tokio::select! {
            () = looking => {}
            never = watch(watched, wait, tell) => match never {},
        }
        let mut reasons = Vec::new();
        while let Ok(event) = told.try_recv() {
            let Event::Waits { why } = event else { panic!("{event:?}") };
            reasons.push(why);
        }
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons[0].contains("trip.pause") && reasons[1].contains("cannot be asked"), "{reasons:?}");
    }

    #[test]
    fn a_file_pauses_as_long_as_it_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let pause = Pause { files: vec![directory.path().join("trip.pause")], ..Pause::default() };
        assert_eq!(pause.why(), None);
        std::fs::write(&pause.files[0], "").expect("a file");
        assert!(pause.why().expect("paused").contains("trip.pause is there"));
        std::fs::remove_file(&pause.files[0]).expect("removed");
        assert_eq!(pause.why(), None);
    }
}
