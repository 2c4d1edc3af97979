"""The dumps that clouds are made from.

Those of the oldest release are made by that release's real commands, in containers of its image, and by the SQL in
seed/. Those of a later release are made by taking the earlier ones through that release's commands.
"""

import shutil

from .clouds import SCRATCH, SEEDS, Cloud, in_parallel
from .common import RELEASES, TestbedError, fingerprint, stage
from .layout import ONE_CELL
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


def commands(service, urls, fresh, layout):
    """What brings one service's databases to the release of the image: pairs of an environment and a command."""
    if service == "nova":
        return nova_commands(urls, fresh, layout)
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


def nova_commands(urls, fresh, layout):
    """The same for nova, which has a database for its API and one for each cell."""

    def of(database):
        return {"OS_API_DATABASE__CONNECTION": urls["nova_api"], "OS_DATABASE__CONNECTION": urls[database]}

    steps = [(of("nova"), "nova-manage api_db sync")]
    if fresh:
        steps.append((of("nova"), f"nova-manage cell_v2 map_cell0 --database_connection {urls['nova_cell0']}"))
        for number, (cell, database) in enumerate(layout.cells.items(), 1):
            # nova takes a message queue for one cell only.
            queue = "rabbit://127.0.0.1/" + ("" if number == 1 else cell)
            disabled = " --disabled" if layout.disabled and number == layout.count else ""
            create = f"create_cell --name {cell} --transport-url {queue} --database_connection {urls[database]}{disabled}"
            steps.append((of("nova"), f"nova-manage cell_v2 {create}"))
    # The schema of every cell comes before the first data migration: those of one cell read the others too.
    steps += [(of(database), "nova-manage db sync --local_cell") for database in layout.mapped.values()]
    if not fresh:
        steps += [(of(database), "nova-manage db online_data_migrations") for database in layout.cells.values()]
    return steps


class Dumps:
    """The cached dumps, one set per release and layout; a set of several cells holds nova's databases only."""

    def __init__(self, home, server, engine, registry):
        self.home = home
        self.server = server
        self.engine = engine
        self.registry = registry

    def directory(self, series, layout=ONE_CELL):
        """Where the dumps of a release and a layout are."""
        return self.home.path / "dumps" / layout.name / series

    def files(self, series, layout):
        """The dumps that a cloud is loaded from, by database."""
        places = {database: ONE_CELL for database in ONE_CELL.databases} | dict.fromkeys(layout.nova, layout)
        return {database: self.directory(series, place) / f"{database}.sql" for database, place in places.items()}

    def _ladder(self, series):
        """The releases up to this one whose images there are."""
        return [name for name in RELEASES["releases"] if name <= series and self.registry.digest(name)]

    def _recipe(self, series, layout):
        """What decides the content of a release's dumps: the images up to it, the commands and the seeds."""
        images = {name: self.registry.digest(name) for name in self._ladder(series)}
        seeds = {path.name: path.read_text() for path in sorted(SEEDS.glob("*.sql"))}
        inputs = [images, seeds, layout.name, layout.databases, SYNC]
        return fingerprint(inputs, commands, nova_commands, Dumps._make, Cloud.seed, Cloud.dump)

    def _is_current(self, series, layout):
        """Whether one set is there and was made by today's recipe."""
        record = self.directory(series, layout) / "recipe"
        return record.exists() and record.read_text() == self._recipe(series, layout)

    def are_current(self, series, layout=ONE_CELL):
        """Whether all dumps of a cloud are there and were made by today's recipe."""
        return all(self._is_current(series, needed) for needed in {ONE_CELL, layout})

    def ensure(self, series, layout=ONE_CELL):
        """Makes a release's dumps if need be, and those of the releases before it."""
        if layout != ONE_CELL:
            self.ensure(series)
        if self._is_current(series, layout):
            return
        ladder = self._ladder(series)
        if series not in ladder:
            raise TestbedError(f"the image of {series} is missing; run `testbed up --series {series}`")
        earlier = ladder[-2] if len(ladder) > 1 else None
        if earlier:
            self.ensure(earlier, layout)
        cells = "" if layout == ONE_CELL else f" with {layout.name.replace('-', ' ')}"
        with stage(f"databases of {series}{cells}"):
            self._make(series, earlier, layout)

    def _make(self, series, earlier, layout):
        """Brings scratch databases to the release, and dumps them."""
        scratch = Cloud(self.server, SCRATCH, user=ROOT, layout=layout)
        services = SERVICES
        if layout != ONE_CELL:
            scratch.databases, services = layout.nova, ["nova"]
        scratch.empty()
        if earlier:
            scratch.load(self.files(earlier, layout))
        self._upgrade(scratch, series, services, fresh=not earlier)
        if not earlier:
            scratch.seed()
        directory = self.directory(series, layout)
        shutil.rmtree(directory, ignore_errors=True)
        scratch.dump(directory)
        scratch.drop()
        self.home.write(directory / "recipe", self._recipe(series, layout))

    def _upgrade(self, cloud, series, services, fresh):
        """Runs the services' commands, in containers of the image as the registry has it."""
        image = f"{self.registry.image}:{series}"
        had = self.engine.succeeds("image", "inspect", image)
        self.engine("pull", "--quiet", image)

        def upgrade(service):
            for env, command in commands(service, cloud.urls, fresh, cloud.layout):
                self.engine.run(image, command.split(), env=env, log=self.home.log(f"databases-{series}-{service}"))

        try:
            in_parallel(upgrade, services)
        finally:
            if not had:
                # Whoever uses the image next has to pull it, as on any other machine.
                self.engine.succeeds("rmi", image)
