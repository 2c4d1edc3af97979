"""A MariaDB server of the test bed's own, beside whatever the machine runs."""

import getpass
import os
import shutil
import subprocess

from . import packages
from .common import TestbedError, run, stage
from .daemons import Daemon, choose_port

ROOT = "root"
SETTINGS = """[mariadbd]
datadir = {data}
socket = {socket}
pid-file = {pid_file}
bind-address = 127.0.0.1
port = {port}
user = {user}
skip-name-resolve
character-set-server = utf8mb3
collation-server = utf8mb3_general_ci
max_connections = 400
innodb_buffer_pool_size = 512M
# The databases are made anew in seconds, so nothing here has to survive a power cut.
innodb_flush_method = nosync
sync_frm = 0
debug-no-sync
"""
# For a server that nobody kills.
HASTY = """innodb_flush_log_at_trx_commit = 2
innodb_doublewrite = 0
"""
# For one that is killed: what was committed is there afterwards, as on a server with the usual settings.
LASTING = """innodb_flush_log_at_trx_commit = 1
innodb_doublewrite = 1
"""


class MariaDB:
    """The server, and its command line client as root."""

    def __init__(self, home, lasting=False):
        self.home = home
        self.settings = SETTINGS + (LASTING if lasting else HASTY)
        self.daemon = Daemon(home, "mariadb")
        self.socket = home.socket("mariadb")
        self.data = home.path / "mariadb" / "data"

    @property
    def port(self):
        """The port it listens on, or did."""
        return self.home.settings.get("mariadb_port")

    def _client(self, program, *words):
        return [packages.find(program), "--no-defaults", f"--socket={self.socket}", f"--user={ROOT}", *words]

    def is_up(self):
        """Whether our daemon runs and answers."""
        if self.daemon.pid is None:
            return False
        asked = subprocess.run(self._client("mariadb", "--execute", "SELECT 1"), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return asked.returncode == 0

    def ensure(self):
        """Starts the server unless it is up; makes its data directory on first use."""
        if self.is_up():
            return
        with stage("MariaDB"):
            self.daemon.stop()
            if not (self.data / "mysql").exists():
                self._initialize()
            self.home.set(mariadb_port=choose_port(self.port))
            config = self.home.path / "mariadb" / "my.cnf"
            text = self.settings.format(
                data=self.data,
                socket=self.socket,
                pid_file=self.home.sub("run") / "mariadb.pid",
                port=self.port,
                user=getpass.getuser(),
            )
            self.home.write(config, text)
            self.daemon.start([packages.find("mariadbd"), f"--defaults-file={config}"], self.is_up)
            self.sql("DELETE FROM mysql.global_priv WHERE user = ''; FLUSH PRIVILEGES;")

    def _initialize(self):
        """Makes the system tables; a half-made directory of an interrupted run is not used."""
        shutil.rmtree(self.home.path / "mariadb" / "fresh", ignore_errors=True)
        fresh = self.home.sub("mariadb", "fresh")
        run(
            [
                packages.find("mariadb-install-db"),
                *("--no-defaults", f"--datadir={fresh}", f"--user={getpass.getuser()}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            log=self.home.log("mariadb-install-db"),
        )
        os.rename(fresh, self.data)

    def sql(self, statements, database=None):
        """Runs SQL as root and returns what it prints, tab separated."""
        words = ["--batch", "--skip-column-names", "--default-character-set=utf8mb4", *([database] if database else [])]
        return run(self._client("mariadb", *words), stdin=statements)

    def recreate(self, database):
        """An empty database of this name."""
        self.sql(f"DROP DATABASE IF EXISTS `{database}`; CREATE DATABASE `{database}` CHARACTER SET utf8mb3;")

    def dump(self, database, out):
        """Writes everything in a database as SQL that names no database."""
        words = ["--skip-dump-date", "--skip-comments", "--single-transaction", "--routines", "--triggers", database]
        self.home.write(out, run(self._client("mariadb-dump", *words)))

    def load(self, database, dump):
        """Runs a dump against a database."""
        with dump.open("rb") as source:
            done = subprocess.run(self._client("mariadb", database), stdin=source, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise TestbedError(f"loading {dump.name} into {database} failed: {done.stderr.strip()}")
