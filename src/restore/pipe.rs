//! From a client to a file and back: a thread that compresses, sums and counts, and can be stopped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::client::Prepared;
use super::error::RestoreError;

/// How much is read at a time, in bytes.
const CHUNK: usize = 128 * 1024;

/// The compression: zstd's own usual one, about 300 MB a second.
const LEVEL: i32 = 3;

/// How many bytes of a client's complaints are kept.
const SAID: usize = 4096;

/// What stops a thread's work from outside, and what tells how far it is.
#[derive(Debug, Default)]
pub(super) struct Control {
    stopped: AtomicBool,
    child: Mutex<Option<Child>>,
    /// Uncompressed bytes that went through.
    pub(super) passed: AtomicU64,
}

impl Control {
    /// Ends the client, and the work with it.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.kill();
    }

    fn kill(&self) {
        if let Some(child) = self.child.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // A client that is gone already needs no end.
            let _ = child.kill();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn watch(&self, child: Child) {
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        if self.is_stopped() {
            self.stop();
        }
    }

    fn take(&self) -> Option<Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Does `work` in a thread of its own; it is stopped if nobody waits for it any more.
pub(super) async fn in_thread<T: Send + 'static>(
    control: &Arc<Control>,
    work: impl FnOnce(&Control) -> Result<T, RestoreError> + Send + 'static,
) -> Result<T, RestoreError> {
    struct StopOnDrop(Option<Arc<Control>>);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            if let Some(control) = &self.0 {
                control.stop();
            }
        }
    }
    let mut guard = StopOnDrop(Some(Arc::clone(control)));
    let own = Arc::clone(control);
    let done = tokio::task::spawn_blocking(move || work(&own)).await;
    guard.0 = None;
    match done {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(RestoreError::Stopped),
    }
}

/// What was written of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes before compression.
    pub(super) plain: u64,
    /// Bytes on the disk.
    pub(super) bytes: u64,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub(super) sum: String,
}

/// A file whose bytes are summed on their way.
struct Summed {
    file: File,
    sum: Sha256,
    bytes: u64,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Compresses all of `source` into a new file at `path` that only this user can read, and waits for the disk.
pub(super) fn compress(mut source: impl Read, path: &Utf8Path, control: &Control) -> Result<Written, RestoreError> {
    let disk = |action| move |error| RestoreError::disk(action, path, error);
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(disk("make"))?;
    let summed = Summed { file, sum: Sha256::new(), bytes: 0 };
    let mut encoder = zstd::Encoder::new(summed, LEVEL).map_err(disk("write"))?;
    let mut chunk = vec![0; CHUNK];
    let mut plain = 0;
    loop {
        if control.is_stopped() {
            return Err(RestoreError::Stopped);
        }
        let read = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(RestoreError::disk("read what goes into", path, error)),
        };
        encoder.write_all(&chunk[..read]).map_err(disk("write"))?;
        plain += read as u64;
        control.passed.store(plain, Ordering::Relaxed);
    }
    let summed = encoder.finish().map_err(disk("write"))?;
    summed.file.sync_all().map_err(disk("flush"))?;
    let sum = summed.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Written { plain, bytes: summed.bytes, sum })
}

/// Expands the file at `path` into `sink`, and compares its sum.
pub(super) fn expand(path: &Utf8Path, sum: &str, sink: &mut impl Write, control: &Control) -> Result<u64, Ended> {
    let disk = |error| Ended::Source(RestoreError::disk("read", path, error));
    let file = Summing { file: File::open(path).map_err(disk)?, sum: Sha256::new() };
    let mut decoder = zstd::Decoder::new(file).map_err(disk)?;
    let mut chunk = vec![0; CHUNK];
    let mut plain = 0;
    loop {
        if control.is_stopped() {
            return Err(Ended::Source(RestoreError::Stopped));
        }
        let read = match decoder.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                let why = format!("it cannot be expanded ({error})");
                return Err(Ended::Source(RestoreError::Damaged { path: path.to_owned(), why }));
            }
        };
        sink.write_all(&chunk[..read]).map_err(Ended::Sink)?;
        plain += read as u64;
        control.passed.store(plain, Ordering::Relaxed);
    }
    let mut rest = decoder.finish();
    io::copy(&mut rest, &mut io::sink()).map_err(disk)?;
    let file = rest.into_inner();
    let found: String = file.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != sum {
        let why = "its sum is not the one that was recorded".to_owned();
        return Err(Ended::Source(RestoreError::Damaged { path: path.to_owned(), why }));
    }
    Ok(plain)
}

/// Why an expansion ended early.
pub(super) enum Ended {
    /// The file, or whoever wanted it.
    Source(RestoreError),
    /// Whoever took it does not take any more.
    Sink(io::Error),
}

/// A file whose bytes are summed as they are read.
struct Summing {
    file: File,
    sum: Sha256,
}

impl Read for Summing {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.sum.update(&bytes[..read]);
        Ok(read)
    }
}

/// Starts a client; its complaints are gathered by a thread, for a full pipe would hold it up.
fn start(
    prepared: &mut Prepared,
    action: &'static str,
    control: &Control,
) -> Result<(Streams, std::thread::JoinHandle<String>), RestoreError> {
    let mut child = prepared.command.spawn().map_err(|error| RestoreError::Client {
        action,
        program: prepared.program.clone(),
        status: "it does not start".to_owned(),
        said: Some(error.to_string()),
    })?;
    let mut complaints = child.stderr.take();
    let gathering = std::thread::spawn(move || {
        let mut said = Vec::new();
        let mut chunk = [0; 1024];
        while let Some(Ok(read @ 1..)) = complaints.as_mut().map(|stream| stream.read(&mut chunk)) {
            said.extend_from_slice(&chunk[..read]);
            let surplus = said.len().saturating_sub(SAID);
            said.drain(..surplus);
        }
        String::from_utf8_lossy(&said).into_owned()
    });
    let streams = Streams { stdin: child.stdin.take(), stdout: child.stdout.take() };
    control.watch(child);
    Ok((streams, gathering))
}

struct Streams {
    stdin: Option<std::process::ChildStdin>,
    stdout: Option<std::process::ChildStdout>,
}

/// Waits for a client's end.
fn end(
    prepared: &Prepared,
    action: &'static str,
    gathering: std::thread::JoinHandle<String>,
    control: &Control,
) -> Result<(), RestoreError> {
    let failed = |status: String, said: Option<String>| RestoreError::Client {
        action,
        program: prepared.program.clone(),
        status,
        said,
    };
    let status = control.take().map(|mut child| child.wait());
    let said = gathering.join().unwrap_or_default();
    if control.is_stopped() {
        return Err(RestoreError::Stopped);
    }
    match status {
        Some(Ok(status)) if status.success() => Ok(()),
        Some(Ok(status)) => Err(failed(status.to_string(), complaint(&said))),
        Some(Err(error)) => Err(failed("its end was not seen".to_owned(), Some(error.to_string()))),
        None => Err(RestoreError::Stopped),
    }
}

/// The last line of a client's complaints that is no mere warning.
fn complaint(said: &str) -> Option<String> {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let (warnings, errors): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains("WARNING"));
    errors.last().or(warnings.last()).map(|line| (*line).to_owned())
}

/// Runs a client that dumps into a file at `path`.
pub(super) fn dump(mut prepared: Prepared, path: &Utf8Path, control: &Control) -> Result<Written, RestoreError> {
    const ACTION: &str = "dump the database";
    let (streams, gathering) = start(&mut prepared, ACTION, control)?;
    let written = match streams.stdout {
        Some(stdout) => compress(stdout, path, control),
        None => Err(RestoreError::Stopped),
    };
    if written.is_err() {
        control.kill();
    }
    let ended = end(&prepared, ACTION, gathering, control);
    // A disk that refuses ends the client too: the disk is the cause.
    let written = written?;
    ended.map(|()| written)
}

/// Runs a program to its end.
pub(super) fn run(mut prepared: Prepared, action: &'static str, control: &Control) -> Result<(), RestoreError> {
    let (streams, gathering) = start(&mut prepared, action, control)?;
    drop(streams);
    // Its complaints end with it. Only then is it waited for: until then it can be stopped.
    let said = gathering.join().unwrap_or_default();
    end(&prepared, action, std::thread::spawn(move || said), control)
}

/// What a client takes: statements around what a file holds.
pub(super) struct Script<'a> {
    /// Before the file.
    pub(super) first: &'a str,
    /// The compressed file.
    pub(super) path: &'a Utf8Path,
    /// Its sum.
    pub(super) sum: &'a str,
    /// After the file, and only if all of it was as it was written.
    pub(super) last: &'a str,
}

/// Runs a client that takes a script. Returns how many bytes the file held.
pub(super) fn load(mut prepared: Prepared, script: &Script<'_>, control: &Control) -> Result<u64, RestoreError> {
    const ACTION: &str = "bring the database back";
    let (mut streams, gathering) = start(&mut prepared, ACTION, control)?;
    let passed = match streams.stdin.as_mut() {
        Some(stdin) => pass(script, stdin, control),
        None => Err(Ended::Source(RestoreError::Stopped)),
    };
    if matches!(passed, Err(Ended::Source(_))) {
        // Before its input ends: it must not take a half for the whole.
        control.kill();
    }
    drop(streams);
    let ended = end(&prepared, ACTION, gathering, control);
    match passed {
        Ok(plain) => ended.map(|()| plain),
        Err(Ended::Source(error)) => Err(error),
        // The client did not listen to the end: it says why.
        Err(Ended::Sink(error)) => {
            ended?;
            Err(RestoreError::disk("pass on", script.path, error))
        }
    }
}

fn pass(script: &Script<'_>, sink: &mut impl Write, control: &Control) -> Result<u64, Ended> {
    sink.write_all(script.first.as_bytes()).map_err(Ended::Sink)?;
    let plain = expand(script.path, script.sum, sink, control)?;
    sink.write_all(script.last.as_bytes()).map_err(Ended::Sink)?;
    Ok(plain)
}
