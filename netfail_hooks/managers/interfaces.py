"""interfaces(5) as ifupdown reads it: 0.8.41 of Debian 12, 0.8.44 of 13, which are alike in this.

Where the man page is vague, the source of ifupdown counts (config.c, main.c), and
tests/lab/test_ifquery.py asks the real ifquery.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths

TOP = "/etc/network/interfaces"
COMMANDS = ("pre-up", "up", "down", "post-down")
_SAME = {"post-up": "up", "pre-down": "down"}
_METHODS = {
    "inet": "loopback static manual dhcp bootp tunnel ppp wvdial ipv4ll",
    "inet6": "auto loopback static manual dhcp tunnel v4tunnel 6to4",
    "ipx": "static dynamic",
    "can": "static",
    "meta": "none",
}
_LISTS = ("no-auto-down", "no-scripts", "rename")
_IDLE = ("manual", "loopback")
_SPACE = " \t\n\v\f\r"  # isspace(3)
_TAKEN = re.compile(r"[a-zA-Z0-9_-]+")  # what source-directory takes; source takes any name


@dataclass(frozen=True, slots=True)
class Stanza:
    """An iface stanza: one way of setting an interface up, in one family.

    An option given twice has both values in one, a newline between; a command stands as often as
    it was given.
    """

    name: str
    family: str
    method: str
    path: str
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # keys of Wi-Fi, too

    def get(self, key: str) -> str:
        """Return an option's value, "" for none."""
        return next((text for name, text in self.options if name == key), "")

    def without(self, *keys: str) -> tuple[tuple[str, str], ...]:
        """Return the options but for some."""
        return tuple(pair for pair in self.options if pair[0] not in keys)


@dataclass(slots=True)
class Interfaces:
    """All that the files say. ``wrong`` is why ifupdown takes none of it, "" where it does."""

    stanzas: list[Stanza] = field(default_factory=list)
    raised: list[tuple[str, str]] = field(default_factory=list)  # class ("auto"), interface
    mappings: list[str] = field(default_factory=list)  # their patterns
    renames: list[str] = field(default_factory=list)
    wrong: str = ""

    def of(self, name: str) -> list[Stanza]:
        """Return the stanzas of a logical interface, in their order."""
        return [one for one in self.stanzas if one.name == name]

    def logical(self, name: str, *classes: str) -> str:
        """Return as what an interface is raised by a class ("auto", "hotplug"), "" for not.

        Raised at boot by either, without any class named.
        """
        for kind, word in self.raised:
            if classes and kind not in classes:
                continue
            pattern, _, logical = word.partition("=")
            if _fits(pattern, name):
                return logical or name
        return ""

    def aliases(self, name: str) -> list[str]:
        """Return the names of more addresses, such as eth0:1, that a boot raises with it."""
        named = [word.partition("=")[0] for _, word in self.raised]
        found = dict.fromkeys([*(one.name for one in self.stanzas), *named])
        return [
            one
            for one in found
            if one.startswith(f"{name}:") and self.logical(one, "auto", "hotplug")
        ]


def _fits(pattern: str, name: str) -> bool:
    """Tell whether a name is that one, or fits a pattern: "/eth*", "/eth*/1" its first one.

    "mac/..." and other attributes of sysfs are not known here: ``asks_sysfs``. No pattern raises
    an alias, which is not there before.
    """
    if pattern == name or ":" in name:
        return pattern == name
    return pattern[:1] == "/" and fnmatchcase(name, pattern[1:].partition("/")[0])


def asks_sysfs(word: str) -> bool:
    """Tell whether a word chooses interfaces by an attribute, as "mac/02:00:00:*" does."""
    return "/" in word[1:] and word[:1] != "/"


def ifupdown_has(paths: Paths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the uplinks that it raises at boot; a stanza alone raises nothing."""
    known = read(paths)
    return tuple(
        name
        for name in names
        if any(
            one.family in ("inet", "inet6") and one.method not in _IDLE
            for one in known.of(known.logical(name))
        )
    )


def read(paths: Paths, top: str = TOP) -> Interfaces:
    """Return what the machine's files say."""
    reader = _Reader(paths)
    reader.known.wrong = reader.read(top)
    return reader.known


class _Reader:
    """Reads a file and those that it names, each once; what is wrong ends the one it is in."""

    def __init__(self, paths: Paths) -> None:
        self.known = Interfaces()
        self._paths = paths
        self._seen: set[str] = set()

    def read(self, path: str) -> str:
        """Read a file; return what is wrong with it, "" for nothing."""
        if path in self._seen:
            return ""
        self._seen.add(path)
        where = ""  # "iface" or "mapping": what further lines belong to
        for number, line in _lines(read_text(self._paths.through(path), limit=-1)):
            word, _, rest = _parted(line)
            if word == "iface":
                wrong = self._iface(path, rest)
                where = "iface"
            elif word == "mapping":
                self.known.mappings += rest.split()
                where, wrong = "mapping", ""
            elif word == "source" or word.startswith("source-dir"):
                for named in self._named(os.path.dirname(path), word, rest):
                    self.read(named)
                where = wrong = ""
            elif word == "auto" or (word.startswith("allow-") and word != "allow-"):
                where = self._raise(word.removeprefix("allow-"), rest, where)
                wrong = ""
            elif word in _LISTS:
                self.known.renames += rest.split() if word == "rename" else []
                where = where if where == "iface" and not rest and word != "rename" else ""
                wrong = ""
            else:
                wrong = self._option(where, _SAME.get(word, word), rest)
            if wrong:
                return f"{path}:{number}: {wrong}"
        return ""

    def _raise(self, kind: str, rest: str, where: str) -> str:
        """Note what a class raises: the stanza that the line is in, where it names nothing."""
        inside = where == "iface" and not rest
        names = [self.known.stanzas[-1].name] if inside else rest.split()
        self.known.raised += [(kind, name) for name in names]
        return where if inside else ""

    def _iface(self, path: str, rest: str) -> str:
        """Begin a stanza: "NAME [FAMILY [METHOD]] [inherits OTHER]"."""
        name, *words = rest.split() or [""]
        family = words.pop(0) if words and words[0] in _METHODS else ""
        known = _METHODS.get(family, "").split()
        method = words.pop(0) if family and words and words[0] in known else ""
        stanza = Stanza(name, family, method, path)
        if words and words[0] == "inherits":
            others = self.known.of(words[1]) if len(words) > 1 else []
            other = next((one for one in others if family in ("", one.family)), None)
            if other is None:
                return f"nothing to inherit for {name}"
            stanza = replace(other, name=name, path=path, method=method or other.method)
        elif not name or not method:
            return f"no address family and method that ifupdown knows: iface {rest}"
        self.known.stanzas.append(stanza)
        return ""

    def _option(self, where: str, key: str, text: str) -> str:
        if where == "mapping":
            return "" if key in ("script", "map") else f"misplaced: {key}"
        if where != "iface":
            return f"misplaced: {key}"
        if not text:
            return f"{key} without a value"
        stanza = self.known.stanzas[-1]
        before = "" if key in COMMANDS else stanza.get(key)
        if before:
            options = tuple(
                (name, f"{before}\n{text}" if name == key else said)
                for name, said in stanza.options
            )
        else:
            options = (*stanza.options, (key, text))
        self.known.stanzas[-1] = replace(stanza, options=options)
        return ""

    def _named(self, directory: str, word: str, rest: str) -> Iterator[str]:
        """Yield the files that a source line names; each pattern as wordexp(3) has it."""
        try:
            patterns = shlex.split(rest)
        except ValueError:
            return
        for number, pattern in enumerate(patterns):
            # Only what stands first is taken from where the file is (config.c).
            whole = os.path.join(directory, pattern) if number == 0 else pattern
            for place in sorted(glob.glob(self._paths.at(whole))):
                found = place.removeprefix(self._paths.root)
                if word == "source":
                    yield found
                elif os.path.isdir(place):
                    names = [name for name in sorted(os.listdir(place)) if _TAKEN.fullmatch(name)]
                    yield from (f"{found}/{name}" for name in names)


def _parted(line: str) -> tuple[str, str, str]:
    """Return the first word of a line, and the rest."""
    found = re.match(rf"([^{_SPACE}]*)([{_SPACE}]*)", line)
    assert found is not None  # noqa: S101 - either may be empty
    return found[1], found[2], line[found.end() :]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with something in them, a backslash at the end joining the next one.

    Nothing comes in the place of the backslash, and a comment is none in the midst of a line
    (``get_line`` in config.c).
    """
    lines = iter(enumerate(text.split("\n"), 1))
    for number, raw in lines:
        line = raw.lstrip(_SPACE)
        if line.startswith("#"):
            continue
        while line.endswith("\\"):
            more = next(lines, None)
            line = line[:-1]
            if more is None:
                break
            line += more[1]
        line = line.rstrip(_SPACE)
        if line:
            yield number, line
