"""Our ``.link`` file: what udev does to an uplink anyway, and by what that wakes the machine.

Nothing else can say that of a NIC (WakeOnLan= in systemd.link(5)). udev takes the first file that
fits, and no other; a name, an address and an MTU come of it too. So ours repeats the one that udev
takes now, with its drop-ins and all its conditions, for one NIC's permanent address, and sorts
right ahead of it ("-" comes before "."). Whatever NIC it fits would have had that file, which says
the same; each other one has what it had.

Where udev takes none, as where they are masked, ours comes last and says nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.file import Section, section
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

_DIRECTORY, _ENDING, _LAST = "/etc/systemd/network", ".link", "zz"
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_NO_MAC = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")
_WAKES = ("WakeOnLan", "WakeOnLanPassword")
_ADDRESS, _OFF = "PermanentMACAddress", "off"
# udev(7); by these udev reads .link files, unless somebody has masked them.
_RULES = "80-net-setup-link.rules"
_RULES_IN = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_LONGEST = 255  # bytes of a file's name, NAME_MAX in linux/limits.h
_REBOOT = "reboot, then run 'sudo netfail-hooks install' again"


@dataclass(frozen=True, slots=True)
class LinkFile:
    """A file of ours."""

    path: str
    text: str


def make(paths: Paths, nic: Nic, words: str, password_file: str = "") -> LinkFile | None:
    """Return the file by which a NIC wakes the machine by what ``words`` say (WakeOnLan=).

    None where it does anyway, or where what is not to wake it never does. Raises Misuse where it
    can't be told what udev does to the NIC.
    """
    if nic.deaf and words == _OFF:
        return None
    earlier = find(paths, nic.name)
    if nic.present or earlier is None:
        address, stem = _address(nic), _stem(paths, nic)
    else:
        address, stem = _earlier_address(earlier, nic), _stem_of(earlier.path, nic)
    name = f"{stem}-netfail-{nic.name}{_ENDING}"
    if stem == _LAST:
        _refuse_behind(paths, name)
    source = None if stem == _LAST else _source(paths, f"{stem}{_ENDING}")
    if source and not password_file and _says(source, words):
        return None
    if len(os.fsencode(name)) > _LONGEST:
        raise Misuse(f"a file's name can't be as long as {name}", hint=f"shorten {stem}{_ENDING}")
    wakes = [("WakeOnLan", words)]
    if password_file:
        wakes.append(("WakeOnLanPassword", password_file))
    sections = [
        Section("", f"{_told(paths, nic, source)}\n"),
        *_repeated(source.sections if source else ()),
        section("Match", (_ADDRESS, address)),
        section("Link", *wakes),
    ]
    return LinkFile(f"{_DIRECTORY}/{name}", networkfile.render(sections))


def find(paths: Paths, interface: str) -> Source | None:
    """Return the file of ours that an earlier install made for an interface, None for none."""
    ending = f"-netfail-{interface}{_ENDING}"
    for path in match.listed(paths, (_DIRECTORY,), ending):
        text = match.read(paths, path)
        if "-netfail-" not in path.removesuffix(ending) and takeover.is_ours(text):
            return Source(path, text)
    return None


def _address(nic: Nic) -> str:
    """Return the address by which a NIC is known for good. Raises Misuse for one without."""
    if not nic.present:
        raise Misuse(f"{nic.name} is not there", hint=f"plug {nic.name} in, then install again")
    if nic.deaf or nic.kind:
        raise Misuse(
            f"by {nic.name} nothing can wake a machine",
            hint="take wake-on-LAN out of its manager's settings to hear no more of it",
        )
    if not _MAC.fullmatch(nic.permanent_mac) or nic.permanent_mac in _NO_MAC:
        raise Misuse(
            f"{nic.name} has no hardware address that it keeps",
            hint="write a .link file for it yourself (systemd.link(5))",
        )
    return nic.permanent_mac


def _earlier_address(earlier: Source, nic: Nic) -> str:
    """Return for which address an earlier file is, of a NIC that is not there. Raises Misuse."""
    found = networkfile.settings(earlier.sections, "Match", _ADDRESS)
    return _address(Nic(nic.name, permanent_mac=found[-1] if found else "", present=True))


def _stem(paths: Paths, nic: Nic) -> str:
    """Return what the name of the file begins with that udev takes but for us. Raises Misuse.

    udev notes it at boot, and as the NIC is plugged in.
    """
    known = dict(nic.properties)
    path = known.get("ID_NET_LINK_FILE", "")
    # udev's net_setup_link notes the driver as it looks for a file, be there one or not.
    if _is_masked(paths) or not (path or known.get("ID_NET_DRIVER")):
        raise Misuse(
            f"udev does not tell which .link file is for {nic.name}",
            hint=f"have udev read .link files ({_RULES}), {_REBOOT}",
        )
    return _stem_of(path, nic) if path else _LAST


def _stem_of(path: str, nic: Nic) -> str:
    """Return what the name of a file begins with, be it that of ours, or that which ours is for."""
    stem = os.path.basename(path).removesuffix(_ENDING)
    return stem.removesuffix(f"-netfail-{nic.name}")


def _is_masked(paths: Paths) -> bool:
    """Tell whether the rules that have udev read .link files are masked, or not there."""
    for directory in _RULES_IN:
        path = f"{directory}/udev/rules.d/{_RULES}"
        if os.path.lexists(paths.at(path)):
            return not match.read(paths, path).strip()
    return True


def _refuse_behind(paths: Paths, name: str) -> None:
    """Refuse a name for the last file that is not the last: ours must hide none. Raises Misuse."""
    for path in match.listed(paths, match.DIRECTORIES, _ENDING):
        theirs = os.path.basename(path)
        if "-netfail-" not in theirs and os.fsencode(theirs) > os.fsencode(name):
            raise Misuse(
                f"no name of ours sorts behind {path!a}",
                hint="rename it to begin with a number, such as 99-",
            )


def _source(paths: Paths, name: str) -> Source:
    """Return the file of a name that counts, with its drop-ins. Raises Misuse for none."""
    places = [f"{directory}/{name}" for directory in match.DIRECTORIES]
    path = next((one for one in places if os.path.lexists(paths.at(one))), "")
    text = match.read(paths, path) if path else ""
    if not text.strip():
        raise Misuse(f"{path or name}, which udev took, is gone or empty by now", hint=_REBOOT)
    dropins = tuple((one, match.read(paths, one)) for one in match.dropins(paths, name))
    texts = (text, *(dropin for _, dropin in dropins))
    if any(map(networkfile.is_damaged, texts)) or not path.isprintable():
        raise Misuse(f"{path!a} or a drop-in of it can't be read", hint=f"mend it, {_REBOOT}")
    return Source(path, text, dropins)


def _says(source: Source, words: str) -> bool:
    """Tell whether a file has a NIC wake the machine by these words, and without a password."""
    said, secret = (networkfile.settings(source.sections, "Link", key) for key in _WAKES)
    return not secret and set(" ".join(said).split()) == set(words.split())


def _told(paths: Paths, nic: Nic, source: Source | None) -> str:
    if source:
        return takeover.told_in_place_of(paths, source.path)
    return f"{takeover.MARK} how {nic.name} wakes the machine; no other .link file is for it"


def _repeated(sections: Iterable[Section]) -> Iterator[Section]:
    """Yield what another file says, as udev reads it, but for what ours says."""
    for one in sections:
        pairs = [(item.key, item.setting) for item in one.items if item.key]
        ours = {"Match": (_ADDRESS,), "Link": _WAKES}.get(one.name, ())
        if one.name and (kept := [pair for pair in pairs if pair[0] not in ours]):
            yield section(one.name, *kept)
