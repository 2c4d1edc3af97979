"""The command line of the benchmark: sets up, alternates the ways, and reports."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import urllib.parse

from bed.cli import Bed
from bed.clouds import ROWS, random_password
from bed.common import Home, TestbedError, run, say, stage
from . import account, commands, events, proof, report, ways

HERE = pathlib.Path(__file__).resolve().parent.parent
TESTBED = HERE.parent / "testbed" / "testbed"
PROGRAM = HERE.parent.parent / "target" / "release" / "leapfrog"
ANSIBLE = "ansible-core==2.19.*"
NAME = "leapbench"


class Databases:
    """A cloud that is made anew for each leap, always with the same name, rows and password."""

    def __init__(self, directory, options, password):
        self.name, self.directory = NAME, directory
        self.config = directory / "leapfrog.yaml"
        size = ["--rows", options.rows, "--cells", options.cells, *(["--disabled-cell"] if options.disabled_cell else [])]
        told = json.loads(run([TESTBED, "cloud", NAME, "--dir", directory, "--password", password, *size]))
        self.urls = told["urls"]

    def url(self, database):
        """The address of a database that leapfrog knows by this id."""
        service, _, rest = database.partition(".")
        names = {"nova.api": "nova_api", "nova.cell0": "nova_cell0", "nova.cells.cell1": "nova"}
        return self.urls[names.get(database) or (f"nova_{rest.removeprefix('cells.')}" if rest else service)]

    def sql(self, database, statements):
        """Asks a database as root."""
        name = urllib.parse.urlsplit(self.url(database)).path.lstrip("/")
        return run([TESTBED, "sql", name], stdin=statements)


class Bench:
    """One benchmark, with all that its rounds share."""

    def __init__(self, home, options):
        self.home, self.options = home, options
        self.cores = os.cpu_count()
        self.program = options.leapfrog.absolute()
        if not self.program.exists():
            raise TestbedError(f"{self.program} is missing; run `cargo build --release`, or name another with --leapfrog")
        Bed(home).require()
        host = home.settings.get("docker_host")
        self.docker = ["docker", *(["--host", host] if host else [])]
        self.ends = ["--from", options.source, "--to", options.target, *(["--only", options.only] if options.only else [])]
        self.directory = home.sub("bench") / time.strftime("%Y%m%d-%H%M%S")
        self.password = random_password()
        self.ansible = self._ansible()
        first = Databases(self.directory / "plan", options, self.password)
        self.plan = json.loads(run([self.program, "plan", *self.ends, "--config", first.config, "--output", "json"]))
        self.leap = commands.read(self.plan)
        with stage("images"):
            run([self.program, "pull", *self.ends, "--config", first.config])
            for image in sorted({command.image for command in self.leap.commands}):
                run([*self.docker, "pull", "--quiet", image])

    def _ansible(self):
        """ansible-core, in a virtual environment of its own."""
        place = self.home.path / "tools" / ANSIBLE.replace("==", "-").replace(".*", "")
        program = place / "bin" / "ansible-playbook"
        if not program.exists():
            with stage(ANSIBLE):
                shutil.rmtree(place, ignore_errors=True)
                run([sys.executable, "-m", "venv", place])
                run([place / "bin" / "pip", "install", "--quiet", ANSIBLE])
        return program

    def once(self, number, kind):
        """Makes one leap one way from fresh databases, and checks where it ended."""
        directory = self.directory / f"{number}-{kind.name}"
        cloud = Databases(directory, self.options, self.password)
        jobs = ["--jobs", self.options.jobs] if self.options.jobs else []
        more = {"leapfrog": {"program": self.program, "leap": self.ends + jobs}, "ansible": {"program": self.ansible}}.get(kind.name, {})
        way = kind(self.docker, directory, cloud, self.leap, **more)
        way.get_ready()
        watch = events.Watch(self.docker, way.labels, way.step)
        before = processor()
        began, took = way.run()
        idle, total = (after - sooner for after, sooner in zip(processor(), before))
        result = {"way": way.name, "round": number, "seconds": took, "load": 1 - idle / total, "runs": watch.finish()}
        (directory / "containers.json").write_text(json.dumps([vars(run) for run in result["runs"]], indent=1) + "\n")
        result["rows"] = proof.check(cloud, self.leap, way.title)
        if way.name == "leapfrog":
            result |= {"began": began, "journal": way.journal}
        say(f"round {number}: {way.title} took {took:.1f} s, {len(result['runs'])} commands, processors {result['load']:.0%} busy")
        return result

    def measure(self):
        """All rounds; the ways alternate, so that whatever changes on the machine changes for all."""
        kinds = [kind for kind in (ways.Leapfrog, ways.Shell, ways.Ansible) if kind.name in self.options.ways]
        results = []
        for number in range(1, self.options.rounds + 1):
            # Each begins a round in turn: whoever comes first finds the least in memory.
            first = (number - 1) % len(kinds)
            results += [self.once(number, kind) for kind in kinds[first:] + kinds[:first]]
        for result in results[1:]:
            if different := proof.differences(results[0]["rows"], result["rows"]):
                raise TestbedError(f"{results[0]['way']} and {result['way']} left different rows:\n  " + "\n  ".join(different))
        subprocess.run([TESTBED, "drop", NAME], check=False)
        return self._summary(results)

    def _summary(self, results):
        """What is told of it all."""
        summary = {
            "leap": {"from": self.plan["from"], "to": self.plan["to"], "commands": len(self.leap.commands)},
            "rows": self.options.rows,
            "cells": self.options.cells,
            "cores": self.cores,
            "jobs": int(self.options.jobs or self.cores),
            "leapfrog": run([self.program, "--version"]).strip(),
            "ansible": run([self.ansible, "--version"]).splitlines()[0],
            "ways": {},
        }
        for name in dict.fromkeys(result["way"] for result in results):
            mine = [result for result in results if result["way"] == name]
            summary["ways"][name] = {
                "seconds": [result["seconds"] for result in mine],
                "median": statistics.median(result["seconds"] for result in mine),
                "commands": [len(result["runs"]) for result in mine],
                "processors_busy": [result["load"] for result in mine],
            }
        medians = {name: way["median"] for name, way in summary["ways"].items()}
        if "leapfrog" in medians:
            summary["ratios"] = {name: median / medians["leapfrog"] for name, median in medians.items() if name != "leapfrog"}
            typical = min((r for r in results if r["way"] == "leapfrog"), key=lambda r: abs(r["seconds"] - medians["leapfrog"]))
            quiet = [result["runs"] for result in results if result["way"] == "shell"]
            startups = account.startups(self.leap, quiet or [typical["runs"]])
            summary["account"] = account.account(typical, startups, summary["jobs"])
            if quiet and typical["runs"]:
                ran = {run.step for run in typical["runs"]}
                lengths = {"commands": lambda run: run.seconds, "with_containers": lambda run: run.with_container}
                for name, length in lengths.items():
                    path = account.critical_path(self.leap, ran, account.alone(quiet, length), self.cores)
                    bound = sum(hop["seconds"] for hop in path.values())
                    above = medians["leapfrog"] / bound - 1
                    summary.setdefault("critical_path", {})[name] = {"hops": path, "seconds": bound, "leapfrog_above": above}
        return summary


def processor():
    """Idle and total time of all processors so far."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def main(arguments):
    """Measures and reports; the exit code is 0, or 1 with a message."""
    parser = argparse.ArgumentParser(prog="bench", description=__import__("benchmark").__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=ROWS, help="nova's servers (default: %(default)s)")
    parser.add_argument("--cells", type=int, default=1, help="nova's cells besides cell0 (default: %(default)s)")
    parser.add_argument("--disabled-cell", action="store_true", help="disable the last cell")
    parser.add_argument("--from", dest="source", default="2023.1", metavar="SERIES")
    parser.add_argument("--to", dest="target", default="2024.2", metavar="SERIES")
    parser.add_argument("--only", metavar="SERVICES", help="these services only, separated by commas")
    parser.add_argument("--leapfrog", type=pathlib.Path, default=PROGRAM, help="the program that is measured (default: the release build)")
    parser.add_argument("--jobs", help="leapfrog's --jobs (default: its own default, the number of cores)")
    parser.add_argument("--ways", nargs="+", choices=["leapfrog", "shell", "ansible"], default=["leapfrog", "shell", "ansible"])
    parser.add_argument("--json", type=pathlib.Path, help="where the figures go besides the test bed's directory")
    options = parser.parse_args(arguments)
    try:
        bench = Bench(Home(), options)
        summary = bench.measure()
    except TestbedError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; there are no figures")
        return 130
    text = json.dumps(summary, indent=1)
    for path in filter(None, [bench.directory / "bench.json", options.json]):
        path.write_text(text + "\n")
    print(report.text(summary), end="")
    print(f"\nfigures  {bench.directory / 'bench.json'}")
    return 0
