"""What stays of us on a machine after an uninstall, and the command that removes it."""

from __future__ import annotations

import glob
import os
import shlex
import shutil
from collections.abc import Sequence

from netfail_hooks.install.manifest import Manifest
from netfail_hooks.paths import Paths, package_home

DEBIAN = "/usr/lib/python3/dist-packages"
GOES = "NETFAIL_HOOKS_GOES"  # whoever calls us removes the program, too
_OF_INSTALL_SH = "/lib/netfail-hooks/packages"
_DISPATCHER = "networkd-dispatcher"
# Without any of these Debian's unit does not start at boot, either (ConditionPathExistsGlob=).
_HOOKS = ("/etc/networkd-dispatcher/*/*", "/usr/lib/networkd-dispatcher/*/*")


def left(known: Manifest, paths: Paths, *, kept: Sequence[str] = (), home: str = "") -> list[str]:
    """Return in at most three lines what stays, ``kept`` among it, and what removes it.

    ``home`` is where the package is, by default where it is now. Nothing is told of an image.
    """
    if paths.root:
        return []
    goes, home = GOES in os.environ, home or package_home()
    things = [] if goes else ["the program"]
    spare = _spare(known)
    things += [f"{_DISPATCHER}, for which no hook is left"] if spare else []
    if home == DEBIAN:
        things += kept
    how = _purge(home, spare=spare, goes=goes)
    return [f"what stays: {'; '.join(things)}", f"to remove it: {how}"] if things and how else []


def _spare(known: Manifest) -> bool:
    """Tell whether networkd-dispatcher had hooks of ours, and has nobody's by now."""
    ours = any(entry.path.startswith("/etc/networkd-dispatcher/") for entry in known.entries)
    there = shutil.which(_DISPATCHER, path="/usr/local/bin:/usr/sbin:/usr/bin")
    return bool(ours and there) and not any(map(glob.glob, _HOOKS))


def _purge(home: str, *, spare: bool, goes: bool) -> str:
    """Return the command that removes what stays, "" where nobody knows one."""
    also = [_DISPATCHER] if spare else []
    if home == DEBIAN:
        return shlex.join(["sudo", "apt", "purge", "netfail-hooks", *also])
    if home.endswith(_OF_INSTALL_SH):
        prefix = home.removesuffix(_OF_INSTALL_SH)
        there = f" --prefix {shlex.quote(prefix)}" if prefix != "/usr/local" else ""
        where = "in the directory that it was unpacked to"
        # Which packages of the distribution are there for it that script knows.
        return "" if goes else f"sudo ./install.sh --uninstall{there}, {where}"
    if shutil.which("pacman"):
        return "" if goes else shlex.join(["sudo", "pacman", "-Rns", "netfail-hooks", *also])
    return ""
