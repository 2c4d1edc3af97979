"""Daemons that outlive the command that started them, and that are stopped only when they are provably ours."""

import contextlib
import errno
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from .common import TestbedError

# Below the range that Linux hands to outgoing connections, so that a recorded port tends to stay free.
PORTS = range(20000, 32000)


def port_is_free(port):
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def choose_port(recorded):
    """The recorded port if it is still free, another one otherwise."""
    if recorded and port_is_free(recorded):
        return recorded
    for port in random.sample(PORTS, 200):
        if port_is_free(port):
            return port
    raise TestbedError(f"no free port found between {PORTS[0]} and {PORTS[-1]} of 127.0.0.1; stop something that listens there")


def _start_time(pid):
    """When a process started, in clock ticks since boot, or None if there is no such process (a zombie is none)."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _boot():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Daemon:
    """One process with a record of its identity: pid, start time and boot, which no later process can share."""

    def __init__(self, home, name):
        self.home = home
        self.name = name
        self.record = home.sub("run") / f"{name}.json"

    @property
    def pid(self):
        """The pid while the process that was started runs, else None."""
        try:
            record = json.loads(self.record.read_text())
        except (FileNotFoundError, ValueError):
            return None
        started = _start_time(record["pid"])
        same = started is not None and started == record["started"] and record["boot"] == _boot()
        return record["pid"] if same else None

    def start(self, argv, ready, patience=60.0):
        """Starts the daemon in a session of its own, without our stdio, and waits until `ready()` is true."""
        log = self.home.log(self.name)
        with log.open("ab") as out:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                start_new_session=True,
            )
        identity = {"pid": process.pid, "started": _start_time(process.pid), "boot": _boot()}
        self.home.write(self.record, json.dumps(identity))
        deadline = time.monotonic() + patience
        while not ready():
            if process.poll() is not None:
                raise TestbedError(f"{self.name} ended at once with exit code {process.returncode}:\n{self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise TestbedError(f"{self.name} did not answer within {patience:.0f} s:\n{self._last_words()}")
            time.sleep(0.05)
        # The daemon is meant to outlive us: without this Python would warn that it is still running.
        process.returncode = 0

    def stop(self, patience=30.0):
        """Ends the process if it is still the one that was started; returns whether there was one."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + patience
            while self.pid is not None:
                if time.monotonic() > deadline:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    deadline += patience
                time.sleep(0.05)
        self.record.unlink(missing_ok=True)
        return pid is not None

    def _last_words(self):
        log = self.home.log(self.name)
        lines = log.read_text(errors="replace").splitlines()[-8:]
        return "\n".join(f"    {line}" for line in lines) + f"\nAll of its output: {log}"
