"""Clouds: sets of OpenStack databases with pending data migrations, made in seconds from cached dumps."""

import concurrent.futures
import json
import re
import secrets
import string
import urllib.parse

from .common import SOURCE, TestbedError

DATABASES = ["keystone", "nova_api", "nova_cell0", "nova", "placement", "neutron", "cinder", "glance", "barbican"]
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

    def __init__(self, server, name, user=None, password=None):
        self.server = server
        self.name = name
        self.user = user or name
        self.password = password

    def database(self, service):
        """The full name of one database."""
        return f"{self.name}_{service}"

    def url(self, service, password=None):
        """The address of one database as OpenStack's configuration files spell it."""
        login = self.user if password is None else f"{self.user}:{urllib.parse.quote(password, safe='')}"
        return f"mysql+pymysql://{login}@127.0.0.1:{self.server.port}/{self.database(service)}?charset=utf8"

    @property
    def urls(self):
        """All addresses, with the password if there is one."""
        return {service: self.url(service, self.password) for service in DATABASES}

    def sql(self, service, statements):
        """Runs SQL as root on one database."""
        return self.server.sql(statements, self.database(service))

    def empty(self):
        """Drops the databases if they are there, and makes them anew."""
        in_parallel(lambda service: self.server.recreate(self.database(service)), DATABASES)

    def load(self, directory):
        """Fills empty databases from dumps, the largest first, and makes nova's cell mappings name these databases."""
        dumps = sorted((directory / f"{service}.sql" for service in DATABASES), key=lambda dump: -dump.stat().st_size)
        in_parallel(lambda dump: self.server.load(self.database(dump.stem), dump), dumps)
        # nova-manage connects to whatever the mappings say, so they have to have this cloud's user and password too.
        for cell, service in (("cell0", "nova_cell0"), ("cell1", "nova")):
            address = literal(self.urls[service])
            self.sql("nova_api", f"UPDATE cell_mappings SET database_connection = {address} WHERE name = '{cell}';")

    def dump(self, directory):
        """Writes one dump per database."""
        in_parallel(lambda service: self.server.dump(self.database(service), directory / f"{service}.sql"), DATABASES)

    def seed(self):
        """Puts rows in as the services of the oldest release would have left them."""
        for service in DATABASES:
            self.sql(service, (SEEDS / f"{service}.sql").read_text())

    def add_servers(self, rows):
        """Gives nova its servers; not part of the dumps because their number can be chosen."""
        for service in ("nova_api", "nova"):
            self.sql(service, f"SET @rows = {rows};\n" + (SEEDS / "servers" / f"{service}.sql").read_text())

    def grant(self):
        """Makes the database user, with every right on the cloud's own databases."""
        # In a grant _ is a wildcard unless it is escaped.
        escaped = [self.database(service).replace("_", "\\_") for service in DATABASES]
        grants = "".join(f"GRANT ALL PRIVILEGES ON `{database}`.* TO '{self.user}'@'%';\n" for database in escaped)
        self.server.sql(f"CREATE OR REPLACE USER '{self.user}'@'%' IDENTIFIED BY {literal(self.password)};\n{grants}")

    def drop(self):
        """Removes the databases and the user."""
        in_parallel(lambda service: self.server.sql(f"DROP DATABASE IF EXISTS `{self.database(service)}`"), DATABASES)
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
            "services:",
            "  keystone:",
            f"    database: {database('keystone')}",
            "  nova:",
            "    databases:",
            f"      api: {database('nova_api')}",
            f"      cell0: {database('nova_cell0')}",
            "    cells:",
            f"      cell1: {database('nova')}",
        ]
        for service in ("placement", "neutron", "cinder", "glance", "barbican"):
            lines += [f"  {service}:", f"    database: {database(service)}"]
        return "\n".join(lines) + "\n"
