"""A leap by leapfrog that is killed and continued."""

import json
import os
import signal
import subprocess
import threading
import time

# The exit codes of leapfrog that this has a name for.
DONE, REFUSED, FAILED, LOCKED = 0, 3, 4, 6
# How long one process may work before it counts as hanging.
PATIENCE = 900.0


class Leap:
    """A leap in a directory of its own, and every process that worked on it."""

    def __init__(self, program, place, directory, ends, limits=""):
        self.program = program
        self.place = place
        self.directory = directory
        self.config = place.configuration(directory, limits)
        self.ends = ends
        # How each process ended: an exit code, or "killed".
        self.endings = []
        self.process = None
        self.seconds = 0.0

    def begin(self):
        """Starts the same command once more."""
        argv = [self.program, *self.ends, "--yes", "--output", "jsonl", "--config", self.config]
        number = len(self.endings)
        with (self.directory / f"{number}.jsonl").open("wb") as out, (self.directory / f"{number}.err").open("wb") as err:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        self.began = time.monotonic()

    def runs(self):
        """Whether a process works; one that ended meanwhile is noted."""
        if self.process is None:
            return False
        if self.process.poll() is None:
            return True
        self._ended(self.process.returncode)
        return False

    def wait(self, until=None):
        """Waits for the end, or for a moment of this process's life; returns whether it ended."""
        while self.runs():
            alive = time.monotonic() - self.began
            if until is not None and alive >= until:
                return False
            if alive > PATIENCE:
                self.process.kill()
                self.process.wait()
                self._ended("hung")
                return True
            time.sleep(0.005 if until is not None else 0.05)
        return True

    def kill(self):
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._ended("killed")

    def _ended(self, how):
        self.seconds += time.monotonic() - self.began
        self.endings.append(how)
        self.process = None

    @property
    def is_done(self):
        """Whether the last process came to the leap's end."""
        return self.endings[-1:] == [DONE]

    def journal(self):
        """The records of the run, as far as they are whole."""
        records = []
        for path in sorted(self.directory.glob("state/runs/*/journal.jsonl")):
            for line in path.read_bytes().split(b"\n")[:-1]:
                records.append(json.loads(line))
        return records

    def last_words(self):
        """What the last process said of its end."""
        number = len(self.endings) - 1
        err = (self.directory / f"{number}.err").read_text(errors="replace").strip()
        failures = [record["failure"] for record in self.journal() if record.get("failure")]
        told = [failure["what"] + " | " + " / ".join(failure.get("last_lines", [])[-2:]) for failure in failures[-2:]]
        return "\n".join([*told, *err.splitlines()[-6:]])

    def command(self, *words):
        """Another command of leapfrog's on this cloud; exit code and output."""
        argv = [str(word) for word in [self.program, *words, "--config", self.config]]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        return done.returncode, done.stdout + done.stderr


class Follower(threading.Thread):
    """Sees which steps a leap begins, while it works."""

    def __init__(self, leap, see):
        super().__init__(daemon=True)
        self.leap = leap
        self.see = see
        self.done = threading.Event()

    def run(self):
        seen = 0
        while not self.done.is_set():
            records = self.leap.journal()
            for record in records[seen:]:
                self.see(record)
            seen = len(records)
            time.sleep(0.05)

    def end(self):
        """Stops looking."""
        self.done.set()
        self.join()


def alive(pid):
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def began(pid):
    """When the process of this number began, in ticks since the machine started."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as status:
        return int(status.read().rsplit(")", 1)[1].split()[19])
