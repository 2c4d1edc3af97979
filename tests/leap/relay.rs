//! Something between leapfrog and what it needs that can be cut: to leapfrog, and to its commands, that is an engine
//! that restarts, a network that breaks, a database that fails over.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;

/// Whether connections pass.
#[derive(Clone, Default)]
struct Gate {
    cut: Arc<Notify>,
    away: Arc<AtomicBool>,
    passed: Arc<AtomicUsize>,
}

impl Gate {
    async fn pass(
        self,
        mut client: impl AsyncRead + AsyncWrite + Unpin,
        mut server: impl AsyncRead + AsyncWrite + Unpin,
    ) {
        self.passed.fetch_add(1, Ordering::SeqCst);
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => {}
            () = self.cut.notified() => {}
        }
    }
}

/// A relay; it ends with the value.
pub(crate) struct Relay {
    gate: Gate,
    /// The server's port, for a relay to one.
    port: Arc<AtomicU16>,
    runtime: tokio::runtime::Runtime,
}

impl Relay {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { gate: Gate::default(), port: Arc::default(), runtime: runtime.expect("a runtime") }
    }

    /// Before a server on 127.0.0.1; the relay's port.
    pub(crate) fn to_port(port: u16) -> (Self, u16) {
        let relay = Self::new();
        relay.port.store(port, Ordering::SeqCst);
        let (gate, port) = (relay.gate.clone(), Arc::clone(&relay.port));
        let listener = relay.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let own = listener.local_addr().expect("an address").port();
        relay.runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                if gate.away.load(Ordering::SeqCst) {
                    continue;
                }
                let (gate, port) = (gate.clone(), port.load(Ordering::SeqCst));
                tokio::spawn(async move {
                    let server = SocketAddr::from(([127, 0, 0, 1], port));
                    if let Ok(server) = TcpStream::connect(server).await {
                        gate.pass(client, server).await;
                    }
                });
            }
        });
        (relay, own)
    }

    /// Before a server's socket; the relay listens at `own`.
    pub(crate) fn to_socket(socket: PathBuf, own: PathBuf) -> Self {
        let relay = Self::new();
        let gate = relay.gate.clone();
        let listener = {
            let _entered = relay.runtime.enter();
            UnixListener::bind(own).expect("a socket")
        };
        relay.runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                if gate.away.load(Ordering::SeqCst) {
                    continue;
                }
                let (gate, socket) = (gate.clone(), socket.clone());
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(socket).await {
                        gate.pass(client, server).await;
                    }
                });
            }
        });
        relay
    }

    /// Ends every connection and lets none through for `time`.
    pub(crate) fn cut_for(&self, time: Duration) {
        self.cut();
        std::thread::sleep(time);
        self.mend();
    }

    /// Ends every connection and lets none through.
    pub(crate) fn cut(&self) {
        self.gate.away.store(true, Ordering::SeqCst);
        self.gate.cut.notify_waiters();
    }

    /// Leads to another server from now on, as an address that fails over does; what is connected stays where it is.
    pub(crate) fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.gate.away.store(false, Ordering::SeqCst);
    }

    /// How many connections passed so far.
    pub(crate) fn passed(&self) -> usize {
        self.gate.passed.load(Ordering::SeqCst)
    }
}
