"""The ways to make a leap that are compared. All of them run the same commands, each in a container of its own."""

import json
import os
import shlex
import subprocess
import sys
import time

from bed.common import TestbedError

LABEL = "leapfrog.bench"

SHELL = """#!/bin/sh
# The leap as a careful operator would script it: one command after the other, and on only if the exit code allows it.
set -eu

# once CODES COMMAND...: runs a command that must end with one of the codes.
once() {
  good=$1; shift; code=0
  "$@" || code=$?
  case " $good " in *" $code "*) ;; *) echo "exit $code: $*" >&2; exit "$code" ;; esac
}

# until_done CODES MORE COMMAND...: runs a command again for as long as its exit code says that there is more to do.
until_done() {
  good=$1 more=$2; shift 2
  while :; do
    code=0
    "$@" || code=$?
    case " $good " in *" $code "*) return ;; esac
    case " $more " in *" $code "*) ;; *) echo "exit $code: $*" >&2; exit "$code" ;; esac
  done
}

"""


class Way:
    """One way, in a directory of its own for each round."""

    def __init__(self, docker, directory, cloud, leap):
        self.docker = docker
        self.directory = directory
        self.cloud = cloud
        self.leap = leap

    def get_ready(self):
        """Does what an operator does in the weeks before; it is not timed."""

    def run(self):
        """Makes the leap; returns the seconds from the first moment to the last."""
        argv, env = self.prepare()
        with (self.directory / f"{self.name}.log").open("w") as log:
            began, clock = time.time(), time.monotonic()
            done = subprocess.run(argv, cwd=self.directory, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
            took = time.monotonic() - clock
        if done.returncode != 0:
            tail = "".join((self.directory / f"{self.name}.log").open().readlines()[-15:])
            raise TestbedError(f"{self.title} ended with exit code {done.returncode} ({self.directory}):\n{tail}")
        return began, took

    def _containers(self):
        """Every command's `docker run`, and its private file with the address of the database."""
        for number, command in enumerate(self.leap.commands, 1):
            path = self.directory / "configuration" / f"{number}.conf"
            path.parent.mkdir(exist_ok=True)
            sections = {}
            for section, option, (kind, value) in command.options:
                text = self.cloud.url(value) if kind == "url-of" else value
                sections.setdefault(section, []).append(f"{option} = {text}\n")
            path.write_text("".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items()))
            yield (
                command,
                [
                    *(*self.docker, "run", "--rm", "--init", "--network", "host", "--user", "0", "--label", f"{LABEL}={command.step}"),
                    *("--volume", f"{path}:{command.configuration}:ro", "--entrypoint", command.words[0], command.image),
                    *command.words[1:],
                ],
            )


class Leapfrog(Way):
    """leapfrog, as an operator calls it."""

    name, title, step = "leapfrog", "leapfrog", "leapfrog.step"

    def __init__(self, *others, program, leap):
        super().__init__(*others)
        self.program, self.ends = program, leap

    def get_ready(self):
        """The images are pulled for every way; `leapfrog pull` also reads what they hold."""
        ends = self.ends[: self.ends.index("--jobs")] if "--jobs" in self.ends else self.ends
        subprocess.run([self.program, "pull", *ends, "--config", self.cloud.config], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def labels(self):
        """Which containers are its own."""
        return [f"leapfrog.cloud={self.cloud.name}"]

    def prepare(self):
        """The call."""
        return [self.program, *self.ends, "--yes", "--config", self.cloud.config], {}

    @property
    def journal(self):
        """The records of the run."""
        (path,) = self.cloud.directory.glob("state/runs/*/journal.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


class Shell(Way):
    """A shell script."""

    name, title, step, labels = "shell", "shell loop", LABEL, [LABEL]

    def prepare(self):
        """Writes the script."""
        script = SHELL
        for command, argv in self._containers():
            good, more = (" ".join(map(str, codes)) for codes in (command.good, command.more))
            call = ["until_done", good, more] if command.more else ["once", good]
            script += f"# {command.step}\n{shlex.join([*call, *argv])}\n"
        path = self.directory / "leap.sh"
        path.write_text(script)
        return ["sh", path], {}


class Ansible(Way):
    """An Ansible playbook with a task for each command."""

    name, title, step, labels = "ansible", "Ansible playbook", LABEL, [LABEL]

    def __init__(self, *others, program):
        super().__init__(*others)
        self.program = program

    def prepare(self):
        """Writes the playbook. JSON is YAML too."""
        tasks = []
        for command, argv in self._containers():
            good, more = list(command.good), list(command.more)
            task = {"name": command.step, "ansible.builtin.command": {"argv": argv}, "register": "ended"}
            task["failed_when"] = f"ended.rc not in {good + more}"
            if more:
                task |= {"until": f"ended.rc not in {more}", "retries": 10000, "delay": 0}
            tasks.append(task)
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        path = self.directory / "leap.yaml"
        path.write_text(json.dumps([play], indent=1))
        env = {"ANSIBLE_HOME": str(self.directory / "ansible"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "false"}
        return [self.program, "--inventory", "localhost,", path], env
