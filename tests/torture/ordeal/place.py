"""What is killed: a MariaDB server and a Docker daemon that belong to one torture alone."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from bed import clouds, engine, packages
from bed.cli import Bed
from bed.common import Home, TestbedError, say, stage, with_retries
from bed.daemons import Daemon
from bed.dumps import OLDEST
from bed.layout import ONE_CELL
from bed.mariadb import MariaDB

NAME = "torture"


class Place:
    """A directory below the test bed's, named after this process, with a server and a cloud on it."""

    def __init__(self, home, rows, services, points):
        self.bed = Bed(home)
        self.bed.require()
        self.services = services
        self.path = home.sub("torture") / str(os.getpid())
        self.home = Home(self.path)
        self.server = MariaDB(self.home, lasting=True)
        self.pristine = self.path / "pristine"
        self.rows = rows
        # Whether databases are dumped before each release, and a half-done schema migration goes back by itself.
        self.points = points
        self.docker = None
        self.before = ()
        # Whether commands run in environments on this machine, and not in containers.
        self.local = False

    def __enter__(self):
        _sweep(self.path.parent)
        self.before = tuple(self.containers())
        with stage("a database server and a cloud of its own"):
            self.server.ensure()
            password = clouds.random_password()
            self.cloud = clouds.Cloud(self.server, NAME, password=password)
            dumps = self.bed.dumps()
            if not dumps.are_current(OLDEST, ONE_CELL):
                with self.bed.home.lock():
                    dumps.ensure(OLDEST, ONE_CELL)
            self.cloud.empty()
            self.cloud.load(dumps.files(OLDEST, ONE_CELL))
            self.cloud.add_servers(self.rows)
            self.cloud.grant()
            self.server.sql(f"GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{self.cloud.user}'@'%'")
            time.sleep(1.0)
            # From here on a moment in a row was written by a migration.
            self.since = self.server.sql("SELECT UTC_TIMESTAMP()").strip()
            self.server.daemon.stop()
            shutil.copytree(self.server.data, self.pristine)
        return self

    def __exit__(self, *_):
        if self.docker:
            self.docker.remove()
        self.server.daemon.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def restore(self):
        """The databases as they were, on a server that is up."""
        self.server.daemon.stop()
        shutil.rmtree(self.server.data, ignore_errors=True)
        shutil.copytree(self.pristine, self.server.data)
        port = self.server.port
        self.server.ensure()
        if port != self.server.port:
            raise TestbedError(f"port {port} was taken by another program meanwhile; run the torture again")

    def configuration(self, directory, limits=""):
        """A leapfrog.yaml in a directory of its own, and with it a state directory."""
        directory.mkdir(parents=True)
        host = self.docker.host if self.docker else self.bed.home.settings.get("docker_host")
        text = self.cloud.configuration(directory, self.bed.registry.image, host)
        if self.points:
            none = "  policy: none\n  accept_no_way_back: true\n"
            assert none in text
            text = text.replace(none, "  policy: every-hop\n  verify: sample\n")
        if self.local:
            start, end = text.index("runner:\n"), text.index("restore_points:\n")
            text = f"{text[:start]}runner: {{local: {{directory: {json.dumps(str(self.environments))}}}}}\n{text[end:]}"
        text = text.replace("services:\n", f"limits: {{batch: 50{limits}}}\nservices:\n", 1)
        self.home.write(directory / "password", self.cloud.password)
        self.home.write(directory / "leapfrog.yaml", text, mode=0o644)
        return directory / "leapfrog.yaml"

    @property
    def environments(self):
        """Where environments on this machine are; they stay, as images do."""
        return self.bed.home.sub("environments")

    @property
    def engine(self):
        """The docker command line of the daemon in use."""
        return engine.Engine(self.home, self.docker.host) if self.docker else engine.current(self.bed.home)

    def kill_server(self):
        """kill -9 of the database server."""
        pid = self.server.daemon.pid
        os.kill(pid, signal.SIGKILL)
        _wait_for_end(self.server.daemon)

    def containers(self):
        """Every container of this cloud, running or not; an earlier torture's that was cut off are its own."""
        told = self.engine("ps", "--all", "--quiet", "--filter", f"label=leapfrog.cloud={NAME}").split()
        return [container for container in told if container not in self.before]


class Dockerd:
    """A Docker daemon with data, socket, pid file and containerd of its own, to be killed."""

    def __init__(self, home):
        self.home = home
        self.daemon = Daemon(home, "dockerd")
        self.host = f"unix://{home.socket('docker')}"
        self.engine = engine.Engine(home, self.host)

    def start(self, keep):
        """Starts it; with `keep` containers outlive it (live-restore)."""
        config = self.home.path / "docker" / "daemon.json"
        self.home.write(config, "{}\n")
        pid_file = self.home.sub("run") / "dockerd.pid"
        argv = [
            packages.find("dockerd"),
            *("--config-file", config, "--host", self.host, "--pidfile", pid_file),
            *("--data-root", self.home.sub("docker", "data"), "--exec-root", self.home.sub("docker", "exec")),
            *("--bridge", engine.bridge(), "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
            *(["--live-restore"] if keep else []),
        ]

        def begin():
            # Those of a daemon that was killed: their numbers may be another process's by now.
            for left in (pid_file, self.home.path / "docker" / "exec" / "containerd" / "containerd.pid"):
                left.unlink(missing_ok=True)
            self.daemon.start(argv, self.engine.answers)

        # On a busy machine its containerd can take longer than dockerd waits for it.
        with_retries(begin)

    def kill(self):
        """kill -9 of the daemon. Its containerd goes with it; the containers' shims do not."""
        os.kill(self.daemon.pid, signal.SIGKILL)
        _wait_for_end(self.daemon)

    def remove(self):
        """Takes away containers, daemon and mounts."""
        with contextlib.suppress(TestbedError):
            # Containers that outlived a daemon need one that ends them.
            if not self.engine.answers():
                self.daemon.stop()
                self.start(keep=False)
            left = self.engine("ps", "--all", "--quiet").split()
            if left:
                self.engine("rm", "--force", "--volumes", *left)
        self.daemon.stop()
        _unmount(self.home.path)


def _wait_for_end(daemon):
    deadline = time.monotonic() + 20
    while daemon.pid is not None:
        if time.monotonic() > deadline:
            raise TestbedError(f"{daemon.name} does not end after kill -9")
        time.sleep(0.01)


def _unmount(directory):
    """Takes away what a daemon mounted below a directory, the deepest first."""
    mounted = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((path for path in mounted if path.startswith(f"{directory}/")), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", path], check=False)


def _sweep(directory):
    """Takes away what tortures left that were killed themselves."""
    for left in directory.iterdir():
        if left.name.isdigit() and not pathlib.Path("/proc", left.name).exists():
            say(f"removing what torture {left.name} left behind")
            home = Home(left)
            Daemon(home, "mariadb").stop()
            if (left / "docker").exists():
                Dockerd(home).remove()
            shutil.rmtree(left, ignore_errors=True)
