"""The Debian packages that the test bed and the tests need on the machine itself."""

import contextlib
import os
import pathlib
import shutil
import sys

from .common import TestbedError, run, say, stage, with_retries

# What is looked for, and the package that brings it.
NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "mariadb": "mariadb-client",
    "mariadb-dump": "mariadb-client",
    "/usr/lib/postgresql/15/bin/initdb": "postgresql-15",
    "createdb": "postgresql-client-15",
    "zstd": "zstd",
    "ps": "procps",
}
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def find(program):
    """The program's path; servers live in sbin, which is not on every user's PATH."""
    return shutil.which(program, path=SYSTEM_PATH)


def missing():
    """The packages that still have to be installed."""
    absent = {package for thing, package in NEEDED.items() if not (pathlib.Path(thing).exists() if thing[0] == "/" else find(thing))}
    if not find("docker"):
        absent.add("docker.io")
    return sorted(absent)


def install(home, packages):
    """Installs packages without letting them start their services; the test bed runs daemons of its own."""
    if not packages:
        return
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not find("apt-get"):
        raise TestbedError(f"this machine lacks what the Debian packages {' '.join(packages)} bring; install it and run this again")
    if os.geteuid() != 0:
        say(f"packages are missing; as root run this, then try again:\n  {command}")
        sys.exit(2)
    with stage(f"Debian packages {' '.join(packages)}"), _no_service_starts():
        log = home.log("apt")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with_retries(lambda: run(["apt-get", "-q", "update"], log=log, env=env))
        with_retries(lambda: run(command.split(), log=log, env=env, hint=f"Try it by hand: {command}"))
    if missing():
        raise TestbedError(f"{' '.join(packages)} were installed, but nothing here brings what {' '.join(missing())} should; see {log}")


@contextlib.contextmanager
def _no_service_starts():
    """Debian asks policy-rc.d before it starts a service; one that is already there is left to decide as it does."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def is_root_on_debian():
    """Whether packages can be installed and daemons run as they need."""
    return os.geteuid() == 0 and pathlib.Path("/etc/debian_version").exists()
