"""The command line of the test bed."""

import argparse
import json
import os
import pathlib
import re
import sys
import time

from . import clouds, engine, packages
from .common import RELEASES, Home, TestbedError, say
from .dumps import OLDEST, Dumps
from .images import NOCOMMAND, Images
from .layout import MOST_CELLS, Layout
from .mariadb import ROOT, MariaDB
from .old import OLD, OldImages
from .registry import USER, Registry

DESCRIPTION = """Makes what leapfrog is tested on: a registry with real images of OpenStack releases, and a real MariaDB
with databases that have data migrations pending."""


class Bed:
    """The parts of one test bed, as its state directory records them."""

    def __init__(self, home):
        self.home = home
        self.registry = Registry(home)
        self.private_registry = Registry(home, private=True)
        self.mariadb = MariaDB(home)
        self.series = home.settings.get("series", [])

    def servers(self):
        """What has to run, in the order in which it is started."""
        return [self.registry, self.private_registry, self.mariadb]

    def require(self):
        """Refuses to go on while something is down, so that no test fails for a reason it cannot know."""
        down = [server.daemon.name for server in self.servers() if not server.is_up()]
        if down or not self.series:
            raise TestbedError(f"the test bed is not up ({', '.join(down) or 'no images yet'}); run `testbed up` first")

    def dumps(self):
        """The dumps that clouds are made from."""
        return Dumps(self.home, self.mariadb, engine.current(self.home), self.registry)


def up(home, options):
    """Builds what is missing and starts what does not run."""
    began = time.monotonic()
    with home.lock():
        packages.install(home, packages.missing())
        docker = engine.ensure(home, own=options.own_docker)
        docker.sweep()
        bed = Bed(home)
        for server in bed.servers():
            server.ensure()
        wanted = {*RELEASES["default_series"], *bed.series, *options.series}
        series = [name for name in RELEASES["releases"] if name in wanted]
        Images(home, docker, bed.registry).ensure(series)
        home.set(series=series)
        bed.dumps().ensure(OLDEST)
    say(f"up after {time.monotonic() - began:.1f} s")


def down(home, _options):
    """Stops the daemons that `up` started; what they keep on disk stays."""
    with home.lock():
        for server in reversed(Bed(home).servers()):
            if server.daemon.stop():
                say(f"{server.daemon.name} stopped")
        if engine.stop(home):
            say("dockerd stopped")


def status(home, _options):
    """Tells what runs and what was built; exits 1 unless everything is up."""
    bed = Bed(home)
    good = True
    for server in bed.servers():
        alive = server.is_up()
        good = good and alive
        print(f"{server.daemon.name:17} {'127.0.0.1:' + str(server.port) if alive else 'down'}")
    docker = engine.current(home)
    answers = docker.answers()
    print(f"{'docker':17} {(docker.host or 'the default socket') if answers else 'down'}")
    print(f"{'images':17} {' '.join([*bed.series, NOCOMMAND]) if bed.series else 'none'}")
    made = [series for series in bed.series if bed.dumps().directory(series).exists()]
    print(f"{'databases':17} {' '.join(made) or 'none'}")
    print(f"{'directory':17} {home.path}")
    return 0 if good and answers and made else 1


def env(home, _options):
    """Prints as JSON where everything is."""
    bed = Bed(home)
    bed.require()
    facts = {
        "registry": bed.registry.address,
        "private_registry": bed.private_registry.address,
        "private_user": USER,
        "private_password": bed.private_registry.password,
        "docker_host": home.settings.get("docker_host"),
        "mariadb": {"host": "127.0.0.1", "port": bed.mariadb.port, "socket": str(bed.mariadb.socket), "root_user": ROOT},
        "directory": str(home.path),
        "image": bed.registry.image,
        "series": bed.series,
    }
    print(json.dumps(facts, indent=1))


def cloud(home, options):
    """Makes a cloud anew and prints as JSON what a test needs to use it."""
    began = time.monotonic()
    clouds.check_name(options.name)
    bed = Bed(home)
    bed.require()
    if options.disabled_cell and options.cells == 1:
        raise TestbedError("a cloud whose only cell is disabled is none; ask for more with --cells")
    layout = Layout(options.cells, options.disabled_cell)
    dumps = bed.dumps()
    if not dumps.are_current(options.series, layout):
        with home.lock():
            dumps.ensure(options.series, layout)
    password = options.password or clouds.random_password()
    made = clouds.Cloud(bed.mariadb, options.name, password=password, layout=layout)
    made.empty()
    made.load(dumps.files(options.series, layout))
    made.add_servers(options.rows)
    made.grant()
    directory = pathlib.Path(options.dir or home.path / "clouds" / options.name).absolute()
    config = directory / "leapfrog.yaml"
    home.write(directory / "password", made.password)
    home.write(config, made.configuration(directory, bed.registry.image, home.settings.get("docker_host")), mode=0o644)
    say(f"cloud {options.name} at {options.series} after {time.monotonic() - began:.1f} s")
    print(json.dumps({"name": made.name, "password": made.password, "config": str(config), "urls": made.urls}, indent=1))


def drop(home, options):
    """Removes a cloud's databases and its database user."""
    clouds.check_name(options.name)
    bed = Bed(home)
    bed.require()
    clouds.Cloud(bed.mariadb, options.name).drop()


def variant(home, options):
    """Puts a release's image under another tag, with files on top; prints the image's name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", options.tag) or options.tag in {*RELEASES["releases"], NOCOMMAND}:
        raise TestbedError(f"{options.tag!r} is no tag for a variant")
    bed = Bed(home)
    bed.require()
    if options.of not in bed.series:
        raise TestbedError(f"there is no image of {options.of}; run `testbed up --series {options.of}` first")
    files = []
    for pair in options.add:
        path, separator, source = pair.partition("=")
        if not path.startswith("/") or not separator:
            raise TestbedError(f"--add {pair}: write PATH-IN-THE-IMAGE=FILE")
        files.append((path, pathlib.Path(source).read_bytes()))
    Images(home, engine.current(home), bed.registry).variant(options.tag, options.of, files)
    print(f"{bed.registry.image}:{options.tag}")


def scripts(home, options):
    """Makes an image with these packages alone, whose scripts can be read and not run; prints the image's name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.]*", options.series) or not all(re.fullmatch(r"[a-z-]+==[0-9.]+", name) for name in options.packages):
        raise TestbedError("write a release and its packages: 2024.1 nova==29.2.0")
    bed = Bed(home)
    bed.require()
    with home.lock():
        Images(home, engine.current(home), bed.registry).scripts(options.series, options.packages)
    print(f"{bed.registry.image}:scripts-{options.series}")


def old(home, options):
    """Makes the image of a release from before 2023.1, if it is not there; prints the image's name."""
    bed = Bed(home)
    bed.require()
    with home.lock():
        OldImages(home, engine.current(home), bed.registry).ensure_old(options.series)
    print(f"{bed.registry.image}:{options.series}")


def tag(home, options):
    """Gives an image of the registry one more tag."""
    bed = Bed(home)
    bed.require()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", options.tag):
        raise TestbedError(f"{options.tag!r} is no tag")
    bed.registry.put_tag(options.tag, options.series)


def sql(home, options):
    """Runs the SQL on stdin as root, and prints the rows tab separated, without headings."""
    bed = Bed(home)
    bed.require()
    if not re.fullmatch(r"[A-Za-z0-9_]+", options.database):
        raise TestbedError(f"{options.database!r} is no name of a database")
    sys.stdout.write(bed.mariadb.sql(sys.stdin.read(), options.database))


def count(text):
    """A number of rows from the command line."""
    if not text.isdigit() or not 1 <= int(text) <= clouds.MOST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {clouds.MOST_ROWS}")
    return int(text)


def parser():
    """The commands and their options."""
    main_parser = argparse.ArgumentParser(prog="testbed", description=DESCRIPTION)
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, act):
        command = commands.add_parser(name, help=act.__doc__, description=act.__doc__)
        command.set_defaults(act=act)
        return command

    everything = list(RELEASES["releases"])
    command = add("up", up)
    command.add_argument("--series", action="append", default=[], choices=everything, help="build this release as well")
    command.add_argument("--own-docker", action="store_true", help="start a Docker daemon of the test bed's own even if one answers")
    add("down", down)
    add("status", status)
    add("env", env)
    command = add("cloud", cloud)
    command.add_argument("name", metavar="NAME", help="what the databases' names start with, and the database user")
    command.add_argument("--dir", help="where leapfrog.yaml goes (default: below the state directory)")
    command.add_argument("--rows", type=count, default=clouds.ROWS, help="how many servers nova has (default: %(default)s)")
    command.add_argument("--cells", type=int, choices=range(1, MOST_CELLS + 1), default=1, help="how many cells nova has besides cell0 (default: 1)")
    command.add_argument("--disabled-cell", action="store_true", help="disable the last of the cells")
    command.add_argument("--password", help="the database user's password (default: a random one)")
    command.add_argument("--series", default=OLDEST, choices=everything, help="the release it is at (default: %(default)s)")
    command = add("drop", drop)
    command.add_argument("name", metavar="NAME")
    command = add("variant", variant)
    command.add_argument("tag", metavar="TAG")
    command.add_argument("--of", required=True, choices=everything, help="the release whose layers it has")
    command.add_argument("--add", action="append", default=[], metavar="PATH=FILE", help="a file of this machine at a path of the image")
    command = add("scripts", scripts)
    command.add_argument("series", metavar="SERIES")
    command.add_argument("packages", metavar="PACKAGE==VERSION", nargs="+")
    command = add("old", old)
    command.add_argument("series", choices=list(OLD), help="the release")
    command = add("tag", tag)
    command.add_argument("series", choices=everything, help="the release whose image it is")
    command.add_argument("tag", metavar="TAG")
    command = add("sql", sql)
    command.add_argument("database", metavar="DATABASE")
    return main_parser


def main(arguments):
    """Runs one command; the exit code is 0, 1 with a message, or 2 for a wrong call or missing packages."""
    options = parser().parse_args(arguments)
    try:
        return options.act(Home(), options) or 0
    except TestbedError as error:
        say(str(error))
        return 1
    except BrokenPipeError:
        # Whoever read our output, `head` say, has seen enough; Python must not complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        return 130
