"""One image per release, made of Debian packages and PyPI: a base that all share, and a virtual environment on top.

The layers go to the registry over its HTTP API and nowhere else: no `docker build`, and whoever uses an image has
to pull it.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import shutil
import stat
import tarfile

from .common import RELEASES, fingerprint, run, stage, with_retries

ENVIRONMENT = pathlib.Path("/opt/openstack")
PATH = f"{ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER = "openstack"
UID = 42400
# Nothing in an image tells when it was made, so the same files give the same digests.
EPOCH = 1_700_000_000
CREATED = "2023-11-14T22:13:20Z"
# Installed but never read by a *-manage command: a third of the environment.
UNUSED = ["**/tests", "googleapiclient/discovery_cache/documents", "botocore/data"]
# What Docker calls them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
NOCOMMAND = "2023.2-nocommand"
UV_SETTINGS = {"UV_CACHE_DIR": "/uv-cache", "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1"}


def recipe(series):
    """What decides the content of a release's layer."""
    release = RELEASES["releases"][series]
    wanted = [f"{name}>={major},<{major + 1}" for name, major in sorted(release["major"].items())]
    return {
        "exclude_newer": release["exclude_newer"],
        "packages": [*wanted, *release["constraints"], *RELEASES["python_packages"]],
        "uv": RELEASES["uv"],
    }


class Images:
    """Builds what is missing or out of date, and puts it into the registry."""

    def __init__(self, home, engine, registry):
        self.home = home
        self.engine = engine
        self.registry = registry

    def ensure(self, series_list):
        """Makes the images of these releases, and one image that lacks every command."""
        base = self._layer("base", self._base_recipe(), self._build_base)
        self.registry.put_image(NOCOMMAND, configuration("2023.2", [base]), [base])
        for series in series_list:
            wanted = fingerprint([recipe(series), self._builder_recipe()], Images._build_release, write_tree, slim, write_layer)
            release = self._layer(series, wanted, lambda out, series=series: self._build_release(series, out))
            layers = [base, release]
            self.registry.put_image(series, configuration(series, layers), layers)
        # The releases share many wheels, but once they are built these two gigabytes are of little use.
        shutil.rmtree(self.home.path / "tools" / "uv-cache", ignore_errors=True)

    def variant(self, tag, series, files):
        """Puts an image under a tag of its own: a release's layers, and these files (path, content) on top."""
        records = [self.home.sub("images") / f"{name}.json" for name in ("base", series)]
        layers = [json.loads(record.read_text()) for record in records]
        if files:
            blob = self.home.sub("work") / f"variant-{os.getpid()}.tar.gz"
            layer = write_layer(blob, lambda sink: write_files(sink, files))
            with blob.open("rb") as content:
                self.registry.put_blob(layer["digest"], layer["size"], content)
            blob.unlink()
            layers.append(layer)
        self.registry.put_image(tag, configuration(series, layers), layers)

    def scripts(self, series, packages):
        """Makes an image with these packages alone, without what they need: nothing in it runs, all of it can be read."""
        wanted = fingerprint([sorted(packages), self._builder_recipe(), RELEASES["uv"]], Images._build_scripts, write_tree, slim, write_layer)
        layer = self._layer(f"scripts-{series}", wanted, lambda out: self._build_scripts(series, packages, out))
        self.registry.put_image(f"scripts-{series}", configuration(series, [layer]), [layer])

    def _layer(self, name, wanted, build):
        """The description of a layer whose blob is in the registry; builds it if its recipe changed or it is gone."""
        record = self.home.sub("images") / f"{name}.json"
        layer = json.loads(record.read_text()) if record.exists() else {}
        if layer.get("recipe") == wanted and self.registry.has_blob(layer["digest"]):
            return layer
        title = {"base": "base image"}.get(name) or (name if name.startswith("scripts-") else f"release {name}")
        with stage(title):
            blob = self.home.sub("work") / f"{name}.tar.gz"
            layer = {"recipe": wanted, **build(blob)}
            with blob.open("rb") as content:
                self.registry.put_blob(layer["digest"], layer["size"], content)
            blob.unlink()
            self.home.write(record, json.dumps(layer, indent=1))
        return layer

    @staticmethod
    def _base_recipe():
        packages = RELEASES["base_packages"]
        return fingerprint([RELEASES["suite"], packages], Images._build_base, bootstrap, write_layer)

    @staticmethod
    def _builder_recipe():
        packages = RELEASES["base_packages"] + RELEASES["build_packages"]
        return fingerprint([RELEASES["suite"], packages], bootstrap)

    def _build_base(self, out):
        tree = self.home.sub("work") / "base.tar"
        bootstrap(tree, RELEASES["base_packages"], self.home.log("base"))
        with tree.open("rb") as source:
            layer = write_layer(out, lambda sink: shutil.copyfileobj(source, sink, 1 << 20))
        tree.unlink()
        return layer

    def _builder(self):
        """An image with a compiler as well, for the few Python packages without a wheel. It stays in the engine."""
        tag = f"leapfrog-testbed/builder:{self._builder_recipe()}"
        if not self.engine.succeeds("image", "inspect", tag):
            with stage("builder image"):
                tree = self.home.sub("work") / "builder.tar"
                bootstrap(tree, RELEASES["base_packages"] + RELEASES["build_packages"], self.home.log("builder"))
                stale = self.engine("images", "--quiet", "leapfrog-testbed/builder").split()
                self.engine("import", "--change", f"ENV PATH={PATH}", str(tree), tag)
                tree.unlink()
                if stale:
                    self.engine.succeeds("rmi", *stale)
        return tag

    def _uv(self, builder):
        """The directory of uv, the installer that can leave out whatever was published after a date."""
        directory = self.home.sub("tools") / f"uv-{RELEASES['uv']}"
        if not (directory / "bin" / "uv").exists():
            with stage(f"uv {RELEASES['uv']}"):
                install = f"python3 -m venv /uv && /uv/bin/pip install -q uv=={RELEASES['uv']}"
                directory.mkdir(exist_ok=True)
                self._online(builder, install, [(directory, "/uv")], "uv")
        return directory

    def _online(self, builder, script, mounts, log):
        """Runs an installing script in the builder, again if the network fails it."""
        options = {"mounts": mounts, "env": UV_SETTINGS, "log": self.home.log(log)}
        with_retries(lambda: self.engine.run_online(builder, ["sh", "-ec", script], **options))

    def _build_release(self, series, out):
        """Installs one release's seven services in a container of the builder, and packs them."""
        builder = self._builder()
        uv = self._uv(builder)
        tree = self.home.path / "work" / series
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        plan = recipe(series)
        wanted = " ".join(f"'{package}'" for package in plan["packages"])
        mounts = [(uv, "/uv", "ro"), (self.home.sub("tools", "uv-cache"), "/uv-cache"), (tree, ENVIRONMENT)]
        install = (
            f"/uv/bin/uv venv -q --allow-existing --python /usr/bin/python3 {ENVIRONMENT}; "
            f"/uv/bin/uv pip install --python {ENVIRONMENT}/bin/python --exclude-newer {plan['exclude_newer']} {wanted}"
        )
        self._online(builder, install, mounts, f"release-{series}")
        slim(tree)
        # Byte code that is checked against nothing stays valid whatever the files' dates; without it a command
        # takes four times as long to start.
        compile_all = f"{ENVIRONMENT}/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash {ENVIRONMENT}/lib || true"
        user = f"{os.getuid()}:{os.getgid()}"
        self.engine.run(builder, ["sh", "-ec", compile_all], mounts=mounts, user=user, log=self.home.log(f"release-{series}"))
        layer = write_layer(out, lambda sink: write_tree(sink, tree, ENVIRONMENT))
        shutil.rmtree(tree)
        return layer

    def _build_scripts(self, series, packages, out):
        """Installs packages and nothing that they need, and packs them."""
        builder = self._builder()
        uv = self._uv(builder)
        tree = self.home.path / "work" / f"scripts-{series}"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        wanted = " ".join(f"'{package}'" for package in sorted(packages))
        mounts = [(uv, "/uv", "ro"), (tree, ENVIRONMENT)]
        install = (
            f"/uv/bin/uv venv -q --allow-existing --python /usr/bin/python3 {ENVIRONMENT}; "
            f"/uv/bin/uv pip install --no-cache --no-deps --python {ENVIRONMENT}/bin/python {wanted}"
        )
        self._online(builder, install, mounts, f"scripts-{series}")
        slim(tree)
        layer = write_layer(out, lambda sink: write_tree(sink, tree, ENVIRONMENT))
        shutil.rmtree(tree)
        return layer


def configuration(series, layers):
    """The image configuration: what `docker inspect` shows."""
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": CREATED,
        "config": {
            "Env": [f"PATH={PATH}"],
            "User": USER,
            "WorkingDir": "/",
            "Cmd": ["python3"],
            "Labels": {"org.opencontainers.image.version": series, "org.opencontainers.image.title": "OpenStack"},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"] for layer in layers]},
        "history": [{"created": CREATED, "created_by": "leapfrog test bed"} for _ in layers],
    }


def bootstrap(tar, packages, log):
    """Makes a minimal Debian as a tar file, with a user that is not root."""
    add_user = f'chroot "$1" useradd --uid {UID} --user-group --no-log-init --home-dir /tmp --shell /usr/sbin/nologin {USER}'
    trim = 'rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/* "$1"/var/log/* "$1"/var/cache/*'
    argv = [
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", "--skip=output/mknod"),
        *(f"--customize-hook={add_user}", f"--customize-hook={trim}"),
        *(RELEASES["suite"], str(tar)),
    ]
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    hint = "Check that this machine reaches a Debian mirror, then run `up` again."
    with_retries(lambda: run(argv, log=log, env=env, hint=hint))


def slim(tree):
    """Removes from an environment what no *-manage command reads."""
    for packages in tree.glob("lib/python3*/site-packages"):
        for pattern in UNUSED:
            for directory in list(packages.glob(pattern)):
                if directory.is_dir():
                    shutil.rmtree(directory)


class _Digesting:
    """A sink that hashes and counts what it passes on."""

    def __init__(self, sink):
        self.sink = sink
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        return self.sink.write(data)

    def flush(self):
        self.sink.flush()

    @property
    def digest(self):
        return f"sha256:{self.hash.hexdigest()}"


def write_layer(out, produce):
    """Compresses the tar that `produce` writes, and describes it as registries and image configurations need it."""
    with out.open("wb") as handle:
        packed = _Digesting(handle)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=packed, mtime=0) as zipped:
            plain = _Digesting(zipped)
            produce(plain)
    return {"digest": packed.digest, "size": packed.size, "diff_id": plain.digest}


def write_files(sink, files):
    """Writes files as a tar: absolute path and content of each. Their directories are the image's own."""
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path, content in files:
            info = tarfile.TarInfo(str(path).lstrip("/"))
            info.size = len(content)
            info.mtime = EPOCH
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))


def write_tree(sink, tree, prefix):
    """Writes a directory as a tar in which only names, modes and contents tell two trees apart."""

    def add(tar, path, name):
        info = tar.gettarinfo(str(path), arcname=str(name).lstrip("/"))
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = EPOCH
        info.mode = 0o755 if info.isdir() or info.mode & stat.S_IXUSR else 0o644
        if info.isreg():
            with path.open("rb") as content:
                tar.addfile(info, content)
        else:
            tar.addfile(info)

    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as tar:
        for parent in list(reversed(prefix.parents))[1:]:
            add(tar, tree, parent)
        add(tar, tree, prefix)
        for path in sorted(tree.rglob("*")):
            add(tar, path, prefix / path.relative_to(tree))
