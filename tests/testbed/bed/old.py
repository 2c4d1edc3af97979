"""Images of releases whose code needs a Python that today's Debian does not have: an older Debian with that Python, and
packages as that release pinned them.

One layer, made by mmdebstrap with nothing but the network: the packages are wheels, or can do without a compiler.
"""

import os
import shlex
import shutil

from .common import RELEASES, SOURCE, fingerprint, run, with_retries
from .images import EPOCH, UID, USER, Images, configuration, write_layer

OLD = RELEASES["old"]
INSTALL = SOURCE / "old" / "install"


class OldImages(Images):
    """Builds such an image if it is missing or out of date, and puts it into the registry."""

    def ensure_old(self, series):
        """Makes the image of one old release."""
        files = [path.read_text() for path in (INSTALL, pins(series))]
        wanted = fingerprint([OLD[series], files], OldImages._build_old, write_layer)
        layer = self._layer(series, wanted, lambda out: self._build_old(series, out))
        self.registry.put_image(series, configuration(series, [layer]), [layer])

    def _build_old(self, series, out):
        """Makes an old Debian with the release's packages as a tar, and packs it."""
        old = OLD[series]
        tree = self.home.sub("work") / f"{series}.tar"
        add_user = f'chroot "$1" useradd --uid {UID} --user-group --no-log-init --home-dir /tmp --shell /usr/sbin/nologin {USER}'
        install = f'{shlex.quote(str(INSTALL))} "$1" {shlex.quote(str(pins(series)))}'
        argv = [
            *("mmdebstrap", "--variant=minbase", f"--include={','.join(old['packages'])}", "--skip=output/mknod"),
            *(f"--customize-hook={add_user}", f"--customize-hook={install}"),
            # Without the suite's updates: their pip for Python 2.7 does not start (a CVE fix with an f-string).
            *(old["suite"], str(tree), f"deb http://deb.debian.org/debian {old['suite']} main"),
        ]
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
        hint = "Check that this machine reaches a Debian mirror and PyPI, then run it again."
        with_retries(lambda: run(argv, log=self.home.log(f"release-{series}"), env=env, hint=hint))
        with tree.open("rb") as source:
            layer = write_layer(out, lambda sink: shutil.copyfileobj(source, sink, 1 << 20))
        tree.unlink()
        return layer


def pins(series):
    """The file that names every package of the release's image with its version."""
    return SOURCE / "old" / f"{series}.txt"
