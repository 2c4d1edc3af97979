"""What the container engine saw: when each command's container was made, began, ended and was removed."""

import dataclasses
import json
import subprocess
import tempfile
import time


@dataclasses.dataclass
class Run:
    """One container, with times in seconds since the epoch."""

    step: str
    create: float = None
    start: float = None
    die: float = None
    destroy: float = None
    exit: int = None

    @property
    def seconds(self):
        """How long the command itself took."""
        return self.die - self.start

    @property
    def with_container(self):
        """The same with the making and the removal of its container, which no command here goes without."""
        return (self.destroy or self.die) - (self.create or self.start)


class Watch:
    """Listens to the engine while one way of leaping works."""

    def __init__(self, docker, labels, step):
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        argv = [*docker, "events", "--filter", "type=container", *filters, "--format", "{{json .}}"]
        # A file, because nobody reads a pipe meanwhile, and a full one would silence the engine.
        self.told = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(argv, stdout=self.told)
        self.step = step
        # The engine tells nothing of what happened before it was asked.
        time.sleep(0.5)

    def finish(self):
        """Every container's run, in the order of their beginnings."""
        time.sleep(0.5)
        self.process.terminate()
        self.process.wait()
        self.told.seek(0)
        runs = {}
        for line in self.told:
            event = json.loads(line)
            labels = event["Actor"]["Attributes"]
            if self.step not in labels:
                continue
            run = runs.setdefault(event["Actor"]["ID"], Run(labels[self.step]))
            action = event["Action"]
            if action in ("create", "start", "die", "destroy"):
                setattr(run, action, event["timeNano"] / 1e9)
            if action == "die":
                run.exit = int(labels["exitCode"])
        return [run for run in runs.values() if run.start and run.die]
