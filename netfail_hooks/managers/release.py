"""How each manager is told to leave some uplinks alone, and how it has them back.

By files of ours alone, none of the user's: what says "not these" at every boot (``files``), what
makes it let go of one that it has now, and what gives that one back once the files are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths

MARK = "# netfail-hooks: what it manages is not for this one; 'netfail-hooks uninstall' undoes it\n"
_NM = "/etc/NetworkManager/conf.d/zz-netfail-hooks.conf"
_LISTED, _NAMED = "match-device=", "interface-name:="

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Release:
    """How a manager lets go of uplinks.

    ``files`` are new ones, by path, that are ours and not secret: what says at every boot who has
    the uplinks. ``prepared`` are others, which do nothing without these. ``settle`` is run once all
    are there, and once more when they are gone. ``release`` and ``take_back`` are each uplink's
    commands, for one at a time. ``ends`` are those, of uplinks whose DHCP client watches who claims
    their address (RFC 5227), that end it and leave all that it has set up: before a detour has that
    address elsewhere, and before dhcpcd has one back. None is needed where the machine isn't
    running.
    """

    files: Mapping[str, str]
    prepared: Mapping[str, str] = field(default_factory=dict)
    settle: Commands = ()
    ends: Mapping[str, Commands] = field(default_factory=dict)
    release: Mapping[str, Commands] = field(default_factory=dict)
    take_back: Mapping[str, Commands] = field(default_factory=dict)


def networkmanager(names: Sequence[str]) -> Release:
    """Return how NetworkManager does (NetworkManager.conf(5), nmcli(1)).

    A device that is active stays so until it is told by itself; "=" keeps a name from being a
    pattern. The last file of conf.d counts, and += takes nothing of others' away. In that list an
    "except:" of somebody's goes before our words (Ubuntu has "*,except:type:wifi,..."), so that a
    section of our own says it, too, as netplan's do.
    """
    listed = ";".join(f"{_NAMED}{name}" for name in names)
    said = (
        f"{MARK}[keyfile]\nunmanaged-devices+={listed}\n\n"
        f"[device-netfail-hooks]\n{_LISTED}{listed}\nmanaged=0\n"
    )
    return Release(
        {_NM: said},
        settle=(("nmcli", "general", "reload", "conf"),),
        release={name: (("nmcli", "device", "set", name, "managed", "no"),) for name in names},
        take_back={name: (("nmcli", "device", "set", name, "managed", "yes"),) for name in names},
    )


def taken_over(paths: Paths) -> tuple[tuple[str, str], ...]:
    """Return each uplink that was taken over, and its manager: what everybody may see of that.

    The file by which NetworkManager leaves them says so.
    """
    _, told, rest = read_text(paths.at(_NM)).partition(f"\n{_LISTED}")
    words = rest.partition("\n")[0].split(";") if told else []
    return tuple((word.removeprefix(_NAMED), "NetworkManager") for word in words)


def escaped(name: str) -> str:
    """Return an interface's name as a unit's instance has it (systemd-escape(1))."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    return "".join(
        one if one in plain and not (one == "." and at == 0) else f"\\x{ord(one):02x}"
        for at, one in enumerate(name)
    )
