"""What stays of us on a machine after an uninstall, and the command that removes it."""

from __future__ import annotations

import glob
import os
import shlex
import shutil
from collections.abc import Collection, Sequence

from netfail_hooks.install.manifest import Entry, Manifest
from netfail_hooks.paths import Paths, package_home
from netfail_hooks.recorder import FILE, OLD_FILE

DEBIAN = "/usr/lib/python3/dist-packages"
GOES = "NETFAIL_HOOKS_GOES"  # whoever calls us removes the program, too
_OF_INSTALL_SH = "/lib/netfail-hooks/packages"
_DISPATCHER = "networkd-dispatcher"
_PURGED = ("config.toml", "resolv.conf", FILE[1:], OLD_FILE[1:])  # by packaging/debian/postrm
_FEW = 4  # files that a person takes in by name
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
    own = _own(known, paths, _PURGED if home == DEBIAN else ())
    things = [*(things if how else []), *(f"{name} with {had}" for name, had in own.items())]
    commands = [shlex.join(["sudo", "rm", "-r", *own])] if own else []
    commands += [how] if how and len(things) > len(own) else []
    if not things:
        return []
    return [f"what stays: {'; '.join(things)}", f"to remove it: {'; '.join(commands)}"]


def changed_since(entry: Entry, paths: Paths) -> str:
    """Return what to tell of a path that stays since somebody changed it, with the next step."""
    told = f"{entry.path} was changed since install, so it stays as it is"
    if entry.before is not None:
        return f"{told}, not as it was before install: see that it is as you want it"
    return f"{told}; if you don't need it: {removing(entry.path, paths)}"


def removing(path: str, paths: Paths) -> str:
    """Return the command that removes a file, or what somebody made of it."""
    place = paths.at(path)
    whole = ["-r"] if os.path.isdir(place) and not os.path.islink(place) else []
    return shlex.join(["sudo", "rm", *whole, place])


def _own(known: Manifest, paths: Paths, besides: Collection[str]) -> dict[str, str]:
    """Return what is in which directory of ours that stays, ``besides`` these: a person's own.

    One that was there before us is the person's own, too.
    """
    place = os.path.dirname(paths.config)
    entry = known.entry(place)
    found = {}
    for directory in ([place] if entry and entry.before is None else []) + [paths.log]:
        inside = (
            os.path.relpath(os.path.join(at, name), directory)
            for at, _, names in os.walk(directory)
            for name in names
        )
        if had := sorted(set(inside) - set(besides)):
            more = [f"{len(had) - _FEW} more"] if len(had) > _FEW else []
            found[directory] = ", ".join(had[:_FEW] + more)
    return found


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
