"""The dumps that clouds are made from.

Those of the oldest release are made by that release's real commands, in containers of its image, and by the SQL in
seed/. Those of a later release are made by taking the earlier ones through that release's commands.
"""

import shutil

from .clouds import DATABASES, SCRATCH, SEEDS, Cloud, in_parallel
from .common import RELEASES, TestbedError, fingerprint, stage
from .mariadb import ROOT

OLDEST = next(iter(RELEASES["releases"]))
# The slowest first, so that none of them is left to run alone.
SERVICES = ["nova", "neutron", "cinder", "keystone", "glance", "placement", "barbican"]
SYNC = {
    "keystone": "keystone-manage db_sync",
    "placement": "placement-manage db sync",
    "neutron": "neutron-db-manage --subproject neutron upgrade heads",
    "cinder": "cinder-manage db sync",
    "glance": "glance-manage db sync",
    "barbican": "barbican-manage db upgrade",
}


def commands(service, urls, fresh):
    """What brings one service's databases to the release of the image: pairs of an environment and a command."""
    if service == "nova":
        return nova_commands(urls, fresh)
    env = {"OS_DATABASE__CONNECTION": urls[service]}
    if service == "placement":
        env = {"OS_PLACEMENT_DATABASE__CONNECTION": urls[service]}
    if service == "barbican":
        # What the option is called up to 2023.2.
        env["OS_DEFAULT__SQL_CONNECTION"] = urls[service]
    steps = [(env, SYNC[service])]
    if service in ("placement", "cinder") and not fresh:
        steps.append((env, f"{service}-manage db online_data_migrations"))
    return steps


def nova_commands(urls, fresh):
    """The same for nova, which has a database for its API and one for each cell."""
    cell1 = {"OS_API_DATABASE__CONNECTION": urls["nova_api"], "OS_DATABASE__CONNECTION": urls["nova"]}
    cell0 = {**cell1, "OS_DATABASE__CONNECTION": urls["nova_cell0"]}
    steps = [(cell1, "nova-manage api_db sync")]
    if fresh:
        create = f"create_cell --name cell1 --transport-url rabbit://127.0.0.1/ --database_connection {urls['nova']}"
        steps += [
            (cell1, f"nova-manage cell_v2 map_cell0 --database_connection {urls['nova_cell0']}"),
            (cell1, f"nova-manage cell_v2 {create}"),
        ]
    steps += [(cell, "nova-manage db sync --local_cell") for cell in (cell0, cell1)]
    if not fresh:
        steps.append((cell1, "nova-manage db online_data_migrations"))
    return steps


class Dumps:
    """The cached dumps, one set per release."""

    def __init__(self, home, server, engine, registry):
        self.home = home
        self.server = server
        self.engine = engine
        self.registry = registry

    def directory(self, series):
        """Where a release's dumps are."""
        return self.home.path / "dumps" / series

    def _ladder(self, series):
        """The releases up to this one whose images there are."""
        return [name for name in RELEASES["releases"] if name <= series and self.registry.digest(name)]

    def _recipe(self, series):
        """What decides the content of a release's dumps: the images up to it, the commands and the seeds."""
        images = {name: self.registry.digest(name) for name in self._ladder(series)}
        seeds = {path.name: path.read_text() for path in sorted(SEEDS.glob("*.sql"))}
        return fingerprint([images, seeds, DATABASES, SYNC], commands, nova_commands, Dumps._make, Cloud.dump)

    def are_current(self, series):
        """Whether the dumps are there and were made by today's recipe."""
        record = self.directory(series) / "recipe"
        return record.exists() and record.read_text() == self._recipe(series)

    def ensure(self, series):
        """Makes a release's dumps if need be, and those of the releases before it."""
        if self.are_current(series):
            return
        ladder = self._ladder(series)
        if series not in ladder:
            raise TestbedError(f"the image of {series} is missing; run `testbed up --series {series}`")
        earlier = ladder[-2] if len(ladder) > 1 else None
        if earlier:
            self.ensure(earlier)
        with stage(f"databases of {series}"):
            self._make(series, earlier)

    def _make(self, series, earlier):
        """Brings scratch databases to the release, and dumps them."""
        scratch = Cloud(self.server, SCRATCH, user=ROOT)
        scratch.empty()
        if earlier:
            scratch.load(self.directory(earlier))
        self._upgrade(scratch, series, fresh=not earlier)
        if not earlier:
            scratch.seed()
        directory = self.directory(series)
        shutil.rmtree(directory, ignore_errors=True)
        scratch.dump(directory)
        scratch.drop()
        self.home.write(directory / "recipe", self._recipe(series))

    def _upgrade(self, cloud, series, fresh):
        """Runs every service's commands, in containers of the image as the registry has it."""
        image = f"{self.registry.image}:{series}"
        had = self.engine.succeeds("image", "inspect", image)
        self.engine("pull", "--quiet", image)

        def upgrade(service):
            for env, command in commands(service, cloud.urls, fresh):
                self.engine.run(image, command.split(), env=env, log=self.home.log(f"databases-{series}-{service}"))

        try:
            in_parallel(upgrade, SERVICES)
        finally:
            if not had:
                # Whoever uses the image next has to pull it, as on any other machine.
                self.engine.succeeds("rmi", image)
