"""The four things that are killed, each at moments that a seed decides."""

import json
import os
import signal
import time

from . import leap as leaps
from .place import Dockerd

# How often the same command is run again after the last kill until that counts as going round in circles.
AGAIN = 4
# How long the database server, or the Docker daemon, is away after a kill: from and to, in seconds.
AWAY = (0.0, 8.0)
# Phases of steps that change a schema.
SCHEMA = {"expand", "migrate", "contract"}


class Kind:
    """Something that is killed in the course of a leap."""

    name = ""
    title = ""
    # Whether commands run in environments on this machine, and not in containers.
    local = False

    def __init__(self, place, chance, seconds, reference):
        self.place = place
        self.chance = chance
        # How long an undisturbed leap takes.
        self.seconds = seconds
        self.reference = reference
        # What was killed, in words.
        self.kills = []

    def prepare(self):
        """What has to be there before the leap."""

    def moments(self, number):
        """As many moments of a leap."""
        return sorted(self.chance.uniform(0.0, self.seconds) for _ in range(number))

    def torment(self, leap, number):
        """Takes a leap to its end, killing so many times on the way where it lasts that long."""
        for moment in self.moments(number):
            if self.reach(leap, moment):
                return
            self.kill(leap, moment)
        self.finish(leap)

    def reach(self, leap, moment):
        """Works until so many seconds of work are done; returns whether the leap came to its end before."""
        for _ in range(AGAIN):
            if not leap.runs():
                if leap.is_done:
                    return True
                leap.begin()
            if not leap.wait(until=moment - leap.seconds):
                return False
        return True

    def finish(self, leap):
        """Runs the same command until the leap is at its end, or does not get on."""
        for _ in range(AGAIN):
            if not leap.runs() and not leap.is_done:
                leap.begin()
            leap.wait()
            if leap.is_done:
                return
            time.sleep(1.0)

    def kill(self, leap, moment):
        """Kills once."""
        raise NotImplementedError


class Leapfrogs(Kind):
    """kill -9 of leapfrog."""

    name = "leapfrog"
    title = "kill -9 of leapfrog"

    def kill(self, leap, moment):
        leap.kill()
        self.kills.append(f"leapfrog after {moment:.3f} s of work")


class Locals(Leapfrogs):
    """kill -9 of leapfrog while commands run in environments on this machine."""

    name = "local"
    title = "kill -9 of leapfrog, local environments"
    local = True


class Processes(Kind):
    """kill -9 of a step's command, or of its supervisor, or of both, in environments on this machine."""

    name = "process"
    title = "kill -9 of a local command or its supervisor"
    local = True

    def kill(self, leap, moment):
        parts = self.chance.choice([["command"], ["supervisor"], ["supervisor", "command"]])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and leap.runs():
            for path in sorted(leap.directory.glob("state/tasks/*/*/command.json")):
                if path.with_name("exit.json").exists():
                    continue
                try:
                    doomed = [json.loads(path.with_name(f"{part}.json").read_text()) for part in parts]
                    # A number that another process has now is not meant.
                    if not all(leaps.began(one["pid"]) == one["start"] for one in doomed):
                        continue
                    for one in doomed:
                        os.kill(one["pid"], signal.SIGKILL)
                except (OSError, ValueError):
                    continue
                self.kills.append(f"{' and '.join(parts)} of {path.parent.name} after {moment:.3f} s")
                return
            time.sleep(0.01)


class Databases(Kind):
    """kill -9 of mariadbd, which comes back after some seconds."""

    name = "mariadbd"
    title = "kill -9 of mariadbd"

    def kill(self, leap, moment):
        away = self.chance.uniform(*AWAY)
        self.place.kill_server()
        time.sleep(away)
        self.place.server.ensure()
        self.kills.append(f"mariadbd after {moment:.3f} s, away for {away:.1f} s")


class Daemons(Kind):
    """kill -9 of dockerd, which comes back after some seconds; every other leap's containers outlive it."""

    name = "dockerd"
    title = "kill -9 of the Docker daemon"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.keep = False

    def prepare(self):
        if self.place.docker is None:
            self.place.docker = Dockerd(self.place.home)
        self.keep = not self.keep
        self.place.docker.daemon.stop()
        self.place.docker.start(self.keep)
        # Images are no part of what is tried: they come beforehand.
        for series in self.place.series:
            self.place.engine("pull", "--quiet", f"{self.place.bed.registry.image}:{series}")

    def kill(self, leap, moment):
        away = self.chance.uniform(*AWAY)
        self.place.docker.kill()
        time.sleep(away)
        self.place.docker.start(self.keep)
        ending = "go on" if self.keep else "are ended"
        self.kills.append(f"dockerd after {moment:.3f} s, away for {away:.1f} s, its containers {ending}")


class Containers(Kind):
    """kill -9 of the containers of schema migrations."""

    name = "container"
    title = "kill -9 of a schema migration's container"

    def torment(self, leap, number):
        # Some are over before they are struck, so twice as many are chosen; those that were killed least come first.
        killed = [kill.split(" ", 1)[0] for kill in self.kills]
        steps = sorted(self.reference.schema_steps(), key=lambda step: (killed.count(step), self.chance.random()))
        doomed = {step: self.chance.uniform(0.2, 0.9) for step in steps[: 2 * number]}
        enough = len(self.kills) + number
        begun = []

        def see(record):
            if record["event"] == "step-started":
                begun.append((time.monotonic(), record["step"]))

        follower = leaps.Follower(leap, see)
        follower.start()
        try:
            for _ in range(AGAIN + number):
                leap.begin()
                while not leap.wait(until=time.monotonic() - leap.began + 0.02):
                    while begun and len(self.kills) < enough:
                        when, step = begun.pop(0)
                        if step in doomed:
                            self._strike(step, when, doomed.pop(step))
                if leap.is_done:
                    return
        finally:
            follower.end()

    def _strike(self, step, when, fraction):
        """Kills the step's container when so much of its usual time is over."""
        moment = fraction * self.reference.seconds[step]
        deadline = when + moment + 5.0
        while time.monotonic() < deadline:
            found = self.place.engine("ps", "--quiet", "--filter", f"label=leapfrog.step={step}", "--filter", "label=leapfrog.cloud=torture").split()
            if found and time.monotonic() >= when + moment:
                if self.place.engine.succeeds("kill", "--signal", "KILL", found[0]):
                    self.kills.append(f"{step} after {time.monotonic() - when:.2f} s of {self.reference.seconds[step]:.2f} s")
                return
            time.sleep(0.01)


class Reference:
    """What an undisturbed leap did."""

    def __init__(self, plan, journal):
        self.phases = {step["id"]: step["phase"] for hop in plan["hops"] for lane in hop["lanes"] for step in lane["steps"]}
        ended = [record for record in journal if record["event"] == "step-ended"]
        self.seconds = {record["step"]: record["seconds"] for record in ended if record["outcome"] == "done"}

    def schema_steps(self):
        """Schema migrations that ran a command."""
        return [step for step in self.seconds if self.phases[step] in SCHEMA and not step.endswith("online-data-migrations")]


KINDS = [Leapfrogs, Databases, Daemons, Containers, Locals, Processes]
