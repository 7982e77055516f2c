"""What NetworkManager.conf(5) says of a NIC: defaults of profiles, which NICs it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netfail_hooks.managers.nm import closed, glib
from netfail_hooks.managers.nm.glib import KeyFile
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

_ETC = "/etc/NetworkManager"
# In the order in which they are read (``read_entire_config()`` in nm-config.c): of two settings the
# later one counts, and a file hides the earlier directories' of its name.
_DIRECTORIES = (
    "/usr/lib/NetworkManager/conf.d",
    "/run/NetworkManager/conf.d",
    f"{_ETC}/conf.d",
)
_MAIN = f"{_ETC}/NetworkManager.conf"


@dataclass(frozen=True, slots=True)
class Conf:
    """All its files, the first one to count first."""

    files: tuple[KeyFile, ...]

    def get(self, group: str, key: str) -> str:
        """Return a setting of a group that there is once, "" for none."""
        found = (file.text(group, key) for file in self.files if key in file.group(group))
        return next(found, "")

    def defaults(self, kind: str, nic: Nic) -> dict[str, str]:
        """Return what all sections say of a NIC whose name begins so: "connection", "device"."""
        found: dict[str, str] = {}
        for group in self._sections(kind, nic):
            for key, written in group.items():
                found.setdefault(key, written.strip())
            if group.get("stop-match", "").strip() in ("1", "true", "yes"):
                break
        return found

    def _sections(self, kind: str, nic: Nic) -> Iterator[glib.Group]:
        """Yield those that fit, in the order in which they are searched; the plain one is last."""
        plain = []
        for file in self.files:
            for name, group in file.groups:
                if name != kind and not name.startswith(f"{kind}-"):
                    continue
                if "match-device" in group and not fits(group["match-device"], nic):
                    continue
                if name == kind:
                    plain.append(group)
                else:
                    yield group
        yield from plain


def read(paths: Paths) -> Conf:
    """Return what a machine has of them. Raises NotPermitted for one that we may not read."""
    places: dict[str, str] = {}
    for directory in _DIRECTORIES:
        if directory.startswith(_ETC):
            places[""] = _MAIN
        for name in closed.names(paths, directory):
            if not name.endswith(".conf"):
                continue
            places.pop(name, None)  # the later one stands in its own place
            places[name] = f"{directory}/{name}"
    texts = [closed.read(paths, place) for place in places.values()]
    return Conf(tuple(map(glib.read, reversed(texts))))


def fits(spec: str, nic: Nic) -> bool:
    """Tell whether a list of devices names a NIC (NetworkManager.conf(5), "Device List Format").

    One that ``except:`` names isn't, whatever else the list says.
    """
    found = False
    for word in spec.replace(",", ";").split(";"):
        plain = word.strip()
        negated = plain.startswith("except:")
        if plain and _named(plain.removeprefix("except:"), nic):
            if negated:
                return False
            found = True
    return found or _only_exceptions(spec)


def _only_exceptions(spec: str) -> bool:
    words = [word.strip() for word in spec.replace(",", ";").split(";") if word.strip()]
    return bool(words) and all(word.startswith("except:") for word in words)


def _named(word: str, nic: Nic) -> bool:
    kind, colon, pattern = word.partition(":")
    if word == "*":
        return True
    if kind == "interface-name" and colon:
        exact = pattern.startswith("=")
        return nic.name == pattern[1:] if exact else fnmatchcase(nic.name, pattern.lstrip("~"))
    if kind == "mac" and colon:
        return pattern.lower() in (nic.mac, nic.permanent_mac)
    if kind == "type" and colon:
        return pattern == ("wifi" if nic.wireless else "ethernet")
    if kind == "driver" and colon:
        return fnmatchcase(nic.driver, pattern.partition("/")[0])
    return word == nic.name or word.lower() in (nic.mac, nic.permanent_mac)
