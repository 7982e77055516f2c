"""Which ``.network`` file systemd-networkd uses for a NIC (systemd.network(5)).

The files of all directories are one list, sorted by name; the first whose [Match] fits is
used. A condition that we can't judge is refused rather than guessed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from netfail_hooks.errors import Misuse, NotPermitted
from netfail_hooks.networkd import conditions
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.networkd.words import fits, unquoted, words
from netfail_hooks.paths import Paths

# The earlier directory's file hides the later one's of the same name.
DIRECTORIES = (
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
)
_WATCHED = (".network", ".network.d", ".link", ".link.d")
_LIMIT = 1 << 23  # characters; networkd has no limit
# networkd reads a .network file of which no setting in [Match] is valid for no NIC at all.
_MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.IGNORECASE)
_MACS = ("MACAddress", "PermanentMACAddress", "BSSID")
_BY_RADIO = ("SSID", "BSSID")
_PATTERNS = ("Name", "Driver", "Type", "Kind", "Path", "WLANInterfaceType", "SSID")
# Of .link files alone: networkd passes over it, and over a file with nothing else in its [Match].
_UNKNOWN_THERE = ("OriginalName",)


@dataclass(frozen=True, slots=True)
class Source:
    """A file and its drop-ins, each a path and its text; paths are without the root."""

    path: str
    text: str
    dropins: tuple[tuple[str, str], ...] = ()

    @property
    def sections(self) -> tuple[networkfile.Section, ...]:
        """Return the sections of all of it, in the order in which networkd reads them."""
        texts = map(networkfile.ended, [self.text, *(text for _, text in self.dropins)])
        return tuple(section for text in texts for section in networkfile.parse(text))

    @property
    def fingerprint(self) -> str:
        """Return what is another one as soon as any of these texts is."""
        texts = [self.text, *(part for dropin in self.dropins for part in dropin)]
        return hashlib.sha256("\0".join(texts).encode(errors="surrogateescape")).hexdigest()[:16]


def effective(
    paths: Paths, nic: Nic, ignore: Callable[[str], bool] = lambda _: False
) -> Source | None:
    """Return the file that networkd uses for a NIC, None for none.

    Files for whose text ``ignore`` returns true are skipped. Raises Misuse for a file of which we
    can't say whether it fits.
    """
    for source in sources(paths):
        if not ignore(source.text) and _fits(paths, source, nic):
            return source
    return None


def sources(paths: Paths) -> Iterator[Source]:
    """Give the files that networkd reads, in the order in which it tries them.

    Not those that are empty, masked or damaged.
    """
    for path in listed(paths, DIRECTORIES, ".network"):
        text = read(paths, path)
        if text.strip():
            source = Source(path, text, tuple(_dropins(paths, os.path.basename(path))))
            if not any(map(networkfile.is_damaged, (text, *(t for _, t in source.dropins)))):
                yield source


def watched(paths: Paths) -> list[str]:
    """Return the files and directories of which one is touched if another file may count now."""
    found = list(DIRECTORIES)
    for directory in DIRECTORIES:
        with contextlib.suppress(OSError):
            names = sorted(os.listdir(paths.at(directory)))
            found += [f"{directory}/{name}" for name in names if name.endswith(_WATCHED)]
    dropins = [path for path in found if path.endswith(".d")]
    return [*found, *listed(paths, tuple(dropins), ".conf")]


def listed(paths: Paths, directories: tuple[str, ...], ending: str) -> list[str]:
    """Return the files of several directories by name, the earlier one's of the same name.

    Raises NotPermitted for a directory that we may not read.
    """
    by_name: dict[str, str] = {}
    for directory in directories:
        try:
            names = os.listdir(paths.through(directory))
        except PermissionError:
            raise _refused(paths.through(directory)) from None
        except OSError:
            continue
        for name in names:
            if name.endswith(ending):
                by_name.setdefault(name, f"{directory}/{name}")
    return [by_name[name] for name in sorted(by_name)]


def read(paths: Paths, path: str) -> str:
    """Return a file's text, "" for none. Raises NotPermitted for one that we may not read.

    Without the mark of its encoding, which systemd passes over, too. A NUL ends a line as a newline
    does (read_line() in systemd's basic/fileio.c). Raises Misuse for what nobody wrote by hand.

    netplan's are for root and networkd alone (0640 root:systemd-network): without what is in
    them we would say that there are none.
    """
    place = paths.through(path)
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_LIMIT + 1).removeprefix("\ufeff").replace("\0", "\n")
    except PermissionError:
        raise _refused(place) from None
    except OSError:
        return ""
    if len(text) > _LIMIT:
        raise Misuse(f"{path} is longer than we read", hint="take out what is not needed")
    return text


def _refused(place: str) -> NotPermitted:
    return NotPermitted(f"{place} cannot be read", hint="use sudo")


def dropins(paths: Paths, name: str) -> list[str]:
    """Return the paths of the drop-ins of a file of that name, in the order in which they count."""
    directories = tuple(f"{directory}/{name}.d" for directory in DIRECTORIES)
    return listed(paths, directories, ".conf")


def _dropins(paths: Paths, name: str) -> Iterator[tuple[str, str]]:
    for path in dropins(paths, name):
        yield path, read(paths, path)


def _fits(paths: Paths, source: Source, nic: Nic) -> bool:
    """Judge all conditions: each must hold. One that fails makes the rest not matter.

    All [Match] sections are one, those of drop-ins included: what is said twice is one list.
    """
    unknown = ""
    conditions = dict(_conditions(source.sections))
    for key, lines in conditions.items():
        result = _holds(paths, key, lines, nic)
        if result is None:
            unknown = unknown or f"{key}={' '.join(lines)}"
        elif not result:
            return False
    if unknown:
        raise Misuse(
            f"{source.path}: cannot tell whether [Match] {unknown} means {nic.name}",
            hint=_hint(nic, unknown),
        )
    return bool(conditions)


def _conditions(sections: Iterable[networkfile.Section]) -> Iterator[tuple[str, list[str]]]:
    """Yield each key of [Match] with its lines, but for what networkd doesn't take."""
    found = list(sections)
    keys = (item.key for one in found if one.name == "Match" for item in one.items if item.key)
    for key in dict.fromkeys(keys):
        if key in _UNKNOWN_THERE:
            continue
        lines = networkfile.settings(found, "Match", key)
        if key in _MACS:
            lines = [word for word in words(" ".join(lines)) if _MAC.fullmatch(word)]
        elif key in _PATTERNS:
            lines = [line for line in lines if _split(key, line)]
        if lines:
            yield key, lines


def _hint(nic: Nic, unknown: str) -> str:
    by_name = f"write Name={nic.name} in its stead"
    if unknown.startswith(_BY_RADIO):
        return (
            f"which file that is changes with the access point, and ours is one file for all of "
            f"them: put what holds at each in one, with SSID=* or Name={nic.name} in the stead of "
            f"{unknown}, and what is one network's own where its password is"
        )
    return by_name if nic.present else f"{by_name}, or plug {nic.name} in"


def _holds(paths: Paths, key: str, lines: list[str], nic: Nic) -> bool | None:
    """Judge one condition; None where we can't."""
    if key in conditions.KEYS:
        return conditions.holds(paths, key, lines[-1])
    if key == "Property":
        return _has_properties(lines, nic) if nic.properties else None
    known = _known(key, nic)
    if known is None:
        # Any network at all, as in systemd's own 80-wifi-station.network.example: while it is of
        # use a NIC by radio has one.
        return True if key == "SSID" and nic.wireless and set(lines) == {"*"} else None
    if key in _MACS:
        return _digits(known[0]) in map(_digits, lines)
    fitting = any(_among(key, lines, one) for one in known)
    if key == "Name" and any(":" in line for line in lines):
        # systemd 257 passes over a pattern with a colon, [[:digit:]] say; 252 does not.
        without = [line for line in lines if ":" not in line]
        certain = bool(without) and any(_among(key, without, one) for one in known)
        return fitting if certain is fitting else None
    return fitting


def _known(key: str, nic: Nic) -> tuple[str, ...] | None:
    """Return what a NIC has of a key, "" where it has nothing; None where nobody knows."""
    if key == "Name":
        return (nic.name, *nic.altnames)
    known = {
        "MACAddress": nic.mac,
        "PermanentMACAddress": nic.permanent_mac,
        "Driver": nic.driver,
        "Type": nic.type,
        "Kind": nic.kind,
        "Path": nic.path,
        "WLANInterfaceType": nic.wlan_type,
    }
    if not nic.wireless:
        known |= dict.fromkeys(_BY_RADIO, "")
    if key in known and (known[key] or nic.present):
        return (known[key],)
    return None


def _split(key: str, line: str) -> list[str]:
    """Return the patterns of a line; of names quotation marks are a part, as networkd has it."""
    rest = line.removeprefix("!")
    return words(rest) if key == "Name" else unquoted(rest)


def _among(key: str, lines: Iterable[str], known: str) -> bool:
    """Tell whether a list names something: none of its "!" patterns fits, one of the others does.

    A "!" is for its whole line. What is not there ("") fits no pattern, not even "*"
    (``net_condition_test_strv()`` in systemd).
    """
    patterns: list[tuple[bool, str]] = []
    for line in lines:
        patterns += [(line.startswith("!"), word) for word in _split(key, line)]
    fitting = [inverted for inverted, word in patterns if known and fits(word, known)]
    if True in fitting:
        return False
    return bool(fitting) or all(inverted for inverted, _ in patterns)


def _has_properties(lines: Iterable[str], nic: Nic) -> bool | None:
    known = dict(nic.properties)
    for line in lines:
        try:
            words = shlex.split(line.removeprefix("!"))
        except ValueError:
            return None
        for word in words:
            key, _, pattern = word.partition("=")
            there = key in known and fits(pattern, known[key])
            if there is line.startswith("!"):
                return False
    return True


def _digits(text: str) -> str:
    return text.lower().translate(str.maketrans("", "", ":-."))


def netdev(
    paths: Paths, name: str, ignore: Callable[[str], bool] = lambda _: False
) -> Source | None:
    """Return the ``.netdev`` file that makes a device of that name, None for none."""
    for path in listed(paths, DIRECTORIES, ".netdev"):
        source = Source(path, read(paths, path), tuple(_dropins(paths, os.path.basename(path))))
        named = networkfile.settings(source.sections, "NetDev", "Name") == [name]
        if named and not ignore(source.text):
            return source
    return None
