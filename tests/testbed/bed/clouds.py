"""Clouds: sets of OpenStack databases with pending data migrations, made in seconds from cached dumps."""

import concurrent.futures
import json
import re
import secrets
import string
import urllib.parse

from .common import SOURCE, TestbedError
from .layout import ONE_CELL

SEEDS = SOURCE / "seed"
# What the number of nova's servers is unless somebody asks, and what the sequence in seed/servers/*.sql goes up to.
ROWS = 2000
MOST_ROWS = 10_000_000
# The cloud that the dumps are made from.
SCRATCH = "testbed"
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
# A password that is easy to find in whatever a program wrote.
PASSWORD_PREFIX = "Leak0"
# One per core of a small machine; more only get in each other's way.
WORKERS = 2


def check_name(name):
    """Refuses a name that is no plain identifier, or that the test bed or MariaDB uses itself."""
    if not NAME.fullmatch(name) or name in (SCRATCH, "root", "mysql"):
        raise TestbedError(f"{name!r} cannot name a cloud; use up to 32 lower case letters, digits and _, starting with a letter")


def random_password():
    """A password of letters and digits, which needs no escaping anywhere."""
    return PASSWORD_PREFIX + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(19))


def literal(text):
    """A string as an SQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def in_parallel(function, things):
    """Calls a function for each thing, a few at a time; the first error is raised."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, things))


class Cloud:
    """The databases of one cloud, all named after it, and the database user that may use them and nothing else."""

    def __init__(self, server, name, user=None, password=None, layout=ONE_CELL):
        self.server = server
        self.name = name
        self.user = user or name
        self.password = password
        self.layout = layout
        self.databases = layout.databases

    def database(self, database):
        """The full name of one database."""
        return f"{self.name}_{database}"

    def url(self, database, password=None):
        """The address of one database as OpenStack's configuration files spell it."""
        login = self.user if password is None else f"{self.user}:{urllib.parse.quote(password, safe='')}"
        return f"mysql+pymysql://{login}@127.0.0.1:{self.server.port}/{self.database(database)}?charset=utf8"

    @property
    def urls(self):
        """All addresses, with the password if there is one."""
        return {database: self.url(database, self.password) for database in self.databases}

    def sql(self, database, statements):
        """Runs SQL as root on one database."""
        return self.server.sql(statements, self.database(database))

    def empty(self):
        """Drops the databases if they are there, and makes them anew."""
        in_parallel(lambda database: self.server.recreate(self.database(database)), self.databases)

    def load(self, dumps):
        """Fills empty databases from dumps, the largest first, and makes nova's cell mappings name these databases."""
        largest_first = sorted(self.databases, key=lambda database: -dumps[database].stat().st_size)
        in_parallel(lambda database: self.server.load(self.database(database), dumps[database]), largest_first)
        # nova-manage connects to whatever the mappings say, so they have to have this cloud's user and password too.
        for cell, database in self.layout.mapped.items():
            address = literal(self.urls[database])
            self.sql("nova_api", f"UPDATE cell_mappings SET database_connection = {address} WHERE name = '{cell}';")

    def dump(self, directory):
        """Writes one dump per database."""
        in_parallel(lambda database: self.server.dump(self.database(database), directory / f"{database}.sql"), self.databases)

    def seed(self):
        """Puts rows in as the services of the oldest release would have left them."""
        numbers = {database: number for number, database in enumerate(self.layout.cells.values(), 1)}
        for database in self.databases:
            if database in numbers:
                self._seed_cell(numbers[database], database, SEEDS / "nova.sql")
            else:
                self.sql(database, (SEEDS / f"{database}.sql").read_text())

    def add_servers(self, rows):
        """Gives nova its servers, spread over the cells; not part of the dumps because their number can be chosen."""
        counts = f"SET @rows = {rows}, @cells = {self.layout.count};\n"
        self.sql("nova_api", counts + (SEEDS / "servers" / "nova_api.sql").read_text())
        for number, database in enumerate(self.layout.cells.values(), 1):
            self._seed_cell(number, database, SEEDS / "servers" / "nova.sql", counts)

    def _seed_cell(self, number, database, seed, counts=""):
        """Runs a seed that every cell gets a part of, in one cell's database."""
        self.sql(database, f"{counts}SET @cell = {number};\n" + seed.read_text())

    def grant(self):
        """Makes the database user, with every right on the cloud's own databases."""
        # In a grant _ is a wildcard unless it is escaped.
        escaped = [self.database(database).replace("_", "\\_") for database in self.databases]
        grants = "".join(f"GRANT ALL PRIVILEGES ON `{database}`.* TO '{self.user}'@'%';\n" for database in escaped)
        self.server.sql(f"CREATE OR REPLACE USER '{self.user}'@'%' IDENTIFIED BY {literal(self.password)};\n{grants}")

    def drop(self):
        """Removes the databases, those of cells that the layout does not know included, and the user."""
        found = self.server.sql("SHOW DATABASES").split()
        cells = re.compile(re.escape(self.database("nova_cell")) + r"\d+")
        doomed = {*(self.database(database) for database in self.databases), *filter(cells.fullmatch, found)}
        in_parallel(lambda database: self.server.sql(f"DROP DATABASE IF EXISTS `{database}`"), sorted(doomed))
        if self.user == self.name:
            self.server.sql(f"DROP USER IF EXISTS '{self.user}'@'%'")

    def configuration(self, directory, images, docker_host):
        """A leapfrog.yaml for this cloud. A JSON string is a YAML string too."""

        def database(service):
            return f"{{url: {json.dumps(self.url(service))}, password_file: {json.dumps(str(directory / 'password'))}}}"

        socket = docker_host if (docker_host or "").startswith("unix://") else None
        lines = [
            "format: 1",
            f"name: {self.name}",
            f"state: {json.dumps(str(directory / 'state'))}",
            "runner:",
            "  containers:",
            "    network: host",
            *([f"    socket: {json.dumps(socket)}"] if socket else []),
            "    images:",
            f"      default: {json.dumps(images + ':{series}')}",
            # Tests of restore points change this.
            "restore_points:",
            "  policy: none",
            "  accept_no_way_back: true",
            "services:",
            "  keystone:",
            f"    database: {database('keystone')}",
            "  nova:",
            "    databases:",
            f"      api: {database('nova_api')}",
            f"      cell0: {database('nova_cell0')}",
            "    cells:",
            *(f"      {cell}: {database(name)}" for cell, name in self.layout.cells.items()),
        ]
        for service in ("placement", "neutron", "cinder", "glance", "barbican"):
            lines += [f"  {service}:", f"    database: {database(service)}"]
        return "\n".join(lines) + "\n"
