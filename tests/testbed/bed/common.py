"""What every part of the test bed shares: its directory, its settings, its progress lines and its errors."""

import contextlib
import fcntl
import hashlib
import inspect
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
# The kernel takes no more bytes of a socket's path than this.
LONGEST_SOCKET = 107
RELEASES = json.loads((SOURCE / "releases.json").read_text())


class TestbedError(Exception):
    """Something the user has to know about; its text says what to do next."""


def say(text):
    """Prints one progress line; stdout stays free for results."""
    print(f"testbed: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def stage(title):
    """Announces a slow stage, and tells how long it took."""
    say(f"{title} ...")
    began = time.monotonic()
    yield
    say(f"{title}: done in {time.monotonic() - began:.1f} s")


def fingerprint(inputs, *code):
    """A short hash of a step's inputs and of the functions that carry it out, so that a change of either redoes it."""
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for function in code:
        digest.update(inspect.getsource(function).encode())
    return digest.hexdigest()[:16]


def run(argv, log=None, stdin=None, env=None, hint=None):
    """Runs a command to its end and returns its stdout; a failure shows the end of what it said and the hint."""
    done = subprocess.run(
        [str(word) for word in argv],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=env,
        text=True,
        errors="replace",
        check=False,
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as out:
            out.write(f"$ {' '.join(str(word) for word in argv)}\n{done.stdout}{done.stderr}[exit {done.returncode}]\n")
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-12:])
        where = f"\nAll of its output: {log}" if log is not None else ""
        advice = f"\n{hint}" if hint else ""
        raise TestbedError(f"{argv[0]} failed with exit code {done.returncode}:\n{tail}{where}{advice}")
    return done.stdout


def with_retries(action, attempts=3, pause=5.0):
    """Does something that fetches: a network that fails once often works a moment later."""
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except TestbedError as error:
            if attempt == attempts:
                raise
            say(f"attempt {attempt} of {attempts} failed, trying again in {pause:.0f} s: {str(error).splitlines()[0]}")
            time.sleep(pause)


class Home:
    """The state directory, outside any checkout so that a fresh clone finds everything built."""

    def __init__(self, path=None):
        chosen = path or os.environ.get("LEAPFROG_TESTBED")
        if not chosen:
            cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
            chosen = pathlib.Path(cache) / "leapfrog-testbed"
        self.path = pathlib.Path(chosen).absolute()
        self.settings_file = self.path / "settings.json"

    def sub(self, *parts):
        """A directory below the state directory, made when missing."""
        directory = self.path.joinpath(*parts)
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def log(self, name):
        """Where the output of one step or daemon goes."""
        return self.sub("log") / f"{name}.log"

    def socket(self, name):
        """A path for a socket; a long state directory moves it elsewhere."""
        path = self.sub("run") / f"{name}.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return path
        short = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        directory = pathlib.Path(tempfile.gettempdir()) / f"leapfrog-testbed-{short}"
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory / f"{name}.sock"

    @property
    def settings(self):
        """What earlier runs chose: ports, passwords, the Docker address and the releases that were built."""
        try:
            return json.loads(self.settings_file.read_text())
        except FileNotFoundError:
            return {}

    def set(self, **changes):
        """Records settings; a setting of None is forgotten."""
        merged = {**self.settings, **changes}
        self.write(self.settings_file, json.dumps({k: v for k, v in merged.items() if v is not None}, indent=1))

    def write(self, path, text, mode=0o600):
        """Writes a file whole or not at all, so that an interrupted run leaves no half of one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as out:
            out.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)

    @contextlib.contextmanager
    def lock(self):
        """Lets one `up` or `down` work at a time. Daemons do not inherit the lock: Python opens files close-on-exec."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another run is at work on this test bed; waiting for it to end")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
