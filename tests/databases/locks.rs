//! One writer, and who else is there: locks and sessions on real servers.

use std::collections::BTreeSet;
use std::time::Duration;

use leapfrog::database::{Holder, LockError, Loss, Session, connect, lock};
use leapfrog::model::ConnectionUrl;

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{TIMEOUT, run, url, wait};

fn holder(pid: u32) -> Holder {
    Holder { host: "alpha".to_owned(), pid, since: "2026-03-01 02:00:00 UTC".to_owned() }
}

/// Locks, is refused, is told by whom, and gets it once it is given back; `other` is another database of
/// the same server.
async fn one_at_a_time(url: &ConnectionUrl, other: Option<&ConnectionUrl>) {
    let mut first = lock(url, &holder(11), TIMEOUT).await.expect("free");
    // The holder is read from what it is doing, so it has to do it.
    let watching = tokio::spawn(async move {
        let lost = tokio::time::timeout(Duration::from_secs(6), first.lost()).await;
        (first, lost)
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = std::time::Instant::now();
    let refused = lock(url, &holder(22), TIMEOUT).await.expect_err("held");
    assert!(began.elapsed() < Duration::from_secs(1), "it waited");
    let LockError::Held { holder: found, .. } = &refused else { panic!("{refused}") };
    assert_eq!(found.as_ref(), Some(&holder(11)), "{refused}");
    assert!(refused.advice().contains("kill -TERM 11 on alpha"), "{}", refused.advice());
    if let Some(other) = other {
        lock(other, &holder(22), TIMEOUT).await.expect("a lock is of one database").release(TIMEOUT).await;
    }
    let (first, lost) = watching.await.expect("no panic");
    assert!(lost.is_err(), "a lock that nobody took was lost: {lost:?}");
    first.release(TIMEOUT).await;
    let second = lock(url, &holder(22), TIMEOUT).await.expect("free as soon as it is given back");
    second.release(TIMEOUT).await;
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_database_of_mariadb_has_one_writer_at_a_time() {
    let (one, two) = (Server::find().database("lock_one"), Server::find().database("lock_two"));
    wait(one_at_a_time(&one.root(), Some(&two.root())));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_database_of_postgresql_has_one_writer_at_a_time() {
    let cluster = Cluster::shared();
    let (one, two) = (cluster.database("lock_one"), cluster.database("lock_two"));
    wait(one_at_a_time(&one, Some(&two)));
}

#[test]
fn an_sqlite_file_has_one_writer_at_a_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("nova.sqlite");
    std::fs::write(&path, "").expect("a file");
    let url = url(&format!("sqlite:///{}", path.display()));
    wait(one_at_a_time(&url, None));
    let left: Vec<_> = directory.path().read_dir().expect("readable").flatten().map(|file| file.file_name()).collect();
    assert_eq!(left, ["nova.sqlite"], "the lock left something behind");
}

/// Two that take the lock and give it back at once, again and again: whoever does not get it is told of a session that has it,
/// not of one that had it.
async fn come_and_go(url: &ConnectionUrl) {
    let one = |pid: u32| async move {
        let mut taken = 0;
        for _ in 0..60 {
            match lock(url, &holder(pid), TIMEOUT).await {
                Ok(held) => {
                    taken += 1;
                    held.release(TIMEOUT).await;
                }
                Err(LockError::Held { session, .. }) => assert!(session.starts_with("session "), "{session}"),
                Err(error) => panic!("{error}"),
            }
        }
        taken
    };
    let (first, second) = tokio::join!(one(11), one(22));
    assert!(first > 0 && second > 0, "{first} and {second}");
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_lock_that_is_given_back_while_its_holder_is_looked_for_is_not_called_held() {
    wait(come_and_go(&Server::find().database("lock_fleeting").root()));
    wait(come_and_go(&Cluster::shared().database("lock_fleeting")));
}

/// Ends the session that holds a lock from outside and waits for the holder to notice.
async fn noticed(url: &ConnectionUrl, end: impl Fn(u64) -> String) -> Loss {
    let mut held = lock(url, &holder(11), TIMEOUT).await.expect("free");
    let session = held.session().expect("a session");
    let ending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        run(url, &[&end(session)]).await;
    };
    let (lost, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(10), held.lost()), ending);
    lost.expect("a lost lock is noticed")
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_lost_lock_is_noticed() {
    let database = Server::find().database("lock_lost");
    let told = wait(noticed(&database.root(), |session| format!("KILL {session}")));
    assert!(matches!(&told, Loss::Broken(why) if !why.is_empty()), "{told:?}");
    let cluster = Cluster::shared();
    let url = cluster.database("lock_lost");
    let told = wait(noticed(&url, |session| format!("SELECT pg_terminate_backend({session})")));
    assert!(matches!(&told, Loss::Broken(why) if !why.is_empty()), "{told:?}");
}

/// The sessions that are seen while another one is open, and after it is gone.
async fn seen_beside(url: &ConnectionUrl) -> (Vec<Session>, Vec<Session>, bool) {
    let held = lock(url, &holder(11), TIMEOUT).await.expect("free");
    let own: BTreeSet<u64> = held.session().into_iter().collect();
    let mut looking = connect(url, TIMEOUT).await.expect("a connection");
    let mut intruder = lock_free_session(url).await;
    let with = looking.sessions(&own, url.name()).await.expect("an answer");
    intruder.rows("SELECT 1").await.expect("it lives");
    intruder.close().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let without = looking.sessions(&own, url.name()).await.expect("an answer");
    looking.close().await;
    held.release(TIMEOUT).await;
    (with.others, without.others, with.whole)
}

async fn lock_free_session(url: &ConnectionUrl) -> leapfrog::database::Connection {
    let mut session = connect(url, TIMEOUT).await.expect("a connection");
    if session.engine() == leapfrog::model::Engine::Postgresql {
        session.rows("SET application_name = 'nova-api'").await.expect("a name");
    }
    session
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn sessions_of_others_are_seen_and_our_own_are_not() {
    let database = Server::find().database("sessions");
    let (with, without, whole) = wait(seen_beside(&database.root()));
    assert_eq!(with.len(), 1, "{with:?}");
    assert!(!with[0].user.is_empty() && !with[0].host.is_empty(), "{with:?}");
    assert_eq!(without, Vec::new());
    assert!(whole, "root may see everybody");
    let cluster = Cluster::shared();
    let url = cluster.database("sessions");
    let (with, without, _) = wait(seen_beside(&url));
    assert_eq!(with.len(), 1, "{with:?}");
    assert_eq!((with[0].user.as_str(), with[0].host.as_str()), ("owner", "127.0.0.1"));
    assert_eq!(with[0].program.as_deref(), Some("nova-api"));
    assert_eq!(without, Vec::new());
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn sessions_of_users_that_may_not_be_looked_into_are_seen() {
    let server = super::trip::postgresql();
    let url = server.database("strangers");
    let told =
        |user: &str| -> ConnectionUrl { url.to_string().replace("trip@", &format!("{user}@")).parse().expect("a URL") };
    let others = wait(async {
        let mut owner = leapfrog::database::connect_for(&url, leapfrog::database::Purpose::Change, TIMEOUT)
            .await
            .expect("a connection");
        owner.change("CREATE ROLE one LOGIN; CREATE ROLE two LOGIN").await.expect("roles");
        owner.close().await;
        let mut looking = connect(&told("one"), TIMEOUT).await.expect("a connection");
        let stranger = lock_free_session(&told("two")).await;
        let found = looking.sessions(&BTreeSet::new(), url.name()).await.expect("an answer");
        stranger.close().await;
        looking.close().await;
        assert!(found.whole);
        found.others
    });
    let users: Vec<&str> = others.iter().map(|session| session.user.as_str()).collect();
    assert_eq!(users, ["two"], "{others:?}");
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_user_that_sees_only_its_own_sessions_is_told_apart() {
    let database = Server::find().database("sight");
    let user = database.allowed();
    let (whole, grant) = wait(async {
        let mut looking = connect(&user, TIMEOUT).await.expect("a connection");
        let sessions = looking.sessions(&BTreeSet::new(), user.name()).await.expect("an answer");
        looking.close().await;
        (sessions.whole, sessions.grant)
    });
    let grant = grant.expect("a statement that mends it");
    let name = user.user().unwrap_or_default();
    assert!(!whole && grant.starts_with(&format!("GRANT PROCESS ON *.* TO '{name}'@'")), "{grant}");
}

#[test]
fn a_process_that_has_an_sqlite_file_open_is_seen() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("nova.sqlite");
    std::fs::write(&path, "").expect("a file");
    let url = url(&format!("sqlite:///{}", path.display()));
    let file = std::fs::File::open(&path).expect("a file");
    let mut reader = std::process::Command::new("sleep").arg("60").stdin(file).spawn().expect("a process");
    let sessions = wait(async {
        let mut looking = connect(&url, TIMEOUT).await.expect("a connection");
        looking.sessions(&BTreeSet::new(), url.name()).await.expect("an answer")
    });
    reader.kill().expect("ended");
    reader.wait().expect("gone");
    let found: Vec<(u64, Option<&str>)> = sessions.others.iter().map(|s| (s.id, s.program.as_deref())).collect();
    assert_eq!(found, [(u64::from(reader.id()), Some("sleep"))]);
}
