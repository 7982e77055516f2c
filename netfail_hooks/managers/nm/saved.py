"""The profiles that NetworkManager has saved, and which of them may be activated on a NIC."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from netfail_hooks.files import read_text
from netfail_hooks.managers.keyfile import type_of
from netfail_hooks.managers.nm import closed, glib
from netfail_hooks.managers.nm.glib import KeyFile, printable
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

# A profile of one of these hides those of the same UUID in the ones behind it.
_DIRECTORIES = tuple(
    f"{place}/NetworkManager/system-connections" for place in ("/etc", "/run", "/usr/lib")
)
_ENDING = ".nmconnection"
_TIMESTAMPS = "/var/lib/NetworkManager/timestamps"
# nm_keyfile_utils_ignore_filename(): what editors and packages leave beside a file.
_LEFT_BEHIND = re.compile(r"\..*|.*(~|\.(bak|swp|nmmeta|rpm(save|orig|new)|dpkg-[a-z]+))")


@dataclass(frozen=True, slots=True)
class Saved:
    """A profile as it is saved: where, its text, what that says, and when it was last active."""

    path: str
    file: KeyFile
    text: str
    used: int = 0

    @property
    def uuid(self) -> str:
        """Return by what NetworkManager tells profiles apart."""
        return self.file.text("connection", "uuid") or self.path

    @property
    def by_itself(self) -> bool:
        """Tell whether it is activated without being asked."""
        return self.file.flag("connection", "autoconnect", default=True)

    @property
    def rank(self) -> tuple[int, int]:
        """Return what is greatest of the profile that is activated first."""
        return self.file.number("connection", "autoconnect-priority"), self.used

    def __repr__(self) -> str:  # its text has secrets
        return f"Saved({self.path!r})"


def saved(paths: Paths) -> Iterator[Saved]:
    """Yield the profiles of all directories, those that NetworkManager would read.

    Raises NotPermitted where we may not see them all: any of them may count.
    """
    used = glib.read(read_text(paths.through(_TIMESTAMPS)))
    seen = set(_hidden(paths))
    for place in _places(paths):
        if _insecure(paths, place) is not None:
            continue
        text = closed.read(paths, place)
        one = Saved(place, glib.read(text), text)
        one = replace(one, used=used.number("timestamps", one.uuid))
        if one.uuid not in seen:
            seen.add(one.uuid)
            yield one


def ignored(paths: Paths) -> list[str]:
    """Return which profiles NetworkManager passes over, and what has it read them."""
    told = []
    for place in _places(paths):
        why = _insecure(paths, place)
        if why:
            told.append(f"NetworkManager ignores {printable(place)}, so it is left out: {why}")
    return told


def _places(paths: Paths) -> Iterator[str]:
    for directory in _DIRECTORIES:
        for name in closed.names(paths, directory):
            strict = not directory.startswith("/etc")
            if not (_LEFT_BEHIND.fullmatch(name) or (strict and not name.endswith(_ENDING))):
                yield f"{directory}/{name}"


def _hidden(paths: Paths) -> Iterator[str]:
    """Yield the UUIDs of profiles that a mark of NetworkManager's makes as if they weren't."""
    for directory in _DIRECTORIES:
        for name in closed.names(paths, directory):
            with contextlib.suppress(OSError):
                mark = f"{paths.through(directory)}/{name}"
                if name.endswith(".nmmeta") and os.readlink(mark) == "/dev/null":
                    yield name.removesuffix(".nmmeta")


def _insecure(paths: Paths, place: str) -> str | None:
    """Return why NetworkManager does not read a file, "" for what is none, None where it does.

    Others than root may neither have it nor read it, but for those of packages
    (``nms_keyfile_utils_check_file_permissions_stat()``).
    """
    inside = paths.through(place)
    try:
        status = os.stat(inside)
    except PermissionError:
        raise closed.refused(inside) from None
    except OSError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        return ""
    if place.startswith("/usr"):
        return None
    # Who makes another root makes root's files there.
    if status.st_uid not in (0, os.geteuid() if paths.root else 0):
        return f"it is not root's (sudo chown root: '{printable(place)}')"
    if status.st_mode & 0o077:
        return f"others may read it (sudo chmod 600 '{printable(place)}')"
    return None


def fits(paths: Paths, file: KeyFile, nic: Nic) -> bool:
    """Tell whether a profile may be activated on a NIC (nm-settings(5), "match setting")."""
    kind = type_of(file)
    if kind != ("802-11-wireless" if nic.wireless else "802-3-ethernet"):
        return False
    named = file.text("connection", "interface-name")
    own = [mac for mac in (nic.permanent_mac or nic.mac,) if mac]
    wanted = file.text(kind, "mac-address").strip().lower().replace("-", ":")
    denied = file.items(kind, "mac-address-blacklist") + file.items(kind, "mac-address-denylist")
    if (named and named != nic.name) or (wanted and wanted not in own):
        return False
    if any(one.strip().lower() in own for one in denied):
        return False
    words = read_text(paths.through("/proc/cmdline")).split()
    arguments = [*words, *(word.partition("=")[0] for word in words)]
    return all(
        _matches(file.items("match", key), values)
        for key, values in (
            ("interface-name", [nic.name]),
            ("driver", [nic.driver]),
            ("path", [nic.path]),
            ("kernel-command-line", arguments),
        )
    )


def _matches(patterns: Sequence[str], values: Sequence[str]) -> bool:
    """Tell whether a list of patterns holds: each mandatory one, and one of the optional ones."""
    optional = []
    for pattern in patterns:
        rest = pattern[1:] if pattern.startswith(("|", "&")) else pattern
        mandatory = pattern.startswith("&") or rest.startswith("!")
        mandatory = mandatory and not pattern.startswith("|")
        inverted = rest.startswith("!")
        plain = rest.removeprefix("!").removeprefix("\\")
        holds = any(fnmatchcase(value, plain) for value in values) != inverted
        if mandatory and not holds:
            return False
        if not mandatory:
            optional.append(holds)
    return not optional or any(optional)
