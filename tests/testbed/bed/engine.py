"""The Docker engine: the one that answers, or a daemon of the test bed's own where none does."""

import os
import pathlib
import subprocess

from . import packages
from .common import TestbedError, run, say, stage
from .daemons import Daemon

# Every container of the test bed has the first label; the second tells test beds on one daemon apart.
LABEL = "leapfrog-testbed=1"
OWNER = "leapfrog-testbed.directory"
# Without these a build could not reach package indexes through the machine's own proxy or mirror.
PASSED_ON = [
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"),
]
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


class Engine:
    """The docker command line, pointed at one daemon."""

    def __init__(self, home, host):
        self.home = home
        self.host = host  # None: the client's default

    def command(self, *words):
        """A docker command line for this daemon."""
        return ["docker", *(["--host", self.host] if self.host else []), *words]

    def __call__(self, *words, **options):
        return run(self.command(*words), **options)

    def succeeds(self, *words):
        """Whether a docker command exits 0; its output is of no interest."""
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0

    def answers(self):
        """Whether a daemon answers there."""
        return self.succeeds("version", "--format", "{{.Server.Version}}")

    def run(self, image, argv, mounts=(), env=None, user=None, log=None, hint=None):
        """Runs one command in a container on the host's network, and removes the container."""
        words = ["run", "--rm", "--label", LABEL, "--label", f"{OWNER}={self.home.path}", "--network", "host"]
        for source, target, *mode in mounts:
            words += ["--volume", ":".join([str(source), str(target), *mode])]
        for name, value in (env or {}).items():
            words += ["--env", f"{name}={value}"]
        if user:
            words += ["--user", user]
        return self(*words, image, *argv, log=log, hint=hint)

    def run_online(self, image, argv, mounts=(), env=None, log=None):
        """Like run, for commands that install from PyPI: with the machine's certificates, proxies and indexes."""
        passed = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
        if "PIP_INDEX_URL" in passed:
            passed.setdefault("UV_DEFAULT_INDEX", passed["PIP_INDEX_URL"])
        trust = {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES, "HOME": "/tmp"}
        mounts = [*mounts, (CERTIFICATES, CERTIFICATES, "ro")]
        user = f"{os.getuid()}:{os.getgid()}"
        return self.run(image, argv, mounts=mounts, env={**passed, **trust, **(env or {})}, user=user, log=log)

    def sweep(self):
        """Removes containers that an interrupted run left behind."""
        left = self("ps", "--all", "--quiet", "--filter", f"label={OWNER}={self.home.path}").split()
        if left:
            say(f"removing {len(left)} containers that an interrupted run left behind")
            self("rm", "--force", "--volumes", *left)


def current(home):
    """The engine that `up` settled on."""
    return Engine(home, home.settings.get("docker_host"))


def ensure(home, own=False):
    """Finds the daemon to use; starts one of the test bed's own where none answers, or where one is asked for."""
    daemon = Daemon(home, "dockerd")
    private = Engine(home, f"unix://{home.socket('docker')}")
    own = own or (daemon.pid is not None and private.answers())
    given = os.environ.get("DOCKER_HOST")
    if given and not own:
        engine = Engine(home, given)
        if not engine.answers():
            raise TestbedError(f"no Docker daemon answers at DOCKER_HOST={given}; start it, or unset DOCKER_HOST")
        home.set(docker_host=given)
        return engine
    if not own:
        engine = Engine(home, None)
        if engine.answers():
            home.set(docker_host=None)
            return engine
    if not (daemon.pid and private.answers()):
        _start(home, daemon, private)
    home.set(docker_host=private.host)
    return private


def stop(home):
    """Stops the test bed's own daemon, and takes away the mounts that it leaves; returns whether it ran."""
    ran = Daemon(home, "dockerd").stop()
    below = f"{home.path}/docker/"
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        mounted = line.split()[1]
        if mounted.startswith(below):
            run(["umount", mounted])
    return ran


def bridge():
    """The bridge to name to a daemon: one that is told to have none removes docker0, another daemon's included."""
    return "docker0" if pathlib.Path("/sys/class/net/docker0").exists() else "none"


def _start(home, daemon, engine):
    """Starts a dockerd that shares nothing with a system-wide one: its own data, socket, pid file and containerd."""
    if not packages.is_root_on_debian():
        raise TestbedError(
            "no Docker daemon answers, and only root on Debian may start one here; "
            "start Docker (systemctl start docker), or set DOCKER_HOST to one that runs"
        )
    packages.install(home, [] if packages.find("dockerd") else ["docker.io"])
    with stage("Docker daemon"):
        daemon.stop()
        config = home.path / "docker" / "daemon.json"
        home.write(config, "{}\n")
        argv = [
            packages.find("dockerd"),
            # The system's daemon.json may not name anything that a flag names too.
            *("--config-file", config),
            *("--host", engine.host),
            *("--data-root", home.sub("docker", "data")),
            *("--exec-root", home.sub("docker", "exec")),
            *("--pidfile", home.sub("run") / "dockerd.pid"),
            # A containerd that runs already is shared, under names that no other daemon uses.
            *("--containerd-namespace", "leapfrog-testbed", "--containerd-plugins-namespace", "leapfrog-testbed-plugins"),
            # Every container of the test bed uses the host's network.
            *("--bridge", bridge(), "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        ]
        (home.sub("run") / "dockerd.pid").unlink(missing_ok=True)
        daemon.start(argv, engine.answers)
