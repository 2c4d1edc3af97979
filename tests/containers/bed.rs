//! What the tests against a real engine need: its address, registries, a small image, tasks.
//!
//! The image is made here: a static busybox, a few links and a user, without anything from a public
//! registry. It is the same to the byte each time, so tests that run side by side do not disturb each other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    ImportImageOptionsBuilder, ListContainersOptionsBuilder, PushImageOptionsBuilder, RemoveContainerOptionsBuilder,
    TagImageOptionsBuilder,
};
use futures_util::StreamExt;
use leapfrog::model::{ImageReference, RunId};
use leapfrog::runner::containers::{ContainerSettings, Containers};
use leapfrog::runner::{PinnedImage, Runner, Task};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::contract;

/// The engine and the registries of the test bed.
pub(crate) struct Bed {
    pub(crate) registry: String,
    pub(crate) private_registry: String,
    pub(crate) private_user: String,
    pub(crate) private_password: String,
    pub(crate) docker_host: Option<String>,
}

/// The test bed's own account of itself: `tests/testbed/testbed env`, or the program that `LEAPFROG_TESTBED_COMMAND` names.
fn ask_bed() -> Bed {
    let program = std::env::var_os("LEAPFROG_TESTBED_COMMAND")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed"), PathBuf::from);
    let answer = Command::new(&program).arg("env").output().unwrap_or_else(|error| {
        panic!("{} cannot be run: {error}. These tests need the test bed: `make test` brings it up.", program.display())
    });
    assert!(
        answer.status.success(),
        "the test bed is not up: run `make test`, or `tests/testbed/testbed up` first.\n{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).expect("the test bed prints JSON");
    let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("the test bed names no {name}")).to_owned();
    Bed {
        registry: text("registry"),
        private_registry: text("private_registry"),
        private_user: text("private_user"),
        private_password: text("private_password"),
        docker_host: answer["docker_host"].as_str().map(str::to_owned),
    }
}

static BED: OnceCell<Bed> = OnceCell::const_new();
static RUNS: AtomicU32 = AtomicU32::new(0);

/// The test bed, with the small image in its registry.
pub(crate) async fn bed() -> &'static Bed {
    BED.get_or_init(|| async {
        let bed = ask_bed();
        Containers::connect(bed.settings()).expect("an engine").identify().await.unwrap_or_else(|error| {
            panic!("{error}. These tests need a container engine: {}", error.advice);
        });
        publish(&bed, "leapfrog/tasks", "1", b"").await;
        bed
    })
    .await
}

impl Bed {
    pub(crate) fn settings(&self) -> ContainerSettings {
        ContainerSettings {
            socket: self.docker_host.clone(),
            cloud: "containers-test".into(),
            // As the rest of the test bed: an engine without a bridge will do.
            network: Some("host".into()),
            // A path that does not exist: the credentials of whoever runs the tests stay out of them.
            credentials: Some("/nonexistent/config.json".into()),
            ..Default::default()
        }
    }

    pub(crate) fn containers(&self) -> Containers {
        Containers::connect(self.settings()).expect("an engine")
    }

    /// A client of the tests' own, for what the runner does not do.
    pub(crate) fn client(&self) -> Docker {
        match &self.docker_host {
            Some(host) => Docker::connect_with_host(host),
            None => Docker::connect_with_defaults(),
        }
        .expect("an engine")
    }

    pub(crate) fn reference(&self, tag: &str) -> ImageReference {
        format!("{}/leapfrog/tasks:{tag}", self.registry).parse().expect("a reference")
    }

    pub(crate) async fn image(&self) -> PinnedImage {
        self.containers().resolve(&self.reference("1")).await.expect("the small image is in the registry")
    }

    /// A run whose containers are removed when the test is over, however it ends.
    pub(crate) fn run(&self) -> TestRun {
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let began = format!("{:08}-{:06}", std::process::id(), number);
        let salt = jiff::Timestamp::now().subsec_nanosecond();
        TestRun { id: RunId::new(&began, (salt & 0xffff) as u16), docker_host: self.docker_host.clone() }
    }
}

/// A run of a test.
pub(crate) struct TestRun {
    pub(crate) id: RunId,
    docker_host: Option<String>,
}

impl TestRun {
    /// A task that runs a line of shell.
    pub(crate) fn shell(&self, image: &PinnedImage, round: u32, line: &str) -> Task {
        self.task(image, round, &["sh", "-c", line])
    }

    pub(crate) fn task(&self, image: &PinnedImage, round: u32, command: &[&str]) -> Task {
        contract::task(&self.id, image, round, command)
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        let (run, docker_host) = (self.id.clone(), self.docker_host.clone());
        let sweep = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let bed = Bed {
                    docker_host,
                    registry: String::new(),
                    private_registry: String::new(),
                    private_user: String::new(),
                    private_password: String::new(),
                };
                let client = bed.client();
                let filter = [("label", vec![format!("leapfrog.run={run}")])].into();
                let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
                for container in client.list_containers(Some(options)).await.unwrap_or_default() {
                    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                    let _ = client.remove_container(&container.id.unwrap_or_default(), Some(options)).await;
                }
            });
        });
        let _ = sweep.join();
    }
}

/// Makes an image with `ballast` in it, gives it to the engine and pushes it to the registry.
pub(crate) async fn publish(bed: &Bed, repository: &str, tag: &str, ballast: &[u8]) {
    let client = bed.client();
    let local = load(&client, tag, ballast).await;
    let remote = format!("{}/{repository}", bed.registry);
    let options = TagImageOptionsBuilder::default().repo(&remote).tag(tag).build();
    client.tag_image(&local, Some(options)).await.expect("tagged");
    let options = PushImageOptionsBuilder::default().tag(tag).build();
    let mut pushed = client.push_image(&remote, Some(options), Some(DockerCredentials::default()));
    while let Some(news) = pushed.next().await {
        let news = news.expect("the registry takes the image");
        assert!(news.error_detail.is_none(), "the registry takes the image: {:?}", news.error_detail);
    }
}

/// Loads the image into the engine and returns the name it has there.
pub(crate) async fn load(client: &Docker, tag: &str, ballast: &[u8]) -> String {
    let name = format!("localhost/leapfrog/made-by-tests:{tag}");
    let layer = layer(ballast);
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {
            // Neither may have any effect on tasks.
            "Entrypoint": ["/bin/false"], "Cmd": ["image's own"], "WorkingDir": "/tmp", "StopSignal": "SIGWINCH",
            "Env": ["PATH=/opt/leapfrog/bin:/bin"],
            "User": "4242",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))]},
    })
    .to_string();
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let manifest = json!([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).to_string();
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in
        [("manifest.json", manifest.as_bytes()), (config_name.as_str(), config.as_bytes()), ("layer.tar", &layer)]
    {
        archive.append_data(&mut header(tar::EntryType::Regular, 0o644, content.len()), path, content).expect("packed");
    }
    let archive = archive.into_inner().expect("packed");
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let mut loaded = client.import_image(options, bollard::body_full(archive.into()), None);
    while let Some(news) = loaded.next().await {
        let news = news.expect("the engine takes the image");
        assert!(news.error_detail.is_none(), "the engine takes the image: {:?}", news.error_detail);
    }
    name
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header
}

fn layer(ballast: &[u8]) -> Vec<u8> {
    let mut layer = tar::Builder::new(Vec::new());
    for (directory, mode) in [("bin", 0o755), ("etc", 0o755), ("etc/keystone", 0o711), ("tmp", 0o1777), ("opt", 0o755)]
    {
        layer
            .append_data(&mut header(tar::EntryType::Directory, mode, 0), directory, std::io::empty())
            .expect("packed");
    }
    let busybox = busybox();
    for (path, mode, content) in [
        ("bin/busybox", 0o755, busybox.as_slice()),
        ("etc/no-program", 0o644, b"text"),
        ("opt/ballast", 0o644, ballast),
    ] {
        layer.append_data(&mut header(tar::EntryType::Regular, mode, content.len()), path, content).expect("packed");
    }
    let applets = ["sh", "cat", "echo", "id", "ls", "printf", "pwd", "sleep", "stat", "env", "awk", "false"];
    for (link, target) in applets.map(|applet| (applet, "busybox")).into_iter().chain([("dangling", "/nowhere")]) {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        layer.append_link(&mut header, format!("bin/{link}"), target).expect("packed");
    }
    layer.into_inner().expect("packed")
}

/// A static busybox: the machine's own, or Debian's.
fn busybox() -> Vec<u8> {
    let own = ["/bin/busybox", "/usr/bin/busybox", "/sbin/busybox"].map(PathBuf::from);
    if let Some(content) = own.iter().filter_map(|path| std::fs::read(path).ok()).find(|content| is_static(content)) {
        return content;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox-static");
    if let Ok(content) = std::fs::read(&kept) {
        return content;
    }
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let script = "apt-get -q download busybox-static && dpkg-deb -x busybox-static_*.deb .";
    let made = Command::new("sh").args(["-c", script]).current_dir(&directory).output().expect("a shell");
    // Renamed, so that tests which run side by side never see half of it.
    let _ = std::fs::rename(directory.path().join("bin/busybox"), &kept);
    std::fs::read(&kept).unwrap_or_else(|_| {
        let complaint = String::from_utf8_lossy(&made.stderr);
        panic!("these tests need a static busybox: install the package busybox-static.\n{complaint}")
    })
}

/// Whether a program needs no loader: nothing else is in the image.
fn is_static(program: &[u8]) -> bool {
    !program.windows(7).any(|bytes| bytes == b"ld-linu" || bytes == b"ld-musl")
}
