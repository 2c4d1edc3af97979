"""The command line of the torture: a reference, then leaps that are killed, then what became of them."""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import time

from bed.common import Home, TestbedError, say, stage
from .compare import VOLATILE, Contents
from .kills import KINDS, Reference
from .leap import DONE, Leap
from .place import Place

ROOT = pathlib.Path(__file__).resolve().parents[3]
# How many kills of each kind, and how many of them one leap has to bear.
FULL = {"leapfrog": 50, "mariadbd": 20, "dockerd": 10, "container": 20, "local": 20, "process": 10}
SHORT = {"leapfrog": 4, "mariadbd": 1, "dockerd": 0, "container": 1, "local": 0, "process": 0}
A_LEAP = 5


@dataclasses.dataclass
class Result:
    """What became of one leap."""

    kind: str
    number: int
    kills: list
    endings: list
    seconds: float
    wrong: list

    @property
    def needed(self):
        """What it took to get to the end."""
        if self.wrong:
            return "it did not get there"
        again = len(self.endings) - 1
        return "nothing" if again == 0 else "the same command" + ("" if again == 1 else f", {again} times")


class Torture:
    """All leaps of one torture."""

    def __init__(self, place, options, directory):
        self.place, self.options, self.directory = place, options, directory
        self.chance = random.Random(options.seed)
        self.ends = ["--from", "2023.1", "--to", options.target, *(["--only", options.only] if options.only else [])]
        self.results = []
        # How long a leap in local environments takes; known once there was one.
        self.local_seconds = 0.0
        self.leap = None

    def undisturbed(self):
        """The leap that all others are compared with."""
        with stage("an undisturbed leap"):
            leap = self._leap("undisturbed")
            leap.begin()
            leap.wait()
        if leap.endings != [DONE]:
            raise TestbedError(f"the undisturbed leap ended with {leap.endings}:\n{leap.last_words()}")
        [plan] = leap.directory.glob("state/runs/*/plan.json")
        plan = json.loads(plan.read_text())
        self.place.series = [hop["series"] for hop in plan["hops"]]
        self.seconds = leap.seconds
        self.reference = Reference(plan, leap.journal())
        self.contents = Contents(self.place.cloud, self.place.since)
        tables, rows = self.contents.size
        say(f"it took {self.seconds:.1f} s; {tables} tables with {rows} rows are compared")

    def _leap(self, name):
        self.place.restore()
        self.leap = Leap(self.options.program, self.place, self.directory / name, self.ends)
        return self.leap

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Nothing goes on working on databases that are about to go.
        if self.leap and self.leap.runs():
            self.leap.kill()

    def locally(self):
        """The same leap in environments on this machine, undisturbed."""
        self.place.local = True
        with stage("environments on this machine"):
            leap = self._leap("local")
            code, told = leap.command("pull", *self.ends)
            if code != DONE:
                raise TestbedError(f"`leapfrog pull` ended with {code}:\n{told}")
        with stage("an undisturbed leap in environments on this machine"):
            leap.begin()
            leap.wait()
        self.local_seconds = leap.seconds
        result = Result("local", 0, [], leap.endings, leap.seconds, self._wrong(leap))
        self.results.append(result)
        say(f"it took {leap.seconds:.1f} s, and its databases are {'not ' if result.wrong else ''}those of the leap in containers")
        for line in result.wrong:
            say(f"  {line}")

    def torment(self, kind, number):
        """Leaps with so many kills of a kind in all."""
        self.place.local = kind.local
        torment = kind(self.place, self.chance, self.local_seconds if kind.local else self.seconds, self.reference)
        leaps = idle = 0
        while number > 0 and idle < 3:
            leaps += 1
            before = len(torment.kills)
            torment.prepare()
            leap = self._leap(f"{kind.name}-{leaps}")
            torment.torment(leap, min(number, self.options.a_leap))
            kills = torment.kills[before:]
            number -= len(kills)
            idle = 0 if kills else idle + 1
            result = Result(kind.name, leaps, kills, leap.endings, leap.seconds, self._wrong(leap))
            self.results.append(result)
            say(f"{kind.title}: leap {leaps}, {len(kills)} kills, {result.needed} was needed ({leap.seconds:.0f} s of work)")
            for line in result.wrong:
                say(f"  {line}")
            if not result.wrong:
                shutil.rmtree(leap.directory)

    def _wrong(self, leap):
        """What is not as after the undisturbed leap."""
        if not leap.is_done:
            return [f"the leap ended with {leap.endings}", *leap.last_words().splitlines()]
        wrong = Contents(self.place.cloud, self.place.since).differences(self.contents)
        code, told = leap.command("sweep")
        if code != DONE:
            wrong.append(f"sweep ended with {code}: {told.strip()}")
        if self.place.local:
            left, what = list(leap.directory.glob("state/tasks/*/*")), "directories of tasks"
        else:
            left, what = self.place.containers(), "containers"
        if left:
            wrong.append(f"{len(left)} {what} are left over after a sweep")
        return wrong

    def report(self):
        """What survived, in words."""
        lines = [f"seed {self.options.seed}", "", f"{'killed':44} {'survived':>10}   what was needed"]
        for kind in KINDS:
            mine = [result for result in self.results if result.kind == kind.name]
            total = sum(len(result.kills) for result in mine)
            if not mine:
                continue
            survived = sum(len(result.kills) for result in mine if not result.wrong)
            needed = {}
            for result in mine:
                needed[result.needed] = needed.get(result.needed, 0) + 1
            told = "; ".join(f"{what} ({leaps} leaps)" for what, leaps in sorted(needed.items()))
            lines.append(f"{kind.title:44} {f'{survived} / {total}':>10}   {told}")
        tables, rows = self.contents.size
        lines += ["", f"compared: {tables} tables, {rows} rows, schemas and contents but for"]
        lines += [f"  {database}.{table}.{column}: {why}" for database, table, column, why in VOLATILE]
        lines.append("  created_at, updated_at and deleted_at that lie after the copies were made: when a migration wrote the row")
        return "\n".join(lines) + "\n"


def parser():
    """The options."""
    made = argparse.ArgumentParser(prog="torture", description=__import__("ordeal").__doc__)
    made.add_argument("--short", action="store_true", help="a few kills, of fewer services: part of `make test`")
    made.add_argument("--seed", type=int, help="what the moments are drawn from (default: the time)")
    for kind in KINDS:
        made.add_argument(f"--{kind.name}", type=int, metavar="N", help=f"how often: {kind.title} (default: {FULL[kind.name]}; short: {SHORT[kind.name]})")
    made.add_argument("--a-leap", type=int, default=A_LEAP, metavar="N", help="how many kills a leap has to bear (default: %(default)s)")
    made.add_argument("--rows", type=int, help="nova's servers (default: 300; short: 20)")
    made.add_argument("--no-points", action="store_true", help="leap without restore points, as --short does")
    made.add_argument("--to", dest="target", default="2024.2", metavar="SERIES")
    made.add_argument("--only", metavar="SERVICES", help="these services only, separated by commas (short: cinder,glance,placement)")
    made.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "debug" / "leapfrog", help="the program (default: the debug build)")
    made.add_argument("--json", type=pathlib.Path, help="where the results go besides")
    return made


def main(arguments):
    """Tortures and reports; the exit code is 0 if every kill was survived."""
    options = parser().parse_args(arguments)
    # Also where somebody began it in the background, which ignores Ctrl-C: what was begun is taken away.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    options.seed = int(time.time()) if options.seed is None else options.seed
    options.program = options.program.absolute()
    options.only = options.only or ("cinder,glance,placement" if options.short else None)
    options.rows = options.rows or (20 if options.short else 300)
    numbers = {kind: getattr(options, kind.name) for kind in KINDS}
    numbers = {kind: (SHORT if options.short else FULL)[kind.name] if number is None else number for kind, number in numbers.items()}
    home = Home()
    directory = home.sub("torture") / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    say(f"seed {options.seed} (repeat with --seed {options.seed})")
    try:
        if not options.program.exists():
            raise TestbedError(f"{options.program} is missing; run `cargo build`, or name another with --program")
        with Place(home, options.rows, options.only, not (options.short or options.no_points)) as place, Torture(place, options, directory) as torture:
            torture.undisturbed()
            try:
                if any(kind.local and number for kind, number in numbers.items()):
                    torture.locally()
                for kind, number in numbers.items():
                    torture.torment(kind, number)
            except KeyboardInterrupt:
                say("interrupted; this is how far it came")
                print(torture.report(), end="")
                raise
    except TestbedError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    print(torture.report(), end="")
    if options.json:
        results = [dataclasses.asdict(result) | {"needed": result.needed} for result in torture.results]
        options.json.write_text(json.dumps({"seed": options.seed, "leaps": results}, indent=1) + "\n")
    if any(result.wrong for result in torture.results):
        say(f"journals, logs and outputs of what was lost: {directory}")
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0
