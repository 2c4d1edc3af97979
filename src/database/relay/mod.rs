//! A relay on this machine that overhears what commands say to a database server.
//!
//! It listens on 127.0.0.1 and passes every byte on, both ways. On the way it reads the client's statements, as the MySQL and
//! the PostgreSQL protocols carry them. No right on the server is needed for that, as a general log would need; and nobody
//! else's statements are heard. Nothing is encrypted between a command and the relay, nor behind it: a server that insists
//! on encryption lets nobody in this way, which [`Relay::is_let_in`] tells beforehand.
//!
//! A statement is noted before the server has it. The relay never answers for the server, but to a client's wish for encryption.

mod mysql;
mod postgresql;

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use super::connect::{ConnectError, connect, host};
use crate::model::{ConnectionUrl, Engine};

/// How many bytes are passed on at a time.
const CHUNK: usize = 16 * 1024;

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Who said it: connections are counted from 1.
    pub session: u64,
    /// The statement, or several of them in one text.
    pub text: String,
}

/// A relay to one server; gone with its connections when it is dropped.
#[derive(Debug)]
pub struct Relay {
    url: ConnectionUrl,
    heard: Arc<Mutex<Vec<Heard>>>,
    listening: JoinHandle<()>,
}

impl Relay {
    /// A relay to the server of `url`; SQLite has none.
    ///
    /// # Errors
    /// This machine has no port for it.
    pub async fn open(url: &ConnectionUrl) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (server, notes) = (url.clone(), Arc::clone(&heard));
        let listening = tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            let mut number = 0;
            while let Ok((client, _)) = listener.accept().await {
                number += 1;
                let (server, notes) = (server.clone(), Arc::clone(&notes));
                sessions.spawn(async move { pass(client, &server, number, &notes).await });
                while sessions.try_join_next().is_some() {}
            }
        });
        Ok(Self { url: url.clone().at_relay(port), heard, listening })
    }

    /// The database as one gets to it through the relay.
    pub fn url(&self) -> &ConnectionUrl {
        &self.url
    }

    /// Whether the server lets this login in without encryption.
    ///
    /// # Errors
    /// It does not.
    pub async fn is_let_in(&self, timeout: Duration) -> Result<(), ConnectError> {
        connect(&self.url, timeout).await?.close().await;
        self.take();
        Ok(())
    }

    /// What was said since this was last asked.
    pub fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What hears one session.
enum Ears {
    Mysql(mysql::Ears),
    Postgresql(postgresql::Ears),
}

/// One session. An end of either side is the end of both; what went wrong is the client's to tell.
async fn pass(client: TcpStream, url: &ConnectionUrl, number: u64, notes: &Mutex<Vec<Heard>>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    match url.parameter("unix_socket").filter(|_| url.engine() == Engine::Mysql) {
        Some(socket) => {
            let (from_server, to_server) = UnixStream::connect(socket.expose()).await?.into_split();
            session(url.engine(), (from_client, to_client), (from_server, to_server), number, notes).await
        }
        None => {
            let server = TcpStream::connect((host(url), url.port())).await?;
            server.set_nodelay(true)?;
            let (from_server, to_server) = server.into_split();
            session(url.engine(), (from_client, to_client), (from_server, to_server), number, notes).await
        }
    }
}

async fn session(
    engine: Engine,
    (mut from_client, mut to_client): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    (mut from_server, mut to_server): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    number: u64,
    notes: &Mutex<Vec<Heard>>,
) -> io::Result<()> {
    let mut ears = match engine {
        Engine::Postgresql => {
            let mut first = [0; 8];
            from_client.read_exact(&mut first).await?;
            while postgresql::asks_for_encryption(first) {
                to_client.write_all(b"N").await?;
                from_client.read_exact(&mut first).await?;
            }
            to_server.write_all(&first).await?;
            let mut ears = postgresql::Ears::default();
            ears.hear(&first);
            Ears::Postgresql(ears)
        }
        Engine::Mysql | Engine::Sqlite => {
            let mut greeting = vec![0; 4];
            from_server.read_exact(&mut greeting).await?;
            let length = usize::from(greeting[0]) | usize::from(greeting[1]) << 8 | usize::from(greeting[2]) << 16;
            greeting.resize(4 + length, 0);
            from_server.read_exact(&mut greeting[4..]).await?;
            mysql::open(&mut greeting);
            to_client.write_all(&greeting).await?;
            Ears::Mysql(mysql::Ears::default())
        }
    };
    let there = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from_client.read(&mut chunk).await?;
            let said = match &mut ears {
                Ears::Mysql(ears) => ears.hear(&chunk[..read]),
                Ears::Postgresql(ears) => ears.hear(&chunk[..read]),
            };
            if !said.is_empty() {
                let said = said.into_iter().map(|text| Heard { session: number, text });
                notes.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
            }
            if read == 0 {
                return to_server.shutdown().await;
            }
            to_server.write_all(&chunk[..read]).await?;
        }
    };
    let back = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! {
        ended = there => ended,
        ended = back => ended.map(drop),
    }
}
