"""Two image registries over one storage: one that anybody may pull from, one that asks for a password."""

import base64
import contextlib
import hashlib
import http.client
import json
import secrets
import urllib.parse
from http import HTTPStatus

from . import packages
from .common import TestbedError, run, stage
from .daemons import Daemon, choose_port

REPOSITORY = "leapfrog/openstack"
USER = "testbed"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """One registry daemon, and the few calls of its HTTP API that putting an image there takes."""

    def __init__(self, home, private=False):
        self.home = home
        self.private = private
        self.name = "private-registry" if private else "registry"
        self.setting = "private_registry_port" if private else "registry_port"
        self.daemon = Daemon(home, self.name)

    @property
    def port(self):
        """The port it listens on, or did."""
        return self.home.settings.get(self.setting)

    @property
    def address(self):
        """What image names start with."""
        return f"127.0.0.1:{self.port}"

    @property
    def image(self):
        """The image's name without a tag."""
        return f"{self.address}/{REPOSITORY}"

    @property
    def password(self):
        """The private registry's password."""
        return self.home.settings.get("private_password")

    def is_up(self):
        """Whether our daemon runs and answers."""
        if not (self.daemon.pid and self.port):
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._call("GET", "/v2/")[0] == HTTPStatus.OK
        return False

    def ensure(self):
        """Starts the daemon unless it is up; takes another port if the recorded one is taken by now."""
        if self.is_up():
            return
        with stage(self.name.replace("-", " ")):
            self.daemon.stop()
            if self.private and not self.password:
                self.home.set(private_password=secrets.token_hex(12))
            self.home.set(**{self.setting: choose_port(self.port)})
            config = self.home.path / f"{self.name}.json"
            self.home.write(config, json.dumps(self._configuration(), indent=1))
            argv = [packages.find("docker-registry"), "serve", config]
            self.daemon.start(argv, self.is_up)

    def _configuration(self):
        """The daemon's settings; JSON is YAML too. Both daemons serve one storage: blobs go by their own hash."""
        config = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.home.sub("images", "registry"))},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, "secret": secrets.token_hex(16)},
        }
        if self.private:
            entry = run(["htpasswd", "-niB", USER], stdin=self.password)
            self.home.write(self.home.path / "htpasswd", entry)
            config["auth"] = {"htpasswd": {"realm": "testbed", "path": str(self.home.path / "htpasswd")}}
        return config

    def _call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = dict(headers or {})
        if self.private:
            credentials = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def has_blob(self, digest):
        """Whether the repository holds this blob."""
        return self._call("HEAD", f"/v2/{REPOSITORY}/blobs/{digest}")[0] == HTTPStatus.OK

    def digest(self, tag):
        """The digest of the manifest that a tag names, or None."""
        status, headers, _ = self._call("HEAD", f"/v2/{REPOSITORY}/manifests/{tag}", headers={"Accept": MANIFEST})
        return headers["Docker-Content-Digest"] if status == HTTPStatus.OK else None

    def put_tag(self, tag, old):
        """Makes a tag name the image that another tag names."""
        kind = {"Accept": MANIFEST}
        status, _, manifest = self._call("GET", f"/v2/{REPOSITORY}/manifests/{old}", headers=kind)
        if status != HTTPStatus.OK:
            raise self._refusal(f"give the manifest of {old}", status, manifest)
        status, _, answer = self._call("PUT", f"/v2/{REPOSITORY}/manifests/{tag}", body=manifest, headers={"Content-Type": MANIFEST})
        if status != HTTPStatus.CREATED:
            raise self._refusal(f"take the manifest of {tag}", status, answer)

    def put_blob(self, digest, size, content):
        """Uploads one blob in one piece; `content` is bytes or an open file."""
        if self.has_blob(digest):
            return
        status, headers, answer = self._call("POST", f"/v2/{REPOSITORY}/blobs/uploads/", body=b"")
        if status != HTTPStatus.ACCEPTED:
            raise self._refusal("start an upload", status, answer)
        target = urllib.parse.urlsplit(headers["Location"])
        query = urllib.parse.urlencode([*urllib.parse.parse_qsl(target.query), ("digest", digest)])
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        status, _, answer = self._call("PUT", f"{target.path}?{query}", body=content, headers=headers)
        if status != HTTPStatus.CREATED:
            raise self._refusal(f"take blob {digest}", status, answer)

    def put_image(self, tag, configuration, layers):
        """Makes a tag name an image of these layers, whose blobs are there already."""
        config = json.dumps(configuration, sort_keys=True).encode()
        described = {"mediaType": CONFIG, "size": len(config), "digest": f"sha256:{hashlib.sha256(config).hexdigest()}"}
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described,
                "layers": [{"mediaType": LAYER, "size": layer["size"], "digest": layer["digest"]} for layer in layers],
            },
            sort_keys=True,
        ).encode()
        if self.digest(tag) == f"sha256:{hashlib.sha256(manifest).hexdigest()}":
            return
        self.put_blob(described["digest"], described["size"], config)
        status, _, answer = self._call("PUT", f"/v2/{REPOSITORY}/manifests/{tag}", body=manifest, headers={"Content-Type": MANIFEST})
        if status != HTTPStatus.CREATED:
            raise self._refusal(f"take the manifest of {tag}", status, answer)

    def _refusal(self, what, status, answer):
        text = answer.decode(errors="replace").strip()
        return TestbedError(f"{self.name} would not {what}: HTTP {status} {text}\nIts log: {self.home.log(self.name)}")
